/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/node/capacity_plan.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "tests/unit/test.h"

enum {
	END,
	WANT,  /* n */
	SEE,   /* n, which somebody else or nobody in particular wrote */
	OURS,  /* n, which managedFields say is ours */
	GONE,  /* the Node */
	BEGIN, /* a write */
	BACK,  /* the API server is */
	LATER, /* n seconds */
};
#define NO NODE_ABSENT /* as a value; as a want: nothing */

struct step {
	int op;
	int64_t n;
	/* What follows of it: a write at once ("w"), later ("l"), nothing (""), and "R" restored,
	 * "C" contested. */
	const char *want;
};

static const char *due_text(const struct capacity_plan *p, int64_t now)
{
	int64_t due = capacity_plan_due(p);

	return due == CAPACITY_NEVER ? "" : due <= now ? "w" : "l";
}

static enum capacity_news take(struct capacity_plan *p, const struct step *s, int64_t *now)
{
	struct node_amount a = {.n = s->n, .ours = s->op == OURS};

	switch (s->op) {
	case WANT:
		capacity_plan_want(p, s->n);
		break;
	case GONE:
		capacity_plan_gone(p);
		break;
	case BEGIN:
		capacity_plan_begin(p, *now, 0);
		break;
	case BACK:
		capacity_plan_reconnected(p);
		break;
	case LATER:
		*now += s->n * USEC_PER_SEC;
		break;
	default:
		return capacity_plan_see(p, &a, *now);
	}
	return NEWS_NONE;
}

#define PUBLISH                                                                                    \
	{WANT, 128, ""}, {SEE, NO, "w"}, {BEGIN, 0, "l"}, {SEE, 128, ""},                          \
	{                                                                                          \
		LATER, 1000, ""                                                                    \
	}
#define AGAIN                                                                                      \
	{BEGIN, 0, "l"},                                                                           \
	{                                                                                          \
		SEE, 128, "R"                                                                      \
	}
#define CONTEST                                                                                    \
	{SEE, 77, "w"}, AGAIN, {LATER, 60, ""},                                                    \
	{                                                                                          \
		SEE, 77, "C"                                                                       \
	}

