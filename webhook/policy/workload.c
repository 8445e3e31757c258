/* SPDX-License-Identifier: Apache-2.0
 *
 * Workloads are never refused: their pods are, later, where nobody looks. So whoever applies one is
 * told now. */
#include "webhook/policy/workload.h"

#include <errno.h>

#include "webhook/policy/result.h"

/* A ReplicaSet of a Deployment, a Job of a CronJob: their owner was judged already. */
static bool is_controlled(struct json_val object)
{
	struct json_iter it;

	json_each (it, json_find(object, "metadata", "ownerReferences"))
		if (json_type(json_get(it.value, "controller")) == JSON_TRUE)
			return true;
	return false;
}

/* Judges the pod that comes of rq->object, a template, once patch is applied. The patch was made
 * for it, so only memory, or one of the maxima, can be too small. */
static int judge_patched(const struct policy_request *rq, const struct patch *patch,
	struct arena *a, struct policy_result *res)
{
	static const struct json_limits limits = {POLICY_POD_MAX, POLICY_NODES_MAX, JSON_MAX_DEPTH};
	_cleanup_buf_ struct buf ops = BUF_INIT(POLICY_POD_MAX), text = BUF_INIT(POLICY_POD_MAX);
	_cleanup_json_ struct json doc = {0}, pod = {0};
	struct policy_request final = *rq;

	if (patch_write(patch, &ops) < 0 || json_parse(&doc, buf_view(&ops), &limits, NULL) < 0 ||
		patch_apply(rq->object, json_root(&doc), a, &text, NULL) < 0 ||
		json_parse(&pod, buf_view(&text), &limits, NULL) < 0)
		return -ENOMEM;
	final.object = json_root(&pod);
	return validate_created(&final, a, res);
}

int policy_foresee(const struct policy_request *rq, struct arena *a, struct patch *patch,
	struct policy_result *res)
{
	struct policy_result judged = {0};
	int r = policy_mutate(rq, "", a, patch, res);

	if (r == 0 && res->verdict != VERDICT_REFUSED)
		r = judge_patched(rq, patch, a, &judged);
	if (r < 0 || judged.verdict != VERDICT_REFUSED)
		return r;
	res->verdict = judged.verdict;
	res->reason = judged.reason;
	res->message = judged.message;
	return 0;
}

int workload_predict(const struct policy_request *rq, struct arena *a, struct policy_result *res)
{
	_cleanup_patch_ struct patch patch = PATCH_INIT(POLICY_PATCH_MAX);
	const struct policy_request pod = {
		.config = rq->config,
		.profiles = rq->profiles,
		.operation = OP_CREATE,
		.kind = SPAN_LIT("Pod"),
		.subresource = SPAN_LIT(""),
		.namespace_ = rq->namespace_,
		.namespace_enabled = rq->namespace_enabled,
		.object = policy_template(rq->kind, rq->object),
	};
	int r;

	if (!json_exists(pod.object) || is_controlled(rq->object))
		return 0;
	r = policy_foresee(&pod, a, &patch, res);
	if (r < 0)
		return r;
	if (res->verdict == VERDICT_REFUSED) {
		if (res->n_warnings == POLICY_WARNINGS_MAX)
			res->n_warnings--; /* this one matters most */
		policy_warn(res, a, "pods of this " SPAN_FMT " will be refused: %s",
			SPAN_ARG(rq->kind), res->message);
	}
	res->verdict = VERDICT_PASSED;
	res->message = NULL;
	return 0;
}
