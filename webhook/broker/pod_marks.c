/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/pod_marks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
/* The default one falls through switch labels, which clang warns of. */
#define HASH_FUNCTION HASH_FNV
#include <uthash.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/kbs/key_id.h"
#include "common/net/backoff.h"
#include "webhook/broker/pod_mark.h"

enum {
	PATH_MAX_BYTES = 420,
	POD_MAX = 2 << 20,
	POD_NODES = 200000,
	SCRATCH_MAX = 4 << 20,
	TRIES = 8,
};

#define GATHER_USEC (500 * (int64_t)USEC_PER_MSEC)
#define RETRY_USEC  (200 * (int64_t)USEC_PER_MSEC)
#define RETRY_MAX   (30 * (int64_t)USEC_PER_SEC)

struct note {
	struct note *next;
	char container[64];
	struct key_id id;
	enum reason reason;
	char *message;
};

struct entry {
	UT_hash_handle hh;
	struct pod_marks *m;
	char namespace_[64], pod[254], uid[64]; /* uid: the key */
	struct note *notes, **end;
	unsigned n, taken; /* taken: of them are in the patch that is on its way */
	unsigned tries;
	struct backoff backoff;
	sd_event_source *timer;
	struct kube_call *call;
};

struct pod_marks {
	struct pod_marks_options o;
	struct entry *pods;
	struct metric *writes;
};

static void drop_notes(struct entry *e, unsigned n)
{
	while (n-- && e->notes) {
		struct note *note = e->notes;

		e->notes = note->next;
		if (!e->notes)
			e->end = &e->notes;
		free(note->message);
		free(note);
		e->n--;
	}
}

static void entry_free(struct entry *e)
{
	HASH_DEL(e->m->pods, e);
	kube_cancel(e->call);
	sd_event_source_disable_unref(e->timer);
	drop_notes(e, e->n);
	free(e);
}

static void count(struct pod_marks *m, const char *result)
{
	if (m->writes)
		metric_add(m->writes, 1, METRIC_VALUES(result));
}

static void plan(struct entry *e, int64_t delay)
{
	sd_event_source_set_time_relative(e->timer, (uint64_t)delay);
	sd_event_source_set_enabled(e->timer, SD_EVENT_ONESHOT);
}

/* What was taken is settled; what came meanwhile is next. */
static void done(struct entry *e, const char *result)
{
	if (result)
		count(e->m, result);
	drop_notes(e, e->taken);
	e->taken = e->tries = 0;
	if (e->notes)
		plan(e, e->m->o.gather_usec);
	else
		entry_free(e);
}

static void again(struct entry *e, const char *why)
{
	e->taken = 0;
	if (++e->tries < TRIES) {
		plan(e, backoff_delay(&e->backoff, clock_monotonic_usec(), backoff_chance()));
		return;
	}
	log_warn("Gave up on a pod's condition", LOG_STR("namespace", e->namespace_),
		LOG_STR("pod", e->pod), LOG_STR("message", why));
	e->taken = e->n;
	done(e, "failed");
}

static void on_written(void *ctx, const struct kube_result *res)
{
	struct entry *e = ctx;

	e->call = NULL;
	if (res->status == 200)
		done(e, "written");
	else if (res->status == 404)
		done(e, NULL); /* the pod is gone */
	else
		again(e, res->message);
}

static void on_pod(void *ctx, const struct kube_result *res);

static int call(
	struct entry *e, const char *method, const char *sub, struct span body, kube_done answered)
{
	char path[PATH_MAX_BYTES];
	const struct kube_request rq = {.method = method,
		.path = path,
		.patch = KUBE_PATCH_STRATEGIC,
		.body = body,
		.max_response = POD_MAX};
	struct error err = {0};
	int r;

	/* Names are of the API server's own answers, so they need no escapes. */
	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s%s", e->namespace_, e->pod, sub);
	r = kube_call(e->m->o.kube, &rq, answered, e, &e->call, &err);
	if (r < 0) {
		e->call = NULL;
		again(e, err.message);
	}
	return r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct entry *e = ctx;

	(void)source;
	(void)usec;
	if (!e->call)
		call(e, "GET", "", SPAN_NONE, on_pod);
	return 0;
}

