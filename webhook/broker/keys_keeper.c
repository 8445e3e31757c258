/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_keeper.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "webhook/broker/keys_counts.h"
#include "webhook/broker/keys_news.h"
#include "webhook/broker/keys_overdue.h"
#include "webhook/broker/keys_plan.h"
#include "webhook/broker/keys_rollout.h"
#include "webhook/broker/keys_status.h"

enum {
	BUSY_MAX = 8, /* writes under way */
	SLICE = 256,  /* profiles a turn of the loop */
	PATCH_MAX = 256 * 1024,
};

#define LOOK_USEC (60 * (int64_t)USEC_PER_SEC)
#define SOON_USEC (100 * (int64_t)USEC_PER_MSEC)
/* When another was faster, and what it wrote has not been seen yet or never will be. */
#define FASTER_USEC (5 * (int64_t)USEC_PER_SEC)
#define STATUS_USEC (60 * (int64_t)USEC_PER_SEC)

/* A write under way. */
struct job {
	struct keys_keeper *k; /* NULL: this one is free */
	struct kube_call *call;
	char profile[KEY_NAME_MAX + 256];              /* "namespace/profile" or a record's name */
	struct keys_news news;                         /* to be told once it is stored */
	struct keys_release sent[KEYS_OF_PROFILE_MAX]; /* releases that the status is to count */
	size_t n_sent;
};

struct keys_keeper {
	struct keys_keeper_options o;
	struct profile_set *profiles;
	sd_event_source *timer;
	int64_t look_usec; /* when it runs, monotonic; 0: it does not */
	size_t cursor;     /* of the slice to come */
	bool again;        /* another look was asked for while one is under way */
	int64_t next_sec;  /* when the next rotation is due, as far as this look has come */
	struct keys_counts counts;
	struct job jobs[BUSY_MAX];
	struct keys_plan plan; /* one at a time */
	struct keys_counters counters;
	struct metric *overdue;
	unsigned n_overdue;           /* as far as this look has come */
	struct keys_rollout *rollout; /* NULL without an API server */
};

/* One profile in one look. */
struct visit {
	struct keys_keeper *k;
	const struct profile *p;
	struct key_owner owner;
	char name[KEY_NAME_MAX + 256];
	struct key_spec specs[KEYS_OF_PROFILE_MAX];
	size_t n;
	struct key_record rec;
	bool stored; /* rec holds what is stored */
	struct error err;
	int64_t now_sec;
};

static bool leading(const struct keys_keeper *k)
{
	return !k->o.lease || kube_lease_leading(k->o.lease);
}

/* What is planned is not put off, or frequent changes would keep us from ever looking. */
static void plan_look(struct keys_keeper *k, int64_t delay)
{
	int64_t at = clock_monotonic_usec() + delay;

	if (k->look_usec && k->look_usec <= at)
		return;
	k->look_usec = at;
	sd_event_source_set_time_relative(k->timer, (uint64_t)delay);
	sd_event_source_set_enabled(k->timer, SD_EVENT_ONESHOT);
}

void keys_keeper_look(struct keys_keeper *k)
{
	if (k->cursor)
		k->again = true;
	else
		plan_look(k, SOON_USEC);
}

static struct job *find_job(struct keys_keeper *k, const char *name)
{
	for (size_t i = 0; i < BUSY_MAX; i++)
		if (k->jobs[i].k && strcmp(k->jobs[i].profile, name) == 0)
			return &k->jobs[i];
	return NULL;
}

static struct job *new_job(struct keys_keeper *k, const char *name)
{
	for (size_t i = 0; i < BUSY_MAX; i++)
		if (!k->jobs[i].k) {
			k->jobs[i] = (struct job){.k = k};
			snprintf(k->jobs[i].profile, sizeof(k->jobs[i].profile), "%s", name);
			return &k->jobs[i];
		}
	return NULL;
}

void keys_keeper_released(struct keys_keeper *k, const char *namespace_, const char *profile,
	const char *key, int64_t now_sec)
{
	char name[KEY_NAME_MAX + 256];

	snprintf(name, sizeof(name), "%s/%s", namespace_, profile);
	if (k->o.kube)
		keys_counts_add(&k->counts, name, key, now_sec);
}

