/* SPDX-License-Identifier: Apache-2.0
 *
 * What peers may cost: floods, memory. */
#include <errno.h>

#include "tests/unit/grpc_core.h"
#include "tests/unit/test.h"

/* --- floods --- */

static void one_ping(struct core *c, uint32_t i)
{
	(void)i;
	h2_frame(&c->in, NGHTTP2_PING, 0, 0, SPAN_LIT("12345678"));
}

static void one_ping_ack(struct core *c, uint32_t i)
{
	(void)i;
	h2_frame(&c->in, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, SPAN_LIT("12345678"));
}

static void one_settings(struct core *c, uint32_t i)
{
	(void)i;
	h2_settings(&c->in);
}

static void one_priority(struct core *c, uint32_t i)
{
	h2_frame(&c->in, NGHTTP2_PRIORITY, 0, i * 2 + 1, SPAN_LIT("\0\0\0\0\1"));
}

static void one_window(struct core *c, uint32_t i)
{
	(void)i;
	h2_window(&c->in, 0, 1);
}

static void one_empty_data(struct core *c, uint32_t i)
{
	if (i == 0)
		h2_request(&c->in, 0, 1, "/test.Echo/Echo", NULL);
	h2_data(&c->in, 0, 1, SPAN_NONE);
}

static void one_reset(struct core *c, uint32_t i)
{
	h2_request(&c->in, 0, i * 2 + 1, "/test.Echo/Echo", NULL);
	h2_reset(&c->in, i * 2 + 1, NGHTTP2_CANCEL);
}

static void one_held_reset(struct core *c, uint32_t i)
{
	core_request(c, i * 2 + 1, "Echo", SPAN_NONE);
	h2_reset(&c->in, i * 2 + 1, NGHTTP2_CANCEL);
}

/* The server is made to do the resetting: a window that overflows. */
static void one_made_reset(struct core *c, uint32_t i)
{
	h2_request(&c->in, 0, i * 2 + 1, "/test.Echo/Echo", NULL);
	h2_window(&c->in, i * 2 + 1, 0x7fffffff);
}

static void one_continuation(struct core *c, uint32_t i)
{
	if (i == 0)
		h2_frame(&c->in, NGHTTP2_HEADERS, 0, 1, SPAN_NONE);
	h2_frame(&c->in, NGHTTP2_CONTINUATION, 0, 1, SPAN_NONE);
}

static const struct flood {
	const char *name;
	void (*one)(struct core *c, uint32_t i);
	unsigned most;    /* taken at once */
	const char *why;  /* NULL: nghttp2's own */
	unsigned per_sec; /* taken for a minute; 0: not tried */
	bool unheard;     /* when it does not read: an unsent GOAWAY, and nothing is looked at */
} floods[] = {
	{"PING", one_ping, GRPC_FRAMES_MAX, "the peer floods (PING frames)", GRPC_FRAMES_PER_SEC,
		false},
	{"PING ACK", one_ping_ack, GRPC_FRAMES_MAX, "the peer floods (PING frames)",
		GRPC_FRAMES_PER_SEC, false},
	{"SETTINGS", one_settings, GRPC_FRAMES_MAX, "the peer floods (SETTINGS frames)",
		GRPC_FRAMES_PER_SEC, false},
	{"PRIORITY", one_priority, GRPC_FRAMES_MAX, "the peer floods (PRIORITY frames)",
		GRPC_FRAMES_PER_SEC, false},
	{"WINDOW_UPDATE", one_window, GRPC_FRAMES_MAX, "the peer floods (WINDOW_UPDATE frames)",
		GRPC_FRAMES_PER_SEC, false},
	{"empty DATA", one_empty_data, GRPC_FRAMES_MAX, "the peer floods (DATA frames)", 0, false},
	{"rapid reset", one_reset, GRPC_RESETS_MAX, "the peer floods (streams that end in a reset)",
		GRPC_RESETS_PER_SEC, false},
	{"rapid reset of calls", one_held_reset, GRPC_RESETS_MAX,
		"the peer floods (streams that end in a reset)", GRPC_RESETS_PER_SEC, false},
	{"made resets", one_made_reset, GRPC_RESETS_MAX,
		"the peer floods (streams that end in a reset)", GRPC_RESETS_PER_SEC, true},
	{"CONTINUATION", one_continuation, 10, NULL, 0, false},
};

/* One at a time. Who takes the answers loses the connection, within what is allowed; who does not
 * is not listened to. */
static void test_floods(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(floods); i++) {
		const struct flood *row = &floods[i];

		for (int reads = row->unheard; reads < 2; reads++) {
			_cleanup_core_ struct core c = {0};
			unsigned n = 0;

			if (!core_open_server(&c))
				return;
			while (n < 2 * GRPC_FRAMES_MAX && !grpc_session_over(c.s) &&
				grpc_session_wants_input(c.s)) {
				row->one(&c, n++);
				if (reads)
					core_go(&c);
				else
					core_push(&c);
				buf_reset(&c.out);
			}
			CHECK_ROW(row->name, n <= row->most + 1, "took %u", n);
			if (row->why && reads)
				CHECK_STR(row->name, span_str(grpc_session_why(c.s)), row->why);
		}
	}
}

