/* SPDX-License-Identifier: Apache-2.0
 *
 * New collateral applied to the verdicts that stand, without asking the nodes: what the leader's
 * sweep does once for each node and state of the collateral. */
#pragma once

#include "common/tee/again.h"
#include "webhook/trust/trust.h"
#include "webhook/verifier/nodes.h"

struct reviewer {
	struct trust *trust;
	struct again again; /* of the collateral of that epoch; 0: of none yet */
	uint64_t epoch;
};

/* Does the collateral, as it is now, make another verdict of n's? Then ret is what becomes of it,
 * and detail has its members of the status. epoch: the leader's. Costs a comparison where both are
 * what they were the last time; collateral that is lacking is asked for. */
bool review_node(struct reviewer *w, struct node *n, int64_t epoch, int64_t now_sec,
	struct record *ret, struct buf *detail);
