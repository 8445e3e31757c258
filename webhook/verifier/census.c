/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/census.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"

struct census {
	struct metric *nodes, *reasons, *given, *expiry, *tcb, *lapsing;
	bool shown[REASON_N]; /* reasons that a series tells of */
};

/* Of the verdicts of trust that hold on one platform. */
struct tally {
	unsigned lapsing;
	int64_t given_sec, expiry_sec, tcb_sec; /* the earliest; 0: none */
};

struct count {
	unsigned nodes[RECORD_STANDING_N][RECORD_PLATFORM_N], reasons[REASON_N];
	struct tally tallies[RECORD_PLATFORM_N];
};

static void earlier(int64_t *least, int64_t sec)
{
	if (sec && (!*least || sec < *least))
		*least = sec;
}

static void add(
	struct count *n, const struct node *node, const struct judge_rules *rules, int64_t now_sec)
{
	const struct record *r = &node->record;
	struct tally *t = &n->tallies[r->platform];
	int64_t tcb_usec;

	if (!node->exists || r->standing == RECORD_STANDING_NONE ||
		strcmp(r->node_uid, node->seen.uid) != 0)
		return;
	if (!record_holds(r, node->seen.uid, now_sec)) {
		n->nodes[RECORD_EXPIRED][r->platform]++;
		n->reasons[REASON_VerdictExpired]++;
		return;
	}
	n->nodes[r->standing][r->platform]++;
	n->reasons[r->reason]++;
	if (strcmp(record_condition(r->standing), "True") != 0)
		return;
	earlier(&t->given_sec, r->judged_sec);
	earlier(&t->expiry_sec, r->valid_until_sec);
	if (clock_parse(span_str(r->tcb_date), &tcb_usec) == 0)
		earlier(&t->tcb_sec, tcb_usec / USEC_PER_SEC);
	/* A waiver's end is its own. */
	if (r->standing != RECORD_WAIVED &&
		r->valid_until_sec - now_sec < rules->validity_sec / CENSUS_LAPSING_FRACTION)
		t->lapsing++;
}

/* A time of nothing is none. */
static void show_time(struct metric *m, int64_t sec, enum record_platform p)
{
	if (sec)
		metric_set(m, (double)sec, METRIC_VALUES(record_platform_name(p)));
	else
		metric_remove(m, METRIC_VALUES(record_platform_name(p)));
}

static void show(struct census *c, const struct count *n)
{
	for (enum record_platform p = RECORD_PLATFORM_NONE + 1; p < RECORD_PLATFORM_N; p++) {
		const struct tally *t = &n->tallies[p];

		for (enum record_standing s = RECORD_STANDING_NONE + 1; s < RECORD_STANDING_N; s++)
			metric_set(c->nodes, n->nodes[s][p],
				METRIC_VALUES(record_standing_name(s), record_platform_name(p)));
		metric_set(c->lapsing, t->lapsing, METRIC_VALUES(record_platform_name(p)));
		show_time(c->given, t->given_sec, p);
		show_time(c->expiry, t->expiry_sec, p);
		show_time(c->tcb, t->tcb_sec, p);
	}
	for (unsigned i = 0; i < REASON_N; i++) {
		c->shown[i] = c->shown[i] || n->reasons[i];
		if (c->shown[i])
			metric_set(c->reasons, n->reasons[i],
				METRIC_VALUES(reason_name((enum reason)i)));
	}
}

void census_take(
	struct census *c, struct nodes *nodes, const struct judge_rules *rules, int64_t now_sec)
{
	struct count n = {0};

	for (struct node *node = nodes_first(nodes); node; node = node->hh.next)
		add(&n, node, rules, now_sec);
	show(c, &n);
}

int census_new(struct census **ret_c, struct metrics *m, struct error *err)
{
	static const char *const by_verdict[] = {"verdict", "platform", NULL};
	static const char *const by_platform[] = {"platform", NULL};
	static const char *const by_reason[] = {"reason", NULL};
	_cleanup_(census_free_p) struct census *c = calloc(1, sizeof(*c));

	if (!c)
		return error_oom(err);
	c->nodes = metrics_gauge(m, "casemate_webhook_nodes",
		"Nodes by their verdict, as it holds now, and platform.", by_verdict);
	c->reasons = metrics_gauge(m, "casemate_webhook_nodes_by_reason",
		"Nodes by the reason of their verdict, as it holds now.", by_reason);
	c->given = metrics_gauge(m, "casemate_webhook_verdict_timestamp_seconds",
		"When the oldest verdict was given among those of trust that hold.", by_platform);
	c->expiry = metrics_gauge(m, "casemate_webhook_verdict_expiry_timestamp_seconds",
		"When the first verdict ends among those of trust that hold.", by_platform);
	c->tcb = metrics_gauge(m, "casemate_webhook_tcb_timestamp_seconds",
		"The date of the oldest TCB among nodes that are trusted.", by_platform);
	c->lapsing = metrics_gauge(m, "casemate_webhook_verdicts_lapsing",
		"Verdicts of trust that end soon and for which no new evidence has come.",
		by_platform);
	if (!c->nodes || !c->reasons || !c->given || !c->expiry || !c->tcb || !c->lapsing)
		return error_oom(err);
	*ret_c = TAKE_PTR(c);
	return 0;
}

void census_free(struct census *c)
{
	free(c);
}
