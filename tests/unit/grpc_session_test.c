/* SPDX-License-Identifier: Apache-2.0
 *
 * Both roles back to back, and conversations that are cut or broken. */
#include "common/net/grpc_session.h"

#include <errno.h>

#include "tests/unit/grpc_core.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

enum { LIST = 39 * (1 << 20) / 10 };

/* --- back to back --- */

struct pair {
	struct grpc_session *server, *client;
	struct echo echo;
};

static bool pair_open(struct pair *p)
{
	struct grpc_session_options server = {
		.methods = echo_methods, .n_methods = ECHO_METHODS, .ctx = &p->echo};
	struct grpc_session_options client = {0};

	return grpc_session_new(&p->server, &server, 0) == 0 &&
	       grpc_session_new(&p->client, &client, 0) == 0;
}

static void pair_close(struct pair *p)
{
	if (p->server)
		grpc_session_close(p->server, "the test is over", true);
	grpc_session_free(p->server);
	grpc_session_free(p->client);
}

static bool move(struct grpc_session *from, struct grpc_session *to, size_t piece)
{
	char bytes[20000];
	size_t n = grpc_session_send(from, bytes, piece);

	grpc_session_receive(to, (struct span){bytes, n}, 0);
	return n > 0;
}

/* Until neither has anything to say. */
static void pair_run(struct pair *p, size_t piece)
{
	bool moved = true;

	while (moved) {
		moved = move(p->client, p->server, piece);
		moved |= move(p->server, p->client, piece);
	}
}

static void test_back_to_back(void)
{
	static const struct {
		const char *name, *path;
		size_t bytes, piece;
		char first;
		unsigned messages;
	} rows[] = {
		{"a list, both ways", "/test.Echo/Echo", LIST, 16384, 0, 1},
		{"a list by odd pieces", "/test.Echo/Echo", LIST, 1009, 0, 1},
		{"byte by byte", "/test.Echo/Echo", 100000, 1, 0, 1},
		{"three lists", "/test.Echo/Repeat", LIST / 2, 20000, 3, 3},
		{"many small ones", "/test.Echo/Repeat", 100, 9, (char)255, 255},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(pair_close) struct pair p = {0};
		_cleanup_asked_ struct asked a = {0};
		struct span message = core_bytes(rows[i].bytes);
		struct grpc_stream_options o = asked_options(&a, rows[i].path, message, 0);

		if (!message.p || !pair_open(&p))
			return;
		((char *)message.p)[0] = rows[i].first;
		CU_ASSERT_EQUAL(grpc_session_start(p.client, &o, 0, NULL, NULL), 0);
		pair_run(&p, rows[i].piece);
		CHECK_ROW(rows[i].name,
			a.dones == 1 && a.status == GRPC_OK && a.messages == rows[i].messages,
			"%u ends, %s \"%s\", %u messages", a.dones, grpc_status_name(a.status),
			a.text, a.messages);
		CHECK_ROW(rows[i].name, span_equal(buf_view(&a.last), message), "other bytes");
		CU_ASSERT(!grpc_session_over(p.client) && !grpc_session_over(p.server));
		free((char *)message.p);
	}
}

/* As many calls as there may be, answered in the other order. */
static void test_many_calls(void)
{
	static struct asked a[GRPC_STREAMS_MAX];
	_cleanup_(pair_close) struct pair p = {.echo.silent = true};

	if (!pair_open(&p))
		return;
	memset(a, 0, sizeof(a));
	for (unsigned i = 0; i < GRPC_STREAMS_MAX; i++) {
		struct grpc_stream_options o =
			asked_options(&a[i], "/test.Echo/Hold", SPAN_NONE, 0);

		CU_ASSERT_EQUAL(grpc_session_start(p.client, &o, 0, NULL, NULL), 0);
	}
	pair_run(&p, 16384);
	CU_ASSERT_EQUAL(p.echo.n_held, GRPC_STREAMS_MAX);
	for (unsigned i = GRPC_STREAMS_MAX; i-- > 0;)
		grpc_finish(p.echo.held[i], i % 2 ? GRPC_OK : GRPC_NOT_FOUND, "as told");
	pair_run(&p, 16384);
	for (unsigned i = 0; i < GRPC_STREAMS_MAX; i++) {
		CU_ASSERT_EQUAL(a[i].dones, 1);
		CU_ASSERT_EQUAL(a[i].status, i % 2 ? GRPC_OK : GRPC_NOT_FOUND);
		CHECK_STR("text", span_str(a[i].text), "as told");
	}
}

