/* SPDX-License-Identifier: Apache-2.0
 *
 * What metrics tell of the fleet's verdicts: how many of each, for what reasons, how old they and
 * their TCBs are, when the first of them ends. By what holds at that moment, whether a record says
 * so already or not. On the loop's thread. */
#pragma once

#include "common/observe/metrics.h"
#include "webhook/verifier/judge.h"
#include "webhook/verifier/nodes.h"

/* Of the validity is left: an agent should have come long ago. */
enum { CENSUS_LAPSING_FRACTION = 5 };

struct census;

int census_new(struct census **ret_c, struct metrics *m, struct error *err);
void census_free(struct census *c); /* NULL allowed */
DEFINE_CLEANUP(struct census *, census_free)
void census_take(
	struct census *c, struct nodes *nodes, const struct judge_rules *rules, int64_t now_sec);
