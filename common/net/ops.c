/* SPDX-License-Identifier: Apache-2.0
 *
 * A request becomes an ask: a deferred exchange in a list. A thread of the server puts it there and
 * wakes the loop, which takes one ask a turn. Who takes an ask out of the list answers it: the loop,
 * or, when it has waited for OPS_STALL_SEC, the server's sweep. On a secure listener the loop has
 * the token judged first. */
#include "common/net/ops.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/loop.h"
#include "common/net/ops_guard.h"

#define TEXT "text/plain; charset=utf-8"

struct listener {
	struct ops *ops;
	enum ops_listener kind;
	struct server *server; /* NULL: off */
};

struct ask {
	struct ask *next, *prev; /* prev: only while it is judged */
	struct listener *listener;
	struct http_exchange *x;
	const struct http_request *req;
	struct http_response *res;
	enum metrics_format format;
	int64_t since_usec;
	struct secret token; /* empty: none */
	void *judged;        /* what the judge calls it */
};

struct ops {
	struct ops_options options;
	struct ops_route routes[OPS_ROUTES_MAX];
	struct listener listeners[OPS_LISTENER_N];
	struct ops_guard *guard; /* of the metrics listener; NULL: anybody may ask */
	struct caller_judge judge;
	struct ask *judging; /* on the loop's thread */
	struct loop_queue *queue;
	pthread_mutex_t lock;
	struct ask *first, **last; /* under lock: oldest first */
	bool posted;               /* under lock: the loop is going to look */
};

/* Small requests of probes, scrapers and people: nothing here needs more. */
static const struct server_limits limits = {
	.max_body = 4096,
	.max_header = 16 * 1024,
	.max_connections = 64,
	.max_in_flight = 16,
	.request_usec = 10 * (int64_t)USEC_PER_SEC,
	.idle_usec = 120 * (int64_t)USEC_PER_SEC,
};

/* With the lock held. */
static struct ask *take_first(struct ops *o)
{
	struct ask *a = o->first;

	if (!a)
		return NULL;
	o->first = a->next;
	if (!o->first)
		o->last = &o->first;
	return a;
}

/* The answer is written. */
static void finish(struct ask *a)
{
	struct http_exchange *x = a->x;

	secret_free(&a->token);
	free(a);
	http_finish(x);
}

static void answer_text(struct http_response *res, int status, const char *text)
{
	res->status = status;
	res->content_type = TEXT;
	buf_puts(res->body, text);
}

static enum http_verdict answer_metrics(struct ops *o, const struct ask *a)
{
	a->res->content_type = metrics_content_type(a->format);
	if (metrics_expose(o->options.metrics, a->format, a->res->body) < 0)
		a->res->status = 500;
	return HTTP_DONE;
}

static enum http_verdict answer_unknown(const struct ops *o, const struct ask *a)
{
	answer_text(a->res, 404, "no such path; there is:");
	if (a->listener->kind == OPS_METRICS)
		buf_puts(a->res->body, " /metrics");
	for (size_t i = 0; i < o->options.n_routes; i++)
		buf_printf(a->res->body, " %s", o->routes[i].path);
	buf_puts(a->res->body, "\n");
	return HTTP_DONE;
}

static enum http_verdict answer(struct ops *o, const struct ask *a)
{
	const char *path = a->req->path;

	if (a->listener->kind == OPS_HEALTH) {
		a->res->content_type = TEXT;
		a->res->status = health_answer(o->options.health, path, a->req->query,
			a->res->body);
		return HTTP_DONE;
	}
	if (a->listener->kind == OPS_METRICS && strcmp(path, "/metrics") == 0)
		return answer_metrics(o, a);
	for (size_t i = 0; i < o->options.n_routes; i++)
		if (strcmp(path, o->routes[i].path) == 0)
			return o->routes[i].handler(o->routes[i].ctx, a->x, a->req, a->res);
	return answer_unknown(o, a);
}

/* Who asks may. */
static void serve(struct ops *o, struct ask *a)
{
	if (o->options.refresh)
		o->options.refresh(o->options.ctx);
	if (answer(o, a) == HTTP_DONE)
		finish(a);
	else
		free(a);
}

