/* SPDX-License-Identifier: Apache-2.0
 *
 * common/kbs beside JWE: canonical JSON, keys, tokens, messages, names of keys. */
#include <errno.h>

#include "common/base/codec.h"
#include "common/kbs/jcs.h"
#include "common/kbs/jwk.h"
#include "common/kbs/jws.h"
#include "common/kbs/key_id.h"
#include "common/kbs/rcar.h"
#include "tests/unit/test.h"

#define NONCE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OWN                                                                                        \
	"{\"y\":\"4cLtTuwNiGopbVTbE1oaUyNXPWmRpweTs7DTUdxS6yE\", "                                 \
	"\"kty\":\"EC\",\"crv\":\"P-256\","                                                        \
	"\"x\":\"ba6dhVZMQpM00nfC05nss0_5OQofKMQ8QgiXx3qU_1U\",\"alg\":\"ECDH-ES+A256KW\"}"
#define OWN_SORTED                                                                                 \
	"{\"alg\":\"ECDH-ES+A256KW\",\"crv\":\"P-256\",\"kty\":\"EC\","                            \
	"\"x\":\"ba6dhVZMQpM00nfC05nss0_5OQofKMQ8QgiXx3qU_1U\","                                   \
	"\"y\":\"4cLtTuwNiGopbVTbE1oaUyNXPWmRpweTs7DTUdxS6yE\"}"

static const struct json_limits limits = {1 << 20, 100000, 100};

static int canonical(struct buf *out, const char *text)
{
	_cleanup_json_ struct json doc = {0};
	int r = json_parse(&doc, span_str(text), &limits, NULL);

	return r < 0 ? r : jcs_write(out, json_root(&doc));
}

static void test_jcs(void)
{
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{"the protocol's", "{\"c\": {\"d\":\"e\"}, \"a\":\"test\",\"b\":1}",
			"{\"a\":\"test\",\"b\":1,\"c\":{\"d\":\"e\"}}"},
		{"RFC 8785, 3.2.2",
			"{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,"
			"0.000000000000000000000000001],\"string\":\"\\u20ac$\\u000F\\u000aA'"
			"\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\":[null,true,false]}",
			"{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,"
			"0.002,"
			"1e-27],\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"},
		{"RFC 8785, 3.2.3",
			"{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage "
			"Return\",\"\\ufb33\":\"Hebrew\","
			"\"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji\",\"\\u0080\":\"Control\","
			"\"\\u00f6\":"
			"\"Latin\"}",
			"{\"\\r\":\"Carriage "
			"Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\",\"\xc3\xb6\":"
			"\"Latin\",\"\xe2\x82\xac\":\"Euro Sign\",\"\xf0\x9f\x98\x80\":\"Emoji\",\""
			"\xef\xac\xb3\":\"Hebrew\"}"},
		{"escapes", "\"\\b\\t\\n\\f\\r\\u0001\\u007f\"", "\"\\b\\t\\n\\f\\r\\u0001\x7f\""},
		{"empty", "[ { }, [ ] , \"\" ]", "[{},[],\"\"]"},
		{"a key that another begins with", "{\"ab\":1,\"a\":2,\"\":3}",
			"{\"\":3,\"a\":2,\"ab\":1}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf out = BUF_INIT(4096);

		CHECK_ROW(rows[i].name, canonical(&out, rows[i].in) == 0, "refused");
		CHECK_STR(rows[i].name, buf_view(&out), rows[i].want);
	}
}

