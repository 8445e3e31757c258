/* SPDX-License-Identifier: Apache-2.0
 *
 * When one capacity of the Node has to be written, and when another writes it as well. Pure: what
 * the Node says, the time and chance are arguments.
 *
 * Who wrote is judged by the value alone. 0 is the kubelet's: it sets every extended resource to
 * that when it registers without a checkpoint. A value that we had published a moment ago is
 * somebody's older copy of the Node. Who removes it publishes nothing. Any other is a second
 * publisher's. */
#pragma once

#include "common/net/backoff.h"
#include "nodeagent/node/node_view.h"

/* How a published value was lost. */
enum capacity_loss {
	LOSS_NONE,
	LOSS_NODE, /* the Node is a new one */
	LOSS_ZEROED,
	LOSS_OLD_VALUE,
	LOSS_REMOVED,
	LOSS_OVERWRITTEN,
};

enum capacity_news {
	NEWS_NONE,
	NEWS_RESTORED,  /* published again after a loss, capacity_plan.restored */
	NEWS_CONTESTED, /* there is a second publisher */
};

#define CAPACITY_NEVER INT64_MAX

struct capacity_plan {
	bool decided; /* something is wanted, or nothing; before that nothing is touched */
	int64_t want; /* < 0: nothing of ours */
	bool known;   /* the Node was seen: */
	struct node_amount seen;
	int64_t written;  /* by the last write that began, NODE_ABSENT: none or a removal */
	int64_t accepted; /* the value of ours that the Node had last, NODE_ABSENT: none */
	int64_t former;   /* the one before it, */
	int64_t former_until_usec; /* which copies may carry until then */
	enum capacity_loss loss;   /* of what was accepted; not made good yet */
	enum capacity_loss restored;
	struct node_amount lost_to; /* what was there instead */
	int64_t foreign_usec;       /* a second publisher's last write; 0: none */
	bool contested;             /* by it: nothing is written */
	int64_t not_before_usec;    /* of the next write */
	struct backoff spacing;
};

void capacity_plan_init(struct capacity_plan *p);

/* What the Node is to have. A change forgets the second publisher. */
void capacity_plan_want(struct capacity_plan *p, int64_t value);

/* There is no Node, or it is another one than before. */
void capacity_plan_gone(struct capacity_plan *p);

/* The Node says this now; in the order of its versions. */
enum capacity_news capacity_plan_see(
	struct capacity_plan *p, const struct node_amount *seen, int64_t now_usec);

/* When to write the capacity (or, when nothing of ours is wanted, to remove it): at once when that
 * is past, CAPACITY_NEVER when it is as it should be. */
int64_t capacity_plan_due(const struct capacity_plan *p);

/* A write begins. The first comes at once, those that follow closely, for whatever reason, are
 * spaced: no cause can make 15,000 agents write all the time. */
void capacity_plan_begin(struct capacity_plan *p, int64_t now_usec, uint32_t chance);

/* The API server is back: what failed while it was away says nothing. */
void capacity_plan_reconnected(struct capacity_plan *p);
