/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to jwe: the parts that known answers are held against. */
#pragma once

#include "common/kbs/jwe.h"

/* What is random in a seal. */
struct jwe_random {
	EVP_PKEY *ephemeral; /* of the recipient's curve; not used for RSA */
	unsigned char key[JWE_KEY], iv[JWE_IV];
};
int jwe_seal_with(struct buf *out, const struct jwk *to, struct span plaintext,
	const struct jwe_random *random, struct error *err);

/* Concat KDF (NIST SP 800-56A section 5.8.1, one round of SHA-256) as RFC 7518 section 4.6.2 has
 * it: bits up to 256. */
int jwe_concat_kdf(unsigned char ret[32], struct span z, struct span algorithm, struct span party_u,
	struct span party_v, unsigned bits);

/* AES-256 key wrap of 32 bytes (RFC 3394) and back. -EIO; -EKEYREJECTED: wrapped by another key. */
enum { JWE_WRAPPED = JWE_KEY + 8 };
int jwe_wrap(unsigned char ret[JWE_WRAPPED], const unsigned char kek[32],
	const unsigned char key[JWE_KEY]);
int jwe_unwrap(unsigned char ret[JWE_KEY], const unsigned char kek[32],
	const unsigned char wrapped[JWE_WRAPPED]);
