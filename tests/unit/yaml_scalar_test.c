/* SPDX-License-Identifier: Apache-2.0
 *
 * The table is what sigs.k8s.io/yaml v1.6.0 on go.yaml.in/yaml/v2 v2.4.2 made of each text, value
 * and key; but for -0.0, which Go writes as -0. */
#include "common/base/yaml_scalar.h"

#include "tests/unit/test.h"

#define STRING YAML_SCALAR_STRING
#define NULL_  YAML_SCALAR_NULL
#define BOOL   YAML_SCALAR_BOOL
#define INT    YAML_SCALAR_INT
#define FLOAT  YAML_SCALAR_FLOAT

/* json NULL: has none; key NULL: as the Go library has it, refused as a key. */
static const struct row {
	const char *text;
	enum yaml_scalar_type type;
	const char *json, *key;
} rows[] = {
	{"~", NULL_, "null", NULL},
	{"null", NULL_, "null", NULL},
	{"Null", NULL_, "null", NULL},
	{"NULL", NULL_, "null", NULL},
	{"nULL", STRING, NULL, NULL},
	{"nil", STRING, NULL, NULL},
	{"true", BOOL, "true", "true"},
	{"True", BOOL, "true", "true"},
	{"TRUE", BOOL, "true", "true"},
	{"tRue", STRING, NULL, NULL},
	{"false", BOOL, "false", "false"},
	{"False", BOOL, "false", "false"},
	{"FALSE", BOOL, "false", "false"},
	{"yes", BOOL, "true", "true"},
	{"Yes", BOOL, "true", "true"},
	{"YES", BOOL, "true", "true"},
	{"yEs", STRING, NULL, NULL},
	{"no", BOOL, "false", "false"},
	{"No", BOOL, "false", "false"},
	{"NO", BOOL, "false", "false"},
	{"on", BOOL, "true", "true"},
	{"On", BOOL, "true", "true"},
	{"ON", BOOL, "true", "true"},
	{"oN", STRING, NULL, NULL},
	{"off", BOOL, "false", "false"},
	{"Off", BOOL, "false", "false"},
	{"OFF", BOOL, "false", "false"},
	{"y", BOOL, "true", "true"},
	{"Y", BOOL, "true", "true"},
	{"n", BOOL, "false", "false"},
	{"N", BOOL, "false", "false"},
	{"t", STRING, NULL, NULL},
	{"f", STRING, NULL, NULL},
	{".inf", FLOAT, NULL, ".inf"},
	{".Inf", FLOAT, NULL, ".inf"},
	{".INF", FLOAT, NULL, ".inf"},
	{".iNF", STRING, NULL, NULL},
	{"+.inf", FLOAT, NULL, ".inf"},
	{"+.Inf", FLOAT, NULL, ".inf"},
	{"+.INF", FLOAT, NULL, ".inf"},
	{"-.inf", FLOAT, NULL, "-.inf"},
	{"-.Inf", FLOAT, NULL, "-.inf"},
	{"-.INF", FLOAT, NULL, "-.inf"},
	{".nan", FLOAT, NULL, ".nan"},
	{".NaN", FLOAT, NULL, ".nan"},
	{".NAN", FLOAT, NULL, ".nan"},
	{".Nan", STRING, NULL, NULL},
	{"+.nan", STRING, NULL, NULL},
	{"-.nan", STRING, NULL, NULL},
	{"inf", STRING, NULL, NULL},
	{"0", INT, "0", "0"},
	{"00", INT, "0", "0"},
	{"-0", INT, "0", "0"},
	{"+0", INT, "0", "0"},
	{"1", INT, "1", "1"},
	{"+1", INT, "1", "1"},
	{"-1", INT, "-1", "-1"},
	{"+-1", STRING, NULL, NULL},
	{"1_000", INT, "1000", "1000"},
	{"1__0", INT, "10", "10"},
	{"1_", INT, "1", "1"},
	{"-_1", INT, "-1", "-1"},
	{"_1", STRING, NULL, NULL},
	{"0x1F", INT, "31", "31"},
	{"0X1f", INT, "31", "31"},
	{"-0x1f", INT, "-31", "-31"},
	{"+0x1F", INT, "31", "31"},
	{"0x_1", INT, "1", "1"},
	{"0x1_", INT, "1", "1"},
	{"0x", STRING, NULL, NULL},
	{"0xg", STRING, NULL, NULL},
	{"0x1.8", STRING, NULL, NULL},
	{"0x1p3", STRING, NULL, NULL},
	{"0o17", INT, "15", "15"},
	{"0O17", INT, "15", "15"},
	{"0o8", STRING, NULL, NULL},
	{"0o", STRING, NULL, NULL},
	{"017", INT, "15", "15"},
	{"0_17", INT, "15", "15"},
	{"018", FLOAT, "18", "18"},
	{"09", FLOAT, "9", "9"},
	{"09.5", FLOAT, "9.5", "9.5"},
	{"-017", INT, "-15", "-15"},
	{"0b11", INT, "3", "3"},
	{"0B11", INT, "3", "3"},
	{"-0b11", INT, "-3", "-3"},
	{"+0b1", INT, "1", "1"},
	{"0b2", STRING, NULL, NULL},
	{"0b", STRING, NULL, NULL},
	{"0b-11", INT, "-3", "-3"},
	{"0b+1", INT, "1", "1"},
	{"0B-1", STRING, NULL, NULL},
	{"0b-0", INT, "0", "0"},
	{"-0b-1", STRING, NULL, NULL},
	{"0b_1", INT, "1", "1"},
	{"0b1111111111111111111111111111111111111111111111111111111111111111", INT,
		"18446744073709551615", NULL},
	{"0b+1111111111111111111111111111111111111111111111111111111111111111", STRING, NULL, NULL},
	{"-0b1000000000000000000000000000000000000000000000000000000000000000", INT,
		"-9223372036854775808", "-9223372036854775808"},
	{"9223372036854775807", INT, "9223372036854775807", "9223372036854775807"},
	{"9223372036854775808", INT, "9223372036854775808", NULL},
	{"+9223372036854775808", FLOAT, "9223372036854776000", "9.223372e+18"},
	{"-9223372036854775808", INT, "-9223372036854775808", "-9223372036854775808"},
	{"-9223372036854775809", FLOAT, "-9223372036854776000", "-9.223372e+18"},
	{"18446744073709551615", INT, "18446744073709551615", NULL},
	{"18446744073709551616", FLOAT, "18446744073709552000", "1.8446744e+19"},
	{"+18446744073709551615", FLOAT, "18446744073709552000", "1.8446744e+19"},
	{"0xFFFFFFFFFFFFFFFF", INT, "18446744073709551615", NULL},
	{"0x10000000000000000", STRING, NULL, NULL},
	{"01777777777777777777777", INT, "18446744073709551615", NULL},
	{"02000000000000000000000", FLOAT, "2e+21", "2e+21"},
	{"123456789012345678901234567890", FLOAT, "1.2345678901234568e+29", "1.2345679e+29"},
	{"1.0", FLOAT, "1", "1"},
	{"1.5", FLOAT, "1.5", "1.5"},
	{"-1.5", FLOAT, "-1.5", "-1.5"},
	{"+1.5", FLOAT, "1.5", "1.5"},
	{"1.", FLOAT, "1", "1"},
	{".5", FLOAT, "0.5", "0.5"},
	{"+.5", FLOAT, "0.5", "0.5"},
	{"-.5", FLOAT, "-0.5", "-0.5"},
	{".", STRING, NULL, NULL},
	{"..", STRING, NULL, NULL},
	{"...x", STRING, NULL, NULL},
	{"-.", STRING, NULL, NULL},
	{"+.", STRING, NULL, NULL},
	{"1.2.3", STRING, NULL, NULL},
	{"1e3", FLOAT, "1000", "1000"},
	{"1E3", FLOAT, "1000", "1000"},
	{"1e+3", FLOAT, "1000", "1000"},
	{"1e-3", FLOAT, "0.001", "0.001"},
	{"1e", STRING, NULL, NULL},
	{"1e+", STRING, NULL, NULL},
	{"1.5e3", FLOAT, "1500", "1500"},
	{"1.e3", FLOAT, "1000", "1000"},
	{".5e-3", FLOAT, "0.0005", "0.0005"},
	{".e3", STRING, NULL, NULL},
	{"e3", STRING, NULL, NULL},
	{"1e400", STRING, NULL, NULL},
	{"-1e400", STRING, NULL, NULL},
	{".1e400", STRING, NULL, NULL},
	{"1e-400", FLOAT, "0", "0"},
	{"5e-324", FLOAT, "5e-324", "0"},
	{"2.2250738585072014e-308", FLOAT, "2.2250738585072014e-308", "0"},
	{"1.7976931348623157e308", FLOAT, "1.7976931348623157e+308", ".inf"},
	{"1.7976931348623159e308", STRING, NULL, NULL},
	{"0.1", FLOAT, "0.1", "0.1"},
	{"0.30000000000000004", FLOAT, "0.30000000000000004", "0.3"},
	{"100000000000000000000.0", FLOAT, "100000000000000000000", "1e+20"},
	{"1e20", FLOAT, "100000000000000000000", "1e+20"},
	{"1e21", FLOAT, "1e+21", "1e+21"},
	{"1e22", FLOAT, "1e+22", "1e+22"},
	{"123456789.0", FLOAT, "123456789", "1.2345679e+08"},
	{"12345678.9", FLOAT, "12345678.9", "1.2345679e+07"},
	{"0.000001", FLOAT, "0.000001", "1e-06"},
	{"0.0000001", FLOAT, "1e-7", "1e-07"},
	{"1e-6", FLOAT, "0.000001", "1e-06"},
	{"1e-7", FLOAT, "1e-7", "1e-07"},
	{"1e-10", FLOAT, "1e-10", "1e-10"},
	{"-0.0", FLOAT, "-0.0", "-0"},
	{"0.0", FLOAT, "0", "0"},
	{"-1e-7", FLOAT, "-1e-7", "-1e-07"},
	{"1_0.5_0", FLOAT, "10.5", "10.5"},
	{"1e1_0", FLOAT, "10000000000", "1e+10"},
	{".1_0", FLOAT, "0.1", "0.1"},
	{"._1", STRING, NULL, NULL},
	{".1_", STRING, NULL, NULL},
	{".1__0", STRING, NULL, NULL},
	{".1e1_0", FLOAT, "1000000000", "1e+09"},
	{".1e_1", STRING, NULL, NULL},
	{".1_e1", STRING, NULL, NULL},
	{".5p1", STRING, NULL, NULL},
	{"16777217.0", FLOAT, "16777217", "1.6777216e+07"},
	{"1000000.0", FLOAT, "1000000", "1e+06"},
	{"100000.0", FLOAT, "100000", "100000"},
	{"0.0001", FLOAT, "0.0001", "0.0001"},
	{"0.00001", FLOAT, "0.00001", "1e-05"},
	{"1e38", FLOAT, "1e+38", "1e+38"},
	{"1e39", FLOAT, "1e+39", ".inf"},
	{"190:20:30", STRING, NULL, NULL},
	{"190:20:30.15", STRING, NULL, NULL},
	{"1:30", STRING, NULL, NULL},
	{"12:30:45", STRING, NULL, NULL},
	{"2001-01-01", STRING, NULL, NULL},
	{"2001-1-1", STRING, NULL, NULL},
	{"2001-12-14t21:59:43.10-05:00", STRING, NULL, NULL},
	{"2001-12-14T21:59:43Z", STRING, NULL, NULL},
	{"2001-12-14 21:59:43.10", STRING, NULL, NULL},
	{"2001-12-14 21:59:43.10 -5", STRING, NULL, NULL},
	{"1,000", STRING, NULL, NULL},
	{"1 000", STRING, NULL, NULL},
	{"0.0.0.0", STRING, NULL, NULL},
	{"10.0.0.1/8", STRING, NULL, NULL},
	{"1a", STRING, NULL, NULL},
	{"1Mi", STRING, NULL, NULL},
	{"100m", STRING, NULL, NULL},
	{"2Gi", STRING, NULL, NULL},
	{"1d", STRING, NULL, NULL},
	{"0755", INT, "493", "493"},
	{"0644", INT, "420", "420"},
	{"1e5x", STRING, NULL, NULL},
	{"--1", STRING, NULL, NULL},
	{"++1", STRING, NULL, NULL},
	{"-a", STRING, NULL, NULL},
	{"--", STRING, NULL, NULL},
	{"--flag", STRING, NULL, NULL},
	{"+a", STRING, NULL, NULL},
	{"=", STRING, NULL, NULL},
	{"<<", STRING, NULL, NULL},
	{"v1", STRING, NULL, NULL},
	{"hello", STRING, NULL, NULL},
	{"true false", STRING, NULL, NULL},
	{"nullx", STRING, NULL, NULL},
	{"yesno", STRING, NULL, NULL},
	{"Yes.", STRING, NULL, NULL},
	{"y1", STRING, NULL, NULL},
	{"0xdeadbeef", INT, "3735928559", "3735928559"},
	{"0xDEADBEEF", INT, "3735928559", "3735928559"},
	{"0b0", INT, "0", "0"},
	{"0o0", INT, "0", "0"},
	{"0x0", INT, "0", "0"},
	{"007", INT, "7", "7"},
	{"08", FLOAT, "8", "8"},
	{"0_", INT, "0", "0"},
	{"0_0", INT, "0", "0"},
	{"+_1", INT, "1", "1"},
	{"+", STRING, NULL, NULL},
	{"1+1", STRING, NULL, NULL},
	{"1-1", STRING, NULL, NULL},
	{"1.5.", STRING, NULL, NULL},
	{"1..5", STRING, NULL, NULL},
	{"1e3.5", STRING, NULL, NULL},
	{"1_e3", FLOAT, "1000", "1000"},
	{"1e_3", FLOAT, "1000", "1000"},
	{"0.1e1", FLOAT, "1", "1"},
	{"00.5", FLOAT, "0.5", "0.5"},
	{"-00.5", FLOAT, "-0.5", "-0.5"},
	{"01.5", FLOAT, "1.5", "1.5"},
	{"0e0", FLOAT, "0", "0"},
	{"0e1", FLOAT, "0", "0"},
	{"-0e0", FLOAT, "-0.0", "-0"},
	{"0x1e3", INT, "483", "483"},
	{"0x-1", STRING, NULL, NULL},
	{"0o-1", STRING, NULL, NULL},
	{"-0o17", INT, "-15", "-15"},
	{"+017", INT, "15", "15"},
	{"-0x8000000000000000", INT, "-9223372036854775808", "-9223372036854775808"},
	{"-0x8000000000000001", STRING, NULL, NULL},
	{"0x7FFFFFFFFFFFFFFF", INT, "9223372036854775807", "9223372036854775807"},
	{"4294967296", INT, "4294967296", "4294967296"},
	{"2147483648", INT, "2147483648", "2147483648"},
	{"-2147483649", INT, "-2147483649", "-2147483649"},
};

