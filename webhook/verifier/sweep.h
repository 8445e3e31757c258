/* SPDX-License-Identifier: Apache-2.0
 *
 * What the leader among the replicas does, and nobody else: verdicts whose time is over end, Nodes
 * that drifted from their verdict are put right, records of Nodes that are gone are removed.
 * Nothing rests on it: a verdict ends by its own time. On the loop's thread. A shell: it logs. */
#pragma once

#include "common/kube/lease.h"
#include "webhook/verifier/judge.h"
#include "webhook/verifier/publish.h"

struct sweeper;

struct sweeper_options {
	sd_event *event;
	struct kube_lease *lease;
	struct nodes *nodes;
	struct publisher *publisher;
	const struct judge_rules *rules; /* borrowed */
	bool taint;                      /* as publisher_options */
	struct trust *trust;             /* NULL: new collateral changes no verdict */
};

int sweeper_new(struct sweeper **ret_s, const struct sweeper_options *o, struct error *err);
void sweeper_free(struct sweeper *s); /* NULL allowed */
DEFINE_CLEANUP(struct sweeper *, sweeper_free)
/* Sweeps at once: leading has begun. */
void sweeper_begin(struct sweeper *s);
