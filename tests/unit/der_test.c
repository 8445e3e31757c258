/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/der.h"

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

static void test_elements(void)
{
	static const struct {
		const char *name;
		struct span in;
		unsigned tag;
		bool ok;
		size_t content, left;
	} rows[] = {
		{"nothing", {"", 0}, DER_INTEGER, false, 0, 0},
		{"a tag alone", SPAN_LIT("\x02"), DER_INTEGER, false, 0, 0},
		{"empty", SPAN_LIT("\x30\0"), DER_SEQUENCE, true, 0, 0},
		{"another tag", SPAN_LIT("\x02\x01\0"), DER_OCTET_STRING, false, 0, 0},
		{"one byte, one left", SPAN_LIT("\x04\x01xy"), DER_OCTET_STRING, true, 1, 1},
		{"too short", SPAN_LIT("\x04\x02x"), DER_OCTET_STRING, false, 0, 0},
		{"indefinite", SPAN_LIT("\x30\x80\0\0"), DER_SEQUENCE, false, 0, 0},
		{"a long length that need not be", SPAN_LIT("\x04\x81\x01x"), DER_OCTET_STRING,
			false, 0, 0},
		{"a long length that begins with 0", SPAN_LIT("\x04\x82\0\x01x"), DER_OCTET_STRING,
			false, 0, 0},
		{"a length cut", SPAN_LIT("\x04\x82\x01"), DER_OCTET_STRING, false, 0, 0},
		{"a length of four bytes", SPAN_LIT("\x04\x84\x01\0\0\0x"), DER_OCTET_STRING, false,
			0, 0},
		{"a length beyond everything", SPAN_LIT("\x04\xff\xff\xff\xff"), DER_OCTET_STRING,
			false, 0, 0},
	};
	char big[3 + 200] = "\x04\x81\xc8";
	struct span in = {big, sizeof(big)}, content;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span a = rows[i].in, b = rows[i].in, got = SPAN_NONE, whole = SPAN_NONE;
		bool ok = der_take(&a, rows[i].tag, &got);

		CHECK_ROW(rows[i].name,
			ok == rows[i].ok && ok == der_take_whole(&b, rows[i].tag, &whole), "%d",
			ok);
		if (ok)
			CHECK_ROW(rows[i].name,
				got.len == rows[i].content && a.len == rows[i].left &&
					span_equal(a, b) &&
					whole.len == rows[i].in.len - rows[i].left,
				"%zu, %zu left", got.len, a.len);
		else
			CHECK_ROW(rows[i].name, a.p == rows[i].in.p && a.len == rows[i].in.len,
				"moved");
	}
	CU_ASSERT(der_take(&in, DER_OCTET_STRING, &content) && content.len == 200 && !in.len);
	in = (struct span){big, sizeof(big) - 1};
	CU_ASSERT(!der_take(&in, DER_OCTET_STRING, &content));
}

static void test_numbers(void)
{
	static const struct {
		struct span in;
		uint32_t max;
		long want; /* -1: refused */
	} rows[] = {
		{SPAN_LIT("\0"), 255, 0},
		{SPAN_LIT("\x7f"), 255, 127},
		{SPAN_LIT("\0\xff"), 255, 255},
		{SPAN_LIT("\x01\0"), 255, -1},
		{SPAN_LIT("\x01\0"), 256, 256},
		{SPAN_LIT("\0\x7f"), 255, -1}, /* not the shortest */
		{SPAN_LIT("\xff"), 255, -1},   /* negative */
		{SPAN_LIT("\0\xff\xff"), 65535, 65535},
		{SPAN_LIT("\0\xff\xff\xff\xff"), UINT32_MAX, 0xffffffffl},
		{SPAN_LIT("\x01\0\0\0\0"), UINT32_MAX, -1},
		{SPAN_LIT("\0\x80\0\0\0\0"), UINT32_MAX, -1},
		{{"", 0}, 255, -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t n = 0;
		bool ok = der_unsigned(rows[i].in, rows[i].max, &n);

		CU_ASSERT_EQUAL(ok ? (long)n : -1, rows[i].want);
	}
}

static void test_booleans(void)
{
	bool b = false;

	CU_ASSERT(der_boolean(SPAN_LIT("\xff"), &b) && b);
	CU_ASSERT(der_boolean(SPAN_LIT("\0"), &b) && !b);
	CU_ASSERT(!der_boolean(SPAN_LIT("\x01"), &b));
	CU_ASSERT(!der_boolean(SPAN_LIT("\0\0"), &b));
	CU_ASSERT(!der_boolean(SPAN_LIT(""), &b));
}

const CU_TestInfo der_tests[] = {
	{"elements", test_elements},
	{"numbers", test_numbers},
	{"booleans", test_booleans},
	CU_TEST_INFO_NULL,
};
