/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/grpc_wire.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>

#include "common/base/clock.h"
#include "tests/unit/test.h"

static void test_timeouts(void)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: refused */
	} rows[] = {
		{"499988u", 499988},
		{"0n", 0},
		{"1n", 1},
		{"1000n", 1},
		{"1001n", 2},
		{"5m", 5000},
		{"30S", 30LL * USEC_PER_SEC},
		{"2M", 120LL * USEC_PER_SEC},
		{"99999999H", 99999999LL * 3600 * USEC_PER_SEC},
		{"00000001S", USEC_PER_SEC},
		{"", -1},
		{"S", -1},
		{"1", -1},
		{"100000000S", -1},
		{"1s", -1},
		{"1h", -1},
		{"-1S", -1},
		{"+1S", -1},
		{" 1S", -1},
		{"1 S", -1},
		{"1.5S", -1},
		{"1SS", -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t got = -1;
		int r = grpc_timeout_parse(span_str(rows[i].text), &got);

		CHECK_ROW(rows[i].text,
			r == (rows[i].want < 0 ? -EBADMSG : 0) && got == rows[i].want, "%d, %lld",
			r, (long long)got);
	}
}

static void test_timeouts_written(void)
{
	static const struct {
		int64_t usec;
		const char *want;
	} rows[] = {
		{1, "1u"},
		{50 * USEC_PER_MSEC, "50000u"},
		{99999999, "99999999u"},
		{100000000, "100000m"},
		{100000001, "100001m"},
		{99999999LL * 1000, "99999999m"},
		{99999999LL * 1000 + 1, "100000S"},
		{200000000LL * USEC_PER_SEC, "3333334M"},
		{INT64_MAX, "99999999H"},
	};
	char text[GRPC_TIMEOUT_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t back = 0;

		grpc_timeout_format(text, rows[i].usec);
		CHECK_STR(rows[i].want, span_str(text), rows[i].want);
		CU_ASSERT_EQUAL(grpc_timeout_parse(span_str(text), &back), 0);
		/* Rounded up: the server never gives up before the client. */
		CHECK_ROW(rows[i].want, back >= rows[i].usec || rows[i].usec == INT64_MAX, "%lld",
			(long long)back);
	}
}

