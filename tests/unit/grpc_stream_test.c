/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's role, against frames made by hand. */
#include <errno.h>

#include "tests/unit/grpc_core.h"
#include "tests/unit/test.h"

#define REQUEST(id)                                                                                \
	"headers " id " :method=POST :scheme=http :path=/a.B/C :authority=localhost "              \
	"content-type=application/grpc te=trailers user-agent=casemate"

static void test_requests(void)
{
	_cleanup_asked_ struct asked a = {0}, b = {0}, c = {0};
	_cleanup_core_ struct core f = {0};

	if (!core_open_client(&f))
		return;
	core_ask(&f, &a, SPAN_LIT("hi"), 0);
	core_ask(&f, &b, SPAN_NONE, 50 * USEC_PER_MSEC);
	core_ask(&f, &c, SPAN_NONE, 1);
	core_go(&f);
	CHECK_STR("sent", buf_view(&f.out),
		REQUEST("1") "\n" REQUEST("3") " grpc-timeout=50000u\n" REQUEST(
			"5") " grpc-timeout=1u\n"
			     "data 1 \"\\0\\0\\0\\0\\2hi\" end\ndata 3 \"\\0\\0\\0\\0\\0\" end\n"
			     "data 5 \"\\0\\0\\0\\0\\0\" end\n");
	CU_ASSERT_EQUAL(grpc_session_deadline(f.s), f.now + 1);
	CU_ASSERT_EQUAL(a.dones + b.dones + c.dones, 0);
}

/* A row's answer: up to two header lists, with data between. */
struct answer {
	const char *name;
	const char *first[9]; /* its END_STREAM when there is nothing else */
	struct span data;
	const char *second[7];
	enum grpc_status want;
	const char *text;
	unsigned messages;
};

#define GRPC ":status", "200", "content-type", "application/grpc"

