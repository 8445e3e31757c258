/* SPDX-License-Identifier: Apache-2.0
 *
 * Known answers: RFC 7518 appendix C, RFC 3394 section 4.6, and one of this protocol worked out
 * independently. The recorded answer of a real key broker opens with the key of its client. */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "common/base/codec.h"
#include "common/kbs/jwe_private.h"
#include "tests/unit/test.h"

#define OWN                                                                                        \
	"{\"alg\":\"ECDH-ES+A256KW\",\"crv\":\"P-256\",\"kty\":\"EC\","                            \
	"\"x\":\"ba6dhVZMQpM00nfC05nss0_5OQofKMQ8QgiXx3qU_1U\","                                   \
	"\"y\":\"4cLtTuwNiGopbVTbE1oaUyNXPWmRpweTs7DTUdxS6yE\"}"
#define OWN_D       "323dd68ca9fe048ddcbf09b2fa22363c573074222297a250daa0dd171c16a852"
#define EPHEMERAL_D "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"

/* What RFC 7516 calls flattened, of the plaintext "secret-resource". */
#define KNOWN                                                                                      \
	"{\"protected\":"                                                                          \
	"\"eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImVuYyI6IkEyNTZHQ00iLCJlcGsiOnsiY3J2IjoiUC"             \
	"0yNTYiLCJrdHkiOiJFQyIsIngiOiJVVnc5YnJuamxya0UwXzdLZjFUOXpRekI2WmVfTjEzS1VWclFwc08wQTE4Ii" \
	"wie"                                                                                      \
	"SI6IlJUYS1PbER6R1B2NXBVZFpBcUloVUN2dkRWZmdqRk95ekFwVzhYMmZrMVEifX0\","                    \
	"\"encrypted_key\":\"VGZJ30wgDX31_CbosGp-DJFv0FvG8DzWXQYgaxFyxmp9LICdBr5-YQ\","            \
	"\"iv\":\"AAECAwQFBgcICQoL\",\"ciphertext\":\"NGe1aaCR72noMvj-w4od\","                     \
	"\"tag\":\"Nt6nDa089t49ZbY4VHr9aw\"}"

/* A private key on P-256 of this scalar. */
static EVP_PKEY *private_key(const char *d_hex)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *point = EC_POINT_new(group);
	BIGNUM *d = NULL;
	unsigned char xy[65];
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;

	BN_hex2bn(&d, d_hex);
	EC_POINT_mul(group, point, d, NULL, NULL, NULL);
	EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, xy, sizeof(xy), NULL);
	OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
	OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, xy, sizeof(xy));
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d);
	params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_fromdata_init(ctx);
	EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	BN_free(d);
	return key;
}

static int read_jwk(struct jwk *ret, const char *text, struct error *err)
{
	static const struct json_limits limits = {4096, 64, 4};
	_cleanup_json_ struct json doc = {0};
	int r = json_parse(&doc, span_str(text), &limits, err);

	return r < 0 ? r : jwk_read(ret, json_root(&doc), err);
}

/* RFC 7518, appendix C: 128 bits for A128GCM, of Alice to Bob. */
static void test_concat_kdf(void)
{
	static const unsigned char z[] = {158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131,
		191, 132, 38, 156, 251, 49, 110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140,
		254, 144, 196};
	static const unsigned char want[] = {
		86, 170, 141, 234, 248, 35, 109, 32, 92, 34, 40, 205, 113, 167, 16, 26};
	unsigned char got[32];

	CU_ASSERT_EQUAL(jwe_concat_kdf(got, (struct span){(const char *)z, sizeof(z)},
				SPAN_LIT("A128GCM"), SPAN_LIT("Alice"), SPAN_LIT("Bob"), 128),
		0);
	CU_ASSERT_EQUAL(memcmp(got, want, sizeof(want)), 0);
	/* the protocol's own: reference vector */
	{
		unsigned char shared[32], kek[32];

		codec_hex_exact(shared, 32,
			span_str("f958716f5c79789739629fec5954fcd46b7047ef9f9ba47ab6c506a72803db4"
				 "c"));
		codec_hex_exact(kek, 32,
			span_str("65db3a47e609940646090291a81b22918872f7b559e449baa00c9c26e3b4e0a"
				 "8"));
		CU_ASSERT_EQUAL(jwe_concat_kdf(got, (struct span){(const char *)shared, 32},
					SPAN_LIT("ECDH-ES+A256KW"), SPAN_NONE, SPAN_NONE, 256),
			0);
		CU_ASSERT_EQUAL(memcmp(got, kek, 32), 0);
	}
}

