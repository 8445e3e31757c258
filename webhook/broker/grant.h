/* SPDX-License-Identifier: Apache-2.0
 *
 * May this requester have this key? A pure function of configuration, profiles, what evidence
 * proved, whom the tokens name, and (where the node's agent asks) the live Pod. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/json.h"
#include "common/tee/reason.h"
#include "webhook/broker/proven.h"
#include "webhook/policy/policy.h"

struct key_id; /* common/kbs/key_id.h */

/* Whom the tokens name; all "" when there was none. */
struct requester {
	char namespace_[64], service_account[254], pod[254], pod_uid[64];
	char container[64];           /* as the agent says it; bound by the evidence */
	char node[254], node_uid[64]; /* the agent's, when it terminates; else "" */
};

struct grant_request {
	const struct policy_config *config;
	const struct profile_set *profiles;
	const struct key_id *id;
	const struct proven *proven;
	const struct requester *who;
	struct json_val pod; /* the live Pod, with its status; missing unless agent-terminated */
	struct span image;   /* manifest digest to unwrap a layer's key for; SPAN_NONE otherwise */
	bool allow_simulated, allow_sample; /* configuration's consents */
	int64_t now_sec;                    /* Unix */
};

/* Judges by rules that each have a reason of their own: the namespace is enabled and the
 * requester's; the profile exists and is valid; it has the key; what was proved is within
 * spec.attestation; one of the key's identities matches; spec.keys[].grant holds; and where the
 * node's agent asks, the pod is as spec.workload says (workload_match.h). 0 with *ret_reason Ok and
 * "", or why not and a message in a that names the profile's field and what differs, and no secret;
 * -ENOMEM. */
int grant_decide(const struct grant_request *q, struct arena *a, enum reason *ret_reason,
	const char **ret_message);

/* Is v what was proved: an identity's member for that kind of TEE (its `sgx`, `tdx`, …)? 1, 0;
 * -ENOMEM of a. */
int grant_is(const struct proven *p, struct json_val v, struct arena *a);

enum { GRANT_FINDINGS_MAX = 20 };
enum grant_state { GRANT_HOLDS, GRANT_FAILS, GRANT_UNJUDGED /* it rests on one that failed */ };

/* What came of one rule. */
struct grant_finding {
	const char *rule; /* what holds when it does, in words; a literal */
	enum grant_state state;
	enum reason reason;  /* of one that fails; else Ok */
	const char *message; /* and in words, in the arena; else "" */
};

/* The same rules, all of them: those too that come after one that fails, as far as they do not rest
 * on it. None fails exactly when grant_decide() says Ok, and the first that fails is what it says.
 * How many there are; -ENOMEM. */
int grant_explain(const struct grant_request *q, struct arena *a,
	struct grant_finding ret[GRANT_FINDINGS_MAX]);
