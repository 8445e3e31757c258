/* SPDX-License-Identifier: Apache-2.0
 *
 * One call is under way, or the timer runs. What is stored is known by a GET or by the answer to
 * our own PUT; a PUT that meets another version is followed by a GET. */
#include "common/kube/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/net/backoff.h"

enum {
	LEASE_NAME_MAX = 254,
	LEASE_BODY_MAX = 4096,
	LEASE_OBJECT_MAX = 256 * 1024,
	LEASE_TIMEOUT_USEC = 5 * USEC_PER_SEC,
	LEASE_ACCURACY_USEC = 20 * USEC_PER_MSEC,
};

struct kube_lease {
	struct kube_lease_options o;
	char namespace_[64], name[LEASE_NAME_MAX], identity[LEASE_NAME_MAX];
	char collection[400], path[700];
	sd_event_source *timer;
	struct kube_call *call;

	/* The Lease as last seen. */
	bool known, exists;
	char version[64], holder[LEASE_NAME_MAX];
	int64_t transitions;
	int64_t duration_usec; /* that its holder asks for */
	int64_t changed_usec;  /* monotonic: when this version was first seen */

	bool released;         /* we want it no more */
	bool leading;          /* we hold it; for how long says renewed_usec */
	int64_t renewed_usec;  /* monotonic: when the last PUT that succeeded was begun */
	int64_t acquired_usec; /* Unix */
	int64_t begun_usec;    /* monotonic: when the PUT under way was */
	int64_t failing_usec;  /* monotonic: since when nothing was read or written; 0: it was */
	bool told;             /* of that */
};

static void step(struct kube_lease *l);

bool kube_lease_leading(const struct kube_lease *l)
{
	return l->leading && clock_monotonic_usec() - l->renewed_usec < l->o.deadline_usec;
}

int64_t kube_lease_term(const struct kube_lease *l)
{
	return l->exists ? l->transitions + 1 : 0;
}

static void set_leading(struct kube_lease *l, bool leading)
{
	if (l->leading == leading)
		return;
	l->leading = leading;
	if (l->o.changed)
		l->o.changed(l->o.ctx);
}

static void read_text(char *out, size_t size, struct json_val v, struct arena *a)
{
	struct span s = json_str(v, a);

	snprintf(out, size, SPAN_FMT, SPAN_ARG(s));
}

/* Takes up the Lease that an answer holds; false: it holds none. */
static bool take(struct kube_lease *l, struct span body)
{
	static const struct json_limits limits = {LEASE_OBJECT_MAX, 8192, 64};
	_cleanup_arena_ struct arena a = ARENA_INIT(16 * 1024);
	_cleanup_json_ struct json doc = {0};
	struct json_val root, spec;
	char version[sizeof(l->version)];
	int64_t seconds;

	if (json_parse(&doc, body, &limits, NULL) < 0)
		return false;
	root = json_root(&doc);
	spec = json_get(root, "spec");
	read_text(version, sizeof(version), json_find(root, "metadata", "resourceVersion"), &a);
	if (!l->exists || strcmp(version, l->version) != 0)
		l->changed_usec = clock_monotonic_usec();
	l->known = l->exists = true;
	memcpy(l->version, version, sizeof(version));
	read_text(l->holder, sizeof(l->holder), json_get(spec, "holderIdentity"), &a);
	if (!json_int(json_get(spec, "leaseTransitions"), &l->transitions) || l->transitions < 0)
		l->transitions = 0;
	if (!json_int(json_get(spec, "leaseDurationSeconds"), &seconds) || seconds <= 0 ||
		seconds > 3600)
		seconds = l->o.duration_usec / USEC_PER_SEC;
	l->duration_usec = seconds * USEC_PER_SEC;
	return true;
}

/* How long another's lead lasts yet, as far as we know; 0: none does. */
static int64_t left_of_another(const struct kube_lease *l)
{
	int64_t left = l->changed_usec + l->duration_usec - clock_monotonic_usec();

	return l->known && l->exists && !l->leading && left > 0 ? left : 0;
}

/* From one look or renewal to the next. Who waits looks twice as often as the leader renews: what he
 * learns late of the last renewal, he takes over late. */
static int64_t interval(const struct kube_lease *l)
{
	return l->leading ? l->o.retry_usec : l->o.retry_usec / 2;
}

