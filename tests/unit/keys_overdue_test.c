/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys whose rotation is overdue. */
#include "webhook/broker/keys_overdue.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/test.h"

#define KEK  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define HOUR ((int64_t)3600)
#define NOW  ((int64_t)1800000000)

static const struct key_owner owner = {"shop", "ns-uid", "payments", "profile-uid"};
static const struct json_limits limits = {1 << 20, 10000, 32};

static void test_margin(void)
{
	static const struct {
		const char *name;
		int64_t every_sec, want_sec;
	} rows[] = {
		{"a minute", 60, 600},
		{"an hour", HOUR, 600},
		{"a day", 24 * HOUR, 8640},
		{"a month", 720 * HOUR, 24 * HOUR},
		{"ten years", 87840 * HOUR, 24 * HOUR},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct key_spec spec = {
			.rotate_usec = rows[i].every_sec * (int64_t)USEC_PER_SEC};

		CHECK_ROW(rows[i].name, keys_overdue_margin(&spec) == rows[i].want_sec, "%lld",
			(long long)keys_overdue_margin(&spec));
	}
}

#define EVERY "{\"name\":\"a\",\"type\":\"password\",\"rotation\":{\"every\":\"1h\"}}"
#define NEVER "{\"name\":\"b\",\"type\":\"password\"}"

static const struct row {
	const char *name, *keys;
	int64_t stored; /* seconds since "a" was stored; -1: it is not; -2: nothing can be read */
	int64_t status; /* since the status says it was made; -1: it says nothing; -2: no time */
	bool invalid, deleted;
	unsigned want;
} rows[] = {
	{"no keys", "", -1, -1, false, false, 0},
	{"none rotates", NEVER, 5000 * HOUR, 5000 * HOUR, false, false, 0},
	{"in time", EVERY, HOUR - 1, -1, false, false, 0},
	{"due", EVERY, HOUR + 1, -1, false, false, 0},
	{"late, within the margin", EVERY, HOUR + 600, -1, false, false, 0},
	{"overdue", EVERY, HOUR + 601, -1, false, false, 1},
	{"two, one of which rotates", EVERY "," NEVER, 2 * HOUR, -1, false, false, 1},
	{"what is stored counts", EVERY, HOUR / 2, 9 * HOUR, false, false, 0},
	{"it is not there", EVERY, -1, 9 * HOUR, false, false, 0},
	{"nothing can be read: the status says in time", EVERY, -2, HOUR, false, false, 0},
	{"nothing can be read: the status says overdue", EVERY, -2, 2 * HOUR, false, false, 1},
	{"nothing can be read, and no status", EVERY, -2, -1, false, false, 0},
	{"nothing can be read, and no time", EVERY, -2, -2, false, false, 0},
	{"made in the future", EVERY, -5 * HOUR, -1, false, false, 0},
	{"an invalid profile", EVERY, 9 * HOUR, -1, true, false, 0},
	{"one that goes", EVERY, 9 * HOUR, -1, false, true, 0},
};

static void write_object(char out[1024], const struct row *row)
{
	char made[CLOCK_RFC3339_MAX];

	clock_format(made, NOW - row->status);
	snprintf(out, 1024,
		"{\"metadata\":{%s},\"spec\":{\"keys\":[%s]},\"status\":{\"keys\":[{\"name\":\"a\","
		"\"version\":1%s%s%s}]}}",
		row->deleted ? "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"" : "", row->keys,
		row->status == -1 ? "" : ",\"rotatedAt\":\"",
		row->status == -1   ? ""
		: row->status == -2 ? "then"
				    : made,
		row->status == -1 ? "" : "\"");
}

static bool make_record(struct key_record *rec, const struct row *row, const struct kek_ring *keks)
{
	struct key_entry *e;

	if (key_record_new(rec, &owner, NULL) < 0)
		return false;
	if (row->stored == -1)
		return true;
	e = key_record_add(rec, "a");
	return e && key_record_add_version(rec, e, KEY_PASSWORD, 32, NOW - row->stored,
			    SPAN_LIT("bytes"), keks, NULL) == 0;
}

static void test_count(void)
{
	_cleanup_keks_ struct kek_ring keks = {0};

	CU_ASSERT_EQUAL(kek_ring_parse(&keks, SPAN_LIT(KEK), NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_record_ struct key_record rec = {0};
		_cleanup_json_ struct json doc = {0};
		struct profile p = {.valid = !rows[i].invalid};
		char object[1024];
		unsigned n;

		write_object(object, &rows[i]);
		if (!CHECK_ROW(rows[i].name,
			    json_parse(&doc, span_str(object), &limits, NULL) == 0 &&
				    make_record(&rec, &rows[i], &keks),
			    "%s", object))
			continue;
		p.object = json_root(&doc);
		p.spec = json_get(p.object, "spec");
		n = keys_overdue_count(&p, rows[i].stored == -2 ? NULL : &rec, NOW);
		CHECK_ROW(rows[i].name, n == rows[i].want, "%u, not %u", n, rows[i].want);
	}
}

const CU_TestInfo keys_overdue_tests[] = {
	{"margin", test_margin},
	{"count", test_count},
	CU_TEST_INFO_NULL,
};
