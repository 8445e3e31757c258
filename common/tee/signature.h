/* SPDX-License-Identifier: Apache-2.0
 *
 * The raw ECDSA signatures of evidence. */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>

#include "common/base/span.h"

/* A public key from its affine coordinates, big endian: 64 bytes x || y on P-256, 96 on P-384.
 * NULL: not a point of the curve, or out of memory. To be freed with EVP_PKEY_free(). */
EVP_PKEY *signature_p256_key(const unsigned char xy[64]);
/* Are they a point of P-256? */
bool signature_p256_holds(const unsigned char xy[64]);
/* A new private key on P-256; NULL: OpenSSL refused. As above. */
EVP_PKEY *signature_p256_generate(void);
EVP_PKEY *signature_p384_key(const unsigned char xy[96]);

/* r || s, big endian, over SHA-256 (SHA-384) of message. 0; -EKEYREJECTED: wrong, also for r or s
 * of 0 or not below the order; -ENOMEM. The two-part form hashes a then b. */
int signature_p256(EVP_PKEY *key, const unsigned char rs[64], struct span message);
int signature_p256_2(EVP_PKEY *key, const unsigned char rs[64], struct span a, struct span b);
int signature_p384(EVP_PKEY *key, const unsigned char rs[96], struct span message);