/* RFC 8785, appendix B: bits of a double and how it is written. */
static void test_jcs_numbers(void)
{
	static const struct {
		uint64_t bits;
		const char *want;
	} rows[] = {
		{0x0000000000000000, "0"},
		{0x8000000000000000, "0"},
		{0x0000000000000001, "5e-324"},
		{0x8000000000000001, "-5e-324"},
		{0x7fefffffffffffff, "1.7976931348623157e+308"},
		{0xffefffffffffffff, "-1.7976931348623157e+308"},
		{0x4340000000000000, "9007199254740992"},
		{0xc340000000000000, "-9007199254740992"},
		{0x4430000000000000, "295147905179352830000"},
		{0x44b52d02c7e14af5, "9.999999999999997e+22"},
		{0x44b52d02c7e14af6, "1e+23"},
		{0x44b52d02c7e14af7, "1.0000000000000001e+23"},
		{0x444b1ae4d6e2ef4e, "999999999999999700000"},
		{0x444b1ae4d6e2ef4f, "999999999999999900000"},
		{0x444b1ae4d6e2ef50, "1e+21"},
		{0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
		{0x3eb0c6f7a0b5ed8d, "0.000001"},
		{0x41b3de4355555553, "333333333.3333332"},
		{0x41b3de4355555554, "333333333.33333325"},
		{0x41b3de4355555555, "333333333.3333333"},
		{0x41b3de4355555556, "333333333.3333334"},
		{0x41b3de4355555557, "333333333.33333343"},
		{0xbecbf647612f3696, "-0.0000033333333333333333"},
		{0x43143ff3c1cb0959, "1424953923781206.2"},
	};
	_cleanup_buf_ struct buf small = BUF_INIT(3);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf out = BUF_INIT(4096);
		char text[64];
		double v;

		memcpy(&v, &rows[i].bits, sizeof(v));
		snprintf(text, sizeof(text), "%.17g", v);
		CHECK_ROW(text, canonical(&out, text) == 0, "refused");
		CHECK_STR(text, buf_view(&out), rows[i].want);
	}
	CU_ASSERT_EQUAL(canonical(&small, "1e400"), -EBADMSG);
	CU_ASSERT_EQUAL(canonical(&small, "\"abcdef\""), -E2BIG);
}

static void test_report_data(void)
{
	static const struct {
		const char *key, *additional, *want;
	} rows[] = {
		{OWN, "",
			"b19ff9fcbffbcb3465205763024cb035f6583633c83792f2fd4089bf726d899d18f18706e8"
			"c4e9"
			"9f79346693c514c932"},
		{OWN_SORTED, "",
			"b19ff9fcbffbcb3465205763024cb035f6583633c83792f2fd4089bf726d899d18f1870"
			"6e8c4e99f79346693c514c932"},
	};
	_cleanup_json_ struct json doc = {0};
	unsigned char got[RCAR_REPORT_DATA], want[RCAR_REPORT_DATA];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_parse(&doc, span_str(rows[i].key), &limits, NULL);
		codec_hex_exact(want, sizeof(want), span_str(rows[i].want));
		CU_ASSERT_EQUAL(rcar_report_data(got, span_str(NONCE), json_root(&doc),
					span_str(rows[i].additional)),
			0);
		CU_ASSERT_EQUAL(memcmp(got, want, sizeof(got)), 0);
	}
	CU_ASSERT_EQUAL(
		rcar_report_data(got, span_str(NONCE), json_root(&doc), SPAN_LIT("{\"sample\":1}")),
		0);
	CU_ASSERT_NOT_EQUAL(memcmp(got, want, sizeof(got)), 0);
}

