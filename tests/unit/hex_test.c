/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/hex.h"

#include <errno.h>

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

static void test_read(void)
{
	static const struct {
		const char *text;
		size_t n;
		const char *want; /* NULL: refused */
	} rows[] = {
		{"", 0, ""},
		{"00", 1, "\x00"},
		{"0123456789abcdef", 8, "\x01\x23\x45\x67\x89\xab\xcd\xef"},
		{"ABCDEF", 3, "\xab\xcd\xef"},
		{"aBcDeF", 3, "\xab\xcd\xef"},
		{"ff", 1, "\xff"},
		{"", 1, NULL},
		{"0", 0, NULL},
		{"0", 1, NULL},
		{"00", 0, NULL},
		{"00", 2, NULL},
		{"000", 1, NULL},
		{"0000", 1, NULL},
		{"0g", 1, NULL},
		{"g0", 1, NULL},
		{" 0", 1, NULL},
		{"0\n", 1, NULL},
		{"0x00", 2, NULL},
		{"00 00", 2, NULL},
		{"-1", 1, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned char got[8] = "#######";
		bool ok = hex_read(got, rows[i].n, span_str(rows[i].text));

		CHECK_ROW(rows[i].text, ok == (rows[i].want != NULL), "got %d", ok);
		CHECK_ROW(rows[i].text,
			memcmp(got, rows[i].want ? rows[i].want : "#######",
				rows[i].want ? rows[i].n : 7) == 0,
			"other bytes");
	}
	CU_ASSERT_TRUE(hex_read(NULL, 0, SPAN_NONE));
}

static void test_write(void)
{
	_cleanup_buf_ struct buf all = BUF_INIT(512);
	_cleanup_buf_ struct buf small = BUF_INIT(3);
	unsigned char bytes[256], back[256];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	CU_ASSERT_EQUAL(hex_write(&all, bytes, sizeof(bytes)), 0);
	CU_ASSERT_TRUE(span_starts(buf_view(&all), "000102"));
	CU_ASSERT_TRUE(hex_read(back, sizeof(back), buf_view(&all)));
	CU_ASSERT_EQUAL(memcmp(back, bytes, sizeof(bytes)), 0);
	CU_ASSERT_EQUAL(hex_write(&small, bytes, 2), -E2BIG);
}

CU_TestInfo hex_tests[] = {
	{"read", test_read},
	{"write", test_write},
	CU_TEST_INFO_NULL,
};
