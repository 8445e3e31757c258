/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/devices.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#include "nodeagent/kubelet/deviceplugin.pb-c.h"
#include "nodeagent/kubelet/message.h"

enum { DIGITS_MAX = 4 }; /* of RESOURCE_DEVICES_MAX - 1 */

int devices_check(const struct resource *r, struct error *err)
{
	const char *slash = strchr(r->name, '/');

	if (!slash || slash == r->name || !slash[1] || strchr(slash + 1, '/') ||
		strlen(r->name) > 100 || strstr(r->name, "kubernetes.io/"))
		return error_set(err, -EINVAL,
			"resource '%s': must be DOMAIN/NAME, at most 100 bytes, and not of "
			"kubernetes.io",
			r->name);
	if (!r->prefix[0] || strlen(r->prefix) > DEVICE_ID_MAX - DIGITS_MAX)
		return error_set(err, -EINVAL,
			"resource '%s': its ids' prefix must have 1 to %d bytes", r->name,
			DEVICE_ID_MAX - DIGITS_MAX);
	return 0;
}

/* The device's number, or -1. There is one way to write each. */
static int number_of(const struct devices *d, const char *id)
{
	struct span digits = span_after(span_str(id), d->resource->prefix);
	int n = 0;

	if (digits.len == 0 || digits.len > DIGITS_MAX || (digits.len > 1 && digits.p[0] == '0'))
		return -1;
	for (size_t i = 0; i < digits.len; i++) {
		if (!isdigit((unsigned char)digits.p[i]))
			return -1;
		n = 10 * n + digits.p[i] - '0';
	}
	return n < (int)d->count ? n : -1;
}

int devices_list(const struct devices *d, struct buf *out)
{
	/* One at a time: what is appended is one message (message_pack). */
	for (unsigned i = 0; i < d->count; i++) {
		V1beta1__ListAndWatchResponse list = V1BETA1__LIST_AND_WATCH_RESPONSE__INIT;
		V1beta1__Device device = V1BETA1__DEVICE__INIT;
		char id[DEVICE_ID_MAX + 1];

		snprintf(id, sizeof(id), "%s%u", d->resource->prefix, i);
		device.id = id;
		device.health = (char *)(d->healthy ? "Healthy" : "Unhealthy");
		list.devices = (V1beta1__Device *[]){&device};
		list.n_devices = 1;
		message_pack(out, &list.base);
	}
	return out->err;
}

int devices_options(const struct devices *d, struct buf *out)
{
	V1beta1__DevicePluginOptions options = V1BETA1__DEVICE_PLUGIN_OPTIONS__INIT;

	options.pre_start_required = d->resource->pre_start != NULL;
	return message_pack(out, &options.base);
}

int devices_register(const struct devices *d, const char *endpoint, struct buf *out)
{
	V1beta1__DevicePluginOptions options = V1BETA1__DEVICE_PLUGIN_OPTIONS__INIT;
	V1beta1__RegisterRequest request = V1BETA1__REGISTER_REQUEST__INIT;

	options.pre_start_required = d->resource->pre_start != NULL;
	request.version = (char *)"v1beta1";
	request.endpoint = (char *)endpoint;
	request.resource_name = (char *)d->resource->name;
	request.options = &options;
	return message_pack(out, &request.base);
}

/* Checks n ids and copies them into a; each may come once. */
static int take_ids(const struct devices *d, const ProtobufCBinaryData *ids, size_t n,
	struct arena *a, const char *const **ret_ids, struct error *err)
{
	const char *resource = d->resource->name, **copy = arena_array(a, const char *, n);
	unsigned char seen[RESOURCE_DEVICES_MAX / 8] = {0};
	char quoted[MESSAGE_QUOTE_MAX];

	if (n == 0)
		return error_set(err, -EBADMSG, "%s: a container with no device ids", resource);
	if (!copy)
		return error_oom(err);
	for (size_t i = 0; i < n; i++) {
		int r = message_name(&copy[i], a, &ids[i]);
		int number = r == 0 ? number_of(d, copy[i]) : -1;

		if (r == -ENOMEM)
			return error_oom(err);
		message_quote(quoted, &ids[i]);
		if (number < 0 && d->count == 0)
			return error_set(err, -ENOENT,
				"%s has no device \"%s\": it has none at all now", resource,
				quoted);
		if (number < 0)
			return error_set(err, -ENOENT,
				"%s has no device \"%s\": its devices are %s0 to %s%u", resource,
				quoted, d->resource->prefix, d->resource->prefix, d->count - 1);
		if (seen[number / 8] & 1 << number % 8)
			return error_set(err, -EBADMSG, "%s: device \"%s\" twice for one container",
				resource, quoted);
		seen[number / 8] |= (unsigned char)(1 << number % 8);
	}
	*ret_ids = copy;
	return 0;
}

static int check_healthy(const struct devices *d, const char *id, struct error *err)
{
	if (d->healthy)
		return 0;
	return error_set(err, -EADDRNOTAVAIL, "device \"%s\" of %s is not healthy: %s", id,
		d->resource->name, d->why[0] ? d->why : "no reason is known");
}

