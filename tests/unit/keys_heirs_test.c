/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_heirs.h"

#include "tests/unit/test.h"

struct had {
	const char *namespace_, *namespace_uid, *profile, *profile_uid;
	int64_t deleted_sec;
	bool last;
};

static bool record_of(struct key_record *ret, const struct had *h)
{
	struct key_owner o = {h->namespace_, h->namespace_uid, h->profile, h->profile_uid};

	if (key_record_new(ret, &o, NULL) < 0)
		return false;
	ret->deleted_sec = h->deleted_sec;
	return true;
}

/* However they are ordered in the backup: forwards and backwards. */
static void run(const char *row, const struct had *all, size_t n, bool backwards)
{
	struct keys_heirs heirs = {0};

	for (size_t i = 0; i < n; i++) {
		_cleanup_record_ struct key_record rec = {0};

		CU_ASSERT_TRUE(record_of(&rec, &all[backwards ? n - 1 - i : i]));
		CU_ASSERT_EQUAL(keys_heirs_see(&heirs, &rec), 0);
	}
	for (size_t i = 0; i < n; i++) {
		_cleanup_record_ struct key_record rec = {0};

		CU_ASSERT_TRUE(record_of(&rec, &all[i]));
		CHECK_ROW(row, keys_heirs_last(&heirs, &rec) == all[i].last, "%s/%s %s, %s",
			all[i].namespace_, all[i].profile, all[i].profile_uid,
			backwards ? "backwards" : "forwards");
	}
	keys_heirs_free(&heirs);
}

static void test_rows(void)
{
	static const struct {
		const char *name;
		struct had all[4];
	} rows[] = {
		{"one that was deleted", {{"a", "1", "p", "u1", 10, true}}},
		{"the one deleted last",
			{{"a", "1", "p", "u1", 10, false}, {"a", "1", "p", "u2", 30, true},
				{"a", "1", "p", "u3", 20, false}}},
		{"one lives", {{"a", "1", "p", "u1", 10, false}, {"a", "1", "p", "u2", 0, true},
				      {"a", "1", "p", "u3", 20, false}}},
		{"with its namespace",
			{{"a", "1", "p", "u1", 10, false}, {"a", "2", "p", "u2", 11, true}}},
		{"others' names",
			{{"a", "1", "p", "u1", 10, true}, {"b", "2", "p", "u2", 20, true},
				{"a", "1", "q", "u3", 0, true}, {"a", "1", "q", "u4", 30, false}}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = 0;

		while (n < ARRAY_SIZE(rows[i].all) && rows[i].all[n].profile)
			n++;
		run(rows[i].name, rows[i].all, n, false);
		run(rows[i].name, rows[i].all, n, true);
	}
}

/* In the same second: one of them, whichever. */
static void test_tie(void)
{
	static const struct had all[] = {
		{"a", "1", "p", "u1", 10, false}, {"a", "1", "p", "u2", 10, false}};
	struct key_record recs[ARRAY_SIZE(all)] = {0};
	struct keys_heirs heirs = {0};
	int last = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		CU_ASSERT_TRUE(record_of(&recs[i], &all[i]));
		CU_ASSERT_EQUAL(keys_heirs_see(&heirs, &recs[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		last += keys_heirs_last(&heirs, &recs[i]);
		key_record_free(&recs[i]);
	}
	CU_ASSERT_EQUAL(last, 1);
	keys_heirs_free(&heirs);
}

CU_TestInfo keys_heirs_tests[] = {
	{"rows", test_rows},
	{"in the same second", test_tie},
	CU_TEST_INFO_NULL,
};
