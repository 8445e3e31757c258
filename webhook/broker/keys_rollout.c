/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_rollout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* The default one falls through switch labels, which clang warns of. */
#define HASH_FUNCTION HASH_FNV
#include <uthash.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "webhook/policy/names.h"

enum {
	OWNERS_MAX = 32, /* found by one look; others are found by the next */
	PAGE = 250,      /* pods */
	PAGE_MAX = 16 << 20,
	PAGE_NODES = 2000000,
	PATH_BYTES = 2048,
	WATCHED_NAME_MAX = 1024,
	PATCH_MAX = 2 * ROLLOUT_TEXT_MAX,
};

/* In steps of o.step_usec. */
enum {
	PAUSE = 1,    /* between owners, and between profiles */
	SOON = 5,     /* after a version, for other replicas to know it */
	AGAIN = 60,   /* while pods are being restarted */
	LATER = 1800, /* where they are left alone */
};

/* A profile whose keys have been rotated. */
struct watched {
	UT_hash_handle hh;
	struct rollout_key keys[KEYS_OF_PROFILE_MAX];
	size_t n;
	bool agent; /* keys reach containers through the node's agent */
	bool told;
	unsigned unseen;  /* sweeps since it was seen */
	int64_t due_usec; /* monotonic; INT64_MAX: no pod holds anything old */
	char namespace_[64], profile[ROLLOUT_NAME_MAX];
	char name[]; /* "namespace/profile/uid" */
};

struct keys_rollout {
	struct keys_rollout_options o;
	struct watched *table;
	sd_event_source *timer;
	struct metric *restarts;
	/* the profile that is being looked at */
	struct watched *at; /* NULL: none */
	struct kube_call *call;
	int old[KEYS_OF_PROFILE_MAX];
	struct rollout_owner owners[OWNERS_MAX];
	size_t n_owners, next;
};

static int64_t steps(const struct keys_rollout *r, int n)
{
	return n * r->o.step_usec;
}

static void plan(struct keys_rollout *r, int64_t delay)
{
	sd_event_source_set_time_relative(r->timer, (uint64_t)delay);
	sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

/* --- what is watched --- */

static void name_of(char ret[WATCHED_NAME_MAX], const struct profile *p)
{
	snprintf(ret, WATCHED_NAME_MAX, "%s/%s/%s", p->namespace_, p->name, p->uid ? p->uid : "");
}

static struct watched *find(const struct keys_rollout *r, const struct profile *p)
{
	char name[WATCHED_NAME_MAX];
	struct watched *w = NULL;

	name_of(name, p);
	HASH_FIND_STR(r->table, name, w);
	return w;
}

static struct watched *need(struct keys_rollout *r, const struct profile *p)
{
	struct watched *w = find(r, p);
	char name[WATCHED_NAME_MAX];

	if (w)
		return w;
	name_of(name, p);
	w = calloc(1, sizeof(*w) + strlen(name) + 1);
	if (!w)
		return NULL;
	strcpy(w->name, name);
	snprintf(w->namespace_, sizeof(w->namespace_), "%s", p->namespace_);
	snprintf(w->profile, sizeof(w->profile), "%s", p->name);
	w->agent = span_starts(json_raw(json_get(p->spec, "tee")), "\"node");
	HASH_ADD_STR(r->table, name, w);
	return w;
}

static void forget(struct keys_rollout *r, struct watched *w)
{
	if (r->at == w) {
		kube_cancel(r->call);
		r->call = NULL;
		r->at = NULL;
		plan(r, steps(r, PAUSE));
	}
	HASH_DEL(r->table, w);
	free(w);
}

/* Keys with a first version alone are in no pod that holds another; those in files are the agents'.
 */
static size_t list_keys(struct rollout_key *out, const struct key_spec *specs, size_t n,
	const struct key_record *rec)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct key_entry *e = key_record_find(rec, specs[i].name);

		if (!e || !e->n || e->v[0].version < 2 || specs[i].image ||
			specs[i].on_change == KEY_CHANGE_FILE)
			continue;
		out[count] = (struct rollout_key){.on_change = specs[i].on_change,
			.version = e->v[0].version,
			.made_sec = e->v[0].made_sec,
			.old = -1};
		snprintf(out[count++].name, KEY_NAME_MAX, "%s", specs[i].name);
	}
	return count;
}