static void serve_caller(struct ops *o, struct ask *a, const struct caller *c)
{
	if (c->status == 200 && ops_guard_allows(o->guard, c)) {
		serve(o, a);
		return;
	}
	if (c->status == 200) {
		answer_text(a->res, 403, "the user \"");
		buf_printf(a->res->body, "%s\" is not in metrics.users, nor in a group of "
			"metrics.groups\n", c->user);
	} else {
		answer_text(a->res, c->status, c->message);
		buf_putc(a->res->body, '\n');
		a->res->authenticate = c->status == 401 ? "Bearer error=\"invalid_token\"" : NULL;
		a->res->retry_after = c->status == 503 ? 1 : 0;
	}
	finish(a);
}

static void on_judged(void *arg, const struct caller *c)
{
	struct ask *a = arg;
	struct ops *o = a->listener->ops;

	*(a->prev ? &a->prev->next : &o->judging) = a->next;
	if (a->next)
		a->next->prev = a->prev;
	serve_caller(o, a, c);
}

static void judge(struct ops *o, struct ask *a)
{
	_cleanup_secret_ struct secret token = a->token;
	void *judged;

	a->token = (struct secret){0};
	a->prev = NULL;
	a->next = o->judging;
	if (a->next)
		a->next->prev = a;
	o->judging = a;
	judged = o->judge.ask(o->judge.ctx, secret_view(&token), on_judged, a);
	if (judged) /* else a is gone */
		a->judged = judged;
}

/* On the loop's thread. */
static void admit(struct ops *o, struct ask *a)
{
	if (!o->guard || a->listener->kind != OPS_METRICS)
		serve(o, a);
	else if (a->req->client_subject)
		serve_caller(o, a, &(struct caller){.status = 200, .user = a->req->client_subject});
	else
		judge(o, a);
}

/* One a turn: what else the loop has to do is not held up, and an ask that waits behind one that
 * takes long can still be answered by the sweep. */
static void on_post(void *ctx)
{
	struct ops *o = ctx;
	struct ask *a;

	pthread_mutex_lock(&o->lock);
	a = take_first(o);
	o->posted = o->first && loop_post(o->queue, on_post, o) == 0;
	pthread_mutex_unlock(&o->lock);
	if (a)
		admit(o, a);
}

/* On a thread of a server. */
static void on_sweep(void *ctx, int64_t now)
{
	struct ops *o = ((struct listener *)ctx)->ops;
	int64_t late = now - o->options.stall_usec;
	struct ask *a;

	do {
		pthread_mutex_lock(&o->lock);
		a = o->first && o->first->since_usec < late ? take_first(o) : NULL;
		pthread_mutex_unlock(&o->lock);
		if (a) {
			answer_text(a->res, 500,
				"[-]event-loop failed: the event loop does not turn\n");
			finish(a);
		}
	} while (a);
}

/* From then on a is the loop's or the sweep's. */
static bool put(struct ops *o, struct ask *a)
{
	bool ok;

	pthread_mutex_lock(&o->lock);
	ok = o->posted || loop_post(o->queue, on_post, o) == 0;
	o->posted = ok;
	if (ok) {
		*o->last = a;
		o->last = &a->next;
	}
	pthread_mutex_unlock(&o->lock);
	return ok;
}

static bool is_get(const struct http_request *req, struct http_response *res)
{
	if (strcmp(req->method, "GET") == 0 || strcmp(req->method, "HEAD") == 0)
		return true;
	answer_text(res, 405, "GET or HEAD, nothing else\n");
	res->allow = "GET, HEAD";
	return false;
}

/* Is there somebody who may be asked for? A certificate was verified in the handshake. */
static bool has_caller(const struct listener *l, struct http_exchange *x,
	const struct http_request *req, struct http_response *res, struct secret *ret_token)
{
	const struct ops *o = l->ops;

	if (!o->guard || l->kind != OPS_METRICS || req->client_subject)
		return true;
	if (o->judge.ask && ops_guard_token(x, ret_token) == 0)
		return true;
	answer_text(res, 401, "");
	res->authenticate = "Bearer";
	ops_guard_unauthorized(o->guard, res->body);
	return false;
}

