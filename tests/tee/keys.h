/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of synthetic vendors. Each is the same in every run: elliptic ones come from a hash of
 * their number, RSA keys are files of tests/vectors/synthetic. They protect nothing. */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

enum tee_key {
	/* P-256: Intel's */
	TEE_KEY_INTEL_ROOT,
	TEE_KEY_PROCESSOR_CA,
	TEE_KEY_PLATFORM_CA,
	TEE_KEY_PCK,
	TEE_KEY_TCB_SIGNING,
	TEE_KEY_ATTESTATION,
	TEE_KEY_OTHER, /* of nobody */
	/* P-384: AMD's leaves */
	TEE_KEY_VCEK,
	TEE_KEY_VLEK,
	TEE_KEY_OTHER_P384,
	/* RSA-4096: AMD's authorities */
	TEE_KEY_ARK,
	TEE_KEY_ASK,
	TEE_KEY_ASVK,
	TEE_KEY_OTHER_RSA,
	TEE_KEY_N
};

/* Borrowed; kept until the process ends. A key that cannot be made ends it. */
EVP_PKEY *tee_key(enum tee_key k);

/* The 64 (96) bytes x || y of an elliptic key, big endian. */
void tee_key_xy(enum tee_key k, unsigned char *ret);

/* ECDSA with SHA-256 (P-256) or SHA-384: r || s, big endian. */
void tee_sign(enum tee_key k, unsigned char *ret_rs, const void *p, size_t len);

/* For the generator's parts: ends the process unless ok. */
_Noreturn void tee_fail(const char *what);
static inline void tee_must(bool ok, const char *what)
{
	if (!ok)
		tee_fail(what);
}
