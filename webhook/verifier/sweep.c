/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/sweep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "webhook/verifier/census.h"
#include "webhook/verifier/detail.h"
#include "webhook/verifier/review.h"

enum {
	SWEEP_USEC = 2 * USEC_PER_SEC,
	MORE_USEC = 100 * USEC_PER_MSEC, /* when there was more to do than BUSY_MAX allows */
	SETTLE_USEC = 4 * USEC_PER_SEC,  /* for who judged to write what it puts on the Node */
	GONE_USEC = 30 * USEC_PER_SEC,   /* for Kubernetes to remove what a Node owned */
	BUSY_MAX = 16,                   /* writes under way */
};

struct sweeper {
	struct sweeper_options o;
	struct reviewer reviewer;
	sd_event_source *timer;
};

static bool was_accepted(const struct record *r)
{
	return r->standing == RECORD_ATTESTED || r->standing == RECORD_STANDING_SIMULATED ||
	       r->standing == RECORD_WAIVED;
}

/* Its time is over, and nobody has said so yet. */
static bool must_end(const struct node *n, int64_t now_sec)
{
	const struct record *r = &n->record;

	return n->recorded && r->standing != RECORD_STANDING_NONE &&
	       r->standing != RECORD_EXPIRED && strcmp(r->node_uid, n->seen.uid) == 0 &&
	       now_sec > r->valid_until_sec;
}

static void end_verdict(struct sweeper *s, struct node *n, int64_t now_sec)
{
	struct record r = n->record;

	if (n->ending || n->judging || clock_monotonic_usec() < n->retry_usec)
		return;
	judge_expire(&r, kube_lease_term(s->o.lease), now_sec);
	if (was_accepted(&n->record))
		publish_event(s->o.publisher, n, true, "NodeAttestationExpired", r.message);
	log_info(1, "A verdict has ended", LOG_STR("node", n->name),
		LOG_STR("verdict", record_standing_name(n->record.standing)));
	publish_end(s->o.publisher, n, &r);
}

/* A person vouches, or does so no more. Returns whether something is written. */
static bool waive(struct sweeper *s, struct node *n, int64_t now_sec)
{
	_cleanup_buf_ struct buf detail = BUF_INIT(2048);
	struct record r = n->record;

	if (n->judging || n->ending || clock_monotonic_usec() < n->retry_usec)
		return false;
	if (waiver_over(&r, &n->waiver, now_sec)) {
		end_verdict(s, n, now_sec);
		return true;
	}
	if (!waiver_wanted(&r, &n->waiver, n->seen.uid, now_sec))
		return false;
	waiver_apply(&r, &n->waiver, n->seen.uid, kube_lease_term(s->o.lease), now_sec);
	if (waiver_write(&detail, &n->waiver) < 0 ||
		publish_record(s->o.publisher, n, &r, buf_view(&detail), NULL, NULL, NULL) < 0)
		return false;
	log_info(1, "A node is waived", LOG_STR("node", n->name), LOG_STR("by", n->waiver.by),
		LOG_STR("why", n->waiver.why));
	publish_event(s->o.publisher, n, true, "NodeWaived", r.message);
	return true;
}

/* Returns whether it is denied. */
static bool deny(struct sweeper *s, struct node *n, int64_t now_sec)
{
	struct record r = n->record;

	if (strcmp(r.node_uid, n->seen.uid) != 0 ||
		!judge_denied(&r, n->name, s->o.rules, kube_lease_term(s->o.lease), now_sec))
		return false;
	if (n->ending || n->judging || clock_monotonic_usec() < n->retry_usec)
		return true;
	publish_event(s->o.publisher, n, true, "NodeAttestationRefused", r.message);
	log_info(1, "A node is denied", LOG_STR("node", n->name),
		LOG_STR("reason", reason_name(r.reason)));
	publish_end(s->o.publisher, n, &r);
	return true;
}

/* Returns whether something is written. */
static bool review(struct sweeper *s, struct node *n, int64_t now_sec)
{
	_cleanup_buf_ struct buf detail = BUF_INIT(DETAIL_MAX);
	struct record r;

	if (!s->o.trust || n->ending || n->judging || clock_monotonic_usec() < n->retry_usec ||
		!review_node(&s->reviewer, n, kube_lease_term(s->o.lease), now_sec, &r, &detail))
		return false;
	if (r.standing != n->record.standing)
		publish_event(s->o.publisher, n, r.standing == RECORD_REFUSED,
			r.standing == RECORD_REFUSED ? "NodeAttestationRefused" : "NodeAttested",
			r.message[0] ? r.message
				     : "new collateral: the platform is accepted again");
	log_info(1, "New collateral changes what is said of a node", LOG_STR("node", n->name),
		LOG_STR("verdict", record_standing_name(r.standing)),
		LOG_STR("reason", reason_name(r.reason)));
	publish_turn(s->o.publisher, n, &r, buf_view(&detail));
	return true;
}

