/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/holdings.h"

#include "nodeagent/kubelet/message.h"
#include "nodeagent/kubelet/podresources.pb-c.h"

struct reading {
	struct arena *a;
	const char *const *prefixes;
	struct holding *v; /* room for max */
	size_t n, max;
	bool cut;
	struct error *err;
};

static bool is_ours(const struct reading *rd, const V1__ContainerDevices *d)
{
	struct span name = {(const char *)d->resource_name.data, d->resource_name.len};

	for (size_t i = 0; rd->prefixes[i]; i++)
		if (span_starts(name, rd->prefixes[i]))
			return true;
	return false;
}

static int read_name(
	struct reading *rd, const char **ret, const ProtobufCBinaryData *bytes, const char *what)
{
	char quoted[MESSAGE_QUOTE_MAX];

	*ret = message_name(rd->a, bytes);
	if (*ret)
		return 0;
	return error_set(rd->err, -EBADMSG, "pod resources: \"%s\" is no %s",
		message_quote(quoted, bytes), what);
}

static int add(struct reading *rd, const struct holding *h)
{
	if (rd->n == rd->max) {
		size_t max = rd->max ? 2 * rd->max : 64;
		struct holding *v = arena_array(rd->a, struct holding, max);

		if (!v)
			return error_oom(rd->err);
		if (rd->n)
			memcpy(v, rd->v, rd->n * sizeof(*v));
		rd->v = v;
		rd->max = max;
	}
	rd->v[rd->n++] = *h;
	return 0;
}

static int read_devices(struct reading *rd, struct holding h, const V1__ContainerDevices *d)
{
	const char **ids = arena_array(rd->a, const char *, d->n_device_ids);
	int r = ids ? 0 : error_oom(rd->err);

	h.ids = ids;
	h.n_ids = d->n_device_ids;
	if (r >= 0)
		r = read_name(rd, &h.resource, &d->resource_name, "resource");
	for (size_t i = 0; r >= 0 && i < d->n_device_ids; i++)
		r = read_name(rd, &ids[i], &d->device_ids[i], "device id");
	return r < 0 ? r : add(rd, &h);
}

static int read_container(
	struct reading *rd, const V1__PodResources *pod, const V1__ContainerResources *c)
{
	struct holding h = {0};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_devices; i++) {
		if (!is_ours(rd, c->devices[i]))
			continue;
		if (rd->n == POD_RESOURCES_MAX) {
			rd->cut = true;
			return 0;
		}
		r = read_name(rd, &h.namespace_, &pod->namespace_, "namespace");
		if (r >= 0)
			r = read_name(rd, &h.pod, &pod->name, "pod's name");
		if (r >= 0)
			r = read_name(rd, &h.container, &c->name, "container's name");
		if (r >= 0)
			r = read_devices(rd, h, c->devices[i]);
	}
	return r;
}

int holdings_read(struct holdings *ret_h, struct arena *a, struct span message,
	const char *const *prefixes, struct error *err)
{
	struct reading rd = {.a = a, .prefixes = prefixes, .err = err};
	V1__ListPodResourcesResponse *m =
		message_unpack(a, &v1__list_pod_resources_response__descriptor, message, err);
	int r = 0;

	if (!m)
		return -EBADMSG;
	for (size_t i = 0; r >= 0 && i < m->n_pod_resources; i++) {
		const V1__PodResources *pod = m->pod_resources[i];

		for (size_t j = 0; r >= 0 && j < pod->n_containers; j++)
			r = read_container(&rd, pod, pod->containers[j]);
	}
	if (r < 0)
		return r;
	*ret_h = (struct holdings){.v = rd.v, .n = rd.n, .cut = rd.cut};
	return 0;
}
