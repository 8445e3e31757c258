/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves to the cluster's verifier what this node is, again and again: challenge, evidence, verdict
 * (common/tee/protocol.h). Token and CA files are read anew for each round. A round that fails is
 * tried again with backoff, and what the last verdict said holds until its own end. On the loop's
 * thread. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/observe/metrics.h"
#include "nodeagent/attest/state.h"
#include "nodeagent/evidence/job.h"
#include "nodeagent/platform/platform.h"

struct attest;

enum {
	ATTEST_ROUND_MAX_SEC = 300, /* then the round is given up: AESM's first quote is slow */
	ATTEST_RETRY_MAX_SEC = 300,
	ATTEST_AGAIN_DEFAULT_SEC = 6 * 3600, /* where the verifier does not say */
	ATTEST_GAP_SEC = 10, /* between rounds that are asked for, however often */
};

struct attest_options {
	sd_event *event;
	const char *url;        /* of the verifier: "https://casemate-verifier.casemate-system.svc" */
	const char *ca_file;    /* PEM: who signs the verifier's certificate; nothing else is trusted */
	const char *token_file; /* projected, with the audience casemate.dev */
	const char *node;       /* this agent's Node */
	const char *sysroot;    /* where the host's tree is; NULL or "/": here */
	bool no_sgx_evidence;   /* the evidence enclave cannot be loaded here */
	int64_t start_usec;     /* the first round is at a random moment within this */
	int64_t gap_usec;       /* between two rounds at least, when attest_now() asks for one */
	/* casemate_agent_attestation_rounds_total{result}: a verdict's name, or "failed". NULL: not
	 * counted. */
	struct metrics *metrics;
	struct metric *quotes; /* casemate_agent_quotes_total{source,result}; NULL: not counted */
	/* state, reason, problem or phase changed. */
	void (*changed)(void *ctx);
	void *ctx;
};

/* Strings are copied. Nothing happens before attest_platform(). -EINVAL: no URL of https (or of http
 * on the loopback, for tests). */
int attest_new(struct attest **ret, const struct attest_options *o, struct error *err);
void attest_free(struct attest *a); /* NULL allowed */
DEFINE_CLEANUP(struct attest *, attest_free)

/* What this node has; a change begins a new round. p is read during the call. */
void attest_platform(struct attest *a, const struct platform *p);
/* A round soon, as the first one, whatever the time; while one is under way, another after it: what
 * changed may be too late for that one. */
void attest_now(struct attest *a);
/* What the cluster knew before this agent started; forgotten when there is a verdict already. */
void attest_recall(struct attest *a, enum attest_state state, const char *reason,
	const char *message, int64_t valid_until);

/* Valid until the next turn of the loop. */
struct attest_view attest_view(const struct attest *a);
/* May pods get confidential devices: the verdict is one of trust and not over. */
bool attest_good(const struct attest_view *v, int64_t now_sec);

/* What this node proves itself to be where keys are asked for, in the key broker's words: "tdx",
 * "snp", "simulated"; "": nothing that an agent is given keys for. */
const char *attest_tee(const struct attest *a);
/* Evidence of this node with that report data, as evidence_start() has it. -EAGAIN: no verifier has
 * met this node's simulated TEE yet. */
int attest_bind(struct attest *a, const unsigned char report_data[64], struct evidence_job **ret,
	evidence_done done, void *ctx, struct error *err);
