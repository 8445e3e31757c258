/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/net/server_private.h"
#include "tests/unit/peer.h"
#include "tests/unit/server_fixture.h"
#include "tests/unit/test.h"

static void test_keep_alive(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer p = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};

	if (!fixture_start(&f, &fixture_options) || !peer_open(&p, server_port(f.s), NULL))
		return;
	for (int i = 0; i < 200; i++)
		CU_ASSERT_EQUAL(peer_request(&p, "POST", "/mutate?timeout=3s&a=%20b",
					"X-Test: 1\r\n", SPAN_LIT("{}"), &r), 200);
	CHECK_STR("body", buf_view(&r.body), "POST|/mutate|timeout=3s&a=%20b|1|2");
	CU_ASSERT_PTR_NULL(strcasestr(r.head.p, "\r\nConnection: close"));
	CU_ASSERT_PTR_NOT_NULL(strstr(r.head.p, "\r\nContent-Type: application/json\r\n"));
	CU_ASSERT_EQUAL(server_stats(f.s).requests, 200);
	CU_ASSERT_EQUAL(server_stats(f.s).connections, 1);
	CU_ASSERT_EQUAL(server_stats(f.s).in_flight, 0);
}

static void test_requests(void)
{
	static const struct {
		const char *name, *method, *target, *headers;
		int status;
		const char *body;
	} rows[] = {
		{"as received", "GET", "/a%2fb//c%00", "", 200, "GET|/a%2fb//c%00|||0"},
		{"empty query", "GET", "/x?", "", 200, "GET|/x|||0"},
		{"two marks", "GET", "/x?a?b", "", 200, "GET|/x|a?b||0"},
		{"absolute form", "GET", "http://h/x", "", 200, "GET|http://h/x|||0"},
		{"method", "BREW", "/pot", "", 200, "BREW|/pot|||0"},
		{"405", "PUT", "/405", "", 405, "PUT|/405|||0"},
		{"long method", "ABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJ", "/x", "", 501,
			"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
			"\"Failure\",\"message\":\"unknown method\",\"reason\":\"MethodNotAllowed\","
			"\"code\":501}\n"},
		{"answer too large", "GET", "/huge", "", 500,
			"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
			"\"Failure\",\"message\":\"the answer is too large\","
			"\"reason\":\"InternalError\",\"code\":500}\n"},
	};
	_cleanup_fixture_ struct fixture f;

	if (!fixture_start(&f, &fixture_options))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_peer_ struct peer p = {.fd = -1};
		_cleanup_reply_ struct peer_reply r = {0};
		int status;

		CU_ASSERT_TRUE(peer_open(&p, server_port(f.s), NULL));
		status = peer_request(&p, rows[i].method, rows[i].target, rows[i].headers,
			SPAN_NONE, &r);
		CHECK_ROW(rows[i].name, status == rows[i].status, "got %d", status);
		CHECK_STR(rows[i].name, buf_view(&r.body), rows[i].body);
		if (status == 405) {
			CU_ASSERT_PTR_NOT_NULL(strstr(r.head.p, "\r\nAllow: POST\r\n"));
			CU_ASSERT_PTR_NOT_NULL(strstr(r.head.p, "\r\nRetry-After: 7\r\n"));
			CU_ASSERT_PTR_NOT_NULL(strstr(r.head.p, "-Options: nosniff\r\n"));
		}
	}
}

/* Whatever comes, the server answers 4xx or hangs up, and lives. */
static void test_bad_requests(void)
{
	static const char *const rows[] = {"\r\n\r\n\r\n\r\nX\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "GET / x HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", "\xff\xfe\r\n\r\n",
		"GET / HTTP/1.1\r\nnocolon\r\n\r\n"};
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer good = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};

	if (!fixture_start(&f, &fixture_options))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_peer_ struct peer p = {.fd = -1};
		int status;

		CU_ASSERT_TRUE(peer_open(&p, server_port(f.s), NULL));
		CU_ASSERT_TRUE(peer_puts(&p, rows[i]));
		shutdown(p.fd, SHUT_WR);
		while (poll(&(struct pollfd){.fd = p.fd, .events = POLLIN}, 1, 5) == 0)
			server_sweep(f.s, clock_monotonic_usec() + FIXTURE_REQUEST_USEC + 1);
		status = peer_reply(&p, &r);
		CHECK_ROW(rows[i], status == 0 || (status >= 400 && status <= 505), "%d", status);
	}
	CU_ASSERT_TRUE(peer_open(&good, server_port(f.s), NULL));
	CU_ASSERT_EQUAL(peer_request(&good, "GET", "/", "", SPAN_NONE, &r), 200);
	CU_ASSERT_EQUAL(server_stats(f.s).requests, 1);
}

