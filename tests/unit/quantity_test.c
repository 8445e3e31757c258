/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/quantity.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/test.h"

#define N     ((__int128)1000000000)
#define MAX   ((__int128)INT64_MAX * N)
#define ZEROS "00000000000000000000000000000000000000000000000000"
#define NINES "99999999999999999999999999999999999999999999999999"

static void test_values(void)
{
	/* Values and roundings as ParseQuantity of apimachinery 0.37.2 gives them. */
	static const struct {
		const char *text;
		__int128 nano;
	} rows[] = {
		{"0", 0},
		{"-0", 0},
		{"+0", 0},
		{"42", 42 * N},
		{"+42", 42 * N},
		{"-42", -42 * N},
		{"007", 7 * N},
		{"5.", 5 * N},
		{".5", N / 2},
		{"-.5", -N / 2},
		{"0.5", N / 2},
		{"5.M", 5000000 * N},
		{"1n", 1},
		{"1u", 1000},
		{"1m", 1000000},
		{"1100m", 1100000000},
		{"1k", 1000 * N},
		{"1M", 1000000 * N},
		{"1G", 1000000000 * N},
		{"1T", 1000000000000 * N},
		{"1P", 1000000000000000 * N},
		{"1E", 1000000000000000000 * N},
		{"1Ki", 1024 * N},
		{"1Mi", 1048576 * N},
		{"1Gi", 1073741824 * N},
		{"1Ti", 1099511627776 * N},
		{"1Pi", 1125899906842624 * N},
		{"1Ei", 1152921504606846976 * N},
		{"1.5Gi", 1610612736 * N},
		{".1Ki", 102400000000},
		{"-1Ki", -1024 * N},
		{"1E3", 1000 * N},
		{"1e3", 1000 * N},
		{"1E+3", 1000 * N},
		{"1e-3", 1000000},
		{"1e03", 1000 * N},
		{"12.5e1", 125 * N},
		{"1e0", N},
		{"100e-2", N},
		{"0.000000001E", 1000000000 * N},
		/* finer than nano: away from zero */
		{"0.1n", 1},
		{"-0.1n", -1},
		{"1.1n", 2},
		{"0.0000000001", 1},
		{"-0.0000000001", -1},
		{"0.1234567891", 123456790},
		{"1e-9", 1},
		{"1e-12", 1},
		{"1e-999999999999999999", 1},
		{"-1e-10000", -1},
		{"0e-10000", 0},
		{"0e999999999999999999", 0},
		{"0.0001Ki", 102400000},
		{"0.0000000000001Ki", 1},
		{"0.3333333333Ki", 341333333300},
		{"0.00000000000000000000000000000001Ei", 1},
		/* many digits */
		{ZEROS ZEROS "1", N},
		{ZEROS "1Ki", 1024 * N},
		{"0." ZEROS "1", 1},
		{"0." ZEROS "1Ei", 1},
		{"0." ZEROS "1e51", N},
		{"0." ZEROS "0", 0},
		{"1." ZEROS "Mi", 1048576 * N},
		{"1" ZEROS "e-50", N},
		{"0." NINES, N},
		{"1." NINES NINES "Ki", 2048 * N},
		/* the ends */
		{"9223372036854775807", MAX},
		{"-9223372036854775807", -MAX},
		{"9223372036854775.807k", MAX},
		{"9223372036854775807000e-3", MAX},
		{"9223372036854775807000m", MAX},
		{"7Ei", 7 * 1152921504606846976 * N},
		{"8191Pi", 8191 * 1125899906842624 * N},
		{"9.223372036854775807E", MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct quantity q = {77};
		struct error err = {0};
		int r = quantity_parse(&q, span_str(rows[i].text), &err);

		CHECK_ROW(rows[i].text, r == 0, "got %d: %s", r, err.message);
		CHECK_ROW(rows[i].text, q.nano == rows[i].nano, "got %lld.%09lld",
			(long long)(q.nano / N), llabs((long long)(q.nano % N)));
	}
}

static void test_refused(void)
{
	static const struct {
		const char *text;
		int want;
	} rows[] = {
		{"", -EINVAL},
		{" 1", -EINVAL},
		{"1 ", -EINVAL},
		{"1 Mi", -EINVAL},
		{"Mi", -EINVAL},
		{"+", -EINVAL},
		{"-", -EINVAL},
		{".", -EINVAL},
		{"+.", -EINVAL},
		{".Ki", -EINVAL},
		{"e3", -EINVAL},
		{"--1", -EINVAL},
		{"+-1", -EINVAL},
		{"1..2", -EINVAL},
		{"1.2.3", -EINVAL},
		{"1,5", -EINVAL},
		{"1_000", -EINVAL},
		{"0x10", -EINVAL},
		{"1K", -EINVAL},
		{"1ki", -EINVAL},
		{"1mi", -EINVAL},
		{"1MI", -EINVAL},
		{"1g", -EINVAL},
		{"1KiB", -EINVAL},
		{"1MB", -EINVAL},
		{"1Mii", -EINVAL},
		{"1i", -EINVAL},
		{"1ni", -EINVAL},
		{"1mm", -EINVAL},
		{"1e", -EINVAL},
		{"1e+", -EINVAL},
		{"1E-", -EINVAL},
		{"1e--3", -EINVAL},
		{"1e3.5", -EINVAL},
		{"1e3Ki", -EINVAL},
		{"1EE", -EINVAL},
		{"1E3i", -EINVAL},
		{"1+3", -EINVAL},
		{"1Ki3", -EINVAL},
		{"inf", -EINVAL},
		{"NaN", -EINVAL},
		{"\xd9\xa1", -EINVAL},
		{"9223372036854775808", -ERANGE},
		{"-9223372036854775808", -ERANGE},
		{"9223372036854775807.0000000001", -ERANGE},
		{"9223372036854775808000m", -ERANGE},
		{"8Ei", -ERANGE},
		{"-8Ei", -ERANGE},
		{"10E", -ERANGE},
		{"9223372036854775807Ei", -ERANGE},
		{"576460752303423488Ei", -ERANGE}, /* 0 in 128 bits */
		{"1e19", -ERANGE},
		{"1e999999999999999999999", -ERANGE},
		{"0." ZEROS "1e100", -ERANGE},
		{"7." NINES "Ei", -ERANGE},
		{"1" ZEROS, -ERANGE},
		{NINES "Ki", -ERANGE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct quantity q = {77};
		struct error err = {0};
		int r = quantity_parse(&q, span_str(rows[i].text), &err);

		CHECK_ROW(rows[i].text, r == rows[i].want, "got %d", r);
		CHECK_ROW(rows[i].text, err.code == r, "the error says %d", err.code);
		CU_ASSERT(r == 0 || q.nano == 77);
	}
	CU_ASSERT_EQUAL(quantity_parse(&(struct quantity){0}, SPAN_NONE, NULL), -EINVAL);
	CU_ASSERT_EQUAL(quantity_parse(&(struct quantity){0}, SPAN_LIT("1\0"), NULL), -EINVAL);
}

static void test_messages(void)
{
	struct error err = {0};
	struct quantity q;

	quantity_parse(&q, SPAN_LIT("64 Mi\n"), &err);
	CHECK_STR("not a quantity", span_str(err.message),
		"\"64 Mi?\" is not a quantity; write a decimal number with no suffix or one of n u "
		"m k M G T P E Ki Mi Gi Ti Pi Ei, such as 64Mi, or with an exponent, such as 1e6");
	quantity_parse(&q, SPAN_LIT("1" ZEROS), &err);
	CHECK_STR("too large", span_str(err.message),
		"\"1000000000000000000000000000000000000000...\" is out of range; quantities end "
		"at "
		"plus and minus 9223372036854775807");
}

static void test_very_long(void)
{
	size_t n = 1 << 20;
	_cleanup_free_ char *text = malloc(n);
	struct quantity q;

	if (!text)
		return;
	memset(text, '0', n);
	text[n - 1] = '7';
	CU_ASSERT_EQUAL(quantity_parse(&q, (struct span){text, n}, NULL), 0);
	CU_ASSERT(q.nano == 7 * N);
	text[1] = '.';
	CU_ASSERT_EQUAL(quantity_parse(&q, (struct span){text, n}, NULL), 0);
	CU_ASSERT(q.nano == 1);
	memset(text, '9', n);
	CU_ASSERT_EQUAL(quantity_parse(&q, (struct span){text, n}, NULL), -ERANGE);
}

static void test_from_json(void)
{
	static const struct {
		const char *text;
		int want;
		__int128 nano;
	} rows[] = {
		{"\"1Mi\"", 0, 1048576 * N},
		{"1048576", 0, 1048576 * N},
		{"0.5", 0, N / 2},
		{"-1", 0, -N},
		{"1e3", 0, 1000 * N},
		{"1E3", 0, 1000 * N},
		{"1e30", -ERANGE, 0},
		{"\"\"", -EINVAL, 0},
		{"\" 1\"", -EINVAL, 0},
		{"\"\\u0031\"", -EINVAL, 0},
		{"null", -EINVAL, 0},
		{"true", -EINVAL, 0},
		{"[1]", -EINVAL, 0},
		{"{}", -EINVAL, 0},
	};
	static const struct json_limits limits = {1000, 100, 10};
	_cleanup_json_ struct json doc = {0};
	struct error err = {0};
	struct quantity q;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r;

		q.nano = 0;
		CU_ASSERT_EQUAL(json_parse(&doc, span_str(rows[i].text), &limits, NULL), 0);
		r = quantity_from_json(&q, json_root(&doc), NULL);
		CHECK_ROW(rows[i].text, r == rows[i].want, "got %d", r);
		CHECK_ROW(rows[i].text, q.nano == rows[i].nano, "got %lld nano", (long long)q.nano);
	}
	CU_ASSERT_EQUAL(quantity_from_json(&q, (struct json_val){0}, &err), -EINVAL);
	CHECK_STR("missing", span_str(err.message), "expected a quantity, got nothing");
}

static void test_count(void)
{
	static const struct {
		const char *text, *want; /* NULL: it is one */
		int64_t n;
	} rows[] = {
		{"\"128Mi\"", NULL, 134217728},
		{"134217728", NULL, 134217728},
		{"0", NULL, 0},
		{"\"1e3\"", NULL, 1000},
		{"\"1000m\"", NULL, 1},
		{"\"500m\"", "must be a whole number and not negative", 7},
		{"-1", "must be a whole number and not negative", 7},
		{"\"8Ei\"", "\"8Ei\" is out of range", 7},
		{"null", "expected a quantity", 7},
	};
	static const struct json_limits limits = {1000, 100, 10};
	_cleanup_json_ struct json doc = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		int64_t n = 7;
		int r;

		CU_ASSERT_EQUAL(json_parse(&doc, span_str(rows[i].text), &limits, NULL), 0);
		r = quantity_count_from_json(&n, json_root(&doc), &err);
		CHECK_ROW(rows[i].text, r == (rows[i].want ? -EINVAL : 0) && n == rows[i].n,
			"got %d, %lld", r, (long long)n);
		CHECK_ROW(rows[i].text, !rows[i].want || strstr(err.message, rows[i].want),
			"got %s", err.message);
	}
}

