/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_validate: the final object has what was promised and nothing that is forbidden. */
#include <errno.h>

#include "webhook/policy/access.h"
#include "webhook/policy/guest_init_data.h"
#include "webhook/policy/names.h"
#include "webhook/policy/podsecurity.h"
#include "webhook/policy/result.h"
#include "webhook/policy/workload.h"

enum {
	PATHS_SHOWN = 3,
};

/* The first paths of a patch document, for a message. */
static const char *paths_of(struct json_val ops, struct arena *a)
{
	const char *text = "";
	struct json_iter it;

	json_each (it, ops) {
		struct span path = json_str(json_get(it.value, "path"), a);

		if (it.index == PATHS_SHOWN)
			return arena_printf(a, "%s, …", text);
		text = arena_printf(a, "%s%s" SPAN_FMT, text, it.index ? ", " : "", SHOWN(path));
		if (!text)
			return NULL;
	}
	return text;
}

static int refuse_patch(const struct patch *patch, struct arena *a, struct policy_result *res)
{
	static const struct json_limits limits = {POLICY_POD_MAX, POLICY_NODES_MAX, JSON_MAX_DEPTH};
	_cleanup_buf_ struct buf text = BUF_INIT(POLICY_POD_MAX);
	_cleanup_json_ struct json doc = {0};
	const char *paths;

	if (patch_write(patch, &text) < 0 || json_parse(&doc, buf_view(&text), &limits, NULL) < 0)
		return -ENOMEM;
	paths = paths_of(json_root(&doc), a);
	if (!paths)
		return -ENOMEM;
	return policy_refuse(res, a, REASON_NotAsPromised,
		"the pod lacks what its TEE needs, at %s; Casemate's mutating webhook writes that, "
		"so "
		"either it did not see the pod or something undid its change",
		paths);
}

static int judge_security(const struct policy_request *rq, struct json_val pod, struct arena *a,
	struct policy_result *res)
{
	bool aesm_socket = rq->config->aesm_mount == AESM_HOST_PATH;
	struct podsecurity_violation v = {0};
	int r = podsecurity_baseline(pod, aesm_socket, a, &v);

	if (r <= 0)
		return r;
	if (v.reason == REASON_HostPathNotAllowed)
		return policy_refuse(res, a, v.reason,
			"%s: %s: a confidential pod mounts none of the host's files; remove the "
			"volume",
			v.field, v.why);
	return policy_refuse(res, a, v.reason,
		"%s: %s: a confidential pod meets Pod Security baseline; correct the field",
		v.field, v.why);
}

static struct json_val annotation(struct json_val pod, const char *key)
{
	return json_find(pod, "metadata", "annotations", key);
}

static const char *const image_lists[] = {"containers", "initContainers"};

/* The workload entry of a profile for this container; NULL: any image may run. */
static const struct profile_workload *workload_of(const struct profile *p, struct json_val name)
{
	for (size_t i = 0; i < p->n_workload; i++)
		if (json_str_is(name, p->workload[i].name))
			return p->workload[i].image_digests.n > 0 ? &p->workload[i] : NULL;
	return NULL;
}

static bool lists_digest(const struct profile_workload *w, struct span digest)
{
	for (size_t i = 0; i < w->image_digests.n; i++)
		if (span_is(digest, w->image_digests.v[i]))
			return true;
	return false;
}

/* by_tag: an image without a digest passes. */
static int judge_image(const struct profile *p, struct json_val container, bool by_tag,
	struct arena *a, struct policy_result *res)
{
	struct json_val name = json_get(container, "name");
	const struct profile_workload *w = workload_of(p, name);
	struct span image = json_str(json_get(container, "image"), a);
	struct span digest = name_image_digest(image), shown = json_str(name, a);

	if (!image.p && json_is_string(json_get(container, "image")))
		return -ENOMEM;
	if (!w || lists_digest(w, digest) || (by_tag && !digest.p))
		return 0;
	return policy_refuse(res, a, REASON_ImageNotAllowed,
		"container \"" SPAN_FMT "\": image \"" SPAN_FMT "\" is none of the digests that "
		"EnclaveProfile %s lists for it; name it as repository@sha256:…, with a digest of "
		"spec.workload.containers[].imageDigests",
		SHOWN(shown), SHOWN(image), p->name);
}

/* Of a pod that is created, with the profile that mutation has written into it. A tag is not judged:
 * the broker compares the digest that runs before it gives a key. */