static void send_chunked(struct peer *p, size_t total)
{
	_cleanup_buf_ struct buf chunk = BUF_INIT(4096);

	for (int i = 0; i < 0x400; i++)
		buf_putc(&chunk, 'x');
	buf_puts(&chunk, "\r\n");
	peer_puts(p, "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (size_t sent = 0; sent < total; sent += 0x400)
		if (!peer_puts(p, "400\r\n") || !peer_send(p, chunk.p, chunk.len))
			return;
	peer_puts(p, "0\r\n\r\n");
}

static void test_body_limit(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer p = {.fd = -1}, chunked = {.fd = -1}, endless = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};
	_cleanup_free_ char *body = malloc(FIXTURE_MAX_BODY);
	struct span all = {body, FIXTURE_MAX_BODY};

	if (!fixture_start(&f, &fixture_options) || !peer_open(&p, server_port(f.s), NULL))
		return;
	memset(body, 'b', FIXTURE_MAX_BODY);
	CU_ASSERT_EQUAL(peer_request(&p, "POST", "/b", "", all, &r), 200);
	CHECK_STR("at the limit", buf_view(&r.body), "POST|/b|||204800");
	/* Only headers are sent: the answer cannot have waited for the body. */
	peer_puts(&p, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 204801\r\n\r\n");
	CU_ASSERT_EQUAL(peer_reply(&p, &r), 413);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.body.p, "\"request body is larger than 204800 bytes\""));
	CU_ASSERT_TRUE(peer_closed(&p));

	CU_ASSERT_TRUE(peer_open(&chunked, server_port(f.s), NULL));
	send_chunked(&chunked, FIXTURE_MAX_BODY);
	CU_ASSERT_EQUAL(peer_reply(&chunked, &r), 200);
	CHECK_STR("chunked", buf_view(&r.body), "POST|/c|||204800");
	send_chunked(&chunked, FIXTURE_MAX_BODY + 1);
	CU_ASSERT_EQUAL(peer_reply(&chunked, &r), 413);
	send_chunked(&chunked, 1024); /* the connection survives */
	CU_ASSERT_EQUAL(peer_reply(&chunked, &r), 200);
	CHECK_STR("chunked", buf_view(&r.body), "POST|/c|||1024");

	CU_ASSERT_TRUE(peer_open(&endless, server_port(f.s), NULL));
	send_chunked(&endless, SIZE_MAX - 4096);
	CU_ASSERT_EQUAL(server_stats(f.s).too_large, 2);
	CU_ASSERT_EQUAL(server_stats(f.s).requests, 3);
}

/* Many large bodies at once share a budget. */
static void test_buffer_budget(void)
{
	struct server_options o = fixture_options;
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer a = {.fd = -1}, b = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};
	_cleanup_free_ char *body = malloc(FIXTURE_MAX_BODY);
	struct span all = {body, FIXTURE_MAX_BODY};
	struct http_exchange *x;

	memset(body, 'b', FIXTURE_MAX_BODY);
	o.limits.max_buffered = FIXTURE_MAX_BODY + 1000;
	if (!fixture_start(&f, &o))
		return;
	CU_ASSERT_TRUE(peer_open(&a, server_port(f.s), NULL));
	CU_ASSERT_TRUE(peer_open(&b, server_port(f.s), NULL));
	peer_puts(&a, "POST /park HTTP/1.1\r\nHost: h\r\nContent-Length: 204800\r\n\r\n");
	peer_send(&a, body, FIXTURE_MAX_BODY);
	x = fixture_await_parked(&f);
	CU_ASSERT_EQUAL(peer_request(&b, "POST", "/b", "", all, &r), 429);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.head.p, "\r\nRetry-After: 1\r\n"));
	CU_ASSERT_EQUAL(peer_request(&b, "POST", "/b", "", (struct span){body, 4096}, &r), 200);
	http_finish(x);
	CU_ASSERT_EQUAL(peer_reply(&a, &r), 200);
	/* a's budget is returned once its answer is out, which is just after it came in. */
	CU_ASSERT_EQUAL(peer_request(&a, "POST", "/b", "", SPAN_LIT("x"), &r), 200);
	CU_ASSERT_EQUAL(peer_request(&b, "POST", "/b", "", all, &r), 200);
}

