/* SPDX-License-Identifier: Apache-2.0 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/kbs/delivery.h"

#define LONG64 "a123456789012345678901234567890123456789012345678901234567890123"

static void test_file_paths(void)
{
	static const struct {
		const char *path, *name; /* NULL: refused */
	} rows[] = {
		{"/run/casemate/files/db.pem", "db.pem"},
		{"/run/casemate/files/A-b_c.1", "A-b_c.1"},
		{"/run/casemate/files/" LONG64 LONG64, LONG64 LONG64},
		{"/run/casemate/files/" LONG64 LONG64 "x", NULL},
		{"/run/casemate/files/", NULL},
		{"/run/casemate/files", NULL},
		{"/run/casemate/files//db", NULL},
		{"/run/casemate/files/.hidden", NULL},
		{"/run/casemate/files/..", NULL},
		{"/run/casemate/files/a/b", NULL},
		{"/run/casemate/files/a b", NULL},
		{"/run/casemate/files/a\n", NULL},
		{"/run/casemate/key.sock", NULL},
		{"/run/secrets/db.pem", NULL},
		{"run/casemate/files/db.pem", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span name = SPAN_NONE;
		bool good = delivery_file_path(span_str(rows[i].path), &name);

		if (good != (rows[i].name != NULL) || (good && !span_is(name, rows[i].name))) {
			printf("\n  %s: got %d " SPAN_FMT, rows[i].path, good, SPAN_ARG(name));
			CU_FAIL("wrong");
		}
		CU_ASSERT_EQUAL(delivery_file_path(span_str(rows[i].path), NULL), good);
	}
	CU_ASSERT_FALSE(delivery_file_name(SPAN_NONE));
	CU_ASSERT_FALSE(delivery_file_path(SPAN_NONE, NULL));
	CU_ASSERT_FALSE(delivery_file_name((struct span){"a\0b", 3}));
}

static void test_key_names(void)
{
	static const struct {
		const char *name;
		bool good;
	} rows[] = {
		{"profile/key", true},
		{"my.profile-1/secret-key_2.v", true},
		{LONG64 LONG64 LONG64 "/"
				      "k",
			true},
		{LONG64 LONG64 LONG64 LONG64 "/k", false},
		{"p/" LONG64, false},
		{"profile", false},
		{"profile/", false},
		{"/key", false},
		{"ns/profile/key", false},
		{"pro file/key", false},
		{"profile/key\n", false},
		{"../key", false},
		{"profile/..", false},
		{"\xc3\xa4/key", false},
		{"", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (delivery_key_name(span_str(rows[i].name)) != rows[i].good) {
			printf("\n  %s: want %d", rows[i].name, rows[i].good);
			CU_FAIL("wrong");
		}
	CU_ASSERT_FALSE(delivery_key_name(SPAN_NONE));
}

const CU_TestInfo delivery_tests[] = {
	{"where keys can be promised", test_file_paths},
	{"names of keys", test_key_names},
	CU_TEST_INFO_NULL,
};
