/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever is read as a quote lies within its bytes, and says the same without what was dropped. */
#include "common/tee/quote.h"

#include <stdlib.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void within(struct span all, const void *p, size_t n)
{
	size_t at = (size_t)((const char *)p - all.p);

	must(at <= all.len && n <= all.len - at);
}

static void check_body(const struct quote *q)
{
	if (!q->tdx) {
		within(q->body, q->sgx.report_data, 64);
		for (size_t i = 0; i < sizeof(q->sgx.reserved) / sizeof(q->sgx.reserved[0]); i++)
			within(q->body, q->sgx.reserved[i].p, q->sgx.reserved[i].len);
		return;
	}
	within(q->body, q->td.report_data, 64);
	within(q->body, q->td.rtmr[3], 48);
	must((q->td.mrservicetd != NULL) == (q->body.len == TD15_REPORT_BODY));
	if (q->td.mrservicetd)
		within(q->body, q->td.mrservicetd, 48);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = {(const char *)data, size};
	struct quote q, again;
	struct error err = {0};
	enum reason reason = REASON_Ok;

	if (quote_parse(&q, bytes, &reason, &err) < 0) {
		must(reason == REASON_Malformed || reason == REASON_UnsupportedVersion);
		must(err.message[0] != '\0');
		return 0;
	}
	within(bytes, q.bytes.p, q.bytes.len);
	within(q.bytes, q.signed_part.p, q.signed_part.len);
	within(q.signed_part, q.body.p, q.body.len);
	within(q.bytes, q.signature, 64);
	within(q.bytes, q.attestation_key, 64);
	within(q.bytes, q.qe_report.p, SGX_REPORT_BODY);
	within(q.bytes, q.qe_signature, 64);
	within(q.bytes, q.qe_auth.p, q.qe_auth.len);
	must(q.cert_data.p + q.cert_data.len == q.bytes.p + q.bytes.len);
	must(q.cert_type >= 1 && q.cert_type <= 5);
	check_body(&q);
	must(quote_parse(&again, q.bytes, &reason, NULL) == 0);
	must(span_equal(again.bytes, q.bytes));
	must(q.bytes.len == 0 ||
		quote_parse(&again, (struct span){q.bytes.p, q.bytes.len - 1}, &reason, NULL) < 0);
	return 0;
}
