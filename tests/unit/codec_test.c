/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/codec.h"

#include <errno.h>

#include "tests/unit/test.h"

/* kind -1: hexadecimal. want NULL: -EBADMSG. */
static const struct {
	const char *text, *want;
	int kind;
} rows[] = {
	{"", "", -1},
	{"00", NULL, CODEC_BASE64},
	{"6162", "ab", -1},
	{"6A6b", "jk", -1},
	{"616", NULL, -1},
	{"6g", NULL, -1},
	{"0x61", NULL, -1},
	{" 61", NULL, -1},
	{"", "", CODEC_BASE64},
	{"Zg==", "f", CODEC_BASE64},
	{"Zm8=", "fo", CODEC_BASE64},
	{"Zm9v", "foo", CODEC_BASE64},
	{"Zm9vYmE=", "fooba", CODEC_BASE64},
	{"Zh==", NULL, CODEC_BASE64}, /* bits left over */
	{"Zm9=", NULL, CODEC_BASE64},
	{"Zg=", NULL, CODEC_BASE64},
	{"Zg", NULL, CODEC_BASE64},
	{"====", NULL, CODEC_BASE64},
	{"Z===", NULL, CODEC_BASE64},
	{"Zg==Zg==", NULL, CODEC_BASE64},
	{"Zm9v\n", NULL, CODEC_BASE64},
	{"Pz8-", NULL, CODEC_BASE64},
	{"Pz8+", "?\?>", CODEC_BASE64},
	{"", "", CODEC_BASE64_URL},
	{"Zg", "f", CODEC_BASE64_URL},
	{"Zm8", "fo", CODEC_BASE64_URL},
	{"Pz8-Pz8_", "?\?>???", CODEC_BASE64_URL},
	{"Zg==", NULL, CODEC_BASE64_URL},
	{"Z", NULL, CODEC_BASE64_URL},
	{"Zh", NULL, CODEC_BASE64_URL},
	{"Pz8+", NULL, CODEC_BASE64_URL},
	{"Pz8-Pz8/", "?\?>?\??", CODEC_BASE64_ANY},
	{"Pz8+Pz8_", "?\?>?\??", CODEC_BASE64_ANY},
	{"Zg", "f", CODEC_BASE64_ANY},
	{"Zg==", NULL, CODEC_BASE64_ANY},
	{"Zm9.", NULL, CODEC_BASE64_ANY},
	{"Zm9\xff", NULL, CODEC_BASE64_ANY},
};

static void test_reading(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(64);
		struct span text = span_str(rows[i].text);
		int r;

		buf_puts(&b, "<");
		r = rows[i].kind < 0
			    ? codec_unhex(&b, text)
			    : codec_unbase64(&b, (enum codec_base64)rows[i].kind, text);
		CHECK_ROW(rows[i].text, r == (rows[i].want ? 0 : -EBADMSG), "got %d", r);
		CHECK_STR(rows[i].text, span_after(buf_view(&b), "<"),
			rows[i].want ? rows[i].want : "");
	}
}

static void test_what_is_written_can_be_read(void)
{
	unsigned char bytes[64], back[64];

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		_cleanup_buf_ struct buf hex = BUF_INIT(256), base64 = BUF_INIT(256);
		_cleanup_buf_ struct buf got = BUF_INIT(64);

		for (size_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)(i * 37 + n);
		codec_hex(&hex, bytes, n);
		buf_base64(&base64, bytes, n);
		CU_ASSERT_EQUAL(codec_hex_exact(back, n, buf_view(&hex)), 0);
		CU_ASSERT_EQUAL(memcmp(back, bytes, n), 0);
		CU_ASSERT_EQUAL(codec_hex_exact(back, n + 1, buf_view(&hex)), -EBADMSG);
		CU_ASSERT_EQUAL(codec_unbase64(&got, CODEC_BASE64, buf_view(&base64)), 0);
		CU_ASSERT(span_equal(buf_view(&got), (struct span){(char *)bytes, n}));
	}
}

static void test_a_full_buffer(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(2);

	CU_ASSERT_EQUAL(codec_unbase64(&b, CODEC_BASE64, SPAN_LIT("Zm9v")), -E2BIG);
	buf_reset(&b);
	CU_ASSERT_EQUAL(codec_unhex(&b, SPAN_LIT("616263")), -E2BIG);
}

const CU_TestInfo codec_tests[] = {
	{"text becomes bytes, or is refused", test_reading},
	{"what is written can be read", test_what_is_written_can_be_read},
	{"a buffer that is full", test_a_full_buffer},
	CU_TEST_INFO_NULL,
};