static struct quantity of(const char *text)
{
	struct quantity q = {0};

	CU_ASSERT_EQUAL(quantity_parse(&q, span_str(text), NULL), 0);
	return q;
}

/* However it is written. */
static void test_equal(void)
{
	static const char *const rows[][2] = {
		{"1Mi", "1048576"},
		{"1e6", "1M"},
		{"1.000000001", "1000000001n"},
		{"-5", "-5.0"},
		{"-1n", "-0.000000001"},
		{"9223372036854775807", "9223372036854775807.0"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(rows[i][0], of(rows[i][0]).nano == of(rows[i][1]).nano, "not %s",
			rows[i][1]);
}

static void test_whole_numbers(void)
{
	static const struct {
		const char *text;
		int want;
		int64_t n;
	} rows[] = {
		{"1Mi", 0, 1048576},
		{"1000m", 0, 1},
		{"1100m", -EINVAL, 77},
		{"0.5", -EINVAL, 77},
		{"0.5Ki", 0, 512},
		{"1n", -EINVAL, 77},
		{"-3", 0, -3},
		{"-1n", -EINVAL, 77},
		{"0", 0, 0},
		{"9223372036854775807", 0, INT64_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t n = 77;
		int r = quantity_int64(of(rows[i].text), &n);

		CHECK_ROW(rows[i].text, r == rows[i].want && n == rows[i].n, "got %d, %lld", r,
			(long long)n);
	}
}

static void test_format(void)
{
	static const struct {
		int64_t bytes;
		const char *want;
	} rows[] = {
		{0, "0"},
		{1, "1"},
		{42, "42"},
		{1023, "1023"},
		{1024, "1Ki"},
		{1025, "1025"},
		{524288, "512Ki"},
		{1000000, "1000000"},
		{1048576, "1Mi"},
		{2097152, "2Mi"},
		{98566144, "94Mi"},
		{1610612736, "1536Mi"},
		{1073741824, "1Gi"},
		{1536, "1536"},
		{1LL << 40, "1Ti"},
		{1LL << 50, "1Pi"},
		{1LL << 60, "1Ei"},
		{1LL << 62, "4Ei"},
		{INT64_MAX, "9223372036854775807"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(40);

		CU_ASSERT_EQUAL(quantity_format_binary(&b, rows[i].bytes), 0);
		CHECK_STR(rows[i].want, buf_view(&b), rows[i].want);
		CU_ASSERT(of(rows[i].want).nano == (__int128)rows[i].bytes * 1000000000);
	}
}

CU_TestInfo quantity_tests[] = {
	{"values", test_values},
	{"refused", test_refused},
	{"messages", test_messages},
	{"a million digits", test_very_long},
	{"from JSON", test_from_json},
	{"counts", test_count},
	{"equal by value", test_equal},
	{"whole numbers", test_whole_numbers},
	{"BinarySI", test_format},
	CU_TEST_INFO_NULL,
};
