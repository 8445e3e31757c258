/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/ops.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/peer.h"
#include "tests/unit/test.h"

#define STALL_USEC ((int64_t)100 * USEC_PER_MSEC)

/* The loop belongs to the test's thread, clients are threads. */
struct fix {
	sd_event *event;
	struct health *health;
	struct metrics *metrics;
	struct ops *ops;
	pthread_t loop_thread;
	unsigned refreshed, collected;
	struct http_exchange *parked;
	struct http_response *parked_res;
};

static void refresh(void *ctx)
{
	struct fix *f = ctx;

	f->refreshed++;
	CU_ASSERT_TRUE(pthread_equal(pthread_self(), f->loop_thread));
}

static void collect(void *ctx)
{
	struct fix *f = ctx;

	f->collected++;
	CU_ASSERT_TRUE(pthread_equal(pthread_self(), f->loop_thread));
}

static enum http_verdict page(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	struct fix *f = ctx;

	(void)x;
	CU_ASSERT_TRUE(pthread_equal(pthread_self(), f->loop_thread));
	res->content_type = "text/html";
	buf_printf(res->body, "<p>%s|%s", req->path, req->query);
	return HTTP_DONE;
}

/* Waits for whatever the test does next. */
static enum http_verdict park(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	struct fix *f = ctx;

	(void)req;
	f->parked = x;
	f->parked_res = res;
	return HTTP_DEFERRED;
}

static struct ops_options fix_options(struct fix *f, struct ops_route routes[2])
{
	routes[0] = (struct ops_route){"/", page, f};
	routes[1] = (struct ops_route){"/park", park, f};
	return (struct ops_options){
		.event = f->event,
		.health = f->health,
		.metrics = f->metrics,
		.health_listen = "127.0.0.1:0",
		.metrics_listen = "127.0.0.1:0",
		.page_listen = "127.0.0.1:0",
		.routes = routes,
		.n_routes = 2,
		.refresh = refresh,
		.ctx = f,
		.stall_usec = STALL_USEC,
	};
}

static bool fix_begin(struct fix *f)
{
	struct ops_route routes[2];
	struct ops_options o;
	struct error err = {0};

	*f = (struct fix){.health = health_new(), .metrics = metrics_new(),
		.loop_thread = pthread_self()};
	CU_ASSERT_EQUAL(sd_event_new(&f->event), 0);
	metrics_on_collect(f->metrics, collect, f);
	health_add(f->health, "thing", HEALTH_READY);
	o = fix_options(f, routes);
	return CHECK_ROW("start", ops_new(&f->ops, &o, &err) == 0, "%s", err.message);
}

static void fix_end(struct fix *f)
{
	ops_free(f->ops);
	sd_event_unref(f->event);
	metrics_free(f->metrics);
	health_free(f->health);
}
#define _cleanup_fix_ _cleanup_(fix_end)

struct client {
	uint16_t port;
	const char *method, *path, *headers;
	pthread_t thread;
	int status;
	struct peer_reply reply;
	atomic_bool done;
};

static void *client_run(void *arg)
{
	struct client *c = arg;
	_cleanup_peer_ struct peer p = {.fd = -1};

	if (peer_open(&p, c->port, NULL))
		c->status = peer_request(&p, c->method, c->path, c->headers, SPAN_NONE, &c->reply);
	atomic_store(&c->done, true);
	return NULL;
}

static void client_start(struct client *c, struct fix *f, enum ops_listener l, const char *path)
{
	*c = (struct client){.port = ops_port(f->ops, l), .method = "GET", .path = path,
		.headers = ""};
	CU_ASSERT_EQUAL(pthread_create(&c->thread, NULL, client_run, c), 0);
}

static void client_join(struct client *c, struct fix *f)
{
	while (f && !atomic_load(&c->done))
		sd_event_run(f->event, USEC_PER_MSEC);
	pthread_join(c->thread, NULL);
}

static void test_answers(void)
{
	static const struct {
		enum ops_listener listener;
		const char *path;
		int status;
		const char *type, *body; /* which begins so */
	} rows[] = {
		{OPS_HEALTH, "/livez", 200, "text/plain", "ok"},
		{OPS_HEALTH, "/livez?verbose", 200, "text/plain", "[+]event-loop ok\n"},
		{OPS_HEALTH, "/readyz", 500, "text/plain",
			"[-]thing failed: not checked yet\n[+]event-loop ok\n"},
		{OPS_HEALTH, "/metrics", 404, "text/plain", "404"},
		{OPS_HEALTH, "/", 404, "text/plain", "404"},
		{OPS_METRICS, "/metrics", 200, "text/plain; version=0.0.4", "# HELP"},
		{OPS_METRICS, "/?x=1", 200, "text/html", "<p>/|x=1"},
		{OPS_METRICS, "/livez", 404, "text/plain",
			"no such path; there is: /metrics / /park\n"},
		{OPS_PAGE, "/", 200, "text/html", "<p>/|"},
		{OPS_PAGE, "/metrics", 404, "text/plain", "no such path; there is: / /park\n"},
	};
	_cleanup_fix_ struct fix f;

	if (!fix_begin(&f))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct client c;
		char type[80];

		client_start(&c, &f, rows[i].listener, rows[i].path);
		client_join(&c, &f);
		CHECK_ROW(rows[i].path, c.status == rows[i].status, "%d", c.status);
		snprintf(type, sizeof(type), "Content-Type: %s", rows[i].type);
		CHECK_ROW(rows[i].path, c.reply.head.p && strstr(c.reply.head.p, type), "%s",
			c.reply.head.p);
		CHECK_ROW(rows[i].path, span_starts(buf_view(&c.reply.body), rows[i].body),
			SPAN_FMT, SPAN_ARG(buf_view(&c.reply.body)));
		peer_reply_free(&c.reply);
	}
	CU_ASSERT_EQUAL(f.refreshed, ARRAY_SIZE(rows));
	CU_ASSERT_EQUAL(f.collected, 1);
}