static void end_job(struct job *j)
{
	struct keys_keeper *k = j->k;

	j->k = NULL;
	keys_keeper_look(k);
}

static void on_stored(void *ctx, int r, const struct error *err)
{
	struct job *j = ctx;

	if (r == 0)
		keys_news_tell(&j->news, &j->k->counters, j->k->o.events);
	else if (r != -EEXIST)
		log_error(err->message, "Cannot store keys", LOG_STR("profile", j->profile));
	if (r == 0) {
		end_job(j);
		return;
	}
	if (r == -EEXIST)
		plan_look(j->k, FASTER_USEC);
	j->k = NULL; /* the minute's look tries again */
}

static void on_patched(void *ctx, const struct kube_result *res)
{
	struct job *j = ctx;
	struct keys_keeper *k = j->k;

	j->call = NULL;
	if (res->status == 200)
		keys_counts_settle(&k->counts, j->profile, j->sent, j->n_sent);
	else if (res->status != 404 && res->status != 409)
		log_warn("Could not write of a profile's keys", LOG_STR("profile", j->profile),
			LOG_STR("reason", res->reason), LOG_STR("message", res->message));
	/* The watch brings the profile as it is now, and with it the next look. */
	j->k = NULL;
}

static bool patch_profile(struct visit *v, const struct buf *body, const char *subresource,
	const struct keys_counted *sent)
{
	struct job *j = new_job(v->k, v->name);
	char path[800];
	const struct kube_request req = {
		.method = "PATCH", .path = path, .patch = KUBE_PATCH_MERGE, .body = buf_view(body)};
	struct error err = {0};

	if (!j)
		return false;
	if (sent) {
		memcpy(j->sent, sent->keys, sizeof(j->sent));
		j->n_sent = sent->n;
	}
	snprintf(path, sizeof(path),
		"/apis/casemate.dev/v1alpha1/namespaces/%s/enclaveprofiles/%s%s", v->p->namespace_,
		v->p->name, subresource);
	if (body->err || kube_call(v->k->o.kube, &req, on_patched, j, &j->call, &err) < 0) {
		log_warn("Could not write of a profile's keys", LOG_STR("profile", v->name),
			LOG_STR("message", err.message));
		j->k = NULL;
		return false;
	}
	return true;
}

/* Begins to write the record, or to remove it; what is busy is done later. Otherwise v->err says
 * why not. plan: what it did to the record; NULL: there is nothing to tell. */
static int store_record(struct visit *v, bool remove, const struct keys_plan *plan)
{
	struct job *j = new_job(v->k, v->name);
	int r;

	if (!j)
		return 0;
	if (plan)
		keys_news_of(&j->news, v->p, plan);
	r = remove ? key_store_remove(v->k->o.store, &v->rec, on_stored, j, &v->err)
		   : key_store_write(v->k->o.store, &v->rec, on_stored, j, &v->err);
	if (r < 0) {
		log_error(v->err.message, "Cannot store keys", LOG_STR("profile", v->name));
		j->k = NULL;
		v->err.code = r;
	}
	return r;
}

static void begin_visit(struct visit *v, struct keys_keeper *k, const struct profile *p)
{
	struct json_iter it;
	int r;

	v->k = k;
	v->p = p;
	v->now_sec = clock_unix_usec() / USEC_PER_SEC;
	snprintf(v->name, sizeof(v->name), "%s/%s", p->namespace_, p->name);
	v->owner = (struct key_owner){.namespace_ = p->namespace_,
		.namespace_uid =
			k->o.namespace_uid ? k->o.namespace_uid(k->o.ctx, p->namespace_) : "",
		.profile = p->name,
		.profile_uid = p->uid ? p->uid : ""};
	json_each (it, json_get(p->spec, "keys"))
		if (p->valid && v->n < KEYS_OF_PROFILE_MAX)
			key_spec_read(&v->specs[v->n++], it.value);
	r = key_store_read(k->o.store, &v->owner, &v->rec, &v->err);
	v->stored = r == 0;
	v->err.code = r;
}

