/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/signature.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <pthread.h>

#include "common/base/algorithm.h"

enum { SIG_DER_MAX = 2 + 2 * (2 + 49) + 1, DIGEST_MAX = 48 };

/* Keys without a point: a copy that gets one costs a quarter of a key made from nothing, whose
 * curve is worked out anew. */
static EVP_PKEY *p256, *p384;
static EVP_PKEY_CTX *p256_generator; /* for one thread at a time */
static EC_GROUP *p256_curve;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static EVP_PKEY *no_point(const char *group)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)group, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEY_PARAMETERS, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void fetch(void)
{
	p256 = no_point("P-256");
	p256_curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	p384 = no_point("P-384");
	p256_generator = p256 ? EVP_PKEY_CTX_new(p256, NULL) : NULL;
	if (p256_generator && EVP_PKEY_keygen_init(p256_generator) != 1) {
		EVP_PKEY_CTX_free(p256_generator);
		p256_generator = NULL;
	}
}

static EVP_PKEY *ec_key(EVP_PKEY *const *like, const unsigned char *xy, size_t len)
{
	unsigned char point[1 + 96] = {4};
	EVP_PKEY *key;

	pthread_once(&once, fetch);
	memcpy(point + 1, xy, len);
	ERR_set_mark();
	key = *like ? EVP_PKEY_dup(*like) : NULL;
	/* a point that is not on the curve is refused */
	if (key && EVP_PKEY_set1_encoded_public_key(key, point, 1 + len) != 1) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	ERR_pop_to_mark();
	return key;
}

EVP_PKEY *signature_p256_key(const unsigned char xy[64])
{
	return ec_key(&p256, xy, 64);
}

bool signature_p256_holds(const unsigned char xy[64])
{
	unsigned char octets[1 + 64] = {POINT_CONVERSION_UNCOMPRESSED};
	EC_POINT *point;
	bool holds;

	pthread_once(&once, fetch);
	memcpy(octets + 1, xy, 64);
	ERR_set_mark();
	point = p256_curve ? EC_POINT_new(p256_curve) : NULL;
	/* refuses what is not on the curve */
	holds = point && EC_POINT_oct2point(p256_curve, point, octets, sizeof(octets), NULL) == 1;
	EC_POINT_free(point);
	ERR_pop_to_mark();
	return holds;
}

EVP_PKEY *signature_p384_key(const unsigned char xy[96])
{
	return ec_key(&p384, xy, 96);
}

EVP_PKEY *signature_p256_generate(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	EVP_PKEY *key = NULL;

	pthread_once(&once, fetch);
	pthread_mutex_lock(&lock);
	if (!p256_generator || EVP_PKEY_generate(p256_generator, &key) != 1)
		key = NULL;
	pthread_mutex_unlock(&lock);
	return key;
}

/* A big-endian number as INTEGER, in its shortest form. */
static unsigned char *put_integer(unsigned char *p, const unsigned char *v, size_t len)
{
	while (len > 1 && v[0] == 0) {
		v++;
		len--;
	}
	*p++ = 0x02;
	*p++ = (unsigned char)(len + (v[0] >> 7));
	if (v[0] >> 7)
		*p++ = 0;
	memcpy(p, v, len);
	return p + len;
}

/* r || s as Ecdsa-Sig-Value (RFC 3279): at most 102 bytes of content, so lengths of one byte do. */
static size_t to_der(unsigned char der[SIG_DER_MAX], const unsigned char *rs, size_t half)
{
	unsigned char *p = der + 2;

	p = put_integer(p, rs, half);
	p = put_integer(p, rs + half, half);
	der[0] = 0x30;
	der[1] = (unsigned char)(p - der - 2);
	return (size_t)(p - der);
}

static bool hash(unsigned char ret[DIGEST_MAX], const EVP_MD *md, struct span a, struct span b)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex2(ctx, md, NULL) == 1 &&
		  EVP_DigestUpdate(ctx, a.p, a.len) == 1 &&
		  EVP_DigestUpdate(ctx, b.p, b.len) == 1 && EVP_DigestFinal_ex(ctx, ret, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

/* half: bytes of r, and of the digest. */
static int check(EVP_PKEY *key, const unsigned char *rs, size_t half, const EVP_MD *md,
	struct span a, struct span b)
{
	unsigned char digest[DIGEST_MAX], der[SIG_DER_MAX];
	size_t len = to_der(der, rs, half);
	EVP_PKEY_CTX *ctx;
	int r = -ENOMEM;

	if (!hash(digest, md, a, b))
		return -ENOMEM;
	ERR_set_mark();
	ctx = EVP_PKEY_CTX_new(key, NULL);
	if (ctx && EVP_PKEY_verify_init(ctx) == 1)
		r = EVP_PKEY_verify(ctx, der, len, digest, half) == 1 ? 0 : -EKEYREJECTED;
	EVP_PKEY_CTX_free(ctx);
	ERR_pop_to_mark();
	return r;
}

int signature_p256(EVP_PKEY *key, const unsigned char rs[64], struct span message)
{
	return signature_p256_2(key, rs, message, SPAN_NONE);
}

int signature_p256_2(EVP_PKEY *key, const unsigned char rs[64], struct span a, struct span b)
{
	return check(key, rs, 32, algorithm_sha256(), a, b);
}

int signature_p384(EVP_PKEY *key, const unsigned char rs[96], struct span message)
{
	return check(key, rs, 48, algorithm_sha384(), message, SPAN_NONE);
}
