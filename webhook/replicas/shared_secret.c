/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/replicas/shared_secret.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/kube/watch.h"
#include "common/net/backoff.h"
#include "common/net/scrub.h"

enum {
	OBJECT_MAX = 1024 * 1024,
	NAME_MAX_BYTES = 254,
	LOOK_USEC = 60 * USEC_PER_SEC,
};

static const struct json_limits limits = {OBJECT_MAX, 8192, 64};

struct shared_secret {
	struct shared_secret_options o;
	char namespace_[64], name[NAME_MAX_BYTES];
	char collection[400], path[700];
	struct kube_watch *watch;
	sd_event_source *timer;
	struct kube_call *call;
	struct scrub text; /* the Secret as last seen; empty: there is none */
	bool listed;       /* it was in the list that is being handed over */
	struct backoff backoff;
};

static void step(struct shared_secret *s);

static void plan(struct shared_secret *s, int64_t delay)
{
	sd_event_source_set_time_relative(s->timer, (uint64_t)delay);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void plan_retry(struct shared_secret *s)
{
	plan(s, backoff_delay(&s->backoff, clock_monotonic_usec(), backoff_chance()));
}

static void on_written(void *ctx, const struct kube_result *res)
{
	struct shared_secret *s = ctx;

	s->call = NULL;
	/* The watch brings what is stored, ours or another replica's. */
	if (res->status != 200 && res->status != 201 && res->status != 409 && res->status != 404)
		log_error(res->message, "Cannot write a Secret", LOG_STR("secret", s->name),
			LOG_INT("status", res->status));
	plan_retry(s);
}

static int write_body(
	struct secret *body, const struct shared_secret *s, struct span data, struct span version)
{
	char head[1024];

	if (secret_init(body, sizeof(head) + data.len + version.len) < 0)
		return -ENOMEM;
	if (version.len)
		snprintf(head, sizeof(head),
			"{\"metadata\":{\"resourceVersion\":" SPAN_FMT "},\"data\":",
			SPAN_ARG(version));
	else
		snprintf(head, sizeof(head),
			"{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"Opaque\","
			"\"metadata\":{"
			"\"name\":\"%s\",\"namespace\":\"%s\",\"labels\":{"
			"\"app.kubernetes.io/part-of\":\"casemate\"}},\"data\":",
			s->name, s->namespace_);
	secret_add(body, span_str(head));
	secret_add(body, data);
	return secret_add(body, SPAN_LIT("}"));
}

static void write_secret(struct shared_secret *s, struct json_val secret, struct span data)
{
	struct span version = json_raw(json_find(secret, "metadata", "resourceVersion"));
	_cleanup_secret_ struct secret body = {0};
	struct error err = {0};
	struct kube_request req = {.method = version.len ? "PATCH" : "POST",
		.path = version.len ? s->path : s->collection,
		.patch = KUBE_PATCH_MERGE,
		.max_response = OBJECT_MAX};
	int r = write_body(&body, s, data, version);

	req.body = secret_view(&body);
	if (r == 0)
		r = kube_call(s->o.kube, &req, on_written, s, &s->call, &err);
	if (r == 0) {
		log_info(1, "Writing a Secret", LOG_STR("secret", s->name),
			LOG_BOOL("create", !version.len));
		return;
	}
	s->call = NULL;
	log_error(err.message, "Cannot write a Secret", LOG_STR("secret", s->name));
	plan_retry(s);
}

static void step(struct shared_secret *s)
{
	_cleanup_secret_ struct secret data = {0};
	_cleanup_json_ struct json doc = {0};
	struct error err = {0};
	int r = 0;

	if (!kube_watch_synced(s->watch) || s->call)
		return;
	if (s->text.len)
		r = json_parse(&doc, scrub_view(&s->text), &limits, &err);
	if (r == 0)
		r = s->o.step(s->o.ctx, s->text.len ? json_root(&doc) : (struct json_val){0},
			clock_unix_usec() / USEC_PER_SEC, &data, &err);
	if (r < 0)
		log_error(err.message, "Cannot use a Secret", LOG_STR("secret", s->name));
	if (r > 0)
		write_secret(s, s->text.len ? json_root(&doc) : (struct json_val){0},
			secret_view(&data));
	else
		plan(s, LOOK_USEC);
}

static bool is_ours(const struct shared_secret *s, struct json_val secret)
{
	return json_str_is(json_find(secret, "metadata", "name"), s->name);
}

static void on_list_begin(void *ctx)
{
	((struct shared_secret *)ctx)->listed = false;
}

static void on_upsert(void *ctx, struct json_val secret)
{
	struct shared_secret *s = ctx;

	if (!is_ours(s, secret))
		return;
	s->listed = true;
	scrub_reset(&s->text);
	if (scrub_add(&s->text, json_raw(secret)) < 0)
		log_error("out of memory, or too large", "Cannot keep a Secret",
			LOG_STR("secret", s->name));
	step(s);
}

static void on_removed(void *ctx, struct json_val secret)
{
	struct shared_secret *s = ctx;

	if (!is_ours(s, secret))
		return;
	scrub_reset(&s->text);
	step(s);
}

static void on_synced(void *ctx)
{
	struct shared_secret *s = ctx;

	if (!s->listed)
		scrub_reset(&s->text);
	step(s);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	step(ctx);
	return 0;
}

static int begin(struct shared_secret *s, struct error *err)
{
	const struct kube_watch_handler h = {
		.list_begin = on_list_begin,
		.upsert = on_upsert,
		.removed = on_removed,
		.synced = on_synced,
		.ctx = s,
	};
	char selector[NAME_MAX_BYTES + 16];
	const struct kube_watch_options w = {
		.path = s->collection, .field_selector = selector, .max_object = OBJECT_MAX};
	int r = sd_event_add_time_relative(kube_client_event(s->o.kube), &s->timer, CLOCK_MONOTONIC,
		LOOK_USEC, 0, on_timer, s);

	if (r < 0)
		return error_set(err, r, "a timer for a Secret: %s", strerror(-r));
	snprintf(selector, sizeof(selector), "metadata.name=%s", s->name);
	return kube_watch_new(&s->watch, s->o.kube, &w, &h, err);
}

int shared_secret_new(
	struct shared_secret **ret_s, const struct shared_secret_options *o, struct error *err)
{
	_cleanup_(shared_secret_free_p) struct shared_secret *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_oom(err);
	s->o = *o;
	s->text.max = OBJECT_MAX;
	s->backoff = (struct backoff){.first_usec = USEC_PER_SEC / 2,
		.max_usec = 60 * USEC_PER_SEC,
		.quiet_usec = 120 * (int64_t)USEC_PER_SEC};
	if (strlen(o->namespace_) >= sizeof(s->namespace_) || strlen(o->name) >= sizeof(s->name))
		return error_set(err, -EINVAL, "the name of a Secret is too long");
	snprintf(s->namespace_, sizeof(s->namespace_), "%s", o->namespace_);
	snprintf(s->name, sizeof(s->name), "%s", o->name);
	snprintf(s->collection, sizeof(s->collection), "/api/v1/namespaces/%s/secrets",
		s->namespace_);
	snprintf(s->path, sizeof(s->path), "%s/%s", s->collection, s->name);
	r = begin(s, err);
	if (r < 0)
		return r;
	*ret_s = TAKE_PTR(s);
	return 0;
}

void shared_secret_look(struct shared_secret *s)
{
	if (!s->call) /* its end looks, too */
		plan(s, 0);
}

const char *shared_secret_problem(const struct shared_secret *s)
{
	return kube_watch_problem(s->watch);
}

void shared_secret_free(struct shared_secret *s)
{
	if (!s)
		return;
	kube_cancel(s->call);
	kube_watch_free(s->watch);
	sd_event_source_disable_unref(s->timer);
	scrub_free(&s->text);
	free(s);
}