static void test_methods(void)
{
	static const struct {
		const char *method, *headers;
		int status;
		const char *in_head;
	} rows[] = {
		{"GET", "Accept: application/openmetrics-text;version=1.0.0\r\n", 200,
			"application/openmetrics-text"},
		{"POST", "Content-Length: 0\r\n", 405, "Allow: GET, HEAD"},
	};
	_cleanup_fix_ struct fix f;

	if (!fix_begin(&f))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct client c = {.port = ops_port(f.ops, OPS_METRICS), .method = rows[i].method,
			.path = "/metrics", .headers = rows[i].headers};

		CU_ASSERT_EQUAL(pthread_create(&c.thread, NULL, client_run, &c), 0);
		client_join(&c, &f);
		CHECK_ROW(rows[i].method, c.status == rows[i].status, "%d", c.status);
		CHECK_ROW(rows[i].method, c.reply.head.p && strstr(c.reply.head.p, rows[i].in_head),
			"%s", c.reply.head.p);
		peer_reply_free(&c.reply);
	}
}

/* A page may answer later. */
static void test_deferred(void)
{
	_cleanup_fix_ struct fix f;
	struct client c;

	if (!fix_begin(&f))
		return;
	client_start(&c, &f, OPS_PAGE, "/park");
	while (!f.parked)
		sd_event_run(f.event, USEC_PER_MSEC);
	buf_puts(f.parked_res->body, "late");
	http_finish(f.parked);
	client_join(&c, &f);
	CU_ASSERT_EQUAL(c.status, 200);
	CHECK_STR("body", buf_view(&c.reply.body), "late");
	peer_reply_free(&c.reply);
}

/* Nobody runs the loop: each listener says so by itself, and is well again afterwards. */
static void test_stall(void)
{
	static const char *const paths[] = {"/livez", "/metrics", "/"};
	_cleanup_fix_ struct fix f;
	struct client c[OPS_LISTENER_N], again;
	int64_t start = clock_monotonic_usec(), took;

	if (!fix_begin(&f))
		return;
	for (int l = 0; l < OPS_LISTENER_N; l++)
		client_start(&c[l], &f, (enum ops_listener)l, paths[l]);
	for (int l = 0; l < OPS_LISTENER_N; l++) {
		client_join(&c[l], NULL);
		CHECK_ROW(paths[l], c[l].status == 500, "%d", c[l].status);
		CHECK_STR(paths[l], buf_view(&c[l].reply.body),
			"[-]event-loop failed: the event loop does not turn\n");
		peer_reply_free(&c[l].reply);
	}
	took = clock_monotonic_usec() - start;
	CHECK_ROW("stall", took >= STALL_USEC && took < 5 * (int64_t)USEC_PER_SEC, "%lld us",
		(long long)took);
	client_start(&again, &f, OPS_HEALTH, "/livez");
	client_join(&again, &f);
	CU_ASSERT_EQUAL(again.status, 200);
	peer_reply_free(&again.reply);
}

/* What waits when the ops end is cut off, and nothing of it is left. */
static void test_free_waiting(void)
{
	struct fix f;
	struct client waits, parked;

	if (!fix_begin(&f))
		return;
	client_start(&parked, &f, OPS_PAGE, "/park");
	while (!f.parked)
		sd_event_run(f.event, USEC_PER_MSEC);
	client_start(&waits, &f, OPS_METRICS, "/metrics");
	poll(NULL, 0, 50);
	ops_free(f.ops);
	f.ops = NULL;
	client_join(&waits, NULL);
	client_join(&parked, NULL);
	CU_ASSERT_EQUAL(waits.status, 0);
	CU_ASSERT_EQUAL(parked.status, 0);
	peer_reply_free(&waits.reply);
	peer_reply_free(&parked.reply);
	buf_puts(f.parked_res->body, "too late");
	http_finish(f.parked);
	fix_end(&f);
}

static void test_errors(void)
{
	struct fix f;
	struct ops_route routes[2];
	struct ops_options o;
	struct ops *ops = NULL;
	struct error err = {0};
	char taken[32];

	if (!fix_begin(&f))
		return;
	o = fix_options(&f, routes);
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", ops_port(f.ops, OPS_METRICS));
	o.health_listen = "none";
	o.page_listen = taken;
	CU_ASSERT_EQUAL(ops_new(&ops, &o, &err), -EADDRINUSE);
	CHECK_ROW("taken", strstr(err.message, "page.listen: cannot listen on 127.0.0.1:"), "%s",
		err.message);
	o.page_listen = NULL;
	o.metrics_listen = "localhost";
	CU_ASSERT_EQUAL(ops_new(&ops, &o, &err), -EINVAL);
	CHECK_STR("no port", span_str(err.message),
		"metrics.listen: \"localhost\" is no ADDRESS:PORT, like 0.0.0.0:8443");
	o.metrics_listen = "none";
	CU_ASSERT_EQUAL(ops_new(&ops, &o, &err), 0);
	CU_ASSERT_EQUAL(ops_port(ops, OPS_HEALTH), 0);
	CU_ASSERT_EQUAL(ops_port(ops, OPS_METRICS), 0);
	ops_free(ops);
	ops_free(NULL);
	fix_end(&f);
}

CU_TestInfo ops_tests[] = {
	{"answers", test_answers},
	{"methods", test_methods},
	{"deferred", test_deferred},
	{"stalled loop", test_stall},
	{"freed while some wait", test_free_waiting},
	{"errors", test_errors},
	CU_TEST_INFO_NULL,
};
