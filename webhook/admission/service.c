/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/admission/service.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/base/clock.h"
#include "common/base/log.h"

/* What reviews are judged by. Replaced as a whole; a review keeps the one it began with. */
struct snapshot {
	atomic_uint refs;
	struct webhook_config *config;
	struct profile_set *profiles;
	struct verdicts verdicts;
	bool judged; /* verdicts are to be looked at */
};

/* Scratch memory waits here between reviews: as many as ever worked at once, at most
 * SPARES_MAX. */
enum { SPARES_MAX = 16 };

struct service {
	pthread_mutex_t lock;
	struct snapshot *snapshot;
	struct review_scratch *spares[SPARES_MAX];
	size_t n_spares;
	struct service_hooks hooks;
	struct metric *reviews, *duration, *in_flight, *patch_bytes;
};

struct pod_lookup {
	struct service *service;
	struct http_exchange *exchange;
	struct http_response *response;
	struct review_scratch *scratch;
	struct snapshot *snapshot;
	struct review_context context;
	struct review_outcome outcome;
	int64_t began_usec;
};

static const struct route {
	const char *path;
	enum review_webhook webhook;
	bool enabled;
} routes[] = {
	{"/mutate", REVIEW_MUTATE, false},
	{"/mutate/enabled", REVIEW_MUTATE, true},
	{"/validate", REVIEW_VALIDATE, false},
	{"/validate/enabled", REVIEW_VALIDATE, true},
};

static void snapshot_unref(struct snapshot *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	webhook_config_unref(s->config);
	profile_set_unref(s->profiles);
	free(s);
}

static struct snapshot *take_snapshot(struct service *s)
{
	struct snapshot *snap;

	pthread_mutex_lock(&s->lock);
	snap = s->snapshot;
	if (snap)
		atomic_fetch_add(&snap->refs, 1);
	pthread_mutex_unlock(&s->lock);
	return snap;
}

int service_set(struct service *s, struct webhook_config *config, struct profile_set *profiles,
	const struct verdicts *verdicts, struct error *err)
{
	struct snapshot *snap = calloc(1, sizeof(*snap)), *old;

	if (!snap)
		return error_oom(err);
	atomic_init(&snap->refs, 1);
	snap->config = webhook_config_ref(config);
	snap->profiles = profiles ? profile_set_ref(profiles) : NULL;
	snap->judged = verdicts != NULL;
	if (verdicts)
		snap->verdicts = *verdicts;
	pthread_mutex_lock(&s->lock);
	old = s->snapshot;
	s->snapshot = snap;
	pthread_mutex_unlock(&s->lock);
	snapshot_unref(old);
	return 0;
}

static struct review_scratch *take_scratch(struct service *s)
{
	struct review_scratch *scratch = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->n_spares)
		scratch = s->spares[--s->n_spares];
	pthread_mutex_unlock(&s->lock);
	if (!scratch) {
		scratch = malloc(sizeof(*scratch));
		if (scratch)
			review_scratch_init(scratch);
	}
	return scratch;
}

static void give_scratch(struct service *s, struct review_scratch *scratch)
{
	if (!scratch)
		return;
	review_scratch_reset(scratch);
	pthread_mutex_lock(&s->lock);
	if (s->n_spares < SPARES_MAX)
		s->spares[s->n_spares++] = TAKE_PTR(scratch);
	pthread_mutex_unlock(&s->lock);
	if (scratch)
		review_scratch_free(scratch);
	free(scratch);
}

int service_new(struct service **ret_s, struct metrics *metrics, const struct service_hooks *hooks,
	struct error *err)
{
	static const char *const labels[] = {"webhook", "operation", "verdict", "reason", NULL};
	static const char *const webhook[] = {"webhook", NULL};
	static const double seconds[] = {50e-6, 100e-6, 200e-6, 400e-6, 800e-6, 1.6e-3, 3.2e-3,
		6.4e-3, 12.8e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1};
	static const double bytes[] = {0, 128, 256, 512, 1024, 2048, 4096, 16384, 65536};
	struct service *s = calloc(1, sizeof(*s));

	if (!s)
		return error_oom(err);
	pthread_mutex_init(&s->lock, NULL);
	if (hooks)
		s->hooks = *hooks;
	if (metrics) {
		s->reviews = metrics_counter(metrics, "casemate_webhook_reviews_total",
			"Admission reviews by outcome.", labels);
		s->duration = metrics_histogram(metrics, "casemate_webhook_review_duration_seconds",
			"Time from a complete request to its answer.", webhook, seconds,
			ARRAY_SIZE(seconds));
		s->in_flight = metrics_gauge(metrics, "casemate_webhook_reviews_in_flight",
			"Reviews being judged.", NULL);
		s->patch_bytes = metrics_histogram(metrics, "casemate_webhook_patch_size_bytes",
			"Size of JSON Patches.", NULL, bytes, ARRAY_SIZE(bytes));
	}
	*ret_s = s;
	return 0;
}

