/* SPDX-License-Identifier: Apache-2.0
 *
 * What is mounted into a container. */
#include <errno.h>

#include "common/kbs/delivery.h"
#include "webhook/broker/workload_match.h"
#include "webhook/policy/keys.h"
#include "webhook/policy/result.h"

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"
#define ROOT_CA_CONFIG_MAP  "kube-root-ca.crt"

static struct json_val volume_of(const struct running *c, struct json_val mount)
{
	struct json_val name = json_get(mount, "name");
	struct json_iter it;

	json_each (it, json_find(c->d->q->pod, "spec", "volumes"))
		if (json_is_string(name) && json_equal(json_get(it.value, "name"), name))
			return it.value;
	return (struct json_val){0};
}

static bool is_read_only(struct json_val mount)
{
	return json_type(json_get(mount, "readOnly")) == JSON_TRUE;
}

/* What the API server's ServiceAccount admission makes: a token for the API server, its CA, and the
 * namespace. Anything else there would be somebody's own CA. */
static bool is_api_access(struct json_val volume)
{
	struct json_val sources = json_find(volume, "projected", "sources");
	struct json_iter it;

	json_each (it, sources) {
		struct json_val token = json_get(it.value, "serviceAccountToken");
		bool ca = json_str_is(json_find(it.value, "configMap", "name"), ROOT_CA_CONFIG_MAP);
		bool own = json_is_object(token) && !json_exists(json_get(token, "audience"));

		if (json_count(it.value) != 1 ||
			!(own || ca || json_is_object(json_get(it.value, "downwardAPI"))))
			return false;
	}
	return json_count(sources) > 0;
}

static bool is_listed(const struct running *c, struct json_val path)
{
	struct json_iter it;

	json_each (it, json_get(c->want, "mounts"))
		if (json_equal(it.value, path))
			return true;
	return false;
}

/* Is path at or below dir? */
static bool is_below(struct span path, const char *dir)
{
	struct span rest = span_after(path, dir);

	return rest.p && (rest.len == 0 || rest.p[0] == '/');
}

static bool is_set(struct json_val v)
{
	return json_type(v) > JSON_NULL && !json_str_is(v, "");
}

static int judge_mount(const struct running *c, struct json_val mount)
{
	struct json_val path = json_get(mount, "mountPath");
	struct json_val propagation = json_get(mount, "mountPropagation");
	struct json_val volume = volume_of(c, mount);
	struct span text = json_str(path, c->d->a);

	if (!text.p && json_is_string(path))
		return -ENOMEM;
	if (is_set(json_get(mount, "subPath")) || is_set(json_get(mount, "subPathExpr")) ||
		(is_set(propagation) && !json_str_is(propagation, "None")))
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"container %s: the mount at " SPAN_FMT
			" has a subPath or propagates mounts, which no profile allows; remove that",
			c->name, SHOWN(text));
	if (json_str_is(path, SERVICE_ACCOUNT_DIR) && is_read_only(mount) && is_api_access(volume))
		return 0;
	if (keys_is_token_mount(mount) && keys_is_token_volume(volume))
		return 0;
	if (is_below(text, DELIVERY_DIR))
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"container %s: the mount at " SPAN_FMT
			" is where the node's agent puts keys; "
			"remove it",
			c->name, SHOWN(text));
	if (is_listed(c, path))
		return 0;
	return grant_refuse(c->d, REASON_WorkloadNotAllowed,
		"%s.mounts lacks \"" SPAN_FMT
		"\", where the container mounts a volume: list it, or take it "
		"out of the pod",
		c->at, SHOWN(text));
}

int running_mounts(const struct running *c)
{
	struct json_iter it;

	if (json_count(json_get(c->v, "volumeDevices")) > 0)
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"container %s: volumeDevices are nothing that a profile can allow; remove "
			"them",
			c->name);
	json_each (it, json_get(c->v, "volumeMounts")) {
		int r = judge_mount(c, it.value);

		if (r)
			return r;
	}
	return 0;
}
