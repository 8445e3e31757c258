/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/scrub.h"
#include "tests/unit/fake_server.h"
#include "tests/unit/test.h"

enum { PATIENCE_USEC = 60 * USEC_PER_SEC };

/* A loop, a server and a client for one test; what the callbacks saw. */
struct fix {
	sd_event *event;
	struct fake_server *server;
	struct http_client *client;
	char url[64];
	struct http_call *call, *other;
	unsigned done, chunks;
	int status;
	int64_t retry_after;
	struct buf body;
	char error[256];
	bool (*on_data)(struct fix *f, struct span chunk);
	void (*on_done)(struct fix *f);
};

static bool fix_begin(struct fix *f, fake_fn fn)
{
	struct http_client_options o = {.user_agent = "casemate-test/1"};

	*f = (struct fix){.body = BUF_INIT(1 << 20)};
	f->server = fake_server_start(fn, NULL);
	CU_ASSERT_PTR_NOT_NULL(f->server);
	CU_ASSERT_EQUAL(sd_event_new(&f->event), 0);
	CU_ASSERT_EQUAL(http_client_new(&f->client, f->event, &o, NULL), 0);
	if (!f->server || !f->client)
		return false;
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/x", fake_server_port(f->server));
	return true;
}

static void fix_end(struct fix *f)
{
	http_client_free(f->client);
	fake_server_stop(f->server);
	sd_event_unref(f->event);
	buf_free(&f->body);
}

static bool on_data(void *ctx, struct span chunk)
{
	struct fix *f = ctx;

	f->chunks++;
	buf_span(&f->body, chunk);
	return f->on_data ? f->on_data(f, chunk) : true;
}

static void on_done(void *ctx, const struct http_result *r)
{
	struct fix *f = ctx;

	f->done++;
	f->status = r->status;
	f->retry_after = r->retry_after;
	snprintf(f->error, sizeof(f->error), "%s", r->error ? r->error : "");
	buf_span(&f->body, r->body);
	if (f->on_done)
		f->on_done(f);
}

static int fix_call(struct fix *f, struct http_call_options o)
{
	o.method = o.method ? o.method : "GET";
	o.url = o.url ? o.url : f->url;
	o.max_response = o.max_response ? o.max_response : 1 << 20;
	o.timeout_usec = o.timeout_usec ? o.timeout_usec : PATIENCE_USEC;
	o.done = on_done;
	o.ctx = f;
	return http_call(f->client, &o, &f->call, NULL);
}

/* A call that gets no answer. */
static void fix_hang(struct fix *f)
{
	char url[80];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/hang", fake_server_port(f->server));
	CU_ASSERT_EQUAL(fix_call(f, (struct http_call_options){.url = url}), 0);
	f->other = f->call;
}

/* Runs the loop until n calls are done or nothing happens for long. */
static void fix_wait(struct fix *f, unsigned n)
{
	int64_t end = clock_monotonic_usec() + PATIENCE_USEC;

	while (f->done < n && clock_monotonic_usec() < end)
		sd_event_run(f->event, 10 * USEC_PER_MSEC);
}

/* Runs it until the stream's first chunk was given. */
static void fix_wait_chunk(struct fix *f)
{
	int64_t end = clock_monotonic_usec() + PATIENCE_USEC;

	while (f->chunks == 0 && clock_monotonic_usec() < end)
		sd_event_run(f->event, 10 * USEC_PER_MSEC);
}

/* Runs it for a while, for what must not happen. */
static void fix_linger(struct fix *f)
{
	int64_t end = clock_monotonic_usec() + 30 * USEC_PER_MSEC;

	while (clock_monotonic_usec() < end)
		sd_event_run(f->event, 5 * USEC_PER_MSEC);
}

static void answer_ok(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	(void)ctx;
	(void)n;
	if (!strstr(request, " /hang "))
		fake_respond(reply, 200, NULL, "{\"ok\":true}");
}

