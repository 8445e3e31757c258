/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to kek_pkcs11: one thing that a token does, on a thread of its own, and what RSA keys do
 * of it (kek_pkcs11_rsa.c). */
#pragma once

#include <p11-kit/p11-kit.h>

#include "common/base/secret.h"
#include "webhook/broker/kek_wrapper.h"

/* The thread's until it ends. */
struct pkcs11_job {
	char *module, *token, *key, *pin_file;
	bool seals;
	char id[KEK_ID_MAX];
	struct secret in, out; /* out: the key, or the wrapped text */
	CK_FUNCTION_LIST *f;
	CK_SESSION_HANDLE session;
};

/* The error that a token's answer means, with what to do. */
int pkcs11_failed(const struct pkcs11_job *job, const char *what, CK_RV rv, struct error *err);

/* What wrapped: a byte for the hash, the ciphertext, a signature; by a modulus of that many bytes.
 */
#define PKCS11_RSA_SEALED(modulus) (1 + 2 * (modulus))

/* key: a private RSA key. Job's in to out, wrapped or opened. */
int pkcs11_rsa(
	const struct pkcs11_job *job, CK_OBJECT_HANDLE key, struct secret *out, struct error *err);
