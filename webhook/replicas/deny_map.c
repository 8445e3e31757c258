/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/replicas/deny_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/kube/watch.h"

enum { PATH_MAX_BYTES = 200, OBJECT_MAX = 2 << 20, LISTS_MAX = 8 << 20 };

/* What one version of the ConfigMap says. */
struct lists {
	struct arena arena;
	const char *v[DENY_KINDS][DENY_ENTRIES_MAX];
	size_t n[DENY_KINDS];
};

struct deny_map {
	struct deny_map_options o;
	char path[PATH_MAX_BYTES];
	struct kube_watch *watch;
	struct lists *lists; /* NULL: there is no such ConfigMap */
	bool known;
	bool listing;         /* a list is being read, and not whole yet */
	bool lost;            /* what it has could not be kept */
	struct lists *staged; /* what it has */
};

static void lists_free(struct lists *l)
{
	if (!l)
		return;
	arena_free(&l->arena);
	free(l);
}

/* A line that nobody can read takes no other away. */
static void take_line(struct lists *l, struct deny *scratch, enum deny_kind kind, struct span line)
{
	struct error err = {0};
	char *copy = NULL;

	if (deny_add(scratch, kind, line, &err) == 0)
		copy = arena_strdup(&l->arena, line);
	if (copy) {
		l->v[kind][l->n[kind]++] = copy;
		return;
	}
	log_error(err.message[0] ? err.message : "out of memory",
		"An entry of the deny lists denies nothing", LOG_STR("configMap", DENY_MAP_NAME));
}

static struct lists *read_lists(struct json_val object)
{
	_cleanup_(deny_free_p) struct deny *scratch = deny_new();
	struct lists *l = calloc(1, sizeof(*l));

	if (!l || !scratch) {
		free(l);
		return NULL;
	}
	l->arena = ARENA_INIT(LISTS_MAX);
	for (int kind = 0; kind < DENY_KINDS; kind++) {
		struct json_val v = json_find(object, "data", deny_kind_name((enum deny_kind)kind));
		struct span text = json_str(v, &l->arena), line;

		while (deny_next_line(&text, &line))
			take_line(l, scratch, (enum deny_kind)kind, line);
	}
	return l;
}

/* Whoever has entries of the old ones is told before he looks at them again. */
static void take(struct deny_map *m, struct lists *l)
{
	lists_free(m->lists);
	m->lists = l;
	m->known = true;

	log_info(1, "Took up the deny lists", LOG_STR("configMap", DENY_MAP_NAME),
		LOG_INT("platforms", l ? (int64_t)l->n[DENY_PLATFORMS] : 0),
		LOG_INT("measurements", l ? (int64_t)l->n[DENY_MEASUREMENTS] : 0),
		LOG_INT("nodes", l ? (int64_t)l->n[DENY_NODES] : 0),
		LOG_INT("keys", l ? (int64_t)l->n[DENY_KEYS] : 0));
	m->o.changed(m->o.ctx);
}

static void on_list_begin(void *ctx)
{
	struct deny_map *m = ctx;

	m->listing = true;
	m->lost = false;
	lists_free(m->staged);
	m->staged = NULL;
}

static void on_upsert(void *ctx, struct json_val object)
{
	struct deny_map *m = ctx;
	struct lists *next = read_lists(object);

	if (!next) {
		m->lost = m->listing;
		log_error("out of memory", "The deny lists stay as they were");
	} else if (m->listing) {
		lists_free(m->staged);
		m->staged = next;
	} else {
		take(m, next);
	}
}

static void on_removed(void *ctx, struct json_val object)
{
	(void)object;
	take(ctx, NULL);
}

static void on_synced(void *ctx)
{
	struct deny_map *m = ctx;

	m->listing = false;
	if (!m->lost)
		take(m, TAKE_PTR(m->staged));
}

int deny_map_new(struct deny_map **ret_m, const struct deny_map_options *o, struct error *err)
{
	_cleanup_(deny_map_free_p) struct deny_map *m = calloc(1, sizeof(*m));
	const struct kube_watch_handler h = {
		.list_begin = on_list_begin,
		.upsert = on_upsert,
		.removed = on_removed,
		.synced = on_synced,
		.ctx = m,
	};
	struct kube_watch_options watch = {
		.field_selector = "metadata.name=" DENY_MAP_NAME,
		.max_object = OBJECT_MAX,
	};
	int r;

	if (!m)
		return error_oom(err);
	m->o = *o;
	snprintf(m->path, sizeof(m->path), "/api/v1/namespaces/%s/configmaps", o->namespace_);
	watch.path = m->path;
	r = kube_watch_new(&m->watch, o->kube, &watch, &h, err);
	if (r < 0)
		return r;
	*ret_m = TAKE_PTR(m);
	return 0;
}

void deny_map_free(struct deny_map *m)
{
	if (!m)
		return;
	kube_watch_free(m->watch);
	lists_free(m->staged);
	lists_free(m->lists);
	free(m);
}

bool deny_map_known(const struct deny_map *m)
{
	return !m || m->known;
}

struct strings deny_map_list(const struct deny_map *m, enum deny_kind kind)
{
	const struct lists *l = m ? m->lists : NULL;

	return l ? (struct strings){l->v[kind], l->n[kind]} : (struct strings){0};
}
