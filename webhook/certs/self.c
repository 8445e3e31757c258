/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/self.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/kube/watch.h"
#include "common/net/backoff.h"
#include "webhook/certs/keeper.h"
#include "webhook/certs/store.h"

enum {
	SELF_OBJECT_MAX = 4 * 1024 * 1024, /* bytes of the Secret, managedFields and all */
	SELF_PATH_MAX = 512,
	SELF_NAME_MAX = 253,
	SELF_VERSION_MAX = 32,
	SELF_LOOK_USEC = 60 * USEC_PER_SEC, /* however far away the next thing is: clocks are set */
	/* Writes of the Secret: so many at once, then one in a twentieth of a certificate's life.
	 */
	SELF_BURST = 10,
	SELF_GRACE_MIN_SEC = 2,
	SELF_GRACE_MAX_SEC = 60,
};

static const struct json_limits limits = {SELF_OBJECT_MAX, 1 << 17, 64};

struct self {
	struct serving *serving;
	struct kube_client *kube;
	struct store_rules rules;
	char *name, *namespace_;
	void (*trusted)(void *ctx, const struct bundle *authorities);
	void *ctx;
	char collection[SELF_PATH_MAX], path[SELF_PATH_MAX]; /* of Secrets, of this one */
	struct kube_watch *watch;
	struct keeper *keeper;
	sd_event_source *timer;

	/* The Secret as last seen. */
	bool listed; /* it was in the list that is being handed over */
	bool exists;
	char version[SELF_VERSION_MAX]; /* resourceVersion; "" before the first */
	struct store have;              /* of which version; empty when it does not exist */

	struct store served; /* with which certificate; its leaf is empty before the first */

	struct kube_call *call;       /* writes or reads the Secret */
	unsigned writing;             /* what: enum store_change */
	int64_t wait_usec, full_usec; /* as in the injector, for writes */
	struct backoff backoff;
	uint32_t chance; /* ours among the replicas, so that not all act at once */
	bool stepping, again;
};

static void step(struct self *s);

static int64_t now_sec(void)
{
	return clock_unix_usec() / USEC_PER_SEC;
}

/*
 * Taking up what the Secret holds
 */

static uint64_t version_number(const char *version)
{
	return strtoull(version, NULL, 10);
}

static void serve(struct self *s)
{
	const struct bundle leaf = {.cert = {s->have.leaf.cert}, .n = 1};
	_cleanup_buf_ struct buf chain = BUF_INIT(BUNDLE_PEM_MAX);
	_cleanup_secret_ struct secret key = {0};
	struct error err = {0};
	int r;

	if (!s->have.leaf.cert ||
		(s->served.leaf.cert && X509_cmp(s->have.leaf.cert, s->served.leaf.cert) == 0))
		return;
	r = bundle_write(&leaf, &chain);
	if (r == 0)
		r = credential_write_key(&key, s->have.leaf.key, &err);
	if (r == 0)
		r = serving_use(s->serving, buf_view(&chain), secret_view(&key),
			credential_not_after(s->have.leaf.cert), now_sec(), &err);
	if (r < 0) {
		serving_count(s->serving, "refused");
		log_error(err.message, "Cannot serve with the certificate in the Secret",
			LOG_STR("secret", s->name));
		return;
	}
	store_free(&s->served);
	store_copy(&s->served, &s->have);
	log_info(1, "Serving with a new certificate", LOG_STR("secret", s->name),
		LOG_INT("notAfter", s->serving->not_after_sec));
}

/* What left the bundle is used by nobody any more (store.h). */
static void note_bundle(struct self *s, const struct bundle *before)
{
	_cleanup_bundle_ struct bundle gone = {0};

	if (s->have.spoilt) /* until it is repaired, what is in place is as good as anything */
		return;
	for (size_t i = 0; i < before->n; i++)
		if (!bundle_has(&s->have.bundle, before->cert[i]))
			(void)bundle_add(&gone, before->cert[i], false);
	keeper_give_up(s->keeper, &gone);
	keeper_want(s->keeper, &s->have.bundle);
	if (s->trusted)
		s->trusted(s->ctx, &s->have.bundle);
}

