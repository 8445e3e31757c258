/* SPDX-License-Identifier: Apache-2.0
 *
 * peer serve SOCKET | peer call SOCKET: the test service /test.Echo on common/net/grpc.h, for other
 * implementations to call, and its client, which prints "ok: NAME" or "FAILED: NAME: WHY" a line.
 *
 *   Echo, Repeat, Hold, Fail  as in tests/unit/grpc_fixture.h
 *   Later                     Echo, after 300 ms
 *   Closed                    how many of Hold's calls the clients gave up, in one byte
 *   Stop                      the server ends, whatever is under way */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/grpc.h"
#include "tests/unit/grpc_fixture.h"

enum {
	LATER_USEC = 300 * USEC_PER_MSEC,
	LATER_MAX = 100,
	WAIT_USEC = 20 * USEC_PER_SEC,
	LARGE = 39 * (1 << 20) / 10,
};

/* --- server --- */

struct service {
	struct echo echo; /* first: the fixture's methods are told it */
	sd_event *event;
	struct grpc_server *server;
};

struct later {
	struct grpc_call *call;
	sd_event_source *timer;
	struct buf message;
	bool gone;
};

static void later_closed(void *ctx)
{
	((struct later *)ctx)->gone = true;
}

static int later_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct later *l = userdata;

	(void)source;
	(void)usec;
	if (!l->gone) {
		grpc_reply(l->call, buf_view(&l->message));
		grpc_finish(l->call, GRPC_OK, NULL);
	}
	sd_event_source_disable_unref(l->timer);
	buf_free(&l->message);
	free(l);
	return 0;
}

static void handle_later(void *ctx, struct grpc_call *call, struct span message)
{
	struct service *s = ctx;
	struct later *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->call = call;
	l->message = BUF_INIT(GRPC_MESSAGE_MAX);
	buf_span(&l->message, message);
	grpc_call_on_closed(call, later_closed, l);
	sd_event_add_time_relative(
		s->event, &l->timer, CLOCK_MONOTONIC, LATER_USEC, USEC_PER_MSEC, later_over, l);
}

static void handle_closed(void *ctx, struct grpc_call *call, struct span message)
{
	char n = (char)((struct service *)ctx)->echo.closed;

	(void)message;
	grpc_reply(call, (struct span){&n, 1});
	grpc_finish(call, GRPC_OK, NULL);
}

static void handle_stop(void *ctx, struct grpc_call *call, struct span message)
{
	(void)message;
	grpc_reply(call, SPAN_NONE);
	grpc_finish(call, GRPC_OK, NULL);
	sd_event_exit(((struct service *)ctx)->event, 0);
}

static int serve(const char *path)
{
	static const struct grpc_method own[] = {
		{"/test.Echo/Later", handle_later},
		{"/test.Echo/Closed", handle_closed},
		{"/test.Echo/Stop", handle_stop},
	};
	struct grpc_method methods[ECHO_METHODS + ARRAY_SIZE(own)];
	static struct service s;
	struct grpc_server_options o = {
		.path = path, .methods = methods, .n_methods = ARRAY_SIZE(methods), .ctx = &s};
	struct error err = {0};
	int r;

	memcpy(methods, echo_methods, ECHO_METHODS * sizeof(methods[0]));
	memcpy(methods + ECHO_METHODS, own, sizeof(own));
	if (sd_event_new(&s.event) < 0)
		return 1;
	r = grpc_server_start(&s.server, s.event, &o, &err);
	if (r < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	r = sd_event_loop(s.event);
	grpc_server_stop(s.server);
	sd_event_unref(s.event);
	return r < 0;
}

/* --- client --- */

struct client {
	sd_event *event;
	struct grpc_channel *channel;
	unsigned lost;
};

static void check(const char *name, bool ok, const struct asked *a)
{
	if (ok)
		printf("ok: peer: %s\n", name);
	else
		printf("FAILED: peer: %s: %s \"%s\", %u messages, %zu bytes, ended %u times\n",
			name, grpc_status_name(a->status), a->text, a->messages, a->bytes,
			a->dones);
	fflush(stdout);
}

static void start(struct client *c, struct asked *a, const char *path, struct span message,
	int64_t timeout_usec)
{
	struct grpc_stream_options o = asked_options(a, path, message, timeout_usec);
	struct error err = {0};

	if (grpc_start(c->channel, &o, &a->stream, &err) < 0)
		printf("FAILED: peer: start: %s\n", err.message);
}

static bool run_until(struct client *c, const unsigned *counter, unsigned want)
{
	int64_t end = clock_monotonic_usec() + WAIT_USEC;

	while (*counter < want && clock_monotonic_usec() < end)
		if (sd_event_run(c->event, 100 * USEC_PER_MSEC) < 0)
			return false;
	return *counter >= want;
}

static void call(struct client *c, struct asked *a, const char *path, struct span message,
	int64_t timeout_usec)
{
	asked_free(a);
	*a = (struct asked){0};
	start(c, a, path, message, timeout_usec);
	run_until(c, &a->dones, 1);
}

/* first, then zeros; to be freed. */
static struct span bytes(char first, size_t n)
{
	char *p = calloc(1, n);

	if (!p)
		abort();
	p[0] = first;
	return (struct span){p, n};
}

static void check_unary(struct client *c)
{
	static const struct {
		const char *name;
		size_t n;
	} rows[] = {{"unary, short", 5}, {"unary, empty", 0}, {"unary, 3 MiB", 3 << 20}};
	static const char text[] = "größer → ∞: 100%\n\"quoted\"";
	static const char shown[] = "größer → ∞: 100% \"quoted\""; /* one line */
	struct asked a = {0};
	struct span m = bytes('x', 5 << 20);
	char fail[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		call(c, &a, "/test.Echo/Echo", (struct span){m.p, rows[i].n}, 0);
		check(rows[i].name,
			a.status == GRPC_OK && a.messages == 1 &&
				span_equal(buf_view(&a.last), (struct span){m.p, rows[i].n}),
			&a);
	}
	call(c, &a, "/test.Echo/Nothing", SPAN_NONE, 0);
	check("unknown method", a.status == GRPC_UNIMPLEMENTED, &a);
	call(c, &a, "/test.Echo/Echo", m, 0);
	check("too large", a.status == GRPC_RESOURCE_EXHAUSTED, &a);
	fail[0] = GRPC_NOT_FOUND;
	memcpy(fail + 1, text, sizeof(text) - 1);
	call(c, &a, "/test.Echo/Fail", (struct span){fail, sizeof(text)}, 0);
	check("error with its text", a.status == GRPC_NOT_FOUND && strcmp(a.text, shown) == 0, &a);
	asked_free(&a);
	free((char *)m.p);
}

static void check_streams(struct client *c)
{
	static const struct {
		const char *name;
		unsigned n;
		size_t size;
	} rows[] = {
		{"stream, 200 messages", 200, 5},
		{"stream, 30 large ones", 30, 100 << 10},
		{"stream, no message", 0, 1},
		{"stream, a 3.9 MiB answer", 1, LARGE},
	};
	struct asked a = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span m = bytes((char)rows[i].n, rows[i].size);

		call(c, &a, "/test.Echo/Repeat", m, 0);
		check(rows[i].name,
			a.status == GRPC_OK && a.messages == rows[i].n &&
				a.bytes == rows[i].n * rows[i].size,
			&a);
		free((char *)m.p);
	}
	asked_free(&a);
}

