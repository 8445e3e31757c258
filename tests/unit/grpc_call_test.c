/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's role, against frames made by hand. */
#include <errno.h>

#include "tests/unit/grpc_core.h"
#include "tests/unit/test.h"

/* Grpc-go does not consider a connection ready before the server's SETTINGS. */
static void test_settings_first(void)
{
	struct grpc_session_options o = {.methods = echo_methods, .n_methods = ECHO_METHODS};
	_cleanup_(grpc_session_free_p) struct grpc_session *s = NULL;
	_cleanup_buf_ struct buf text = BUF_INIT(1000);
	struct h2_reader reader = {0};
	char bytes[100];

	CU_ASSERT_EQUAL(grpc_session_new(&s, &o, 0), 0);
	CU_ASSERT(h2_read(
		&reader, (struct span){bytes, grpc_session_send(s, bytes, sizeof(bytes))}, &text));
	CHECK_STR("first", buf_view(&text), "settings 3=100 6=16384 9=1\n");
	CU_ASSERT_EQUAL(grpc_session_send(s, bytes, sizeof(bytes)), 0);
	CU_ASSERT(!grpc_session_over(s));
	h2_reader_free(&reader);
}

#define ANSWER   "headers 1 :status=200 content-type=application/grpc\n"
#define TRAILERS "headers 1 grpc-status=0 end\n"
#define REFUSED(http, status, text)                                                                \
	"headers 1 :status=" http " content-type=application/grpc grpc-status=" status             \
	" grpc-message=" text " end\n"
#define UNIMPLEMENTED(text)                                                                        \
	"headers 1 :status=200 content-type=application/grpc grpc-accept-encoding=identity "       \
	"grpc-status=12 grpc-message=" text " end\n"

