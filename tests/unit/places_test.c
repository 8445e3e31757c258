/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/places.h"

#include <string.h>

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

static void test_parties(void)
{
	struct parties all = {0};
	struct party *a = party_ref(&all, "10.0.0.1"), *again = party_ref(&all, "10.0.0.1");
	struct party *b = party_ref(&all, "10.0.0.10"), *unknown = party_ref(&all, "");

	if (!a || !b || !unknown) {
		CU_FAIL("a party could not be made");
		return;
	}
	CU_ASSERT_PTR_EQUAL(a, again);
	CU_ASSERT_PTR_NOT_EQUAL(a, b);
	CU_ASSERT_PTR_NOT_EQUAL(unknown, b);
	CU_ASSERT_STRING_EQUAL(b->client, "10.0.0.10");
	a->held = 2;
	party_unref(&all, a);
	CU_ASSERT_EQUAL(party_ref(&all, "10.0.0.1")->held, 2);
	party_unref(&all, a);
	party_unref(&all, a);
	party_unref(&all, b);
	party_unref(&all, unknown);
	CU_ASSERT_PTR_NULL(all.table);
}

enum { NOW = 1000, QUIET = 100, UNFINISHED = 10, PLACES = 4 };

/* The first place whose party holds none is behind the last one. */
static int search(unsigned held, const struct place *places)
{
	const struct place_search s = {
		.held = held, .now = NOW, .quiet_usec = QUIET, .unfinished_usec = UNFINISHED};
	const struct place *best = NULL;

	for (int i = 0; i < PLACES && places[i].held; i++)
		if (place_yields(&s, &places[i], best))
			best = &places[i];
	return best ? (int)(best - places) : -1;
}

static void test_search(void)
{
	static const struct {
		const char *name;
		unsigned held;
		struct place places[PLACES];
		int want;
	} rows[] = {
		{"nobody", 0, {{0}}, -1},
		{"all hold one, all are new", 0,
			{{1, PLACE_UNFINISHED, 991}, {1, PLACE_QUIET, 901}}, -1},
		{"one has been unfinished for its time", 0,
			{{1, PLACE_QUIET, 901}, {1, PLACE_UNFINISHED, 990}}, 1},
		{"one has been quiet for its time", 0,
			{{1, PLACE_UNFINISHED, 900}, {1, PLACE_QUIET, 900}}, 1},
		{"who holds most gives, though others are older", 0,
			{{1, PLACE_QUIET, 1}, {3, PLACE_UNFINISHED, 999}, {2, PLACE_UNFINISHED, 1}},
			1},
		{"of its places the oldest unfinished one", 0,
			{{3, PLACE_QUIET, 950}, {3, PLACE_UNFINISHED, 998},
				{3, PLACE_UNFINISHED, 997}},
			2},
		{"or rather one that is quiet for long", 0,
			{{3, PLACE_UNFINISHED, 1}, {3, PLACE_QUIET, 890}, {3, PLACE_QUIET, 880}},
			2},
		{"or one that has just been answered", 0,
			{{2, PLACE_QUIET, 998}, {2, PLACE_QUIET, 997}}, 1},
		{"two that would only change places", 2,
			{{3, PLACE_UNFINISHED, 995}, {3, PLACE_QUIET, 995}}, -1},
		{"who holds most itself waits while its own are new", 3,
			{{3, PLACE_UNFINISHED, 995}, {3, PLACE_QUIET, 905},
				{1, PLACE_UNFINISHED, 1}},
			-1},
		{"and takes from itself what is unfinished for long", 3,
			{{1, PLACE_UNFINISHED, 1}, {3, PLACE_UNFINISHED, 980},
				{3, PLACE_UNFINISHED, 970}},
			2},
		{"or quiet for long", 3,
			{{1, PLACE_QUIET, 1}, {3, PLACE_UNFINISHED, 980}, {3, PLACE_QUIET, 890}},
			2},
		{"but nothing from who holds less", 3,
			{{1, PLACE_QUIET, 1}, {2, PLACE_UNFINISHED, 1}}, -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int got = search(rows[i].held, rows[i].places);

		CHECK_ROW(rows[i].name, got == rows[i].want, "%d, want %d", got, rows[i].want);
	}
}

/* Whose turn it is, by how many places each of two parties holds. */
static void test_turns(void)
{
	static const struct {
		const char *name, *come; /* who waits, in this order */
		unsigned held[2];
		const char *turns;
	} rows[] = {
		{"nobody", "", {0, 0}, ""},
		{"in the order in which they come", "abab", {2, 2}, "abab"},
		{"who holds fewer is first", "aaba", {2, 1}, "baaa"},
		{"also of many", "aab", {1, 0}, "baa"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct party p[2] = {{.held = rows[i].held[0]}, {.held = rows[i].held[1]}};
		struct place_queue q = {0};
		char got[8] = "";
		struct party *who;

		for (const char *c = rows[i].come; *c; c++)
			CU_ASSERT_PTR_NULL(place_queue_add(&q, &p[*c - 'a'], &p[*c - 'a']));
		for (size_t n = 0; n + 1 < sizeof(got); n++) {
			const struct party *first = place_queue_first(&q);

			who = place_queue_take(&q);
			CU_ASSERT_PTR_EQUAL(first, who);
			if (!who)
				break;
			got[n] = (char)('a' + (who - p));
		}
		CHECK_ROW(rows[i].name, strcmp(got, rows[i].turns) == 0, "%s, want %s", got,
			rows[i].turns);
		CU_ASSERT_EQUAL(p[0].waiting + p[1].waiting, 0);
	}
}

/* However many come of one address, others' wait is not theirs to end. */
static void test_queue_full(void)
{
	struct party few = {.held = 1}, many = {.held = 0};
	struct place_queue q = {0};
	int last = 0;

	CU_ASSERT_PTR_NULL(place_queue_add(&q, &few, &few));
	for (unsigned i = 1; i < PLACES_WAITING_MAX; i++)
		CU_ASSERT_PTR_NULL(place_queue_add(&q, &many, &many));
	CU_ASSERT_PTR_EQUAL(place_queue_add(&q, &many, &last), &last);
	CU_ASSERT_PTR_EQUAL(place_queue_add(&q, &few, &few), &many);
	CU_ASSERT_EQUAL(few.waiting, 2);
	CU_ASSERT_EQUAL(many.waiting, PLACES_WAITING_MAX - 2);
	CU_ASSERT_EQUAL(q.n, PLACES_WAITING_MAX);
	/* Who holds most without waiting long is dispensable too. */
	few.held = PLACES_WAITING_MAX;
	CU_ASSERT_PTR_EQUAL(place_queue_add(&q, &many, &last), &few);
}

CU_TestInfo places_tests[] = {
	{"parties", test_parties},
	{"search", test_search},
	{"turns", test_turns},
	{"queue full", test_queue_full},
	CU_TEST_INFO_NULL,
};
