/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"

#include <errno.h>
#include <inttypes.h>

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

static void test_parse(void)
{
	static const struct {
		const char *text;
		int code;
		int64_t want;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0, 0},
		{"1970-01-01T00:00:00.000001Z", 0, 1},
		{"1970-01-01t00:00:01.5z", 0, 1500000},
		{"1970-01-01T00:00:00.123456789Z", 0, 123456},
		{"1969-12-31T23:59:59.5Z", 0, -500000},
		{"2024-02-29T12:30:45+05:30", 0, 1709190045000000},
		{"2024-02-29T12:30:45-08:00", 0, 1709238645000000},
		{"0000-01-01T00:00:00Z", 0, -62167219200000000},
		{"9999-12-31T23:59:59Z", 0, 253402300799000000},
		{"2000-02-29T00:00:00Z", 0, 951782400000000},
		{"1900-02-29T00:00:00Z", -EINVAL, 0},
		{"2023-02-29T00:00:00Z", -EINVAL, 0},
		{"2023-04-31T00:00:00Z", -EINVAL, 0},
		{"2023-00-01T00:00:00Z", -EINVAL, 0},
		{"2023-13-01T00:00:00Z", -EINVAL, 0},
		{"2023-01-00T00:00:00Z", -EINVAL, 0},
		{"2023-01-01T24:00:00Z", -EINVAL, 0},
		{"2023-01-01T00:60:00Z", -EINVAL, 0},
		{"2016-12-31T23:59:60Z", -EINVAL, 0},
		{"2023-01-01 00:00:00Z", -EINVAL, 0},
		{"2023-01-01T00:00:00", -EINVAL, 0},
		{"2023-01-01T00:00:00.Z", -EINVAL, 0},
		{"2023-01-01T00:00:00+0100", -EINVAL, 0},
		{"2023-01-01T00:00:00+24:00", -EINVAL, 0},
		{"2023-01-01T00:00:00+01:60", -EINVAL, 0},
		{"2023-01-01T00:00:00Z ", -EINVAL, 0},
		{"+023-01-01T00:00:00Z", -EINVAL, 0},
		{"2023-1-1T00:00:00Z", -EINVAL, 0},
		{"", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t got = 0;
		int r = clock_parse(span_str(rows[i].text), &got);

		CHECK_ROW(rows[i].text, r == rows[i].code && got == rows[i].want,
			"got %d, %" PRId64 "; want %d, %" PRId64, r, got, rows[i].code,
			rows[i].want);
	}
}

static void test_truncations(void)
{
	const char *text = "2024-02-29T12:30:45.5+05:30";
	int64_t got;

	for (size_t n = 0; n < strlen(text); n++)
		CHECK_ROW(text, clock_parse((struct span){text, n}, &got) == -EINVAL,
			"the first %zu bytes were accepted", n);
}

static void test_format(void)
{
	static const struct {
		int64_t usec;
		const char *time, *micro;
	} rows[] = {
		{0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
		{-1, NULL, "1969-12-31T23:59:59.999999Z"},
		{1709190045000007, "2024-02-29T07:00:45Z", "2024-02-29T07:00:45.000007Z"},
		{INT64_MAX, "9999-12-31T23:59:59Z", NULL},
		{INT64_MIN, "0000-01-01T00:00:00Z", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char out[CLOCK_RFC3339_MAX];
		int64_t back;

		clock_format(out, rows[i].usec / USEC_PER_SEC);
		if (rows[i].time)
			CHECK_STR(rows[i].time, span_str(out), rows[i].time);
		clock_format_micro(out, rows[i].usec);
		if (!rows[i].micro)
			continue;
		CHECK_STR(rows[i].micro, span_str(out), rows[i].micro);
		CU_ASSERT_EQUAL(clock_parse(span_str(out), &back), 0);
		CU_ASSERT_EQUAL(back, rows[i].usec);
	}
}

static void test_duration(void)
{
	static const struct {
		const char *text;
		int code;
		int64_t want;
	} rows[] = {
		{"0", 0, 0},
		{"+0", 0, 0},
		{"0s", 0, 0},
		{"90s", 0, 90000000},
		{"1h30m", 0, 5400000000},
		{"250ms", 0, 250000},
		{"1.5h", 0, 5400000000},
		{".5s", 0, 500000},
		{"1.s", 0, 1000000},
		{"-1m", 0, -60000000},
		{"5us", 0, 5},
		{"5\xc2\xb5s", 0, 5},
		{"5\xce\xbcs", 0, 5},
		{"1500ns", 0, 1},
		{"0.3333333333333333333333s", 0, 333333},
		{"2562047h47m16.854775807s", 0, 9223372036854775},
		{"2562047h47m16.854775808s", -ERANGE, 0},
		{"99999999999999999999h", -ERANGE, 0},
		{"9223372036854775807h", -ERANGE, 0},
		{"1ns", -ERANGE, 0},
		{"-999ns", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"-", -EINVAL, 0},
		{"90", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{".s", -EINVAL, 0},
		{"1d", -EINVAL, 0},
		{"1h 30m", -EINVAL, 0},
		{"1h30", -EINVAL, 0},
		{"1H", -EINVAL, 0},
		{"1h-30m", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t got = 0;
		int r = clock_parse_duration(span_str(rows[i].text), &got);

		CHECK_ROW(rows[i].text, r == rows[i].code && got == rows[i].want,
			"got %d, %" PRId64 "; want %d, %" PRId64, r, got, rows[i].code,
			rows[i].want);
	}
}

static void test_now(void)
{
	int64_t a = clock_monotonic_usec(), b = clock_monotonic_usec();

	CU_ASSERT(b >= a);
	CU_ASSERT(clock_unix_usec() > 1700000000000000);
}

CU_TestInfo clock_tests[] = {
	{"RFC 3339", test_parse},
	{"RFC 3339 truncated", test_truncations},
	{"format", test_format},
	{"durations", test_duration},
	{"now", test_now},
	CU_TEST_INFO_NULL,
};
