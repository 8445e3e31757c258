/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/injector.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/kube/watch.h"
#include "common/net/backoff.h"

enum {
	INJECTOR_OBJECT_MAX = 4 * 1024 * 1024, /* bytes of a configuration, or of the Secret */
	INJECTOR_PATH_MAX = 512,
	INJECTOR_VERSION_MAX = 64,
	/* So many patches at once, and then one in so many. A fight is not won by speed, but while
	 * it lasts each patch lets the API server reach us for a while. */
	INJECTOR_BURST = 10,
	INJECTOR_EVERY_USEC = 2 * USEC_PER_SEC,
	INJECTOR_SEEN_USEC = USEC_PER_SEC, /* for the watch to tell what a patch did */
};

static const struct json_limits limits = {INJECTOR_OBJECT_MAX, 1 << 17, 64};

struct injector {
	struct injector_options o;
	char path[INJECTOR_PATH_MAX];
	struct kube_watch *watch;
	struct kube_call *call;
	bool listed;     /* the object was in the list that is being handed over */
	struct buf text; /* the configuration as received; empty: there is none */
	struct json doc; /* over text */
	/* The version that was current before the Secret was read last; "": not read. */
	char asked[INJECTOR_VERSION_MAX];
	bool fresh;        /* that Secret is being handed over */
	int64_t wait_usec; /* not before, unless the configuration changes */
	int64_t full_usec; /* when the allowance of patches will be whole again (GCRA) */
	bool held;         /* it is used up, and that was logged */
	struct backoff backoff;
};

static struct json_val object(const struct injector *i)
{
	return i->text.len ? json_root(&i->doc) : (struct json_val){0};
}

static void copy_version(const struct injector *i, char out[INJECTOR_VERSION_MAX])
{
	struct span v = json_raw(json_find(object(i), "metadata", "resourceVersion"));

	snprintf(out, INJECTOR_VERSION_MAX, SPAN_FMT, SPAN_ARG(v));
}

/*
 * Watching
 */

static void forget(struct injector *i)
{
	json_free(&i->doc);
	buf_reset(&i->text);
}

static void on_list_begin(void *ctx)
{
	((struct injector *)ctx)->listed = false;
}

static void on_upsert(void *ctx, struct json_val v)
{
	struct injector *i = ctx;

	if (!json_str_is(json_find(v, "metadata", "name"), i->o.name))
		return;
	i->listed = true;
	forget(i);
	if (buf_span(&i->text, json_raw(v)) < 0 ||
		json_parse(&i->doc, buf_view(&i->text), &limits, NULL) < 0)
		forget(i);
	i->wait_usec = 0;
	i->o.changed(i->o.ctx);
}

static void on_removed(void *ctx, struct json_val v)
{
	struct injector *i = ctx;

	if (!json_str_is(json_find(v, "metadata", "name"), i->o.name))
		return;
	forget(i);
	i->o.changed(i->o.ctx);
}

static void on_synced(void *ctx)
{
	struct injector *i = ctx;

	if (!i->listed)
		forget(i);
	i->o.changed(i->o.ctx);
}

int injector_new(struct injector **ret_i, const struct injector_options *o, struct error *err)
{
	_cleanup_(injector_free_p) struct injector *i = calloc(1, sizeof(*i));
	static const char base[] = "/apis/admissionregistration.k8s.io/v1";
	char selector[INJECTOR_PATH_MAX], path[INJECTOR_PATH_MAX];
	struct kube_watch_options w = {.path = path,
		.field_selector = selector,
		.name = o->resource,
		.max_object = INJECTOR_OBJECT_MAX};
	const struct kube_watch_handler h = {
		.list_begin = on_list_begin,
		.upsert = on_upsert,
		.removed = on_removed,
		.synced = on_synced,
		.ctx = i,
	};
	int r;

	if (!i)
		return error_oom(err);
	i->o = *o;
	i->text = BUF_INIT(INJECTOR_OBJECT_MAX);
	i->backoff = (struct backoff){.first_usec = USEC_PER_SEC,
		.max_usec = 60 * USEC_PER_SEC,
		.quiet_usec = 120 * (int64_t)USEC_PER_SEC};
	snprintf(path, sizeof(path), "%s/%s", base, o->resource);
	snprintf(selector, sizeof(selector), "metadata.name=%s", o->name);
	snprintf(i->path, sizeof(i->path), "%s/%s/%s?fieldManager=casemate-webhook", base,
		o->resource, o->name);
	i->o.name = strdup(o->name);
	if (!i->o.name)
		return error_oom(err);
	r = kube_watch_new(&i->watch, o->kube, &w, &h, err);
	if (r < 0)
		return r;
	*ret_i = TAKE_PTR(i);
	return 0;
}

void injector_free(struct injector *i)
{
	if (!i)
		return;
	kube_watch_free(i->watch);
	kube_cancel(i->call);
	json_free(&i->doc);
	buf_free(&i->text);
	free((char *)i->o.name);
	free(i);
}

