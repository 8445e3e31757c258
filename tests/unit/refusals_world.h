/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole broker, as who wants a key meets it: handshake, attestation and request over HTTP, with
 * genuine (simulated and synthetic) evidence, an API server that is asked about tokens, nodes and
 * pods, a store with a key. An attack is the one thing that is different. */
#pragma once

#include "tests/tee/intel_world.h"
#include "tests/unit/grant_world.h"
#include "tests/unit/simulated_fix.h"
#include "webhook/broker/deny.h"
#include "webhook/broker/rates.h"

/* The keys' bytes, which no answer may hold. */
#define REFUSALS_SECRET "these are the bytes of the key"

struct refusals; /* the broker of one row */

/* What one row's attacker has and does. First that of somebody who gets the key. */
struct attack {
	/* What is set up. */
	const char *profile, *pod; /* patches of both (grant_world.h); NULL: none */
	const char *enclave;       /* the profile for enclaves; NULL: the usual */
	const char *record;        /* status of n1's NodeAttestation; NULL: there is none */
	bool config_simulated;     /* configuration's consent */
	bool allow_sample;
	const char *denied[DENY_KINDS];
	const char *namespace_uid; /* "" : the namespace is not enabled */
	struct tee_intel sgx;
	struct simulated what;     /* of simulated evidence */
	const char *certified_uid; /* the node's whose the simulated certificate is */
	bool own_root;             /* simulated: of a root that nobody trusts */
	enum rate_kind busy;       /* has used up what it may ask, for longer than a test lasts: */
	const char *busy_name;     /* NULL: nobody */

	/* What is asked. */
	const char *tee;                                /* of the session */
	const char *evidence;                           /* "simulated", "sgx", "sample" */
	const char *key;                                /* NAMESPACE/PROFILE/KEY */
	const char *node_token, *pod_token, *container; /* names of tokens; NULL: none */
	const char *bound_pod_token; /* that the evidence is bound to; NULL: the same */
	bool unbound;                /* the evidence is bound to no tokens */
	bool dropped;                /* the tokens that it is bound to do not come */
	bool other_key;              /* another tee-pubkey comes than the evidence is bound to */
	bool other_nonce;            /* the evidence is bound to the nonce of another session */
	bool other_session;          /* the nonce of another session comes, with its evidence */
	bool twice;                  /* the whole attestation is sent again */
	/* After the attestation, before the key is asked for; NULL: nothing. */
	void (*then)(struct refusals *w, struct attack *a);
	const char *cookie, *bearer; /* in place of what the broker gave; "": none */
};

struct refusals_row {
	const char *attack;
	void (*change)(struct attack *a); /* NULL: by the patch of the pod alone */
	const char *pod;
	enum reason reason;
};

/* Runs each, prints it with what became of it; how many were refused. */
unsigned refusals_run(const struct refusals_row *rows, size_t n);

/* For then: the node's verdict, the pod, namespace and profile change. */
void refusals_record(struct refusals *w, const char *record);
void refusals_pod(struct refusals *w, const char *patch);
void refusals_owner(struct refusals *w, const char *namespace_uid, const char *profile_uid);
void refusals_deny(struct refusals *w, enum deny_kind kind, const char *entry);
void refusals_loosen(struct refusals *w, const char *patch);

#define REFUSALS_RECORD(verdict, reason, platform, id, uid, until)                                 \
	"{\"nodeUID\":\"" uid "\",\"platform\":\"" platform "\",\"platformID\":\"" id              \
	"\",\"verdict\":\"" verdict "\",\"reason\":\"" reason                                      \
	"\",\"message\":\"\",\"validUntil\":\"" until "\"}"
#define REFUSALS_PLATFORM "ab010000000000000000000000000000"
#define REFUSALS_GOOD                                                                              \
	REFUSALS_RECORD("Simulated", "Simulated", "simulated", REFUSALS_PLATFORM, "nu1",           \
		"2099-01-01T00:00:00Z")

/* The profile for enclaves, with these identities and keys. */
#define REFUSALS_ENCLAVE(attestation, identities, keys)                                            \
	"{'apiVersion':'casemate.dev/v1alpha1','kind':'EnclaveProfile','metadata':"                \
	"{'namespace':'shop','name':'enclave','uid':'u1'},'spec':{'tee':'sgx','attestation':"      \
	"{" attestation "},'identities':[" identities "],'keys':[" keys "]}}"
