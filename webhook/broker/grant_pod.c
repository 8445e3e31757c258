/* SPDX-License-Identifier: Apache-2.0
 *
 * A request that the agent of the pod's node ends: the live Pod is the one that the tokens name, it
 * would be admitted now, and it is what spec.workload says. */
#include <errno.h>

#include "common/kbs/key_id.h"
#include "common/kube/pod_sum.h"
#include "webhook/broker/grant_private.h"
#include "webhook/broker/workload_match.h"
#include "webhook/policy/resource.h"
#include "webhook/policy/result.h"

/* A field of the pod must say what the tokens say. */
static int same(struct decision *d, struct json_val v, const char *want, enum reason reason,
	const char *field)
{
	struct span got;

	if (json_str_is(v, want))
		return 0;
	got = json_str(v, d->a);
	return grant_refuse(d, reason, "the live pod's %s is \"" SPAN_FMT "\" and not \"%s\"",
		field, SHOWN(got), want);
}

static int judge_who(struct decision *d)
{
	const struct requester *who = d->q->who;
	struct json_val metadata = json_get(d->q->pod, "metadata"),
			spec = json_get(d->q->pod, "spec");
	int r = same(d, json_get(metadata, "namespace"), d->q->id->namespace_,
		REASON_NamespaceNotAllowed, "namespace");

	if (r == 0)
		r = same(d, json_get(spec, "nodeName"), who->node, REASON_NodeMismatch,
			"spec.nodeName");
	if (r || d->q->image.p) /* no token of the pod yet */
		return r;
	r = same(d, json_get(metadata, "name"), who->pod, REASON_TokenInvalid, "name");
	if (r == 0)
		r = same(d, json_get(metadata, "uid"), who->pod_uid, REASON_TokenInvalid, "uid");
	if (r == 0)
		r = same(d, json_get(spec, "serviceAccountName"), who->service_account,
			REASON_ServiceAccountNotAllowed, "spec.serviceAccountName");
	return r;
}

/* Whoever may change a pod's spec could start one image and then name another, which would be
 * judged: the kubelet must have taken up what is judged, and then tells what runs (status's
 * containers and observedGeneration are written at once). The API server counts changes of specs
 * since Kubernetes 1.33; without that, admission alone keeps images from being exchanged. */
static int judge_observed(struct decision *d)
{
	int64_t is = 0, observed = 0;

	if (!json_int(json_find(d->q->pod, "metadata", "generation"), &is) || is <= 1)
		return 0;
	if (json_int(json_find(d->q->pod, "status", "observedGeneration"), &observed) &&
		observed == is)
		return 0;
	return grant_refuse(d, REASON_PodUnknown,
		"the pod's spec was changed, and its node has not taken that up yet (generation "
		"%lld; the kubelet tells of %lld): what runs may be of the earlier one; ask again",
		(long long)is, (long long)observed);
}

static int judge_alive(struct decision *d)
{
	struct json_val phase = json_find(d->q->pod, "status", "phase");
	struct json_val profile =
		json_find(d->q->pod, "metadata", "annotations", ANNOTATION_PROFILE);

	if (json_exists(json_find(d->q->pod, "metadata", "deletionTimestamp")) ||
		json_str_is(phase, "Succeeded") || json_str_is(phase, "Failed"))
		return grant_refuse(
			d, REASON_WorkloadNotAllowed, "the pod is over, or being deleted");
	if (json_str_is(profile, d->profile->name))
		return 0;
	return grant_refuse(d, REASON_WorkloadNotAllowed,
		"the pod is of another EnclaveProfile than %s: keys are given to pods whose "
		"annotation %s names their profile",
		d->profile->name, ANNOTATION_PROFILE);
}

/* Whether admission happened is not assumed: the webhook may have been away. */
static int judge_admission(struct decision *d)
{
	const struct policy_request rq = {
		.config = d->q->config,
		.profiles = d->q->profiles,
		.now_sec = d->q->now_sec,
		.operation = OP_CREATE,
		.kind = SPAN_LIT("Pod"),
		.subresource = SPAN_LIT(""),
		.namespace_ = span_str(d->q->id->namespace_),
		.namespace_enabled = true, /* judged before */
		.object = d->q->pod,
	};
	struct policy_result res;
	int r = policy_validate(&rq, d->a, &res);

	if (r < 0)
		return r;
	if (res.verdict == VERDICT_REFUSED)
		return grant_refuse(
			d, res.reason, "the pod would not be admitted: %s", res.message);
	if (res.tee != d->profile->tee)
		return grant_refuse(d, REASON_WorkloadNotAllowed,
			"the pod's TEE is %s and spec.tee is %s", tee_name(res.tee),
			tee_name(d->profile->tee));
	return 0;
}

/* What a profile lets people do to the running pod, they could do to have its keys. */
static int judge_access(struct decision *d)
{
	static const char *const fields[] = {
		[ACCESS_EXEC] = "exec", [ACCESS_EPHEMERAL] = "ephemeralContainers"};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i] && d->profile->access[i])
			return grant_refuse(d, REASON_WorkloadNotAllowed,
				"spec.access.%s is Allow: whoever enters a container reads its "
				"keys, so pods of this profile get none; set it to Deny",
				fields[i]);
	return 0;
}

/* The container that asks: one that may hold keys, and does. */
static int judge_container(struct decision *d)
{
	struct span name = span_str(d->q->who->container);
	static const char *const lists[] = {"containers", "initContainers"};

	if (d->q->image.p) /* no container asks: the kubelet pulls before there is any */
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct json_iter it;

		json_each (it, json_find(d->q->pod, "spec", lists[i])) {
			struct amounts am;

			if (!json_str_equal(json_get(it.value, "name"), name))
				continue;
			if (container_kind(it.value, i == 1) == CONTAINER_INIT)
				return grant_refuse(d, REASON_KeysInInitContainer,
					"container " SPAN_FMT
					" is an ordinary init container, whose device the kubelet "
					"gives to a later one: use a native sidecar",
					SHOWN(name));
			amounts_find(&am, it.value);
			if (am.v[RES_KEYS].present &&
				amount_read(&am.v[RES_KEYS], name, RESOURCE_KEYS, NULL) == 0 &&
				am.v[RES_KEYS].n > 0)
				return 0;
			return grant_refuse(d, REASON_WorkloadNotAllowed,
				"container " SPAN_FMT " does not request %s", SHOWN(name),
				RESOURCE_KEYS);
		}
	}
	return grant_refuse(d, REASON_WorkloadNotAllowed,
		"the pod has no container \"" SPAN_FMT "\"", SHOWN(name));
}

static int judge_known(struct decision *d)
{
	if (json_is_object(json_get(d->q->pod, "spec")))
		return 0;
	return grant_refuse(d, REASON_PodUnknown, "the live pod could not be looked up; ask again");
}

const struct grant_rule grant_pod_rules[] = {
	{"the live pod is known", judge_known, true},
	{"the pod is the one that its token names, on the agent's node", judge_who, false},
	{"the node runs the pod as its spec is now", judge_observed, false},
	{"the pod runs, and is of this profile", judge_alive, false},
	{"the profile lets nobody enter the pod", judge_access, false},
	{"the container may hold keys, and asks for them", judge_container, false},
	{"the pod's status, where it tells of devices, gives the container one for keys",
		grant_device, false},
	{"the pod would be admitted", judge_admission, false},
	{"the pod is as spec.workload says", workload_match, false},
};
const size_t n_grant_pod_rules = ARRAY_SIZE(grant_pod_rules);
