/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/inspect/workload.h"

#include <errno.h>

#include "common/kbs/delivery.h"
#include "webhook/policy/names.h"

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* A list being written: "," between its elements. */
struct list {
	struct buf *out;
	size_t n;
};

static void add(struct list *l, struct span json)
{
	if (l->n++)
		buf_putc(l->out, ',');
	buf_span(l->out, json);
}

static struct json_val named(struct json_val list, struct json_val name)
{
	struct json_iter it;

	json_each (it, list)
		if (json_equal(json_get(it.value, "name"), name))
			return it.value;
	return (struct json_val){0};
}

/* The spec's, and what runs where that is another (an index and its manifest). */
static void write_digests(
	struct buf *out, struct json_val container, struct json_val status, struct arena *a)
{
	struct span spec = name_image_digest(json_str(json_get(container, "image"), a));
	struct span runs = name_image_id_digest(json_str(json_get(status, "imageID"), a));
	bool both = spec.p && runs.p && !span_equal(spec, runs);

	buf_puts(out, ",\"imageDigests\":[");
	if (spec.p)
		buf_json_string(out, spec);
	if (both)
		buf_putc(out, ',');
	if (both || (runs.p && !spec.p))
		buf_json_string(out, runs);
	buf_putc(out, ']');
}

/* As run: without casemate-exec. */
static void write_command(struct buf *out, struct json_val container)
{
	struct json_val command = json_get(container, "command");
	size_t skip = json_str_is(json_at(command, 0), DELIVERY_EXEC) ? 2 : 0;
	struct list l = {.out = out};
	struct json_iter it;

	if (json_count(command) == 0)
		return;
	buf_puts(out, ",\"command\":[");
	json_each (it, command)
		if (it.index >= skip && json_is_string(it.value))
			add(&l, json_raw(it.value));
	json_each (it, json_get(container, "args"))
		if (json_is_string(it.value))
			add(&l, json_raw(it.value));
	buf_putc(out, ']');
}

static void write_env(struct buf *out, struct json_val container, struct arena *a)
{
	struct list l = {.out = out};
	struct json_iter it;

	json_each (it, json_get(container, "env")) {
		struct json_val name = json_get(it.value, "name");

		if (!json_is_string(name) ||
			span_starts(json_str(json_get(it.value, "value"), a), DELIVERY_URL))
			continue;
		if (l.n == 0)
			buf_puts(out, ",\"env\":[");
		add(&l, json_raw(name));
	}
	if (l.n)
		buf_putc(out, ']');
}

static void write_mounts(struct buf *out, struct json_val container)
{
	struct list l = {.out = out};
	struct json_iter it;

	json_each (it, json_get(container, "volumeMounts")) {
		struct json_val path = json_get(it.value, "mountPath");

		if (!json_is_string(path) || json_str_is(path, SERVICE_ACCOUNT_DIR) ||
			json_str_is(path, DELIVERY_TOKEN_DIR))
			continue;
		if (l.n == 0)
			buf_puts(out, ",\"mounts\":[");
		add(&l, json_raw(path));
	}
	if (l.n)
		buf_putc(out, ']');
}

static void write_probes(struct buf *out, struct json_val container)
{
	static const char *const fields[] = {"livenessProbe", "readinessProbe", "startupProbe"};
	bool exec = json_count(json_get(container, "lifecycle")) > 0, any = false;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct json_val probe = json_get(container, fields[i]);

		any = any || json_is_object(probe);
		exec = exec || json_exists(json_get(probe, "exec"));
	}
	buf_printf(out, ",\"probes\":\"%s\"", exec ? "exec" : any ? "http" : "none");
}

static int write_container(struct list *l, struct json_val container, struct json_val statuses,
	struct arena *a, struct error *err)
{
	struct json_val name = json_get(container, "name");

	if (!json_is_string(name))
		return error_set(err, -EBADMSG, "a container has no name");
	add(l, SPAN_LIT("{\"name\":"));
	buf_span(l->out, json_raw(name));
	write_digests(l->out, container, named(statuses, name), a);
	write_command(l->out, container);
	write_env(l->out, container, a);
	write_mounts(l->out, container);
	write_probes(l->out, container);
	return buf_putc(l->out, '}');
}

int workload_write(struct buf *out, struct json_val pod, struct arena *a, struct error *err)
{
	static const char *const lists[][2] = {
		{"containers", "containerStatuses"}, {"initContainers", "initContainerStatuses"}};
	struct json_val spec = json_get(pod, "spec");
	struct list l = {.out = out};

	if (json_count(json_get(spec, "containers")) == 0)
		return error_set(err, -EBADMSG, "no pod: spec.containers is missing");
	buf_puts(out, "{\"workload\":{\"containers\":[");
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct json_iter it;

		json_each (it, json_get(spec, lists[i][0])) {
			int r = write_container(
				&l, it.value, json_find(pod, "status", lists[i][1]), a, err);

			if (r < 0)
				return r;
		}
	}
	return buf_puts(out, "]}}");
}
