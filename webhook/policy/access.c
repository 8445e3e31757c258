/* SPDX-License-Identifier: Apache-2.0
 *
 * exec, attach, port-forward, proxy and ephemeral containers: who may enter a confidential pod. */
#include "webhook/policy/access.h"

#include "webhook/policy/result.h"

/* What a profile calls each kind, and the API. */
static const struct {
	const char *subresource, *field;
	enum access_kind kind;
} kinds[] = {
	{"exec", "exec", ACCESS_EXEC},
	{"attach", "attach", ACCESS_ATTACH},
	{"portforward", "portForward", ACCESS_PORT_FORWARD},
	{"proxy", "portForward", ACCESS_PORT_FORWARD},
	{"ephemeralcontainers", "ephemeralContainers", ACCESS_EPHEMERAL},
};

static const char *field_of(enum access_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == kind)
			return kinds[i].field;
	return NULL;
}

/* The break-glass group that the user is in, or NULL. */
static const char *break_glass(const struct policy_request *rq)
{
	const struct strings *groups = &rq->config->break_glass_groups;
	struct json_iter it;

	json_each (it, json_get(rq->user, "groups"))
		for (size_t i = 0; i < groups->n; i++)
			if (json_str_is(it.value, groups->v[i]))
				return groups->v[i];
	return NULL;
}

const struct profile *access_profile(const struct policy_request *rq, struct json_val pod,
	struct arena *a, struct span *ret_name)
{
	const struct profile *p = NULL;

	*ret_name = json_str(json_find(pod, "metadata", "annotations", ANNOTATION_PROFILE), a);
	if (ret_name->p && rq->profiles && rq->namespace_enabled)
		p = profile_find(rq->profiles, rq->namespace_, *ret_name);
	return p && p->valid ? p : NULL;
}

static int deny(const struct policy_request *rq, struct json_val pod, const struct profile *p,
	struct span profile, enum access_kind kind, struct arena *a, struct policy_result *res)
{
	struct span name = json_str(json_find(pod, "metadata", "name"), a);
	const char *field = field_of(kind), *remedy;

	if (!field)
		remedy = "no profile can allow it";
	else if (p)
		remedy = arena_printf(
			a, "set spec.access.%s: Allow in EnclaveProfile %s", field, p->name);
	else if (profile.p)
		remedy = arena_printf(a,
			"its EnclaveProfile " SPAN_FMT
			" is missing or not valid: correct it and set "
			"spec.access.%s: Allow there",
			SHOWN(profile), field);
	else
		remedy = arena_printf(a,
			"the pod has no EnclaveProfile whose spec.access.%s: Allow could allow it; "
			"create it anew with annotation " ANNOTATION_PROFILE,
			field);
	return policy_refuse(res, a, REASON_AccessDenied,
		SPAN_FMT " is denied: pod \"" SPAN_FMT
			 "\" is confidential; %s, or act as a member of a "
			 "break-glass group (access.breakGlassGroups in Casemate's configuration)",
		SHOWN(rq->subresource), SHOWN(name), remedy ? remedy : "");
}

int access_judge(const struct policy_request *rq, struct json_val pod, enum access_kind kind,
	struct arena *a, struct policy_result *res)
{
	const char *group = break_glass(rq);
	const struct profile *p;
	struct span profile;

	if (group) {
		res->reason = REASON_BreakGlass;
		policy_warn(res, a,
			"this pod is confidential: " SPAN_FMT
			" is allowed only since you are in the "
			"break-glass group %s",
			SHOWN(rq->subresource), group);
		return 0;
	}
	p = access_profile(rq, pod, a, &profile);
	if (!p || kind == ACCESS_N || !p->access[kind])
		return deny(rq, pod, p, profile, kind, a, res);
	res->reason = REASON_Ok;
	return 0;
}

int policy_access(const struct policy_request *rq, struct json_val pod, struct arena *a,
	struct policy_result *res)
{
	enum access_kind kind = ACCESS_N;

	*res = (struct policy_result){0};
	if (!json_is_object(pod))
		return policy_refuse(res, a, REASON_PodUnknown,
			"the pod is not known (yet), so whether it may be entered cannot be "
			"judged; "
			"try again");
	res->tee = policy_confidential(rq->config, pod);
	if (res->tee == TEE_NONE) {
		res->reason = REASON_NotConfidential;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (span_is(rq->subresource, kinds[i].subresource))
			kind = kinds[i].kind;
	return access_judge(rq, pod, kind, a, res);
}