/* One request each, on a connection of its own, with its END_STREAM. */
static void test_requests(void)
{
	static const struct {
		const char *name, *path;
		const char *changes[5];
		struct span body;
		const char *want;
	} rows[] = {
		{"unary", "Echo", {NULL}, {"\0\0\0\0\2hi", 7},
			ANSWER "data 1 \"\\0\\0\\0\\0\\2hi\"\n" TRAILERS},
		{"empty message", "Echo", {NULL}, {"\0\0\0\0\0", 5},
			ANSWER "data 1 \"\\0\\0\\0\\0\\0\"\n" TRAILERS},
		{"stream", "Repeat", {NULL}, {"\0\0\0\0\2\2m", 7},
			ANSWER "data 1 \"\\0\\0\\0\\0\\2\\2m\\0\\0\\0\\0\\2\\2m\"\n" TRAILERS},
		{"stream of none", "Repeat", {NULL}, {"\0\0\0\0\1\0", 6},
			"headers 1 :status=200 content-type=application/grpc grpc-status=0 end\n"},
		{"status and text", "Fail", {NULL},
			{"\0\0\0\0\x0b\5"
			 "100% gr\xc3\xb6",
				16},
			REFUSED("200", "5", "100%25 gr%C3%B6")},
		{"+proto", "Echo", {"content-type", "application/grpc+proto"}, {"\0\0\0\0\0", 5},
			ANSWER "data 1 \"\\0\\0\\0\\0\\0\"\n" TRAILERS},
		{"; parameter", "Echo", {"content-type", "application/grpc;a=b"}, {"\0\0\0\0\0", 5},
			ANSWER "data 1 \"\\0\\0\\0\\0\\0\"\n" TRAILERS},
		{"path as the authority", "Echo",
			{":authority", "%2Fvar%2Flib%2Fkubelet%2Fplugins_registry%2Fx.sock"},
			{"\0\0\0\0\0", 5}, ANSWER "data 1 \"\\0\\0\\0\\0\\0\"\n" TRAILERS},
		{"compression offered", "Echo", {"grpc-accept-encoding", "gzip"}, {"\0\0\0\0\0", 5},
			ANSWER "data 1 \"\\0\\0\\0\\0\\0\"\n" TRAILERS},
		{"unknown method", "Nothing", {NULL}, {"\0\0\0\0\0", 5},
			UNIMPLEMENTED("there is no method /test.Echo/Nothing here")},
		{"prefix of a method", "Ech", {NULL}, {"\0\0\0\0\0", 5},
			UNIMPLEMENTED("there is no method /test.Echo/Ech here")},
		{"refused once", "Nothing", {NULL}, {"\2\0\0\0\0\1\0\0\0\0", 10},
			UNIMPLEMENTED("there is no method /test.Echo/Nothing here")},
		{"wrong content type", "Echo", {"content-type", "application/json"}, {"{}", 2},
			REFUSED("415", "3", "the content type is not application/grpc")},
		{"no content type", "Echo", {"content-type", ""}, {"", 0},
			REFUSED("415", "3", "the content type is not application/grpc")},
		{"gRPC-Web", "Echo", {"content-type", "application/grpc-web"}, {"", 0},
			REFUSED("415", "3", "the content type is not application/grpc")},
		{"GET", "Echo", {":method", "GET"}, {"", 0},
			REFUSED("405", "13", "gRPC calls are POST requests")},
		{"PUT", "Nothing", {":method", "PUT", "content-type", "x"}, {"", 0},
			REFUSED("405", "13", "gRPC calls are POST requests")},
		{"bad timeout", "Echo", {"grpc-timeout", "1s"}, {"\0\0\0\0\0", 5},
			REFUSED("400", "13", "grpc-timeout is not a timeout")},
		{"no time", "Echo", {"grpc-timeout", "0n"}, {"\0\0\0\0\0", 5},
			REFUSED("200", "4", "the deadline has passed")},
		{"compressed", "Echo", {"grpc-encoding", "gzip"}, {"\1\0\0\0\2hi", 7},
			UNIMPLEMENTED("compressed messages are not supported")},
		{"bad flag", "Echo", {NULL}, {"\2\0\0\0\2hi", 7},
			REFUSED("200", "13", "the message's first byte is neither 0 nor 1")},
		{"too large", "Echo", {NULL}, {"\0\0\1\x86\xa1", 5},
			REFUSED("200", "8", "the message has more than 100000 bytes")},
		{"4 GiB", "Echo", {NULL}, {"\0\xff\xff\xff\xff", 5},
			REFUSED("200", "8", "the message has more than 100000 bytes")},
		{"no message", "Echo", {NULL}, {"", 0},
			UNIMPLEMENTED("the request has no message")},
		{"cut prefix", "Echo", {NULL}, {"\0\0\0\0", 4},
			REFUSED("200", "13", "the request ends inside its message")},
		{"cut message", "Echo", {NULL}, {"\0\0\0\0\2h", 6},
			REFUSED("200", "13", "the request ends inside its message")},
		{"two messages", "Echo", {NULL}, {"\0\0\0\0\0\0\0\0\0\0", 10},
			UNIMPLEMENTED("the request has more than one message")},
		{"garbage behind", "Echo", {NULL}, {"\0\0\0\0\0x", 6},
			UNIMPLEMENTED("the request has more than one message")},
		{"/ in the authority", "Echo", {":authority", "/run/x.sock"}, {"", 0},
			"reset 1 PROTOCOL_ERROR\n"},
		{"upper case", "Echo", {"Te", "trailers"}, {"", 0}, "reset 1 PROTOCOL_ERROR\n"},
		{"connection", "Echo", {"connection", "close"}, {"", 0},
			"reset 1 PROTOCOL_ERROR\n"},
		{"te: gzip", "Echo", {"te", "gzip"}, {"", 0}, "reset 1 PROTOCOL_ERROR\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t piece = 0; piece < 3; piece++) {
			_cleanup_core_ struct core f = {0};
			char path[64];

			if (!core_open_server(&f))
				return;
			snprintf(path, sizeof(path), "/test.Echo/%s", rows[i].path);
			h2_request(&f.in, 0, 1, path, rows[i].changes);
			h2_data(&f.in, END, 1, rows[i].body);
			core_go_by(&f, piece ? piece : f.in.len);
			CHECK_STR(rows[i].name, buf_view(&f.out), rows[i].want);
			CU_ASSERT(!grpc_session_over(f.s));
			CU_ASSERT_EQUAL(grpc_session_deadline(f.s), INT64_MAX);
		}
	}
}

/* Whatever is refused early, the rest of the request is not wanted; the connection goes on. */
static void test_refused_early(void)
{
	static const char *const changes[] = {"content-type", "text/html", NULL};
	_cleanup_core_ struct core f = {0};

	if (!core_open_server(&f))
		return;
	h2_request(&f.in, 0, 1, "/test.Echo/Echo", changes);
	core_go(&f);
	CHECK_STR("refused", buf_view(&f.out),
		REFUSED("415", "3",
			"the content type is not application/grpc") "reset 1 NO_ERROR\n");
	buf_reset(&f.out);
	h2_data(&f.in, 0, 1, SPAN_LIT("what was under way"));
	core_request(&f, 3, "Echo", SPAN_LIT("hi"));
	core_go(&f);
	CHECK_STR("next", buf_view(&f.out),
		"headers 3 :status=200 content-type=application/grpc\n"
		"data 3 \"\\0\\0\\0\\0\\2hi\"\nheaders 3 grpc-status=0 end\n");
}

