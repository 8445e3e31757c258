/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/stray.h"

#include "webhook/policy/policy.h"

static bool has_ended(struct json_val pod)
{
	struct json_val phase = json_find(pod, "status", "phase");

	return json_str_is(phase, "Succeeded") || json_str_is(phase, "Failed");
}

static bool may_run(struct json_val pod, const struct marks *node)
{
	struct json_val selector = json_find(pod, "spec", "nodeSelector");
	bool asks = false;

	for (size_t i = 0; i < MARK_LABEL_N; i++) {
		struct json_val v = json_get(selector, marks_label((enum mark_label)i));

		if (!json_exists(v))
			continue;
		asks = true;
		if (!node->label[i] || !json_str_is(v, node->label[i]))
			return false;
	}
	return asks || node->label[MARK_ATTESTED] || node->label[MARK_CVM_HOST];
}

static bool is_evictable(struct json_val pod, const char *namespace_)
{
	struct json_val metadata = json_get(pod, "metadata");

	return strcmp(namespace_, "kube-system") != 0 &&
	       !json_exists(json_get(metadata, "deletionTimestamp")) &&
	       !json_exists(json_find(metadata, "annotations", "kubernetes.io/config.mirror"));
}

bool stray_find(struct stray *ret, const struct policy_config *policy, struct json_val pod,
	const struct marks *node)
{
	struct json_val metadata = json_get(pod, "metadata");
	struct stray s;

	if (has_ended(pod) || policy_confidential(policy, pod) == TEE_NONE || may_run(pod, node))
		return false;
	if (!json_copy(json_get(metadata, "namespace"), s.namespace_, sizeof(s.namespace_)) ||
		!json_copy(json_get(metadata, "name"), s.name, sizeof(s.name)) ||
		!json_copy(json_get(metadata, "uid"), s.uid, sizeof(s.uid)))
		return false; /* of no API server */
	s.evictable = is_evictable(pod, s.namespace_);
	*ret = s;
	return true;
}
