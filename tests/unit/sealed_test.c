/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/sealed.h"

#include <openssl/ec.h>
#include <string.h>

#include "common/kbs/jws.h"
#include "tests/unit/test.h"

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

/* The payloads of guest components' own tests (vault-2, envelope-1), and broken ones. */
#define VAULT                                                                                      \
	"eyJ2ZXJzaW9uIjoiMC4xLjAiLCJ0eXBlIjoidmF1bHQiLCJuYW1lIjoia2JzOi8vL29uZS8yL3Ryb2lzIiwicHJv" \
	"dmlkZXIiOiJrYnMiLCJwcm92aWRlcl9zZXR0aW5ncyI6e30sImFubm90YXRpb25zIjp7fX0"
#define ENVELOPE                                                                                   \
	"eyJ2ZXJzaW9uIjoiMC4xLjAiLCJ0eXBlIjoiZW52ZWxvcGUiLCJwcm92aWRlciI6ImFsaXl1biIsImtleV9pZCI6" \
	"Inh4eCIsImVuY3J5cHRlZF9rZXkiOiJ5eXkiLCJlbmNyeXB0ZWRfZGF0YSI6Inp6eiIsIndyYXBfdHlwZSI6IkEy" \
	"NTZHQ00iLCJpdiI6Ind3dyIsInByb3ZpZGVyX3NldHRpbmdzIjp7fSwiYW5ub3RhdGlvbnMiOnt9fQ"
#define NAMELESS                                                                                   \
	"eyJ2ZXJzaW9uIjoiMC4xLjAiLCJ0eXBlIjoidmF1bHQiLCJwcm92aWRlciI6ImticyIsInByb3ZpZGVyX3NldHRp" \
	"bmdzIjp7fSwiYW5ub3RhdGlvbnMiOnt9fQ"
#define OTHER_TYPE                                                                                 \
	"eyJ2ZXJzaW9uIjoiMC4xLjAiLCJ0eXBlIjoic2VhbGVkIiwibmFtZSI6IngiLCJwcm92aWRlciI6ImticyIsInBy" \
	"b3ZpZGVyX3NldHRpbmdzIjp7fSwiYW5ub3RhdGlvbnMiOnt9fQ"
#define NO_SETTINGS                                                                                \
	"eyJ2ZXJzaW9uIjoiMC4xLjAiLCJ0eXBlIjoidmF1bHQiLCJuYW1lIjoieCIsInByb3ZpZGVyIjoia2JzIn0"

static const struct key_id id = {"one", "2", "trois"};

static void test_written(void)
{
	_cleanup_buf_ struct buf out = BUF_INIT(SEALED_MAX), small = BUF_INIT(16);

	CU_ASSERT_EQUAL(sealed_write(&out, &id), 0);
	CHECK_STR("a vault secret", buf_view(&out), "sealed.fakejwsheader." VAULT ".fakesignature");
	CU_ASSERT_EQUAL(sealed_write(&small, &id), -E2BIG);
}

static void test_read(void)
{
	static const struct {
		const char *name, *text;
		int want;
		bool vault;
		const char *provider, *key;
	} rows[] = {
		{"vault", "sealed.fakejwsheader." VAULT ".fakesignature", 0, true, "kbs",
			"kbs:///one/2/trois"},
		{"envelope", "sealed.fakejwsheader." ENVELOPE ".fakesignature", 0, false, "aliyun",
			"xxx"},
		{"no header", "sealed.." VAULT ".", 0, true, "kbs", "kbs:///one/2/trois"},
		{"another prefix", "seal.a." VAULT ".b", -EBADMSG, false, NULL, NULL},
		{"two parts", "sealed.a." VAULT, -EBADMSG, false, NULL, NULL},
		{"four parts", "sealed.a." VAULT ".b.c", -EBADMSG, false, NULL, NULL},
		{"padding", "sealed.a.W10=.b", -EBADMSG, false, NULL, NULL},
		{"no object", "sealed.a.W10.b", -EBADMSG, false, NULL, NULL},
		{"another version", "sealed.a.eyJ2ZXJzaW9uIjoiMC4yLjAifQ.b", -EBADMSG, false, NULL,
			NULL},
		{"no name", "sealed.a." NAMELESS ".b", -EBADMSG, false, NULL, NULL},
		{"another type", "sealed.a." OTHER_TYPE ".b", -EBADMSG, false, NULL, NULL},
		{"members missing", "sealed.a." NO_SETTINGS ".b", -EBADMSG, false, NULL, NULL},
		{"nothing", "", -EBADMSG, false, NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sealed s = {.provider = "same"};
		struct error err = {0};
		int r = sealed_read(&s, span_str(rows[i].text), &err);

		if (!CHECK_ROW(rows[i].name, r == rows[i].want, "%d: %s", r, err.message))
			continue;
		CHECK_STR(rows[i].name, span_str(s.provider), r < 0 ? "same" : rows[i].provider);
		if (r == 0)
			CHECK_ROW(rows[i].name, s.vault == rows[i].vault, "%d", s.vault);
		if (r == 0)
			CHECK_STR(rows[i].name, span_str(s.name), rows[i].key);
	}
}

static void test_truncated(void)
{
	static const char text[] = "sealed.fakejwsheader." VAULT ".";

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		_cleanup_free_ char *cut = strndup(text, n);
		struct sealed s;

		CHECK_ROW(
			"cut", sealed_read(&s, (struct span){cut, n}, NULL) == -EBADMSG, "%zu", n);
	}
}

static void test_signed(void)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = EVP_EC_gen("P-256"),
					    *other = EVP_EC_gen("P-256");
	_cleanup_buf_ struct buf out = BUF_INIT(SEALED_MAX), payload = BUF_INIT(SEALED_MAX);
	struct sealed s;

	CU_ASSERT_EQUAL(sealed_sign(&out, &id, "kbs:///one/2/signer", key, NULL), 0);
	CU_ASSERT_EQUAL(sealed_read(&s, buf_view(&out), NULL), 0);
	CU_ASSERT_STRING_EQUAL(s.name, "kbs:///one/2/trois");
	CU_ASSERT_EQUAL(
		jws_verify_es256(span_after(buf_view(&out), "sealed."), key, &payload, NULL), 0);
	CU_ASSERT_EQUAL(
		jws_verify_es256(span_after(buf_view(&out), "sealed."), other, &payload, NULL),
		-EKEYREJECTED);
	CU_ASSERT_EQUAL(sealed_sign(&out, &id, "", key, NULL), -EINVAL);
	CU_ASSERT_EQUAL(sealed_sign(&out, &id, "a b", key, NULL), -EINVAL);
}

const CU_TestInfo sealed_tests[] = {
	{"written", test_written},
	{"read", test_read},
	{"cut short", test_truncated},
	{"signed", test_signed},
	CU_TEST_INFO_NULL,
};