static const struct answer answers[] = {
	{"message and status", {GRPC}, {"\0\0\0\0\2hi", 7}, {"grpc-status", "0"}, GRPC_OK, "", 1},
	{"+proto", {":status", "200", "content-type", "application/grpc+proto"},
		{"\0\0\0\0\2hi", 7}, {"grpc-status", "0"}, GRPC_OK, "", 1},
	{"two messages", {GRPC}, {"\0\0\0\0\2hi\0\0\0\0\0", 12}, {"grpc-status", "0"}, GRPC_OK, "",
		2},
	{"no message", {GRPC}, {NULL, 0}, {"grpc-status", "0"}, GRPC_OK, "", 0},
	{"trailers only", {GRPC, "grpc-status", "5", "grpc-message", "gr%C3%B6%C3%9Fer: 1%25"},
		{NULL, 0}, {NULL}, GRPC_NOT_FOUND, "größer: 1%", 0},
	{"trailers only, OK", {GRPC, "grpc-status", "0"}, {NULL, 0}, {NULL}, GRPC_OK, "", 0},
	{"message, then an error", {GRPC}, {"\0\0\0\0\2hi", 7},
		{"grpc-status", "13", "grpc-message", "no"}, GRPC_INTERNAL, "no", 1},
	{"no such status", {GRPC, "grpc-status", "99"}, {NULL, 0}, {NULL}, GRPC_UNKNOWN, "", 0},
	{"no number", {GRPC, "grpc-status", "OK"}, {NULL, 0}, {NULL}, GRPC_UNKNOWN, "", 0},
	{"bad encoding", {GRPC, "grpc-status", "2", "grpc-message", "100%, %e2%86"}, {NULL, 0},
		{NULL}, GRPC_UNKNOWN, "100%, ??", 0},
	{"details", {GRPC, "grpc-status", "9", "grpc-status-details-bin", "CAk"}, {NULL, 0}, {NULL},
		GRPC_FAILED_PRECONDITION, "", 0},
	{"no status", {GRPC}, {"\0\0\0\0\2hi", 7}, {"x", "y"}, GRPC_INTERNAL,
		"the answer ends without a status", 1},
	{"no trailers", {GRPC}, {"\0\0\0\0\2hi", 7}, {NULL}, GRPC_INTERNAL,
		"the answer ends without a status", 1},
	{"headers alone", {GRPC}, {NULL, 0}, {NULL}, GRPC_INTERNAL,
		"the answer ends without a status", 0},
	{"cut message", {GRPC}, {"\0\0\0\0\2h", 6}, {"grpc-status", "0"}, GRPC_INTERNAL,
		"the answer ends inside a message", 0},
	{"cut message and an error", {GRPC}, {"\0\0\0\0\2h", 6}, {"grpc-status", "8"},
		GRPC_RESOURCE_EXHAUSTED, "", 0},
	{"compressed", {GRPC, "grpc-encoding", "gzip"}, {"\1\0\0\0\2hi", 7}, {"grpc-status", "0"},
		GRPC_INTERNAL, "the server sent a compressed message", 0},
	{"bad flag", {GRPC}, {"\x80\0\0\0\0", 5}, {"grpc-status", "0"}, GRPC_INTERNAL,
		"the message's first byte is neither 0 nor 1", 0},
	{"too large", {GRPC}, {"\0\0\1\x86\xa1", 5}, {"grpc-status", "0"}, GRPC_RESOURCE_EXHAUSTED,
		"the message has more than 100000 bytes", 0},
	{"4 GiB", {GRPC}, {"\0\xff\xff\xff\xff", 5}, {"grpc-status", "0"}, GRPC_RESOURCE_EXHAUSTED,
		"the message has more than 100000 bytes", 0},
#define HTTP(n, status)                                                                            \
	{                                                                                          \
		"HTTP " n, {":status", n, "content-type", "text/html"}, {"<html>", 6}, {NULL},     \
			status, "the answer is not gRPC (HTTP status " n ")", 0                    \
	}
	HTTP("400", GRPC_INTERNAL),
	HTTP("401", GRPC_UNAUTHENTICATED),
	HTTP("403", GRPC_PERMISSION_DENIED),
	HTTP("404", GRPC_UNIMPLEMENTED),
	HTTP("429", GRPC_UNAVAILABLE),
	HTTP("500", GRPC_UNKNOWN),
	HTTP("502", GRPC_UNAVAILABLE),
	HTTP("503", GRPC_UNAVAILABLE),
	HTTP("504", GRPC_UNAVAILABLE),
	HTTP("200", GRPC_UNKNOWN),
	{"no content type", {":status", "503"}, {NULL, 0}, {NULL}, GRPC_UNAVAILABLE,
		"the answer is not gRPC (HTTP status 503)", 0},
	{"no content type, 200", {":status", "200"}, {"\0\0\0\0\0", 5}, {"grpc-status", "0"},
		GRPC_UNKNOWN, "the answer is not gRPC (HTTP status 200)", 0},
	{"gRPC, but not 200",
		{":status", "415", "content-type", "application/grpc", "grpc-status", "3"},
		{NULL, 0}, {NULL}, GRPC_INVALID_ARGUMENT, "", 0},
	{"not 200, no status", {":status", "404", "content-type", "application/grpc"}, {NULL, 0},
		{NULL}, GRPC_UNIMPLEMENTED, "the answer is not gRPC (HTTP status 404)", 0},
};

static void test_answers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		const struct answer *row = &answers[i];

		for (size_t piece = 0; piece < 3; piece++) {
			_cleanup_asked_ struct asked a = {0};
			_cleanup_core_ struct core f = {0};
			bool second = row->second[0];

			if (!core_open_client(&f))
				return;
			core_ask(&f, &a, SPAN_NONE, USEC_PER_SEC);
			core_go(&f);
			h2_headers(&f.in, row->data.p || second ? 0 : END, 1, row->first);
			if (row->data.p)
				h2_data(&f.in, second ? 0 : END, 1, row->data);
			if (second)
				h2_headers(&f.in, END, 1, row->second);
			core_go_by(&f, piece ? piece : f.in.len);
			CHECK_ROW(row->name,
				a.dones == 1 && a.status == row->want &&
					a.messages == row->messages,
				"%u ends, %s, %u messages", a.dones, grpc_status_name(a.status),
				a.messages);
			CHECK_STR(row->name, span_str(a.text), row->text);
			CU_ASSERT(!grpc_session_over(f.s));
			CU_ASSERT_EQUAL(grpc_session_deadline(f.s), INT64_MAX);
		}
	}
}