static void plan(struct kube_lease *l)
{
	/* Up to a fifth less, so that replicas do not step in time. */
	int64_t delay = interval(l) - backoff_chance() % (uint64_t)(interval(l) / 5 + 1);
	int64_t left = left_of_another(l);

	if (l->released)
		return;
	/* The Lease of one that is gone is taken when it ends, and not a try later. */
	if (left && left < delay)
		delay = left;
	sd_event_source_set_time_relative(l->timer, (uint64_t)delay);
	sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

static void failed(struct kube_lease *l, const char *what, const char *message)
{
	int64_t now = clock_monotonic_usec();
	char cause[256];

	/* Whether a PUT that was lost was stored, only a GET can tell. */
	l->known = false;
	if (!l->failing_usec)
		l->failing_usec = now;
	if (l->told || !l->o.troubled || now - l->failing_usec < l->o.deadline_usec)
		return;
	l->told = true;
	snprintf(cause, sizeof(cause), "%s: %.200s", what,
		*message ? message : "the answer is no Lease");
	l->o.troubled(l->o.ctx, cause);
}

static void worked(struct kube_lease *l)
{
	l->failing_usec = 0;
	l->told = false;
}

static void on_read(void *ctx, const struct kube_result *res)
{
	struct kube_lease *l = ctx;

	l->call = NULL;
	if (res->status == 404) {
		l->known = true;
		l->exists = false;
	} else if (res->status != 200 || !take(l, res->body)) {
		failed(l, "reading the Lease", res->message);
		plan(l);
		return;
	}
	if (l->leading && (!l->exists || strcmp(l->holder, l->identity) != 0))
		set_leading(l, false);
	step(l);
}

static void on_written(void *ctx, const struct kube_result *res)
{
	struct kube_lease *l = ctx;

	l->call = NULL;
	if ((res->status == 200 || res->status == 201) && take(l, res->body)) {
		worked(l);
		if (strcmp(l->holder, l->identity) == 0) {
			l->renewed_usec = l->begun_usec;
			set_leading(l, true);
		}
	} else if (res->status == 409 || res->status == 404) {
		l->known = false; /* another was first, */
		if (res->status == 409) {
			step(l); /* and whose term it is now is to be known at once */
			return;
		}
	} else {
		failed(l, "writing the Lease", res->message);
	}
	plan(l);
}

static void begin_call(struct kube_lease *l, const char *method, const char *path, struct span body,
	kube_done done)
{
	const struct kube_request req = {.method = method,
		.path = path,
		.body = body,
		.timeout_usec = LEASE_TIMEOUT_USEC < l->o.deadline_usec ? LEASE_TIMEOUT_USEC
									: l->o.deadline_usec,
		.max_response = LEASE_OBJECT_MAX};
	struct error err = {0};

	l->begun_usec = clock_monotonic_usec();
	if (kube_call(l->o.kube, &req, done, l, &l->call, &err) == 0)
		return;
	l->call = NULL;
	failed(l, "the Lease", err.message);
	plan(l);
}

static int write_body(struct buf *out, const struct kube_lease *l, const char *holder,
	int64_t transitions, int64_t seconds)
{
	char acquired[CLOCK_RFC3339_MAX], renewed[CLOCK_RFC3339_MAX];

	clock_format_micro(acquired, l->acquired_usec);
	clock_format_micro(renewed, clock_unix_usec());
	buf_printf(out,
		"{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{"
		"\"name\":\"%s\",\"namespace\":\"%s\"",
		l->name, l->namespace_);
	if (l->exists) {
		buf_puts(out, ",\"resourceVersion\":");
		buf_json_string(out, span_str(l->version));
	}
	buf_puts(out, "},\"spec\":{\"holderIdentity\":");
	buf_json_string(out, span_str(holder));
	return buf_printf(out,
		",\"leaseDurationSeconds\":%" PRId64 ",\"leaseTransitions\":%" PRId64
		",\"acquireTime\":\"%s\",\"renewTime\":\"%s\"}}",
		seconds, transitions, acquired, renewed);
}

/* Renews what is ours, takes what is free. */
static void write_lease(struct kube_lease *l)
{
	bool ours = l->exists && strcmp(l->holder, l->identity) == 0;
	int64_t floor = l->o.floor ? l->o.floor(l->o.ctx) : 1;
	/* A term lasts as long as its leader, unless somebody has seen a later one. */
	int64_t least = ours && l->leading ? floor - 1 : floor;
	int64_t transitions = l->transitions + !ours;
	_cleanup_buf_ struct buf body = BUF_INIT(LEASE_BODY_MAX);

	if (!l->exists)
		transitions = 0;
	if (transitions + 1 < least)
		transitions = floor - 1;
	if (!ours || !l->leading)
		l->acquired_usec = clock_unix_usec();
	if (write_body(&body, l, l->identity, transitions, l->o.duration_usec / USEC_PER_SEC) < 0) {
		failed(l, "the Lease", "out of memory");
		plan(l);
		return;
	}
	begin_call(l, l->exists ? "PUT" : "POST", l->exists ? l->path : l->collection,
		buf_view(&body), on_written);
}

static void step(struct kube_lease *l)
{
	int64_t now = clock_monotonic_usec();

	if (l->call || l->released)
		return;
	if (l->leading && now - l->renewed_usec >= l->o.deadline_usec)
		set_leading(l, false);
	if (!l->known) {
		begin_call(l, "GET", l->path, SPAN_NONE, on_read);
	} else if (!l->exists || !l->holder[0] || strcmp(l->holder, l->identity) == 0 ||
		   now - l->changed_usec >= l->duration_usec) {
		write_lease(l);
	} else {
		worked(l); /* it is another's, and needs no writing */
		plan(l);
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct kube_lease *l = ctx;

	(void)source;
	(void)usec;
	/* Who waits does not write before he has looked again. */
	l->known = l->known && l->leading;
	step(l);
	return 0;
}

static int set_options(struct kube_lease *l, const struct kube_lease_options *o, struct error *err)
{
	l->o = *o;
	if (!l->o.duration_usec)
		l->o.duration_usec = 10 * USEC_PER_SEC;
	if (!l->o.deadline_usec)
		l->o.deadline_usec = 7 * USEC_PER_SEC;
	if (!l->o.retry_usec)
		l->o.retry_usec = 2 * USEC_PER_SEC;
	l->duration_usec = l->o.duration_usec;
	if (l->o.duration_usec < USEC_PER_SEC || l->o.duration_usec <= l->o.deadline_usec ||
		l->o.deadline_usec <= l->o.retry_usec + l->o.retry_usec / 5 || l->o.retry_usec <= 0)
		return error_set(err, -EINVAL,
			"a Lease must last a second at least and longer than its deadline, and "
			"that longer than the time between two tries");
	if (strlen(o->namespace_) >= sizeof(l->namespace_) || strlen(o->name) >= sizeof(l->name) ||
		strlen(o->identity) >= sizeof(l->identity))
		return error_set(err, -EINVAL, "a name of the Lease is too long");
	snprintf(l->namespace_, sizeof(l->namespace_), "%s", o->namespace_);
	snprintf(l->name, sizeof(l->name), "%s", o->name);
	snprintf(l->identity, sizeof(l->identity), "%s", o->identity);
	snprintf(l->collection, sizeof(l->collection),
		"/apis/coordination.k8s.io/v1/namespaces/%s/leases", l->namespace_);
	snprintf(l->path, sizeof(l->path), "%s/%s", l->collection, l->name);
	return 0;
}

int kube_lease_new(struct kube_lease **ret_l, const struct kube_lease_options *o, struct error *err)
{
	_cleanup_(kube_lease_free_p) struct kube_lease *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return error_oom(err);
	r = set_options(l, o, err);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(kube_client_event(o->kube), &l->timer, CLOCK_MONOTONIC, 0,
		LEASE_ACCURACY_USEC, on_timer, l);
	if (r < 0)
		return error_set(err, r, "a timer for the Lease: %s", strerror(-r));
	*ret_l = TAKE_PTR(l);
	return 0;
}

void kube_lease_release(struct kube_lease *l)
{
	_cleanup_buf_ struct buf body = BUF_INIT(LEASE_BODY_MAX);
	struct kube_request req = {.method = "PUT", .path = l->path};
	bool ours = l->leading && l->known && l->exists && !l->call;

	l->released = true;
	sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	kube_cancel(TAKE_PTR(l->call));
	set_leading(l, false);
	if (!ours || write_body(&body, l, "", l->transitions, 1) < 0)
		return;
	req.body = buf_view(&body);
	(void)kube_call(l->o.kube, &req, on_written, l, &l->call, NULL);
}

void kube_lease_free(struct kube_lease *l)
{
	if (!l)
		return;
	kube_cancel(l->call);
	sd_event_source_disable_unref(l->timer);
	free(l);
}
