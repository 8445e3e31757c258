/* SPDX-License-Identifier: Apache-2.0
 *
 * A value of the wrong type is refused here, once, so that what reads a pod view need not look
 * again; null counts as absent, as it does for Kubernetes. */
#include "webhook/policy/pod.h"

#include <errno.h>

#include "webhook/policy/resource.h"
#include "webhook/policy/result.h"

static bool is_absent(struct json_val v)
{
	return json_type(v) <= JSON_NULL;
}

/* A map of strings (annotations, labels, nodeSelector), or absent. */
static int check_strings(struct json_val map, const char *field, struct error *err)
{
	struct json_iter it;

	if (is_absent(map))
		return 0;
	if (!json_is_object(map))
		return error_set(err, -EBADMSG, "%s must be an object of strings", field);
	json_each (it, map)
		if (!json_is_string(it.value) && json_type(it.value) != JSON_NULL)
			return error_set(err, -EBADMSG, "%s[" SPAN_FMT "] must be a string", field,
				SHOWN(json_raw(it.key)));
	return 0;
}

static int check_type(struct json_val v, enum json_type type, const char *field, struct error *err)
{
	if (is_absent(v) || json_type(v) == type)
		return 0;
	return error_set(err, -EBADMSG, "%s must be %s", field,
		type == JSON_OBJECT  ? "an object"
		: type == JSON_ARRAY ? "an array"
				     : "a string");
}

/* An array of objects, or absent. */
static int check_objects(struct json_val list, const char *field, struct error *err)
{
	struct json_iter it;
	int r = check_type(list, JSON_ARRAY, field, err);

	if (r < 0)
		return r;
	json_each (it, list)
		if (!json_is_object(it.value))
			return error_set(
				err, -EBADMSG, "%s[%zu] must be an object", field, it.index);
	return 0;
}

static int check_container(struct json_val v, struct error *err)
{
	struct json_val resources = json_get(v, "resources");
	int r;

	if (!json_is_object(v))
		return error_set(err, -EBADMSG, "a container must be an object");
	if (!json_is_string(json_get(v, "name")))
		return error_set(err, -EBADMSG, "name must be a string");
	if ((r = check_type(resources, JSON_OBJECT, "resources", err)) < 0 ||
		(r = check_type(json_get(resources, "limits"), JSON_OBJECT, "resources.limits",
			 err)) < 0 ||
		(r = check_type(json_get(resources, "requests"), JSON_OBJECT, "resources.requests",
			 err)) < 0 ||
		(r = check_objects(json_get(v, "env"), "env", err)) < 0 ||
		(r = check_objects(json_get(v, "volumeMounts"), "volumeMounts", err)) < 0)
		return r;
	return check_type(json_get(v, "restartPolicy"), JSON_STRING, "restartPolicy", err);
}

static int view_containers(
	struct pod *p, struct json_val list, const char *name, struct arena *a, struct error *err)
{
	struct json_iter it;

	json_each (it, list) {
		struct container *c = &p->containers[p->n];
		int r = check_container(it.value, err);

		if (r < 0)
			return error_prefix(err, r, "spec.%s[%zu]", name, it.index);
		*c = (struct container){
			.v = it.value,
			.name = json_str(json_get(it.value, "name"), a),
			.kind = container_kind(it.value, name[0] == 'i'),
			.index = it.index,
			.list = name,
		};
		if (!c->name.p)
			return error_oom(err);
		p->n++;
	}
	return 0;
}

static int check_spec(
	const struct pod *p, struct json_val apps, struct json_val inits, struct error *err)
{
	int r;

	if ((r = check_strings(p->annotations, "metadata.annotations", err)) < 0 ||
		(r = check_strings(p->labels, "metadata.labels", err)) < 0 ||
		(r = check_strings(p->node_selector, "spec.nodeSelector", err)) < 0 ||
		(r = check_type(json_get(p->spec, "runtimeClassName"), JSON_STRING,
			 "spec.runtimeClassName", err)) < 0 ||
		(r = check_type(json_get(p->spec, "overhead"), JSON_OBJECT, "spec.overhead", err)) <
			0 ||
		(r = check_objects(json_get(p->spec, "volumes"), "spec.volumes", err)) < 0 ||
		(r = check_type(apps, JSON_ARRAY, "spec.containers", err)) < 0 ||
		(r = check_type(inits, JSON_ARRAY, "spec.initContainers", err)) < 0)
		return r;
	return 0;
}

/* A string of metadata or spec, decoded; empty when it is absent. */
static int view_string(struct span *ret_s, struct json_val v, struct arena *a, struct error *err)
{
	struct span s = json_is_string(v) ? json_str(v, a) : SPAN_LIT("");

	if (!s.p)
		return error_oom(err);
	*ret_s = s;
	return 0;
}

int pod_view(struct pod *ret_pod, struct json_val object, struct arena *a, struct error *err)
{
	struct pod p = {
		.metadata = json_get(object, "metadata"),
		.spec = json_get(object, "spec"),
	};
	struct json_val apps = json_get(p.spec, "containers");
	struct json_val inits = json_get(p.spec, "initContainers");
	struct json_val name = json_get(p.metadata, "name");
	int r;

	if (!is_absent(p.metadata) && !json_is_object(p.metadata))
		return error_set(err, -EBADMSG, "metadata must be an object");
	if (!json_is_object(p.spec))
		return error_set(err, -EBADMSG, "spec must be an object");
	p.annotations = json_get(p.metadata, "annotations");
	p.labels = json_get(p.metadata, "labels");
	p.node_selector = json_get(p.spec, "nodeSelector");
	r = check_spec(&p, apps, inits, err);
	if (r < 0)
		return r;
	p.crowded = json_count(apps) + json_count(inits) > POD_CONTAINERS_MAX;
	if (p.crowded)
		apps = inits = (struct json_val){0};
	p.containers = arena_array(a, struct container, json_count(apps) + json_count(inits));
	if (!p.containers)
		return error_oom(err);
	if (is_absent(name))
		name = json_get(p.metadata, "generateName");
	if ((r = view_string(&p.name, name, a, err)) < 0 ||
		(r = view_string(&p.runtime_class, json_get(p.spec, "runtimeClassName"), a, err)) <
			0 ||
		(r = view_containers(&p, apps, "containers", a, err)) < 0 ||
		(r = view_containers(&p, inits, "initContainers", a, err)) < 0)
		return r;
	*ret_pod = p;
	return 0;
}

/* spec.overhead's amount of resource, 0 when there is none. */
static int overhead_of(const struct pod *p, const char *resource, int64_t *ret_n, struct error *err)
{
	struct json_val v =
		resource ? json_find(p->spec, "overhead", resource) : (struct json_val){0};
	int r;

	*ret_n = 0;
	if (is_absent(v))
		return 0;
	r = quantity_count_from_json(ret_n, v, err);
	return r < 0 ? error_prefix(err, r, "spec.overhead[\"%s\"]", resource) : 0;
}

int pod_effective(const struct pod *p, const int64_t *amounts, const char *resource, int64_t *ret_n,
	struct error *err)
{
	struct pod_sum sum = {0};
	int64_t overhead;
	int r = overhead_of(p, resource, &overhead, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p->n; i++)
		pod_sum_add(&sum, p->containers[i].kind, amounts[i]);
	r = pod_sum_total(&sum, overhead, ret_n);
	if (r < 0)
		return error_set(err, r,
			"the pod's containers ask for more than 9223372036854775807 of %s together",
			resource ? resource : "a resource");
	return 0;
}
