/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGSTRUCT: who signed an enclave, and for which measurement and attributes (Intel SDM volume 3D,
 * 38.14; what EINIT checks, 41.3 "EINIT"). RSA-3072 with exponent 3, PKCS #1 v1.5, SHA-256, numbers
 * little endian. */
#pragma once

#include <openssl/evp.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"

enum { SIGSTRUCT_SIZE = 1808, MRSIGNER_SIZE = 32 };

#define SGX_FLAG_MODE64BIT 0x4ull
#define SGX_XFRM_LEGACY    0x3ull /* x87 and SSE: what every enclave has */

struct sigstruct {
	uint32_t date;                  /* BCD: 0x20261128 */
	uint64_t flags, xfrm;           /* ATTRIBUTES */
	uint64_t flags_mask, xfrm_mask; /* which of their bits EINIT compares */
	uint32_t miscselect, miscselect_mask;
	uint16_t isvprodid, isvsvn;
	unsigned char mrenclave[32];
};

/* A key that may sign enclaves. Takes some hundred milliseconds. */
int sigstruct_key_new(EVP_PKEY **ret, struct error *err);
/* -EINVAL: key is not of that kind. */
int sigstruct_sign(unsigned char ret[SIGSTRUCT_SIZE], const struct sigstruct *what, EVP_PKEY *key,
	struct error *err);
/* As EINIT does: constants, reserved bytes, exponent, Q1, Q2, signature. -EBADMSG. */
int sigstruct_verify(
	struct sigstruct *ret, const unsigned char s[SIGSTRUCT_SIZE], struct error *err);
/* SHA-256 of the modulus. */
int sigstruct_mrsigner(
	unsigned char ret[MRSIGNER_SIZE], const unsigned char s[SIGSTRUCT_SIZE], struct error *err);
