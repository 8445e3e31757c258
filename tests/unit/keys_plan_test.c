/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/test.h"

#define KEK  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define HOUR ((int64_t)3600)

enum { NOW = 1000000, RETENTION = 86400, OUT_MAX = 512 };

static const struct key_owner owner = {"shop", "ns-uid", "payments", "profile-uid"};

/* A stored key: versions ascending from 1, the newest made age seconds before NOW. */
struct stored {
	const char *name;
	enum key_type type;
	unsigned size, versions;
	int64_t age, removed_ago; /* 0: not removed */
};

struct row {
	const char *name;
	struct key_spec specs[3];
	unsigned published[3];
	struct stored stored[3];
	const char *steps;  /* "make a, rotate b, trim b 2" */
	const char *states; /* one letter a spec: r, i, l */
	int64_t next;       /* after NOW; -1: never */
};

#define SPEC(n, t, s, hours, k)                                                                    \
	{                                                                                          \
		.name = n, .type = t, .size = s, .rotate_usec = (hours)*HOUR * USEC_PER_SEC,       \
		.keep_versions = k                                                                 \
	}

static const struct row rows[] = {
	{"nothing wanted, nothing there", .steps = "", .states = "", .next = -1},
	{"the first", {SPEC("a", KEY_PASSWORD, 32, 0, 2)}, .steps = "make a", .states = "r",
		.next = -1},
	{"the first, rotating", {SPEC("a", KEY_PASSWORD, 32, 2, 2)}, .steps = "make a",
		.states = "r", .next = 2 * HOUR},
	{"there", {SPEC("a", KEY_PASSWORD, 32, 0, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 1, 500 * HOUR, 0}}, "", "r", -1},
	{"not yet due", {SPEC("a", KEY_PASSWORD, 32, 2, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 1, HOUR, 0}}, "", "r", HOUR},
	{"due to the second", {SPEC("a", KEY_PASSWORD, 32, 2, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 1, 2 * HOUR, 0}}, "rotate a", "r", 2 * HOUR},
	{"a second before", {SPEC("a", KEY_PASSWORD, 32, 2, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 1, 2 * HOUR - 1, 0}}, "", "r", 1},
	{"due, and versions enough", {SPEC("a", KEY_PASSWORD, 32, 2, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 2, 3 * HOUR, 0}}, "rotate a, trim a 2", "r", 2 * HOUR},
	{"made in the future (a clock went back)", {SPEC("a", KEY_PASSWORD, 32, 2, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 1, -HOUR, 0}}, "", "r", 3 * HOUR},
	{"fewer versions wanted", {SPEC("a", KEY_PASSWORD, 32, 0, 1)}, {0},
		{{"a", KEY_PASSWORD, 32, 3, HOUR, 0}}, "trim a 1", "r", -1},
	{"another size", {SPEC("a", KEY_PASSWORD, 16, 0, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 1, HOUR, 0}}, "rotate a", "r", 0},
	{"another type", {SPEC("a", KEY_EC, 256, 0, 2)}, {0}, {{"a", KEY_PASSWORD, 32, 1, HOUR, 0}},
		"rotate a", "r", 0},
	{"to be imported", {SPEC("a", KEY_RAW, 0, 0, 2)}, .steps = "", .states = "i", .next = -1},
	{"imported", {SPEC("a", KEY_RAW, 0, 0, 2)}, {0}, {{"a", KEY_RAW, 77, 1, HOUR, 0}}, "", "r",
		-1},
	{"imported, but made before", {SPEC("a", KEY_RAW, 0, 0, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 1, HOUR, 0}}, "", "i", -1},
	{"lost with the record", {SPEC("a", KEY_PASSWORD, 32, 0, 2)}, {3}, .steps = "",
		.states = "l", .next = -1},
	{"lost from the record", {SPEC("a", KEY_PASSWORD, 32, 0, 2), SPEC("b", KEY_EC, 256, 0, 2)},
		{3, 1}, {{"b", KEY_EC, 256, 1, HOUR, 0}}, "", "lr", -1},
	{"published and there", {SPEC("a", KEY_PASSWORD, 32, 0, 2)}, {1},
		{{"a", KEY_PASSWORD, 32, 1, HOUR, 0}}, "", "r", -1},
	{"no longer named", {SPEC("a", KEY_PASSWORD, 32, 0, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 1, HOUR, 0}, {"b", KEY_EC, 256, 1, HOUR, 0}}, "aside b",
		"r", RETENTION},
	{"put aside", {SPEC("a", KEY_PASSWORD, 32, 0, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 1, HOUR, 0}, {"b", KEY_EC, 256, 1, HOUR, HOUR}}, "", "r",
		RETENTION - HOUR},
	{"aside for long enough", {SPEC("a", KEY_PASSWORD, 32, 0, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 1, HOUR, 0}, {"b", KEY_EC, 256, 1, HOUR, RETENTION}},
		"drop b", "r", -1},
	{"named again", {SPEC("a", KEY_PASSWORD, 32, 0, 2)}, {0},
		{{"a", KEY_PASSWORD, 32, 1, HOUR, HOUR}}, "revive a", "r", -1},
};

