/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tee/keys.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINT_MAX = 1 + 96, SIGNATURE_MAX = 128 };

static EVP_PKEY *keys[TEE_KEY_N];

static const char *const rsa_files[] = {
	[TEE_KEY_ARK] = "ark-key.pem",
	[TEE_KEY_ASK] = "ask-key.pem",
	[TEE_KEY_ASVK] = "asvk-key.pem",
	[TEE_KEY_OTHER_RSA] = "other-key.pem",
};

void tee_fail(const char *what)
{
	fprintf(stderr, "\nsynthetic evidence: %s failed\n", what);
	exit(EXIT_FAILURE);
}

static void forget(void)
{
	for (int i = 0; i < TEE_KEY_N; i++)
		EVP_PKEY_free(keys[i]);
}

static EVP_PKEY *read_rsa(const char *name)
{
	char path[128];
	EVP_PKEY *key;
	FILE *f;

	snprintf(path, sizeof(path), "tests/vectors/synthetic/%s", name);
	f = fopen(path, "re");
	tee_must(f, path);
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	return key;
}

/* The secret number: a hash of the key's, below the order of both curves. */
static BIGNUM *secret_of(enum tee_key k)
{
	char text[64];
	unsigned char digest[SHA256_DIGEST_LENGTH];

	snprintf(text, sizeof(text), "casemate synthetic key %d", k);
	SHA256((const unsigned char *)text, strlen(text), digest);
	digest[0] = 0;
	return BN_bin2bn(digest, sizeof(digest), NULL);
}

static EVP_PKEY *make_ec(enum tee_key k)
{
	bool p256 = k < TEE_KEY_VCEK;
	EC_GROUP *group = EC_GROUP_new_by_curve_name(p256 ? NID_X9_62_prime256v1 : NID_secp384r1);
	BIGNUM *secret = secret_of(k);
	EC_POINT *point = EC_POINT_new(group);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	unsigned char public[POINT_MAX];
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;
	size_t len;

	tee_must(EC_POINT_mul(group, point, secret, NULL, NULL, NULL) == 1, "a point");
	len = EC_POINT_point2oct(
		group, point, POINT_CONVERSION_UNCOMPRESSED, public, sizeof(public), NULL);
	OSSL_PARAM_BLD_push_utf8_string(
		bld, OSSL_PKEY_PARAM_GROUP_NAME, p256 ? "P-256" : "P-384", 0);
	OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, public, len);
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, secret);
	params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_fromdata_init(ctx);
	EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	BN_free(secret);
	return key;
}

EVP_PKEY *tee_key(enum tee_key k)
{
	static bool registered;

	if (!registered)
		atexit(forget);
	registered = true;
	if (!keys[k])
		keys[k] = k >= TEE_KEY_ARK ? read_rsa(rsa_files[k]) : make_ec(k);
	tee_must(keys[k], "a key");
	return keys[k];
}

void tee_key_xy(enum tee_key k, unsigned char *ret)
{
	unsigned char point[POINT_MAX];
	size_t len;

	tee_must(EVP_PKEY_get_octet_string_param(
			 tee_key(k), OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len) == 1,
		"a public key");
	memcpy(ret, point + 1, len - 1);
}

void tee_sign(enum tee_key k, unsigned char *ret_rs, const void *p, size_t len)
{
	bool p256 = k < TEE_KEY_VCEK;
	int half = p256 ? 32 : 48;
	unsigned char der[SIGNATURE_MAX];
	const unsigned char *q = der;
	size_t n = sizeof(der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ECDSA_SIG *sig;

	tee_must(EVP_DigestSignInit_ex(ctx, NULL, p256 ? "SHA256" : "SHA384", NULL, NULL,
			 tee_key(k), NULL) == 1 &&
			 EVP_DigestSign(ctx, der, &n, p, len) == 1,
		"a signature");
	sig = d2i_ECDSA_SIG(NULL, &q, (long)n);
	tee_must(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret_rs, half) == half &&
			 BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret_rs + half, half) == half,
		"a signature");
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
}
