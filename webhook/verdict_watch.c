/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verdict_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
/* The default one falls through switch labels, which clang warns of. */
#define HASH_FUNCTION HASH_FNV
#include <uthash.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/kube/watch.h"

enum { NODES_MAX = 100000, WORD_MAX = 64, SCRATCH_MAX = 4096 };

struct node {
	UT_hash_handle hh;
	char platform[WORD_MAX], verdict[WORD_MAX], reason[WORD_MAX];
	int64_t valid_until;
	unsigned round; /* the list that it was last seen in */
	char name[];
};

struct verdict_watch {
	struct verdict_watch_options o;
	struct node *nodes;
	unsigned round;
	struct kube_watch *watch;
	sd_event_source *sum; /* for all changes of one turn */
};

static void node_free(struct verdict_watch *w, struct node *n)
{
	HASH_DEL(w->nodes, n);
	free(n);
}

static void plan(struct verdict_watch *w)
{
	sd_event_source_set_enabled(w->sum, SD_EVENT_ONESHOT);
}

static int on_sum(sd_event_source *source, void *ctx)
{
	struct verdict_watch *w = ctx;
	struct verdicts v = {0};

	(void)source;
	if (!kube_watch_synced(w->watch))
		return 0;
	for (struct node *n = w->nodes; n; n = n->hh.next)
		verdicts_add(&v, &(struct node_verdict){
					 .platform = span_str(n->platform),
					 .verdict = span_str(n->verdict),
					 .reason = span_str(n->reason),
					 .valid_until = n->valid_until,
				 });
	w->o.changed(w->o.ctx, &v);
	return 0;
}

/* A word that is longer than any that is known stays unknown. */
static void take(char ret[WORD_MAX], struct json_val v)
{
	if (!json_copy(v, ret, WORD_MAX))
		ret[0] = '\0';
}

static struct node *node_of(struct verdict_watch *w, const char *name)
{
	struct node *n;

	HASH_FIND_STR(w->nodes, name, n);
	if (n || HASH_COUNT(w->nodes) >= NODES_MAX)
		return n;
	n = calloc(1, sizeof(*n) + strlen(name) + 1);
	if (n) {
		strcpy(n->name, name);
		HASH_ADD_STR(w->nodes, name, n);
	}
	return n;
}

static const char *name_of(struct json_val object, struct arena *a)
{
	struct span name = json_str(json_find(object, "metadata", "name"), a);

	return name.len ? arena_strdup(a, name) : NULL;
}

static void on_list_begin(void *ctx)
{
	struct verdict_watch *w = ctx;

	w->round++;
}

static void on_upsert(void *ctx, struct json_val object)
{
	struct verdict_watch *w = ctx;
	_cleanup_arena_ struct arena a = ARENA_INIT(SCRATCH_MAX);
	struct json_val status = json_get(object, "status");
	const char *name = name_of(object, &a);
	struct node *n = name ? node_of(w, name) : NULL;
	int64_t usec = 0;

	if (!n) {
		log_error("out of memory, or too many", "Dropped a verdict",
			LOG_STR("node", name ? name : ""));
		return;
	}
	take(n->platform, json_get(status, "platform"));
	take(n->verdict, json_get(status, "verdict"));
	take(n->reason, json_get(status, "reason"));
	if (clock_parse(json_str(json_get(status, "validUntil"), &a), &usec) < 0)
		usec = 0;
	n->valid_until = usec / USEC_PER_SEC;
	n->round = w->round;
	plan(w);
}

static void on_removed(void *ctx, struct json_val object)
{
	struct verdict_watch *w = ctx;
	_cleanup_arena_ struct arena a = ARENA_INIT(SCRATCH_MAX);
	const char *name = name_of(object, &a);
	struct node *n = NULL;

	if (name)
		HASH_FIND_STR(w->nodes, name, n);
	if (n)
		node_free(w, n);
	plan(w);
}

static void on_synced(void *ctx)
{
	struct verdict_watch *w = ctx;
	struct node *n, *next;

	HASH_ITER(hh, w->nodes, n, next)
	if (n->round != w->round)
		node_free(w, n);
	plan(w);
}

int verdict_watch_new(
	struct verdict_watch **ret_w, const struct verdict_watch_options *o, struct error *err)
{
	static const struct kube_watch_options watch = {
		.path = "/apis/casemate.dev/v1alpha1/nodeattestations",
	};
	_cleanup_(verdict_watch_free_p) struct verdict_watch *w = calloc(1, sizeof(*w));
	const struct kube_watch_handler h = {
		.list_begin = on_list_begin,
		.upsert = on_upsert,
		.removed = on_removed,
		.synced = on_synced,
		.ctx = w,
	};
	int r;

	if (!w)
		return error_oom(err);
	w->o = *o;
	r = sd_event_add_defer(o->event, &w->sum, on_sum, w);
	if (r < 0)
		return error_set(err, r, "event loop: %s", strerror(-r));
	sd_event_source_set_enabled(w->sum, SD_EVENT_OFF);
	r = kube_watch_new(&w->watch, o->kube, &watch, &h, err);
	if (r < 0)
		return r;
	*ret_w = TAKE_PTR(w);
	return 0;
}

void verdict_watch_free(struct verdict_watch *w)
{
	if (!w)
		return;
	kube_watch_free(w->watch);
	while (w->nodes)
		node_free(w, w->nodes);
	sd_event_source_disable_unref(w->sum);
	free(w);
}

const char *verdict_watch_problem(const struct verdict_watch *w)
{
	return kube_watch_problem(w->watch);
}