/* 100 Continue and the like come before the answer. Each list of headers may be long. */
static void test_informational(void)
{
	static char value[7000];
	static const char *const early[] = {
		":status", "103", "content-type", "text/html", "x", value, NULL};
	static const char *const answer[] = {GRPC, "x", value, NULL};
	static const char *const trailers[] = {"grpc-status", "0", "x", value, NULL};
	_cleanup_asked_ struct asked a = {0};
	_cleanup_core_ struct core f = {0};

	memset(value, 'x', sizeof(value) - 1);
	if (!core_open_client(&f))
		return;
	core_ask(&f, &a, SPAN_NONE, 0);
	core_go(&f);
	h2_headers(&f.in, 0, 1, early);
	h2_headers(&f.in, 0, 1, answer);
	h2_message(&f.in, 0, 1, SPAN_LIT("hi"));
	h2_headers(&f.in, END, 1, trailers);
	core_go(&f);
	CU_ASSERT_EQUAL(a.dones, 1);
	CU_ASSERT_EQUAL(a.status, GRPC_OK);
	CU_ASSERT_EQUAL(a.messages, 1);
}

/* The server may answer before it has read the request: the rest is not sent. */
static void test_answered_early(void)
{
	static const char *const answer[] = {GRPC, "grpc-status", "8", NULL};
	_cleanup_asked_ struct asked a = {0};
	_cleanup_core_ struct core f = {0};
	struct span large = core_bytes(100000);

	if (!core_open_client(&f))
		return;
	core_ask(&f, &a, large, 0);
	core_go(&f);
	CU_ASSERT_EQUAL(f.reader.data, 65535);
	buf_reset(&f.out);
	h2_headers(&f.in, END, 1, answer);
	h2_window(&f.in, 0, 100000);
	core_go(&f);
	CU_ASSERT_EQUAL(a.dones, 1);
	CU_ASSERT_EQUAL(a.status, GRPC_RESOURCE_EXHAUSTED);
	CHECK_STR("rest", buf_view(&f.out), "reset 1 NO_ERROR\n");
	free((char *)large.p);
}

/* A server may refuse as many calls as there are. */
static void test_many_resets(void)
{
	_cleanup_core_ struct core f = {0};
	uint32_t id = 1;

	if (!core_open_client(&f))
		return;
	for (; id < 4 * GRPC_RESETS_MAX; id += 2) {
		_cleanup_asked_ struct asked a = {0};

		core_ask(&f, &a, SPAN_NONE, 0);
		core_go(&f);
		h2_reset(&f.in, id, NGHTTP2_REFUSED_STREAM);
		core_go(&f);
		CU_ASSERT_EQUAL(a.status, GRPC_UNAVAILABLE);
	}
	CU_ASSERT(!grpc_session_over(f.s));
}

/* Trailers have to end the stream. */
static void test_trailers_without_end(void)
{
	static const char *const answer[] = {GRPC, NULL};
	static const char *const trailers[] = {"grpc-status", "0", NULL};
	_cleanup_asked_ struct asked a = {0};
	_cleanup_core_ struct core f = {0};

	if (!core_open_client(&f))
		return;
	core_ask(&f, &a, SPAN_NONE, 0);
	core_go(&f);
	h2_headers(&f.in, 0, 1, answer);
	h2_headers(&f.in, 0, 1, trailers);
	core_go(&f);
	CU_ASSERT_EQUAL(a.dones, 1);
	CU_ASSERT_EQUAL(a.status, GRPC_INTERNAL);
}

static void test_long_headers(void)
{
	static char value[4000];
	const char *const answer[] = {GRPC, "a", value, "b", value, "c", value, "d", value, "e",
		value, "grpc-status", "0", NULL};
	_cleanup_asked_ struct asked a = {0};
	_cleanup_core_ struct core f = {0};

	memset(value, 'x', sizeof(value) - 1);
	if (!core_open_client(&f))
		return;
	core_ask(&f, &a, SPAN_NONE, 0);
	core_go(&f);
	h2_headers(&f.in, END, 1, answer);
	CU_ASSERT(f.in.len > GRPC_HEADERS_MAX);
	core_go(&f);
	CU_ASSERT_EQUAL(a.dones, 1);
	CU_ASSERT_EQUAL(a.status, GRPC_RESOURCE_EXHAUSTED);
	CHECK_STR("text", span_str(a.text), "the answer's headers are too long");
}

