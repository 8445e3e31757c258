/* SPDX-License-Identifier: Apache-2.0
 *
 * How a content key is wrapped. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>

#include "common/base/algorithm.h"
#include "common/kbs/jwe_private.h"

DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

static void put_u32(unsigned char out[4], uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		out[i] = (unsigned char)v;
}

static bool add(EVP_MD_CTX *ctx, struct span s)
{
	unsigned char len[4];

	put_u32(len, (uint32_t)s.len);
	return EVP_DigestUpdate(ctx, len, sizeof(len)) == 1 &&
	       EVP_DigestUpdate(ctx, s.p, s.len) == 1;
}

int jwe_concat_kdf(unsigned char ret[32], struct span z, struct span algorithm, struct span party_u,
	struct span party_v, unsigned bits)
{
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char round[4], length[4];

	put_u32(round, 1);
	put_u32(length, bits);
	if (!ctx || EVP_DigestInit_ex(ctx, algorithm_sha256(), NULL) != 1 ||
		EVP_DigestUpdate(ctx, round, sizeof(round)) != 1 ||
		EVP_DigestUpdate(ctx, z.p, z.len) != 1 || !add(ctx, algorithm) ||
		!add(ctx, party_u) || !add(ctx, party_v) ||
		EVP_DigestUpdate(ctx, length, sizeof(length)) != 1 ||
		EVP_DigestFinal_ex(ctx, ret, NULL) != 1)
		return -EIO;
	return 0;
}

int jwe_wrap(unsigned char ret[JWE_WRAPPED], const unsigned char kek[32],
	const unsigned char key[JWE_KEY])
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n, end;

	if (!ctx)
		return -ENOMEM;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_EncryptInit_ex2(ctx, algorithm_aes256_wrap(), kek, NULL, NULL) != 1 ||
		EVP_EncryptUpdate(ctx, ret, &n, key, JWE_KEY) != 1 || n != JWE_WRAPPED ||
		EVP_EncryptFinal_ex(ctx, ret + n, &end) != 1)
		return -EIO;
	return 0;
}

int jwe_unwrap(unsigned char ret[JWE_KEY], const unsigned char kek[32],
	const unsigned char wrapped[JWE_WRAPPED])
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	unsigned char key[JWE_WRAPPED];
	int n, r = -EKEYREJECTED;

	if (!ctx)
		return -ENOMEM;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	ERR_set_mark();
	if (EVP_DecryptInit_ex2(ctx, algorithm_aes256_wrap(), kek, NULL, NULL) == 1 &&
		EVP_DecryptUpdate(ctx, key, &n, wrapped, JWE_WRAPPED) == 1 && n == JWE_KEY) {
		memcpy(ret, key, JWE_KEY);
		r = 0;
	}
	ERR_pop_to_mark();
	OPENSSL_cleanse(key, sizeof(key));
	return r;
}
