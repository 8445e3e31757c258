/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pod asks for: which TEE, by which of the ways to ask (annotations, a profile, a vendor's
 * resources, raw requests, a RuntimeClass), and whether these agree. Nothing here looks at what an
 * earlier mutation left as a mark; it reads only what the pod requests, so that a mutated pod asks
 * for the same again. */
#pragma once

#include "webhook/policy/pod.h"
#include "webhook/policy/policy.h"
#include "webhook/policy/resource.h"

/* Values of the annotations that policy reads; .p NULL: absent. */
struct annotations {
	struct span tee, profile, epc, containers, quote, status, intel_epc, intel_quote;
	struct span *epc_of;     /* casemate.dev/epc.<container>, one a container of the pod */
	struct span epc_unknown; /* a container so named that the pod does not have */
	bool any_epc_of;
};

struct ask {
	const struct policy_request *rq;
	struct arena *a;
	struct policy_result *res;
	struct pod pod;
	struct annotations ann;
	struct amounts *amounts;       /* one a container; values read when tee is not TEE_NONE */
	const struct profile *profile; /* the one that applies, valid; NULL: none */
	enum tee tee;                  /* TEE_NONE: asks for nothing */
	bool vendor; /* carries a vendor's EPC request, without a profile or casemate.dev/tee */
};

enum { ASK_REFUSED = 1 };

/* Fills k from rq->object (a pod or a pod template). 0, ASK_REFUSED (k->res says why), -ENOMEM. */
int ask_read(
	struct ask *k, const struct policy_request *rq, struct arena *a, struct policy_result *res);

/* policy_refuse that returns ASK_REFUSED. */
int ask_refuse(struct ask *k, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The annotation casemate.dev/containers: sets listed[i] of each container that it names (NULL:
 * only checks the names); nothing when it is absent. 0, ASK_REFUSED. */
int ask_listed(struct ask *k, bool *listed);

/* Refuses casemate.dev/keys in an ordinary init container. */
int ask_keys_in_init(struct ask *k, const struct container *c);