static void test_table(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		_cleanup_buf_ struct buf json = BUF_INIT(64), key = BUF_INIT(64);
		struct yaml_scalar s;

		CU_ASSERT_EQUAL(yaml_scalar_resolve(&s, span_str(row->text)), 0);
		if (!CHECK_ROW(row->text, s.type == row->type, "got type %d, want %d", s.type,
			    row->type))
			continue;
		if (row->json) {
			CU_ASSERT_EQUAL(yaml_scalar_json(&json, &s), 0);
			CHECK_STR(row->text, buf_view(&json), row->json);
		}
		if (row->key) {
			CU_ASSERT_EQUAL(yaml_scalar_key(&key, &s), 0);
			CHECK_STR(row->text, buf_view(&key), row->key);
		}
	}
}

/* Text with a NUL is no word, and a number only as a whole. */
static void test_nul(void)
{
	static const struct span texts[] = {SPAN_LIT("1\0"), SPAN_LIT("\0"), SPAN_LIT("true\0"),
		SPAN_LIT("1\0002"), SPAN_LIT("\0001")};
	struct yaml_scalar s;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CU_ASSERT_EQUAL(yaml_scalar_resolve(&s, texts[i]), 0);
		CU_ASSERT_EQUAL(s.type, STRING);
	}
}

