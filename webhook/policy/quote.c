/* SPDX-License-Identifier: Apache-2.0
 *
 * How the enclaves of a pod get quotes: in-process, with the provision device, or from AESM, by its
 * socket. */
#include <errno.h>

#include "webhook/policy/result.h"
#include "webhook/policy/sgx.h"

static int resolve_mode(struct ask *k, enum quote_mode *ret_mode, struct span *ret_only)
{
	struct span intel = k->ann.intel_quote;

	*ret_mode = QUOTE_NONE;
	*ret_only = SPAN_NONE;
	if (k->ann.quote.p) {
		*ret_mode = quote_mode_parse(k->ann.quote);
		if (*ret_mode != QUOTE_UNSET)
			return 0;
		return ask_refuse(k, REASON_QuoteModeUnknown,
			"annotation %s: \"" SPAN_FMT "\" is no quote mode; use none, aesm or "
			"in-process",
			ANNOTATION_QUOTE, SHOWN(k->ann.quote));
	}
	if (!intel.p) {
		if (k->profile && k->profile->quote != QUOTE_UNSET)
			*ret_mode = k->profile->quote;
		return 0;
	}
	if (span_is(intel, AESM_CONTAINER)) {
		*ret_mode = QUOTE_AESM;
	} else if (intel.len > 0) {
		*ret_mode = QUOTE_IN_PROCESS;
		*ret_only = intel;
	}
	return 0;
}

/* A pod as it was written for its vendor's webhook. One that also asks in a way of Casemate's own
 * knows Casemate, and its rules hold: else any annotation of a vendor's would loosen them. */
static bool is_vendors_alone(const struct ask *k)
{
	const struct annotations *ann = &k->ann;

	return k->vendor && !ann->epc.p && !ann->any_epc_of && !ann->containers.p && !ann->quote.p;
}

/* May a container of this pod hold the provision device? */
static int permit_provision(struct ask *k, struct span container)
{
	const struct policy_config *config = k->rq->config;
	bool vendors = is_vendors_alone(k);
	const char *remedy;

	if (config->in_process == IN_PROCESS_ALWAYS)
		return 0;
	if (config->in_process == IN_PROCESS_PROFILE && k->profile && k->profile->allow_in_process)
		return 0;
	if (vendors && config->vendor_in_process) {
		policy_warn(k->res, k->a,
			"container " SPAN_FMT
			" gets %s, the platform's provisioning key, as pods of its vendor's "
			"webhook do; prefer annotation %s: aesm",
			SHOWN(container), RESOURCE_PROVISION, ANNOTATION_QUOTE);
		return 0;
	}
	if (vendors)
		remedy = "or have the configuration set vendorPods.allowInProcess";
	else if (config->in_process == IN_PROCESS_NEVER)
		remedy = "since the configuration says quote.inProcess: never";
	else if (k->profile)
		remedy = "or have the profile set quote.allowInProcess";
	else
		remedy = "or use a profile with quote.allowInProcess";
	return ask_refuse(k, REASON_ProvisionNotAllowed,
		"container \"" SPAN_FMT
		"\": in-process quotes need the device %s, which is not allowed here; use "
		"annotation %s: aesm and request no such device, %s",
		SHOWN(container), RESOURCE_PROVISION, ANNOTATION_QUOTE, remedy);
}

static void plan_in_process(struct ask *k, struct sgx_plan *plan, struct span only)
{
	bool found = !only.p;

	for (size_t i = 0; i < k->pod.n; i++) {
		if (only.p && !span_equal(k->pod.containers[i].name, only))
			continue;
		found |= plan->c[i].selected;
		plan->c[i].provision = plan->c[i].selected;
	}
	if (!found)
		policy_warn(k->res, k->a,
			"annotation %s names " SPAN_FMT
			", which is no container with EPC; it has no effect",
			ANNOTATION_INTEL_QUOTE, SHOWN(only));
}

/* The same directory with any number of slashes at its end? */
static bool is_socket_dir(struct json_val path, struct arena *a)
{
	struct span s = json_str(path, a);

	while (s.len > 0 && s.p[s.len - 1] == '/')
		s.len--;
	return span_is(s, AESM_SOCKET_DIR);
}