static bool same_keys(const struct watched *w, const struct rollout_key *keys, size_t n)
{
	for (size_t i = 0; i < n && w->n == n; i++)
		if (strcmp(w->keys[i].name, keys[i].name) != 0 ||
			w->keys[i].version != keys[i].version ||
			w->keys[i].on_change != keys[i].on_change)
			return false;
	return w->n == n;
}

void keys_rollout_see(struct keys_rollout *r, const struct profile *p, const struct key_spec *specs,
	size_t n, const struct key_record *rec)
{
	struct rollout_key keys[KEYS_OF_PROFILE_MAX];
	size_t count =
		list_keys(keys, specs, n < KEYS_OF_PROFILE_MAX ? n : KEYS_OF_PROFILE_MAX, rec);
	struct watched *w = count ? need(r, p) : find(r, p);

	if (!w)
		return;
	w->unseen = 0;
	if (same_keys(w, keys, count))
		return;
	/* What is under way is of the versions before. */
	if (r->at == w) {
		kube_cancel(r->call);
		r->call = NULL;
		r->at = NULL;
	}
	memcpy(w->keys, keys, sizeof(w->keys));
	w->n = count;
	w->told = false;
	w->due_usec = clock_monotonic_usec() + steps(r, SOON);
	if (!r->at)
		plan(r, steps(r, PAUSE));
}

void keys_rollout_sweep(struct keys_rollout *r)
{
	struct watched *w, *next;

	/* Once is no news: a write of its keys may have been under way. */
	HASH_ITER(hh, r->table, w, next)
	if (w->unseen++)
		forget(r, w);
}

int keys_rollout_old(const struct keys_rollout *r, const struct profile *p, const char *key)
{
	const struct watched *w = find(r, p);

	for (size_t i = 0; w && i < w->n; i++)
		if (strcmp(w->keys[i].name, key) == 0)
			return w->keys[i].old;
	return -1;
}

/* --- the end of a look --- */

static void end_look(struct keys_rollout *r, bool known)
{
	struct watched *w = r->at;
	int64_t delay = known ? INT64_MAX : steps(r, AGAIN);
	bool changed = false;

	for (size_t i = 0; known && i < w->n; i++) {
		bool restart = w->keys[i].on_change == KEY_CHANGE_RESTART;
		int64_t until = steps(r, restart && r->o.restart ? AGAIN : LATER);

		changed = changed || w->keys[i].old != r->old[i];
		w->keys[i].old = r->old[i];
		if (r->old[i] && until < delay)
			delay = until;
	}
	w->told = w->told || known;
	w->due_usec = delay == INT64_MAX ? INT64_MAX : clock_monotonic_usec() + delay;
	r->at = NULL;
	plan(r, steps(r, PAUSE));
	if (changed && r->o.changed)
		r->o.changed(r->o.ctx);
}

static int call(struct keys_rollout *r, const struct kube_request *rq, kube_done done)
{
	struct error err = {0};
	int n = kube_call(r->o.kube, rq, done, r, &r->call, &err);

	if (n < 0)
		log_warn("Cannot look for pods with older keys", LOG_STR("profile", r->at->name),
			LOG_STR("message", err.message));
	return n;
}

/* --- rolling --- */

static const struct {
	const char *kind, *resource;
} kinds[] = {{"Deployment", "deployments"}, {"StatefulSet", "statefulsets"},
	{"DaemonSet", "daemonsets"}};

static const char *resource_of(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			return kinds[i].resource;
	return NULL;
}

static void next_owner(struct keys_rollout *r)
{
	if (r->next < r->n_owners)
		plan(r, steps(r, PAUSE));
	else
		end_look(r, true);
}

static void tell_owner(struct keys_rollout *r, const struct rollout_owner *o)
{
	const struct kube_object_ref ref = {"apps/v1", o->kind, r->at->namespace_, o->name, o->uid};
	char note[512];

	log_info(1, "Restarting the owner of pods with older keys",
		LOG_STR("namespace", r->at->namespace_), LOG_STR("kind", o->kind),
		LOG_STR("name", o->name), LOG_STR("profile", r->at->profile));
	snprintf(note, sizeof(note),
		"its pods are replaced: keys of EnclaveProfile %s have new versions",
		r->at->profile);
	if (r->o.events)
		kube_event(r->o.events, &ref, "Normal", "KeyRotated", "Restart", note);
}