static bool make_record(struct key_record *rec, const struct row *row, const struct kek_ring *keks)
{
	if (key_record_new(rec, &owner, NULL) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(row->stored) && row->stored[i].name; i++) {
		const struct stored *s = &row->stored[i];
		struct key_entry *e = key_record_add(rec, s->name);

		for (unsigned v = 0; v < s->versions; v++)
			if (key_record_add_version(rec, e, s->type, s->size, NOW - s->age,
				    SPAN_LIT("bytes"), keks, NULL) < 0)
				return false;
		e->removed_sec = s->removed_ago ? NOW - s->removed_ago : 0;
	}
	return true;
}

static void write_steps(char out[OUT_MAX], const struct keys_plan *p)
{
	static const char *const names[] = {"make", "rotate", "trim", "revive", "aside", "drop"};
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < p->n; i++) {
		n += (size_t)snprintf(out + n, OUT_MAX - n, "%s%s %s", i ? ", " : "",
			names[p->v[i].kind], p->v[i].name);
		if (p->v[i].kind == KEY_STEP_TRIM)
			n += (size_t)snprintf(out + n, OUT_MAX - n, " %u", p->v[i].keep);
	}
}

static size_t count_specs(const struct row *row)
{
	size_t n = 0;

	while (n < ARRAY_SIZE(row->specs) && row->specs[n].name[0])
		n++;
	return n;
}

static void wanted_of(struct keys_wanted *w, const struct row *row)
{
	*w = (struct keys_wanted){
		.specs = row->specs, .n = count_specs(row), .retention_sec = RETENTION};
	memcpy(w->published, row->published, sizeof(row->published));
}

static void check_row(const struct row *row, const struct kek_ring *keks)
{
	_cleanup_record_ struct key_record rec = {0};
	static struct keys_plan p;
	char steps[OUT_MAX], states[4] = "";
	struct keys_wanted w;
	int64_t next;

	if (!CHECK_ROW(row->name, make_record(&rec, row, keks), "%s", "no record"))
		return;
	wanted_of(&w, row);
	keys_plan_make(&p, &w, row->stored[0].name ? &rec : NULL, NOW);
	write_steps(steps, &p);
	CHECK_STR(row->name, span_str(steps), row->steps);
	for (size_t i = 0; i < w.n; i++)
		states[i] = "ril"[p.state[i]];
	CHECK_STR(row->name, span_str(states), row->states);
	next = p.next_sec == INT64_MAX ? -1 : p.next_sec - NOW;
	CHECK_ROW(row->name, next == row->next, "next in %lld, not %lld", (long long)next,
		(long long)row->next);
	/* Once done, there is nothing more to do. */
	CU_ASSERT_EQUAL(keys_apply(&rec, &p, keks, NOW, NULL), 0);
	keys_plan_make(&p, &w, &rec, NOW);
	write_steps(steps, &p);
	CHECK_STR(row->name, span_str(steps), "");
}

static void test_plans(void)
{
	_cleanup_keks_ struct kek_ring keks = {0};

	CU_ASSERT_EQUAL(kek_ring_parse(&keks, SPAN_LIT(KEK), NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i], &keks);
}

static void test_full(void)
{
	const struct key_spec spec = SPEC("another", KEY_PASSWORD, 8, 0, 1);
	_cleanup_keks_ struct kek_ring keks = {0};
	_cleanup_record_ struct key_record rec = {0};

	CU_ASSERT_EQUAL(kek_ring_parse(&keks, SPAN_LIT(KEK), NULL), 0);
	CU_ASSERT_EQUAL(key_record_new(&rec, &owner, NULL), 0);
	for (unsigned i = 0; i < KEY_RECORD_KEYS_MAX; i++) {
		char name[KEY_NAME_MAX];

		snprintf(name, sizeof(name), "k%u", i);
		CU_ASSERT_PTR_NOT_NULL(key_record_add(&rec, name));
	}
	CU_ASSERT_EQUAL(keys_rotate(&rec, &spec, &keks, NOW, NULL), -E2BIG);
}

const CU_TestInfo keys_plan_tests[] = {
	{"plans", test_plans},
	{"no room", test_full},
	CU_TEST_INFO_NULL,
};
