/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/store_cache.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/test.h"

enum { OWNERS = 4000, LARGE = 16 * 1024 };

static const struct key_owner mine = {"ns", "nu", "p", "pu"};

/* A place whose texts are not there, but have stamps. */
struct place {
	struct store_place place;
	bool known;
	char stamp;
	char asked[KEY_RECORD_NAME_MAX];
};

static bool stamp_of(void *self, const char *name, struct store_stamp *ret)
{
	struct place *p = self;

	snprintf(p->asked, sizeof(p->asked), "%s", name);
	*ret = (struct store_stamp){.bytes = {p->stamp}};
	return p->known;
}

static void put(struct store_cache *c, const struct key_owner *o, char stamp, size_t size)
{
	static const char bytes[LARGE];
	_cleanup_record_ struct key_record rec = {0};
	struct key_entry *e;

	CU_ASSERT_EQUAL(key_record_new(&rec, o, NULL), 0);
	e = key_record_add(&rec, "key");
	CU_ASSERT_PTR_NOT_NULL(e);
	if (!e)
		return;
	e->v[0] = (struct key_version){.version = 7,
		.type = KEY_RAW,
		.wrapped = arena_dup(&rec.arena, (struct span){bytes, size})};
	e->n = 1;
	snprintf(rec.kek, sizeof(rec.kek), "0123456789abcdef");
	store_cache_put(c, "name", &(struct store_stamp){.bytes = {stamp}}, &rec);
}

static void test_find(void)
{
	struct place p = {.place = {.self = &p, .stamp = stamp_of}, .known = true, .stamp = 1};
	_cleanup_(store_cache_free_p) struct store_cache *c = store_cache_new();
	const struct key_owner others[] = {{"n", "nu", "p", "pu"}, {"ns", "n2", "p", "pu"},
		{"ns", "nu", "q", "pu"}, {"ns", "nu", "p", "p2"}};
	const struct key_record *rec;

	CU_ASSERT_PTR_NULL(store_cache_find(c, &p.place, &mine));
	put(c, &mine, 1, 40);
	rec = store_cache_find(c, &p.place, &mine);
	CU_ASSERT_PTR_NOT_NULL(rec);
	if (!rec)
		return;
	CHECK_STR("asked for", span_str(p.asked), "name");
	CU_ASSERT_TRUE(key_owner_same(&rec->owner, &mine));
	CHECK_STR("KEK", span_str(rec->kek), "0123456789abcdef");
	CU_ASSERT_EQUAL(rec->n, 1);
	CU_ASSERT_EQUAL(key_record_find(rec, "key")->v[0].version, 7);
	CU_ASSERT_EQUAL(key_record_find(rec, "key")->v[0].wrapped.len, 40);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		CHECK_ROW(others[i].namespace_, !store_cache_find(c, &p.place, &others[i]),
			"another's, %zu", i);
	CU_ASSERT_PTR_NOT_NULL(store_cache_find(c, &p.place, &mine));
}

/* What changed, or may have, is not given, and not afterwards either. */
static void test_changed(void)
{
	struct place p = {.place = {.self = &p, .stamp = stamp_of}};
	_cleanup_(store_cache_free_p) struct store_cache *c = store_cache_new();

	for (int known = 0; known < 2; known++) {
		put(c, &mine, 1, 40);
		p.known = known;
		p.stamp = known ? 2 : 1;
		CU_ASSERT_PTR_NULL(store_cache_find(c, &p.place, &mine));
		p.known = true;
		p.stamp = 1;
		CU_ASSERT_PTR_NULL(store_cache_find(c, &p.place, &mine));
	}
	put(c, &mine, 1, 40);
	store_cache_clear(c);
	CU_ASSERT_PTR_NULL(store_cache_find(c, &p.place, &mine));
	put(c, &mine, 1, LARGE);
	CU_ASSERT_PTR_NULL(store_cache_find(c, &p.place, &mine));
}

/* More owners than there are places: some are kept, and each is the one asked for. */
static void test_many(void)
{
	struct place p = {.place = {.self = &p, .stamp = stamp_of}, .known = true, .stamp = 1};
	_cleanup_(store_cache_free_p) struct store_cache *c = store_cache_new();
	unsigned kept = 0;

	for (int i = 0; i < 2 * OWNERS; i++) {
		char profile[16];
		const struct key_owner o = {"ns", "nu", profile, "pu"};
		const struct key_record *rec;

		snprintf(profile, sizeof(profile), "p%d", i % OWNERS);
		if (i < OWNERS) {
			put(c, &o, 1, 40);
			continue;
		}
		rec = store_cache_find(c, &p.place, &o);
		kept += rec != NULL;
		CHECK_ROW(profile, !rec || key_owner_same(&rec->owner, &o), "another's");
	}
	CHECK_ROW("kept", kept > 100 && kept < OWNERS, "%u", kept);
}

CU_TestInfo store_cache_tests[] = {
	{"find", test_find},
	{"changed", test_changed},
	{"many", test_many},
	CU_TEST_INFO_NULL,
};
