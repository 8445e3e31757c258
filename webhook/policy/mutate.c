/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_mutate: what the pod asks for, then a plan, then the plan as a patch. */
#include <errno.h>

#include "webhook/policy/policy.h"
#include "webhook/policy/rewrite.h"

static void warn_no_epc(struct ask *k)
{
	policy_warn(k->res, k->a,
		"annotation %s removed: it says how much EPC the pod has, and this pod has none",
		ANNOTATION_INTEL_EPC);
}

/* A pod that asks for no TEE. */
static void ordinary(struct ask *k, const char *prefix, struct patch *patch)
{
	const struct annotations *ann = &k->ann;

	if (ann->epc.p || ann->any_epc_of || ann->containers.p || ann->quote.p)
		policy_warn(k->res, k->a,
			"this pod is not confidential: its casemate.dev annotations have no "
			"effect without %s",
			ANNOTATION_TEE);
	if (ann->intel_epc.p) {
		warn_no_epc(k);
		rewrite_remove_epc(k, prefix, patch);
	}
}

static void warn_simulated(struct ask *k)
{
	if (!k->rq->config->allow_simulated)
		return;
	policy_warn(k->res, k->a, "simulated TEE: nothing protects this pod (allowSimulated)");
	if (k->profile && json_type(json_find(k->profile->spec, "attestation", "allowSimulated")) !=
				  JSON_TRUE)
		policy_warn(k->res, k->a,
			"profile %s does not allow simulated TEEs: this pod gets none of its keys",
			k->profile->name);
}

/* 0, ASK_REFUSED, -ENOMEM. */
static int confidential(struct ask *k, const char *prefix, struct patch *patch)
{
	struct class_plan class;
	struct sgx_plan sgx = {0};
	struct keys_plan keys;
	struct guest_plan guest;
	bool is_sgx = k->tee == TEE_SGX;
	int r = class_plan(k, &class);

	if (r == 0)
		r = is_sgx ? sgx_plan(k, !class.drop_overhead, &sgx) : sgx_check_absent(k);
	if (r == 0)
		r = keys_plan(k, &keys);
	if (r == 0)
		r = guest_plan(k, &guest);
	if (r)
		return r;
	warn_simulated(k);
	if (k->ann.intel_epc.p && sgx.effective == 0)
		warn_no_epc(k);
	rewrite_pod(k, prefix, &class, is_sgx ? &sgx : NULL, &keys, &guest, patch);
	return 0;
}

int policy_mutate(const struct policy_request *rq, const char *prefix, struct arena *a,
	struct patch *patch, struct policy_result *res)
{
	struct ask k;
	int r;

	*res = (struct policy_result){0};
	patch_reset(patch);
	if (policy_is_mirror(rq)) {
		res->reason = REASON_MirrorPod;
		return 0;
	}
	r = ask_read(&k, rq, a, res);
	if (r == 0 && k.tee != TEE_NONE)
		r = confidential(&k, prefix, patch);
	else if (r == 0)
		ordinary(&k, prefix, patch);
	if (r == 0 && patch->ops.err)
		r = -ENOMEM; /* of the patch's maximum too: it is a matter of size */
	if (r) {
		patch_reset(patch);
		return r < 0 ? r : 0;
	}
	res->verdict = patch->n > 0 ? VERDICT_MUTATED : VERDICT_PASSED;
	res->reason = k.tee == TEE_NONE ? REASON_NotConfidential : REASON_Injected;
	return 0;
}