struct injector_view injector_view(struct injector *i, struct span wanted, const X509 *serving)
{
	return (struct injector_view){
		.known = kube_watch_synced(i->watch),
		.connected = kube_watch_connected(i->watch),
		.problem = kube_watch_problem(i->watch),
		.entries = cabundle_review(object(i), wanted, serving),
	};
}

/*
 * Patching
 */

static void count(struct injector *i, const char *result)
{
	metric_add(i->o.patches, 1, METRIC_VALUES(result));
}

static void failed(struct injector *i, const char *what, const char *why, int status)
{
	count(i, "failed");
	i->wait_usec = clock_monotonic_usec() +
		       backoff_delay(&i->backoff, clock_monotonic_usec(), backoff_chance());
	log_error(why, what, LOG_STR("configuration", i->o.name),
		LOG_STR("resource", i->o.resource), LOG_INT("status", status));
}

static void on_patched(void *ctx, const struct kube_result *res)
{
	struct injector *i = ctx;

	i->call = NULL;
	if (res->status == 200) {
		count(i, "patched");
		i->wait_usec = clock_monotonic_usec() + INJECTOR_SEEN_USEC;
	} else if (res->status == 404 || res->status == 409 || res->status == 422) {
		/* Gone, or another version by now: the watch will say. */
		count(i, "conflict");
		i->wait_usec = clock_monotonic_usec() + INJECTOR_SEEN_USEC;
	} else {
		failed(i, "Cannot set caBundle", res->message, res->status);
	}
	i->o.changed(i->o.ctx);
}

static void on_secret(void *ctx, const struct kube_result *res)
{
	struct injector *i = ctx;
	_cleanup_json_ struct json doc = {0};
	struct error err = {0};

	i->call = NULL;
	if (res->status == 404) {
		i->o.secret(i->o.ctx, (struct json_val){0});
	} else if (res->status != 200) {
		failed(i, "Cannot read the Secret before setting caBundle", res->message,
			res->status);
		i->o.changed(i->o.ctx);
	} else if (json_parse(&doc, res->body, &limits, &err) < 0) {
		failed(i, "Cannot read the Secret before setting caBundle", err.message,
			res->status);
		i->o.changed(i->o.ctx);
	} else {
		i->fresh = true;
		i->o.secret(i->o.ctx, json_root(&doc));
		i->fresh = false;
	}
}

static void call(struct injector *i, const struct kube_request *req, kube_done done)
{
	struct error err = {0};

	if (kube_call(i->o.kube, req, done, i, &i->call, &err) < 0) {
		i->call = NULL;
		failed(i, "Cannot set caBundle", err.message, 0);
	}
}

static void patch(struct injector *i, struct span wanted)
{
	_cleanup_buf_ struct buf body = BUF_INIT(CABUNDLE_PATCH_MAX);
	int n = cabundle_patch(object(i), wanted, &body);
	struct kube_request req = {.method = "PATCH",
		.path = i->path,
		.patch = KUBE_PATCH_JSON,
		.body = buf_view(&body),
		.max_response = INJECTOR_OBJECT_MAX};

	if (n < 0) {
		failed(i, "Cannot set caBundle", strerror(-n), 0);
		return;
	}
	log_info(1, "Setting caBundle", LOG_STR("configuration", i->o.name),
		LOG_STR("resource", i->o.resource), LOG_INT("entries", n));
	call(i, &req, on_patched);
}

/* When the allowance has a patch left. */
static int64_t allowed_at(struct injector *i, int64_t now_usec)
{
	int64_t at = i->full_usec - (int64_t)(INJECTOR_BURST - 1) * INJECTOR_EVERY_USEC;

	if (at > now_usec && !i->held)
		log_warn("Somebody keeps changing caBundle, holding back",
			LOG_STR("configuration", i->o.name), LOG_STR("resource", i->o.resource));
	i->held = at > now_usec;
	return at;
}

int64_t injector_step(struct injector *i, struct span wanted, int64_t now_usec)
{
	struct kube_request get = {
		.method = "GET", .path = i->o.secret_path, .max_response = INJECTOR_OBJECT_MAX};
	char version[INJECTOR_VERSION_MAX];
	int64_t at;

	if (i->call || cabundle_review(object(i), wanted, NULL).differing == 0)
		return INT64_MAX;
	at = allowed_at(i, now_usec);
	if (at < i->wait_usec)
		at = i->wait_usec;
	if (at > now_usec)
		return at;
	copy_version(i, version);
	if (i->fresh && strcmp(version, i->asked) == 0) {
		i->full_usec =
			(i->full_usec > now_usec ? i->full_usec : now_usec) + INJECTOR_EVERY_USEC;
		patch(i, wanted);
	} else {
		memcpy(i->asked, version, sizeof(version));
		call(i, &get, on_secret);
	}
	return i->call ? INT64_MAX : i->wait_usec;
}