void service_free(struct service *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_spares; i++) {
		review_scratch_free(s->spares[i]);
		free(s->spares[i]);
	}
	snapshot_unref(s->snapshot);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void service_count_shed(struct service *s, uint64_t n)
{
	if (n)
		metric_add(s->reviews, (double)n,
			METRIC_VALUES("unknown", "unknown", "shed", reason_name(REASON_Overloaded)));
}

/* A pod that a controller wants and cannot have is seen only in the controller's events. */
static void tell_owner(struct service *s, struct review_scratch *scratch,
	const struct review_outcome *o)
{
	struct json_val owners = json_find(o->object, "metadata", "ownerReferences");
	struct json_iter it;

	if (!s->hooks.refused || o->dry_run || o->operation != OP_CREATE ||
		!span_is(o->kind, "Pod") || o->subresource.len)
		return;
	json_each(it, owners) {
		struct arena *a = &scratch->arena;
		struct refusal r = {
			.namespace_ = arena_strdup(a, o->namespace_),
			.message = o->result.message,
			.owner.api_version =
				arena_strdup(a, json_str(json_get(it.value, "apiVersion"), a)),
			.owner.kind = arena_strdup(a, json_str(json_get(it.value, "kind"), a)),
			.owner.name = arena_strdup(a, json_str(json_get(it.value, "name"), a)),
			.owner.uid = arena_strdup(a, json_str(json_get(it.value, "uid"), a)),
		};

		if (json_type(json_get(it.value, "controller")) != JSON_TRUE)
			continue;
		if (r.namespace_ && r.owner.api_version && r.owner.kind && r.owner.name &&
			r.owner.uid)
			s->hooks.refused(s->hooks.ctx, &r);
		return;
	}
}

static void record(struct service *s, struct review_scratch *scratch, enum review_webhook webhook,
	const struct review_outcome *o, int64_t began_usec)
{
	const struct policy_result *res = &o->result;
	const char *name = review_webhook_name(webhook), *verdict = review_verdict_name(o);
	double seconds = (double)(clock_monotonic_usec() - began_usec) / USEC_PER_SEC;

	metric_add(s->reviews, 1,
		METRIC_VALUES(name, review_operation_name(o->operation), verdict,
			reason_name(res->reason)));
	metric_observe(s->duration, seconds, METRIC_VALUES(name));
	if (res->verdict == VERDICT_MUTATED)
		metric_observe(s->patch_bytes, (double)o->patch_bytes, NULL);
	if (res->verdict == VERDICT_REFUSED)
		log_info(2, "Refused", LOG_STR("webhook", name), LOG_SPAN("kind", o->kind),
			LOG_SPAN("namespace", o->namespace_), LOG_SPAN("name", o->name),
			LOG_SPAN("user", o->user), LOG_STR("reason", reason_name(res->reason)),
			LOG_STR("message", res->message));
	else if (log_enabled(4))
		log_info(4, "Reviewed", LOG_STR("webhook", name), LOG_SPAN("kind", o->kind),
			LOG_SPAN("namespace", o->namespace_), LOG_SPAN("name", o->name),
			LOG_STR("verdict", verdict), LOG_STR("reason", reason_name(res->reason)),
			LOG_SECS("seconds", seconds));
	if (res->verdict == VERDICT_REFUSED && o->status == 200)
		tell_owner(s, scratch, o);
}

static void respond_status(struct http_response *res, int status, const char *reason,
	const char *message)
{
	res->status = status;
	buf_printf(res->body,
		"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":\"%s\","
		"\"code\":%d,\"message\":",
		reason, status);
	buf_json_string(res->body, span_str(message));
	buf_puts(res->body, "}\n");
}

/* "/hint/WORDS" may follow a route: when the webhook cannot be reached, the API server's message
 * shows the URL and nothing else of ours, so that is where advice can be. */
static const struct route *find_route(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		struct span rest = span_after(span_str(path), routes[i].path);

		if (rest.p && (rest.len == 0 || span_starts(rest, "/hint/")))
			return &routes[i];
	}
	return NULL;
}