static int judge_created_images(
	const struct policy_request *rq, struct arena *a, struct policy_result *res)
{
	struct span named;
	const struct profile *p = access_profile(rq, rq->object, a, &named);
	int r = 0;

	if (!named.p)
		return json_is_string(annotation(rq->object, ANNOTATION_PROFILE)) ? -ENOMEM : 0;
	for (size_t i = 0; p && i < ARRAY_SIZE(image_lists); i++) {
		struct json_iter it;

		json_each (it, json_find(rq->object, "spec", image_lists[i])) {
			if (r < 0 || res->verdict == VERDICT_REFUSED)
				return r;
			r = judge_image(p, it.value, true, a, res);
		}
	}
	return r;
}

/* A pod that no node may run would wait without a word of why. */
static int judge_verdicts(const struct policy_request *rq, enum tee tee, struct arena *a,
	struct policy_result *res)
{
	enum reason why;

	if (!rq->verdicts || !rq->config->require_verdicts ||
		verdicts_allow(rq->verdicts, tee, rq->config->allow_simulated, rq->now_sec, &why))
		return 0;
	return policy_refuse(res, a, why,
		"no node is trusted for TEE %s now (%s: %s); see kubectl get nodeattestations, and "
		"create the pod again when one is",
		tee_name(tee), reason_name(why), reason_explanation(why));
}

int validate_created(const struct policy_request *rq, struct arena *a, struct policy_result *res)
{
	_cleanup_patch_ struct patch patch = PATCH_INIT(POLICY_PATCH_MAX);
	int r = policy_mutate(rq, "", a, &patch, res);
	enum tee tee;

	if (r < 0 || res->verdict == VERDICT_REFUSED || res->reason == REASON_MirrorPod)
		return r;
	res->verdict = VERDICT_PASSED;
	if (patch.n > 0)
		return refuse_patch(&patch, a, res);
	tee = policy_confidential(rq->config, rq->object);
	if (tee == TEE_NONE)
		return 0;
	if (res->tee == TEE_NONE) { /* asks for nothing, yet would run where confidential pods do */
		res->tee = tee;
		res->reason = REASON_Ok;
	}
	r = judge_verdicts(rq, tee, a, res);
	if (r == 0 && res->verdict != VERDICT_REFUSED)
		r = judge_security(rq, rq->object, a, res);
	if (r < 0 || res->verdict == VERDICT_REFUSED)
		return r;
	return judge_created_images(rq, a, res);
}

static bool annotation_changed(const struct policy_request *rq, const char *key)
{
	return !json_equal(annotation(rq->object, key), annotation(rq->old_object, key));
}

/* A container's image as it was. */
static struct json_val old_image(
	const struct policy_request *rq, const char *list, struct json_val name)
{
	struct json_iter it;

	json_each (it, json_find(rq->old_object, "spec", list))
		if (json_equal(json_get(it.value, "name"), name))
			return json_get(it.value, "image");
	return (struct json_val){0};
}

/* What is pulled for a container goes on being pulled and started when its image is exchanged: for
 * that while the pod would seem to run the new one. Only an image that might run itself is
 * exchanged. */
static int judge_exchange(const struct profile *p, struct json_val name, struct json_val was,
	struct arena *a, struct policy_result *res)
{
	const struct profile_workload *w = workload_of(p, name);
	struct span image = json_str(was, a), shown = json_str(name, a);

	if (!image.p && json_is_string(was))
		return -ENOMEM;
	if (!w || lists_digest(w, name_image_digest(image)))
		return 0;
	return policy_refuse(res, a, REASON_ImageNotAllowed,
		"container \"" SPAN_FMT "\": its image \"" SPAN_FMT "\" is none of the digests "
		"that EnclaveProfile %s lists for it, and such a one is not exchanged in a running "
		"pod; create a new pod",
		SHOWN(shown), SHOWN(image), p->name);
}

/* What may change of a running pod is its images; the profile is the old object's, since that is
 * what it was admitted with. */