/* A cancelled call tells the handler; a server that shuts down ends its clients' calls. */
static void test_endings(void)
{
	_cleanup_(pair_close) struct pair p = {0};
	_cleanup_asked_ struct asked a = {0}, b = {0};
	struct grpc_stream_options o = asked_options(&a, "/test.Echo/Hold", SPAN_NONE, 0);
	struct grpc_stream_options later = asked_options(&b, "/test.Echo/Hold", SPAN_NONE, 0);

	if (!pair_open(&p))
		return;
	CU_ASSERT_EQUAL(grpc_session_start(p.client, &o, 0, &a.stream, NULL), 0);
	pair_run(&p, 16384);
	CU_ASSERT_EQUAL(a.messages, 1);
	grpc_cancel(a.stream);
	pair_run(&p, 16384);
	CU_ASSERT_EQUAL(p.echo.closed, 1);
	CU_ASSERT_EQUAL(a.dones, 0);

	CU_ASSERT_EQUAL(grpc_session_start(p.client, &later, 0, &b.stream, NULL), 0);
	pair_run(&p, 16384);
	grpc_session_shut(p.server);
	pair_run(&p, 16384);
	CU_ASSERT(grpc_session_over(p.server));
	grpc_session_close(p.server, "unused", true);
	CU_ASSERT_EQUAL(p.echo.closed, 2);
	CU_ASSERT_EQUAL(b.dones, 0);
	grpc_session_close(p.client, "the peer closed the connection", true);
	CU_ASSERT_EQUAL(b.dones, 1);
	CU_ASSERT_EQUAL(b.status, GRPC_UNAVAILABLE);
	CHECK_STR("why", span_str(b.text), "the peer ended the connection (NO_ERROR)");
}

/* --- a recorded conversation --- */

static void record(struct core *c)
{
	static const char *const changes[] = {"grpc-timeout", "10S", NULL};

	h2_preface(&c->in);
	core_request(c, 1, "Echo", SPAN_LIT("hello"));
	core_request(c, 3, "Hold", SPAN_NONE);
	h2_frame(&c->in, NGHTTP2_PING, 0, 0, SPAN_LIT("12345678"));
	h2_request(&c->in, 0, 5, "/test.Echo/Hold", changes);
	h2_data(&c->in, 0, 5, SPAN_LIT("\0\0\0"));
	h2_data(&c->in, END, 5, SPAN_LIT("\0\3abc"));
	h2_window(&c->in, 0, 1000);
	core_request(c, 7, "Nothing", SPAN_NONE);
	h2_reset(&c->in, 3, NGHTTP2_CANCEL);
	core_request(c, 9, "Repeat", SPAN_LIT("\3x"));
	h2_frame(&c->in, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, SPAN_NONE);
	h2_goaway(&c->in, 0, NGHTTP2_NO_ERROR, "");
}

/* A server that gets bytes of the conversation, then loses the connection; what it said, to out. */
static void replay(struct span bytes, size_t piece, struct buf *out)
{
	_cleanup_core_ struct core c = {.in = BUF_INIT(H2_MAX), .out = BUF_INIT(H2_MAX)};
	struct grpc_session_options o = {
		.methods = echo_methods, .n_methods = ECHO_METHODS, .ctx = &c.echo};

	if (grpc_session_new(&c.s, &o, 0) < 0)
		return;
	buf_span(&c.in, bytes);
	core_go_by(&c, piece);
	buf_reset(out);
	buf_span(out, buf_view(&c.out));
	grpc_session_close(c.s, "cut", true);
	/* Hold's two calls are told about their end unless they had none. */
	CHECK_ROW("replay", c.echo.closed == c.echo.n_held, "%u of %zu at %zu bytes", c.echo.closed,
		c.echo.n_held, bytes.len);
}

/* Answers come in the order of nghttp2's choice; frame by frame they are the same. */
static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(struct buf *b)
{
	_cleanup_buf_ struct buf sorted = BUF_INIT(H2_MAX);
	char *lines[64], *next = b->p;
	size_t n = 0;

	while (n < ARRAY_SIZE(lines) && (lines[n] = strsep(&next, "\n")) && lines[n][0])
		n++;
	qsort(lines, n, sizeof(lines[0]), compare_lines);
	for (size_t i = 0; i < n; i++)
		buf_printf(&sorted, "%s\n", lines[i]);
	buf_reset(b);
	buf_span(b, buf_view(&sorted));
}