static void on_patched(void *ctx, const struct kube_result *res)
{
	struct keys_rollout *r = ctx;
	const struct rollout_owner *o = &r->owners[r->next++];
	bool done = res->code == 0 && res->status == 200;

	r->call = NULL;
	metric_add(r->restarts, 1, METRIC_VALUES(o->kind, done ? "restarted" : "refused"));
	if (done)
		tell_owner(r, o);
	else
		log_warn("Cannot restart the owner of pods with older keys",
			LOG_STR("namespace", r->at->namespace_), LOG_STR("kind", o->kind),
			LOG_STR("name", o->name), LOG_STR("message", res->message));
	next_owner(r);
}

static int roll(struct keys_rollout *r, const struct rollout_owner *o)
{
	_cleanup_buf_ struct buf value = BUF_INIT(ROLLOUT_TEXT_MAX), body = BUF_INIT(PATCH_MAX);
	char path[PATH_BYTES];
	const struct kube_request rq = {.method = "PATCH", .path = path, .patch = KUBE_PATCH_MERGE};
	struct kube_request patch = rq;
	int n = rollout_value(&value, r->at->keys, r->at->n);

	if (n == 0)
		n = rollout_patch(&body, o->uid, buf_view(&value));
	if (n < 0)
		return n;
	snprintf(path, sizeof(path), "/apis/apps/v1/namespaces/%s/%s/%s", r->at->namespace_,
		resource_of(o->kind), o->name);
	patch.body = buf_view(&body);
	return call(r, &patch, on_patched);
}

/* A ReplicaSet's own controller is the Deployment, if it has one. */
static void on_replica_set(void *ctx, const struct kube_result *res)
{
	static const struct json_limits limits = {PAGE_MAX, PAGE_NODES, JSON_MAX_DEPTH};
	struct keys_rollout *r = ctx;
	struct rollout_owner *o = &r->owners[r->next];
	_cleanup_json_ struct json doc = {0};
	struct rollout_owner owner = {0};

	r->call = NULL;
	if (res->code == 0 && res->status == 200 &&
		json_parse(&doc, res->body, &limits, NULL) == 0 &&
		json_str_is(json_find(json_root(&doc), "metadata", "uid"), o->uid))
		rollout_owner_of(&owner, json_root(&doc));
	*o = owner;
	if (!resource_of(o->kind) || roll(r, o) < 0) {
		r->next++;
		next_owner(r);
	}
}

static int ask_replica_set(struct keys_rollout *r, const struct rollout_owner *o)
{
	char path[PATH_BYTES];
	const struct kube_request rq = {.method = "GET", .path = path};

	snprintf(path, sizeof(path), "/apis/apps/v1/namespaces/%s/replicasets/%s",
		r->at->namespace_, o->name);
	return call(r, &rq, on_replica_set);
}

static void begin_owner(struct keys_rollout *r)
{
	const struct rollout_owner *o = &r->owners[r->next];
	int n = strcmp(o->kind, "ReplicaSet") == 0 ? ask_replica_set(r, o) : roll(r, o);

	if (n < 0) {
		r->next++;
		next_owner(r);
	}
}

/* --- looking --- */

/* Nobody rolls it: who reads its Events must. */
static void tell_pod(struct keys_rollout *r, struct json_val pod)
{
	char name[ROLLOUT_NAME_MAX], uid[64], note[512];
	const struct kube_object_ref ref = {"v1", "Pod", r->at->namespace_, name, uid};

	if (r->at->told || !r->o.events ||
		!json_copy(json_find(pod, "metadata", "name"), name, sizeof(name)) ||
		!json_copy(json_find(pod, "metadata", "uid"), uid, sizeof(uid)))
		return;
	snprintf(note, sizeof(note),
		"keys of EnclaveProfile %s have new versions, and this pod holds older ones: %s",
		r->at->profile,
		r->o.restart ? "delete it, or restart what made it"
			     : "restart what made it (kubectl rollout restart); the broker may not "
			       "(broker.config.restartOwners)");
	kube_event(r->o.events, &ref, "Warning", "RestartNeeded", "Restart", note);
}

static void add_owner(struct keys_rollout *r, struct json_val pod)
{
	struct rollout_owner owner = {0};

	rollout_owner_of(&owner, pod);
	if (!r->o.restart || (!resource_of(owner.kind) && strcmp(owner.kind, "ReplicaSet") != 0)) {
		tell_pod(r, pod);
		return;
	}
	for (size_t i = 0; i < r->n_owners; i++)
		if (strcmp(r->owners[i].uid, owner.uid) == 0)
			return;
	if (r->n_owners < OWNERS_MAX)
		r->owners[r->n_owners++] = owner;
}

