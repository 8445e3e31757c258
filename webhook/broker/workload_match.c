/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/workload_match.h"

#include <errno.h>

#include "webhook/policy/result.h"

static const struct list {
	const char *spec, *status;
} lists[] = {
	{"containers", "containerStatuses"},
	{"initContainers", "initContainerStatuses"},
};

static struct json_val named(struct json_val list, struct json_val name, size_t *ret_index)
{
	struct json_iter it;

	json_each (it, list) {
		if (!json_is_string(name) || !json_equal(json_get(it.value, "name"), name))
			continue;
		if (ret_index)
			*ret_index = it.index;
		return it.value;
	}
	return (struct json_val){0};
}

/* The entry of one container. 0, GRANT_REFUSED, -ENOMEM. */
static int find_entry(struct running *c)
{
	struct json_val name = json_get(c->v, "name");
	struct span text = json_str(name, c->d->a);
	size_t i = 0;

	c->name = text.p ? arena_strdup(c->d->a, utf8_cut(text, SHOWN_MAX)) : NULL;
	if (!c->name)
		return json_is_string(name) ? -ENOMEM
					    : grant_refuse(c->d, REASON_WorkloadNotAllowed,
						      "a container has no name");
	c->want = named(json_find(c->d->profile->spec, "workload", "containers"), name, &i);
	if (!json_exists(c->want))
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"spec.workload.containers lacks \"%s\", a container of the pod: list each "
			"container of pods that get keys, or take it out of the pod",
			c->name);
	c->at = arena_printf(c->d->a, "spec.workload.containers[%zu] (%s)", i, c->name);
	return c->at ? 0 : -ENOMEM;
}

static int match_container(struct running *c)
{
	int r = find_entry(c);

	if (r == 0)
		r = running_image(c);
	if (r == 0)
		r = running_command(c);
	if (r == 0)
		r = running_env(c);
	if (r == 0)
		r = running_mounts(c);
	return r ? r : running_hooks(c);
}

static int match_pod(struct decision *d)
{
	struct json_val spec = json_get(d->q->pod, "spec");

	if (!json_exists(json_find(d->profile->spec, "workload", "containers")))
		return grant_refuse(d, REASON_WorkloadNotAllowed,
			"spec.workload is missing: it says which containers may have the "
			"profile's keys (casemate-webhook inspect writes it from a pod)");
	if (json_type(json_get(spec, "shareProcessNamespace")) == JSON_TRUE)
		return grant_refuse(d, REASON_WorkloadNotAllowed,
			"the pod's spec.shareProcessNamespace lets one container read the memory "
			"of others; remove it");
	if (json_count(json_get(spec, "ephemeralContainers")) > 0)
		return grant_refuse(d, REASON_WorkloadNotAllowed,
			"the pod has ephemeral containers (spec.ephemeralContainers), and gets no "
			"keys any more; create it anew");
	return 0;
}

/* Does the container's image name this digest? */
static bool names_image(const struct decision *d, struct json_val container)
{
	struct span image = json_str(json_get(container, "image"), d->a);
	size_t n = d->q->image.len;

	return image.len > n && image.p[image.len - n - 1] == '@' &&
	       span_equal((struct span){image.p + image.len - n, n}, d->q->image);
}

int workload_match(struct decision *d)
{
	bool image = !d->q->image.p;
	int r = match_pod(d);

	for (size_t i = 0; i < ARRAY_SIZE(lists) && r == 0; i++) {
		struct json_val statuses = json_find(d->q->pod, "status", lists[i].status);
		struct json_iter it;

		json_each (it, json_find(d->q->pod, "spec", lists[i].spec)) {
			struct running c = {.d = d, .v = it.value};

			c.status = named(statuses, json_get(it.value, "name"), NULL);
			image = image || names_image(d, it.value);
			r = match_container(&c);
			if (r)
				return r;
		}
	}
	if (r == 0 && !image)
		return grant_refuse(d, REASON_WorkloadNotAllowed,
			"no container of the pod names the image by its digest, " SPAN_FMT,
			SHOWN(d->q->image));
	return r;
}