static void test_plans(void)
{
	static const struct {
		const char *name;
		struct step steps[24];
	} rows[] = {
		{"nothing is wanted", {{SEE, NO, ""}, {SEE, 5, ""}, {SEE, 0, ""}}},
		{"the Node first",
			{{SEE, NO, ""}, {WANT, 128, "w"}, {BEGIN, 0, "l"}, {SEE, 128, ""}}},
		{"the value first", {PUBLISH}},
		{"it is there already", {{WANT, 128, ""}, {SEE, 128, ""}}},
		{"an old one is there",
			{{WANT, 128, ""}, {SEE, 64, "w"}, {BEGIN, 0, "l"}, {SEE, 128, ""}}},
		{"a capacity of 0 is one, too",
			{{WANT, 0, ""}, {SEE, NO, "w"}, {BEGIN, 0, "l"}, {SEE, 0, ""},
				{SEE, 5, "l"}, {BEGIN, 0, "l"}, {SEE, 0, "R"}}},
		{"what cannot be read is another's",
			{PUBLISH, {SEE, NODE_UNREADABLE, "w"}, AGAIN, {SEE, NODE_UNREADABLE, "C"}}},
		{"what others change meanwhile is no reason to write",
			{{WANT, 128, ""}, {SEE, NO, "w"}, {BEGIN, 0, "l"}, {SEE, NO, "l"},
				{SEE, 128, ""}, {SEE, 128, ""}}},
		{"another value is wanted", {PUBLISH, {WANT, 64, "w"}, {BEGIN, 0, "l"},
						    {SEE, 128, "l"}, {SEE, 64, ""}}},
		{"and the first again",
			{PUBLISH, {WANT, 64, "w"}, {BEGIN, 0, "l"}, {WANT, 128, ""}, {SEE, 64, "l"},
				{LATER, 1, "w"}, {BEGIN, 0, "l"}, {SEE, 128, ""}}},
		{"the same is wanted", {PUBLISH, {WANT, 128, ""}}},

		{"the kubelet zeroes it", {PUBLISH, {SEE, 0, "w"}, AGAIN}},
		{"however often", {PUBLISH, {SEE, 0, "w"}, AGAIN, {SEE, 0, "l"}, {LATER, 1, "w"},
					  AGAIN, {SEE, 0, "l"}, {LATER, 2, "w"}, AGAIN,
					  {SEE, 0, "l"}, {LATER, 4, "w"}, AGAIN}},
		{"an older copy of the Node comes back",
			{PUBLISH, {WANT, 64, "w"}, {BEGIN, 0, "l"}, {SEE, 64, ""}, {SEE, 128, "l"},
				{BEGIN, 0, "l"}, {SEE, 64, "R"}, {SEE, 128, "l"}, {BEGIN, 0, "l"},
				{SEE, 64, "R"}, {SEE, 128, "l"}}},
		{"long afterwards it is another's value",
			{PUBLISH, {WANT, 64, "w"}, {BEGIN, 0, "l"}, {SEE, 64, ""}, {LATER, 61, ""},
				{SEE, 128, "w"}, {BEGIN, 0, "l"}, {SEE, 64, "R"}, {SEE, 128, "C"}}},
		{"the Node is made anew", {PUBLISH, {GONE, 0, ""}, {SEE, NO, "w"}, AGAIN}},
		{"and has it", {PUBLISH, {GONE, 0, ""}, {SEE, 128, "R"}}},
		{"made anew with another's value: that is no second write",
			{PUBLISH, {SEE, 77, "w"}, {GONE, 0, ""}, {SEE, 77, "w"}, AGAIN,
				{SEE, 77, "l"}}},
		{"without us having been there, nothing is restored",
			{{WANT, 128, ""}, {SEE, NO, "w"}, {GONE, 0, ""}, {SEE, NO, "w"},
				{BEGIN, 0, "l"}, {SEE, 128, ""}}},

		{"a stray write", {PUBLISH, {SEE, 77, "w"}, AGAIN}},
		{"a removal", {PUBLISH, {SEE, NO, "w"}, AGAIN}},
		{"one write, told of many times",
			{PUBLISH, {SEE, 77, "w"}, {SEE, 77, "w"}, {SEE, 78, "w"}, AGAIN}},
		{"two within ten minutes",
			{PUBLISH, CONTEST, {SEE, 77, ""}, {LATER, 10000, ""}, {SEE, 78, ""}}},
		{"two in eleven", {PUBLISH, {SEE, 77, "w"}, AGAIN, {LATER, 601, ""}, {SEE, 77, "w"},
					  AGAIN, {LATER, 599, ""}, {SEE, 77, "C"}}},
		{"a removal does not count", {PUBLISH, {SEE, 77, "w"}, AGAIN, {SEE, NO, "l"}, AGAIN,
						     {SEE, NO, "l"}, AGAIN}},
		{"a zero between does not", {PUBLISH, {SEE, 77, "w"}, AGAIN, {SEE, 0, "l"}, AGAIN}},
		{"contested, and then as wanted",
			{PUBLISH, CONTEST, {SEE, 128, "R"}, {SEE, 78, "C"}}},
		{"contested until the capacity is gone",
			{PUBLISH, CONTEST, {SEE, NO, "w"}, {BEGIN, 0, "l"}, {SEE, 128, "R"}}},
		{"given up late, taken up soon",
			{PUBLISH, CONTEST, {LATER, 599, ""}, {SEE, NO, "w"}, {BEGIN, 0, "l"},
				{SEE, 128, "R"}, {SEE, 77, "C"}}},
		{"or zeroed", {PUBLISH, CONTEST, {SEE, 0, "w"}, {BEGIN, 0, "l"}, {SEE, 128, "R"}}},
		{"or the Node is a new one",
			{PUBLISH, CONTEST, {GONE, 0, ""}, {SEE, NO, "w"}, AGAIN}},
		{"or another value is wanted", {PUBLISH, CONTEST, {WANT, 64, "w"}, {BEGIN, 0, "l"},
						       {SEE, 64, "R"}, {SEE, 77, "l"}}},
		{"contested, and wanted no more: it is the other's",
			{PUBLISH, CONTEST, {WANT, NO, ""}, {SEE, 77, ""}}},

		{"wanted no more", {PUBLISH, {WANT, NO, "w"}, {BEGIN, 0, "l"}, {SEE, NO, ""}}},
		{"what an earlier run left",
			{{OURS, 128, ""}, {WANT, NO, "w"}, {BEGIN, 0, "l"}, {SEE, NO, ""}}},
		{"another's", {{SEE, 128, ""}, {WANT, NO, ""}}},
		{"what became of it", {PUBLISH, {SEE, 0, "w"}, {WANT, NO, "w"}, {BEGIN, 0, "l"},
					      {SEE, NO, ""}, {SEE, 0, ""}}},
		{"another's is left alone", {PUBLISH, {SEE, 77, "w"}, {WANT, NO, ""}}},
		{"lost, wanted no more, wanted again: nothing is restored",
			{PUBLISH, {SEE, 77, "w"}, {WANT, NO, ""}, {WANT, 128, "w"}, {BEGIN, 0, "l"},
				{SEE, 128, ""}}},
		{"wanted again",
			{PUBLISH, {WANT, NO, "w"}, {BEGIN, 0, "l"}, {SEE, NO, ""}, {LATER, 301, ""},
				{WANT, 128, "w"}, {BEGIN, 0, "l"}, {SEE, 128, ""}}},

		{"failures are spaced",
			{{WANT, 128, ""}, {SEE, NO, "w"}, {BEGIN, 0, "l"}, {LATER, 1, "w"},
				{BEGIN, 0, "l"}, {LATER, 1, "w"}, {BEGIN, 0, "l"}, {LATER, 1, "w"},
				{BEGIN, 0, "l"}, {LATER, 1, "l"}, {LATER, 1, "w"}}},
		{"but not those while the API server was away",
			{{WANT, 128, ""}, {SEE, NO, "w"}, {BEGIN, 0, "l"}, {LATER, 1, "w"},
				{BEGIN, 0, "l"}, {BACK, 0, "w"}, {BEGIN, 0, "l"}}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t now = 12345 * (int64_t)USEC_PER_SEC;
		struct capacity_plan p;

		capacity_plan_init(&p);
		for (size_t n = 0; n < ARRAY_SIZE(rows[i].steps) && rows[i].steps[n].op; n++) {
			const struct step *s = &rows[i].steps[n];
			enum capacity_news news = take(&p, s, &now);
			char got[4];

			snprintf(got, sizeof(got), "%s%s", due_text(&p, now),
				news == NEWS_RESTORED    ? "R"
				: news == NEWS_CONTESTED ? "C"
							 : "");
			CHECK_ROW(rows[i].name, strcmp(got, s->want) == 0,
				"step %zu: want \"%s\", got \"%s\"", n, s->want, got);
			CHECK_ROW(rows[i].name, (news == NEWS_CONTESTED) <= p.contested, "step %zu",
				n);
		}
	}
}

/* Somebody answers each write with a zero, for a day. */
static void test_a_fight_is_slow(void)
{
	static const struct node_amount zero = {.n = 0}, ours = {.n = 128};
	int64_t now = USEC_PER_SEC, end = now + 24 * 3600 * (int64_t)USEC_PER_SEC;
	struct capacity_plan p;
	unsigned writes = 0;

	capacity_plan_init(&p);
	capacity_plan_want(&p, 128);
	for (; now < end && writes < 10000; writes++) {
		capacity_plan_see(&p, &zero, now);
		if (capacity_plan_due(&p) > now)
			now = capacity_plan_due(&p);
		capacity_plan_begin(&p, now, (uint32_t)writes * 2654435761u);
		capacity_plan_see(&p, &ours, now);
	}
	CHECK_ROW("a day", writes > 300 && writes < 800, "%u writes", writes);
}

static void test_losses(void)
{
	static const struct {
		int64_t n;
		enum capacity_loss want;
	} rows[] = {{0, LOSS_ZEROED}, {64, LOSS_OLD_VALUE}, {NODE_ABSENT, LOSS_REMOVED},
		{77, LOSS_OVERWRITTEN}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct capacity_plan p;

		capacity_plan_init(&p);
		for (int64_t want = 64; want <= 128; want += 64) {
			capacity_plan_want(&p, want);
			capacity_plan_see(&p, &(struct node_amount){.n = want}, 1);
		}
		capacity_plan_see(&p, &(struct node_amount){.n = rows[i].n, .other = "nfd"}, 2);
		CU_ASSERT_STRING_EQUAL(p.lost_to.other, "nfd");
		CU_ASSERT_EQUAL(
			capacity_plan_see(&p, &(struct node_amount){.n = 128}, 3), NEWS_RESTORED);
		CHECK_ROW("loss", p.restored == rows[i].want, "%lld: got %d", (long long)rows[i].n,
			p.restored);
	}
}

CU_TestInfo capacity_plan_tests[] = {
	{"when to write", test_plans},
	{"a fight is slow", test_a_fight_is_slow},
	{"how it was lost", test_losses},
	CU_TEST_INFO_NULL,
};