static void test_header_limit(void)
{
	static const size_t lengths[] = {FIXTURE_MAX_HEADER - 200, FIXTURE_MAX_HEADER + 1,
		2 * FIXTURE_MAX_HEADER, 64 * FIXTURE_MAX_HEADER};
	_cleanup_fixture_ struct fixture f;

	if (!fixture_start(&f, &fixture_options))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (int in_target = 0; in_target < 2; in_target++) {
			_cleanup_peer_ struct peer p = {.fd = -1};
			_cleanup_reply_ struct peer_reply r = {0};
			_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
			int status;

			buf_puts(&b, in_target ? "/" : "X-Long: ");
			for (size_t n = 0; n < lengths[i]; n++)
				buf_putc(&b, 'l');
			buf_puts(&b, in_target ? "" : "\r\n");
			CU_ASSERT_TRUE(peer_open(&p, server_port(f.s), NULL));
			status = peer_request(&p, "GET", in_target ? b.p : "/", in_target ? "" : b.p,
				SPAN_NONE, &r);
			if (lengths[i] < FIXTURE_MAX_HEADER)
				CHECK_ROW("fits", status == 200, "%d", status);
			else /* 0: reset, for what was still unread */
				CHECK_ROW("too long", status == 431 || status == 414 ||
					(status == 0 && i == 3), "%zu: %d", lengths[i], status);
		}
	}
	CU_ASSERT_EQUAL(server_stats(f.s).requests, 2);
}

static void test_in_flight_limit(void)
{
	struct server_options o = fixture_options;
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer a = {.fd = -1}, b = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};

	o.limits.max_in_flight = 1;
	if (!fixture_start(&f, &o))
		return;
	CU_ASSERT_TRUE(peer_open(&a, server_port(f.s), NULL));
	CU_ASSERT_TRUE(peer_open(&b, server_port(f.s), NULL));
	peer_puts(&a, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
	struct http_exchange *x = fixture_await_parked(&f);

	CU_ASSERT_EQUAL(peer_request(&b, "POST", "/b", "", SPAN_LIT("x"), &r), 429);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.head.p, "\r\nRetry-After: 1\r\n"));
	CHECK_STR("429", buf_view(&r.body), "{\"kind\":\"Status\",\"apiVersion\":\"v1\","
		"\"metadata\":{},\"status\":\"Failure\",\"message\":\"too many requests at once\","
		"\"reason\":\"TooManyRequests\",\"code\":429}\n");
	CU_ASSERT_EQUAL(server_stats(f.s).shed, 1);
	CU_ASSERT_EQUAL(server_stats(f.s).in_flight, 1);
	http_finish(x);
	CU_ASSERT_EQUAL(peer_reply(&a, &r), 200);
	CHECK_STR("parked", buf_view(&r.body), "deferred /park");
	/* On the connection that was shed. */
	CU_ASSERT_EQUAL(peer_request(&b, "POST", "/b", "", SPAN_LIT("x"), &r), 200);
}

static void test_deferred(void)
{
	static const char *const paths[] = {"/early", "/race"};
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer p = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};

	if (!fixture_start(&f, &fixture_options) || !peer_open(&p, server_port(f.s), NULL))
		return;
	for (int i = 0; i < 300; i++) {
		CU_ASSERT_EQUAL(peer_request(&p, "GET", paths[i % 2], "", SPAN_NONE, &r), 200);
		CHECK_STR("deferred", buf_view(&r.body), i % 2 ? "deferred /race" : "deferred /early");
	}
	CU_ASSERT_EQUAL(server_stats(f.s).in_flight, 0);
}

/* The client leaves, or the server is stopped, while the answer is being worked on. */
static void test_deferred_abandoned(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer p = {.fd = -1}, q = {.fd = -1};
	struct http_exchange *x;

	if (!fixture_start(&f, &fixture_options) || !peer_open(&p, server_port(f.s), NULL))
		return;
	peer_puts(&p, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
	x = fixture_await_parked(&f);
	peer_close(&p);
	http_finish(x);
	CU_ASSERT_TRUE(fixture_await_connections(&f, 0, 0));

	CU_ASSERT_TRUE(peer_open(&q, server_port(f.s), NULL));
	peer_puts(&q, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
	x = fixture_await_parked(&f);
	fixture_stop(&f);
	CU_ASSERT_TRUE(peer_closed(&q));
	buf_puts(f.parked_res->body, " too late"); /* still there */
	http_finish(x);
}

CU_TestInfo server_tests[] = {
	{"keep-alive", test_keep_alive},
	{"requests", test_requests},
	{"bad requests", test_bad_requests},
	{"body limit", test_body_limit},
	{"budget of large bodies", test_buffer_budget},
	{"header limit", test_header_limit},
	{"in-flight limit", test_in_flight_limit},
	{"deferred", test_deferred},
	{"deferred and abandoned", test_deferred_abandoned},
	CU_TEST_INFO_NULL,
};
