/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/ops.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "tests/unit/ops_fixture.h"
#include "tests/unit/test.h"

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
	_cleanup_ops_fix_ struct ops_fix f;

	if (!ops_fix_begin(&f, NULL, NULL))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ops_client c = {0};
		char type[80];

		ops_client_start(&c, &f, rows[i].listener, rows[i].path);
		ops_client_join(&c, &f);
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
	_cleanup_ops_fix_ struct ops_fix f;

	if (!ops_fix_begin(&f, NULL, NULL))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ops_client c = {.method = rows[i].method, .headers = rows[i].headers};

		ops_client_start(&c, &f, OPS_METRICS, "/metrics");
		ops_client_join(&c, &f);
		CHECK_ROW(rows[i].method, c.status == rows[i].status, "%d", c.status);
		CHECK_ROW(rows[i].method, c.reply.head.p && strstr(c.reply.head.p, rows[i].in_head),
			"%s", c.reply.head.p);
		peer_reply_free(&c.reply);
	}
}

/* A page may answer later. */
static void test_deferred(void)
{
	_cleanup_ops_fix_ struct ops_fix f;
	struct ops_client c = {0};

	if (!ops_fix_begin(&f, NULL, NULL))
		return;
	ops_client_start(&c, &f, OPS_PAGE, "/park");
	if (!ops_fix_await_parked(&f))
		return;
	buf_puts(f.parked_res->body, "late");
	http_finish(f.parked);
	ops_client_join(&c, &f);
	CU_ASSERT_EQUAL(c.status, 200);
	CHECK_STR("body", buf_view(&c.reply.body), "late");
	peer_reply_free(&c.reply);
}

/* Nobody runs the loop: each listener says so by itself, and is well again afterwards. */
static void test_stall(void)
{
	static const char *const paths[] = {"/livez", "/metrics", "/"};
	_cleanup_ops_fix_ struct ops_fix f;
	struct ops_client c[OPS_LISTENER_N] = {0}, again = {0};
	int64_t start = clock_monotonic_usec(), took;

	if (!ops_fix_begin(&f, NULL, NULL))
		return;
	for (int l = 0; l < OPS_LISTENER_N; l++)
		ops_client_start(&c[l], &f, (enum ops_listener)l, paths[l]);
	for (int l = 0; l < OPS_LISTENER_N; l++) {
		ops_client_join(&c[l], NULL);
		CHECK_ROW(paths[l], c[l].status == 500, "%d", c[l].status);
		CHECK_STR(paths[l], buf_view(&c[l].reply.body),
			"[-]event-loop failed: the event loop does not turn\n");
		peer_reply_free(&c[l].reply);
	}
	took = clock_monotonic_usec() - start;
	CHECK_ROW("stall", took >= OPS_FIX_STALL_USEC && took < 30 * (int64_t)USEC_PER_SEC, "%lld us",
		(long long)took);
	ops_client_start(&again, &f, OPS_HEALTH, "/livez");
	ops_client_join(&again, &f);
	CU_ASSERT_EQUAL(again.status, 200);
	peer_reply_free(&again.reply);
}

/* What waits when the ops end is cut off, and nothing of it is left. */
static void test_free_waiting(void)
{
	struct ops_fix f;
	struct ops_client waits = {0}, parked = {0};

	if (!ops_fix_begin(&f, NULL, NULL))
		return;
	ops_client_start(&parked, &f, OPS_PAGE, "/park");
	if (!ops_fix_await_parked(&f))
		return;
	ops_client_start(&waits, &f, OPS_METRICS, "/metrics");
	while (!atomic_load(&waits.open) && !atomic_load(&waits.done))
		poll(NULL, 0, 1);
	poll(NULL, 0, 50);
	ops_free(f.ops);
	f.ops = NULL;
	ops_client_join(&waits, NULL);
	ops_client_join(&parked, NULL);
	CU_ASSERT_EQUAL(waits.status, 0);
	CU_ASSERT_EQUAL(parked.status, 0);
	peer_reply_free(&waits.reply);
	peer_reply_free(&parked.reply);
	buf_puts(f.parked_res->body, "too late");
	http_finish(f.parked);
	ops_fix_end(&f);
}

static void test_errors(void)
{
	struct ops_fix f;
	struct ops_route routes[2];
	struct ops_options o;
	struct ops *ops = NULL;
	struct error err = {0};
	char taken[32];

	if (!ops_fix_begin(&f, NULL, NULL))
		return;
	o = ops_fix_options(&f, routes);
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
	ops_fix_end(&f);
}

static void test_listen(void)
{
	static const struct {
		const char *name, *listen;
		int port;
		bool optional, standalone;
		int code;
		const char *want; /* the address, or the message */
	} rows[] = {
		{"not set", "", 80, true, false, 0, "0.0.0.0:80"},
		{"not set, standalone", "", 80, true, true, 0, "127.0.0.1:80"},
		{"set", "10.0.0.1:1", 80, true, false, 0, "10.0.0.1:1"},
		{"set, standalone", "[::]:65535", 80, false, true, 0, "[::]:65535"},
		{"off", "none", 80, true, false, 0, "none"},
		{"never off", "none", 80, false, false, -EINVAL,
			"a.listen: \"none\" is no ADDRESS:PORT, like 0.0.0.0:8443"},
		{"must be set", "", 0, true, false, -EINVAL,
			"a.listen: \"\" is no ADDRESS:PORT, like 0.0.0.0:8443"},
		{"no such port", "[::1]:65536", 80, true, false, -EINVAL,
			"a.listen: \"65536\" is no port"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT(4096);
		const char *first = "127.0.0.1:7", *listen = rows[i].listen;
		const struct ops_listen listens[] = {{&first, "first", 1, false},
			{&listen, "a.listen", rows[i].port, rows[i].optional}};
		struct error err = {0};
		int r = ops_listen_finish(listens, 2, rows[i].standalone, &a, &err);

		CHECK_ROW(rows[i].name, r == rows[i].code, "got %d, want %d", r, rows[i].code);
		CHECK_STR(rows[i].name, span_str(r < 0 ? err.message : listen), rows[i].want);
		CHECK_STR(rows[i].name, span_str(first), "127.0.0.1:7");
	}
}

static void test_listen_memory(void)
{
	_cleanup_arena_ struct arena full = ARENA_INIT(0);
	const char *listen = "";
	const struct ops_listen listens[] = {{&listen, "listen", 1, false}};

	CU_ASSERT_EQUAL(ops_listen_finish(listens, 1, false, &full, NULL), -ENOMEM);
}

CU_TestInfo ops_tests[] = {
	{"answers", test_answers},
	{"methods", test_methods},
	{"deferred", test_deferred},
	{"stalled loop", test_stall},
	{"freed while some wait", test_free_waiting},
	{"errors", test_errors},
	{"addresses of settings", test_listen},
	{"addresses without memory", test_listen_memory},
	CU_TEST_INFO_NULL,
};