static void test_message_in_many_frames(void)
{
	_cleanup_core_ struct core f = {0};
	static const char body[] = "\0\0\0\0\2hi";
	static const char *const trailers[] = {"x-trailer", "1", NULL};

	if (!core_open_server(&f))
		return;
	h2_request(&f.in, 0, 1, "/test.Echo/Echo", NULL);
	for (size_t i = 0; i < sizeof(body) - 1; i++) {
		char padded[4] = {2, body[i], 0, 0};

		h2_frame(&f.in, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, (struct span){padded, 4});
	}
	h2_headers(&f.in, END, 1, trailers);
	core_go(&f);
	CHECK_STR("answer", buf_view(&f.out), ANSWER "data 1 \"\\0\\0\\0\\0\\2hi\"\n" TRAILERS);
}

/* Answers that come later wake the owner up, those inside of a handler do not. */
static void test_later(void)
{
	_cleanup_core_ struct core f = {.echo.silent = true};

	if (!core_open_server(&f))
		return;
	core_request(&f, 1, "Hold", SPAN_NONE);
	core_go(&f);
	CHECK_STR("nothing yet", buf_view(&f.out), "");
	CU_ASSERT_EQUAL(f.wakes, 0);
	CU_ASSERT_EQUAL(grpc_reply(f.echo.held[0], SPAN_LIT("a")), 0);
	CU_ASSERT_EQUAL(f.wakes, 1);
	core_go(&f);
	CHECK_STR("one", buf_view(&f.out), ANSWER "data 1 \"\\0\\0\\0\\0\\1a\"\n");
	buf_reset(&f.out);
	CU_ASSERT_EQUAL(grpc_reply(f.echo.held[0], SPAN_LIT("b")), 0);
	CU_ASSERT_EQUAL(grpc_reply(f.echo.held[0], SPAN_LIT("c")), 0);
	core_go(&f);
	CHECK_STR("two", buf_view(&f.out), "data 1 \"\\0\\0\\0\\0\\1b\\0\\0\\0\\0\\1c\"\n");
	buf_reset(&f.out);
	grpc_finish(f.echo.held[0], GRPC_ABORTED, "over");
	core_go(&f);
	CHECK_STR("end", buf_view(&f.out), "headers 1 grpc-status=10 grpc-message=over end\n");
	CU_ASSERT_EQUAL(f.echo.closed, 0);
	CU_ASSERT_EQUAL(f.wakes, 4);
}

static void close_in_handle(void *ctx, struct grpc_call *call, struct span message)
{
	struct core *c = ctx;

	(void)message;
	c->echo.handled++;
	grpc_session_close(c->s, "closed in a handler", true);
	grpc_finish(call, GRPC_OK, NULL);
}

/* Nothing is handled any more, though it has come already. */
static void test_close_in_handle(void)
{
	static const struct grpc_method method = {"/test.Echo/Close", close_in_handle};
	_cleanup_core_ struct core c = {.in = BUF_INIT(H2_MAX)};
	struct grpc_session_options o = {.methods = &method, .n_methods = 1, .ctx = &c};

	CU_ASSERT_EQUAL(grpc_session_new(&c.s, &o, 0), 0);
	h2_preface(&c.in);
	for (uint32_t id = 1; id < 6; id += 2)
		core_request(&c, id, "Close", SPAN_NONE);
	core_go(&c);
	CU_ASSERT_EQUAL(c.echo.handled, 1);
	CU_ASSERT(grpc_session_over(c.s));
}

/* A long status text is cut. */
static void test_long_status(void)
{
	_cleanup_core_ struct core f = {0};
	char message[2 * GRPC_STATUS_TEXT_MAX];

	if (!core_open_server(&f))
		return;
	memset(message, 'x', sizeof(message));
	message[0] = GRPC_DATA_LOSS;
	core_request(&f, 1, "Fail", (struct span){message, sizeof(message)});
	core_go(&f);
	CU_ASSERT_EQUAL(f.out.len, strlen(REFUSED("200", "15", "")) + GRPC_STATUS_TEXT_MAX);
}

