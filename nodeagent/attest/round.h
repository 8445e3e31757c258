/* SPDX-License-Identifier: Apache-2.0
 *
 * One round: token and CA are read, a challenge is asked for, evidence made for it and sent; it
 * ends in a verdict or in why there is none. Private to attest.c. */
#pragma once

#include "nodeagent/attest/attest.h"
#include "nodeagent/attest/message.h"
#include "nodeagent/attest/token.h"
#include "nodeagent/evidence/job.h"

struct round;

/* What this node is, in the protocol's words, and what it can prove that with. */
struct round_platform {
	const char *name; /* "sgx", "tdx-host", …; a literal; "": none, there is nothing to prove */
	const char *tee; /* what a simulated one pretends to be: "sgx"; "" */
	enum evidence_source source;
	struct sgx_source sgx;        /* EVIDENCE_SGX */
	char tsm_root[TSM_ROOT_MAX];  /* EVIDENCE_TSM */
	int64_t epc_bytes, cvm_slots; /* -1: none */
};
/* Guests before SGX before hosts: the strongest that the node can prove. sysroot: before the host's
 * paths. sgx_evidence: the evidence enclave may be loaded; without, a host of VMs is none of SGX,
 * and any other SGX host has EVIDENCE_NONE. */
void round_platform_of(struct round_platform *ret, const struct platform *p, const char *sysroot,
	bool sgx_evidence);
bool round_platform_same(const struct round_platform *a, const struct round_platform *b);

struct round_options {
	sd_event *event;
	struct loop_queue *queue;
	const char *url, *ca_file, *token_file, *node;
	struct metric *quotes; /* casemate_agent_quotes_total{source,result}; NULL: not counted */
	void (*phase)(void *ctx, enum attest_phase phase);
	/* The end, once, unless cancelled; the round is free then. verdict NULL: none, for err;
	 * retry_after: seconds that the verifier asks to be left alone, -1 when it does not. */
	void (*done)(void *ctx, const struct attest_verdict *verdict, int64_t retry_after,
		const struct error *err);
	void *ctx;
};

/* The keys of this run of the agent: what verdicts and later key releases are bound to, and what a
 * simulated TEE signs with. */
struct round_keys {
	EVP_PKEY *key, *simulated_key;
	char *simulated_certificate; /* PEM; NULL until the verifier gave one */
	char certified_uid[64];      /* the node that it was given for */
};
int round_keys_new(struct round_keys *k, struct error *err);
void round_keys_free(struct round_keys *k);

/* Fills q, but for its report data, with what this platform's evidence takes. -EAGAIN: a simulated
 * TEE without a certificate; -ENOMEM. */
int round_evidence(struct evidence_request *q, const struct round_platform *p,
	const struct round_keys *keys, const struct token_claims *claims);

/* o's strings, keys and platform are borrowed until the end. No callback runs before this returns.
 */
int round_start(struct round **ret, const struct round_options *o, struct round_keys *keys,
	const struct round_platform *platform, struct error *err);
void round_cancel(struct round *r); /* NULL allowed; no callback after this */
