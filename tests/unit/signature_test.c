/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/signature.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

enum { HALF_MAX = 48 };

struct curve {
	const char *name, *group, *md;
	size_t half; /* bytes of a coordinate, and of r */
	EVP_PKEY *(*key)(const unsigned char *xy);
	int (*check)(EVP_PKEY *key, const unsigned char *rs, struct span message);
	unsigned char order[HALF_MAX];
};

/* FIPS 186-4, D.1.2.3 and D.1.2.4 */
static const struct curve curves[] = {
	{"P-256", "P-256", "SHA256", 32, signature_p256_key, signature_p256,
		{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2,
			0xfc, 0x63, 0x25, 0x51}},
	{"P-384", "P-384", "SHA384", 48, signature_p384_key, signature_p384,
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63,
			0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0,
			0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73}},
};

struct signed_message {
	unsigned char xy[2 * HALF_MAX], rs[2 * HALF_MAX];
	struct span text;
};

static bool coordinate(EVP_PKEY *key, const char *name, unsigned char *to, size_t half)
{
	BIGNUM *n = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, name, &n) == 1 && BN_bn2binpad(n, to, (int)half) > 0;

	BN_free(n);
	return ok;
}

/* DER to r || s. */
static bool split(const unsigned char *der, size_t len, unsigned char *rs, size_t half)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), rs, (int)half) > 0 &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(sig), rs + half, (int)half) > 0;

	ECDSA_SIG_free(sig);
	return ok;
}

/* A fresh key and its signature of a text. */
static bool make(struct signed_message *m, const struct curve *c)
{
	EVP_PKEY *key = EVP_EC_gen(c->group);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char der[128];
	size_t len = sizeof(der);
	bool ok;

	m->text = SPAN_LIT("what was signed");
	ok = key && ctx && coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, m->xy, c->half) &&
	     coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, m->xy + c->half, c->half) &&
	     EVP_DigestSignInit_ex(ctx, NULL, c->md, NULL, NULL, key, NULL) == 1 &&
	     EVP_DigestSign(ctx, der, &len, (const unsigned char *)m->text.p, m->text.len) == 1 &&
	     split(der, len, m->rs, c->half);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return CHECK_ROW(c->name, ok, "cannot sign");
}

static int check(const struct curve *c, const struct signed_message *m)
{
	EVP_PKEY *key = c->key(m->xy);
	int r = key ? c->check(key, m->rs, m->text) : -EINVAL;

	EVP_PKEY_free(key);
	return r;
}

/* Often enough that r and s begin with zeros and with a set bit. */
static void test_what_was_signed(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
		for (int round = 0; round < 40; round++) {
			struct signed_message m;

			if (make(&m, &curves[i]))
				CHECK_ROW(curves[i].name, check(&curves[i], &m) == 0, "refused");
		}
	}
}

static void test_flips(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
		const struct curve *c = &curves[i];
		struct signed_message m, other;

		if (!make(&m, c))
			continue;
		for (size_t bit = 0; bit < 8 * 2 * c->half; bit++) {
			other = m;
			other.rs[bit / 8] ^= (unsigned char)(1 << bit % 8);
			CHECK_ROW(c->name, check(c, &other) == -EKEYREJECTED, "bit %zu", bit);
			/* no point of the curve: y does not fit x any more */
			other = m;
			other.xy[bit / 8] ^= (unsigned char)(1 << bit % 8);
			CHECK_ROW(c->name, check(c, &other) == -EINVAL, "bit %zu of the key", bit);
		}
		other = m;
		other.text.len--;
		CHECK_ROW(c->name, check(c, &other) == -EKEYREJECTED, "another text");
	}
}

/* n + what was r: the same number modulo the order, if it fits. */
static void test_numbers_out_of_range(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
		const struct curve *c = &curves[i];
		struct signed_message m, other;

		if (!make(&m, c))
			continue;
		for (size_t part = 0; part < 2; part++) {
			unsigned char *p = other.rs + part * c->half;

			other = m;
			memset(p, 0, c->half);
			CHECK_ROW(c->name, check(c, &other) == -EKEYREJECTED, "%zu: zero", part);
			memcpy(p, c->order, c->half);
			CHECK_ROW(
				c->name, check(c, &other) == -EKEYREJECTED, "%zu: the order", part);
			memset(p, 0xff, c->half);
			CHECK_ROW(c->name, check(c, &other) == -EKEYREJECTED, "%zu: ff", part);
		}
		memset(other.rs, 0, sizeof(other.rs));
		CHECK_ROW(c->name, check(c, &other) == -EKEYREJECTED, "both zero");
		memset(other.xy, 0, sizeof(other.xy));
		CHECK_ROW(c->name, check(c, &other) == -EINVAL, "a key of zeros");
	}
}

static void test_two_parts(void)
{
	struct signed_message m;

	if (!make(&m, &curves[0]))
		return;
	for (size_t n = 0; n <= m.text.len; n++) {
		EVP_PKEY *key = signature_p256_key(m.xy);
		struct span a = {m.text.p, n}, b = {m.text.p + n, m.text.len - n};

		CU_ASSERT(signature_p256_2(key, m.rs, a, b) == 0);
		CU_ASSERT(
			signature_p256_2(key, m.rs, b, a) == (n % m.text.len ? -EKEYREJECTED : 0));
		EVP_PKEY_free(key);
	}
}

const CU_TestInfo signature_tests[] = {
	{"what was signed is accepted", test_what_was_signed},
	{"no bit of signature or key can be turned", test_flips},
	{"zero and what is not below the order", test_numbers_out_of_range},
	{"a message of two parts", test_two_parts},
	CU_TEST_INFO_NULL,
};
