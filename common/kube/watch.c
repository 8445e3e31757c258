/* SPDX-License-Identifier: Apache-2.0
 *
 * One call is under way, or the timer runs. w->listing says what comes next: a list (its first page
 * or, with a continue token, a further one) or a watch from w->version. */
#include "common/kube/watch.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/net/backoff.h"
#include "common/net/scrub.h"

enum {
	WATCH_PAGE_OBJECTS = 500,
	WATCH_OBJECT_MAX = 16 * 1024 * 1024,
	WATCH_NODES_MAX = 4 * 1024 * 1024, /* of JSON, in one event or page */
	WATCH_DEPTH_MAX = 256,
	WATCH_URL_MAX = 64 * 1024,
	WATCH_VERSION_MAX = 1024,
	WATCH_CONTINUE_MAX = 16 * 1024,
	WATCH_LIST_USEC = 60 * USEC_PER_SEC,
	WATCH_MIN_SEC = 300, /* how long the API server lets one watch live: this to twice this */
	WATCH_GRACE_SEC = 30,
	WATCH_BACKOFF_USEC = 800 * USEC_PER_MSEC,
	WATCH_BACKOFF_MAX_USEC = 30 * USEC_PER_SEC,
	/* Times the first delay, as often as a kubelet renews its lease: what happens to a Node
	 * right after an outage is not to wait for what made the outage's delays grow. */
	WATCH_AWAY_TIMES = 8,
	WATCH_QUIET_USEC = 120 * USEC_PER_SEC,
	WATCH_SHORT_USEC = USEC_PER_SEC, /* a watch that ends sooner and brought nothing failed */
	WATCH_TIMER_ACCURACY_USEC = 10 * USEC_PER_MSEC,
};

struct kube_watch {
	struct kube_client *client;
	struct kube_watch_handler handler;
	char *path, *selectors; /* "&labelSelector=…", escaped */
	size_t max_object;
	struct kube_call *call;
	sd_event_source *timer;
	struct backoff backoff;   /* of what the API server answers */
	struct backoff away_wait; /* while it does not */
	char *version;            /* resourceVersion to watch from; opaque */
	char *next;               /* continue token of the list, NULL: from the start */
	unsigned limit;    /* objects of a page; shrinks when they do not fit in max_object */
	struct scrub line; /* the event that is not complete yet */
	struct json json;
	int64_t opened_usec;
	unsigned events; /* of this watch */
	unsigned busy;
	bool cached; /* lists may be */
	bool listing, synced, connected;
	bool relist; /* this watch is of no use any more */
	bool away;   /* the last request was not answered, or not to its end */
	bool dead;   /* freed while busy */
	char problem[320];
};

static void watch_step(struct kube_watch *w);

static void watch_destroy(struct kube_watch *w)
{
	sd_event_source_disable_unref(w->timer);
	scrub_free(&w->line);
	json_free(&w->json);
	free(w->path);
	free(w->selectors);
	free(w->version);
	free(w->next);
	free(w);
}

static void watch_enter(struct kube_watch *w)
{
	w->busy++;
}

static void watch_leave(struct kube_watch *w)
{
	if (--w->busy == 0 && w->dead)
		watch_destroy(w);
}

static int watch_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct kube_watch *w = userdata;

	(void)source;
	(void)usec;
	watch_enter(w);
	watch_step(w);
	watch_leave(w);
	return 0;
}

static void watch_describe(struct kube_watch *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void watch_describe(struct kube_watch *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->problem, sizeof(w->problem), fmt, ap);
	va_end(ap);
}

