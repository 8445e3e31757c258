/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/profile_watch.h"

#include <errno.h>
/* The default one falls through switch labels, which clang warns of. */
#define HASH_FUNCTION HASH_FNV
#include <uthash.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/kube/watch.h"

#define PROFILES_PATH "/apis/casemate.dev/v1alpha1/enclaveprofiles"

enum { OBJECTS_MAX = 100000, STATUS_CALLS_MAX = 8, UID_MAX = 64 };

/* An object as last received. */
struct object {
	UT_hash_handle hh;
	char *text; /* JSON; namespaces: none */
	size_t len;
	char uid[UID_MAX];
	unsigned round; /* the list that it was last seen in */
	char key[];     /* "namespace/name" or "name" */
};

struct store {
	struct profile_watch *owner;
	struct object *table;
	unsigned round;
	bool keep_text;
	struct kube_watch *watch;
};

struct profile_watch {
	struct profile_watch_options o;
	struct store profiles, namespaces;
	struct profile_set *set;
	sd_event_source *rebuild;
	struct metric *connected;
	unsigned status_calls;
};

static void object_free(struct store *s, struct object *obj)
{
	HASH_DEL(s->table, obj);
	free(obj->text);
	free(obj);
}

/* Changes come in bursts: the set is built once for all that are waiting. */
static void plan_rebuild(struct profile_watch *w)
{
	sd_event_source_set_enabled(w->rebuild, SD_EVENT_ONESHOT);
}

static char *key_of(struct json_val object, struct arena *a)
{
	struct json_val metadata = json_get(object, "metadata");
	struct span namespace_ = json_str(json_get(metadata, "namespace"), a);
	struct span name = json_str(json_get(metadata, "name"), a);

	if (!name.len)
		return NULL;
	return namespace_.len ? arena_printf(a, SPAN_FMT "/" SPAN_FMT, SPAN_ARG(namespace_),
					SPAN_ARG(name))
			      : arena_strdup(a, name);
}

static void store_list_begin(void *ctx)
{
	struct store *s = ctx;

	s->round++;
}

static void store_upsert(void *ctx, struct json_val value)
{
	struct store *s = ctx;
	_cleanup_arena_ struct arena a = ARENA_INIT(4096);
	const char *key = key_of(value, &a);
	struct span raw = json_raw(value);
	_cleanup_free_ char *text = NULL;
	struct object *obj;

	if (!key)
		return;
	if (s->keep_text) {
		text = strndup(raw.p, raw.len);
		if (!text)
			return;
	}
	HASH_FIND_STR(s->table, key, obj);
	if (!obj) {
		obj = HASH_COUNT(s->table) < OBJECTS_MAX ? calloc(1, sizeof(*obj) + strlen(key) + 1)
							 : NULL;
		if (!obj) {
			log_error("out of memory, or too many", "Dropped an object",
				LOG_STR("object", key));
			return;
		}
		strcpy(obj->key, key);
		HASH_ADD_STR(s->table, key, obj);
	}
	free(obj->text);
	obj->text = TAKE_PTR(text);
	obj->len = raw.len;
	json_copy(json_find(value, "metadata", "uid"), obj->uid, sizeof(obj->uid));
	obj->round = s->round;
	plan_rebuild(s->owner);
}

static void store_removed(void *ctx, struct json_val value)
{
	struct store *s = ctx;
	_cleanup_arena_ struct arena a = ARENA_INIT(4096);
	const char *key = key_of(value, &a);
	struct object *obj = NULL;

	if (key)
		HASH_FIND_STR(s->table, key, obj);
	if (obj)
		object_free(s, obj);
	plan_rebuild(s->owner);
}

static void store_synced(void *ctx)
{
	struct store *s = ctx;
	struct object *obj, *next;

	HASH_ITER(hh, s->table, obj, next)
	if (obj->round != s->round)
		object_free(s, obj);
	plan_rebuild(s->owner);
}

static int store_open(struct store *s, struct profile_watch *w, const char *path,
	const char *selector, bool keep_text, struct error *err)
{
	const struct kube_watch_options o = {
		.path = path,
		.label_selector = selector,
	};
	const struct kube_watch_handler h = {
		.list_begin = store_list_begin,
		.upsert = store_upsert,
		.removed = store_removed,
		.synced = store_synced,
		.ctx = s,
	};

	s->owner = w;
	s->keep_text = keep_text;
	return kube_watch_new(&s->watch, w->o.kube, &o, &h, err);
}

