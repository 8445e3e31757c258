/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/injector.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/kube/watch.h"
#include "common/net/backoff.h"

enum {
	INJECTOR_OBJECT_MAX = 4 * 1024 * 1024, /* bytes of a configuration */
	INJECTOR_PATH_MAX = 512,
	INJECTOR_VERSION_MAX = 64,
	/* So many patches at once, and then one in so many. A fight is not won by speed, but while
	 * it lasts each patch lets the API server reach us for a while. */
	INJECTOR_BURST = 10,
	INJECTOR_EVERY_USEC = 2 * USEC_PER_SEC,
	INJECTOR_SEEN_USEC = USEC_PER_SEC, /* for the watch to tell what a patch did */
};

static const struct json_limits limits = {INJECTOR_OBJECT_MAX, 1 << 17, 64};

/* A certificate that somebody else has put there. */
struct stranger {
	X509 *cert;
	int64_t until_usec; /* it may stay (monotonic) */
};

struct injector {
	struct injector_options o;
	char path[INJECTOR_PATH_MAX];
	struct kube_watch *watch;
	struct kube_call *call;
	bool listed;       /* the object was in the list that is being handed over */
	struct buf text;   /* the configuration as received; empty: there is none */
	struct json doc;   /* over text */
	int64_t wait_usec; /* not before, unless the configuration changes */
	int64_t full_usec; /* when the allowance of patches will be whole again (GCRA) */
	bool held;         /* it is used up, and that was logged */
	struct stranger strangers[BUNDLE_MAX];
	size_t n_strangers;
	struct bundle removed; /* strangers whose time was over */
	int64_t patched_usec;  /* when the patch on its way was made */
	struct backoff backoff;
};

static struct json_val object(const struct injector *i)
{
	return i->text.len ? json_root(&i->doc) : (struct json_val){0};
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

static void on_connection(void *ctx)
{
	struct injector *i = ctx;

	i->o.changed(i->o.ctx);
}

int injector_new(struct injector **ret_i, const struct injector_options *o, struct error *err)
{
	_cleanup_(injector_free_p) struct injector *i = calloc(1, sizeof(*i));
	static const char base[] = "/apis/admissionregistration.k8s.io/v1";
	char selector[INJECTOR_PATH_MAX], path[INJECTOR_PATH_MAX];
	struct kube_watch_options w = {
		.path = path, .field_selector = selector, .max_object = INJECTOR_OBJECT_MAX};
	const struct kube_watch_handler h = {
		.list_begin = on_list_begin,
		.upsert = on_upsert,
		.removed = on_removed,
		.synced = on_synced,
		.connection = on_connection,
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
	for (size_t j = 0; j < i->n_strangers; j++)
		X509_free(i->strangers[j].cert);
	bundle_free(&i->removed);
	json_free(&i->doc);
	buf_free(&i->text);
	free((char *)i->o.name);
	free(i);
}

struct injector_view injector_view(
	struct injector *i, const struct bundle *wanted, const struct bundle *needed)
{
	static const struct bundle none;
	const struct cabundle_rules rules = {wanted, &none};

	return (struct injector_view){
		.known = kube_watch_synced(i->watch),
		.connected = kube_watch_connected(i->watch),
		.problem = kube_watch_problem(i->watch),
		.entries = cabundle_review(object(i), &rules, needed),
	};
}

/*
 * Strangers
 */

/* Until when a certificate that was not here before may stay. One that was removed and is back is
 * needed: whoever put it there serves. */
static int64_t stays_until(const struct injector *i, const X509 *cert, int64_t now_usec)
{
	if (bundle_has(&i->removed, cert))
		return INT64_MAX;
	for (size_t j = 0; j < i->n_strangers; j++)
		if (X509_cmp(i->strangers[j].cert, cert) == 0)
			return i->strangers[j].until_usec;
	return now_usec + i->o.keep_usec;
}

static void remember_removed(struct injector *i, X509 *cert)
{
	if (i->removed.n == BUNDLE_MAX)
		bundle_remove(&i->removed, 0);
	(void)bundle_add(&i->removed, cert, false);
}

/* Looks who is there; those that may stay go to ret. Returns when the next one's time is over. */
static int64_t meet_strangers(struct injector *i, const struct bundle *wanted,
	const struct bundle *gone, int64_t now_usec, int64_t now_sec, struct bundle *ret)
{
	_cleanup_bundle_ struct bundle all = {0};
	struct stranger now[BUNDLE_MAX] = {0};
	int64_t next = INT64_MAX;
	size_t n = 0;

	cabundle_strangers(object(i), wanted, &all);
	bundle_drop_expired(&all, now_sec);
	for (size_t j = 0; j < all.n; j++) {
		int64_t until = stays_until(i, all.cert[j], now_usec);

		if (bundle_has(gone, all.cert[j]))
			continue;
		X509_up_ref(all.cert[j]);
		now[n++] = (struct stranger){all.cert[j], until};
		if (until <= now_usec)
			continue;
		(void)bundle_add(ret, all.cert[j], false);
		if (until < next)
			next = until;
	}
	for (size_t j = 0; j < i->n_strangers; j++)
		X509_free(i->strangers[j].cert);
	memcpy(i->strangers, now, n * sizeof(now[0]));
	i->n_strangers = n;
	return next;
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

/* The patch has taken out those whose time was over. */
static void part_with_strangers(struct injector *i)
{
	for (size_t j = 0; j < i->n_strangers; j++)
		if (i->strangers[j].until_usec <= i->patched_usec)
			remember_removed(i, i->strangers[j].cert);
}

static void on_patched(void *ctx, const struct kube_result *res)
{
	struct injector *i = ctx;

	i->call = NULL;
	if (res->status == 200) {
		count(i, "patched");
		part_with_strangers(i);
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

static void patch(struct injector *i, const struct cabundle_rules *rules, int64_t now_usec)
{
	_cleanup_buf_ struct buf body = BUF_INIT(CABUNDLE_PATCH_MAX);
	int n = cabundle_patch(object(i), rules, &body);
	struct kube_request req = {.method = "PATCH",
		.path = i->path,
		.patch = KUBE_PATCH_JSON,
		.body = buf_view(&body),
		.max_response = INJECTOR_OBJECT_MAX};
	struct error err = {0};

	if (n < 0) {
		failed(i, "Cannot set caBundle", strerror(-n), 0);
		return;
	}
	log_info(1, "Setting caBundle", LOG_STR("configuration", i->o.name),
		LOG_STR("resource", i->o.resource), LOG_INT("entries", n));
	i->patched_usec = now_usec;
	if (kube_call(i->o.kube, &req, on_patched, i, &i->call, &err) < 0) {
		i->call = NULL;
		failed(i, "Cannot set caBundle", err.message, 0);
	}
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

int64_t injector_step(struct injector *i, const struct bundle *wanted, const struct bundle *gone,
	int64_t now_usec, int64_t now_sec)
{
	_cleanup_bundle_ struct bundle kept = {0};
	const struct cabundle_rules rules = {wanted, &kept};
	int64_t at, next;

	if (i->call)
		return INT64_MAX;
	next = meet_strangers(i, wanted, gone, now_usec, now_sec, &kept);
	if (cabundle_review(object(i), &rules, wanted).differing == 0)
		return next;
	at = allowed_at(i, now_usec);
	if (at < i->wait_usec)
		at = i->wait_usec;
	if (at > now_usec)
		return at;
	i->full_usec = (i->full_usec > now_usec ? i->full_usec : now_usec) + INJECTOR_EVERY_USEC;
	patch(i, &rules, now_usec);
	return i->call ? INT64_MAX : i->wait_usec;
}
