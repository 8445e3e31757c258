/* SPDX-License-Identifier: Apache-2.0
 *
 * Promised files of running containers are replaced when their key has a newer version and its
 * profile says rotation.onChange: File. The agent asks the broker for versions, which gives nothing
 * away; what is newer it fetches as before the start, with evidence, the pod's token and all of the
 * broker's checks. A refusal leaves the old file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/kbs/versions.h"
#include "common/net/backoff.h"
#include "nodeagent/keys/keys_private.h"

enum { POLL_USEC = 20 * 1000000, RETRY_USEC = 10 * 1000000 };

/* A key that is asked for, and whose file it is in. */
struct asked {
	char folder[KEY_FOLDER_NAME];
	char key[DELIVERY_NAME_MAX + 1];
};

struct key_refresh {
	struct keys *k;
	sd_event_source *timer;
	struct http_client *http;
	struct http_call *call;
	struct asked *asked; /* in the order of the request */
	size_t n;
	struct backoff again;
	struct metric *refreshes;
};

/* A file that is to be replaced. */
struct replacement {
	struct keys *k;
	char id[DEVICE_ID_MAX + 1];
};

/* --- when --- */

static void plan(struct key_refresh *r, int64_t delay)
{
	sd_event_source_set_time_relative(r->timer, (uint64_t)delay);
	sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

/* Agents that started together must not ask together. */
static void plan_next(struct key_refresh *r)
{
	backoff_restart(&r->again);
	plan(r, r->k->o.refresh_usec / 2 + backoff_chance() % r->k->o.refresh_usec);
}

static void plan_again(struct key_refresh *r)
{
	plan(r, backoff_delay(&r->again, clock_monotonic_usec(), backoff_chance()));
}

static void count(struct key_refresh *r, const struct key_refusal *why)
{
	metric_add(r->refreshes, 1,
		METRIC_VALUES(!why         ? "replaced"
			      : why->again ? "again"
					   : "refused",
			why ? key_reason_label(why->reason) : "Ok"));
}

/* Nothing was asked in a pod's name. */
static void tell_failed(struct key_refresh *r, const struct key_refusal *why)
{
	const struct keys_event e = {.namespace_ = "",
		.pod = "",
		.container = "",
		.files = true,
		.again = true,
		.why = why,
		.key = ""};

	count(r, why);
	if (r->k->o.ended)
		r->k->o.ended(r->k->o.ctx, &e);
	plan_again(r);
}

static void tell_error(struct key_refresh *r, const struct error *err)
{
	struct key_refusal why = {.again = true, .reason = "StoreUnavailable", .key = SIZE_MAX};

	snprintf(why.message, sizeof(why.message), "%s", err->message);
	tell_failed(r, &why);
}

/* --- replacing --- */

static int write_files(struct key_slot *slot, const struct secret *keys,
	const struct key_promise *what, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < what->keys.n; i++) {
		r = key_folders_put(&slot->k->folders, slot->folder, what->files[i],
			secret_view(&keys[i]), err);
		if (r == 0)
			key_held_replaced(slot->held, what->files[i], what->versions[i]);
	}
	if (r == 0)
		key_held_settle(slot->held);
	key_slot_note(slot);
	return r;
}

static void on_keys(void *ctx, const struct secret *keys, const struct key_promise *what,
	const struct key_refusal *why)
{
	struct replacement *p = ctx;
	struct key_refresh *r = p->k->refresh;
	struct key_slot *slot = key_slot_find(p->k, p->id);
	struct error err = {0};

	if (slot)
		slot->refreshing = false;
	if (why)
		count(r, why);
	else if (slot && slot->held && write_files(slot, keys, what, &err) < 0)
		tell_error(r, &err);
	else if (what->keys.n)
		count(r, NULL);
	if (why && why->again)
		plan_again(r);
	free(p);
}

static void replace(struct key_slot *slot)
{
	struct replacement *p = calloc(1, sizeof(*p));
	struct key_names wanted;
	const struct key_job_options o = {
		.files = true, .keys = &wanted, .done = on_keys, .ctx = p};
	struct key_job *job;

	if (!p)
		return;
	p->k = slot->k;
	snprintf(p->id, sizeof(p->id), "%s", slot->id);
	key_held_wanted(slot->held, &wanted);
	if (key_job_new(&job, slot, &o, NULL) < 0)
		free(p);
	else
		slot->refreshing = true;
}

/* --- asking --- */

static struct key_slot *slot_of(struct keys *k, const char *folder)
{
	struct key_slot *slot;

	TAILQ_FOREACH(slot, &k->slots, link)
	if (strcmp(slot->folder, folder) == 0)
		return slot;
	return NULL;
}

static void take(struct key_refresh *r, const unsigned *versions)
{
	struct key_slot *slot;

	for (size_t i = 0; i < r->n; i++) {
		slot = slot_of(r->k, r->asked[i].folder);
		if (!slot || !slot->held || !versions[i])
			continue;
		if (key_held_news(slot->held, r->asked[i].key, versions[i]) && !slot->refreshing)
			replace(slot);
		/* Others come first where not all could be asked for. */
		TAILQ_REMOVE(&r->k->slots, slot, link);
		TAILQ_INSERT_TAIL(&r->k->slots, slot, link);
	}
}

