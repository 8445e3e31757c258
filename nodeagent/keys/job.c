/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request comes to: which container holds the device, is the token of its pod, what was it
 * promised (for files), and then the broker. A few at once, at most one of an allocation, in the
 * order in which they came; of an allocation that asks over and over one a second. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rate.h"
#include "common/base/settings_file.h"
#include "common/kube/resources.h"
#include "common/tee/reason.h"
#include "nodeagent/attest/token.h"
#include "nodeagent/keys/keys_private.h"

enum { POD_MAX = 2 << 20, POD_NODES_MAX = 200000, TOKEN_ARENA_MAX = 64 << 10 };

enum job_state { JOB_WAITING, JOB_LOCATING, JOB_READING, JOB_RELEASING };

struct key_job {
	struct keys *k;
	struct key_slot *slot;
	enum job_state state;
	bool asked;        /* the list under way was asked for after this began to wait for one */
	bool files, again; /* again: the container runs, these keys are to be replaced */
	struct key_names only;
	struct secret token;
	struct key_promise what;
	char namespace_[64], pod[254], container[64];
	struct kube_call *call;
	struct key_release *release;
	sd_event_source *timer;
	void (*done)(void *ctx, const struct secret *keys, const struct key_promise *what,
		const struct key_refusal *why);
	void *ctx;
	TAILQ_ENTRY(key_job) link;
};

/* --- the end --- */

static void job_free(struct key_job *job)
{
	struct keys *k = job->k;

	TAILQ_REMOVE(&k->jobs, job, link);
	k->n_jobs--;
	if (job->state != JOB_WAITING) {
		k->n_active--;
		job->slot->n_active--;
	}
	kube_cancel(job->call);
	key_release_cancel(job->release);
	sd_event_source_disable_unref(job->timer);
	secret_free(&job->token);
	free(job);
}

