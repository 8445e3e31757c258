/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/sigstruct.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <string.h>

enum { KEY_BITS = 3072, KEY_SIZE = KEY_BITS / 8, EXPONENT = 3 };

/* Offsets. What is signed are the bytes before the modulus and those from MISCSELECT to Q1. */
enum {
	HEADER = 0,
	VENDOR = 16,
	DATE = 20,
	HEADER2 = 24,
	SWDEFINED = 40,
	RESERVED1 = 44,
	MODULUS = 128,
	EXPONENT_AT = 512,
	SIGNATURE = 516,
	MISCSELECT = 900,
	MISCMASK = 904,
	CET = 908, /* attributes and mask, 2 bytes reserved, ISVFAMILYID: not used here */
	ATTRIBUTES = 928,
	ATTRIBUTEMASK = 944,
	ENCLAVEHASH = 960,
	RESERVED3 = 992,
	ISVEXTPRODID = 1008,
	ISVPRODID = 1024,
	ISVSVN = 1026,
	RESERVED4 = 1028,
	Q1 = 1040,
	Q2 = 1424,
	SIGNED_1 = MODULUS,
	SIGNED_2 = RESERVED4 - MISCSELECT,
};

static const unsigned char header[16] = {6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1};
static const unsigned char header2[16] = {1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1};

static void put(unsigned char *p, size_t n, uint64_t v)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

static uint64_t get(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = n; i > 0; i--)
		v = v << 8 | p[i - 1];
	return v;
}

static int broken(struct error *err)
{
	return error_set(err, -EIO, "the enclave's signature: OpenSSL failed");
}

static void signed_part(unsigned char ret[SIGNED_1 + SIGNED_2], const unsigned char *s)
{
	memcpy(ret, s, SIGNED_1);
	memcpy(ret + SIGNED_1, s + MISCSELECT, SIGNED_2);
}

/* --- arithmetic --- */

struct numbers {
	BN_CTX *ctx;
	BIGNUM *m, *s, *t, *u, *q;
};

static void numbers_done(struct numbers *n)
{
	BN_CTX_end(n->ctx);
	BN_CTX_free(n->ctx);
}

static bool numbers_init(struct numbers *n, const unsigned char *s)
{
	n->ctx = BN_CTX_new();
	if (!n->ctx)
		return false;
	BN_CTX_start(n->ctx);
	n->m = BN_CTX_get(n->ctx);
	n->s = BN_CTX_get(n->ctx);
	n->t = BN_CTX_get(n->ctx);
	n->u = BN_CTX_get(n->ctx);
	n->q = BN_CTX_get(n->ctx);
	return n->q && BN_lebin2bn(s + MODULUS, KEY_SIZE, n->m) &&
	       BN_lebin2bn(s + SIGNATURE, KEY_SIZE, n->s) && !BN_is_zero(n->m);
}

/* Q1 = s^2 / m and Q2 = s (s^2 mod m) / m, which spare EINIT the division. */
static bool quotients(
	const unsigned char *s, unsigned char ret_q1[KEY_SIZE], unsigned char ret_q2[KEY_SIZE])
{
	struct numbers n = {0};
	bool ok = numbers_init(&n, s) && BN_sqr(n.t, n.s, n.ctx) &&
		  BN_div(n.q, n.u, n.t, n.m, n.ctx) &&
		  BN_bn2lebinpad(n.q, ret_q1, KEY_SIZE) == KEY_SIZE &&
		  BN_mul(n.t, n.s, n.u, n.ctx) && BN_div(n.q, NULL, n.t, n.m, n.ctx) &&
		  BN_bn2lebinpad(n.q, ret_q2, KEY_SIZE) == KEY_SIZE;

	if (n.ctx)
		numbers_done(&n);
	return ok;
}

static void reverse(unsigned char *to, const unsigned char *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[n - 1 - i];
}

/* --- keys --- */

int sigstruct_key_new(EVP_PKEY **ret, struct error *err)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *e = BN_new();
	EVP_PKEY *key = NULL;
	bool ok = ctx && e && BN_set_word(e, EXPONENT) && EVP_PKEY_keygen_init(ctx) > 0 &&
		  EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, KEY_BITS) > 0 &&
		  EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e) > 0 &&
		  EVP_PKEY_generate(ctx, &key) > 0;

	BN_free(e);
	EVP_PKEY_CTX_free(ctx);
	if (!ok)
		return error_set(err, -EIO, "a key for the evidence enclave: OpenSSL failed");
	*ret = key;
	return 0;
}

static bool fits(const EVP_PKEY *key)
{
	BIGNUM *e = NULL;
	bool ok = EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) == KEY_BITS &&
		  EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) && BN_is_word(e, EXPONENT);

	BN_free(e);
	return ok;
}

static bool put_modulus(unsigned char *s, const EVP_PKEY *key)
{
	BIGNUM *m = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &m) &&
		  BN_bn2lebinpad(m, s + MODULUS, KEY_SIZE) == KEY_SIZE;

	BN_free(m);
	return ok;
}

static EVP_PKEY *public_key(const unsigned char *s)
{
	BIGNUM *m = BN_lebin2bn(s + MODULUS, KEY_SIZE, NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (m && bld && ctx && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, m) &&
		OSSL_PARAM_BLD_push_uint(bld, OSSL_PKEY_PARAM_RSA_E, EXPONENT))
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params && EVP_PKEY_fromdata_init(ctx) > 0)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	BN_free(m);
	return key;
}

/* --- signing --- */

