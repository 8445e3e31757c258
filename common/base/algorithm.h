/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL's algorithms, fetched once for the process: what EVP_sha256() and its like return is
 * fetched anew at each use, which costs as much as hashing some hundred bytes. Any thread. */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>

const EVP_MD *algorithm_sha256(void);
const EVP_MD *algorithm_sha384(void);
/* SHA-256 of n bytes; false: OpenSSL refused. */
bool algorithm_hash(const void *p, size_t n, unsigned char ret[32]);

const EVP_CIPHER *algorithm_aes256_gcm(void);
const EVP_CIPHER *algorithm_aes256_wrap(void); /* RFC 3394 */