static void close_call(struct key_refresh *r)
{
	http_client_free(r->http);
	r->http = NULL;
	r->call = NULL;
}

static void on_answer(void *ctx, const struct http_result *res)
{
	struct key_refresh *r = ctx;
	unsigned versions[VERSIONS_MAX];
	struct key_refusal why;
	struct error err = {0};
	int n;

	r->call = NULL;
	if (res->code != 0) {
		error_set(&err, res->code, "the broker at %s: %s", r->k->url, res->error);
		tell_error(r, &err);
		return;
	}
	if (res->status != 200) {
		key_refusal_read(&why, res->status, res->body);
		tell_failed(r, &why);
		return;
	}
	n = versions_answer_read(versions, r->n, res->body, &err);
	if (n < 0) {
		error_prefix(&err, n, "the broker at %s", r->k->url);
		tell_error(r, &err);
		return;
	}
	plan_next(r);
	take(r, versions);
}

/* Each key of each slot; the keys of pods of one profile are asked for once each, which is simple.
 */
static int collect(struct key_refresh *r, struct buf *body)
{
	_cleanup_free_ struct key_id *ids = calloc(VERSIONS_MAX, sizeof(*ids));
	struct key_slot *slot;
	size_t n = 0;

	if (!ids)
		return -ENOMEM;
	TAILQ_FOREACH(slot, &r->k->slots, link)
	for (size_t i = 0; slot->held && i < slot->held->n && n < VERSIONS_MAX; i++) {
		const struct key_held_file *f = &slot->held->v[i];
		char text[sizeof(struct key_id)];

		snprintf(text, sizeof(text), "%s/%s", slot->held->namespace_, f->key);
		if (!f->version || key_id_parse(&ids[n], span_str(text), NULL, NULL) < 0)
			continue;
		strcpy(r->asked[n].folder, slot->folder);
		strcpy(r->asked[n++].key, f->key);
	}
	r->n = n;
	return versions_ask_write(body, ids, n);
}

static int ask(struct key_refresh *r, struct span body, struct error *err)
{
	_cleanup_secret_ struct secret token = {0};
	_cleanup_free_ char *url = NULL;
	struct http_call_options o = {
		.method = "POST",
		.content_type = "application/json",
		.body = body,
		.max_response = VERSIONS_ANSWER_MAX,
		.timeout_usec = POLL_USEC,
		.done = on_answer,
		.ctx = r,
	};
	int n = key_broker_open(
		&r->http, &token, r->k->o.event, r->k->ca_file, r->k->token_file, err);

	if (n < 0)
		return n;
	if (asprintf(&url, "%s%s", r->k->url, VERSIONS_PATH) < 0)
		return error_oom(err);
	o.url = url;
	o.bearer = token.p;
	return http_call(r->http, &o, &r->call, err);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	_cleanup_buf_ struct buf body = BUF_INIT(VERSIONS_REQUEST_MAX);
	struct key_refresh *r = ctx;
	struct error err = {0};
	int n;

	(void)source;
	(void)usec;
	close_call(r); /* the last one's: it has ended, or is not waited for any longer */
	n = collect(r, &body);
	if (n == 0 && r->n == 0) {
		plan_next(r);
		return 0;
	}
	if (n < 0)
		error_set(&err, n, "what to ask for cannot be written");
	else
		n = ask(r, buf_view(&body), &err);
	if (n < 0)
		tell_error(r, &err);
	return 0;
}

int key_refresh_new(struct keys *k, struct error *err)
{
	static const char *const labels[] = {"result", "reason", NULL};
	struct key_refresh *r;
	int n;

	if (!k->o.refresh_usec)
		return 0;
	r = k->refresh = calloc(1, sizeof(*r));
	if (r)
		r->asked = calloc(VERSIONS_MAX, sizeof(*r->asked));
	if (!r || !r->asked)
		return error_oom(err);
	r->k = k;
	r->again = (struct backoff){
		.first_usec = k->o.refresh_usec < RETRY_USEC ? k->o.refresh_usec : RETRY_USEC,
		.max_usec = k->o.refresh_usec};
	if (k->o.metrics)
		r->refreshes = metrics_counter(k->o.metrics, "casemate_agent_key_refreshes_total",
			"Promised files of running containers that had newer versions, by what "
			"became of them and why.",
			labels);
	n = sd_event_add_time_relative(k->o.event, &r->timer, CLOCK_MONOTONIC,
		backoff_chance() % (uint64_t)k->o.refresh_usec, 0, on_timer, r);
	return n < 0 ? error_set(err, n, "event loop: %s", strerror(-n)) : 0;
}

void key_refresh_free(struct key_refresh *r)
{
	if (!r)
		return;
	sd_event_source_disable_unref(r->timer);
	http_client_free(r->http);
	free(r->asked);
	free(r);
}