const char *key_reason_label(const char *reason)
{
#define X(name, explanation, remedy)                                                               \
	if (strcmp(reason, #name) == 0)                                                            \
		return #name;
	REASONS(X)
#undef X
	return "Other";
}

static void tell(struct key_job *job, const struct key_refusal *why)
{
	struct keys *k = job->k;
	struct keys_event e = {
		.namespace_ = job->namespace_,
		.pod = job->pod,
		.container = job->container,
		.files = job->files,
		.again = job->again,
		.n = job->what.keys.n,
		.why = why,
		.key = why && why->key < job->what.keys.n ? job->what.keys.v[why->key] : "",
	};

	if (!why)
		k->view.delivered++;
	else if (why->again)
		k->view.failed++;
	else
		k->view.refused++;
	metric_add(k->requests, 1,
		METRIC_VALUES(!why         ? "ok"
			      : why->again ? "again"
					   : "refused",
			why ? key_reason_label(why->reason) : "Ok"));
	if (why)
		snprintf(k->problem, sizeof(k->problem), "%s/%s, container %s: %s: %s",
			job->namespace_, job->pod, job->container, why->reason, why->message);
	if (k->o.ended)
		k->o.ended(k->o.ctx, &e);
}

static void job_end(struct key_job *job, const struct secret *keys, const struct key_refusal *why)
{
	struct keys *k = job->k;

	/* A container that was promised nothing asked for nothing. */
	if (why || job->what.keys.n > 0)
		tell(job, why);
	job->done(job->ctx, keys, &job->what, why);
	job_free(job);
	key_jobs_soon(k);
}

static void __attribute__((format(printf, 4, 5)))
job_refuse(struct key_job *job, bool again, const char *reason, const char *fmt, ...)
{
	struct key_refusal why = {.again = again, .key = SIZE_MAX};
	va_list ap;

	snprintf(why.reason, sizeof(why.reason), "%s", reason);
	va_start(ap, fmt);
	vsnprintf(why.message, sizeof(why.message), fmt, ap);
	va_end(ap);
	job_end(job, NULL, &why);
}

/* --- the broker --- */

static void on_released(void *ctx, const struct secret *keys, const struct key_refusal *why)
{
	struct key_job *job = ctx;

	/* Free after this call in either case. */
	job->release = NULL;
	job_end(job, keys, why);
}

static void release(struct key_job *job)
{
	struct keys *k = job->k;
	const struct key_release_options o = {
		.event = k->o.event,
		.url = k->url,
		.ca_file = k->ca_file,
		.token_file = k->token_file,
		.prover = k->o.prover,
		.namespace_ = job->namespace_,
		.container = job->container,
		.pod_token = secret_view(&job->token),
		.keys = &job->what.keys,
		.ret_versions = job->what.versions,
		.done = on_released,
		.ctx = job,
	};
	struct error err = {0};

	job->state = JOB_RELEASING;
	if (key_release_start(&job->release, &o, &err) < 0)
		job_refuse(job, true, "Internal", "%s", err.message);
}

/* Remembered with the folder: who it belonged to is known after a restart as well. */
static void own(struct key_slot *slot, const char *uid)
{
	if (strcmp(slot->owner, uid) == 0)
		return;
	snprintf(slot->owner, sizeof(slot->owner), "%s", uid);
	key_folders_own(&slot->k->folders, slot->folder, uid, NULL);
}

/* uid: of the pod, where it is known; NULL: the token's. */
static void check_token(struct key_job *job, const char *uid)
{
	struct token_pod t;
	struct error err = {0};

	if (token_pod_read(&t, secret_view(&job->token), &err) < 0) {
		job_refuse(job, false, "TokenInvalid", "%s", err.message);
	} else if (strcmp(t.namespace_, job->namespace_) != 0 || strcmp(t.pod, job->pod) != 0 ||
		   (uid && strcmp(t.pod_uid, uid) != 0)) {
		job_refuse(job, false, "TokenInvalid",
			"the token is of another pod than %s/%s, to which this socket belongs: use "
			"the one at " DELIVERY_TOKEN,
			job->namespace_, job->pod);
	} else {
		own(job->slot, t.pod_uid);
		release(job);
	}
}

/* --- the pod, for promised files --- */

static bool uid_valid(const char *uid)
{
	return *uid && strspn(uid, "0123456789abcdefABCDEF-") == strlen(uid);
}

static int read_token(struct key_job *job, const char *uid, struct error *err)
{
	_cleanup_arena_ struct arena m = ARENA_INIT(TOKEN_ARENA_MAX);
	_cleanup_free_ char *path = NULL;
	struct span text;
	int r;

	if (asprintf(&path,
		    "%s/%s/volumes/kubernetes.io~projected/" DELIVERY_VOLUME
		    "/" DELIVERY_TOKEN_NAME,
		    job->k->pods_dir, uid) < 0)
		return error_oom(err);
	r = settings_read_file(path, DELIVERY_TOKEN_MAX, &m, &text, err);
	if (r < 0)
		return error_prefix(err, r,
			"the pod's token cannot be read (volume " DELIVERY_VOLUME
			", audience " DELIVERY_AUDIENCE ")");
	while (text.len && strchr("\r\n", text.p[text.len - 1]))
		text.len--;
	return secret_copy(&job->token, text) < 0 ? error_oom(err) : 0;
}

static void keep_promise(struct key_job *job, struct json_val pod)
{
	struct error err = {0};
	char uid[64];

	if (!json_copy(json_find(pod, "metadata", "uid"), uid, sizeof(uid)) || !uid_valid(uid)) {
		job_refuse(job, true, "Malformed", "the pod has no UID");
		return;
	}
	if (key_promise_read(&job->what, pod, job->container, &err) < 0) {
		job->what.keys.n = 0;
		job_refuse(job, false, "AnnotationInvalid", "%s", err.message);
		return;
	}
	strcpy(job->what.namespace_, job->namespace_);
	if (job->again)
		key_promise_keep(&job->what, &job->only);
	if (job->what.keys.n == 0) {
		job_end(job, NULL, NULL);
	} else if (!job->k->folders.memory && !job->k->o.disk_allowed) {
		job_refuse(job, false, "Internal",
			"%s is not on a tmpfs: keys would be written to a disk; set keys.dir",
			job->k->folders.dir);
	} else if (read_token(job, uid, &err) < 0) {
		job_refuse(job, true, "TokenInvalid", "%s", err.message);
	} else {
		check_token(job, uid);
	}
}

static void on_pod(void *ctx, const struct kube_result *res)
{
	static const struct json_limits limits = {POD_MAX, POD_NODES_MAX, 64};
	struct key_job *job = ctx;
	_cleanup_json_ struct json doc = {0};
	struct error err = {0};

	job->call = NULL;
	if (res->code || res->status != 200)
		job_refuse(job, true, "Internal", "the pod cannot be read: %s", res->message);
	else if (json_parse(&doc, res->body, &limits, &err) < 0)
		job_refuse(job, true, "Internal", "the pod cannot be read: %s", err.message);
	else
		keep_promise(job, json_root(&doc));
}

static void read_pod(struct key_job *job)
{
	char path[sizeof("/api/v1/namespaces//pods/") + sizeof(job->namespace_) + sizeof(job->pod)];
	const struct kube_request get = {.method = "GET", .path = path, .max_response = POD_MAX};
	struct error err = {0};

	job->state = JOB_READING;
	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s", job->namespace_, job->pod);
	if (kube_call(job->k->o.kube, &get, on_pod, job, &job->call, &err) < 0)
		job_refuse(job, true, "Internal", "the pod cannot be read: %s", err.message);
}

/* --- who asks --- */

static bool holds(const struct holding *h, const char *id)
{
	if (strcmp(h->resource, RESOURCE_KEYS) != 0)
		return false;
	for (size_t i = 0; i < h->n_ids; i++)
		if (strcmp(h->ids[i], id) == 0)
			return true;
	return false;
}

/* Names of Kubernetes objects: they become part of paths and of what is signed. */
static bool copy_name(char *out, size_t size, const char *name)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(name) && *name &&
	       (size_t)snprintf(out, size, "%s", name) < size;
}

static void located(struct key_job *job, const struct holdings *all)
{
	const struct holding *h = NULL;

	for (size_t i = 0; i < all->n && !h; i++)
		if (holds(&all->v[i], job->slot->id))
			h = &all->v[i];
	if (!h) {
		job_refuse(job, true, "ContainerUnknown",
			"the kubelet knows no container that holds this device (%s)%s",
			job->slot->id, all->cut ? "; it has more than can be looked at" : "");
	} else if (!copy_name(job->namespace_, sizeof(job->namespace_), h->namespace_) ||
		   !copy_name(job->pod, sizeof(job->pod), h->pod) ||
		   !copy_name(job->container, sizeof(job->container), h->container)) {
		job->namespace_[0] = job->pod[0] = job->container[0] = '\0';
		job_refuse(
			job, false, "ContainerUnknown", "the kubelet names no pod of Kubernetes");
	} else if (job->files) {
		read_pod(job);
	} else {
		check_token(job, NULL);
	}
}

static void list_again(struct keys *k);

static void on_list(void *ctx, const struct holdings *h, const struct error *err)
{
	struct keys *k = ctx;
	struct key_job *job;

	k->listing = false;
	/* From the front each time: one that ends may begin others. */
	for (job = TAILQ_FIRST(&k->jobs); job;) {
		if (job->state != JOB_LOCATING || !job->asked) {
			job = TAILQ_NEXT(job, link);
			continue;
		}
		job->asked = false;
		if (h)
			located(job, h);
		else
			job_refuse(job, true, "Internal", "%s", err->message);
		job = TAILQ_FIRST(&k->jobs);
	}
	list_again(k);
}

/* For those who wait for a list that is asked for from now on. */
static void list_again(struct keys *k)
{
	struct error err = {0};
	struct key_job *job;
	bool any = false;

	if (k->listing)
		return;
	TAILQ_FOREACH(job, &k->jobs, link)
	if (job->state == JOB_LOCATING)
		any = job->asked = true;
	if (!any)
		return;
	k->listing = true;
	if (pod_resources_list(k->o.pod_resources, on_list, k, &err) < 0)
		on_list(k, NULL, &err);
}

/* 0: its turn is now; else in how many microseconds, or INT64_MAX: when another one ends. What
 * somebody but the container asked for has no limit of its own. */
static int64_t until_turn(struct key_job *job, int64_t now)
{
	if (job->state != JOB_WAITING || job->slot->n_active > 0)
		return INT64_MAX;
	return job->files ? 0 : rate_take(&job->slot->rate, KEYS_RATE, KEYS_BURST, now);
}

/* Those whose turn it is. */
static void begin_jobs(struct keys *k)
{
	int64_t now = clock_monotonic_usec(), next = INT64_MAX;
	struct key_job *job;

	for (job = TAILQ_FIRST(&k->jobs); job && k->n_active < KEYS_ACTIVE_MAX;
		job = TAILQ_NEXT(job, link)) {
		int64_t wait = until_turn(job, now);

		if (wait == 0) {
			job->state = JOB_LOCATING;
			k->n_active++;
			job->slot->n_active++;
		} else if (wait < next) {
			next = wait;
		}
	}
	if (next != INT64_MAX) {
		sd_event_source_set_time_relative(k->later, (uint64_t)next);
		sd_event_source_set_enabled(k->later, SD_EVENT_ONESHOT);
	}
	list_again(k);
}

static int on_soon(sd_event_source *source, void *ctx)
{
	(void)source;
	begin_jobs(ctx);
	return 0;
}

static int on_later(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	begin_jobs(ctx);
	return 0;
}

int key_jobs_start(struct keys *k, struct error *err)
{
	int r = sd_event_add_defer(k->o.event, &k->soon, on_soon, k);

	if (r >= 0)
		r = sd_event_source_set_enabled(k->soon, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(
			k->o.event, &k->later, CLOCK_MONOTONIC, UINT64_MAX, 0, on_later, k);
	if (r >= 0)
		r = sd_event_source_set_enabled(k->later, SD_EVENT_OFF);
	return r < 0 ? error_set(err, r, "event loop: %s", strerror(-r)) : 0;
}

void key_jobs_soon(struct keys *k)
{
	sd_event_source_set_enabled(k->soon, SD_EVENT_ONESHOT);
}

static int on_time(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct key_job *job = ctx;
	static const char *const doing[] = {
		[JOB_WAITING] = "others were served",
		[JOB_LOCATING] = "the kubelet was asked who this is",
		[JOB_READING] = "the API server was asked for the pod",
		[JOB_RELEASING] = "the broker was asked",
	};

	(void)source;
	(void)usec;
	job_refuse(job, true, "StoreUnavailable", "it took too long: time was over while %s",
		doing[job->state]);
	return 0;
}

int key_job_new(struct key_job **ret, struct key_slot *slot, const struct key_job_options *o,
	struct error *err)
{
	struct keys *k = slot->k;
	struct key_job *job = calloc(1, sizeof(*job));

	if (!job)
		return error_oom(err);
	*job = (struct key_job){
		.k = k, .slot = slot, .files = o->files, .done = o->done, .ctx = o->ctx};
	if (sd_event_add_time_relative(k->o.event, &job->timer, CLOCK_MONOTONIC,
		    o->files ? KEYS_START_USEC : KEYS_SOCKET_USEC, 0, on_time, job) < 0) {
		free(job);
		return error_oom(err);
	}
	job->again = o->files && o->keys;
	if (job->again)
		job->only = *o->keys;
	if (!o->files) {
		job->token = *o->token;
		*o->token = (struct secret){0};
		job->what.keys = *o->keys;
	}
	TAILQ_INSERT_TAIL(&k->jobs, job, link);
	k->n_jobs++;
	key_jobs_soon(k);
	*ret = job;
	return 0;
}

void key_job_cancel(struct key_job *job)
{
	struct keys *k;

	if (!job)
		return;
	k = job->k;
	job_free(job);
	key_jobs_soon(k);
}

void key_jobs_end(struct key_slot *slot)
{
	struct key_job *job, *next;

	for (job = TAILQ_FIRST(&slot->k->jobs); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->slot == slot)
			job_refuse(job, true, "ContainerUnknown",
				"the device was given to another container meanwhile");
	}
}