/* The client gives up in all the ways there are. */
static void test_closed(void)
{
	static const struct {
		const char *name;
		enum { RESET, EXPIRE, CLOSE } how;
		const char *want;
	} rows[] = {
		{"RST_STREAM", RESET, ""},
		{"deadline", EXPIRE,
			"headers 1 grpc-status=4 grpc-message=the deadline has passed end\n"},
		{"connection lost", CLOSE, ""},
	};
	static const char *const changes[] = {"grpc-timeout", "5S", NULL};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_core_ struct core f = {0};

		if (!core_open_server(&f))
			return;
		h2_request(&f.in, 0, 1, "/test.Echo/Hold", changes);
		h2_message(&f.in, END, 1, SPAN_NONE);
		core_go(&f);
		CHECK_STR(rows[i].name, buf_view(&f.out), ANSWER "data 1 \"\\0\\0\\0\\0\\0\"\n");
		buf_reset(&f.out);
		CU_ASSERT_EQUAL(grpc_session_deadline(f.s), f.now + 5 * USEC_PER_SEC);
		f.now += 5 * USEC_PER_SEC;
		if (rows[i].how == RESET)
			h2_reset(&f.in, 1, NGHTTP2_CANCEL);
		else if (rows[i].how == EXPIRE)
			grpc_session_tick(f.s, f.now);
		else
			grpc_session_close(f.s, "lost", true);
		core_go(&f);
		CHECK_STR(rows[i].name, buf_view(&f.out), rows[i].want);
		CHECK_ROW(rows[i].name, f.echo.closed == 1, "%u", f.echo.closed);
		CU_ASSERT_EQUAL(grpc_session_deadline(f.s), INT64_MAX);
	}
}

/* A tick before the deadline does nothing. */
static void test_early_tick(void)
{
	static const char *const changes[] = {"grpc-timeout", "5S", NULL};
	_cleanup_core_ struct core f = {0};

	if (!core_open_server(&f))
		return;
	h2_request(&f.in, 0, 1, "/test.Echo/Hold", changes);
	h2_message(&f.in, END, 1, SPAN_NONE);
	core_go(&f);
	grpc_session_tick(f.s, f.now + 5 * USEC_PER_SEC - 1);
	CU_ASSERT_EQUAL(f.echo.closed, 0);
	CU_ASSERT_EQUAL(grpc_session_deadline(f.s), f.now + 5 * USEC_PER_SEC);
}

/* A deadline that passes while a message waits for the client's window: half a message cannot be
 * ended, so the stream is reset. */
static void test_expires_unsent(void)
{
	static const char *const changes[] = {"grpc-timeout", "5S", NULL};
	_cleanup_core_ struct core f = {0};
	struct span large = {calloc(1, 80000), 80000};

	if (!core_open_server(&f))
		return;
	h2_request(&f.in, 0, 1, "/test.Echo/Echo", changes);
	h2_message(&f.in, END, 1, large);
	core_go(&f);
	CU_ASSERT_EQUAL(f.reader.data, 65535);
	buf_reset(&f.out);
	grpc_session_tick(f.s, f.now + 5 * USEC_PER_SEC);
	h2_window(&f.in, 0, 100000);
	core_go(&f);
	CHECK_STR("reset", buf_view(&f.out), "reset 1 CANCEL\n");
	free((char *)large.p);
}

/* A request that is begun and not ended. */
static void test_slow_request(void)
{
	_cleanup_core_ struct core f = {0};

	if (!core_open_server(&f))
		return;
	h2_request(&f.in, 0, 1, "/test.Echo/Echo", NULL);
	h2_data(&f.in, 0, 1, SPAN_LIT("\0\0\0\0\2h"));
	core_go(&f);
	CU_ASSERT_EQUAL(grpc_session_deadline(f.s), f.now + GRPC_REQUEST_USEC);
	grpc_session_tick(f.s, f.now + GRPC_REQUEST_USEC);
	core_go(&f);
	CHECK_STR("refused", buf_view(&f.out),
		REFUSED("200", "4", "the deadline has passed") "reset 1 NO_ERROR\n");
	CU_ASSERT_EQUAL(f.echo.handled, 0);
}