/* The same within the rate is nobody's flood. */
static void test_not_floods(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(floods); i++) {
		_cleanup_core_ struct core c = {0};
		uint32_t n = 0;

		if (!core_open_server(&c))
			return;
		for (unsigned sec = 0; sec < 60; sec++) {
			for (unsigned k = 0; k < floods[i].per_sec / 2; k++)
				floods[i].one(&c, n++);
			core_go(&c);
			buf_reset(&c.out);
			c.now += USEC_PER_SEC / 2;
		}
		CHECK_ROW(floods[i].name, !grpc_session_over(c.s), "over after %u: %s", n,
			grpc_session_why(c.s));
	}
}

/* A client measures by PING and grants windows while it reads: that is paid for by the data. */
static void test_busy_reader(void)
{
	_cleanup_core_ struct core c = {0};
	const size_t size = 60000;
	struct span message = core_bytes(size);

	if (!core_open_server(&c))
		return;
	for (uint32_t id = 1; id < 2000; id += 2) {
		core_request(&c, id, "Echo", message);
		for (int i = 0; i < 5; i++) { /* what a message takes, prefix included */
			h2_window(&c.in, 0, (uint32_t)size / 5 + 1);
			h2_window(&c.in, id, (uint32_t)size / 5 + 1);
			one_ping(&c, 0);
			core_go(&c);
			buf_reset(&c.out);
		}
	}
	CHECK_ROW("busy", !grpc_session_over(c.s), "%s", grpc_session_why(c.s));
	CU_ASSERT_EQUAL(c.echo.handled, 1000);
	CU_ASSERT(c.reader.data > 1000 * size);
	free((char *)message.p);
}

static void test_flooded_client(void)
{
	_cleanup_core_ struct core c = {0};
	unsigned n = 0;

	if (!core_open_client(&c))
		return;
	for (; n < 2 * GRPC_FRAMES_MAX && !grpc_session_over(c.s); n++) {
		one_ping(&c, 0);
		core_go(&c);
	}
	CU_ASSERT(n <= GRPC_FRAMES_MAX + 1);
}

/* --- memory --- */

/* Input is not taken while its answers are not read. */
static void test_unread_frames(void)
{
	_cleanup_core_ struct core c = {0};

	if (!core_open_server(&c))
		return;
	for (unsigned i = 0; i < GRPC_UNSENT_FRAMES_MAX; i++) {
		CU_ASSERT(grpc_session_wants_input(c.s));
		one_ping(&c, 0);
		core_push(&c);
	}
	CU_ASSERT(!grpc_session_wants_input(c.s));
	core_go(&c);
	CU_ASSERT(grpc_session_wants_input(c.s));
}

/* A client that takes no data: the handler is told, the connection ends. */
static void test_never_reads(void)
{
	_cleanup_core_ struct core c = {0};
	struct span message = core_bytes(1 << 20);
	size_t unsent = 0;
	int r = 0;

	if (!core_open_server(&c))
		return;
	core_request(&c, 1, "Hold", SPAN_NONE);
	core_go(&c);
	for (; r == 0; unsent += message.len)
		r = grpc_reply(c.echo.held[0], message);
	CU_ASSERT_EQUAL(r, -ENOBUFS);
	CU_ASSERT(unsent <= GRPC_UNSENT_MAX + message.len);
	CU_ASSERT(grpc_session_over(c.s));
	CHECK_STR("why", span_str(grpc_session_why(c.s)),
		"the peer does not read: more than 8388608 bytes wait for it");
	CU_ASSERT_EQUAL(c.echo.closed, 0); /* not from within grpc_reply() */
	grpc_session_close(c.s, "unused", true);
	CU_ASSERT_EQUAL(c.echo.closed, 1);
	free((char *)message.p);
}

/* A transport that takes nothing, by the clock. */
static void test_stalled(void)
{
	_cleanup_core_ struct core c = {0};

	if (!core_open_server(&c))
		return;
	grpc_session_stalled(c.s, c.now);
	CU_ASSERT_EQUAL(grpc_session_deadline(c.s), c.now + GRPC_STALL_USEC);
	grpc_session_tick(c.s, c.now + GRPC_STALL_USEC - 1);
	CU_ASSERT(!grpc_session_over(c.s));
	grpc_session_stalled(c.s, INT64_MAX);
	CU_ASSERT_EQUAL(grpc_session_deadline(c.s), INT64_MAX);
	grpc_session_tick(c.s, c.now + GRPC_STALL_USEC);
	CU_ASSERT(!grpc_session_over(c.s));
	grpc_session_stalled(c.s, c.now);
	grpc_session_tick(c.s, c.now + GRPC_STALL_USEC);
	CU_ASSERT(grpc_session_over(c.s));
	CHECK_STR("why", span_str(grpc_session_why(c.s)), "the peer has not read for 60 seconds");
}