/* Goes on after a while; w->problem says why not at once. */
static void watch_later(struct kube_watch *w, bool relist)
{
	struct backoff *wait = w->away ? &w->away_wait : &w->backoff;
	int64_t delay = backoff_delay(wait, clock_monotonic_usec(), backoff_chance());

	if (relist) {
		w->listing = true;
		free(TAKE_PTR(w->next));
	}
	sd_event_source_set_time_relative(w->timer, (uint64_t)delay);
	sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

static int watch_parse(struct kube_watch *w, struct span text, struct error *err)
{
	const struct json_limits limits = {.max_bytes = w->max_object,
		.max_nodes = WATCH_NODES_MAX,
		.max_depth = WATCH_DEPTH_MAX};

	return json_parse(&w->json, text, &limits, err);
}

/* Copies the string at v; false when it is none, empty, or absurdly long. */
static bool take_string(struct json_val v, size_t max, char **ret)
{
	struct arena arena = ARENA_INIT(2 * max);
	struct span text = json_str(v, &arena);
	char *copy = text.len && text.len <= max ? strndup(text.p, text.len) : NULL;

	arena_free(&arena);
	if (!copy)
		return false;
	free(*ret);
	*ret = copy;
	return true;
}

static bool watch_take_version(struct kube_watch *w, struct json_val object)
{
	return take_string(
		json_find(object, "metadata", "resourceVersion"), WATCH_VERSION_MAX, &w->version);
}

/* Hands the page over. 1: there are more; 0: that was the last; -EBADMSG with w->problem; or the
 * watch is dead. */
static int watch_take_page(struct kube_watch *w, struct span body)
{
	struct json_val root, items, more;
	struct error err = {0};
	struct json_iter it;

	if (watch_parse(w, body, &err) < 0) {
		watch_describe(w, "the list is not JSON: %s", err.message);
		return -EBADMSG;
	}
	root = json_root(&w->json);
	items = json_get(root, "items");
	if (!watch_take_version(w, root) ||
		!(json_is_array(items) || json_type(items) == JSON_NULL)) {
		watch_describe(w, "the answer is not a list");
		return -EBADMSG;
	}
	if (!w->next)
		w->handler.list_begin(w->handler.ctx);
	json_each (it, items) {
		if (w->dead)
			return 0;
		w->handler.upsert(w->handler.ctx, it.value);
	}
	more = json_find(root, "metadata", "continue");
	if (!json_exists(more) || json_str_is(more, "")) {
		free(TAKE_PTR(w->next));
		return 0;
	}
	if (take_string(more, WATCH_CONTINUE_MAX, &w->next))
		return 1;
	watch_describe(w, "the list cannot be continued");
	return -EBADMSG;
}

static void watch_take_list(struct kube_watch *w, const struct kube_result *res)
{
	int r;

	w->away = res->status == 0;
	if (res->code == -E2BIG && w->limit > 1)
		w->limit = (w->limit + 3) / 4;
	if (res->code || res->status != 200) {
		watch_describe(w, "list: %s", res->message);
		watch_later(w, true);
		return;
	}
	r = watch_take_page(w, res->body);
	json_free(&w->json); /* a page's index is large, an event's small */
	if (w->dead)
		return;
	if (r < 0) {
		watch_later(w, true);
		return;
	}
	if (r == 0) {
		w->listing = false;
		w->synced = true;
		w->limit = WATCH_PAGE_OBJECTS;
		w->handler.synced(w->handler.ctx);
	}
	watch_step(w);
}

static void watch_on_list(void *ctx, const struct kube_result *res)
{
	struct kube_watch *w = ctx;

	w->call = NULL;
	watch_enter(w);
	watch_take_list(w, res);
	watch_leave(w);
}

/* False: the watch is of no use any more, w->problem says why. */
static bool watch_take_event(struct kube_watch *w, struct span line)
{
	struct json_val type, object;
	struct error err = {0};

	if (watch_parse(w, line, &err) < 0) {
		watch_describe(w, "watch: an event is not JSON: %s", err.message);
		return false;
	}
	type = json_get(json_root(&w->json), "type");
	object = json_get(json_root(&w->json), "object");
	if (json_str_is(type, "ERROR")) {
		struct arena arena = ARENA_INIT(sizeof(w->problem) * 8);
		struct span message = json_str(json_get(object, "message"), &arena);

		watch_describe(w, "watch: " SPAN_FMT, SPAN_ARG(message));
		arena_free(&arena);
		return false;
	}
	if (!watch_take_version(w, object)) {
		watch_describe(w, "watch: an event has no object with a resourceVersion");
		return false;
	}
	if (json_str_is(type, "ADDED") || json_str_is(type, "MODIFIED")) {
		w->handler.upsert(w->handler.ctx, object);
	} else if (json_str_is(type, "DELETED")) {
		w->handler.removed(w->handler.ctx, object);
	} else if (!json_str_is(type, "BOOKMARK")) {
		watch_describe(w, "watch: an event of an unknown type");
		return false;
	}
	return true;
}

/* Events are lines, in pieces of any size. False ends the watch. */
static bool watch_take_chunk(struct kube_watch *w, struct span chunk)
{
	while (chunk.len && !w->dead) {
		const char *newline = memchr(chunk.p, '\n', chunk.len);
		struct span piece = {chunk.p, newline ? (size_t)(newline - chunk.p) : chunk.len};
		struct span line = piece;

		if ((!newline || w->line.len) && scrub_add(&w->line, piece) < 0) {
			watch_describe(
				w, "watch: an event is larger than %zu bytes", w->max_object);
			return false;
		}
		if (!newline)
			break;
		if (w->line.len)
			line = scrub_view(&w->line);
		w->events++;
		if (!watch_take_event(w, line))
			return false;
		scrub_reset(&w->line);
		chunk.p += piece.len + 1;
		chunk.len -= piece.len + 1;
	}
	return !w->dead;
}

static void watch_tell_connection(struct kube_watch *w)
{
	if (w->handler.connection)
		w->handler.connection(w->handler.ctx);
}

static bool watch_on_data(void *ctx, struct span chunk)
{
	struct kube_watch *w = ctx;
	bool go_on;

	watch_enter(w);
	if (!w->connected) {
		w->connected = true;
		w->problem[0] = '\0';
		w->opened_usec = clock_monotonic_usec();
		watch_tell_connection(w);
	}
	go_on = watch_take_chunk(w, chunk);
	w->relist = !go_on;
	watch_leave(w);
	return go_on;
}

/* A refusal that is about the moment and not about our version. */
static bool is_passing(int status)
{
	return status == 429 || status == 500 || status == 502 || status == 503;
}

static void watch_on_end(void *ctx, const struct kube_result *res)
{
	struct kube_watch *w = ctx;
	bool opened = w->connected;

	w->call = NULL;
	w->connected = false;
	/* That we ended it is an error as well. */
	w->away = res->code && !w->relist;
	watch_enter(w);
	if (w->relist) {
		watch_later(w, true);
	} else if (res->code) {
		watch_describe(w, "watch: %s", res->message);
		watch_later(w, false);
	} else if (!opened) {
		watch_describe(w, "watch: %s", res->message);
		watch_later(w, !is_passing(res->status));
	} else if (w->line.len ||
		   (w->events == 0 && clock_monotonic_usec() - w->opened_usec < WATCH_SHORT_USEC)) {
		watch_describe(w, "watch: ended at once");
		watch_later(w, false);
	} else {
		watch_step(w); /* the API server ends each watch after a while */
	}
	if (opened)
		watch_tell_connection(w);
	watch_leave(w);
}

/* What must not stand in a query as it is, escaped. */
static void add_escaped(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr("-._~", *s))
			buf_putc(b, *s);
		else
			buf_printf(b, "%%%02X", (unsigned char)*s);
	}
}

