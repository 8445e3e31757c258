/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/node/node_pod.h"

#include <errno.h>
#include <string.h>

#include "common/base/quantity.h"
#include "common/kube/pod_sum.h"
#include "common/kube/resources.h"

#define ANNOTATION_CONFIG_HASH "kubernetes.io/config.hash"

enum { POD_TEXT_MAX = 256 * 1024 /* bytes of names and ids that have to be decoded */ };

static const char *const device_names[POD_DEVICE_N] = {
	[POD_ENCLAVE] = RESOURCE_ENCLAVE,
	[POD_PROVISION] = RESOURCE_PROVISION,
	[POD_AESM] = RESOURCE_AESM,
	[POD_KEYS] = RESOURCE_KEYS,
	[POD_TDX_SLOT] = RESOURCE_TDX_SLOT,
	[POD_SNP_SLOT] = RESOURCE_SNP_SLOT,
};

/* What is read before it is known how much memory it takes. */
struct draft {
	struct arena arena;
	struct span namespace_, name, uid, cgroup_uid;
	struct pod_sum sum;
	struct {
		struct span name, id;
		int64_t epc;
		uint32_t devices[POD_DEVICE_N];
	} containers[NODE_POD_CONTAINERS_MAX];
	size_t n;
	bool any;
};

/* The API server has checked it and made requests of limits; what it is not counts as 0. */
static int64_t amount_of(struct json_val requests, const char *resource)
{
	int64_t n;

	return quantity_count_from_json(&n, json_get(requests, resource), NULL) < 0 ? 0 : n;
}

static struct span after_scheme(struct span id)
{
	const char *p = id.len ? memmem(id.p, id.len, "://", 3) : NULL;

	return p ? (struct span){p + 3, id.len - (size_t)(p + 3 - id.p)} : id;
}

static struct span find_id(struct json_val statuses, struct span name, struct arena *a)
{
	struct json_iter it;

	json_each (it, statuses)
		if (json_str_equal(json_get(it.value, "name"), name))
			return after_scheme(json_str(json_get(it.value, "containerID"), a));
	return SPAN_NONE;
}

static void draft_container(
	struct draft *d, struct json_val container, bool init, struct json_val statuses)
{
	struct json_val requests = json_find(container, "resources", "requests");
	int64_t epc = amount_of(requests, RESOURCE_EPC), n;
	uint32_t devices[POD_DEVICE_N];
	bool any = epc > 0;

	pod_sum_add(&d->sum, container_kind(container, init), epc);
	for (enum pod_device k = 0; k < POD_DEVICE_N; k++) {
		n = amount_of(requests, device_names[k]);
		devices[k] = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
		any = any || n > 0;
	}
	d->any = d->any || any;
	if (!any || d->n == NODE_POD_CONTAINERS_MAX)
		return;
	d->containers[d->n].name = json_str(json_get(container, "name"), &d->arena);
	d->containers[d->n].id = find_id(statuses, d->containers[d->n].name, &d->arena);
	d->containers[d->n].epc = epc;
	memcpy(d->containers[d->n].devices, devices, sizeof(devices));
	d->n++;
}

static void draft_containers(struct draft *d, struct json_val spec, struct json_val status)
{
	static const struct {
		const char *spec, *status;
		bool init;
	} lists[] = {
		{"containers", "containerStatuses", false},
		{"initContainers", "initContainerStatuses", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct json_iter it;

		json_each (it, json_get(spec, lists[i].spec))
			draft_container(
				d, it.value, lists[i].init, json_get(status, lists[i].status));
	}
}

static const char *place(char **at, struct span s)
{
	const char *text = *at;

	if (s.len)
		memcpy(*at, s.p, s.len);
	(*at)[s.len] = '\0';
	*at += s.len + 1;
	return text;
}

static struct node_pod *build(const struct draft *d)
{
	size_t size = sizeof(struct node_pod) + d->n * sizeof(struct pod_container);
	size_t text = d->namespace_.len + d->name.len + d->uid.len + d->cgroup_uid.len + 4;
	struct node_pod *p;
	char *at;

	for (size_t i = 0; i < d->n; i++)
		text += d->containers[i].name.len + d->containers[i].id.len + 2;
	p = calloc(1, size + text);
	if (!p)
		return NULL;
	at = (char *)p + size;
	p->namespace_ = place(&at, d->namespace_);
	p->name = place(&at, d->name);
	p->uid = place(&at, d->uid);
	p->cgroup_uid = place(&at, d->cgroup_uid);
	p->n = d->n;
	for (size_t i = 0; i < d->n; i++) {
		struct pod_container *c = &p->containers[i];

		c->name = place(&at, d->containers[i].name);
		c->id = place(&at, d->containers[i].id);
		c->epc = d->containers[i].epc;
		memcpy(c->devices, d->containers[i].devices, sizeof(c->devices));
	}
	return p;
}

static int draft_pod(struct draft *d, struct json_val object)
{
	struct json_val metadata = json_get(object, "metadata");

	d->namespace_ = json_str(json_get(metadata, "namespace"), &d->arena);
	d->name = json_str(json_get(metadata, "name"), &d->arena);
	d->uid = json_str(json_get(metadata, "uid"), &d->arena);
	d->cgroup_uid =
		json_str(json_find(metadata, "annotations", ANNOTATION_CONFIG_HASH), &d->arena);
	if (!d->cgroup_uid.len)
		d->cgroup_uid = d->uid;
	if (!d->namespace_.len || !d->name.len || !d->uid.len)
		return -EBADMSG;
	draft_containers(d, json_get(object, "spec"), json_get(object, "status"));
	return d->any;
}

int node_pod_read(struct node_pod **ret_p, struct json_val object)
{
	struct json_val phase = json_find(object, "status", "phase");
	struct draft *d;
	struct node_pod *p;
	int r;

	if (json_str_is(phase, "Succeeded") || json_str_is(phase, "Failed"))
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->arena = ARENA_INIT(POD_TEXT_MAX);
	r = draft_pod(d, object);
	p = r > 0 ? build(d) : NULL;
	if (p) {
		p->running = json_str_is(phase, "Running");
		if (pod_sum_total(&d->sum,
			    amount_of(json_find(object, "spec", "overhead"), RESOURCE_EPC),
			    &p->epc) < 0)
			p->epc = INT64_MAX;
		*ret_p = p;
	} else if (r > 0) {
		r = -ENOMEM;
	}
	arena_free(&d->arena);
	free(d);
	return r;
}

void node_pod_free(struct node_pod *p)
{
	free(p);
}

static bool container_equal(const struct pod_container *a, const struct pod_container *b)
{
	return a->epc == b->epc && strcmp(a->name, b->name) == 0 && strcmp(a->id, b->id) == 0 &&
	       memcmp(a->devices, b->devices, sizeof(a->devices)) == 0;
}

bool node_pod_equal(const struct node_pod *a, const struct node_pod *b)
{
	if (a->running != b->running || a->epc != b->epc || a->n != b->n ||
		strcmp(a->namespace_, b->namespace_) != 0 || strcmp(a->name, b->name) != 0 ||
		strcmp(a->uid, b->uid) != 0 || strcmp(a->cgroup_uid, b->cgroup_uid) != 0)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!container_equal(&a->containers[i], &b->containers[i]))
			return false;
	return true;
}
