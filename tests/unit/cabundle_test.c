/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/cabundle.h"

#include <errno.h>

#include "common/base/secret.h"
#include "tests/unit/test.h"
#include "webhook/certs/authority.h"

static const struct json_limits limits = {1 << 20, 1 << 12, 16};

#define TEST_VERSION "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"7\"}"
#define SET(i, name)                                                                               \
	",{\"op\":\"test\",\"path\":\"/webhooks/" i "/name\",\"value\":\"" name "\"},"             \
	"{\"op\":\"add\",\"path\":\"/webhooks/" i                                                  \
	"/clientConfig/caBundle\",\"value\":\"V0FOVA==\"}"

static void test_patch(void)
{
	static const struct {
		const char *name, *webhooks;
		size_t entries, differing;
		const char *want;
	} rows[] = {
		{"none", "", 0, 0, TEST_VERSION "]"},
		{"empty", "[]", 0, 0, TEST_VERSION "]"},
		{"in place", "[{\"name\":\"a\",\"clientConfig\":{\"caBundle\":\"V0FOVA==\"}}]", 1,
			0, TEST_VERSION "]"},
		{"unset", "[{\"name\":\"a\",\"clientConfig\":{\"url\":\"https://x\"}}]", 1, 1,
			TEST_VERSION SET("0", "a") "]"},
		{"null", "[{\"name\":\"a\",\"clientConfig\":{\"caBundle\":null}}]", 1, 1,
			TEST_VERSION SET("0", "a") "]"},
		{"overwritten", "[{\"name\":\"a\",\"clientConfig\":{\"caBundle\":\"Zg==\"}}]", 1, 1,
			TEST_VERSION SET("0", "a") "]"},
		{"one of three",
			"[{\"name\":\"a\",\"clientConfig\":{\"caBundle\":\"V0FOVA==\"}},"
			"{\"name\":\"b\\\"~/\",\"clientConfig\":{\"caBundle\":\"\"}},"
			"{\"name\":\"c\",\"clientConfig\":{\"caBundle\":\"V0FOVA==\"}}]",
			3, 1, TEST_VERSION SET("1", "b\\\"~/") "]"},
		{"two of two",
			"[{\"name\":\"a\",\"clientConfig\":{}},{\"name\":\"b\",\"clientConfig\":{}}"
			"]",
			2, 2, TEST_VERSION SET("0", "a") SET("1", "b") "]"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};
		_cleanup_buf_ struct buf text = BUF_INIT(4096), patch = BUF_INIT(4096);
		struct cabundle_state state;
		int r;

		buf_printf(&text, "{\"metadata\":{\"resourceVersion\":\"7\"}%s%s}",
			rows[i].webhooks[0] ? ",\"webhooks\":" : "", rows[i].webhooks);
		CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&text), &limits, NULL), 0);
		state = cabundle_review(json_root(&doc), SPAN_LIT("V0FOVA=="), NULL);
		CHECK_ROW(rows[i].name,
			state.entries == rows[i].entries && state.differing == rows[i].differing &&
				state.refusing == rows[i].entries,
			"%zu entries, %zu differ, %zu refuse", state.entries, state.differing,
			state.refusing);
		r = cabundle_patch(json_root(&doc), SPAN_LIT("V0FOVA=="), &patch);
		CHECK_ROW(rows[i].name, r == (int)rows[i].differing, "got %d", r);
		CHECK_STR(rows[i].name, buf_view(&patch), rows[i].want);
	}
}

static void test_trust(void)
{
	_cleanup_credential_ struct credential ours = {0}, other = {0};
	_cleanup_bundle_ struct bundle both = {0};
	_cleanup_buf_ struct buf pem = BUF_INIT(BUNDLE_PEM_MAX), text = BUF_INIT(1 << 16);
	_cleanup_json_ struct json doc = {0};

	CU_ASSERT_EQUAL(authority_make_ca(&ours, 1800000000, 100, NULL), 0);
	CU_ASSERT_EQUAL(authority_make_ca(&other, 1800000000, 100, NULL), 0);
	bundle_add(&both, other.cert, false);
	bundle_add(&both, ours.cert, false);
	CU_ASSERT_EQUAL(bundle_write(&both, &pem), 0);
	buf_puts(&text, "{\"webhooks\":[{\"clientConfig\":{\"caBundle\":\"");
	buf_base64(&text, pem.p, pem.len);
	buf_puts(&text, "\"}},{\"clientConfig\":{\"caBundle\":\"Z2FyYmFnZQ==\"}},"
			"{\"clientConfig\":{\"caBundle\":\"\\u0041===\"}},{}]}");
	CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&text), &limits, NULL), 0);
	CU_ASSERT_EQUAL(cabundle_review(json_root(&doc), SPAN_NONE, ours.cert).refusing, 3);
	bundle_remove(&both, 1);
	CU_ASSERT_EQUAL(cabundle_review(json_root(&doc), SPAN_NONE, both.cert[0]).refusing, 3);
	CU_ASSERT_EQUAL(cabundle_review(json_root(&doc), SPAN_NONE, NULL).refusing, 4);
	/* Wanting nothing, an unset one is as wanted. */
	CU_ASSERT_EQUAL(cabundle_review(json_root(&doc), SPAN_NONE, NULL).differing, 3);
}

static void test_bounded(void)
{
	_cleanup_json_ struct json doc = {0};
	struct span text = SPAN_LIT("{\"metadata\":{\"resourceVersion\":\"7\"},\"webhooks\":["
				    "{\"name\":\"a\",\"clientConfig\":{}}]}");

	CU_ASSERT_EQUAL(json_parse(&doc, text, &limits, NULL), 0);
	for (size_t max = 0; max < 200; max++) {
		_cleanup_buf_ struct buf out = BUF_INIT(max);
		int r = cabundle_patch(json_root(&doc), SPAN_LIT("V0FOVA=="), &out);

		CHECK_ROW("bounded", r == 1 || r == -E2BIG, "%zu: %d", max, r);
	}
}

CU_TestInfo cabundle_tests[] = {
	{"what differs is patched", test_patch},
	{"who trusts us", test_trust},
	{"bounded", test_bounded},
	CU_TEST_INFO_NULL,
};