static int judge_images(const struct policy_request *rq, struct arena *a, struct policy_result *res)
{
	struct span named;
	const struct profile *p = access_profile(rq, rq->old_object, a, &named);
	int r = 0;

	if (!named.p) /* no profile, or no memory to read its name */
		return json_is_string(annotation(rq->old_object, ANNOTATION_PROFILE)) ? -ENOMEM : 0;
	for (size_t i = 0; i < ARRAY_SIZE(image_lists); i++) {
		struct json_iter it;

		json_each (it, json_find(rq->object, "spec", image_lists[i])) {
			struct json_val name = json_get(it.value, "name");
			struct json_val was = old_image(rq, image_lists[i], name);

			if (r < 0 || res->verdict == VERDICT_REFUSED)
				return r;
			if (json_equal(json_get(it.value, "image"), was))
				continue;
			if (!p)
				return policy_refuse(res, a, REASON_ImageNotAllowed,
					"the image cannot be judged: this pod's EnclaveProfile "
					"\"" SPAN_FMT
					"\" is missing or not valid; correct it first",
					SHOWN(named));
			r = judge_image(p, it.value, false, a, res);
			if (r == 0 && res->verdict != VERDICT_REFUSED)
				r = judge_exchange(p, name, was, a, res);
		}
	}
	return r;
}

/* Confidential by the old spec or the new one; TEE_NONE: an ordinary pod. */
static enum tee confidential(const struct policy_request *rq)
{
	enum tee t = policy_confidential(rq->config, rq->old_object);

	return t != TEE_NONE ? t : policy_confidential(rq->config, rq->object);
}

/* Kata reads the annotation; nobody but the mutating webhook gives EPC. An ordinary pod may still
 * lose one that it had before Casemate came. */
static bool epc_annotation_fixed(const struct policy_request *rq, enum tee tee)
{
	if (tee == TEE_NONE && !json_exists(annotation(rq->object, ANNOTATION_INTEL_EPC)))
		return true;
	return !annotation_changed(rq, ANNOTATION_INTEL_EPC);
}

static int validate_updated(
	const struct policy_request *rq, struct arena *a, struct policy_result *res)
{
	res->tee = confidential(rq);
	res->reason = res->tee == TEE_NONE ? REASON_NotConfidential : REASON_Ok;
	if (!epc_annotation_fixed(rq, res->tee))
		return policy_refuse(res, a, REASON_NotAsPromised,
			"annotation " ANNOTATION_INTEL_EPC
			" says how much EPC the pod was given and "
			"cannot be changed; create a new pod");
	if (res->tee == TEE_NONE)
		return 0;
	if (annotation_changed(rq, ANNOTATION_PROFILE))
		return policy_refuse(res, a, REASON_ProfileFixed,
			"annotation " ANNOTATION_PROFILE
			" cannot be changed on a running confidential "
			"pod; create a new pod");
	if (annotation_changed(rq, ANNOTATION_INIT_DATA))
		return policy_refuse(res, a, REASON_NotAsPromised,
			"annotation " ANNOTATION_INIT_DATA
			" is what the confidential VM is started with and cannot be changed; "
			"create a new pod");
	/* A pod with a scheduling gate may still gain a node selector: it is judged as if created. */
	if (policy_confidential(rq->config, rq->old_object) == TEE_NONE)
		return judge_security(rq, rq->object, a, res);
	return judge_images(rq, a, res);
}

static int validate_ephemeral(
	const struct policy_request *rq, struct arena *a, struct policy_result *res)
{
	int r;

	res->tee = confidential(rq);
	res->reason = REASON_NotConfidential;
	if (res->tee == TEE_NONE)
		return 0;
	r = access_judge(rq, rq->old_object, ACCESS_EPHEMERAL, a, res);
	/* who breaks the glass may need more than baseline; the profile allows no more than that */
	if (r < 0 || res->verdict == VERDICT_REFUSED || res->reason == REASON_BreakGlass)
		return r;
	return judge_security(rq, rq->object, a, res);
}

static int validate_pod(const struct policy_request *rq, struct arena *a, struct policy_result *res)
{
	bool main_resource = rq->subresource.len == 0;

	if (main_resource && rq->operation == OP_CREATE)
		return validate_created(rq, a, res);
	if (rq->operation != OP_UPDATE || policy_is_mirror(rq))
		return 0;
	if (main_resource)
		return validate_updated(rq, a, res);
	if (span_is(rq->subresource, "ephemeralcontainers"))
		return validate_ephemeral(rq, a, res);
	return 0; /* status, resize: they change nothing that policy looks at */
}

int policy_validate(const struct policy_request *rq, struct arena *a, struct policy_result *res)
{
	*res = (struct policy_result){.reason = REASON_NotConfidential};
	if (span_is(rq->kind, "Pod"))
		return validate_pod(rq, a, res);
	if (policy_template_prefix(rq->kind) && rq->subresource.len == 0 &&
		(rq->operation == OP_CREATE || rq->operation == OP_UPDATE))
		return workload_predict(rq, a, res);
	return 0;
}
