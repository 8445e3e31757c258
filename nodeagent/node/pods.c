/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/node/pods.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/kube/watch.h"

enum { SELECTOR_MAX = 512 };

struct pods {
	void (*changed)(void *ctx);
	void *ctx;
	struct kube_watch *watch;
	struct entry {
		struct node_pod *pod;
		unsigned round; /* of the list that had it last */
	} * v;
	size_t n, room;
	unsigned round;
	bool listing, synced; /* a list is handed over; one was complete once */
	bool dirty;           /* something to tell, once the list is complete */
	bool cut;
};

static void tell(struct pods *p)
{
	p->dirty = true;
	if (p->listing)
		return;
	p->dirty = false;
	if (p->changed)
		p->changed(p->ctx);
}

static void drop(struct pods *p, size_t i)
{
	node_pod_free(p->v[i].pod);
	p->v[i] = p->v[--p->n];
}

/* p->n when it is not kept. */
static size_t find(const struct pods *p, struct json_val uid)
{
	size_t i = 0;

	while (i < p->n && !json_str_is(uid, p->v[i].pod->uid))
		i++;
	return i;
}

static bool make_room(struct pods *p)
{
	size_t room = p->room ? 2 * p->room : 16;
	struct entry *v;

	if (p->n < p->room)
		return true;
	v = reallocarray(p->v, room, sizeof(*v));
	if (!v)
		return false;
	p->v = v;
	p->room = room;
	return true;
}

static void add(struct pods *p, struct node_pod *pod)
{
	if (p->n == PODS_MAX || !make_room(p)) {
		node_pod_free(pod);
		if (!p->cut) {
			p->cut = true;
			tell(p);
		}
		return;
	}
	p->v[p->n++] = (struct entry){pod, p->round};
	tell(p);
}

static void on_list_begin(void *ctx)
{
	struct pods *p = ctx;

	p->listing = true;
	p->round++;
	p->dirty = p->dirty || p->cut;
	p->cut = false;
}

static void on_upsert(void *ctx, struct json_val object)
{
	struct pods *p = ctx;
	size_t i = find(p, json_find(object, "metadata", "uid"));
	struct node_pod *pod = NULL;
	int r = node_pod_read(&pod, object);

	if (i < p->n)
		p->v[i].round = p->round;
	if (r < 0) /* no memory: what was known is better than nothing */
		return;
	if (i == p->n) {
		if (pod)
			add(p, pod);
		return;
	}
	if (!pod) {
		drop(p, i);
		tell(p);
	} else if (node_pod_equal(pod, p->v[i].pod)) {
		node_pod_free(pod);
	} else {
		node_pod_free(p->v[i].pod);
		p->v[i].pod = pod;
		tell(p);
	}
}

static void on_removed(void *ctx, struct json_val object)
{
	struct pods *p = ctx;
	size_t i = find(p, json_find(object, "metadata", "uid"));

	if (i == p->n)
		return;
	drop(p, i);
	tell(p);
}

static void on_synced(void *ctx)
{
	struct pods *p = ctx;

	for (size_t i = p->n; i > 0; i--) {
		if (p->v[i - 1].round == p->round)
			continue;
		drop(p, i - 1);
		p->dirty = true;
	}
	p->listing = false;
	/* That there is nothing is news at the first time. */
	if (p->dirty || !p->synced) {
		p->synced = true;
		tell(p);
	}
}

static void on_connection(void *ctx)
{
	struct pods *p = ctx;

	tell(p);
}

static int open_watch(struct pods *p, struct kube_client *kube, const char *node, struct error *err)
{
	const struct kube_watch_handler h = {
		.list_begin = on_list_begin,
		.upsert = on_upsert,
		.removed = on_removed,
		.synced = on_synced,
		.connection = on_connection,
		.ctx = p,
	};
	char selector[SELECTOR_MAX];

	snprintf(selector, sizeof(selector),
		"spec.nodeName=%s,status.phase!=Succeeded,status.phase!=Failed", node);
	return kube_watch_new(&p->watch, kube,
		&(struct kube_watch_options){
			.path = "/api/v1/pods",
			.field_selector = selector,
			.cached = true,
		},
		&h, err);
}

int pods_new(struct pods **ret_p, struct kube_client *kube, const struct pods_options *o,
	struct error *err)
{
	struct pods *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return error_oom(err);
	p->changed = o->changed;
	p->ctx = o->ctx;
	r = open_watch(p, kube, o->node, err);
	if (r < 0) {
		pods_free(p);
		return r;
	}
	*ret_p = p;
	return 0;
}

void pods_free(struct pods *p)
{
	if (!p)
		return;
	kube_watch_free(p->watch);
	while (p->n)
		drop(p, p->n - 1);
	free(p->v);
	free(p);
}

size_t pods_count(const struct pods *p)
{
	return p->n;
}

const struct node_pod *pods_at(const struct pods *p, size_t i)
{
	return p->v[i].pod;
}

static int64_t container_epc(const struct node_pod *pod, const char *name)
{
	for (size_t i = 0; i < pod->n; i++)
		if (strcmp(pod->containers[i].name, name) == 0)
			return pod->containers[i].epc > 0 ? pod->containers[i].epc : -1;
	return -1;
}

int64_t pods_container_epc(
	const struct pods *p, const char *namespace_, const char *pod, const char *container)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct node_pod *q = p->v[i].pod;

		if (strcmp(q->name, pod) == 0 && strcmp(q->namespace_, namespace_) == 0)
			return container_epc(q, container);
	}
	return -1;
}

int64_t pods_epc(const struct pods *p)
{
	int64_t sum = 0;

	if (!p->synced)
		return -1;
	for (size_t i = 0; i < p->n; i++)
		if (__builtin_add_overflow(sum, p->v[i].pod->epc, &sum))
			return INT64_MAX;
	return sum;
}

bool pods_cut(const struct pods *p)
{
	return p->cut;
}

bool pods_connected(const struct pods *p)
{
	return kube_watch_connected(p->watch);
}