static enum http_verdict handle(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	_cleanup_secret_ struct secret token = {0};
	struct listener *l = ctx;
	struct ask *a;

	if (!is_get(req, res) || !has_caller(l, x, req, res, &token))
		return HTTP_DONE;
	a = calloc(1, sizeof(*a));
	if (a)
		*a = (struct ask){.listener = l,
			.x = x,
			.req = req,
			.res = res,
			.format = metrics_negotiate(http_header(x, "Accept")),
			.since_usec = clock_monotonic_usec(),
			.token = token};
	if (a && put(l->ops, a)) {
		token = (struct secret){0};
		return HTTP_DEFERRED;
	}
	free(a);
	answer_text(res, 500, "out of memory\n");
	return HTTP_DONE;
}

static int start(struct ops *o, enum ops_listener kind, struct error *err)
{
	const char *const listens[] = {o->options.health_listen, o->options.metrics_listen,
		o->options.page_listen};
	static const char *const settings[] = {"health.listen", "metrics.listen", "page.listen"};
	struct server_options options = {.threads = 1, .limits = limits, .on_sweep = on_sweep};
	struct listener *l = &o->listeners[kind];
	char address[64];
	int r;

	*l = (struct listener){.ops = o, .kind = kind};
	if (!listens[kind] || strcmp(listens[kind], OPS_LISTEN_NONE) == 0)
		return 0;
	r = ops_parse_listen(listens[kind], settings[kind], address, &options.port, err);
	if (r < 0)
		return r;
	options.address = address;
	if (kind == OPS_METRICS && o->guard)
		ops_guard_options(o->guard, &options);
	r = server_start(&l->server, &options, handle, l, err);
	return r < 0 ? error_prefix(err, r, "%s", settings[kind]) : 0;
}

static int ops_init(struct ops *o, const struct ops_options *options, struct error *err)
{
	int r;

	o->options = *options;
	if (o->options.stall_usec == 0)
		o->options.stall_usec = OPS_STALL_SEC * (int64_t)USEC_PER_SEC;
	if (options->n_routes > OPS_ROUTES_MAX)
		return error_set(err, -EINVAL, "more than %d pages", OPS_ROUTES_MAX);
	if (options->n_routes)
		memcpy(o->routes, options->routes, options->n_routes * sizeof(o->routes[0]));
	if (options->judge)
		o->judge = *options->judge;
	if (health_add(options->health, "event-loop", HEALTH_LIVE | HEALTH_READY) < 0)
		return error_oom(err);
	/* Whoever the loop answers sees that it turns. */
	health_set(options->health, "event-loop", true, "");
	r = loop_queue_new(&o->queue, options->event, 1);
	if (r < 0)
		return error_set(err, r, "event loop: %s", strerror(-r));
	if (options->security && options->security->secure)
		r = ops_guard_new(
			&o->guard, options->event, options->security, options->judge != NULL,
			err);
	return r;
}

int ops_new(struct ops **ret_o, const struct ops_options *options, struct error *err)
{
	_cleanup_(ops_free_p) struct ops *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return error_oom(err);
	pthread_mutex_init(&o->lock, NULL);
	o->last = &o->first;
	r = ops_init(o, options, err);
	for (int kind = 0; r == 0 && kind < OPS_LISTENER_N; kind++)
		r = start(o, (enum ops_listener)kind, err);
	if (r < 0)
		return r;
	*ret_o = TAKE_PTR(o);
	return 0;
}

void ops_free(struct ops *o)
{
	struct ask *a;

	if (!o)
		return;
	for (int kind = 0; kind < OPS_LISTENER_N; kind++)
		server_stop(o->listeners[kind].server);
	/* Cut off with their servers. */
	while ((a = o->judging)) {
		o->judging = a->next;
		o->judge.cancel(o->judge.ctx, a->judged);
		finish(a);
	}
	while ((a = take_first(o)))
		finish(a);
	loop_queue_free(o->queue);
	ops_guard_free(o->guard);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

uint16_t ops_port(const struct ops *o, enum ops_listener l)
{
	return o->listeners[l].server ? server_port(o->listeners[l].server) : 0;
}
