/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pod is, read from what its owner cannot change later: the spec, and who the API server
 * says the user is. */
#include "webhook/policy/policy.h"

#include "webhook/policy/resource.h"

#define NODE_USER_PREFIX "system:node:"

/* What a container's resource makes of its pod; TEE_NONE: nothing by itself (the aliases of
 * confidential nodes are left to their own plugins, and mutation adds a class to them). */
static const enum tee means[RES_N] = {
	[RES_EPC] = TEE_SGX,
	[RES_ENCLAVE] = TEE_SGX,
	[RES_PROVISION] = TEE_SGX,
	[RES_AESM] = TEE_SGX,
	[RES_KEYS] = TEE_NODE,
	[RES_TDX_SLOT] = TEE_TDX,
	[RES_SNP_SLOT] = TEE_SNP,
};

static bool lists(const struct strings *list, struct json_val name)
{
	for (size_t i = 0; i < list->n; i++)
		if (json_str_is(name, list->v[i]))
			return true;
	return false;
}

/* The (first) TEE whose class this is, real, accepted or simulated. Nothing is decoded: running out
 * of memory must not make a pod an ordinary one. */
static enum tee tee_of_class(const struct policy_config *config, struct json_val name)
{
	if (!json_is_string(name) || json_str_is(name, ""))
		return TEE_NONE;
	for (enum tee t = TEE_NONE + 1; t < TEE_N; t++)
		if (json_str_is(name, config->classes[t].name) ||
			json_str_is(name, config->simulated[t].name))
			return t;
	for (enum tee t = TEE_NONE + 1; t < TEE_N; t++)
		if (lists(&config->classes[t].accepted, name))
			return t;
	return TEE_NONE;
}

static enum tee tee_of_resources(struct json_val spec)
{
	static const char *const lists_of[] = {
		"containers", "initContainers", "ephemeralContainers"};

	for (size_t i = 0; i < ARRAY_SIZE(lists_of); i++) {
		struct json_iter it;

		json_each (it, json_get(spec, lists_of[i])) {
			struct amounts am;

			amounts_find(&am, it.value);
			for (enum resource r = 0; r < RES_N; r++)
				if (am.v[r].present && means[r] != TEE_NONE)
					return means[r];
		}
	}
	return TEE_NONE;
}

static enum tee tee_of_selector(struct json_val selector)
{
	struct json_val tee = json_get(selector, LABEL_TEE);
	bool tdx = json_str_is(tee, "tdx"), snp = json_str_is(tee, "snp");

	if (!json_exists(json_get(selector, LABEL_ATTESTED)))
		return TEE_NONE;
	if (json_exists(json_get(selector, LABEL_NODE)))
		return tdx ? TEE_NODE_TDX : snp ? TEE_NODE_SNP : TEE_NODE;
	return json_str_is(tee, "sgx") ? TEE_SGX : tdx ? TEE_TDX : snp ? TEE_SNP : TEE_NODE;
}

enum tee policy_confidential(const struct policy_config *config, struct json_val pod)
{
	struct json_val spec = json_get(pod, "spec");
	enum tee t = tee_of_class(config, json_get(spec, "runtimeClassName"));

	if (t == TEE_NONE)
		t = tee_of_resources(spec);
	return t != TEE_NONE ? t : tee_of_selector(json_get(spec, "nodeSelector"));
}

static bool has_group(struct json_val user, const char *group)
{
	struct json_iter it;

	json_each (it, json_get(user, "groups"))
		if (json_str_is(it.value, group))
			return true;
	return false;
}

/* NodeRestriction holds a kubelet to its own node, but only where it runs; the names are compared
 * here, too. A decoded copy is not needed: node names have nothing to escape. */
bool policy_is_mirror(const struct policy_request *rq)
{
	struct json_val mirror =
		json_find(rq->object, "metadata", "annotations", ANNOTATION_MIRROR);
	struct span user = json_raw(json_get(rq->user, "username"));
	struct span node = json_raw(json_find(rq->object, "spec", "nodeName"));
	size_t prefix = strlen(NODE_USER_PREFIX);

	/* both with their quotes */
	if (!json_exists(mirror) || node.len <= 2 || user.len != node.len + prefix ||
		!json_is_string(json_get(rq->user, "username")) ||
		!json_is_string(json_find(rq->object, "spec", "nodeName")))
		return false;
	return memcmp(user.p + 1, NODE_USER_PREFIX, prefix) == 0 &&
	       memcmp(user.p + 1 + prefix, node.p + 1, node.len - 2) == 0 &&
	       has_group(rq->user, "system:nodes");
}
