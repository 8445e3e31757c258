/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/utf8.h"

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

#define EURO "\xe2\x82\xac"
#define LOCK "\xf0\x9f\x94\x92"

static void test_decode(void)
{
	static const struct {
		const char *name;
		struct span in;
		size_t n;
		uint32_t c;
	} rows[] = {
		{"nothing", SPAN_LIT(""), 0, 0},
		{"no pointer", {NULL, 0}, 0, 0},
		{"NUL", SPAN_LIT("\0"), 1, 0},
		{"ASCII", SPAN_LIT("az"), 1, 'a'},
		{"the last of one byte", SPAN_LIT("\x7f"), 1, 0x7f},
		{"the first of two", SPAN_LIT("\xc2\x80"), 2, 0x80},
		{"the last of two", SPAN_LIT("\xdf\xbf"), 2, 0x7ff},
		{"the first of three", SPAN_LIT("\xe0\xa0\x80"), 3, 0x800},
		{"before the surrogates", SPAN_LIT("\xed\x9f\xbf"), 3, 0xd7ff},
		{"after the surrogates", SPAN_LIT("\xee\x80\x80"), 3, 0xe000},
		{"the last of three", SPAN_LIT("\xef\xbf\xbf"), 3, 0xffff},
		{"the first of four", SPAN_LIT("\xf0\x90\x80\x80"), 4, 0x10000},
		{"the last of all", SPAN_LIT("\xf4\x8f\xbf\xbf"), 4, 0x10ffff},
		{"more behind it", SPAN_LIT(EURO LOCK), 3, 0x20ac},
		{"continues nothing", SPAN_LIT("\x80"), 0, 0},
		{"overlong, two", SPAN_LIT("\xc0\xaf"), 0, 0},
		{"overlong, the last of two", SPAN_LIT("\xc1\xbf"), 0, 0},
		{"overlong, three", SPAN_LIT("\xe0\x9f\xbf"), 0, 0},
		{"overlong, four", SPAN_LIT("\xf0\x8f\xbf\xbf"), 0, 0},
		{"the first surrogate", SPAN_LIT("\xed\xa0\x80"), 0, 0},
		{"the last surrogate", SPAN_LIT("\xed\xbf\xbf"), 0, 0},
		{"beyond", SPAN_LIT("\xf4\x90\x80\x80"), 0, 0},
		{"far beyond", SPAN_LIT("\xf5\x80\x80\x80"), 0, 0},
		{"never a byte of UTF-8", SPAN_LIT("\xff\xbf\xbf\xbf"), 0, 0},
		{"the second byte is none",
			SPAN_LIT("\xe2"
				 "a\xac"),
			0, 0},
		{"the third byte is none",
			SPAN_LIT("\xe2\x82"
				 "a"),
			0, 0},
		{"the fourth byte begins one", SPAN_LIT("\xf0\x9f\x94\xf0"), 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t c = 0;
		size_t n = utf8_decode(rows[i].in, &c);

		CHECK_ROW(rows[i].name, n == rows[i].n && c == rows[i].c,
			"got %zu bytes of %x, want %zu of %x", n, c, rows[i].n, rows[i].c);
		CHECK_ROW(rows[i].name, utf8_decode(rows[i].in, NULL) == n,
			"another length without the code point");
	}
}

/* What is written is read again, at no length but its own. */
static void test_all(void)
{
	unsigned bad = 0;

	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		uint32_t got = 0;
		char out[4];
		size_t n;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		n = utf8_encode(c, out);
		bad += utf8_decode((struct span){out, n}, &got) != n || got != c;
		for (size_t cut = 0; cut < n; cut++)
			bad += utf8_decode((struct span){out, cut}, NULL) != 0;
		bad += utf8_count((struct span){out, n}) != 1;
	}
	CU_ASSERT_EQUAL(bad, 0);
}

static void test_cut(void)
{
	static const struct {
		const char *in;
		size_t max;
		const char *want;
	} rows[] = {
		{"", 0, ""},
		{"abc", 3, "abc"},
		{"abc", 4, "abc"},
		{"abcd", 3, "abc"},
		{"abcd", 0, ""},
		{EURO, 3, EURO},
		{EURO, 2, ""},
		{"ab" EURO, 4, "ab"},
		{"ab" EURO "c", 5, "ab" EURO},
		{"a" LOCK LOCK, 8, "a" LOCK},
		{"a" LOCK LOCK, 5, "a" LOCK},
		{"\x80\x80\x80", 2, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_STR(rows[i].in, utf8_cut(span_str(rows[i].in), rows[i].max), rows[i].want);
}

static void test_count(void)
{
	CU_ASSERT_EQUAL(utf8_count(SPAN_NONE), 0);
	CU_ASSERT_EQUAL(utf8_count(SPAN_LIT("abc")), 3);
	CU_ASSERT_EQUAL(utf8_count(SPAN_LIT("a" EURO LOCK "b")), 4);
}

CU_TestInfo utf8_tests[] = {{"decode", test_decode}, {"all characters", test_all},
	{"cut", test_cut}, {"count", test_count}, CU_TEST_INFO_NULL};