static void take(struct self *s, struct json_val secret)
{
	_cleanup_bundle_ struct bundle before = {0};
	struct arena none = ARENA_INIT(0);
	struct span v = json_str(json_find(secret, "metadata", "resourceVersion"), &none);
	char version[SELF_VERSION_MAX];
	struct error err = {0};
	int r;

	snprintf(version, sizeof(version), SPAN_FMT, SPAN_ARG(v));
	/* The watch may lag behind what we wrote or read. */
	if (s->exists && version_number(version) <= version_number(s->version))
		return;
	bundle_copy(&before, &s->have.bundle);
	store_free(&s->have);
	r = store_read(&s->have, secret, &s->rules, now_sec(), &err);
	if (r == -ENOMEM) {
		store_free(&s->have);
		log_error(err.message, "Cannot read the Secret", LOG_STR("secret", s->name));
		return;
	}
	if (r < 0) {
		serving_count(s->serving, "refused");
		log_error(err.message, "The Secret of the certificates is spoilt, repairing it",
			LOG_STR("secret", s->name), LOG_STR("resourceVersion", version));
	}
	s->exists = true;
	memcpy(s->version, version, sizeof(version));
	note_bundle(s, &before);
	if (s->have.ca.cert)
		serving_expiry(s->serving, "ca", credential_not_after(s->have.ca.cert));
	serve(s);
}

static void take_absence(struct self *s)
{
	if (s->exists)
		log_warn("The Secret of the certificates is gone", LOG_STR("secret", s->name));
	s->exists = false;
	store_free(&s->have);
}

/* Missing when there is none. */
static void on_secret(void *ctx, struct json_val secret)
{
	if (json_exists(secret))
		take(ctx, secret);
	else
		take_absence(ctx);
	step(ctx);
}

static void on_list_begin(void *ctx)
{
	((struct self *)ctx)->listed = false;
}

static void on_upsert(void *ctx, struct json_val secret)
{
	struct self *s = ctx;

	if (!json_str_is(json_find(secret, "metadata", "name"), s->name))
		return;
	s->listed = true;
	take(s, secret);
	step(s);
}

static void on_removed(void *ctx, struct json_val secret)
{
	struct arena none = ARENA_INIT(0);
	struct self *s = ctx;
	struct span v = json_str(json_find(secret, "metadata", "resourceVersion"), &none);
	char version[SELF_VERSION_MAX];

	snprintf(version, sizeof(version), SPAN_FMT, SPAN_ARG(v));
	if (!json_str_is(json_find(secret, "metadata", "name"), s->name) ||
		version_number(version) < version_number(s->version))
		return;
	take_absence(s);
	step(s);
}

static void on_synced(void *ctx)
{
	struct self *s = ctx;

	if (!s->listed)
		take_absence(s);
	step(s);
}

static void on_changed(void *ctx)
{
	step(ctx);
}

/*
 * Writing
 */

static void on_read(void *ctx, const struct kube_result *res)
{
	struct self *s = ctx;
	_cleanup_json_ struct json doc = {0};
	struct error err = {0};

	s->call = NULL;
	if (res->status == 404) {
		on_secret(s, (struct json_val){0});
		return;
	}
	if (res->status == 200 && json_parse(&doc, res->body, &limits, &err) == 0) {
		on_secret(s, json_root(&doc));
		return;
	}
	s->wait_usec = clock_monotonic_usec() +
		       backoff_delay(&s->backoff, clock_monotonic_usec(), backoff_chance());
	log_error(res->message[0] ? res->message : err.message, "Cannot read the Secret",
		LOG_STR("secret", s->name), LOG_INT("status", res->status));
	step(s);
}

static void call(struct self *s, const struct kube_request *req, kube_done done)
{
	struct error err = {0};

	if (kube_call(s->kube, req, done, s, &s->call, &err) == 0)
		return;
	s->call = NULL;
	s->wait_usec = clock_monotonic_usec() +
		       backoff_delay(&s->backoff, clock_monotonic_usec(), backoff_chance());
	log_error(err.message, "Cannot ask for the Secret", LOG_STR("secret", s->name));
}

static void on_written(void *ctx, const struct kube_result *res)
{
	static const struct kube_request get = {.method = "GET", .max_response = SELF_OBJECT_MAX};
	struct self *s = ctx;
	struct kube_request req = get;
	_cleanup_json_ struct json doc = {0};

	s->call = NULL;
	req.path = s->path;
	if (res->status == 200 || res->status == 201) {
		serving_count(s->serving, s->writing & STORE_RESTORED ? "repaired" : "renewed");
		if (json_parse(&doc, res->body, &limits, NULL) == 0)
			take(s, json_root(&doc));
	} else if (res->status == 409 || res->status == 404) {
		/* Another replica, or a person, was first. */
		serving_count(s->serving, "conflict");
		call(s, &req, on_read);
	} else {
		serving_count(s->serving, "failed");
		s->wait_usec = clock_monotonic_usec() +
			       backoff_delay(&s->backoff, clock_monotonic_usec(), backoff_chance());
		log_error(res->message, "Cannot write the Secret of the certificates",
			LOG_STR("secret", s->name), LOG_INT("status", res->status));
	}
	step(s);
}

