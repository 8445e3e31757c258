/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"

#include <errno.h>

#include "tests/unit/test.h"

static void test_base64(void)
{
	static const struct {
		const char *in, *want;
	} rows[] = {/* RFC 4648 section 10 */
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(100);

		buf_base64(&b, rows[i].in, strlen(rows[i].in));
		CHECK_STR(rows[i].in, buf_view(&b), rows[i].want);
	}
}

static void test_json_string(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(100);

	buf_json_string(&b, SPAN_LIT("a\"\\\n\x01\xc3\xa9/~"));
	CHECK_STR("escapes", buf_view(&b), "\"a\\\"\\\\\\n\\u0001\xc3\xa9/~\"");
	buf_reset(&b);
	buf_json_string(&b, SPAN_NONE);
	CHECK_STR("nothing", buf_view(&b), "\"\"");
}

static void test_maximum_sticks(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4);

	CU_ASSERT_EQUAL(buf_puts(&b, "abcd"), 0);
	CU_ASSERT_EQUAL(buf_putc(&b, 'e'), -E2BIG);
	CU_ASSERT_EQUAL(buf_puts(&b, ""), -E2BIG);
	CHECK_STR("kept", buf_view(&b), "abcd");
	buf_reset(&b);
	CU_ASSERT_EQUAL(buf_printf(&b, "%d", 1234), 0);
	CU_ASSERT_EQUAL(buf_printf(&b, "%d", 1), -E2BIG);
}

CU_TestInfo buf_tests[] = {
	{"base64", test_base64},
	{"JSON strings", test_json_string},
	{"the maximum sticks", test_maximum_sticks},
	CU_TEST_INFO_NULL,
};