static bool closed_is(struct client *c, char want)
{
	struct asked a = {0};
	bool is = false;

	for (int i = 0; i < 100 && !is; i++) {
		call(c, &a, "/test.Echo/Closed", SPAN_NONE, 0);
		is = a.last.len == 1 && a.last.p[0] == want;
		if (!is)
			usleep(20 * USEC_PER_MSEC);
	}
	asked_free(&a);
	return is;
}

static void check_endings(struct client *c)
{
	struct asked a = {0}, b = {0};
	int64_t began;

	start(c, &a, "/test.Echo/Hold", SPAN_NONE, 0);
	check("a held stream's first message", run_until(c, &a.messages, 1), &a);
	grpc_cancel(a.stream);
	check("cancelled there", closed_is(c, 1), &a);
	check("cancelled here", a.dones == 0, &a);
	began = clock_monotonic_usec();
	call(c, &b, "/test.Echo/Hold", SPAN_NONE, 200 * USEC_PER_MSEC);
	began = clock_monotonic_usec() - began;
	check("deadline here",
		b.status == GRPC_DEADLINE_EXCEEDED && began > 150 * USEC_PER_MSEC &&
			began < 2 * USEC_PER_SEC,
		&b);
	check("deadline there", closed_is(c, 2), &b);
	/* The servers ping, and would give up a client that does not answer within a second. */
	call(c, &b, "/test.Echo/Hold", SPAN_NONE, 2500 * USEC_PER_MSEC);
	check("pinged for 2.5 s", b.status == GRPC_DEADLINE_EXCEEDED && c->lost == 0, &b);
	asked_free(&a);
	asked_free(&b);
}

static void check_at_once(struct client *c)
{
	static struct asked a[LATER_MAX];
	int64_t began = clock_monotonic_usec();
	unsigned good = 0;
	char text[16];

	for (unsigned i = 0; i < LATER_MAX; i++) {
		snprintf(text, sizeof(text), "call %u", i);
		start(c, &a[i], "/test.Echo/Later", span_str(text), 0);
	}
	for (unsigned i = 0; i < LATER_MAX; i++) {
		snprintf(text, sizeof(text), "call %u", i);
		run_until(c, &a[i].dones, 1);
		good += a[i].status == GRPC_OK && span_is(buf_view(&a[i].last), text);
		asked_free(&a[i]);
	}
	check("100 calls at once",
		good == LATER_MAX && clock_monotonic_usec() - began < 3 * USEC_PER_SEC, &a[0]);
}

static void check_stopped(struct client *c)
{
	struct asked held = {0}, stop = {0};

	start(c, &held, "/test.Echo/Hold", SPAN_NONE, 0);
	check("a stream before the server's end", run_until(c, &held.messages, 1), &held);
	start(c, &stop, "/test.Echo/Stop", SPAN_NONE, 0);
	run_until(c, &held.dones, 1);
	check("the server ends with a stream open", held.status == GRPC_UNAVAILABLE, &held);
	check("the connection is lost", run_until(c, &c->lost, 1), &held);
	asked_free(&held);
	asked_free(&stop);
}

static void on_lost(void *ctx, const char *why)
{
	(void)why;
	((struct client *)ctx)->lost++;
}

static int client(const char *path)
{
	struct client c = {0};
	struct grpc_channel_options o = {.path = path, .lost = on_lost, .ctx = &c};
	struct error err = {0};

	if (sd_event_new(&c.event) < 0)
		return 1;
	if (grpc_channel_open(&c.channel, c.event, &o, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	check_unary(&c);
	check_streams(&c);
	check_endings(&c);
	check_at_once(&c);
	check_stopped(&c);
	grpc_channel_free(c.channel);
	sd_event_unref(c.event);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc == 3 && strcmp(argv[1], "call") == 0)
		return client(argv[2]);
	fprintf(stderr, "usage: peer serve|call SOCKET\n");
	return 2;
}