static void test_requests(void)
{
	static const struct {
		const char *method, *body, *type, *bearer, *line;
		bool length;
	} rows[] = {
		{"GET", NULL, NULL, NULL, "GET /x HTTP/1.1\r\n", false},
		{"GET", NULL, NULL, "t0ken", "GET /x HTTP/1.1\r\n", false},
		{"POST", "{}", "application/json", "t", "POST /x HTTP/1.1\r\n", true},
		{"POST", NULL, NULL, NULL, "POST /x HTTP/1.1\r\n", true},
		{"PUT", "{}", "application/json", NULL, "PUT /x HTTP/1.1\r\n", true},
		{"PATCH", "[]", "application/json-patch+json", NULL, "PATCH /x HTTP/1.1\r\n", true},
		{"DELETE", NULL, NULL, NULL, "DELETE /x HTTP/1.1\r\n", false},
		{"DELETE", "{}", "application/json", NULL, "DELETE /x HTTP/1.1\r\n", true},
	};
	struct fix f;

	if (!fix_begin(&f, answer_ok))
		return;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *request = NULL;
		char want[64];

		buf_reset(&f.body);
		CU_ASSERT_EQUAL(fix_call(&f,
					(struct http_call_options){
						.method = rows[i].method,
						.content_type = rows[i].type,
						.bearer = rows[i].bearer,
						.body = span_str(rows[i].body),
					}),
			0);
		fix_wait(&f, i + 1);
		CHECK_STR(rows[i].line, buf_view(&f.body), "{\"ok\":true}");
		CHECK_ROW(rows[i].line, f.status == 200 && !f.error[0], "%d %s", f.status, f.error);
		request = fake_server_request(f.server, i);
		if (!CHECK_ROW(rows[i].line, request, "no request came"))
			break;
		CHECK_ROW(
			rows[i].line, span_starts(span_str(request), rows[i].line), "%s", request);
		snprintf(want, sizeof(want), "\r\nContent-Type: %s\r\n", rows[i].type);
		CHECK_ROW(rows[i].line,
			rows[i].type ? !!strstr(request, want) : !strstr(request, "Content-Type"),
			"%s", request);
		snprintf(want, sizeof(want), "\r\nAuthorization: Bearer %s\r\n", rows[i].bearer);
		CHECK_ROW(rows[i].line,
			rows[i].bearer ? !!strstr(request, want)
				       : !strstr(request, "Authorization"),
			"%s", request);
		CHECK_ROW(rows[i].line, !!strstr(request, "Content-Length") == rows[i].length, "%s",
			request);
		CHECK_ROW(rows[i].line,
			!strstr(request, "Expect") &&
				strstr(request, "\r\nAccept: application/json\r\n") &&
				strstr(request, "\r\nUser-Agent: casemate-test/1\r\n"),
			"%s", request);
		snprintf(want, sizeof(want), "\r\n\r\n%s", rows[i].body ? rows[i].body : "");
		CHECK_ROW(rows[i].line, strcmp(strstr(request, "\r\n\r\n"), want) == 0, "%s",
			request);
	}
	unsetenv("http_proxy");
	fix_end(&f);
}

static void test_refused(void)
{
	struct fix f;

	if (!fix_begin(&f, answer_ok))
		return;
	CU_ASSERT_EQUAL(fix_call(&f, (struct http_call_options){.bearer = "a\r\nX: y"}), -EINVAL);
	CU_ASSERT_EQUAL(fix_call(&f, (struct http_call_options){.content_type = "a\nb"}), -EINVAL);
	CU_ASSERT_EQUAL(fix_call(&f, (struct http_call_options){.url = "http://h/\r\n"}), -EINVAL);
	/* No roots: no TLS. And never files. */
	CU_ASSERT_EQUAL(fix_call(&f, (struct http_call_options){.url = "https://127.0.0.1:1/"}), 0);
	fix_wait(&f, 1);
	CHECK_ROW("https", f.status == 0 && strstr(f.error, "https"), "%d %s", f.status, f.error);
	CU_ASSERT_EQUAL(fix_call(&f, (struct http_call_options){.url = "file:///etc/passwd"}), 0);
	fix_wait(&f, 2);
	CHECK_ROW("file", f.status == 0 && strstr(f.error, "file"), "%d %s", f.status, f.error);
	CU_ASSERT_EQUAL(f.done, 2);
	CU_ASSERT_EQUAL(fake_server_requests(f.server), 0);
	fix_end(&f);
}

