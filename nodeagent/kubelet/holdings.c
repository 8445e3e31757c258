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
	int r = message_name(ret, rd->a, bytes);

	if (r == -ENOMEM)
		return error_oom(rd->err);
	return r == 0 ? 0
		      : error_set(rd->err, -EBADMSG, "pod resources: \"%s\" is no %s",
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

/* The ids' array doubles whenever it is full. */
static int add_id(struct reading *rd, struct holding *h, const ProtobufCBinaryData *id)
{
	const char **ids = (const char **)h->ids;
	size_t n = h->n_ids;

	if ((n & (n - 1)) == 0) {
		ids = arena_array(rd->a, const char *, n ? 2 * n : 1);
		if (!ids)
			return error_oom(rd->err);
		if (n)
			memcpy(ids, h->ids, n * sizeof(*ids));
		h->ids = ids;
	}
	h->n_ids++;
	return read_name(rd, &ids[n], id, "device id");
}

/* The holding of d's resource among those from first on, which are the container's; else a new one,
 * or NULL when there is no room (rd->cut), or for an error. */
static struct holding *holding_of(struct reading *rd, size_t first, const struct holding *container,
	const V1__ContainerDevices *d, int *ret_r)
{
	struct span name = {(const char *)d->resource_name.data, d->resource_name.len};
	struct holding h = *container;

	for (size_t i = first; i < rd->n; i++)
		if (span_is(name, rd->v[i].resource))
			return &rd->v[i];
	if (rd->n == POD_RESOURCES_MAX) {
		rd->cut = true;
		return NULL;
	}
	if (rd->n - first == HOLDINGS_RESOURCES_MAX) {
		*ret_r = error_set(rd->err, -EBADMSG,
			"pod resources: %s/%s: more than %d resources of ours for one container",
			h.namespace_, h.pod, HOLDINGS_RESOURCES_MAX);
		return NULL;
	}
	*ret_r = read_name(rd, &h.resource, &d->resource_name, "resource");
	if (*ret_r >= 0)
		*ret_r = add(rd, &h);
	return *ret_r < 0 ? NULL : &rd->v[rd->n - 1];
}

/* The kubelet has an entry for each device. */
static int read_container(
	struct reading *rd, const V1__PodResources *pod, const V1__ContainerResources *c)
{
	struct holding container = {0};
	size_t first = rd->n;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_devices; i++) {
		const V1__ContainerDevices *d = c->devices[i];
		struct holding *h;

		if (!is_ours(rd, d))
			continue;
		if (!container.pod) {
			r = read_name(rd, &container.namespace_, &pod->namespace_, "namespace");
			if (r >= 0)
				r = read_name(rd, &container.pod, &pod->name, "pod's name");
			if (r >= 0)
				r = read_name(
					rd, &container.container, &c->name, "container's name");
			if (r < 0)
				return r;
		}
		h = holding_of(rd, first, &container, d, &r);
		for (size_t k = 0; h && r >= 0 && k < d->n_device_ids; k++)
			r = add_id(rd, h, &d->device_ids[k]);
	}
	return r;
}

int holdings_read(struct holdings *ret_h, struct arena *a, struct span message,
	const char *const *prefixes, struct error *err)
{
	struct reading rd = {.a = a, .prefixes = prefixes, .err = err};
	const V1__ListPodResourcesResponse *m;
	ProtobufCMessage *unpacked;
	int r = message_unpack(
		&unpacked, a, &v1__list_pod_resources_response__descriptor, message, err);

	if (r < 0)
		return r;
	m = (const V1__ListPodResourcesResponse *)unpacked;
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