static void test_jwk(void)
{
	static const char *const refused[] = {
		"{}",
		"[]",
		"{\"kty\":\"oct\",\"k\":\"AA\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}",
		/* no point of the curve */
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"ba6dhVZMQpM00nfC05nss0_"
		"5OQofKMQ8QgiXx3qU_1U\","
		"\"y\":\"ba6dhVZMQpM00nfC05nss0_5OQofKMQ8QgiXx3qU_1U\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
		"\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		/* padded; a private key; another algorithm */
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"ba6dhVZMQpM00nfC05nss0_"
		"5OQofKMQ8QgiXx3qU_1U=\","
		"\"y\":\"4cLtTuwNiGopbVTbE1oaUyNXPWmRpweTs7DTUdxS6yE\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"ba6dhVZMQpM00nfC05nss0_"
		"5OQofKMQ8QgiXx3qU_1U\","
		"\"y\":\"4cLtTuwNiGopbVTbE1oaUyNXPWmRpweTs7DTUdxS6yE\",\"d\":\"AA\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"ba6dhVZMQpM00nfC05nss0_"
		"5OQofKMQ8QgiXx3qU_1U\","
		"\"y\":\"4cLtTuwNiGopbVTbE1oaUyNXPWmRpweTs7DTUdxS6yE\",\"alg\":\"ECDH-ES\"}",
		"{\"kty\":\"RSA\",\"e\":\"Aw\",\"n\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AQAB\"}",
	};
	_cleanup_json_ struct json doc = {0};
	_cleanup_buf_ struct buf out = BUF_INIT(4096);
	unsigned char packed[JWK_PUBLIC_MAX];
	struct jwk k = {0}, again = {0};
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct error err = {0};

		json_parse(&doc, span_str(refused[i]), &limits, NULL);
		if (!CHECK_ROW(refused[i], jwk_read(&k, json_root(&doc), &err) == -EBADMSG, "%s",
			    err.message))
			jwk_free(&k);
		CHECK_ROW(refused[i], jwk_read_packed(packed, json_root(&doc), &err) == -EBADMSG,
			"%s", err.message);
	}
	json_parse(&doc, span_str(OWN), &limits, NULL);
	CU_ASSERT_EQUAL(jwk_read(&k, json_root(&doc), NULL), 0);
	CU_ASSERT_EQUAL(jwk_write(&out, k.key, JWK_ALG_ECDH), 0);
	CHECK_STR("written", buf_view(&out), OWN_SORTED);
	n = jwk_read_packed(packed, json_root(&doc), NULL);
	CU_ASSERT_EQUAL(n, 65);
	CU_ASSERT_EQUAL(jwk_unpack(&again, (struct span){(char *)packed, 65}, NULL), 0);
	CU_ASSERT_EQUAL(EVP_PKEY_eq(k.key, again.key), 1);
	for (size_t i = 0; i < 65; i++)
		CU_ASSERT_EQUAL(
			jwk_unpack(&again, (struct span){(char *)packed, i}, NULL), -EBADMSG);
	jwk_free(&k);
	jwk_free(&again);
}

static void test_jws(void)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = jwk_generate(JWK_EC_P256);
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *other = jwk_generate(JWK_EC_P256);
	_cleanup_buf_ struct buf token = BUF_INIT(JWS_MAX), payload = BUF_INIT(JWS_MAX);
	_cleanup_buf_ struct buf none = BUF_INIT(JWS_MAX), confused = BUF_INIT(JWS_MAX);
	struct error err = {0};

	CHECK_ROW("sign",
		jws_sign_es256(&token, SPAN_LIT("{\"alg\":\"ES256\",\"typ\":\"JWT\"}"),
			SPAN_LIT("{\"exp\":1}"), key, &err) == 0,
		"%s", err.message);
	CU_ASSERT_EQUAL(jws_verify_es256(buf_view(&token), other, &payload, NULL), -EKEYREJECTED);
	CHECK_ROW("verify", jws_verify_es256(buf_view(&token), key, &payload, &err) == 0, "%s",
		err.message);
	CHECK_STR("payload", buf_view(&payload), "{\"exp\":1}");
	for (size_t n = 0; n < token.len; n++)
		CU_ASSERT(jws_verify_es256((struct span){token.p, n}, key, &none, NULL) < 0);
	for (size_t bit = 0; bit < 8 * token.len; bit++) {
		token.p[bit / 8] ^= (char)(1 << bit % 8);
		CHECK_ROW("bit", jws_verify_es256(buf_view(&token), key, &none, NULL) < 0, "%zu",
			bit);
		token.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	jws_sign_es256(&confused, SPAN_LIT("{\"alg\":\"none\"}"), SPAN_LIT("{}"), key, NULL);
	CU_ASSERT_EQUAL(jws_verify_es256(buf_view(&confused), key, &none, NULL), -EBADMSG);
}