static void test_resets(void)
{
	static const struct {
		uint32_t code;
		int64_t after_usec;
		enum grpc_status want;
		const char *text;
	} rows[] = {
		{NGHTTP2_NO_ERROR, 0, GRPC_INTERNAL, "the server ended the call (NO_ERROR)"},
		{NGHTTP2_PROTOCOL_ERROR, 0, GRPC_INTERNAL,
			"the server ended the call (PROTOCOL_ERROR)"},
		{NGHTTP2_INTERNAL_ERROR, 0, GRPC_INTERNAL,
			"the server ended the call (INTERNAL_ERROR)"},
		{NGHTTP2_REFUSED_STREAM, 0, GRPC_UNAVAILABLE,
			"the server ended the call (REFUSED_STREAM)"},
		{NGHTTP2_CANCEL, 0, GRPC_CANCELLED, "the server ended the call (CANCEL)"},
		{NGHTTP2_CANCEL, USEC_PER_SEC, GRPC_DEADLINE_EXCEEDED,
			"no answer before the deadline"},
		{NGHTTP2_ENHANCE_YOUR_CALM, 0, GRPC_RESOURCE_EXHAUSTED,
			"the server ended the call (ENHANCE_YOUR_CALM)"},
		{NGHTTP2_FLOW_CONTROL_ERROR, 0, GRPC_RESOURCE_EXHAUSTED,
			"the server ended the call (FLOW_CONTROL_ERROR)"},
		{NGHTTP2_INADEQUATE_SECURITY, 0, GRPC_PERMISSION_DENIED,
			"the server ended the call (INADEQUATE_SECURITY)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_asked_ struct asked a = {0};
		_cleanup_core_ struct core f = {0};

		if (!core_open_client(&f))
			return;
		core_ask(&f, &a, SPAN_NONE, USEC_PER_SEC);
		core_go(&f);
		h2_reset(&f.in, 1, rows[i].code);
		f.now += rows[i].after_usec;
		core_go(&f);
		CHECK_ROW(rows[i].text, a.dones == 1 && a.status == rows[i].want, "%u ends, %s",
			a.dones, grpc_status_name(a.status));
		CHECK_STR(rows[i].text, span_str(a.text), rows[i].text);
	}
}

/* What the server has not seen ends at once, what it has seen is answered. */
static void test_goaway(void)
{
	static const char *const answer[] = {GRPC, "grpc-status", "0", NULL};
	_cleanup_asked_ struct asked a = {0}, b = {0}, c = {0};
	_cleanup_core_ struct core f = {0};
	struct grpc_stream_options o = asked_options(&c, "/a.B/C", SPAN_NONE, 0);
	struct error err = {0};

	if (!core_open_client(&f))
		return;
	core_ask(&f, &a, SPAN_NONE, 0);
	core_ask(&f, &b, SPAN_NONE, 0);
	core_go(&f);
	h2_goaway(&f.in, 1, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
	core_go(&f);
	CU_ASSERT_EQUAL(a.dones, 0);
	CU_ASSERT_EQUAL(b.dones, 1);
	CU_ASSERT_EQUAL(b.status, GRPC_UNAVAILABLE);
	CU_ASSERT_EQUAL(grpc_session_start(f.s, &o, f.now, NULL, &err), -ESHUTDOWN);
	CHECK_STR("refused", span_str(err.message),
		"/a.B/C: the peer ended the connection (ENHANCE_YOUR_CALM: too_many_pings)");
	CU_ASSERT(!grpc_session_over(f.s));
	h2_headers(&f.in, END, 1, answer);
	core_go(&f);
	CU_ASSERT_EQUAL(a.dones, 1);
	CU_ASSERT_EQUAL(a.status, GRPC_OK);
	CU_ASSERT(grpc_session_over(f.s));
}

/* Calls that wait for the server's MAX_CONCURRENT_STREAMS when it says goodbye were never sent. */
static void test_goaway_before_sent(void)
{
	static const char one[] = {0, 3, 0, 0, 0, 1};
	_cleanup_asked_ struct asked a = {0}, b = {0};
	_cleanup_core_ struct core f = {0};

	if (!core_open_client(&f))
		return;
	h2_frame(&f.in, NGHTTP2_SETTINGS, 0, 0, (struct span){one, sizeof(one)});
	core_go(&f);
	core_ask(&f, &a, SPAN_NONE, 0);
	core_ask(&f, &b, SPAN_NONE, 0);
	buf_reset(&f.out);
	core_go(&f);
	CHECK_STR("one", buf_view(&f.out), REQUEST("1") "\ndata 1 \"\\0\\0\\0\\0\\0\" end\n");
	h2_reset(&f.in, 1, NGHTTP2_INTERNAL_ERROR);
	h2_goaway(&f.in, 1, NGHTTP2_NO_ERROR, "");
	buf_reset(&f.out);
	core_go(&f);
	CHECK_STR("no other", buf_view(&f.out), "");
	CU_ASSERT_EQUAL(a.dones, 1);
	CU_ASSERT_EQUAL(b.dones, 1);
	CU_ASSERT_EQUAL(b.status, GRPC_UNAVAILABLE);
}

static void test_deadline(void)
{
	_cleanup_asked_ struct asked a = {0};
	_cleanup_core_ struct core f = {0};

	if (!core_open_client(&f))
		return;
	core_ask(&f, &a, SPAN_NONE, USEC_PER_SEC);
	core_go(&f);
	buf_reset(&f.out);
	grpc_session_tick(f.s, f.now + USEC_PER_SEC - 1);
	CU_ASSERT_EQUAL(a.dones, 0);
	grpc_session_tick(f.s, f.now + USEC_PER_SEC);
	CU_ASSERT_EQUAL(a.dones, 1);
	CU_ASSERT_EQUAL(a.status, GRPC_DEADLINE_EXCEEDED);
	core_go(&f);
	CHECK_STR("reset", buf_view(&f.out), "reset 1 CANCEL\n");
}

/* Before anything was sent, in the middle, and twice. */
static void test_cancel(void)
{
	static const char *const answer[] = {GRPC, "grpc-status", "0", NULL};
	_cleanup_asked_ struct asked a = {0}, b = {0};
	_cleanup_core_ struct core f = {0};

	if (!core_open_client(&f))
		return;
	core_ask(&f, &a, SPAN_NONE, 0);
	grpc_cancel(a.stream);
	core_go(&f);
	core_ask(&f, &b, SPAN_NONE, 0);
	core_go(&f);
	buf_reset(&f.out);
	grpc_cancel(b.stream);
	grpc_cancel(NULL);
	core_go(&f);
	CHECK_STR("reset", buf_view(&f.out), "reset 3 CANCEL\n");
	h2_headers(&f.in, END, 3, answer);
	core_go(&f);
	CU_ASSERT_EQUAL(a.dones + b.dones, 0);
	CU_ASSERT(!grpc_session_over(f.s));
}

/* --- what callbacks may do --- */

struct busy {
	struct core *f;
	struct grpc_stream *stream;
	enum { CANCEL, CLOSE_TOLD, CLOSE, START } act;
	unsigned messages, dones;
	struct asked next;
};

static void act(struct busy *b)
{
	struct grpc_stream_options o = asked_options(&b->next, "/a.B/C", SPAN_NONE, 0);

	switch (b->act) {
	case CANCEL:
		grpc_cancel(b->stream);
		break;
	case START:
		CU_ASSERT_EQUAL(grpc_session_start(b->f->s, &o, b->f->now, NULL, NULL), 0);
		break;
	case CLOSE:
	case CLOSE_TOLD:
		grpc_session_close(b->f->s, "closed in a callback", b->act == CLOSE_TOLD);
	}
}

static void on_busy_message(void *ctx, struct span message)
{
	struct busy *b = ctx;

	if (b->messages++ == 0)
		act(b);
	CHECK_STR("message", message, "hi"); /* still there */
}

static void on_busy_done(void *ctx, enum grpc_status status, const char *message)
{
	struct busy *b = ctx;

	(void)status;
	(void)message;
	if (b->dones++ == 0 && b->messages == 0)
		act(b);
}

static void test_callbacks(void)
{
	static const struct {
		const char *name;
		int act;
		bool in_message;
		unsigned messages, dones;
	} rows[] = {
		{"cancel in message", CANCEL, true, 1, 0},
		{"close in message", CLOSE, true, 1, 0},
		{"close and tell in message", CLOSE_TOLD, true, 1, 1},
		{"start in message", START, true, 3, 1},
		{"cancel in done", CANCEL, false, 0, 1},
		{"close in done", CLOSE, false, 0, 1},
		{"close and tell in done", CLOSE_TOLD, false, 0, 1},
		{"start in done", START, false, 0, 1},
	};
	static const char *const answer[] = {GRPC, NULL};
	static const char *const trailers[] = {"grpc-status", "0", NULL};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_core_ struct core f = {0};
		struct busy b = {.f = &f};
		struct grpc_stream_options o = {
			.path = "/a.B/C",
			.message_received = on_busy_message,
			.done = on_busy_done,
			.ctx = &b,
		};

		b.act = rows[i].act;
		if (!core_open_client(&f))
			return;
		CU_ASSERT_EQUAL(grpc_session_start(f.s, &o, f.now, &b.stream, NULL), 0);
		core_go(&f);
		h2_headers(&f.in, 0, 1, answer);
		if (rows[i].in_message) {
			h2_data(&f.in, 0, 1, SPAN_LIT("\0\0\0\0\2hi\0\0\0\0\2hi"));
			h2_message(&f.in, 0, 1, SPAN_LIT("hi"));
		}
		h2_headers(&f.in, END, 1, trailers);
		core_go(&f);
		CHECK_ROW(rows[i].name, b.messages == rows[i].messages && b.dones == rows[i].dones,
			"%u messages, %u ends", b.messages, b.dones);
		asked_free(&b.next);
	}
}

static void cancel_others(void *ctx, enum grpc_status status, const char *message)
{
	struct grpc_stream **others = ctx;

	(void)message;
	CU_ASSERT_EQUAL(status, GRPC_DEADLINE_EXCEEDED);
	for (; *others; others++) {
		grpc_cancel(*others);
		*others = NULL;
	}
}

/* Calls that expire together, when the first one's end cancels the others. */
static void test_cancel_while_expiring(void)
{
	_cleanup_core_ struct core f = {0};
	struct grpc_stream *others[4] = {NULL};
	struct grpc_stream_options o = {
		.path = "/a.B/C",
		.timeout_usec = 5,
		.done = cancel_others,
		.ctx = others,
	};

	if (!core_open_client(&f))
		return;
	for (size_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(grpc_session_start(f.s, &o, f.now, &others[i], NULL), 0);
	/* The latest is looked at first, and is not among those that it cancels. */
	others[2] = NULL;
	core_go(&f);
	grpc_session_tick(f.s, f.now + 5);
	CU_ASSERT_PTR_NULL(others[0]);
	CU_ASSERT_EQUAL(grpc_session_deadline(f.s), INT64_MAX);
}

/* --- limits --- */

static void test_limits(void)
{
	static struct asked a[GRPC_STREAMS_MAX + 1];
	_cleanup_core_ struct core f = {0};
	struct span large = {calloc(1, GRPC_UNSENT_MAX), GRPC_UNSENT_MAX};
	struct grpc_stream_options o = asked_options(&a[0], "/a.B/C", large, 0);
	struct error err = {0};

	if (!core_open_client(&f))
		return;
	CU_ASSERT_EQUAL(grpc_session_start(f.s, &o, f.now, NULL, &err), -EMSGSIZE);
	CHECK_STR("error", span_str(err.message), "/a.B/C: Message too long");
	o.message.len -= GRPC_STREAMS_MAX * 5;
	CU_ASSERT_EQUAL(grpc_session_start(f.s, &o, f.now, NULL, NULL), 0);
	o.message.len = 5 * GRPC_STREAMS_MAX;
	CU_ASSERT_EQUAL(grpc_session_start(f.s, &o, f.now, NULL, NULL), -ENOBUFS);
	o.message.len = 0;
	for (unsigned i = 1; i < GRPC_STREAMS_MAX; i++)
		CU_ASSERT_EQUAL(grpc_session_start(f.s, &o, f.now, NULL, NULL), 0);
	CU_ASSERT_EQUAL(grpc_session_start(f.s, &o, f.now, NULL, &err), -EBUSY);
	CHECK_STR("error", span_str(err.message), "/a.B/C: 100 calls are under way");
	free((char *)large.p);
}

/* A server that has not said anything within the preface's time. */
static void test_silent_server(void)
{
	struct grpc_session_options o = {0};
	_cleanup_(grpc_session_free_p) struct grpc_session *s = NULL;
	_cleanup_asked_ struct asked a = {0};
	struct grpc_stream_options call = asked_options(&a, "/a.B/C", SPAN_NONE, 0);

	CU_ASSERT_EQUAL(grpc_session_new(&s, &o, 5), 0);
	CU_ASSERT_EQUAL(grpc_session_start(s, &call, 5, NULL, NULL), 0);
	CU_ASSERT_EQUAL(grpc_session_deadline(s), 5 + GRPC_PREFACE_USEC);
	grpc_session_tick(s, 5 + GRPC_PREFACE_USEC);
	CU_ASSERT(grpc_session_over(s));
	CU_ASSERT_EQUAL(grpc_session_deadline(s), INT64_MAX);
	grpc_session_close(s, "unused", true);
	CU_ASSERT_EQUAL(a.dones, 1);
	CU_ASSERT_EQUAL(a.status, GRPC_UNAVAILABLE);
	CHECK_STR("why", span_str(a.text), "no HTTP/2 from the peer within 20 seconds");
}

/* What is no answer to a gRPC client. */
static void test_bad_servers(void)
{
	static const struct {
		const char *name;
		struct span in;
		const char *why;
	} rows[] = {
		{"HTTP/1.1", {"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
			"the peer broke HTTP/2 (FRAME_SIZE_ERROR: too large frame size)"},
		{"push", {"\0\0\5\5\4\0\0\0\1\0\0\0\2\x88", 14},
			"the peer broke HTTP/2 (PROTOCOL_ERROR: PUSH_PROMISE: push disabled)"},
		{"headers of no stream", {"\0\0\1\1\4\0\0\0\7\x88", 10},
			"the peer broke HTTP/2 (PROTOCOL_ERROR: request HEADERS: client received "
			"request)"},
		{"bad HPACK", {"\0\0\1\1\4\0\0\0\1\xff", 10},
			"the peer broke HTTP/2 (COMPRESSION_ERROR)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_asked_ struct asked a = {0};
		_cleanup_core_ struct core f = {0};

		if (!core_open_client(&f))
			return;
		core_ask(&f, &a, SPAN_NONE, 0);
		core_go(&f);
		buf_span(&f.in, rows[i].in);
		core_go(&f);
		CHECK_ROW(rows[i].name, grpc_session_over(f.s), "goes on");
		grpc_session_close(f.s, "unused", true);
		CHECK_ROW(rows[i].name, a.dones == 1 && a.status == GRPC_UNAVAILABLE, "%u ends, %s",
			a.dones, grpc_status_name(a.status));
		CHECK_STR(rows[i].name, span_str(a.text), rows[i].why);
	}
}

CU_TestInfo grpc_stream_tests[] = {
	{"requests", test_requests},
	{"answers", test_answers},
	{"informational", test_informational},
	{"answered early", test_answered_early},
	{"many resets", test_many_resets},
	{"trailers without END_STREAM", test_trailers_without_end},
	{"long headers", test_long_headers},
	{"resets", test_resets},
	{"GOAWAY", test_goaway},
	{"GOAWAY before sent", test_goaway_before_sent},
	{"deadline", test_deadline},
	{"cancel", test_cancel},
	{"callbacks", test_callbacks},
	{"cancel while expiring", test_cancel_while_expiring},
	{"limits", test_limits},
	{"silent server", test_silent_server},
	{"bad servers", test_bad_servers},
	CU_TEST_INFO_NULL,
};