static int watch_start(struct kube_watch *w, struct error *err)
{
	_cleanup_buf_ struct buf url = BUF_INIT(WATCH_URL_MAX);
	struct kube_request req = {.method = "GET", .max_response = w->max_object};
	unsigned seconds = (unsigned)(backoff_jitter(WATCH_MIN_SEC, backoff_chance()));

	if (w->listing) {
		buf_printf(&url, "%s?limit=%u%s", w->path, w->limit, w->selectors);
		if (w->next) {
			buf_puts(&url, "&continue=");
			add_escaped(&url, w->next);
		} else if (w->cached) {
			buf_puts(&url, "&resourceVersion=0");
		}
		req.timeout_usec = WATCH_LIST_USEC;
	} else {
		buf_printf(&url, "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u%s", w->path,
			seconds, w->selectors);
		buf_puts(&url, "&resourceVersion=");
		add_escaped(&url, w->version);
		req.data = watch_on_data;
		/* Bookmarks come each minute; one that brings nothing to its end is dead. */
		req.idle_usec = (int64_t)(seconds + WATCH_GRACE_SEC) * USEC_PER_SEC;
		w->events = 0;
		w->relist = false;
		scrub_reset(&w->line);
	}
	if (url.err)
		return error_set(err, url.err, "the URL of %s is too long", w->path);
	req.path = url.p;
	return kube_call(
		w->client, &req, w->listing ? watch_on_list : watch_on_end, w, &w->call, err);
}