static void answer_variously(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	(void)ctx;
	(void)request;
	switch (n) {
	case 0:
		fake_respond(reply, 429, "Retry-After: 7\r\n", "slow down");
		break;
	case 1:
		fake_respond(reply, 503, "Retry-After: 0\r\n", "");
		break;
	case 2:
		fake_respond(reply, 302, "Location: http://127.0.0.1:1/\r\n", "moved");
		break;
	case 3:
		fake_respond(reply, 200, NULL, "123456789");
		break;
	case 4:
		fake_respond(reply, 200, NULL, "12345678");
		break;
	case 5: /* shorter than it says */
		buf_puts(&reply->data, "HTTP/1.1 200 X\r\nContent-Length: 8\r\n\r\nabc");
		reply->close = true;
		break;
	case 6:
		buf_puts(&reply->data, "garbage\r\n\r\n");
		reply->close = true;
		break;
	default: /* nothing: the call's time runs out */
		break;
	}
}

static void test_results(void)
{
	static const struct {
		const char *name;
		int status;
		int64_t retry_after;
		const char *body, *error;
	} rows[] = {
		{"Retry-After", 429, 7, "slow down", ""},
		{"Retry-After: 0", 503, 0, "", ""},
		{"redirects are not followed", 302, -1, "moved", ""},
		{"too large", 200, -1, "", "the response is larger than 8 bytes"},
		{"as large as allowed", 200, -1, "12345678", ""},
		{"cut short", 200, -1, "", "transfer closed with 5 bytes remaining to read"},
		{"no HTTP", 0, -1, "", "Received HTTP/0.9 when not allowed"},
		{"silence", 0, -1, "", "Operation timed out"},
	};
	struct fix f;

	if (!fix_begin(&f, answer_variously))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t max = i >= 3 ? 8 : 100;
		bool silence = i == ARRAY_SIZE(rows) - 1;

		buf_reset(&f.body);
		CU_ASSERT_EQUAL(
			fix_call(&f, (struct http_call_options){.max_response = max,
					     .timeout_usec = silence ? 2 * USEC_PER_SEC : 0}),
			0);
		fix_wait(&f, i + 1);
		CHECK_ROW(rows[i].name, f.status == rows[i].status, "status %d", f.status);
		CHECK_ROW(rows[i].name, f.retry_after == rows[i].retry_after, "%lld",
			(long long)f.retry_after);
		CHECK_STR(rows[i].name, buf_view(&f.body), rows[i].body);
		CHECK_ROW(rows[i].name,
			span_starts(span_str(f.error), rows[i].error) &&
				!f.error[0] == !rows[i].error[0],
			"%s", f.error);
	}
	fix_end(&f);
}

/* 0: a stream in odd pieces; 1: an error; 2: a stream that falls silent. */
static void answer_stream(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	(void)ctx;
	if (strstr(request, " /hang "))
		return;
	if (n == 1) {
		fake_respond(reply, 410, NULL, "Gone");
		return;
	}
	fake_stream(reply, 200);
	fake_chunk(reply, "one ");
	fake_chunk(reply, "two ");
	fake_chunk(reply, "three");
	if (n == 0)
		fake_stream_end(reply);
	reply->piece = 9;
	reply->pause_usec = strstr(request, " /slow ") ? 200 * USEC_PER_MSEC : 0;
}

