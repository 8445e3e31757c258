/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/evidence/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *evidence_source_name(enum evidence_source s)
{
	static const char *const names[EVIDENCE_SOURCE_N] = {
		[EVIDENCE_NONE] = "none",
		[EVIDENCE_SIMULATED] = "simulator",
		[EVIDENCE_SGX] = "aesm",
	};

	return names[s];
}

static int make_simulated(const struct evidence_request *q, struct buf *ret, struct error *err)
{
	struct simulated what = q->simulated;

	memcpy(what.report_data, q->report_data, sizeof(what.report_data));
	return simulated_make(ret, &what, q->key, span_str(q->certificate), err);
}

int evidence_make(const struct evidence_request *q, struct buf *ret, struct error *err)
{
	if (q->source == EVIDENCE_SIMULATED)
		return make_simulated(q, ret, err);
	if (q->source == EVIDENCE_SGX)
		return sgx_evidence(&q->sgx, q->report_data, ret, err);
	return error_set(err, -ENOTSUP,
		"this node has no source of evidence: see its findings for what is missing");
}

void evidence_request_move(struct evidence_request *to, struct evidence_request *from)
{
	*to = *from;
	*from = (struct evidence_request){0};
}

void evidence_request_free(struct evidence_request *q)
{
	EVP_PKEY_free(q->key);
	free(q->certificate);
	*q = (struct evidence_request){0};
}