static void store_close(struct store *s)
{
	kube_watch_free(s->watch);
	while (s->table)
		object_free(s, s->table);
}

static void status_done(void *ctx, const struct kube_result *res)
{
	struct profile_watch *w = ctx;

	w->status_calls--;
	/* A conflict or a deleted profile: the next event brings us back here. */
	if (res->status != 200 && res->status != 404 && res->status != 409)
		log_warn("Could not write a profile's status", LOG_STR("reason", res->reason),
			LOG_STR("message", res->message));
}

/* The condition Valid as the object now has it. */
static struct json_val find_condition(struct json_val object)
{
	struct json_iter it;

	json_each (it, json_find(object, "status", "conditions"))
		if (json_str_is(json_get(it.value, "type"), "Valid"))
			return it.value;
	return (struct json_val){0};
}

static bool status_is_current(struct json_val object, const struct profile *p, const char *reason)
{
	struct json_val condition = find_condition(object);
	int64_t observed = 0;

	json_int(json_find(object, "status", "observedGeneration"), &observed);
	return observed == p->generation &&
	       json_str_is(json_get(condition, "status"), p->valid ? "True" : "False") &&
	       json_str_is(json_get(condition, "reason"), reason) &&
	       json_str_is(json_get(condition, "message"), p->message);
}

static void announce(struct profile_watch *w, const struct profile *p)
{
	const struct kube_object_ref ref = {
		"casemate.dev/v1alpha1", "EnclaveProfile", p->namespace_, p->name, p->uid};

	if (w->o.events && !p->valid)
		kube_event(w->o.events, &ref, "Warning", "ProfileInvalid", "Validate", p->message);
}

static void write_status(struct profile_watch *w, struct json_val object, const struct profile *p)
{
	const char *reason = p->valid ? "Ok" : reason_name(p->reason);
	struct json_val condition = find_condition(object);
	const char *value = p->valid ? "True" : "False";
	_cleanup_arena_ struct arena a = ARENA_INIT(64 * 1024);
	_cleanup_buf_ struct buf body = BUF_INIT(64 * 1024);
	struct span since = json_str(json_get(condition, "lastTransitionTime"), &a);
	char now[CLOCK_RFC3339_MAX];
	struct kube_request req = {.method = "PATCH", .patch = KUBE_PATCH_MERGE};
	struct error err = {0};
	struct json_iter it;

	if (status_is_current(object, p, reason) || w->status_calls == STATUS_CALLS_MAX)
		return;
	clock_format(now, clock_unix_usec() / USEC_PER_SEC);
	if (!json_str_is(json_get(condition, "status"), value)) {
		since = span_str(now);
		announce(w, p);
	}
	buf_printf(&body,
		"{\"metadata\":{\"resourceVersion\":" SPAN_FMT "},\"status\":{"
		"\"observedGeneration\":%lld,\"conditions\":[{\"type\":\"Valid\",\"status\":\"%s\","
		"\"observedGeneration\":%lld,\"reason\":\"%s\",\"lastTransitionTime\":",
		SPAN_ARG(json_raw(json_find(object, "metadata", "resourceVersion"))),
		(long long)p->generation, value, (long long)p->generation, reason);
	buf_json_string(&body, since);
	buf_puts(&body, ",\"message\":");
	buf_json_string(&body, span_str(p->message));
	buf_putc(&body, '}');
	/* A merge patch replaces the list: the conditions that others write stay in it. */
	json_each (it, json_find(object, "status", "conditions"))
		if (!json_str_is(json_get(it.value, "type"), "Valid"))
			buf_printf(&body, "," SPAN_FMT, SPAN_ARG(json_raw(it.value)));
	buf_puts(&body, "]}}");
	req.path = arena_printf(&a,
		"/apis/casemate.dev/v1alpha1/namespaces/%s/enclaveprofiles/%s/status",
		p->namespace_, p->name);
	req.body = buf_view(&body);
	if (!req.path || body.err || kube_call(w->o.kube, &req, status_done, w, NULL, &err) < 0)
		log_warn("Could not write a profile's status", LOG_STR("message", err.message));
	else
		w->status_calls++;
}