static bool expect_empty_first(struct fix *f, struct span chunk)
{
	CU_ASSERT_EQUAL(f->chunks == 1, chunk.len == 0);
	return true;
}

static void test_streaming(void)
{
	struct http_call_options o = {.data = on_data, .max_response = 4};
	char url[64];
	int64_t began;
	struct fix f;

	if (!fix_begin(&f, answer_stream))
		return;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/slow", fake_server_port(f.server));
	o.url = url;
	f.on_data = expect_empty_first;
	/* Slower in all than silence may last. */
	o.idle_usec = 2 * USEC_PER_SEC;
	CU_ASSERT_EQUAL(fix_call(&f, o), 0);
	fix_wait(&f, 1);
	CHECK_STR("stream", buf_view(&f.body), "one two three");
	CU_ASSERT_TRUE(f.status == 200 && !f.error[0] && f.chunks > 3);

	o.url = NULL;
	buf_reset(&f.body);
	f.chunks = 0;
	CU_ASSERT_EQUAL(fix_call(&f, o), 0);
	fix_wait(&f, 2);
	CHECK_STR("an error is collected", buf_view(&f.body), "Gone");
	CU_ASSERT_TRUE(f.status == 410 && f.chunks == 0);

	buf_reset(&f.body);
	began = clock_monotonic_usec();
	CU_ASSERT_EQUAL(fix_call(&f, o), 0);
	fix_wait(&f, 3);
	CHECK_STR("until it fell silent", buf_view(&f.body), "one two three");
	CHECK_STR("silence", span_str(f.error), "no data for 2000 ms");
	began = clock_monotonic_usec() - began;
	CHECK_ROW("silence", began >= o.idle_usec, "%lld us", (long long)began);
	fix_end(&f);
}

static bool stop_reading(struct fix *f, struct span chunk)
{
	(void)f;
	return chunk.len == 0;
}

static bool cancel_self(struct fix *f, struct span chunk)
{
	(void)chunk;
	http_cancel(f->call);
	return true;
}

static bool free_client(struct fix *f, struct span chunk)
{
	(void)chunk;
	http_client_free(f->client);
	f->client = NULL;
	return true;
}

static bool start_another(struct fix *f, struct span chunk)
{
	(void)chunk;
	if (f->chunks == 1)
		CU_ASSERT_EQUAL(fix_call(f, (struct http_call_options){.data = on_data}), 0);
	return true;
}

static bool start_and_cancel(struct fix *f, struct span chunk)
{
	struct http_call *mine = f->call;

	(void)chunk;
	CU_ASSERT_EQUAL(fix_call(f, (struct http_call_options){.data = on_data}), 0);
	http_cancel(f->call);
	f->call = mine;
	http_cancel(mine);
	return false;
}

static bool cancel_other(struct fix *f, struct span chunk)
{
	(void)chunk;
	http_cancel(f->other);
	f->other = NULL;
	return true;
}

static void test_inside_data(void)
{
	static const struct {
		const char *name;
		bool (*on_data)(struct fix *f, struct span chunk);
		bool other; /* a second call is under way */
		unsigned done, requests;
		const char *error;
	} rows[] = {
		{"the reader ends it", stop_reading, false, 1, 1, "ended by the reader"},
		{"cancelled", cancel_self, false, 0, 1, ""},
		{"client freed", free_client, false, 0, 1, ""},
		{"client freed, two calls", free_client, true, 0, 2, ""},
		{"another started", start_another, false, 2, 2, ""},
		{"another started, both cancelled", start_and_cancel, false, 0, 1, ""},
		{"another cancelled", cancel_other, true, 1, 2, ""},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f;

		if (!fix_begin(&f, answer_stream))
			return;
		f.on_data = rows[i].on_data;
		CU_ASSERT_EQUAL(fix_call(&f, (struct http_call_options){.data = on_data}), 0);
		if (rows[i].other) {
			struct http_call *mine = f.call;

			fix_hang(&f);
			f.call = mine;
		}
		fix_wait_chunk(&f);
		fix_wait(&f, rows[i].done);
		fix_linger(&f);
		CHECK_ROW(rows[i].name, f.done == rows[i].done, "done %u times", f.done);
		/* Cancelling may be faster than sending. */
		CHECK_ROW(rows[i].name,
			fake_server_requests(f.server) <= rows[i].requests && f.chunks > 0, "%u",
			fake_server_requests(f.server));
		CHECK_STR(rows[i].name, span_str(f.error), rows[i].error);
		fix_end(&f);
	}
}

