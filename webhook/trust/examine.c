/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/trust/examine.h"

#include <errno.h>

void examination_free(struct examination *e)
{
	if (e->opened)
		evidence_free(&e->evidence);
	e->opened = false;
}

void examine(const struct examiner *x, struct span text, const unsigned char report_data[64],
	int64_t now_sec, struct examination *ret)
{
	struct verify_policy policy = *x->policy;
	const struct verify_input in = {.evidence = &ret->evidence,
		.collateral = x->collateral,
		.policy = &policy,
		.time = now_sec};
	enum reason reason = REASON_Internal;
	struct error err = {0};

	*ret = (struct examination){.verdict.tcb = TCB_STATUS_N};
	if (evidence_open(&ret->evidence, text, &reason, &err) < 0) {
		verdict_refuse(&ret->verdict, err.code == -ENOMEM ? REASON_Internal : reason, "%s",
			err.message);
		return;
	}
	ret->opened = true;
	policy.report_data = report_data;
	/* A node that runs something that nobody listed may be genuine and lie: any enclave quotes
	 * any report data, any guest boots. What is simulated proves nothing anyway. */
	policy.measurements_required =
		!x->measurements_elsewhere && ret->evidence.tee != TEE_TYPE_SIMULATED;
	verify(&in, x->cache, &ret->verdict);
}