/* A ContainerAllocateResponse's parts, as protobuf-c wants them: arrays of pointers. */
struct parts {
	V1beta1__DeviceSpec device[ALLOCATION_PARTS_MAX], *devices[ALLOCATION_PARTS_MAX];
	V1beta1__Mount mount[ALLOCATION_PARTS_MAX], *mounts[ALLOCATION_PARTS_MAX];
	V1beta1__ContainerAllocateResponse__EnvsEntry env[ALLOCATION_PARTS_MAX],
		*envs[ALLOCATION_PARTS_MAX];
};

static void fill_devices(struct parts *p, const struct allocation *got)
{
	assert(got->n_devices <= ALLOCATION_PARTS_MAX);
	for (size_t i = 0; i < got->n_devices; i++) {
		v1beta1__device_spec__init(&p->device[i]);
		p->device[i].container_path = (char *)got->devices[i].container_path;
		p->device[i].host_path = (char *)got->devices[i].host_path;
		p->device[i].permissions = (char *)got->devices[i].permissions;
		p->devices[i] = &p->device[i];
	}
}

static void fill_mounts(struct parts *p, const struct allocation *got)
{
	assert(got->n_mounts <= ALLOCATION_PARTS_MAX);
	for (size_t i = 0; i < got->n_mounts; i++) {
		v1beta1__mount__init(&p->mount[i]);
		p->mount[i].container_path = (char *)got->mounts[i].container_path;
		p->mount[i].host_path = (char *)got->mounts[i].host_path;
		p->mount[i].read_only = got->mounts[i].read_only;
		p->mounts[i] = &p->mount[i];
	}
}

static void fill_environment(struct parts *p, const struct allocation *got)
{
	assert(got->n_env <= ALLOCATION_PARTS_MAX);
	for (size_t i = 0; i < got->n_env; i++) {
		v1beta1__container_allocate_response__envs_entry__init(&p->env[i]);
		p->env[i].key = (char *)got->env[i].name;
		p->env[i].value = (char *)got->env[i].value;
		p->envs[i] = &p->env[i];
	}
}

static int pack_allocation(const struct allocation *got, struct buf *out)
{
	V1beta1__ContainerAllocateResponse c = V1BETA1__CONTAINER_ALLOCATE_RESPONSE__INIT;
	V1beta1__AllocateResponse response = V1BETA1__ALLOCATE_RESPONSE__INIT;
	struct parts parts;

	fill_devices(&parts, got);
	fill_mounts(&parts, got);
	fill_environment(&parts, got);
	c.devices = parts.devices;
	c.n_devices = got->n_devices;
	c.mounts = parts.mounts;
	c.n_mounts = got->n_mounts;
	c.envs = parts.envs;
	c.n_envs = got->n_env;
	response.container_responses = (V1beta1__ContainerAllocateResponse *[]){&c};
	response.n_container_responses = 1;
	return message_pack(out, &response.base);
}

/* What one container gets. */
static int allocate(const struct devices *d, const char *const *ids, size_t n, struct buf *out,
	struct error *err)
{
	struct allocation got = {0};
	struct error why = {0};
	int r = d->resource->allocate(d->resource->ctx, ids, n, &got, &why);

	if (r < 0)
		return error_set(err, r, "%s: %s", d->resource->name,
			why.message[0] ? why.message : strerror(-r));
	r = pack_allocation(&got, out);
	if (r == -ENOMEM)
		return error_oom(err);
	return r < 0 ? error_set(err, r, "%s: the answer is too long", d->resource->name) : 0;
}

int devices_allocate(
	const struct devices *d, struct span request, struct buf *out, struct error *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(DEVICES_MEMORY_MAX);
	const char *const *ids[DEVICES_CONTAINERS_MAX];
	const V1beta1__AllocateRequest *q;
	ProtobufCMessage *m;
	int r = message_unpack(&m, &a, &v1beta1__allocate_request__descriptor, request, err);

	if (r < 0)
		return r;
	q = (const V1beta1__AllocateRequest *)m;
	if (q->n_container_requests == 0 || q->n_container_requests > DEVICES_CONTAINERS_MAX)
		return error_set(err, -EBADMSG,
			"%s: a request for %zu containers; 1 to %d are answered", d->resource->name,
			q->n_container_requests, DEVICES_CONTAINERS_MAX);
	for (size_t i = 0; i < q->n_container_requests; i++) {
		V1beta1__ContainerAllocateRequest *c = q->container_requests[i];

		r = take_ids(d, c->devices_ids, c->n_devices_ids, &a, &ids[i], err);
		if (r >= 0)
			r = check_healthy(d, ids[i][0], err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < q->n_container_requests; i++) {
		r = allocate(d, ids[i], q->container_requests[i]->n_devices_ids, out, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int devices_pre_start(const struct devices *d, struct span request, struct arena *a,
	const char *const **ret_ids, size_t *ret_n, struct error *err)
{
	const V1beta1__PreStartContainerRequest *q;
	ProtobufCMessage *m;
	int r = message_unpack(
		&m, a, &v1beta1__pre_start_container_request__descriptor, request, err);

	if (r < 0)
		return r;
	q = (const V1beta1__PreStartContainerRequest *)m;
	r = take_ids(d, q->devices_ids, q->n_devices_ids, a, ret_ids, err);
	if (r >= 0)
		*ret_n = q->n_devices_ids;
	return r;
}