/* What is written is read back as the same double, and written alike: at each exponent the least,
 * the second and the greatest. */
static void test_floats_survive(void)
{
	static const uint64_t fractions[] = {0, 1, ((uint64_t)1 << 52) - 1};

	for (size_t i = 1; i < 2047 * ARRAY_SIZE(fractions); i++) {
		uint64_t bits = (uint64_t)(i / ARRAY_SIZE(fractions)) << 52 |
				fractions[i % ARRAY_SIZE(fractions)];
		_cleanup_buf_ struct buf a = BUF_INIT(64), b = BUF_INIT(64);
		struct yaml_scalar s = {.type = FLOAT};
		double f;

		memcpy(&f, &bits, sizeof(f));
		s.f = f;
		yaml_scalar_json(&a, &s);
		yaml_scalar_resolve(&s, buf_view(&a));
		CHECK_ROW(a.p, s.type == FLOAT ? s.f == f : s.type == INT && (double)s.n == f,
			"%a came back as type %d", f, s.type);
		yaml_scalar_json(&b, &s);
		CHECK_STR("again", buf_view(&b), a.p);
	}
}

CU_TestInfo yaml_scalar_tests[] = {
	{"as kubectl resolves them", test_table},
	{"NUL", test_nul},
	{"floats survive", test_floats_survive},
	CU_TEST_INFO_NULL,
};
