/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/node/capacity_plan.h"

#include "common/base/clock.h"

enum {
	PLAN_FIRST_USEC = 200 * USEC_PER_MSEC,
	PLAN_MAX_USEC = 120 * USEC_PER_SEC,
	PLAN_QUIET_USEC = 300 * USEC_PER_SEC, /* above twice the maximum, which jitter can reach */
	PLAN_CARRY_USEC = 60 * USEC_PER_SEC,  /* kubelets look every 10 s */
	PLAN_FOREIGN_USEC = 600 * USEC_PER_SEC,
};

void capacity_plan_init(struct capacity_plan *p)
{
	*p = (struct capacity_plan){
		.want = -1,
		.seen = {.n = NODE_ABSENT},
		.written = NODE_ABSENT,
		.accepted = NODE_ABSENT,
		.former = NODE_ABSENT,
		.spacing =
			{
				.first_usec = PLAN_FIRST_USEC,
				.max_usec = PLAN_MAX_USEC,
				.quiet_usec = PLAN_QUIET_USEC,
			},
	};
}

void capacity_plan_want(struct capacity_plan *p, int64_t value)
{
	p->decided = true;
	if (value < 0)
		value = -1;
	if (value == p->want)
		return;
	p->want = value;
	p->contested = false;
	p->foreign_usec = 0;
	/* What is not wanted any more cannot be restored. */
	if (value < 0)
		p->loss = LOSS_NONE;
}

void capacity_plan_gone(struct capacity_plan *p)
{
	if (p->accepted >= 0 && p->want >= 0)
		p->loss = LOSS_NODE;
	p->known = false;
	p->seen = (struct node_amount){.n = NODE_ABSENT};
	p->written = p->accepted = p->former = NODE_ABSENT;
	p->foreign_usec = 0;
	p->contested = false;
}

static void accept_value(struct capacity_plan *p, int64_t now_usec)
{
	if (p->accepted >= 0 && p->accepted != p->seen.n) {
		p->former = p->accepted;
		p->former_until_usec = now_usec + PLAN_CARRY_USEC;
	}
	p->accepted = p->seen.n;
}

static enum capacity_news see_wanted(struct capacity_plan *p, int64_t now_usec)
{
	accept_value(p, now_usec);
	p->contested = false;
	p->restored = p->loss;
	p->loss = LOSS_NONE;
	return p->restored == LOSS_NONE ? NEWS_NONE : NEWS_RESTORED;
}

static enum capacity_loss judge(const struct capacity_plan *p, int64_t n, int64_t now_usec)
{
	if (n == 0)
		return LOSS_ZEROED;
	if (n >= 0 && n == p->former && now_usec < p->former_until_usec)
		return LOSS_OLD_VALUE;
	return n == NODE_ABSENT ? LOSS_REMOVED : LOSS_OVERWRITTEN;
}

enum capacity_news capacity_plan_see(
	struct capacity_plan *p, const struct node_amount *seen, int64_t now_usec)
{
	p->known = true;
	p->seen = *seen;
	if (p->want < 0) {
		if (seen->n == NODE_ABSENT)
			p->accepted = NODE_ABSENT;
		return NEWS_NONE;
	}
	if (seen->n == p->want)
		return see_wanted(p, now_usec);
	if (p->contested) {
		/* The other has given up, or its value went with the kubelet's start. */
		if (seen->n == NODE_ABSENT || seen->n == 0)
			p->contested = false;
		return NEWS_NONE;
	}
	/* What was wanted when the last write began. */
	if (seen->n >= 0 && seen->n == p->written) {
		accept_value(p, now_usec);
		return NEWS_NONE;
	}
	/* Never ours, still our last one (another is wanted since), or lost before. */
	if (p->accepted < 0 || seen->n == p->accepted || p->loss != LOSS_NONE)
		return NEWS_NONE;
	p->loss = judge(p, seen->n, now_usec);
	p->lost_to = *seen;
	if (p->loss != LOSS_OVERWRITTEN)
		return NEWS_NONE;
	if (!p->foreign_usec || now_usec - p->foreign_usec >= PLAN_FOREIGN_USEC) {
		p->foreign_usec = now_usec;
		return NEWS_NONE;
	}
	p->foreign_usec = now_usec;
	p->contested = true;
	return NEWS_CONTESTED;
}

/* Is what the Node has a value that we put there, or what became of one? */
static bool is_ours(const struct capacity_plan *p)
{
	if (p->seen.n == NODE_ABSENT)
		return false;
	return p->seen.ours || (p->accepted >= 0 && (p->seen.n == p->accepted || p->seen.n == 0));
}

int64_t capacity_plan_due(const struct capacity_plan *p)
{
	if (!p->decided || !p->known || p->contested)
		return CAPACITY_NEVER;
	if (p->want >= 0 ? p->seen.n == p->want : !is_ours(p))
		return CAPACITY_NEVER;
	return p->not_before_usec;
}

void capacity_plan_begin(struct capacity_plan *p, int64_t now_usec, uint32_t chance)
{
	p->written = p->want < 0 ? NODE_ABSENT : p->want;
	p->not_before_usec = now_usec + backoff_delay(&p->spacing, now_usec, chance);
}

void capacity_plan_reconnected(struct capacity_plan *p)
{
	p->not_before_usec = 0;
	backoff_restart(&p->spacing);
}