/* RFC 3394, section 4.6: 256 bits of key data with a 256-bit KEK. */
static void test_key_wrap(void)
{
	unsigned char kek[32], key[32], want[JWE_WRAPPED], got[JWE_WRAPPED], back[32];

	codec_hex_exact(kek, 32,
		span_str("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"));
	codec_hex_exact(key, 32,
		span_str("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F"));
	codec_hex_exact(want, sizeof(want),
		span_str("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326"
			 "CBC7F0E71A99F43BFB988B9B7A02DD21"));
	CU_ASSERT_EQUAL(jwe_wrap(got, kek, key), 0);
	CU_ASSERT_EQUAL(memcmp(got, want, sizeof(want)), 0);
	CU_ASSERT_EQUAL(jwe_unwrap(back, kek, want), 0);
	CU_ASSERT_EQUAL(memcmp(back, key, sizeof(key)), 0);
	for (size_t bit = 0; bit < 8 * sizeof(want); bit++) {
		got[bit / 8] ^= (unsigned char)(1 << bit % 8);
		CU_ASSERT_EQUAL(jwe_unwrap(back, kek, got), -EKEYREJECTED);
		got[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}

static void test_known_answer(void)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *own = private_key(OWN_D);
	struct jwe_random random = {.ephemeral = private_key(EPHEMERAL_D)};
	_cleanup_buf_ struct buf out = BUF_INIT(JWE_MAX);
	_cleanup_secret_ struct secret plain = {0};
	struct error err = {0};
	struct jwk to = {0};

	for (unsigned i = 0; i < JWE_KEY; i++)
		random.key[i] = (unsigned char)i;
	for (unsigned i = 0; i < JWE_IV; i++)
		random.iv[i] = (unsigned char)i;
	CHECK_ROW("jwk", read_jwk(&to, OWN, &err) == 0, "%s", err.message);
	CHECK_ROW("seal", jwe_seal_with(&out, &to, SPAN_LIT("secret-resource"), &random, &err) == 0,
		"%s", err.message);
	CHECK_STR("known", buf_view(&out), KNOWN);
	CHECK_ROW("open", jwe_open(&plain, span_str(KNOWN), own, &err) == 0, "%s", err.message);
	CHECK_STR("known", secret_view(&plain), "secret-resource");
	EVP_PKEY_free(random.ephemeral);
	jwk_free(&to);
}

/* The body of the last answer in a recording, unescaped from its JSON string. */
static bool recorded_answer(struct buf *out, const char *path)
{
	static const struct json_limits limits = {1 << 20, 1000, 8};
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
	_cleanup_json_ struct json doc = {0};
	struct json_val root, last;
	struct span data;
	const char *body;
	FILE *f = fopen(path, "re");
	int c;

	while (f && (c = fgetc(f)) != EOF)
		buf_putc(&text, (char)c);
	if (f)
		fclose(f);
	if (json_parse(&doc, buf_view(&text), &limits, NULL) < 0)
		return false;
	root = json_root(&doc);
	last = json_at(root, json_count(root) - 1);
	data = json_str(json_get(last, "data"), &a);
	body = data.p ? memmem(data.p, data.len, "\r\n\r\n", 4) : NULL;
	return body && buf_add(out, body + 4, data.len - (size_t)(body + 4 - data.p)) == 0;
}

static void test_recorded(void)
{
	FILE *f = fopen("tests/vectors/kbs/rsa-tee-key.pem", "re");
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key =
		f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	_cleanup_buf_ struct buf answer = BUF_INIT(1 << 20);
	_cleanup_secret_ struct secret plain = {0};
	struct error err = {0};

	if (f)
		fclose(f);
	if (!CHECK_ROW("files",
		    key && recorded_answer(&answer, "tests/vectors/kbs/released-rsa.json"),
		    "cannot be read"))
		return;
	CHECK_ROW("open", jwe_open(&plain, buf_view(&answer), key, &err) == 0, "%s", err.message);
	CHECK_STR("recorded", secret_view(&plain), "secret-resource");
}

static EVP_PKEY *fresh(enum jwk_kind kind)
{
	return kind == JWK_RSA ? EVP_RSA_gen(2048) : jwk_generate(kind);
}

static struct jwk public_half(EVP_PKEY *key, enum jwk_kind kind)
{
	_cleanup_buf_ struct buf text = BUF_INIT(4096);
	struct error err = {0};
	struct jwk k = {0};

	jwk_write(&text, key, kind == JWK_RSA ? JWK_ALG_RSA : JWK_ALG_ECDH);
	CHECK_ROW(text.p, read_jwk(&k, text.p, &err) == 0, "%s", err.message);
	return k;
}

static void test_round_trips(void)
{
	static const size_t lengths[] = {0, 1, 32, JWE_PLAINTEXT_MAX};
	_cleanup_free_ char *plaintext = calloc(1, JWE_PLAINTEXT_MAX + 1);

	for (enum jwk_kind kind = JWK_EC_P256; kind <= JWK_RSA; kind++) {
		_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = fresh(kind), *other = fresh(kind);
		struct jwk to = public_half(key, kind);

		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			_cleanup_buf_ struct buf out = BUF_INIT(JWE_MAX);
			_cleanup_secret_ struct secret plain = {0}, none = {0};
			const struct span p = {plaintext, lengths[i]};
			struct error err = {0};

			CHECK_ROW("seal", jwe_seal(&out, &to, p, &err) == 0, "%s", err.message);
			CHECK_ROW("open", jwe_open(&plain, buf_view(&out), key, &err) == 0, "%s",
				err.message);
			CU_ASSERT(span_equal(secret_view(&plain), p));
			CU_ASSERT_EQUAL(
				jwe_open(&none, buf_view(&out), other, NULL), -EKEYREJECTED);
		}
		CU_ASSERT_EQUAL(jwe_seal(&BUF_INIT(JWE_MAX), &to,
					(struct span){plaintext, JWE_PLAINTEXT_MAX + 1}, NULL),
			-E2BIG);
		jwk_free(&to);
	}
}