/* Writes what is known by now, if it is news. */
static void write_mark(struct entry *e, struct json_val pod)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(SCRATCH_MAX);
	_cleanup_buf_ struct buf patch = BUF_INIT(POD_MARK_PATCH_MAX);
	struct pod_news news[POD_MARK_NEWS_MAX];
	size_t n = 0;
	int r;

	for (struct note *note = e->notes; note && n < POD_MARK_NEWS_MAX; note = note->next)
		news[n++] = (struct pod_news){note->container, note->id.profile, note->id.key,
			note->reason, note->message};
	e->taken = (unsigned)n;
	r = pod_mark_patch(&patch, pod, news, n, clock_unix_usec() / (int64_t)USEC_PER_SEC, &a);
	if (r == 1)
		call(e, "PATCH", "/status", buf_view(&patch), on_written);
	else
		done(e, r < 0 ? "failed" : NULL);
}

static void on_pod(void *ctx, const struct kube_result *res)
{
	static const struct json_limits limits = {POD_MAX, POD_NODES, JSON_MAX_DEPTH};
	struct entry *e = ctx;
	_cleanup_json_ struct json doc = {0};

	e->call = NULL;
	if (res->status == 404) {
		e->taken = e->n;
		done(e, NULL);
	} else if (res->code || res->status != 200 ||
		   json_parse(&doc, res->body, &limits, NULL) < 0) {
		again(e, res->message);
	} else if (!json_str_is(json_find(json_root(&doc), "metadata", "uid"), e->uid)) {
		e->taken = e->n; /* another pod of this name */
		done(e, NULL);
	} else {
		write_mark(e, json_root(&doc));
	}
}

static struct entry *entry_of(struct pod_marks *m, const struct requester *who)
{
	struct entry *e;

	HASH_FIND_STR(m->pods, who->pod_uid, e);
	if (e || HASH_COUNT(m->pods) >= POD_MARKS_MAX)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->m = m;
	e->end = &e->notes;
	e->backoff = (struct backoff){.first_usec = RETRY_USEC, .max_usec = RETRY_MAX};
	snprintf(e->namespace_, sizeof(e->namespace_), "%s", who->namespace_);
	snprintf(e->pod, sizeof(e->pod), "%s", who->pod);
	snprintf(e->uid, sizeof(e->uid), "%s", who->pod_uid);
	if (sd_event_add_time_relative(kube_client_event(m->o.kube), &e->timer, CLOCK_MONOTONIC,
		    (uint64_t)m->o.gather_usec, 0, on_timer, e) < 0) {
		free(e);
		return NULL;
	}
	HASH_ADD_STR(m->pods, uid, e);
	return e;
}

static bool append(struct entry *e, const struct note *what, const char *message)
{
	struct note *note = malloc(sizeof(*note));

	if (!note)
		return false;
	*note = *what;
	note->message = strdup(message);
	if (!note->message) {
		free(note);
		return false;
	}
	*e->end = note;
	e->end = &note->next;
	e->n++;
	return true;
}

void pod_marks_note(struct pod_marks *m, const struct requester *who, const struct key_id *id,
	enum reason reason, const char *message)
{
	struct entry *e = entry_of(m, who);
	struct note note = {.id = *id, .reason = reason};

	snprintf(note.container, sizeof(note.container), "%s", who->container);
	if (!e || e->n >= 2 * POD_MARK_NEWS_MAX || !append(e, &note, message))
		count(m, "lost");
}

void pod_marks_hurry(struct pod_marks *m)
{
	for (struct entry *e = m->pods; e; e = e->hh.next)
		if (!e->call)
			plan(e, 0);
	m->o.gather_usec = 0;
}

int pod_marks_new(struct pod_marks **ret_m, const struct pod_marks_options *o, struct error *err)
{
	static const char *const labels[] = {"result", NULL};
	struct pod_marks *m = calloc(1, sizeof(*m));

	if (!m)
		return error_oom(err);
	m->o = *o;
	if (!m->o.gather_usec)
		m->o.gather_usec = GATHER_USEC;
	if (o->metrics) {
		m->writes = metrics_counter(o->metrics, "casemate_webhook_pod_conditions_total",
			"Conditions casemate.dev/KeysReleased: written, failed to be, or lost "
			"before.",
			labels);
		if (!m->writes) {
			free(m);
			return error_oom(err);
		}
	}
	*ret_m = m;
	return 0;
}

void pod_marks_free(struct pod_marks *m)
{
	if (!m)
		return;
	while (m->pods)
		entry_free(m->pods);
	free(m);
}