/* Writes what the plan makes of the record. Did it begin to? */
static bool carry_out(struct visit *v)
{
	const struct kek_ring *keks = key_store_keks(v->k->o.store);
	struct keys_plan *plan = &v->k->plan;
	int r = 0;

	if (!keks)
		return false;
	if (plan->n == 0 &&
		(!v->stored || (strcmp(v->rec.kek, keks->v[0].id) == 0 && !v->rec.deleted_sec)))
		return false;
	if (!v->stored)
		r = key_record_new(&v->rec, &v->owner, &v->err);
	v->rec.deleted_sec = 0;
	if (r == 0)
		r = keys_apply(&v->rec, plan, keks, v->now_sec, &v->err);
	if (r < 0) {
		v->err.code = r;
		v->stored = false;
		log_error(v->err.message, "Cannot make keys", LOG_STR("profile", v->name));
		return false;
	}
	v->stored = store_record(v, false, plan) == 0;
	return v->stored;
}

static void make_plan(struct visit *v)
{
	struct keys_wanted w = {.specs = v->specs,
		.n = v->n,
		.retention_sec = v->k->o.retention_usec / USEC_PER_SEC};

	for (size_t i = 0; i < v->n; i++)
		w.published[i] = keys_status_published(v->p, v->specs[i].name);
	keys_plan_make(&v->k->plan, &w, v->stored ? &v->rec : NULL, v->now_sec);
}

/* Once a minute at most for releases alone; the leader at once for what else changed. */
static void write_status(struct visit *v)
{
	_cleanup_buf_ struct buf body = BUF_INIT(PATCH_MAX);
	struct keys_counted *c = keys_counts_find(&v->k->counts, v->name);
	int old[KEYS_OF_PROFILE_MAX];
	int64_t now = clock_monotonic_usec();
	bool due = !c || !c->written_usec || now >= c->written_usec + STATUS_USEC;
	bool count = c && due && keys_counted_news(c);
	const struct keys_report report = {.profile = v->p,
		.specs = v->specs,
		.states = v->k->plan.state,
		.n = v->n,
		.rec = v->stored ? &v->rec : NULL,
		.problem = v->err.code == 0 || v->err.code == -ENOENT ? "" : v->err.message,
		.old = old,
		.releases = count ? c->keys : NULL,
		.n_releases = count ? c->n : 0};

	if (!v->k->o.kube || (!leading(v->k) && !count) || !v->p->valid)
		return;
	for (size_t i = 0; i < v->n; i++)
		old[i] = keys_rollout_old(v->k->rollout, v->p, v->specs[i].name);
	if (keys_status_patch(&body, &report, v->now_sec) != 1)
		return;
	if (patch_profile(v, &body, "/status", count ? c : NULL) && count)
		c->written_usec = now;
}

/* A profile that goes: its keys stay for the retention, by their owner's UIDs. */
static void let_go(struct visit *v)
{
	_cleanup_buf_ struct buf body = BUF_INIT(PATCH_MAX);

	if (!keys_has_finalizer(v->p) || v->err.code == -EAGAIN)
		return;
	if (v->stored && !v->rec.deleted_sec && v->k->o.retention_usec > 0) {
		v->rec.deleted_sec = v->now_sec;
		store_record(v, false, NULL);
		return;
	}
	if (v->stored && v->k->o.retention_usec <= 0) {
		store_record(v, true, NULL);
		return;
	}
	if (v->err.code && v->err.code != -ENOENT)
		log_error(v->err.message, "Keys of a deleted profile stay",
			LOG_STR("profile", v->name));
	keys_finalizer_patch(&body, v->p, false);
	patch_profile(v, &body, "", NULL);
}

/* Before the first key is made, so that none is without it. Did it begin to? */
static bool hold(struct visit *v)
{
	_cleanup_buf_ struct buf body = BUF_INIT(PATCH_MAX);

	if (!v->k->o.kube || keys_has_finalizer(v->p) || (!v->n && !v->stored))
		return false;
	keys_finalizer_patch(&body, v->p, true);
	patch_profile(v, &body, "", NULL);
	return true;
}