static void test_texts(void)
{
	static const struct {
		const char *name, *text, *encoded, *back; /* back NULL: text */
	} rows[] = {
		{"plain", "no such device: sgx-1", "no such device: sgx-1", NULL},
		{"empty", "", "", NULL},
		{"percent", "100%", "100%25", NULL},
		{"UTF-8", "größer → ∞", "gr%C3%B6%C3%9Fer %E2%86%92 %E2%88%9E", NULL},
		{"four bytes", "\xf0\x9f\x94\x92", "%F0%9F%94%92", NULL},
		{"controls", "a\r\nb\tc\x7f", "a%0D%0Ab%09c%7F", "a  b c "},
		{"not UTF-8", "a\xff\xc3", "a%FF%C3", "a??"},
		{"surrogate", "\xed\xa0\x80", "%ED%A0%80", "???"},
		{"overlong", "\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf", "%C0%AF%E0%80%AF%F0%80%80%AF",
			"?????????"},
		{"beyond Unicode", "\xf4\x90\x80\x80\xf5", "%F4%90%80%80%F5", "?????"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf encoded = BUF_INIT(4096), back = BUF_INIT(4096);

		CU_ASSERT_EQUAL(grpc_text_encode(&encoded, rows[i].text), 0);
		CHECK_STR(rows[i].name, buf_view(&encoded), rows[i].encoded);
		CU_ASSERT_EQUAL(grpc_text_decode(&back, buf_view(&encoded)), 0);
		CHECK_STR(
			rows[i].name, buf_view(&back), rows[i].back ? rows[i].back : rows[i].text);
	}
}

static void test_decoding(void)
{
	static const struct {
		const char *name, *value, *want;
	} rows[] = {
		{"lower case", "%e2%86%92", "→"},
		{"cut", "100%", "100%"},
		{"cut after a digit", "100%2", "100%2"},
		{"no digits", "%zz%4z%z4", "%zz%4z%z4"},
		{"doubly encoded", "%2525", "%25"},
		{"NUL", "a%00b", "a b"},
		{"raw bytes", "gr\xc3\xb6\xc3\x9f\xc3", "größ?"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf got = BUF_INIT(GRPC_STATUS_TEXT_MAX);

		CU_ASSERT_EQUAL(grpc_text_decode(&got, span_str(rows[i].value)), 0);
		CHECK_STR(rows[i].name, buf_view(&got), rows[i].want);
	}
}

/* Both directions cut between two characters. */
static void test_long_texts(void)
{
	char text[3 * GRPC_STATUS_TEXT_MAX];

	for (size_t lead = 0; lead < 4; lead++) {
		_cleanup_buf_ struct buf cut = BUF_INIT(4 * sizeof(text));
		_cleanup_buf_ struct buf whole = BUF_INIT(4 * sizeof(text));
		_cleanup_buf_ struct buf got = BUF_INIT(GRPC_STATUS_TEXT_MAX);

		memset(text, 0, sizeof(text));
		memset(text, 'a', lead);
		while (strlen(text) + 4 < sizeof(text))
			strcat(text, "→");
		CU_ASSERT_EQUAL(grpc_text_encode(&cut, text), 0);
		CU_ASSERT_EQUAL(grpc_text_decode(&got, buf_view(&cut)), 0);
		CHECK_ROW("encoded",
			got.len > GRPC_STATUS_TEXT_MAX - 3 && got.len % 3 == lead % 3 &&
				memcmp(got.p, text, got.len) == 0,
			"%zu of lead %zu: %s", got.len, lead, got.p);
		buf_reset(&got);
		for (const char *p = text; *p; p++)
			buf_printf(&whole, "%%%02x", (unsigned char)*p);
		CU_ASSERT_EQUAL(grpc_text_decode(&got, buf_view(&whole)), 0);
		CHECK_ROW("decoded",
			got.len > GRPC_STATUS_TEXT_MAX - 3 && got.len % 3 == lead % 3 &&
				memcmp(got.p, text, got.len) == 0,
			"%zu of lead %zu: %s", got.len, lead, got.p);
	}
}

static void test_content_types(void)
{
	static const struct {
		const char *value;
		bool want;
	} rows[] = {
		{"application/grpc", true},
		{"application/grpc+proto", true},
		{"application/grpc+json", true},
		{"application/grpc;charset=utf-8", true},
		{"application/grpc-web", false},
		{"application/grpcx", false},
		{"application/grp", false},
		{"application/json", false},
		{"", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(rows[i].value, grpc_content_type(span_str(rows[i].value)) == rows[i].want,
			"want %d", rows[i].want);
	CU_ASSERT(!grpc_content_type(SPAN_NONE));
}

static void test_statuses(void)
{
	static const struct {
		const char *text;
		enum grpc_status want;
		const char *name;
	} rows[] = {
		{"0", GRPC_OK, "OK"},
		{"1", GRPC_CANCELLED, "Canceled"},
		{"5", GRPC_NOT_FOUND, "NotFound"},
		{"12", GRPC_UNIMPLEMENTED, "Unimplemented"},
		{"16", GRPC_UNAUTHENTICATED, "Unauthenticated"},
		{"17", GRPC_UNKNOWN, "Unknown"},
		{"99", GRPC_UNKNOWN, "Unknown"},
		{"100", GRPC_UNKNOWN, "Unknown"},
		{"4294967296", GRPC_UNKNOWN, "Unknown"},
		{"-1", GRPC_UNKNOWN, "Unknown"},
		{"", GRPC_UNKNOWN, "Unknown"},
		{"OK", GRPC_UNKNOWN, "Unknown"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum grpc_status got = grpc_status_parse(span_str(rows[i].text));

		CHECK_ROW(rows[i].text, got == rows[i].want, "%d", got);
		CHECK_STR(rows[i].text, span_str(grpc_status_name(got)), rows[i].name);
	}
	CHECK_STR("none", span_str(grpc_status_name((enum grpc_status)17)), "Unknown");
	CHECK_STR("negative", span_str(grpc_status_name((enum grpc_status) - 1)), "Unknown");
}

static void test_mappings(void)
{
	static const struct {
		unsigned http;
		enum grpc_status want;
	} https[] = {
		{400, GRPC_INTERNAL},
		{401, GRPC_UNAUTHENTICATED},
		{403, GRPC_PERMISSION_DENIED},
		{404, GRPC_UNIMPLEMENTED},
		{429, GRPC_UNAVAILABLE},
		{502, GRPC_UNAVAILABLE},
		{503, GRPC_UNAVAILABLE},
		{504, GRPC_UNAVAILABLE},
		{200, GRPC_UNKNOWN},
		{302, GRPC_UNKNOWN},
		{500, GRPC_UNKNOWN},
		{0, GRPC_UNKNOWN},
	};
	static const struct {
		uint32_t code;
		enum grpc_status want;
	} resets[] = {
		{NGHTTP2_NO_ERROR, GRPC_INTERNAL},
		{NGHTTP2_PROTOCOL_ERROR, GRPC_INTERNAL},
		{NGHTTP2_INTERNAL_ERROR, GRPC_INTERNAL},
		{NGHTTP2_REFUSED_STREAM, GRPC_UNAVAILABLE},
		{NGHTTP2_CANCEL, GRPC_CANCELLED},
		{NGHTTP2_ENHANCE_YOUR_CALM, GRPC_RESOURCE_EXHAUSTED},
		{NGHTTP2_FLOW_CONTROL_ERROR, GRPC_RESOURCE_EXHAUSTED},
		{NGHTTP2_INADEQUATE_SECURITY, GRPC_PERMISSION_DENIED},
		{NGHTTP2_HTTP_1_1_REQUIRED, GRPC_UNKNOWN},
		{0xffffffff, GRPC_UNKNOWN},
	};

	for (size_t i = 0; i < ARRAY_SIZE(https); i++) {
		enum grpc_status got = grpc_status_of_http(https[i].http);

		CHECK_ROW("http", got == https[i].want, "%u: %d", https[i].http, got);
	}
	for (size_t i = 0; i < ARRAY_SIZE(resets); i++) {
		enum grpc_status got = grpc_status_of_reset(resets[i].code);

		CHECK_ROW("reset", got == resets[i].want, "%u: %d", resets[i].code, got);
	}
}

CU_TestInfo grpc_wire_tests[] = {
	{"timeouts", test_timeouts},
	{"timeouts written", test_timeouts_written},
	{"texts", test_texts},
	{"decoding", test_decoding},
	{"long texts", test_long_texts},
	{"content types", test_content_types},
	{"statuses", test_statuses},
	{"mappings", test_mappings},
	CU_TEST_INFO_NULL,
};