static void test_truncations(void)
{
	_cleanup_core_ struct core c = {.in = BUF_INIT(H2_MAX)};
	_cleanup_buf_ struct buf whole = BUF_INIT(H2_MAX), got = BUF_INIT(H2_MAX);

	record(&c);
	replay(buf_view(&c.in), c.in.len, &whole);
	CU_ASSERT_PTR_NOT_NULL(strstr(whole.p, "data 1 \"\\0\\0\\0\\0\\5hello\"\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(whole.p, "ping ack\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(whole.p, "headers 9 grpc-status=0 end\n"));
	sort_lines(&whole);
	for (size_t n = 0; n < c.in.len; n++)
		replay((struct span){c.in.p, n}, c.in.len, &got);
	for (size_t piece = 1; piece < 30; piece++) {
		replay(buf_view(&c.in), piece, &got);
		sort_lines(&got);
		CHECK_ROW("pieces", span_equal(buf_view(&got), buf_view(&whole)), "of %zu:\n%s",
			piece, got.p);
	}
}

/* Every byte of it changed in two ways. */
static void test_changed_bytes(void)
{
	_cleanup_core_ struct core c = {.in = BUF_INIT(H2_MAX)};
	_cleanup_buf_ struct buf got = BUF_INIT(H2_MAX);

	record(&c);
	for (size_t i = 0; i < c.in.len; i++) {
		for (int bit = 1; bit <= 128; bit *= 16) {
			c.in.p[i] ^= (char)bit;
			replay(buf_view(&c.in), 64, &got);
			c.in.p[i] ^= (char)bit;
		}
	}
}

/* --- what never becomes HTTP/2 --- */

static void test_prefaces(void)
{
	static const struct {
		const char *name;
		struct span in;
		const char *why; /* NULL: by the deadline */
	} rows[] = {
		{"silence", {"", 0}, NULL},
		{"half a preface", {"PRI * HTTP/2.0\r\n", 16}, NULL},
		{"no SETTINGS", {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24}, NULL},
		{"HTTP/1.1", {"GET / HTTP/1.1\r\n\r\n", 18},
			"the peer broke HTTP/2 (Received bad client magic byte string)"},
		{"TLS", {"\x16\3\1\2\0\1\0\1", 8},
			"the peer broke HTTP/2 (Received bad client magic byte string)"},
		{"no SETTINGS first", {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x08\6\0\0\0\0\0", 33},
			"the peer broke HTTP/2 (PROTOCOL_ERROR: SETTINGS expected)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct grpc_session_options o = {
			.methods = echo_methods, .n_methods = ECHO_METHODS};
		_cleanup_core_ struct core c = {.in = BUF_INIT(H2_MAX), .out = BUF_INIT(H2_MAX)};

		if (grpc_session_new(&c.s, &o, 0) < 0)
			return;
		buf_span(&c.in, rows[i].in);
		core_go(&c);
		CHECK_ROW(rows[i].name, grpc_session_over(c.s) == !!rows[i].why, "%s",
			grpc_session_why(c.s));
		if (!rows[i].why) {
			CU_ASSERT_EQUAL(grpc_session_deadline(c.s), GRPC_PREFACE_USEC);
			grpc_session_tick(c.s, GRPC_PREFACE_USEC - 1);
			CU_ASSERT(!grpc_session_over(c.s));
			grpc_session_tick(c.s, GRPC_PREFACE_USEC);
			CU_ASSERT(grpc_session_over(c.s));
		}
		CHECK_STR(rows[i].name, span_str(grpc_session_why(c.s)),
			rows[i].why ? rows[i].why : "no HTTP/2 from the peer within 20 seconds");
	}
}

/* A call either cannot begin, or ends exactly once. */
static void test_no_memory(void)
{
	struct oom o = {0};

	while (oom_next(&o)) {
		_cleanup_(pair_close) struct pair p = {0};
		_cleanup_asked_ struct asked a = {0};
		struct grpc_stream_options call =
			asked_options(&a, "/test.Echo/Echo", SPAN_LIT("hello"), 0);
		struct error err = {0};
		bool began;

		oom_begin(&o);
		began = pair_open(&p) && grpc_session_start(p.client, &call, 0, NULL, &err) == 0;
		if (began)
			pair_run(&p, 16384);
		oom_end(&o);
		if (p.client)
			grpc_session_close(p.client, "the test is over", true);
		CHECK_ROW(o.row, a.dones == began, "%u ends", a.dones);
		CHECK_ROW(o.row, o.failed || (a.status == GRPC_OK && a.messages == 1), "%s: %s",
			grpc_status_name(a.status), a.text);
	}
}

CU_TestInfo grpc_session_tests[] = {
	{"back to back", test_back_to_back},
	{"many calls", test_many_calls},
	{"endings", test_endings},
	{"truncations", test_truncations},
	{"changed bytes", test_changed_bytes},
	{"prefaces", test_prefaces},
	{"no memory", test_no_memory},
	CU_TEST_INFO_NULL,
};
