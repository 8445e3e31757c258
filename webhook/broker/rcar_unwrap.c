/* SPDX-License-Identifier: Apache-2.0
 *
 * A layer of an encrypted image: its packet is unwrapped for the agent of a node on which a live
 * pod of the key's profile names an image by a digest that the profile lists. Which image the layer
 * is of no decoder says: who may run one of the profile's images there may unwrap layers for them.
 */
#include <errno.h>
#include <stdio.h>

#include "common/kbs/key_id.h"
#include "webhook/broker/rcar_private.h"
#include "webhook/policy/names.h"
#include "webhook/policy/tee.h"

/* What the pods come to: the first that may, or why the last may not. */
struct search {
	struct visit *v;
	enum reason reason;
	char message[RCAR_DETAIL_MAX];
};

static void copy(char *to, size_t size, struct json_val v)
{
	if (!json_copy(v, to, size))
		to[0] = '\0';
}

/* For the audit log: no token says it. */
static void note_pod(struct requester *who, struct json_val pod)
{
	struct json_val metadata = json_get(pod, "metadata");

	copy(who->namespace_, sizeof(who->namespace_), json_get(metadata, "namespace"));
	copy(who->pod, sizeof(who->pod), json_get(metadata, "name"));
	copy(who->pod_uid, sizeof(who->pod_uid), json_get(metadata, "uid"));
	copy(who->service_account, sizeof(who->service_account),
		json_find(pod, "spec", "serviceAccountName"));
}

/* 1: this pod may, for this image; 0: not; -ENOMEM. */
static int judge_image(struct search *s, struct json_val pod, struct span image)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(MESSAGES_MAX);
	const char *message = "";
	int r = visit_judge(s->v, pod, image, &a, &s->reason, &message);

	if (r < 0)
		return r;
	snprintf(s->message, sizeof(s->message), "pod " SPAN_FMT ": %s",
		SPAN_ARG(json_str(json_find(pod, "metadata", "name"), &a)), message);
	return s->reason == REASON_Ok;
}

static int judge_pod(struct search *s, struct json_val pod)
{
	static const char *const lists[] = {"initContainers", "containers"};
	_cleanup_arena_ struct arena a = ARENA_INIT(MESSAGES_MAX);

	if (!json_str_is(json_find(pod, "metadata", "annotations", ANNOTATION_PROFILE),
		    s->v->key.profile))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct json_iter it;

		json_each (it, json_find(pod, "spec", lists[i])) {
			struct span image =
				name_image_digest(json_str(json_get(it.value, "image"), &a));
			int r = image.p ? judge_image(s, pod, image) : 0;

			if (r != 0)
				return r;
		}
	}
	return 0;
}

static void on_pods(void *ctx, struct json_val pods, enum reason reason, const char *message)
{
	struct visit *v = ctx;
	struct search s = {.v = v, .reason = REASON_WorkloadNotAllowed};
	struct json_iter it;
	int r = 0;

	v->asked = NULL;
	if (reason != REASON_Ok) {
		visit_deny(v, reason, message);
		return;
	}
	snprintf(s.message, sizeof(s.message),
		"no pod of EnclaveProfile %s on node %s names an image by its digest (image: "
		"REPOSITORY@sha256:…), and its layers are unwrapped for such pods alone",
		v->key.profile, v->session.who.node);
	json_each (it, pods) {
		r = judge_pod(&s, it.value);
		if (r == 0)
			continue;
		note_pod(&v->session.who, it.value);
		break;
	}
	if (r < 0)
		visit_refuse(v, REASON_Internal, "out of memory");
	else if (r == 0)
		visit_deny(v, s.reason, s.message);
	else
		visit_fetch(v);
}

static int read_packet(struct visit *v, struct error *err)
{
	struct key_id id;
	int r = packet_read(&v->packet, v->request->body, err);

	if (r == 0)
		r = key_id_parse(&id, span_str(v->packet.kid), NULL, err);
	if (r < 0)
		return r;
	if (strcmp(id.namespace_, v->key.namespace_) == 0 &&
		strcmp(id.profile, v->key.profile) == 0 && strcmp(id.key, v->key.key) == 0)
		return 0;
	return error_set(err, -EBADMSG, "the packet names another key than the path");
}

void visit_look_for_image(struct visit *v)
{
	int r;

	v->asked = witness_pods(
		v->desk->o.witness, v->key.namespace_, v->session.who.node, on_pods, v, &r);
	if (!v->asked)
		visit_refuse(v, REASON_Internal, "%s", strerror(-r));
}

void visit_unwrap(struct visit *v)
{
	const struct rcar_options *o = &v->desk->o;
	const struct requester *who = &v->session.who;
	struct error err = {0};
	int r;

	if (!visit_ready(v))
		return;
	r = read_packet(v, &err);
	if (r < 0) {
		visit_refuse(
			v, r == -ENOMEM ? REASON_Internal : REASON_Malformed, "%s", err.message);
		return;
	}
	if (!who->node[0] || who->pod[0] || !o->witness) {
		visit_deny(v, REASON_WorkloadNotAllowed,
			"layers are unwrapped for the agent of a node alone, in no pod's name");
		return;
	}
	visit_look(v);
}