static void warn_of_end(struct sweeper *s, struct node *n, int64_t now_sec)
{
	const struct record *r = &n->record;
	char until[CLOCK_RFC3339_MAX], note[256];

	if (!was_accepted(r) || !record_holds(r, n->seen.uid, now_sec) ||
		r->valid_until_sec - now_sec >=
			s->o.rules->validity_sec / CENSUS_LAPSING_FRACTION ||
		n->warned_sec == r->valid_until_sec)
		return;
	n->warned_sec = r->valid_until_sec;
	clock_format(until, r->valid_until_sec);
	snprintf(note, sizeof(note),
		"the verdict ends at %s and no new evidence has come; see the node agent's log and "
		"status",
		until);
	publish_event(s->o.publisher, n, true, "NodeAttestationExpiring", note);
}

static void put_right(
	struct sweeper *s, struct node *n, bool at_once, int64_t now_usec, int64_t now_sec)
{
	struct marks want;

	marks_of(&want, &n->record, &n->seen, now_sec, s->o.taint);
	if (marks_in_place(&n->seen, &want) && marks_taint_in_place(&n->seen, &want)) {
		n->drift_usec = 0;
		return;
	}
	if (!n->drift_usec)
		n->drift_usec = now_usec;
	if (at_once || now_usec - n->drift_usec >= SETTLE_USEC)
		publish_marks(s->o.publisher, n, now_sec);
}

static void sweep_node(struct sweeper *s, struct node *n, int64_t now_usec, int64_t now_sec)
{
	bool over = n->exists && must_end(n, now_sec);

	if (!n->exists) {
		if (!n->drift_usec)
			n->drift_usec = now_usec;
		if (now_usec - n->drift_usec >= GONE_USEC)
			publish_removal(s->o.publisher, n);
		return;
	}
	/* Somebody leads in a later term, or this one's number is raised in a moment. */
	if (n->recorded && n->record.epoch > kube_lease_term(s->o.lease))
		return;
	if (n->recorded && waive(s, n, now_sec))
		return;
	if (over)
		end_verdict(s, n, now_sec);
	else if (n->recorded && deny(s, n, now_sec))
		return; /* what that puts on the Node, the next sweep does */
	else if (n->recorded && review(s, n, now_sec))
		return;
	warn_of_end(s, n, now_sec);
	put_right(s, n, over, now_usec, now_sec);
}

/* Returns whether it came to the end. */
static bool sweep(struct sweeper *s)
{
	int64_t now_usec = clock_monotonic_usec(), now_sec = clock_unix_usec() / USEC_PER_SEC;
	struct node *next;

	if (!nodes_synced(s->o.nodes))
		return true;
	for (struct node *n = nodes_first(s->o.nodes); n; n = next) {
		next = n->hh.next;
		if (!kube_lease_leading(s->o.lease))
			return true;
		if (publisher_busy(s->o.publisher) >= BUSY_MAX)
			return false;
		sweep_node(s, n, now_usec, now_sec);
	}
	return true;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct sweeper *s = ctx;
	bool done = true;

	(void)usec;
	if (kube_lease_leading(s->o.lease))
		done = sweep(s);
	sd_event_source_set_time_relative(source, done ? SWEEP_USEC : MORE_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void sweeper_begin(struct sweeper *s)
{
	sd_event_source_set_time_relative(s->timer, 0);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

int sweeper_new(struct sweeper **ret_s, const struct sweeper_options *o, struct error *err)
{
	_cleanup_(sweeper_free_p) struct sweeper *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_oom(err);
	s->o = *o;
	s->reviewer.trust = o->trust;
	r = sd_event_add_time_relative(
		o->event, &s->timer, CLOCK_MONOTONIC, SWEEP_USEC, 0, on_timer, s);
	if (r < 0)
		return error_set(err, r, "a timer of the verifier: %s", strerror(-r));
	*ret_s = TAKE_PTR(s);
	return 0;
}

void sweeper_free(struct sweeper *s)
{
	if (!s)
		return;
	sd_event_source_disable_unref(s->timer);
	free(s);
}
