/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/algorithm.h"

#include <pthread.h>

/* Kept for the process. NULL where OpenSSL could not fetch one. */
static EVP_MD *sha256, *sha384;
static EVP_CIPHER *gcm, *wrap;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	sha384 = EVP_MD_fetch(NULL, "SHA384", NULL);
	gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	wrap = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL);
}

const EVP_MD *algorithm_sha256(void)
{
	pthread_once(&once, fetch);
	return sha256 ? sha256 : EVP_sha256();
}

const EVP_MD *algorithm_sha384(void)
{
	pthread_once(&once, fetch);
	return sha384 ? sha384 : EVP_sha384();
}

bool algorithm_hash(const void *p, size_t n, unsigned char ret[32])
{
	return EVP_Digest(p, n, ret, NULL, algorithm_sha256(), NULL) == 1;
}

const EVP_CIPHER *algorithm_aes256_gcm(void)
{
	pthread_once(&once, fetch);
	return gcm ? gcm : EVP_aes_256_gcm();
}

const EVP_CIPHER *algorithm_aes256_wrap(void)
{
	pthread_once(&once, fetch);
	return wrap ? wrap : EVP_aes_256_wrap();
}
