/* SPDX-License-Identifier: Apache-2.0
 *
 * What the agent reads of its Node object (v1): who it is, and what it says of the capacities that
 * are ours to publish. Pure. */
#pragma once

#include "common/base/json.h"
#include "nodeagent/node/capacity.h"

/* Under this name the API server keeps what we wrote in metadata.managedFields. */
#define NODE_FIELD_MANAGER "casemate-nodeagent"

/* By a new value of this annotation, whatever it is, a person asks the node to prove itself now. */
#define NODE_ATTEST_ANNOTATION "casemate.dev/attest"

enum {
	NODE_UID_MAX = 63,
	NODE_MANAGER_MAX = 63,
	NODE_ASKED_MAX = 127,
	/* In place of an amount. */
	NODE_ABSENT = -1,
	NODE_UNREADABLE = -2,
};

struct node_amount {
	int64_t n;                        /* or NODE_ABSENT, NODE_UNREADABLE */
	bool ours;                        /* managedFields say that we set it */
	char other[NODE_MANAGER_MAX + 1]; /* who else did; "" when they do not say */
};

struct node_view {
	char uid[NODE_UID_MAX + 1];
	char asked[NODE_ASKED_MAX + 1]; /* the annotation, as JSON, cut; "": there is none */
	uint64_t version;               /* resourceVersion, which grows; 0: it cannot be compared */
	struct node_amount capacity[CAPACITY_KEY_N];
	int64_t allocatable[CAPACITY_KEY_N]; /* or NODE_ABSENT, NODE_UNREADABLE */
};

/* -EBADMSG: it has no uid, so it is no Node of an API server. */
int node_view_read(struct node_view *ret_v, struct json_val node);
