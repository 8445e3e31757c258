/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/provision/dice.h"

#include <errno.h>

#include "tests/unit/ra_tls_world.h"
#include "tests/unit/test.h"

#define HEAD "\xd9\xea\x60\x82\x45quote" /* 60000([h'quote', … */
#define NAME "\x6bpubkey-hash"
#define HASH "\x44\x82\x01\x41x" /* << [1, h'x'] >> */
#define L(s) SPAN_LIT(s)

static void test_good(void)
{
	static const struct {
		const char *name;
		struct span text;
		uint64_t algorithm;
		const char *hash;
	} rows[] = {
		{"as Gramine writes it", L(HEAD "\x52\xa1" NAME HASH), 1, "x"},
		{"more claims",
			L(HEAD "\x58\x1b\xa3\x61"
			       "a\x01" NAME HASH "\x61"
			       "b\x43xyz"),
			1, "x"},
		{"another hash", L(HEAD "\x54\xa1" NAME "\x46\x82\x19\x01\x00\x41y"), 256, "y"},
		{"lengths in long form",
			L("\xda\x00\x00\xea\x60\x98\x02\x58\x05quote\x59\x00\x12\xa1" NAME HASH), 1,
			"x"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		struct dice d;
		int r = dice_read(&d, rows[i].text, &err);

		if (!CHECK_ROW(rows[i].name, r == 0, "%s", err.message))
			continue;
		CHECK_STR(rows[i].name, d.evidence, "quote");
		CHECK_STR(rows[i].name, d.hash, rows[i].hash);
		CHECK_ROW(rows[i].name, d.algorithm == rows[i].algorithm, "another algorithm");
	}
}

static void test_bad(void)
{
	static const struct {
		const char *name;
		struct span text;
		const char *says;
	} rows[] = {
		{"nothing", L(""), "60000"},
		{"another tag", L("\xd9\xea\x61\x82\x45quote\x52\xa1" NAME HASH), "60000"},
		{"no tag", L("\x82\x45quote\x52\xa1" NAME HASH), "60000"},
		{"three elements", L("\xd9\xea\x60\x83\x45quote\x52\xa1" NAME HASH "\x01"),
			"60000"},
		{"text for the quote", L("\xd9\xea\x60\x82\x65quote\x52\xa1" NAME HASH), "60000"},
		{"an open array", L("\xd9\xea\x60\x9f\x45quote\x52\xa1" NAME HASH "\xff"), "60000"},
		{"an open string", L("\xd9\xea\x60\x82\x5f\x45quote\xff\x52\xa1" NAME HASH),
			"60000"},
		{"something behind", L(HEAD "\x52\xa1" NAME HASH "\x00"), "60000"},
		{"something behind the claims", L(HEAD "\x53\xa1" NAME HASH "\x00"), "behind"},
		{"no map", L(HEAD "\x41\x01"), "map"},
		{"an open map", L(HEAD "\x53\xbf" NAME HASH "\xff"), "map"},
		{"too many claims", L(HEAD "\x41\xb1"), "map"},
		{"a map that goes on for ever", L(HEAD "\x49\xbb\xff\xff\xff\xff\xff\xff\xff\xff"),
			"map"},
		{"a claim without a name", L(HEAD "\x43\xa1\x01\x01"), "name"},
		{"a claim that is an array",
			L(HEAD "\x44\xa1\x61"
			       "a\x80"),
			"neither"},
		{"no hash",
			L(HEAD "\x44\xa1\x61"
			       "a\x01"),
			"no claim"},
		{"two hashes", L(HEAD "\x58\x23\xa2" NAME HASH NAME HASH), "twice"},
		{"a hash as text", L(HEAD "\x52\xa1" NAME "\x64\x82\x01\x41x"), "byte string"},
		{"a hash of three", L(HEAD "\x53\xa1" NAME "\x45\x83\x01\x41x\x01"), "[algorithm"},
		{"a hash and more", L(HEAD "\x53\xa1" NAME "\x45\x82\x01\x41x\x01"), "[algorithm"},
		{"an algorithm below zero", L(HEAD "\x52\xa1" NAME "\x44\x82\x20\x41x"),
			"[algorithm"},
		{"a string longer than memory",
			L("\xd9\xea\x60\x82\x5b\xff\xff\xff\xff\xff\xff\xff\xffquote"), "60000"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		struct dice d;

		CHECK_ROW(rows[i].name,
			dice_read(&d, rows[i].text, &err) == -EBADMSG &&
				strstr(err.message, rows[i].says),
			"%s", err.message);
	}
}

static void test_truncations(void)
{
	static const char text[] = HEAD "\x52\xa1" NAME HASH;
	struct dice d;

	for (size_t n = 0; n < sizeof(text) - 1; n++)
		CHECK_ROW("truncated", dice_read(&d, (struct span){text, n}, NULL) == -EBADMSG,
			"%zu bytes are read", n);
}

const CU_TestInfo dice_tests[] = {
	{"good", test_good},
	{"bad", test_bad},
	{"truncations", test_truncations},
	CU_TEST_INFO_NULL,
};