static void visit_valid(struct visit *v)
{
	bool known = v->err.code == 0 || v->err.code == -ENOENT;

	if (!v->n && !v->stored && !json_exists(json_find(v->p->object, "status", "keys")))
		return;
	make_plan(v);
	if (v->k->plan.next_sec < v->k->next_sec)
		v->k->next_sec = v->k->plan.next_sec;
	if (leading(v->k) && known && (hold(v) || carry_out(v)))
		return;
	if (leading(v->k) && v->stored && v->k->rollout)
		keys_rollout_see(v->k->rollout, v->p, v->specs, v->n, &v->rec);
	write_status(v);
}

static void visit_profile(struct keys_keeper *k, const struct profile *p)
{
	struct visit v = {0};

	if (!*p->name)
		return;
	begin_visit(&v, k, p);
	k->n_overdue += keys_overdue_count(p, v.stored ? &v.rec : NULL, v.now_sec);
	if (find_job(k, v.name))
		; /* its end brings us back */
	else if (keys_being_deleted(p)) {
		if (k->o.kube && leading(k))
			let_go(&v);
	} else if (p->valid && (!k->o.kube || *v.owner.namespace_uid))
		/* Without the namespace's UID it is not known whose keys they are. */
		visit_valid(&v);
	key_record_free(&v.rec);
}

static bool is_wanted(const struct keys_keeper *k, const struct key_owner *o)
{
	const struct profile *p =
		profile_find(k->profiles, span_str(o->namespace_), span_str(o->profile));

	return p && p->uid && strcmp(p->uid, o->profile_uid) == 0;
}

/* A record whose profile is gone, however it went: kept for the retention, then removed. */
static int visit_orphan(void *ctx, const char *name)
{
	struct keys_keeper *k = ctx;
	struct visit v = {.k = k, .now_sec = clock_unix_usec() / USEC_PER_SEC};

	if (find_job(k, name) || key_store_read_name(k->o.store, name, &v.rec, &v.err) < 0)
		return 0;
	snprintf(v.name, sizeof(v.name), "%s", name);
	if (!is_wanted(k, &v.rec.owner)) {
		if (!v.rec.deleted_sec) {
			v.rec.deleted_sec = v.now_sec;
			store_record(&v, false, NULL);
		} else if (v.rec.deleted_sec <= v.now_sec - k->o.retention_usec / USEC_PER_SEC)
			store_record(&v, true, NULL);
	}
	key_record_free(&v.rec);
	return 0;
}

/* Removing happens while the store is gone through. */
struct names {
	char (*v)[KEY_RECORD_NAME_MAX];
	size_t n, cap;
};

static int add_name(void *ctx, const char *name)
{
	struct names *names = ctx;

	if (names->n == names->cap) {
		size_t cap = names->cap ? 2 * names->cap : 64;
		void *p = reallocarray(names->v, cap, sizeof(*names->v));

		if (!p)
			return -ENOMEM;
		names->v = p;
		names->cap = cap;
	}
	snprintf(names->v[names->n++], KEY_RECORD_NAME_MAX, "%s", name);
	return 0;
}

static void visit_orphans(struct keys_keeper *k)
{
	struct names names = {0};

	/* A folder of profiles may be edited in any order: nothing follows from what is not in it.
	 */
	if (k->o.kube && leading(k) && key_store_each(k->o.store, add_name, &names, NULL) == 0)
		for (size_t i = 0; i < names.n; i++)
			visit_orphan(k, names.v[i]);
	free(names.v);
}

/* Is the profile there, or something of it under way? */
static bool is_there(void *ctx, const char *name)
{
	const char *slash = strchr(name, '/');
	struct keys_keeper *k = ctx;

	return find_job(k, name) ||
	       profile_find(k->profiles, (struct span){name, (size_t)(slash - name)},
		       span_str(slash + 1));
}

/* Without the store nothing is rotated, which is when it matters most. */
static void count_overdue(struct keys_keeper *k)
{
	int64_t now_sec = clock_unix_usec() / (int64_t)USEC_PER_SEC;
	unsigned n = 0;

	for (size_t i = 0; k->profiles && i < profile_set_count(k->profiles); i++)
		n += keys_overdue_count(profile_set_at(k->profiles, i), NULL, now_sec);
	if (k->profiles)
		metric_set(k->overdue, n, NULL);
}

