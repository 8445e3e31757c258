/* SPDX-License-Identifier: Apache-2.0
 *
 * One piece of evidence that is to be made: everything that takes, by value, so that a worker thread
 * shares nothing with the loop. */
#pragma once

#include <openssl/evp.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/observe/metrics.h"
#include "common/tee/evidence.h"
#include "nodeagent/evidence/sgx.h"
#include "nodeagent/evidence/tsm.h"

enum evidence_source {
	EVIDENCE_NONE, /* this node can make none */
	EVIDENCE_SIMULATED,
	EVIDENCE_SGX, /* by AESM */
	EVIDENCE_TSM, /* by configfs-tsm: this node is a TDX or SNP guest */
	EVIDENCE_SOURCE_N
};
/* "simulator", as in casemate_agent_quotes_total. */
const char *evidence_source_name(enum evidence_source s);
/* What evidence_make() came to, as there: "ok", "unavailable" (nobody answers), "broken" (what came
 * is nonsense), "failed". */
const char *evidence_result_name(int r);

enum { TSM_ROOT_MAX = 256 };

struct evidence_request {
	enum evidence_source source;
	unsigned char report_data[64];
	struct metric *quotes; /* casemate_agent_quotes_total; borrowed; NULL: not counted */

	/* EVIDENCE_SIMULATED: what is signed, but for the report data; the key and its
	 * certificate (PEM). Owned. */
	struct simulated simulated;
	EVP_PKEY *key;
	char *certificate;

	struct sgx_source sgx;       /* EVIDENCE_SGX */
	char tsm_root[TSM_ROOT_MAX]; /* EVIDENCE_TSM: TSM_ROOT as the agent sees it */
};

/* Blocks until the evidence is there, in its own format: a quote, a report with the certificate
 * table that an SNP host gave (an "extended" report), a simulated document. -errno with what went
 * wrong and what to do; -EAGAIN when trying again may help. */
int evidence_make(const struct evidence_request *q, struct buf *ret, struct error *err);

/* Moves the contents; from is empty afterwards. */
void evidence_request_move(struct evidence_request *to, struct evidence_request *from);
void evidence_request_free(struct evidence_request *q); /* what it owns */
#define _cleanup_evidence_request_ _cleanup_(evidence_request_free)
