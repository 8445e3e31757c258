/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/evidence/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/tee/snp_report.h"

const char *evidence_source_name(enum evidence_source s)
{
	static const char *const names[EVIDENCE_SOURCE_N] = {
		[EVIDENCE_NONE] = "none",
		[EVIDENCE_SIMULATED] = "simulator",
		[EVIDENCE_SGX] = "aesm",
		[EVIDENCE_TSM] = "tsm",
	};

	return names[s];
}

const char *evidence_result_name(int r)
{
	switch (r) {
	case 0:
		return "ok";
	case -EAGAIN:
	case -ENOENT:
	case -ETIMEDOUT:
		return "unavailable";
	case -EBADMSG:
	case -EMSGSIZE:
		return "broken";
	default:
		return "failed";
	}
}

static int make_simulated(const struct evidence_request *q, struct buf *ret, struct error *err)
{
	struct simulated what = q->simulated;

	memcpy(what.report_data, q->report_data, sizeof(what.report_data));
	return simulated_make(ret, &what, q->key, span_str(q->certificate), err);
}

/* The table is the host's, and nobody signed it: what is none must not cost the guest its report,
 * whose certificates the verifier may have from elsewhere. */
static int make_report(const struct evidence_request *q, struct buf *ret, struct error *err)
{
	_cleanup_buf_ struct buf table = BUF_INIT(TSM_AUXBLOB_MAX);
	char provider[TSM_PROVIDER_MAX];
	struct snp_certs certs;
	int r = tsm_report(q->tsm_root, q->report_data, ret, &table, provider, err);

	if (r < 0 || strcmp(provider, "sev_guest") != 0 || table.len == 0 ||
		snp_certs_parse(&certs, buf_view(&table), NULL) < 0)
		return r;
	return buf_span(ret, buf_view(&table)) < 0 ? error_oom(err) : 0;
}

int evidence_make(const struct evidence_request *q, struct buf *ret, struct error *err)
{
	if (q->source == EVIDENCE_SIMULATED)
		return make_simulated(q, ret, err);
	if (q->source == EVIDENCE_SGX)
		return sgx_evidence(&q->sgx, q->report_data, ret, err);
	if (q->source == EVIDENCE_TSM)
		return make_report(q, ret, err);
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