static void look_at(struct keys_rollout *r, struct json_val pod)
{
	const struct watched *w = r->at;
	bool restart = false;

	if (!rollout_is_of(pod, w->profile))
		return;
	for (size_t i = 0; i < w->n; i++) {
		if (!rollout_is_old(pod, &w->keys[i], w->agent))
			continue;
		r->old[i]++;
		restart = restart || w->keys[i].on_change == KEY_CHANGE_RESTART;
	}
	if (restart)
		add_owner(r, pod);
}

static int list(struct keys_rollout *r, const char *from);

static void on_pods(void *ctx, const struct kube_result *res)
{
	static const struct json_limits limits = {PAGE_MAX, PAGE_NODES, JSON_MAX_DEPTH};
	struct keys_rollout *r = ctx;
	_cleanup_json_ struct json doc = {0};
	char from[1024];
	struct json_iter it;

	r->call = NULL;
	if (res->code || res->status != 200 || json_parse(&doc, res->body, &limits, NULL) < 0) {
		log_warn("Cannot look for pods with older keys", LOG_STR("profile", r->at->name),
			LOG_STR("message", res->message));
		end_look(r, false);
		return;
	}
	json_each (it, json_get(json_root(&doc), "items"))
		look_at(r, it.value);
	if (json_copy(json_find(json_root(&doc), "metadata", "continue"), from, sizeof(from)) &&
		*from) {
		if (list(r, from) < 0)
			end_look(r, false);
		return;
	}
	next_owner(r);
}

/* What a page ends with is the API server's own text, base64 for URLs. */
static int list(struct keys_rollout *r, const char *from)
{
	char path[PATH_BYTES];
	const struct kube_request rq = {.method = "GET", .path = path, .max_response = PAGE_MAX};

	if (strspn(from, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") !=
		strlen(from))
		return -EBADMSG;
	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods?limit=%d%s%s", r->at->namespace_,
		PAGE, *from ? "&continue=" : "", from);
	return call(r, &rq, on_pods);
}

static void begin_look(struct keys_rollout *r, struct watched *w)
{
	r->at = w;
	r->n_owners = r->next = 0;
	memset(r->old, 0, sizeof(r->old));
	if (list(r, "") < 0)
		end_look(r, false);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct keys_rollout *r = ctx;
	struct watched *w, *next, *first = NULL;
	int64_t now = clock_monotonic_usec();

	(void)source;
	(void)usec;
	if (r->at) {
		begin_owner(r);
		return 0;
	}
	HASH_ITER(hh, r->table, w, next)
	if (!first || w->due_usec < first->due_usec)
		first = w;
	if (first && first->due_usec <= now)
		begin_look(r, first);
	else if (first && first->due_usec != INT64_MAX)
		plan(r, first->due_usec - now);
	return 0;
}

/* --- made and freed --- */

int keys_rollout_new(
	struct keys_rollout **ret_r, const struct keys_rollout_options *o, struct error *err)
{
	static const char *const labels[] = {"kind", "result", NULL};
	_cleanup_(keys_rollout_free_p) struct keys_rollout *r = calloc(1, sizeof(*r));
	int n;

	if (!r)
		return error_oom(err);
	r->o = *o;
	if (!r->o.step_usec)
		r->o.step_usec = USEC_PER_SEC;
	n = sd_event_add_time_relative(
		o->event, &r->timer, CLOCK_MONOTONIC, (uint64_t)steps(r, SOON), 0, on_timer, r);
	if (n < 0)
		return error_set(err, n, "a timer of rollouts: %s", strerror(-n));
	if (o->metrics)
		r->restarts = metrics_counter(o->metrics, "casemate_webhook_key_restarts_total",
			"Owners of pods that were to be restarted for a key's new version.",
			labels);
	*ret_r = TAKE_PTR(r);
	return 0;
}

void keys_rollout_free(struct keys_rollout *r)
{
	if (!r)
		return;
	kube_cancel(r->call);
	while (r->table) {
		struct watched *w = r->table;

		HASH_DEL(r->table, w);
		free(w);
	}
	sd_event_source_disable_unref(r->timer);
	free(r);
}
