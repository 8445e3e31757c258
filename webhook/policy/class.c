/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/class.h"

#include <errno.h>

#include "webhook/policy/result.h"

static bool is_accepted(const struct ask *k, const struct tee_class *class)
{
	if (k->rq->config->allow_simulated)
		return false;
	for (size_t i = 0; i < class->accepted.n; i++)
		if (span_is(k->pod.runtime_class, class->accepted.v[i]))
			return true;
	return false;
}

static int plan_name(struct ask *k, const struct tee_class *class, struct class_plan *plan)
{
	const struct policy_config *config = k->rq->config;
	struct span own = k->pod.runtime_class;
	const char *want = class->name;

	if (want[0] == '\0')
		return ask_refuse(k, REASON_TeeNotConfigured,
			"this cluster has no RuntimeClass for TEE %s; set runtimeClasses.%s.name "
			"in Casemate's configuration, or ask for another TEE",
			tee_name(k->tee), tee_name(k->tee));
	if (k->profile && k->profile->runtime_class[0] && !config->allow_simulated)
		want = k->profile->runtime_class;
	if (span_is(own, want) || is_accepted(k, class))
		return 0;
	if (own.len > 0 && config->class_conflict == CLASS_REFUSE)
		return ask_refuse(k, REASON_RuntimeClassNotAccepted,
			"runtimeClassName \"" SPAN_FMT
			"\" is not accepted for TEE %s; remove it to get %s, or add it to "
			"runtimeClasses.%s.accepted in Casemate's configuration",
			SHOWN(own), tee_name(k->tee), want, tee_name(k->tee));
	plan->name = want;
	if (own.len == 0)
		return 0;
	plan->drop_overhead = json_exists(json_get(k->pod.spec, "overhead"));
	policy_warn(k->res, k->a,
		"runtimeClassName " SPAN_FMT " is not accepted for TEE %s: %s instead", SHOWN(own),
		tee_name(k->tee), want);
	return 0;
}

static int check_selector(struct ask *k, const struct tee_class *class)
{
	for (size_t i = 0; i < class->n_node_selector; i++) {
		const struct label *want = &class->node_selector[i];
		struct json_val own = json_get(k->pod.node_selector, want->key);

		if (json_exists(own) && !json_str_is(own, want->value))
			return ask_refuse(k, REASON_NodeSelectorConflict,
				"spec.nodeSelector[\"%s\"] is " SPAN_FMT
				", but a pod of TEE %s needs a node with \"%s\"; remove it",
				want->key, SHOWN(json_raw(own)), tee_name(k->tee), want->value);
	}
	return 0;
}

int class_plan(struct ask *k, struct class_plan *plan)
{
	const struct tee_class *class = policy_class(k->rq->config, k->tee);
	int r;

	*plan = (struct class_plan){0};
	if (k->vendor && k->rq->config->vendor_mode == VENDOR_DEVICES_ONLY)
		return 0;
	if ((r = plan_name(k, class, plan)) || (r = check_selector(k, class)))
		return r;
	plan->selector = class->node_selector;
	plan->n_selector = class->n_node_selector;
	return 0;
}
