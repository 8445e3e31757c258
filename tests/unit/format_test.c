/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/status/format.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "tests/unit/test.h"

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static void test_escapes(void)
{
	static const struct {
		const char *name, *in, *plain, *html, *json;
	} rows[] = {
		{"nothing", "", "", "", "\"\""},
		{"a name", "payments-6c9", "payments-6c9", "payments-6c9", "\"payments-6c9\""},
		{"markup", "<a href=\"x\" id='y'>&amp;", "<a href=\"x\" id='y'>&amp;",
			"&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;",
			"\"<a href=\\\"x\\\" id='y'>&amp;\""},
		{"backslashes", "a\\b", "a\\b", "a\\b", "\"a\\\\b\""},
		{"letters of all lengths", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92",
			"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92",
			"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92",
			"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92\""},
		{"controls", "a\tb\n\x1b[31m\x7f\xc2\x9b", "a" BAD "b" BAD BAD "[31m" BAD BAD,
			"a" BAD "b" BAD BAD "[31m" BAD BAD,
			"\"a" BAD "b" BAD BAD "[31m" BAD BAD "\""},
		{"direction", "a\xe2\x80\xae\xe2\x81\xa6\xd8\x9c\xe2\x80\xa8z",
			"a" BAD BAD BAD BAD "z", "a" BAD BAD BAD BAD "z",
			"\"a" BAD BAD BAD BAD "z\""},
		{"invisible", "\xef\xbb\xbf\xe2\x80\x8b\xef\xbf\xbf", BAD BAD BAD, BAD BAD BAD,
			"\"" BAD BAD BAD "\""},
		{"alone", "\x80\xbf", BAD BAD, BAD BAD, "\"" BAD BAD "\""},
		{"overlong", "\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf",
			BAD BAD BAD BAD BAD BAD BAD BAD BAD, BAD BAD BAD BAD BAD BAD BAD BAD BAD,
			"\"" BAD BAD BAD BAD BAD BAD BAD BAD BAD "\""},
		{"surrogate", "\xed\xa0\x80", BAD BAD BAD, BAD BAD BAD, "\"" BAD BAD BAD "\""},
		{"beyond", "\xf4\x90\x80\x80\xff", BAD BAD BAD BAD BAD, BAD BAD BAD BAD BAD,
			"\"" BAD BAD BAD BAD BAD "\""},
		{"cut before markup", "\xf0\x9f\x94<", BAD BAD BAD "<", BAD BAD BAD "&lt;",
			"\"" BAD BAD BAD "<\""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf plain = BUF_INIT(1000), html = BUF_INIT(1000);
		_cleanup_buf_ struct buf json = BUF_INIT(1000);

		CU_ASSERT_EQUAL(format_text(&plain, rows[i].in, FORMAT_PLAIN), 0);
		CU_ASSERT_EQUAL(format_text(&html, rows[i].in, FORMAT_HTML), 0);
		CU_ASSERT_EQUAL(format_text(&json, rows[i].in, FORMAT_JSON), 0);
		CHECK_STR(rows[i].name, buf_view(&plain), rows[i].plain);
		CHECK_STR(rows[i].name, buf_view(&html), rows[i].html);
		CHECK_STR(rows[i].name, buf_view(&json), rows[i].json);
	}
}

/* Whatever two bytes follow one another, and wherever text is cut: JSON of the strict reader. */
static void test_all_pairs(void)
{
	const struct json_limits limits = {64, 8, 2};
	_cleanup_json_ struct json doc = {0};
	_cleanup_buf_ struct buf b = BUF_INIT(64);
	unsigned bad = 0;

	for (unsigned i = 0; i < 0x10000; i++) {
		const char in[] = {(char)(i >> 8), (char)i, (char)0x80, '\0'};

		buf_reset(&b);
		bad += format_text(&b, in, FORMAT_JSON) != 0 ||
		       json_parse(&doc, buf_view(&b), &limits, NULL) != 0;
	}
	CU_ASSERT_EQUAL(bad, 0);
}

static void test_full(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4);

	CU_ASSERT_EQUAL(format_text(&b, "12345", FORMAT_JSON), -E2BIG);
}

static void test_bytes(void)
{
	static const struct {
		int64_t bytes;
		const char *want;
	} rows[] = {
		{-1, "unknown"},
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1 KiB"},
		{1536, "1.5 KiB"},
		{1025, "1 KiB"},
		{(1 << 20) - 1, "1023.9 KiB"},
		{1 << 20, "1 MiB"},
		{98566144, "94 MiB"},
		{(int64_t)512 << 30, "512 GiB"},
		{((int64_t)1 << 40) + ((int64_t)1 << 39), "1.5 TiB"},
		{INT64_MAX, "7.9 EiB"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(100);

		CU_ASSERT_EQUAL(format_bytes(&b, rows[i].bytes), 0);
		CHECK_STR(rows[i].want, buf_view(&b), rows[i].want);
	}
}

static void test_times(void)
{
	static const struct {
		int64_t sec;
		const char *want;
	} rows[] = {
		{-5, "0 s"},
		{0, "0 s"},
		{59, "59 s"},
		{60, "1 min"},
		{3599, "59 min"},
		{3600, "1 h 0 min"},
		{86399, "23 h 59 min"},
		{86400, "1 d 0 h"},
		{400 * 86400 + 3600, "400 d 1 h"},
	};
	_cleanup_buf_ struct buf t = BUF_INIT(100);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(100);

		CU_ASSERT_EQUAL(format_duration(&b, rows[i].sec * USEC_PER_SEC + 999), 0);
		CHECK_STR(rows[i].want, buf_view(&b), rows[i].want);
	}
	CU_ASSERT_EQUAL(format_time(&t, 1777636803999999), 0);
	CHECK_STR("time", buf_view(&t), "2026-05-01 12:00:03 UTC");
}

CU_TestInfo format_tests[] = {
	{"text is escaped for where it goes", test_escapes},
	{"any two bytes make valid JSON", test_all_pairs},
	{"the buffer's maximum is told", test_full},
	{"bytes", test_bytes},
	{"times", test_times},
	CU_TEST_INFO_NULL,
};
