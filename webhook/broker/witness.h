/* SPDX-License-Identifier: Apache-2.0
 *
 * What the API server says of who asks: whose the tokens are, whether the agent's node has a
 * verdict that holds, and the live Pod. On the loop's thread. */
#pragma once

#include "common/base/json.h"
#include "common/kbs/rcar.h"
#include "common/kube/client.h"
#include "common/net/caller.h"
#include "common/tee/reason.h"
#include "webhook/broker/grant.h"
#include "webhook/verifier/record.h"

struct witness;

enum { WITNESS_TOKEN_SEC = 600 /* how old a token may be */ };

struct witness_options {
	struct kube_client *kube;  /* NULL: outside a cluster, where no agent is believed */
	struct caller_judge judge; /* tokens for PROTOCOL_AUDIENCE */
	const char *agent;         /* "system:serviceaccount:NAMESPACE:NAME"; copied */
};

int witness_new(struct witness **ret_w, const struct witness_options *o, struct error *err);
void witness_free(struct witness *w); /* NULL allowed; nobody may be waiting */
DEFINE_CLEANUP(struct witness *, witness_free)

struct testimony {
	enum reason reason;  /* Ok, or why not */
	const char *message; /* unless Ok */
	struct requester who;
	struct record node; /* of the agent's node; zero without an agent */
};
typedef void (*witness_done)(void *ctx, const struct testimony *t);

/* Does the record say that this node is attested, or simulated, now? Else *ret_reason and err. A
 * verdict that was waived is none for keys. Pure. */
bool witness_node_holds(const struct record *r, const char *node, const char *node_uid,
	int64_t now_sec, enum reason *ret_reason, struct error *err);

/* Whose tokens are these? Copies them. NULL: out of memory. Nothing happens before witness_go(). */
struct witness_call;
struct witness_call *witness_ask(struct witness *w, const struct rcar_requester *r, int64_t now_sec,
	witness_done done, void *ctx);
/* The same of an agent's token alone, whatever its node was judged to be. */
struct witness_call *witness_agent(
	struct witness *w, struct span node_token, witness_done done, void *ctx);
/* Asks. done runs exactly once unless cancelled, perhaps before this returns; c is no more then. */
void witness_go(struct witness_call *c);
/* Does the verdict of who's node still hold? For sessions, which outlive it. As witness_ask(); the
 * testimony's who is the same. */
struct witness_call *witness_node(struct witness *w, const struct requester *who, int64_t now_sec,
	witness_done done, void *ctx);

/* pod is missing unless reason is Ok; valid during the call. */
typedef void (*witness_pod_done)(
	void *ctx, struct json_val pod, enum reason reason, const char *message);
/* The requester's Pod as it is now. done runs later. */
struct witness_call *witness_pod(struct witness *w, const struct requester *who,
	witness_pod_done done, void *ctx, int *ret_r);
/* The namespace's Pods on that node, as an array. done runs later. */
struct witness_call *witness_pods(struct witness *w, const char *namespace_, const char *node,
	witness_pod_done done, void *ctx, int *ret_r);
void witness_cancel(struct witness_call *c); /* no done after this; NULL allowed */