static void put_body(unsigned char *s, const struct sigstruct *what)
{
	memcpy(s + HEADER, header, sizeof(header));
	put(s + DATE, 4, what->date);
	memcpy(s + HEADER2, header2, sizeof(header2));
	put(s + EXPONENT_AT, 4, EXPONENT);
	put(s + MISCSELECT, 4, what->miscselect);
	put(s + MISCMASK, 4, what->miscselect_mask);
	put(s + ATTRIBUTES, 8, what->flags);
	put(s + ATTRIBUTES + 8, 8, what->xfrm);
	put(s + ATTRIBUTEMASK, 8, what->flags_mask);
	put(s + ATTRIBUTEMASK + 8, 8, what->xfrm_mask);
	memcpy(s + ENCLAVEHASH, what->mrenclave, sizeof(what->mrenclave));
	put(s + ISVPRODID, 2, what->isvprodid);
	put(s + ISVSVN, 2, what->isvsvn);
}

static bool put_signature(unsigned char *s, EVP_PKEY *key)
{
	unsigned char message[SIGNED_1 + SIGNED_2], signature[KEY_SIZE];
	size_t n = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	signed_part(message, s);
	/* PKCS #1 v1.5 is the default. */
	ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) > 0 &&
	     EVP_DigestSign(ctx, signature, &n, message, sizeof(message)) > 0 && n == KEY_SIZE;
	EVP_MD_CTX_free(ctx);
	if (ok)
		reverse(s + SIGNATURE, signature, KEY_SIZE);
	return ok;
}

int sigstruct_sign(unsigned char ret[SIGSTRUCT_SIZE], const struct sigstruct *what, EVP_PKEY *key,
	struct error *err)
{
	unsigned char s[SIGSTRUCT_SIZE] = {0};

	if (!fits(key))
		return error_set(err, -EINVAL,
			"enclaves are signed by RSA keys of %d bits with exponent %d", KEY_BITS,
			EXPONENT);
	put_body(s, what);
	if (!put_modulus(s, key) || !put_signature(s, key) || !quotients(s, s + Q1, s + Q2))
		return broken(err);
	memcpy(ret, s, sizeof(s));
	return 0;
}

/* --- verifying --- */

static bool all_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static int check_constants(const unsigned char *s, struct error *err)
{
	if (memcmp(s + HEADER, header, sizeof(header)) != 0 ||
		memcmp(s + HEADER2, header2, sizeof(header2)) != 0)
		return error_set(err, -EBADMSG, "SIGSTRUCT: no header of one");
	if (get(s + VENDOR, 4) != 0 && get(s + VENDOR, 4) != 0x8086)
		return error_set(err, -EBADMSG, "SIGSTRUCT: vendor %#llx",
			(unsigned long long)get(s + VENDOR, 4));
	if (get(s + EXPONENT_AT, 4) != EXPONENT)
		return error_set(err, -EBADMSG, "SIGSTRUCT: the exponent is not %d", EXPONENT);
	if (!all_zero(s + RESERVED1, MODULUS - RESERVED1) ||
		!all_zero(s + RESERVED3, ISVEXTPRODID - RESERVED3) ||
		!all_zero(s + RESERVED4, Q1 - RESERVED4))
		return error_set(err, -EBADMSG, "SIGSTRUCT: reserved bytes are set");
	return 0;
}

static bool signature_holds(const unsigned char *s)
{
	unsigned char message[SIGNED_1 + SIGNED_2], signature[KEY_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY *key = public_key(s);
	bool ok;

	signed_part(message, s);
	reverse(signature, s + SIGNATURE, KEY_SIZE);
	ok = ctx && key && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) > 0 &&
	     EVP_DigestVerify(ctx, signature, KEY_SIZE, message, sizeof(message)) == 1;
	EVP_PKEY_free(key);
	EVP_MD_CTX_free(ctx);
	return ok;
}

int sigstruct_verify(
	struct sigstruct *ret, const unsigned char s[SIGSTRUCT_SIZE], struct error *err)
{
	unsigned char q1[KEY_SIZE], q2[KEY_SIZE];
	int r = check_constants(s, err);

	if (r < 0)
		return r;
	if (!signature_holds(s))
		return error_set(err, -EBADMSG, "SIGSTRUCT: the signature does not hold");
	if (!quotients(s, q1, q2) || memcmp(q1, s + Q1, KEY_SIZE) != 0 ||
		memcmp(q2, s + Q2, KEY_SIZE) != 0)
		return error_set(err, -EBADMSG, "SIGSTRUCT: Q1 or Q2 is wrong");
	*ret = (struct sigstruct){
		.date = (uint32_t)get(s + DATE, 4),
		.flags = get(s + ATTRIBUTES, 8),
		.xfrm = get(s + ATTRIBUTES + 8, 8),
		.flags_mask = get(s + ATTRIBUTEMASK, 8),
		.xfrm_mask = get(s + ATTRIBUTEMASK + 8, 8),
		.miscselect = (uint32_t)get(s + MISCSELECT, 4),
		.miscselect_mask = (uint32_t)get(s + MISCMASK, 4),
		.isvprodid = (uint16_t)get(s + ISVPRODID, 2),
		.isvsvn = (uint16_t)get(s + ISVSVN, 2),
	};
	memcpy(ret->mrenclave, s + ENCLAVEHASH, sizeof(ret->mrenclave));
	return 0;
}

int sigstruct_mrsigner(
	unsigned char ret[MRSIGNER_SIZE], const unsigned char s[SIGSTRUCT_SIZE], struct error *err)
{
	return EVP_Digest(s + MODULUS, KEY_SIZE, ret, NULL, EVP_sha256(), NULL) == 1 ? 0
										     : broken(err);
}