/* "application/json", with parameters or without; not "application/json-patch+json". */
static bool is_json(const char *type)
{
	struct span rest = span_after(span_str(type), "application/json");

	return rest.p && (rest.len == 0 || strchr("; \t", *rest.p));
}

/* Is it a POST of JSON to one of the paths? Otherwise the response says what is wrong. */
static const struct route *accept_request(struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	const struct route *route = find_route(req->path);
	const char *type = http_header(x, "Content-Type");

	if (!route) {
		respond_status(res, 404, "NotFound",
			"no such path; expected /mutate or /validate");
		return NULL;
	}
	if (strcmp(req->method, "POST") != 0) {
		res->allow = "POST";
		respond_status(res, 405, "MethodNotAllowed", "a review is sent with POST");
		return NULL;
	}
	if (!type || !is_json(type)) {
		respond_status(res, 415, "UnsupportedMediaType",
			"a review's Content-Type is application/json");
		return NULL;
	}
	return route;
}

/* Everything a review held is given back, whether it was answered at once or later. */
static void end_review(struct service *s, struct review_scratch *scratch, struct snapshot *snap)
{
	give_scratch(s, scratch);
	snapshot_unref(snap);
	metric_add(s->in_flight, -1, NULL);
}

static void finish_connect(struct pod_lookup *l, struct span pod, const char *problem)
{
	struct service *s = l->service;

	review_connect(l->scratch, &l->context, pod, problem, l->response->body, &l->outcome);
	l->response->status = l->outcome.status;
	record(s, l->scratch, l->context.webhook, &l->outcome, l->began_usec);
	end_review(s, l->scratch, l->snapshot);
	free(l);
}

void service_lookup_done(struct pod_lookup *l, struct span pod, const char *problem)
{
	struct http_exchange *x = l->exchange;

	finish_connect(l, pod, problem);
	http_finish(x);
}

/* exec and friends: the review carries no pod, so it is looked up before the review goes on. */
static enum http_verdict begin_connect(const struct pod_lookup *state)
{
	struct service *s = state->service;
	struct pod_lookup *l = malloc(sizeof(*l));
	const char *namespace_ = arena_strdup(&state->scratch->arena, state->outcome.namespace_);
	const char *name = arena_strdup(&state->scratch->arena, state->outcome.name);

	if (!l || !namespace_ || !name) {
		respond_status(state->response, 500, "InternalError", "out of memory");
		end_review(s, state->scratch, state->snapshot);
		free(l);
		return HTTP_DONE;
	}
	*l = *state;
	if (!s->hooks.lookup) {
		finish_connect(l, SPAN_NONE, "there is no API server to ask (--standalone)");
		return HTTP_DONE;
	}
	if (s->hooks.lookup(s->hooks.ctx, l, namespace_, name) < 0) {
		finish_connect(l, SPAN_NONE, "too many are being looked up; try again");
		return HTTP_DONE;
	}
	return HTTP_DEFERRED;
}

enum http_verdict service_handle(void *ctx, struct http_exchange *x,
	const struct http_request *req, struct http_response *res)
{
	struct service *s = ctx;
	const struct route *route = accept_request(x, req, res);
	struct pod_lookup state;

	if (!route)
		return HTTP_DONE;
	metric_add(s->in_flight, 1, NULL);
	state = (struct pod_lookup){
		.service = s,
		.exchange = x,
		.response = res,
		.scratch = take_scratch(s),
		.snapshot = take_snapshot(s),
		.began_usec = clock_monotonic_usec(),
	};
	if (!state.scratch || !state.snapshot) {
		respond_status(res, 503, "ServiceUnavailable", "not ready to judge yet; try again");
		res->retry_after = 1;
		end_review(s, state.scratch, state.snapshot);
		return HTTP_DONE;
	}
	state.context = (struct review_context){
		.config = &state.snapshot->config->policy,
		.profiles = state.snapshot->profiles,
		.verdicts = state.snapshot->judged ? &state.snapshot->verdicts : NULL,
		.now_sec = clock_unix_usec() / USEC_PER_SEC,
		.webhook = route->webhook,
		.limits = review_limits,
		.namespace_enabled = route->enabled,
	};
	state.context.limits.max_bytes = (size_t)state.snapshot->config->limits.body;
	state.context.limits.max_depth = (unsigned)state.snapshot->config->limits.depth;
	review(state.scratch, &state.context, req->body, res->body, &state.outcome);
	if (state.outcome.needs_pod)
		return begin_connect(&state);
	res->status = state.outcome.status;
	record(s, state.scratch, route->webhook, &state.outcome, state.began_usec);
	end_review(s, state.scratch, state.snapshot);
	return HTTP_DONE;
}