static void done_cancels_self(struct fix *f)
{
	http_cancel(f->call);
}

static void done_frees_client(struct fix *f)
{
	http_client_free(f->client);
	f->client = NULL;
}

static void done_cancels_other(struct fix *f)
{
	http_cancel(f->other);
	f->other = NULL;
}

static void done_calls_again(struct fix *f)
{
	if (f->done < 5)
		CU_ASSERT_EQUAL(fix_call(f, (struct http_call_options){0}), 0);
}

static void test_inside_done(void)
{
	static const struct {
		const char *name;
		void (*on_done)(struct fix *f);
		bool other;
		unsigned done;
	} rows[] = {
		{"cancels itself", done_cancels_self, false, 1},
		{"frees the client", done_frees_client, false, 1},
		{"frees the client, two calls", done_frees_client, true, 1},
		{"cancels the other", done_cancels_other, true, 1},
		{"calls again", done_calls_again, false, 5},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f;

		if (!fix_begin(&f, answer_ok))
			return;
		f.on_done = rows[i].on_done;
		if (rows[i].other)
			fix_hang(&f);
		CU_ASSERT_EQUAL(fix_call(&f, (struct http_call_options){0}), 0);
		fix_wait(&f, rows[i].done);
		fix_linger(&f);
		CHECK_ROW(rows[i].name, f.done == rows[i].done, "done %u times", f.done);
		CHECK_ROW(rows[i].name, f.status == 200 && !f.error[0], "%d %s", f.status, f.error);
		fix_end(&f);
	}
}

static void answer_headers(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	(void)ctx;
	(void)n;
	(void)request;
	fake_respond(reply, 200, "Issuer-CHAIN: a%20b\r\nissuer-chain: second\r\n", "");
}

static void look_at_headers(void *ctx, const struct http_result *r)
{
	struct fix *f = ctx;
	const char *first = http_result_header(r, "issuer-Chain");

	f->done++;
	CHECK_STR("first", span_str(first ? first : "none"), "a%20b");
	CU_ASSERT_PTR_NULL(http_result_header(r, "Issuer"));
}

static void test_headers(void)
{
	struct http_call_options o = {
		.method = "GET",
		.max_response = 1,
		.timeout_usec = PATIENCE_USEC,
		.done = look_at_headers,
	};
	struct fix f;

	if (!fix_begin(&f, answer_headers))
		return;
	o.url = f.url;
	o.ctx = &f;
	CU_ASSERT_EQUAL(http_call(f.client, &o, NULL, NULL), 0);
	fix_wait(&f, 1);
	CU_ASSERT_EQUAL(f.done, 1);
	fix_end(&f);
}

static void answer_with_line(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	char line[128];

	(void)ctx;
	(void)n;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(request, "\r"), request);
	fake_respond(reply, 200, NULL, line);
}