/* How long until the next look. */
static int64_t next_delay(const struct keys_keeper *k)
{
	int64_t now_sec = clock_unix_usec() / USEC_PER_SEC;
	int64_t left = k->next_sec > now_sec ? k->next_sec - now_sec : 1;

	if (k->again)
		return SOON_USEC;
	return left < LOOK_USEC / USEC_PER_SEC ? left * USEC_PER_SEC : LOOK_USEC;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct keys_keeper *k = ctx;
	size_t n = k->profiles ? profile_set_count(k->profiles) : 0, end = k->cursor + SLICE;

	(void)source;
	(void)usec;
	k->look_usec = 0;
	if (!k->profiles || *key_store_problem(k->o.store)) {
		count_overdue(k);
		plan_look(k, LOOK_USEC);
		return 0;
	}
	if (k->cursor == 0) {
		k->next_sec = INT64_MAX;
		k->n_overdue = 0;
	}
	for (; k->cursor < n && k->cursor < end; k->cursor++)
		visit_profile(k, profile_set_at(k->profiles, k->cursor));
	if (k->cursor < n) {
		plan_look(k, 0);
		return 0;
	}
	metric_set(k->overdue, k->n_overdue, NULL);
	visit_orphans(k);
	if (k->rollout)
		keys_rollout_sweep(k->rollout);
	keys_counts_drop(&k->counts, clock_monotonic_usec() - STATUS_USEC, is_there, k);
	k->cursor = 0;
	plan_look(k, next_delay(k));
	k->again = false;
	return 0;
}

void keys_keeper_profiles(struct keys_keeper *k, struct profile_set *set)
{
	struct profile_set *old = k->profiles;

	k->profiles = profile_set_ref(set);
	profile_set_unref(old);
	keys_keeper_look(k);
}

void keys_keeper_retention(struct keys_keeper *k, int64_t retention_usec)
{
	k->o.retention_usec = retention_usec;
	keys_keeper_look(k);
}

static void store_changed(void *ctx)
{
	keys_keeper_look(ctx);
}

static int start_rollout(struct keys_keeper *k, struct error *err)
{
	if (!k->o.kube)
		return 0;
	return keys_rollout_new(&k->rollout,
		&(struct keys_rollout_options){
			.event = k->o.event,
			.kube = k->o.kube,
			.events = k->o.events,
			.restart = k->o.restart_owners,
			.metrics = k->o.metrics,
			.changed = store_changed,
			.ctx = k,
		},
		err);
}

int keys_keeper_new(
	struct keys_keeper **ret_k, const struct keys_keeper_options *o, struct error *err)
{
	_cleanup_(keys_keeper_free_p) struct keys_keeper *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return error_oom(err);
	k->o = *o;
	r = sd_event_add_time_relative(
		o->event, &k->timer, CLOCK_MONOTONIC, SOON_USEC, 0, on_timer, k);
	if (r < 0)
		return error_set(err, r, "a timer of the keys: %s", strerror(-r));
	plan_look(k, SOON_USEC);
	if (o->metrics) {
		k->overdue = metrics_gauge(o->metrics, "casemate_webhook_keys_rotation_overdue",
			"Keys whose rotation (rotation.every) is late by a tenth of its interval, "
			"ten minutes at least, a day at most.",
			NULL);
		if (!k->overdue)
			return error_oom(err);
	}
	r = keys_news_register(&k->counters, o->metrics, err);
	if (r == 0)
		r = start_rollout(k, err);
	if (r < 0)
		return r;
	key_store_listen(o->store, store_changed, k);
	*ret_k = TAKE_PTR(k);
	return 0;
}

void keys_keeper_free(struct keys_keeper *k)
{
	if (!k)
		return;
	if (k->o.store)
		key_store_listen(k->o.store, NULL, NULL);
	/* A write of the store that is under way would end in a job that is gone: the store goes
	 * right after this, without calling back. */
	for (size_t i = 0; i < BUSY_MAX; i++)
		kube_cancel(k->jobs[i].call);
	keys_counts_free(&k->counts);
	keys_rollout_free(k->rollout);
	sd_event_source_disable_unref(k->timer);
	profile_set_unref(k->profiles);
	free(k);
}