static void test_key_id(void)
{
	static const struct {
		const char *text, *own, *want; /* NULL: refused */
	} rows[] = {
		{"kbs:///shop/payments/db-key", NULL, "shop/payments/db-key"},
		{"shop/pay.ments/k", NULL, "shop/pay.ments/k"},
		{"casemate://payments/k", "shop", "shop/payments/k"},
		{"casemate://payments/k", NULL, NULL},
		{"casemate://shop/payments/k", "shop", NULL},
		{"kbs://host/shop/payments/k", NULL, NULL},
		{"shop/payments", NULL, NULL},
		{"shop/payments/k/", NULL, NULL},
		{"shop/payments/", NULL, NULL},
		{"shop//k", NULL, NULL},
		{"", NULL, NULL},
		{"shop/../k", NULL, NULL},
		{"shop/payments/K", NULL, NULL},
		{"shop/payments/k%2e", NULL, NULL},
		{"sh.op/payments/k", NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf out = BUF_INIT(1024);
		struct error err = {0};
		struct key_id id;
		int r = key_id_parse(&id, span_str(rows[i].text), rows[i].own, &err);

		CHECK_ROW(
			rows[i].text, (r == 0) == (rows[i].want != NULL), "%d %s", r, err.message);
		if (r == 0 && rows[i].want) {
			key_id_write(&out, &id);
			CHECK_STR(rows[i].text, buf_view(&out), rows[i].want);
		}
	}
}

static void test_messages(void)
{
	_cleanup_buf_ struct buf out = BUF_INIT(RCAR_REQUEST_MAX), additional = BUF_INIT(4096);
	_cleanup_secret_ struct secret request = {0};
	const struct rcar_requester who = {.node_token = SPAN_LIT("a.b.c"),
		.pod_token = SPAN_LIT("d.e.f"),
		.container = SPAN_LIT("app")};
	struct rcar_attest a;
	char tee[RCAR_TEE_MAX], nonce[RCAR_NONCE_TEXT];
	unsigned char bytes[RCAR_NONCE] = {0};
	struct rcar_error refusal;
	struct error err = {0};

	rcar_auth_write(&out, "simulated");
	CHECK_ROW("auth", rcar_auth_read(tee, buf_view(&out), &err) == 0, "%s", err.message);
	CU_ASSERT_STRING_EQUAL(tee, "simulated");
	buf_reset(&out);
	rcar_challenge_write(&out, bytes);
	CU_ASSERT_EQUAL(rcar_challenge_read(nonce, buf_view(&out), NULL), 0);
	CU_ASSERT_STRING_EQUAL(nonce, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	CU_ASSERT_EQUAL(rcar_additional_write(&additional, &who), 0);
	CHECK_STR("additional", buf_view(&additional),
		"{\"casemate\":{\"container\":\"app\",\"nodeToken\":"
		"\"845e30448809e2bc8958eb025bfc795235d13b077a53d0c3abbd2385170dc9b8\",\"podToken\":"
		"\"7d1b4186ed404d5eb521558ec6737f6a8b8339392fa17c4c8e9d87f168186523\"}}");
	CHECK_ROW("write",
		rcar_attest_write(&request, &(struct rcar_attest_out){.nonce = span_str(nonce),
						    .tee_pubkey = SPAN_LIT(OWN),
						    .primary = SPAN_LIT("{\"evidence\":\"AA==\"}"),
						    .additional = buf_view(&additional),
						    .who = who}) == 0,
		"failed");
	CHECK_ROW(
		"read", rcar_attest_read(&a, secret_view(&request), &err) == 0, "%s", err.message);
	CU_ASSERT(span_is(a.nonce, nonce) && span_equal(a.additional, buf_view(&additional)));
	CU_ASSERT(span_is(a.who.node_token, "a.b.c") && span_is(a.who.pod_token, "d.e.f") &&
		  span_is(a.who.container, "app") && !a.init_data.p);
	CU_ASSERT(json_str_is(json_get(a.primary, "evidence"), "AA=="));
	rcar_attest_free(&a);
	buf_reset(&out);
	rcar_error_write(&out, "PolicyDeny", "no \"such\" thing", "IdentityNotAllowed");
	CU_ASSERT_EQUAL(rcar_error_read(&refusal, buf_view(&out), NULL), 0);
	CU_ASSERT_STRING_EQUAL(refusal.variant, "PolicyDeny");
	CU_ASSERT_STRING_EQUAL(refusal.detail, "no \"such\" thing");
	CU_ASSERT_STRING_EQUAL(refusal.reason, "IdentityNotAllowed");
	for (size_t n = 0; n < request.len; n++) {
		CU_ASSERT(rcar_attest_read(&a, (struct span){request.p, n}, NULL) < 0);
		rcar_attest_free(&a);
	}
}

static void test_refused_messages(void)
{
	static const struct {
		const char *body;
		int want;
	} auths[] = {
		{"{\"version\":\"0.1.1\",\"tee\":\"tdx\",\"extra-params\":\"\"}", -EPROTO},
		{"{\"tee\":\"tdx\"}", -EPROTO},
		{"{\"version\":\"0.4.0\"}", -EBADMSG},
		{"{\"version\":\"0.4.0\",\"tee\":\"\"}", -EBADMSG},
		{"{\"version\":\"0.4.0\",\"tee\":\"t\\\"x\"}", -EBADMSG},
		{"[]", -EBADMSG},
		{"", -EBADMSG},
	};
	static const char *const attests[] = {
		"{}",
		"{\"runtime-data\":{\"nonce\":\"\",\"tee-pubkey\":\"\"},\"tee-evidence\":{"
		"\"primary_evidence\":{},\"additional_evidence\":\"\"}}",
		"{\"runtime-data\":{\"nonce\":\"\",\"tee-pubkey\":{}},\"tee-evidence\":{"
		"\"primary_evidence\":{}}}",
		"{\"init-data\":{\"format\":\"json\",\"body\":\"\"},\"runtime-data\":{\"nonce\":"
		"\"\","
		"\"tee-pubkey\":{}},\"tee-evidence\":{\"primary_evidence\":{},\"additional_"
		"evidence\":"
		"\"\"}}",
		"{\"casemate\":{\"podToken\":\"a "
		"b\"},\"runtime-data\":{\"nonce\":\"\",\"tee-pubkey\":{}},"
		"\"tee-evidence\":{\"primary_evidence\":{},\"additional_evidence\":\"\"}}",
		"{\"casemate\":1,\"runtime-data\":{\"nonce\":\"\",\"tee-pubkey\":{}},"
		"\"tee-evidence\":{\"primary_evidence\":{},\"additional_evidence\":\"\"}}",
	};
	char tee[RCAR_TEE_MAX], nonce[RCAR_NONCE_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(auths); i++) {
		struct error err = {0};
		int r = rcar_auth_read(tee, span_str(auths[i].body), &err);

		CHECK_ROW(auths[i].body, r == auths[i].want, "%d %s", r, err.message);
	}
	for (size_t i = 0; i < ARRAY_SIZE(attests); i++) {
		struct rcar_attest a;

		CHECK_ROW(attests[i], rcar_attest_read(&a, span_str(attests[i]), NULL) == -EBADMSG,
			"taken");
		rcar_attest_free(&a);
	}
	CU_ASSERT_EQUAL(
		rcar_challenge_read(nonce, SPAN_LIT("{\"nonce\":\"AAAA\"}"), NULL), -EBADMSG);
	CU_ASSERT_EQUAL(rcar_challenge_read(nonce,
				SPAN_LIT("{\"nonce\":\"" NONCE
					 "\",\"extra-params\":{\"selected-hash-algorithm\":"
					 "\"sha512\"}}"),
				NULL),
		-EBADMSG);
}

CU_TestInfo kbs_tests[] = {
	{"canonical JSON: RFC 8785", test_jcs},
	{"canonical numbers: RFC 8785 appendix B", test_jcs_numbers},
	{"report data: known answers", test_report_data},
	{"keys are read, written, packed", test_jwk},
	{"tokens are signed and no bit may differ", test_jws},
	{"names of keys", test_key_id},
	{"messages of both sides", test_messages},
	{"other messages are refused", test_refused_messages},
	CU_TEST_INFO_NULL,
};