/* A proxy is handed the whole address; it alone knows the host. */
static void test_proxy(void)
{
	struct http_client_options o = {.user_agent = "t"};
	struct fix f;
	char proxy[64];

	if (fix_begin(&f, answer_with_line)) {
		snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", fake_server_port(f.server));
		o.proxy = proxy;
		http_client_free(f.client);
		f.client = NULL;
		CU_ASSERT_EQUAL(http_client_new(&f.client, f.event, &o, NULL), 0);
		CU_ASSERT_EQUAL(
			fix_call(&f, (struct http_call_options){.url = "http://pccs.invalid/x"}),
			0);
		fix_wait(&f, 1);
		CHECK_STR("line", buf_view(&f.body), "GET http://pccs.invalid/x HTTP/1.1");
	}
	fix_end(&f);
}

static void test_loopback(void)
{
	static const struct {
		const char *url;
		bool want;
	} rows[] = {
		{"http://127.0.0.1", true},
		{"http://127.0.0.1/", true},
		{"http://127.0.0.1:8081/x", true},
		{"http://localhost?x", true},
		{"http://[::1]:80", true},
		{"https://127.0.0.1", false},
		{"http://localhost.example/", false},
		{"http://127.0.0.1@example/", false},
		{"http://127.0.0.1:80@example/", false},
		{"http://localhost:x@example/", false},
		{"http://127.0.0.1:80\\@example/", false},
		{"http://example/127.0.0.1", false},
		{"", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(rows[i].url, http_is_loopback(rows[i].url) == rows[i].want, "%d",
			!rows[i].want);
}

/* Streams hold connections, as watches do; calls beside them use theirs again. */
static void test_connections_kept(void)
{
	enum { HELD = 9, CALLS = 20 };
	struct http_client_options o = {.max_connections = 24};
	struct fix f;

	if (!fix_begin(&f, answer_ok))
		return;
	http_client_free(f.client);
	CU_ASSERT_EQUAL(http_client_new(&f.client, f.event, &o, NULL), 0);
	for (unsigned i = 0; i < HELD; i++)
		fix_hang(&f);
	for (unsigned i = 0; i < CALLS; i++) {
		CU_ASSERT_EQUAL(fix_call(&f, (struct http_call_options){0}), 0);
		fix_wait(&f, i + 1);
	}
	CU_ASSERT_EQUAL(f.done, CALLS);
	CU_ASSERT_EQUAL(fake_server_connections(f.server), HELD + 1);
	fix_end(&f);
}

static void test_scrub(void)
{
	_cleanup_scrub_ struct scrub b = {.max = 3000};
	char kilobyte[1024] = {'x'};

	CU_ASSERT_EQUAL(scrub_add(&b, SPAN_LIT("secret")), 0);
	CU_ASSERT_EQUAL(scrub_add(&b, (struct span){kilobyte, sizeof(kilobyte)}), 0);
	CU_ASSERT_EQUAL(scrub_add(&b, (struct span){kilobyte, sizeof(kilobyte)}), 0);
	CU_ASSERT_EQUAL(scrub_add(&b, (struct span){kilobyte, sizeof(kilobyte)}), -E2BIG);
	CU_ASSERT_EQUAL(b.len, 6 + 2048);
	CU_ASSERT_EQUAL(memcmp(b.p, "secretx", 7), 0);
	scrub_reset(&b);
	CU_ASSERT_EQUAL(b.p[0], 0);
	CU_ASSERT_EQUAL(b.p[6], 0);
	CU_ASSERT_EQUAL(scrub_view(&b).len, 0);
	CU_ASSERT_EQUAL(scrub_add(&b, SPAN_NONE), 0);
}

CU_TestInfo http_tests[] = {
	{"proxy", test_proxy},
	{"requests as sent", test_requests},
	{"what is refused", test_refused},
	{"results", test_results},
	{"streaming and silence", test_streaming},
	{"cancel, free, call inside data", test_inside_data},
	{"cancel, free, call inside done", test_inside_done},
	{"response headers", test_headers},
	{"connections are kept", test_connections_kept},
	{"loopback", test_loopback},
	{"scrubbed buffers", test_scrub},
	CU_TEST_INFO_NULL,
};
