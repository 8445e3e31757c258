/* SPDX-License-Identifier: Apache-2.0
 *
 * The metric families that are a view of a status:
 *
 *	casemate_agent_epc_bytes{kind,numa}           kind total: of each NUMA node; reserved,
 *	                                              requested, free: of the whole node, numa ""
 *	casemate_agent_platform_finding{check,state}  1 for the state that holds, 0 for the others
 *	casemate_agent_simulated                      1: nothing protects anything
 *	casemate_agent_attestation_state{state}       1 for the state that holds, 0 for the others
 *	casemate_agent_attestation_valid_until_timestamp_seconds
 *	                                              0: there is no verdict
 *
 * The number of series depends on the hardware alone, never on pods. */
#pragma once

#include "common/observe/metrics.h"
#include "nodeagent/status/status.h"

struct agent_metrics;

/* Registers them with m, which must outlive it. NULL: no memory. */
struct agent_metrics *agent_metrics_new(struct metrics *m);
void agent_metrics_free(struct agent_metrics *a); /* the series stay with m */
DEFINE_CLEANUP(struct agent_metrics *, agent_metrics_free)

/* From now on they say what s says. What is unknown has no series. On one thread at a time. */
void agent_metrics_set(struct agent_metrics *a, const struct status *s);