/* The container's mount of the socket's directory; missing when there is none. */
static struct json_val socket_mount(const struct container *c, struct arena *a)
{
	struct json_iter it;

	json_each(it, json_get(c->v, "volumeMounts"))
		if (is_socket_dir(json_get(it.value, "mountPath"), a))
			return it.value;
	return (struct json_val){0};
}

static bool has_named(struct json_val list, const char *name)
{
	struct json_iter it;

	json_each(it, list)
		if (json_str_is(json_get(it.value, "name"), name))
			return true;
	return false;
}

static bool provides_aesm(const struct ask *k, const struct sgx_plan *plan, size_t i)
{
	return plan->c[i].selected && k->pod.containers[i].kind != CONTAINER_INIT &&
	       span_is(k->pod.containers[i].name, AESM_CONTAINER);
}

/* Is there an aesmd among the pod's enclaves that the others use? */
static bool provided_in_pod(const struct ask *k, const struct sgx_plan *plan)
{
	size_t providers = 0, others = 0;

	for (size_t i = 0; i < k->pod.n; i++) {
		if (provides_aesm(k, plan, i))
			providers++;
		else if (plan->c[i].selected)
			others++;
	}
	return providers > 0 && others > 0;
}

static void plan_aesm(struct ask *k, struct sgx_plan *plan)
{
	bool in_pod = provided_in_pod(k, plan), used = false;
	bool by_volume = in_pod || k->rq->config->aesm_mount == AESM_HOST_PATH;

	for (size_t i = 0; i < k->pod.n; i++) {
		const struct container *c = &k->pod.containers[i];
		struct sgx_container *s = &plan->c[i];
		struct json_val mount;

		if (!s->selected)
			continue;
		mount = socket_mount(c, k->a);
		s->provision = provides_aesm(k, plan, i);
		s->aesm_env = !has_named(json_get(c->v, "env"), AESM_ENV);
		s->aesm_mount = by_volume && !json_exists(mount);
		/* A lone aesmd is the host's: it makes the socket that others are given. */
		s->aesm_resource = !by_volume && !json_exists(mount) && !provides_aesm(k, plan, i);
		used |= s->aesm_mount || json_str_is(json_get(mount, "name"), AESM_SOCKET_VOLUME);
	}
	if (by_volume && used && !has_named(json_get(k->pod.spec, "volumes"), AESM_SOCKET_VOLUME))
		plan->volume = in_pod ? SGX_VOLUME_MEMORY : SGX_VOLUME_HOST;
}

/* AKS's and Alibaba's webhooks gave every pod the provision device. */
static void warn_translated(struct ask *k)
{
	bool vendors = is_vendors_alone(k) && k->rq->config->vendor_in_process;
	const char *how = vendors ? "name its container in annotation " ANNOTATION_INTEL_QUOTE
				  : "set annotation " ANNOTATION_QUOTE ": in-process";

	for (size_t i = 0; i < k->pod.n; i++) {
		if (k->amounts[i].v[RES_AKS_EPC].present || k->amounts[i].v[RES_ALI_EPC].present) {
			policy_warn(k->res, k->a, "the pod gets no %s; if it makes quotes in-process, %s",
				RESOURCE_PROVISION, how);
			return;
		}
	}
}

int sgx_plan_quotes(struct ask *k, struct sgx_plan *plan)
{
	enum quote_mode mode;
	struct span only;
	int r = resolve_mode(k, &mode, &only);

	if (r)
		return r;
	if (mode == QUOTE_IN_PROCESS)
		plan_in_process(k, plan, only);
	else if (mode == QUOTE_AESM)
		plan_aesm(k, plan);
	else if (!k->ann.quote.p)
		warn_translated(k);
	for (size_t i = 0; i < k->pod.n; i++) {
		const struct amount *am = &k->amounts[i].v[RES_PROVISION];

		plan->c[i].provision |= am->present && am->n > 0;
		if (plan->c[i].provision && (r = permit_provision(k, k->pod.containers[i].name)))
			return r;
	}
	return 0;
}