static void write_secret(struct self *s, const struct store *next, unsigned changes)
{
	_cleanup_secret_ struct secret body = {0};
	struct kube_request req = {.method = s->exists ? "PATCH" : "POST",
		.path = s->exists ? s->path : s->collection,
		.patch = KUBE_PATCH_MERGE,
		.max_response = SELF_OBJECT_MAX};
	struct error err = {0};
	int r = store_body(
		&body, next, s->namespace_, s->name, s->exists ? s->version : NULL, &err);

	if (r < 0) {
		s->wait_usec = clock_monotonic_usec() + USEC_PER_SEC;
		log_error(err.message, "Cannot make certificates");
		return;
	}
	log_info(1, "Writing the Secret of the certificates", LOG_STR("secret", s->name),
		LOG_BOOL("create", !s->exists), LOG_BOOL("newAuthority", changes & STORE_NEW_CA),
		LOG_BOOL("newCertificate", changes & STORE_NEW_LEAF),
		LOG_BOOL("repaired", changes & STORE_RESTORED),
		LOG_INT("authorities", (int64_t)next->bundle.n));
	req.body = secret_view(&body);
	s->writing = changes;
	call(s, &req, on_written);
}

/* When another write is allowed. */
static int64_t write_at(const struct self *s)
{
	int64_t every = s->rules.leaf_lifetime_sec * USEC_PER_SEC / 20;
	int64_t at = s->full_usec - (SELF_BURST - 1) * every;

	return at > s->wait_usec ? at : s->wait_usec;
}

static void took_write(struct self *s, int64_t mono)
{
	s->full_usec = (s->full_usec > mono ? s->full_usec : mono) +
		       s->rules.leaf_lifetime_sec * USEC_PER_SEC / 20;
}

/*
 * What is due
 */

static int64_t grace_usec(const struct self *s)
{
	return s->rules.grace_sec * USEC_PER_SEC + s->chance % (USEC_PER_SEC / 4);
}

/* Decides on the Secret; returns when to look again (monotonic). */
static int64_t step_secret(struct self *s, int64_t mono)
{
	int64_t now_usec = clock_unix_usec(), again_sec, at = write_at(s);
	_cleanup_store_ struct store next = {0};
	struct error err = {0};
	int64_t since = keeper_since(s->keeper);
	/* What is kept in place is what the Secret holds, unless that is spoilt. */
	bool trusted =
		s->have.bundle.n > 0 && !s->have.spoilt && since && mono - since >= grace_usec(s);
	unsigned changes;
	int r;

	if (!kube_watch_synced(s->watch) || s->call)
		return INT64_MAX;
	store_copy(&next, &s->have);
	r = store_advance(&next, s->served.leaf.cert ? &s->served : NULL, trusted, &s->rules,
		now_usec / USEC_PER_SEC, &changes, &again_sec, &err);
	if (r < 0) {
		log_error(err.message, "Cannot make certificates");
		return mono + USEC_PER_SEC;
	}
	if (changes == 0 && s->exists)
		return again_sec > now_usec / USEC_PER_SEC + SELF_LOOK_USEC / USEC_PER_SEC
			       ? INT64_MAX
			       : mono + again_sec * USEC_PER_SEC - now_usec +
					 s->chance % (USEC_PER_SEC / 2);
	if (at > mono)
		return at;
	took_write(s, mono);
	write_secret(s, &next, changes);
	return s->call ? INT64_MAX : s->wait_usec;
}

static void earlier(int64_t *t, int64_t at)
{
	if (at < *t)
		*t = at;
}

static int64_t step_once(struct self *s)
{
	int64_t mono = clock_monotonic_usec(), wake = mono + SELF_LOOK_USEC, since;
	_cleanup_bundle_ struct bundle needed = {0};
	X509 *issuer = store_issuer(&s->served);

	earlier(&wake, keeper_step(s->keeper, mono, now_sec()));
	earlier(&wake, step_secret(s, mono));
	since = keeper_since(s->keeper);
	/* For its own sake: what waits for the grace period. */
	if (since && since + grace_usec(s) > mono)
		earlier(&wake, since + grace_usec(s));
	serving_check(s->serving, now_sec(), kube_watch_problem(s->watch));
	if (issuer)
		(void)bundle_add(&needed, issuer, false);
	earlier(&wake, keeper_check(s->keeper, &needed, mono));
	return wake > mono ? wake - mono : 0;
}

static void step(struct self *s)
{
	int64_t left;

	/* What a step sets off may call for another. */
	s->again = true;
	if (s->stepping)
		return;
	s->stepping = true;
	do {
		s->again = false;
		left = step_once(s);
	} while (s->again);
	s->stepping = false;
	sd_event_source_set_time_relative(s->timer, (uint64_t)left);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	step(ctx);
	return 0;
}

/*
 * Beginning and end
 */