/* What was given up does not count; what can never be sent is refused alone. */
static void test_unsent_is_regained(void)
{
	_cleanup_core_ struct core c = {0};
	struct span message = core_bytes(GRPC_UNSENT_MAX);

	if (!core_open_server(&c))
		return;
	for (unsigned i = 0; i < 10; i++) {
		core_request(&c, i * 2 + 1, "Hold", SPAN_NONE);
		core_go(&c);
		CU_ASSERT_EQUAL(grpc_reply(c.echo.held[i], message), -EMSGSIZE);
		CU_ASSERT_EQUAL(
			grpc_reply(c.echo.held[i], (struct span){message.p, GRPC_UNSENT_MAX / 2}),
			0);
		h2_reset(&c.in, i * 2 + 1, NGHTTP2_CANCEL);
		core_go(&c);
	}
	CU_ASSERT_EQUAL(c.echo.closed, 10);
	CU_ASSERT(!grpc_session_over(c.s));
	free((char *)message.p);
}

/* Many requests that are begun and not ended: a session holds twice the largest message. */
static void test_incomplete_requests(void)
{
	_cleanup_core_ struct core c = {0};
	struct span part = core_bytes(90000);
	unsigned refused = 0;

	if (!core_open_server(&c))
		return;
	for (uint32_t id = 1; id < 20; id += 2) {
		h2_request(&c.in, 0, id, "/test.Echo/Echo", NULL);
		h2_data(&c.in, 0, id, SPAN_LIT("\0\0\1\x86\xa0"));
		h2_data(&c.in, 0, id, part);
		core_go(&c);
	}
	for (const char *p = c.out.p; (p = strstr(p, "grpc-status=8")); p++)
		refused++;
	CHECK_ROW("refused", refused == 8, "%u of 10", refused);
	CU_ASSERT(!grpc_session_over(c.s));
	/* When the others are done with, there is room again. */
	for (uint32_t id = 1; id < 4; id += 2)
		h2_reset(&c.in, id, NGHTTP2_CANCEL);
	core_request(&c, 21, "Echo", part);
	core_go(&c);
	CU_ASSERT_EQUAL(c.echo.handled, 1);
	free((char *)part.p);
}

/* As many as SETTINGS says, over and over; who then begins one more has broken HTTP/2. */
static void test_too_many_streams(void)
{
	_cleanup_core_ struct core c = {0};
	uint32_t i = 0;

	if (!core_open_server(&c))
		return;
	for (; i < GRPC_STREAMS_MAX; i++)
		core_request(&c, i * 2 + 1, "Hold", SPAN_NONE);
	h2_reset(&c.in, 1, NGHTTP2_CANCEL);
	core_request(&c, i++ * 2 + 1, "Hold", SPAN_NONE);
	core_go(&c);
	CU_ASSERT_EQUAL(c.echo.handled, GRPC_STREAMS_MAX + 1);
	CU_ASSERT(!grpc_session_over(c.s));
	core_request(&c, i * 2 + 1, "Hold", SPAN_NONE);
	core_go(&c);
	CU_ASSERT_EQUAL(c.echo.handled, GRPC_STREAMS_MAX + 1);
	CU_ASSERT(grpc_session_over(c.s));
	CHECK_STR("why", span_str(grpc_session_why(c.s)),
		"the peer broke HTTP/2 (PROTOCOL_ERROR: request HEADERS: max concurrent streams "
		"exceeded)");
}

/* Header lists beyond what SETTINGS says, and bombs that HPACK makes of few bytes. */
static void test_header_bombs(void)
{
	static char value[20000];
	const char *const changes[] = {"x-long", value, NULL};
	_cleanup_core_ struct core c = {0};
	struct buf block = BUF_INIT(H2_MAX);

	memset(value, 'x', sizeof(value) - 1);
	if (!core_open_server(&c))
		return;
	h2_request(&c.in, 0, 1, "/test.Echo/Echo", changes);
	h2_message(&c.in, END, 1, SPAN_NONE);
	core_go(&c);
	CHECK_STR("long", buf_view(&c.out),
		"headers 1 :status=431 content-type=application/grpc grpc-status=8 "
		"grpc-message=the headers have more than 16384 bytes end\n");
	CU_ASSERT_EQUAL(c.echo.handled, 0);
	/* One entry of 4000 bytes in the dynamic table, and 16,000 references to it. */
	buf_puts(&block, "\x40\1a\x7f\xa1\x1e");
	buf_add(&block, value, 4000);
	for (unsigned i = 0; i < 12000; i++)
		buf_putc(&block, (char)(0x80 | 62));
	h2_frame(&c.in, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | END, 3, buf_view(&block));
	core_go(&c);
	CU_ASSERT_EQUAL(c.echo.handled, 0);
	buf_free(&block);
}

CU_TestInfo grpc_limits_tests[] = {
	{"floods", test_floods},
	{"not floods", test_not_floods},
	{"busy reader", test_busy_reader},
	{"flooded client", test_flooded_client},
	{"unread frames", test_unread_frames},
	{"never reads", test_never_reads},
	{"stalled", test_stalled},
	{"unsent is regained", test_unsent_is_regained},
	{"incomplete requests", test_incomplete_requests},
	{"too many streams", test_too_many_streams},
	{"header bombs", test_header_bombs},
	CU_TEST_INFO_NULL,
};
