/* SPDX-License-Identifier: Apache-2.0
 *
 * Is there a node that a confidential pod could run on, as the verifier judged them? A summary of all
 * NodeAttestations; time is the request's. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/tee/reason.h"
#include "webhook/policy/tee.h"

/* A NodeAttestation's status, as far as admission looks at it. */
struct node_verdict {
	struct span platform; /* "sgx", "tdx-host", "simulated", … */
	struct span verdict;  /* "Attested", … */
	struct span reason;
	int64_t valid_until; /* Unix seconds; 0: not said */
};

struct verdict_summary {
	int64_t until; /* when the last good verdict ends; 0: there was none */
	unsigned nodes, bad;
	enum reason why; /* of the last node that is of this kind and not good */
};

struct verdicts {
	struct verdict_summary tee[TEE_N];
	int64_t simulated_until; /* of nodes that simulate; they stand for each TEE */
};

/* Adds one node. What is not understood is not good. */
void verdicts_add(struct verdicts *v, const struct node_verdict *n);

/* May a pod of this TEE be created at now? Else *ret_why says why not. simulated: allowSimulated. */
bool verdicts_allow(const struct verdicts *v, enum tee tee, bool simulated, int64_t now_sec,
	enum reason *ret_why);