static int check_name(const char *name, const char *what, struct error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
	size_t n = name ? strlen(name) : 0;

	if (n == 0 || n > SELF_NAME_MAX || strspn(name, allowed) != n || name[0] == '.')
		return error_set(err, -EINVAL,
			"the name of the %s: '%s' is not one that Kubernetes has", what,
			name ? name : "");
	return 0;
}

static int check_options(const struct certs_options *o, struct error *err)
{
	int r = check_name(o->secret_name, "Secret of the certificates", err);

	if (r == 0)
		r = check_name(o->namespace_, "namespace of the Secret", err);
	if (r == 0 && o->mutating_configuration && o->mutating_configuration[0])
		r = check_name(o->mutating_configuration, "MutatingWebhookConfiguration", err);
	if (r == 0 && o->validating_configuration && o->validating_configuration[0])
		r = check_name(o->validating_configuration, "ValidatingWebhookConfiguration", err);
	if (r == 0 && (o->leaf_lifetime_usec < CERTS_LIFETIME_MIN_USEC ||
			      o->ca_lifetime_usec < 2 * o->leaf_lifetime_usec))
		r = error_set(err, -EINVAL,
			"a certificate must live at least %d s, and its authority twice as long",
			CERTS_LIFETIME_MIN_USEC / USEC_PER_SEC);
	return r;
}

static int set_rules(struct store_rules *rules, const struct certs_options *o, struct error *err)
{
	int64_t grace = o->leaf_lifetime_usec / USEC_PER_SEC / 20;

	rules->ca_lifetime_sec = o->ca_lifetime_usec / USEC_PER_SEC;
	rules->leaf_lifetime_sec = o->leaf_lifetime_usec / USEC_PER_SEC;
	rules->grace_sec = grace < SELF_GRACE_MIN_SEC   ? SELF_GRACE_MIN_SEC
			   : grace > SELF_GRACE_MAX_SEC ? SELF_GRACE_MAX_SEC
							: grace;
	if (rules->grace_sec < o->spread_usec / USEC_PER_SEC)
		rules->grace_sec = o->spread_usec / USEC_PER_SEC;
	return authority_names(&rules->names, o->service_name, o->service_namespace, err);
}

static int begin(struct self *s, sd_event *event, const struct certs_options *o, struct error *err)
{
	const struct kube_watch_handler h = {
		.list_begin = on_list_begin,
		.upsert = on_upsert,
		.removed = on_removed,
		.synced = on_synced,
		.ctx = s,
	};
	char selector[SELF_PATH_MAX];
	struct kube_watch_options w = {
		.path = s->collection, .field_selector = selector, .max_object = SELF_OBJECT_MAX};
	int r;

	s->name = strdup(o->secret_name);
	s->namespace_ = strdup(o->namespace_);
	if (!s->name || !s->namespace_)
		return error_oom(err);
	snprintf(s->collection, sizeof(s->collection), "/api/v1/namespaces/%s/secrets",
		o->namespace_);
	snprintf(s->path, sizeof(s->path), "/api/v1/namespaces/%s/secrets/%s", o->namespace_,
		o->secret_name);
	snprintf(selector, sizeof(selector), "metadata.name=%s", o->secret_name);
	r = sd_event_add_time_relative(
		event, &s->timer, CLOCK_MONOTONIC, SELF_LOOK_USEC, 0, on_timer, s);
	if (r < 0)
		return error_set(err, r, "a timer for the certificates");
	r = keeper_new(&s->keeper, s->kube, o, s->serving, on_changed, s, err);
	return r < 0 ? r : kube_watch_new(&s->watch, s->kube, &w, &h, err);
}

int self_new(struct self **ret_s, sd_event *event, struct kube_client *kube,
	const struct certs_options *o, struct serving *serving, struct error *err)
{
	_cleanup_(self_free_p) struct self *s = calloc(1, sizeof(*s));
	int r = check_options(o, err);

	if (r < 0)
		return r;
	if (!s)
		return error_oom(err);
	s->serving = serving;
	s->kube = kube;
	s->trusted = o->trusted;
	s->ctx = o->ctx;
	s->chance = backoff_chance();
	s->backoff = (struct backoff){.first_usec = USEC_PER_SEC,
		.max_usec = 60 * USEC_PER_SEC,
		.quiet_usec = 120 * (int64_t)USEC_PER_SEC};
	r = set_rules(&s->rules, o, err);
	if (r == 0)
		r = begin(s, event, o, err);
	if (r < 0)
		return r;
	*ret_s = TAKE_PTR(s);
	return 0;
}

void self_free(struct self *s)
{
	if (!s)
		return;
	keeper_free(s->keeper);
	kube_watch_free(s->watch);
	kube_cancel(s->call);
	sd_event_source_disable_unref(s->timer);
	store_free(&s->have);
	store_free(&s->served);
	free(s->name);
	free(s->namespace_);
	free(s);
}