/* No bit of it may differ, and nothing be cut off. */
static void malleable(EVP_PKEY *key, enum jwk_kind kind)
{
	_cleanup_buf_ struct buf out = BUF_INIT(JWE_MAX);
	struct jwk to = public_half(key, kind);
	int r = jwe_seal(&out, &to, SPAN_LIT("k"), NULL);

	for (size_t n = 0; r == 0 && n < out.len; n++) {
		_cleanup_secret_ struct secret plain = {0};

		if (!CHECK_ROW("cut", jwe_open(&plain, (struct span){out.p, n}, key, NULL) < 0,
			    "opens at %zu of %zu bytes", n, out.len))
			break;
	}
	for (size_t bit = 0; r == 0 && bit < 8 * out.len; bit++) {
		_cleanup_secret_ struct secret plain = {0};

		out.p[bit / 8] ^= (char)(1 << bit % 8);
		if (!CHECK_ROW("bit", jwe_open(&plain, buf_view(&out), key, NULL) < 0,
			    "opens with bit %zu turned", bit))
			break;
		out.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	jwk_free(&to);
}

static void test_malleable(void)
{
	for (enum jwk_kind kind = JWK_EC_P256; kind <= JWK_RSA; kind++) {
		_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = fresh(kind);

		malleable(key, kind);
	}
}

static void test_refused_headers(void)
{
	static const char *const headers[] = {
		"{}",
		"[]",
		"",
		"{\"alg\":\"dir\",\"enc\":\"A256GCM\"}",
		"{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A128GCM\"}",
		"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\"}",
		"{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\"}",
		"{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\",\"zip\":\"DEF\",\"epk\":" OWN "}",
		"{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\",\"crit\":[],\"epk\":" OWN "}",
		"{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\",\"epk\":{\"kty\":\"EC\"}}",
	};
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *own = private_key(OWN_D);

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		_cleanup_buf_ struct buf text = BUF_INIT(8192);
		_cleanup_secret_ struct secret plain = {0};
		struct error err = {0};

		buf_puts(&text, "{\"protected\":\"");
		codec_base64url(&text, headers[i], strlen(headers[i]));
		buf_puts(&text, strstr(KNOWN, "\",\"encrypted_key\""));
		CHECK_ROW(headers[i], jwe_open(&plain, buf_view(&text), own, &err) == -EBADMSG,
			"%s", err.message);
	}
}

CU_TestInfo jwe_tests[] = {
	{"Concat KDF: RFC 7518 appendix C", test_concat_kdf},
	{"key wrap: RFC 3394 section 4.6", test_key_wrap},
	{"a known answer", test_known_answer},
	{"what a real broker sealed", test_recorded},
	{"seals and opens for each kind of key", test_round_trips},
	{"no truncation and no turned bit opens", test_malleable},
	{"other headers are refused", test_refused_headers},
	CU_TEST_INFO_NULL,
};