/* Without closed, a call outlives its stream and its connection until it is finished. */
static void test_zombies(void)
{
	_cleanup_core_ struct core f = {0};

	if (!core_open_server(&f))
		return;
	for (uint32_t id = 1; id < 6; id += 2) {
		core_request(&f, id, "Zombie", SPAN_NONE);
	}
	h2_reset(&f.in, 1, NGHTTP2_CANCEL);
	core_go(&f);
	CU_ASSERT_EQUAL(grpc_reply(f.echo.held[0], SPAN_NONE), -EPIPE);
	grpc_finish(f.echo.held[0], GRPC_OK, NULL);
	CU_ASSERT_EQUAL(grpc_reply(f.echo.held[1], SPAN_NONE), 0);
	grpc_session_close(f.s, "lost", true);
	CU_ASSERT_EQUAL(grpc_reply(f.echo.held[1], SPAN_NONE), -EPIPE);
	grpc_finish(f.echo.held[1], GRPC_OK, NULL);
	grpc_session_free(f.s);
	f.s = NULL;
	CU_ASSERT_EQUAL(grpc_reply(f.echo.held[2], SPAN_NONE), -EPIPE);
	grpc_finish(f.echo.held[2], GRPC_OK, NULL);
	CU_ASSERT_EQUAL(f.echo.closed, 0);
}

static void finish_again(void *ctx)
{
	struct echo *e = ctx;

	e->closed++;
	e->refused += grpc_reply(e->held[0], SPAN_NONE) == -EPIPE;
	grpc_finish(e->held[0], GRPC_OK, NULL);
}

/* Who answers in closed does no harm. */
static void test_answer_in_closed(void)
{
	for (int expire = 0; expire < 2; expire++) {
		static const char *const changes[] = {"grpc-timeout", "1S", NULL};
		_cleanup_core_ struct core f = {.echo.silent = true};

		if (!core_open_server(&f))
			return;
		h2_request(&f.in, 0, 1, "/test.Echo/Zombie", changes);
		h2_message(&f.in, END, 1, SPAN_NONE);
		core_go(&f);
		grpc_call_on_closed(f.echo.held[0], finish_again, &f.echo);
		if (expire)
			grpc_session_tick(f.s, f.now + USEC_PER_SEC);
		else
			h2_reset(&f.in, 1, NGHTTP2_CANCEL);
		core_go(&f);
		CU_ASSERT_EQUAL(f.echo.closed, 1);
		CU_ASSERT_EQUAL(f.echo.refused, 1);
		CHECK_STR("answer", buf_view(&f.out),
			expire ? REFUSED("200", "4", "the deadline has passed") : "");
	}
}

/* Clients that leave drain: what is under way goes on, then the connection is over. */
static void test_goaway_from_client(void)
{
	_cleanup_core_ struct core f = {.echo.silent = true};

	if (!core_open_server(&f))
		return;
	core_request(&f, 1, "Hold", SPAN_NONE);
	h2_goaway(&f.in, 0, NGHTTP2_NO_ERROR, "bye\n");
	core_go(&f);
	CU_ASSERT(!grpc_session_over(f.s));
	grpc_finish(f.echo.held[0], GRPC_OK, NULL);
	core_go(&f);
	CHECK_STR("answer", buf_view(&f.out),
		"headers 1 :status=200 content-type=application/grpc grpc-status=0 end\n");
	CU_ASSERT(grpc_session_over(f.s));
	CHECK_STR("why", span_str(grpc_session_why(f.s)),
		"the peer ended the connection (NO_ERROR: bye?)");
}

/* Our own: the last stream tells which calls were served; no other is taken. */
static void test_shut(void)
{
	_cleanup_core_ struct core f = {0};

	if (!core_open_server(&f))
		return;
	core_request(&f, 5, "Echo", SPAN_NONE);
	core_go(&f);
	buf_reset(&f.out);
	grpc_session_shut(f.s);
	CU_ASSERT_EQUAL(f.wakes, 1);
	core_go(&f);
	CHECK_STR("goodbye", buf_view(&f.out), "goaway 5 NO_ERROR\n");
	CU_ASSERT(grpc_session_over(f.s));
	core_request(&f, 7, "Echo", SPAN_NONE);
	core_go(&f);
	CU_ASSERT_EQUAL(f.echo.handled, 1);
}

CU_TestInfo grpc_call_tests[] = {
	{"settings first", test_settings_first},
	{"requests", test_requests},
	{"refused early", test_refused_early},
	{"message in many frames", test_message_in_many_frames},
	{"later", test_later},
	{"close in handle", test_close_in_handle},
	{"long status", test_long_status},
	{"closed", test_closed},
	{"early tick", test_early_tick},
	{"expires unsent", test_expires_unsent},
	{"slow request", test_slow_request},
	{"zombies", test_zombies},
	{"answer in closed", test_answer_in_closed},
	{"GOAWAY from the client", test_goaway_from_client},
	{"shut", test_shut},
	CU_TEST_INFO_NULL,
};