static void write_statuses(struct profile_watch *w)
{
	static const struct json_limits limits = {4 * 1024 * 1024, 100000, 100};

	for (size_t i = 0; i < profile_set_count(w->set); i++) {
		const struct profile *p = profile_set_at(w->set, i);
		_cleanup_arena_ struct arena a = ARENA_INIT(4096);
		_cleanup_json_ struct json doc = {0};
		const char *key = arena_printf(&a, "%s/%s", p->namespace_, p->name);
		struct object *obj = NULL;

		if (key)
			HASH_FIND_STR(w->profiles.table, key, obj);
		if (obj && json_parse(&doc, (struct span){obj->text, obj->len}, &limits, NULL) == 0)
			write_status(w, json_root(&doc), p);
	}
}

static int build(struct profile_watch *w, struct error *err)
{
	size_t n = 0, m = 0;
	_cleanup_free_ struct span *objects =
		calloc(HASH_COUNT(w->profiles.table) + 1, sizeof(*objects));
	_cleanup_free_ struct span *namespaces =
		calloc(HASH_COUNT(w->namespaces.table) + 1, sizeof(*namespaces));
	struct profile_set *set;
	int r;

	if (!objects || !namespaces)
		return error_oom(err);
	for (struct object *obj = w->profiles.table; obj; obj = obj->hh.next)
		objects[n++] = (struct span){obj->text, obj->len};
	for (struct object *obj = w->namespaces.table; obj; obj = obj->hh.next)
		namespaces[m++] = span_str(obj->key);
	r = profile_set_new(&set, objects, n, namespaces, m, false, w->o.config, err);
	if (r < 0)
		return r;
	profile_set_unref(w->set);
	w->set = set;
	return 0;
}

static int on_rebuild(sd_event_source *source, void *ctx)
{
	struct profile_watch *w = ctx;
	struct error err = {0};

	(void)source;
	if (!kube_watch_synced(w->profiles.watch) || !kube_watch_synced(w->namespaces.watch))
		return 0;
	if (build(w, &err) < 0) {
		log_error(err.message, "Could not take up the profiles; the old ones stay");
		return 0;
	}
	w->o.changed(w->o.ctx, w->set);
	if (!w->o.read_only)
		write_statuses(w);
	return 0;
}

int profile_watch_new(
	struct profile_watch **ret_w, const struct profile_watch_options *o, struct error *err)
{
	static const char *const labels[] = {"resource", NULL};
	_cleanup_(profile_watch_free_p) struct profile_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_oom(err);
	w->o = *o;
	r = sd_event_add_defer(o->event, &w->rebuild, on_rebuild, w);
	if (r < 0)
		return error_set(err, r, "event loop: %s", strerror(-r));
	sd_event_source_set_enabled(w->rebuild, SD_EVENT_OFF);
	r = store_open(&w->profiles, w, PROFILES_PATH, NULL, true, err);
	if (r == 0)
		r = store_open(&w->namespaces, w, "/api/v1/namespaces",
			NAMESPACE_LABEL "=" NAMESPACE_LABEL_VALUE, false, err);
	if (r < 0)
		return r;
	if (o->metrics)
		w->connected = metrics_gauge(o->metrics, "casemate_webhook_watch_connected",
			"Is a watch of the API server open (1) or being retried (0).", labels);
	*ret_w = TAKE_PTR(w);
	return 0;
}

void profile_watch_free(struct profile_watch *w)
{
	if (!w)
		return;
	store_close(&w->profiles);
	store_close(&w->namespaces);
	sd_event_source_disable_unref(w->rebuild);
	profile_set_unref(w->set);
	free(w);
}

void profile_watch_configure(struct profile_watch *w, const struct policy_config *config)
{
	w->o.config = config;
	plan_rebuild(w);
}

const char *profile_watch_namespace_uid(const struct profile_watch *w, const char *namespace_)
{
	const struct object *obj = NULL;

	HASH_FIND_STR(w->namespaces.table, namespace_, obj);
	return obj ? obj->uid : "";
}

void profile_watch_report(const struct profile_watch *w)
{
	metric_set(w->connected, kube_watch_connected(w->profiles.watch),
		METRIC_VALUES("enclaveprofiles"));
	metric_set(w->connected, kube_watch_connected(w->namespaces.watch),
		METRIC_VALUES("namespaces"));
}

const char *profile_watch_problem(const struct profile_watch *w)
{
	const char *problem = kube_watch_problem(w->profiles.watch);

	return *problem ? problem : kube_watch_problem(w->namespaces.watch);
}
