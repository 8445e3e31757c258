/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps capacities of this agent's own Node true: status.capacity of sgx.intel.com/epc,
 * tdx.intel.com/keys, sev-snp.amd.com/esids. Watches the Node and writes on a difference alone:
 * after a kubelet that zeroed it, a Node made anew, a stray writer. Two writes of others within ten
 * minutes are a second publisher: it stops and says so. When: capacity_plan.h. On the loop's
 * thread. */
#pragma once

#include "common/base/json.h"
#include "common/kube/client.h"
#include "common/kube/event.h"
#include "common/observe/metrics.h"

struct capacity;

enum capacity_key { CAPACITY_EPC, CAPACITY_TDX_KEYS, CAPACITY_SNP_ESIDS, CAPACITY_KEY_N };
const char *capacity_key_name(enum capacity_key k); /* "sgx.intel.com/epc" */

enum capacity_state {
	CAPACITY_UNKNOWN,   /* the Node has not been seen yet */
	CAPACITY_PUBLISHED, /* what the Node says is what was set */
	CAPACITY_PENDING,   /* a write is under way or waits to be tried again */
	CAPACITY_CONTESTED, /* a second publisher; nothing is written until the capacity is removed,
			     * zeroed by a kubelet, or as it was set, until a change of what is to
			     * be published, or a restart */
};

struct capacity_options {
	const char *node; /* name */
	/* EpcRepublished, CapacityRepublished (slots), CapacityContested; NULL: none. */
	struct kube_event_recorder *events;
	struct metrics *metrics; /* NULL: none */
	/* State, problem, connection or the Node's identity changed; NULL allowed. */
	void (*changed)(void *ctx);
	/* A person asks the node to prove itself (NODE_ATTEST_ANNOTATION has a new value). NULL:
	 * nobody is told. */
	void (*asked)(void *ctx);
	void *ctx;
};
int capacity_new(struct capacity **ret_c, struct kube_client *kube,
	const struct capacity_options *o, struct error *err);
void capacity_free(struct capacity *c); /* leaves the Node as it is */
DEFINE_CLEANUP(struct capacity *, capacity_free)

/* What the Node is to have: value < 0: nothing of ours (an own earlier key is removed, also that of
 * an earlier run, a stranger's left alone). What was never set is not touched. */
void capacity_set(struct capacity *c, enum capacity_key k, int64_t value);

enum capacity_state capacity_state(const struct capacity *c);
const char *capacity_problem(const struct capacity *c); /* "" or what a person should do */
bool capacity_connected(const struct capacity *c);      /* to the API server */
const char *capacity_connection_problem(const struct capacity *c); /* "" or why it is not */
const char *capacity_node_uid(const struct capacity *c);           /* "" until known */
int64_t capacity_allocatable(const struct capacity *c, enum capacity_key k); /* -1: not there */