static void watch_step(struct kube_watch *w)
{
	struct error err;

	if (w->dead || watch_start(w, &err) == 0)
		return;
	watch_describe(w, "%s", err.message);
	watch_later(w, false);
}

static int watch_setup(struct kube_watch *w, const struct kube_watch_options *o, struct error *err)
{
	_cleanup_buf_ struct buf selectors = BUF_INIT(WATCH_URL_MAX / 2);
	int r;

	buf_puts(&selectors, "");
	if (o->label_selector && o->label_selector[0]) {
		buf_puts(&selectors, "&labelSelector=");
		add_escaped(&selectors, o->label_selector);
	}
	if (o->field_selector && o->field_selector[0]) {
		buf_puts(&selectors, "&fieldSelector=");
		add_escaped(&selectors, o->field_selector);
	}
	if (selectors.err)
		return error_set(err, selectors.err, "the selectors of %s are too long", o->path);
	w->selectors = TAKE_PTR(selectors.p);
	w->path = strdup(o->path);
	if (!w->path)
		return error_oom(err);
	r = sd_event_add_time_relative(kube_client_event(w->client), &w->timer, CLOCK_MONOTONIC, 0,
		WATCH_TIMER_ACCURACY_USEC, watch_on_timer, w);
	if (r < 0)
		return error_set(err, r, "cannot set up a timer: %s", strerror(-r));
	sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	return watch_start(w, err);
}

int kube_watch_new(struct kube_watch **ret_w, struct kube_client *c,
	const struct kube_watch_options *o, const struct kube_watch_handler *h, struct error *err)
{
	struct kube_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_oom(err);
	w->client = c;
	w->handler = *h;
	w->cached = o->cached;
	w->max_object = w->line.max = o->max_object ? o->max_object : WATCH_OBJECT_MAX;
	w->limit = WATCH_PAGE_OBJECTS;
	w->listing = true;
	w->backoff = (struct backoff){
		.first_usec = o->backoff_usec ? o->backoff_usec : WATCH_BACKOFF_USEC,
		.max_usec = WATCH_BACKOFF_MAX_USEC,
		.quiet_usec = WATCH_QUIET_USEC,
	};
	w->away_wait = w->backoff;
	w->away_wait.max_usec = WATCH_AWAY_TIMES * w->away_wait.first_usec;
	watch_describe(w, "not listed yet");
	r = watch_setup(w, o, err);
	if (r < 0) {
		kube_watch_free(w);
		return r;
	}
	*ret_w = w;
	return 0;
}

bool kube_watch_synced(const struct kube_watch *w)
{
	return w->synced;
}

bool kube_watch_connected(const struct kube_watch *w)
{
	return w->connected;
}

const char *kube_watch_problem(const struct kube_watch *w)
{
	return w->problem;
}

void kube_watch_free(struct kube_watch *w)
{
	if (!w || w->dead)
		return;
	w->dead = true;
	kube_cancel(TAKE_PTR(w->call));
	watch_enter(w);
	watch_leave(w);
}
