/* SPDX-License-Identifier: Apache-2.0
 *
 * gRPC on real sockets: its life, its callbacks, clients that mean harm. */
#include "common/net/grpc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "tests/unit/grpc_fixture.h"
#include "tests/unit/h2_wire.h"
#include "tests/unit/test.h"

enum { END = NGHTTP2_FLAG_END_STREAM, WAIT_USEC = 60 * USEC_PER_SEC };

struct fix {
	sd_event *event;
	char folder[32], path[64];
	struct echo echo;
	struct grpc_server *server;
	struct grpc_channel *channel;
	unsigned connections, changes, lost;
	bool free_when_lost;
	char why[160];
};

static void on_connections(void *ctx, unsigned n)
{
	struct fix *f = (struct fix *)((char *)ctx - offsetof(struct fix, echo));

	f->connections = n;
	f->changes++;
}

static void on_lost(void *ctx, const char *why)
{
	struct fix *f = ctx;

	f->lost++;
	snprintf(f->why, sizeof(f->why), "%s", why);
	if (f->free_when_lost) {
		grpc_channel_free(f->channel);
		f->channel = NULL;
	}
}

static struct grpc_server_options fix_options(struct fix *f)
{
	return (struct grpc_server_options){
		.path = f->path,
		.methods = echo_methods,
		.n_methods = ECHO_METHODS,
		.ctx = &f->echo,
		.connections = on_connections,
	};
}

static bool fix_serve(struct fix *f)
{
	struct grpc_server_options o = fix_options(f);
	struct error err = {0};

	return CHECK_ROW(
		"serve", grpc_server_start(&f->server, f->event, &o, &err) == 0, "%s", err.message);
}

static bool fix_connect(struct fix *f)
{
	struct grpc_channel_options o = {.path = f->path, .lost = on_lost, .ctx = f};
	struct error err = {0};

	return CHECK_ROW("connect", grpc_channel_open(&f->channel, f->event, &o, &err) == 0, "%s",
		err.message);
}

static bool fix_begin(struct fix *f)
{
	strcpy(f->folder, "/tmp/casemate-grpc-XXXXXX");
	if (!mkdtemp(f->folder) || sd_event_new(&f->event) < 0)
		return false;
	snprintf(f->path, sizeof(f->path), "%s/socket", f->folder);
	return true;
}

static bool fix_open(struct fix *f)
{
	return fix_begin(f) && fix_serve(f) && fix_connect(f);
}

static void fix_close(struct fix *f)
{
	grpc_channel_free(f->channel);
	grpc_server_stop(f->server);
	sd_event_unref(f->event);
	unlink(f->path);
	CHECK_ROW("folder", rmdir(f->folder) == 0, "%s: not empty", f->folder);
}
#define _cleanup_fix_ _cleanup_(fix_close)

/* Runs the loop until *counter is at least want. */
static bool fix_run(struct fix *f, const unsigned *counter, unsigned want)
{
	int64_t end = clock_monotonic_usec() + WAIT_USEC;

	while (*counter < want && clock_monotonic_usec() < end)
		sd_event_run(f->event, 100 * USEC_PER_MSEC);
	return CHECK_ROW("run", *counter >= want, "%u, want %u", *counter, want);
}

/* Runs it until nothing happens for this long; how often something did. */
static unsigned fix_settle(struct fix *f, uint64_t quiet_usec)
{
	unsigned n = 0;

	while (n < 100000 && sd_event_run(f->event, quiet_usec) > 0)
		n++;
	return n;
}

static bool fix_ask(
	struct fix *f, struct asked *a, const char *path, struct span message, int64_t timeout_usec)
{
	struct grpc_stream_options o = asked_options(a, path, message, timeout_usec);
	struct error err = {0};

	return CHECK_ROW(
		path, grpc_start(f->channel, &o, &a->stream, &err) == 0, "%s", err.message);
}

/* A call that is answered at once. */
static void fix_echo(struct fix *f)
{
	_cleanup_asked_ struct asked a = {0};

	fix_ask(f, &a, "/test.Echo/Echo", SPAN_LIT("hello"), WAIT_USEC);
	fix_run(f, &a.dones, 1);
	CHECK_ROW("echo", a.status == GRPC_OK, "%s %s", grpc_status_name(a.status), a.text);
	CHECK_STR("echo", buf_view(&a.last), "hello");
}

static unsigned open_files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_calls(void)
{
	unsigned files = open_files();
	struct span list = {calloc(1, 4089446), 4089446};

	{
		_cleanup_fix_ struct fix f = {0};
		_cleanup_asked_ struct asked stream = {0}, large = {0}, late = {0};

		if (!fix_open(&f))
			return;
		fix_echo(&f);
		CU_ASSERT_EQUAL(f.connections, 1);
		fix_ask(&f, &stream, "/test.Echo/Repeat", SPAN_LIT("\5 times"), WAIT_USEC);
		fix_run(&f, &stream.dones, 1);
		CU_ASSERT_EQUAL(stream.status, GRPC_OK);
		CU_ASSERT_EQUAL(stream.messages, 5);
		fix_ask(&f, &large, "/test.Echo/Echo", list, 0);
		fix_run(&f, &large.dones, 1);
		CU_ASSERT_EQUAL(large.status, GRPC_OK);
		CU_ASSERT(span_equal(buf_view(&large.last), list));
		fix_ask(&f, &late, "/test.Echo/Hold", SPAN_NONE, 50 * USEC_PER_MSEC);
		fix_run(&f, &late.dones, 1);
		CU_ASSERT_EQUAL(late.status, GRPC_DEADLINE_EXCEEDED);
		fix_run(&f, &f.echo.closed, 1);
	}
	CU_ASSERT_EQUAL(open_files(), files);
	free((char *)list.p);
}

/* --- the socket --- */

static void test_socket(void)
{
	_cleanup_fix_ struct fix f = {0};
	struct stat st;
	int fd;

	if (!fix_begin(&f))
		return;
	fd = open(f.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644); /* not a socket, in the way */
	close(fd);
	if (!fix_serve(&f))
		return;
	CU_ASSERT(lstat(f.path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
	CU_ASSERT(grpc_server_in_place(f.server));
	CU_ASSERT_EQUAL(unlink(f.path), 0);
	CU_ASSERT(!grpc_server_in_place(f.server));
	fd = open(f.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	close(fd);
	CU_ASSERT(!grpc_server_in_place(f.server));
	grpc_server_stop(f.server); /* somebody else's by now */
	f.server = NULL;
	CU_ASSERT_EQUAL(access(f.path, F_OK), 0);
	if (!fix_serve(&f))
		return;
	grpc_server_stop(f.server);
	f.server = NULL;
	CU_ASSERT_EQUAL(access(f.path, F_OK), -1);
}

static void test_socket_errors(void)
{
	static const struct {
		const char *path; /* behind the folder */
		int want;
		const char *text;
	} rows[] = {
		{"", -EISDIR, ": cannot remove what is there: Is a directory"},
		{"/none/socket", -ENOENT, "/none/socket: bind: No such file or directory"},
		{"/0123456789012345678901234567890123456789012345678901234567890123456789012345678"
		 "9012",
			-ENAMETOOLONG, ": the path of a socket has at most 107 bytes"},
	};
	_cleanup_fix_ struct fix f = {0};
	struct grpc_channel_options channel = {.path = f.path};
	struct error err = {0};

	if (!fix_begin(&f))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct grpc_server_options o = fix_options(&f);
		char path[200];
		int r;

		snprintf(path, sizeof(path), "%s%s", f.folder, rows[i].path);
		o.path = path;
		r = grpc_server_start(&f.server, f.event, &o, &err);
		CHECK_ROW(rows[i].text, r == rows[i].want, "%d", r);
		CHECK_ROW(rows[i].text,
			strncmp(err.message, f.folder, strlen(f.folder)) == 0 &&
				strstr(err.message, rows[i].text),
			"%s", err.message);
	}
	CU_ASSERT_EQUAL(grpc_channel_open(&f.channel, f.event, &channel, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "/socket: connect: No such file or directory"));
	if (!fix_serve(&f))
		return;
	grpc_server_stop(f.server);
	f.server = NULL;
}

/* --- ends --- */

static void test_server_stops(void)
{
	_cleanup_fix_ struct fix f = {.free_when_lost = true};
	_cleanup_asked_ struct asked a = {0};

	if (!fix_open(&f))
		return;
	fix_ask(&f, &a, "/test.Echo/Hold", SPAN_NONE, 0);
	fix_run(&f, &a.messages, 1);
	grpc_finish(f.echo.held[0], GRPC_OK, "just in time"); /* still arrives */
	grpc_server_stop(f.server);
	f.server = NULL;
	fix_run(&f, &f.lost, 1);
	CU_ASSERT_EQUAL(a.dones, 1);
	CU_ASSERT_EQUAL(a.status, GRPC_OK);
	CHECK_STR("why", span_str(f.why), "the peer ended the connection (NO_ERROR)");
	CU_ASSERT_EQUAL(fix_settle(&f, 1000), 0);
}

static void test_open_stream_at_stop(void)
{
	_cleanup_fix_ struct fix f = {0};
	_cleanup_asked_ struct asked a = {0};
	struct grpc_stream_options o = asked_options(&a, "/test.Echo/Echo", SPAN_NONE, 0);
	struct error err = {0};

	if (!fix_open(&f))
		return;
	fix_ask(&f, &a, "/test.Echo/Hold", SPAN_NONE, 0);
	fix_run(&f, &a.messages, 1);
	grpc_server_stop(f.server);
	f.server = NULL;
	CU_ASSERT_EQUAL(f.echo.closed, 1);
	fix_run(&f, &f.lost, 1);
	CU_ASSERT_EQUAL(a.dones, 1);
	CU_ASSERT_EQUAL(a.status, GRPC_UNAVAILABLE);
	CU_ASSERT_EQUAL(grpc_start(f.channel, &o, NULL, &err), -ESHUTDOWN);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "/socket: the connection is lost"));
}

static void test_client_leaves(void)
{
	_cleanup_fix_ struct fix f = {0};
	_cleanup_asked_ struct asked a = {0};

	if (!fix_open(&f))
		return;
	fix_ask(&f, &a, "/test.Echo/Hold", SPAN_NONE, 0);
	fix_run(&f, &a.messages, 1);
	grpc_channel_free(f.channel);
	f.channel = NULL;
	fix_run(&f, &f.echo.closed, 1);
	CU_ASSERT_EQUAL(a.dones, 0);
	CU_ASSERT_EQUAL(f.lost, 0);
	CU_ASSERT_EQUAL(f.connections, 0);
	CU_ASSERT_EQUAL(f.changes, 2);
}

/* --- what callbacks may do --- */

struct act {
	struct fix *f;
	unsigned ran;
};

static void stop_in_handle(void *ctx, struct grpc_call *call, struct span message)
{
	struct act *a = ctx;

	(void)message;
	a->ran++;
	grpc_server_stop(a->f->server);
	a->f->server = NULL;
	CU_ASSERT_EQUAL(grpc_reply(call, SPAN_NONE), -EPIPE);
	grpc_finish(call, GRPC_OK, NULL);
}

static void stop_in_closed(void *ctx)
{
	struct act *a = ctx;

	a->ran++;
	grpc_server_stop(a->f->server);
	a->f->server = NULL;
}

static void hold_for_closed(void *ctx, struct grpc_call *call, struct span message)
{
	(void)message;
	grpc_call_on_closed(call, stop_in_closed, ctx);
}

/* The server goes from within its own callbacks. */
static void test_stop_in_callbacks(void)
{
	static void (*const handlers[])(void *ctx, struct grpc_call *call, struct span message) = {
		stop_in_handle, hold_for_closed};

	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		for (int lost = 0; lost < 2; lost++) {
			_cleanup_fix_ struct fix f = {0};
			_cleanup_asked_ struct asked a = {0};
			struct act act = {.f = &f};
			struct grpc_method method = {"/a.B/C", handlers[i]};
			struct grpc_server_options o = {
				.methods = &method, .n_methods = 1, .ctx = &act};

			if (!fix_begin(&f))
				return;
			o.path = f.path;
			CU_ASSERT_EQUAL(grpc_server_start(&f.server, f.event, &o, NULL), 0);
			fix_connect(&f);
			fix_ask(&f, &a, "/a.B/C", SPAN_NONE, 0);
			fix_settle(&f, 10 * USEC_PER_MSEC);
			if (lost) {
				grpc_channel_free(f.channel);
				f.channel = NULL;
			} else {
				grpc_cancel(a.stream);
			}
			fix_run(&f, &act.ran, 1);
			fix_settle(&f, 10 * USEC_PER_MSEC);
			CU_ASSERT_PTR_NULL(f.server);
		}
	}
}

static void free_in_done(void *ctx, enum grpc_status status, const char *message)
{
	struct act *a = ctx;

	CU_ASSERT_EQUAL(status, GRPC_OK);
	CHECK_STR("done", span_str(message), "");
	a->ran++;
	grpc_channel_free(a->f->channel);
	a->f->channel = NULL;
}

static void free_in_message(void *ctx, struct span message)
{
	struct act *a = ctx;

	a->ran++;
	grpc_channel_free(a->f->channel);
	a->f->channel = NULL;
	CHECK_STR("message", message, "hello");
}

static void test_free_in_callbacks(void)
{
	for (int in_message = 0; in_message < 2; in_message++) {
		_cleanup_fix_ struct fix f = {0};
		struct act act = {.f = &f};
		struct grpc_stream_options o = {
			.path = "/test.Echo/Echo",
			.message = SPAN_LIT("hello"),
			.message_received = in_message ? free_in_message : NULL,
			.done = free_in_done,
			.ctx = &act,
		};

		if (!fix_open(&f))
			return;
		CU_ASSERT_EQUAL(grpc_start(f.channel, &o, NULL, NULL), 0);
		fix_run(&f, &act.ran, 1);
		fix_settle(&f, 10 * USEC_PER_MSEC);
		CU_ASSERT_EQUAL(act.ran, 1);
	}
}

/* --- as the kubelet does it --- */

struct kubelet {
	struct fix *plugin;
	struct grpc_call *registering;
	struct asked options;
	unsigned called_back;
};

static void on_options(void *ctx, enum grpc_status status, const char *message)
{
	struct kubelet *k = ctx;

	k->called_back++;
	grpc_reply(k->registering, SPAN_LIT("registered"));
	grpc_finish(k->registering, status, message);
}

/* Register calls the plugin back before it answers. */
static void handle_register(void *ctx, struct grpc_call *call, struct span message)
{
	struct kubelet *k = ctx;
	struct grpc_stream_options o = {
		.path = "/test.Echo/Echo", .message = message, .done = on_options, .ctx = k};

	k->registering = call;
	if (fix_connect(k->plugin))
		CU_ASSERT_EQUAL(grpc_start(k->plugin->channel, &o, NULL, NULL), 0);
}

static void test_called_back(void)
{
	static const struct grpc_method method = {
		"/v1beta1.Registration/Register", handle_register};
	_cleanup_fix_ struct fix plugin = {0}, kubelet = {0};
	_cleanup_asked_ struct asked a = {0};
	struct kubelet k = {.plugin = &plugin};
	struct grpc_server_options o = {.methods = &method, .n_methods = 1, .ctx = &k};

	if (!fix_begin(&plugin) || !fix_begin(&kubelet))
		return;
	sd_event_unref(plugin.event);
	plugin.event = sd_event_ref(kubelet.event);
	o.path = kubelet.path;
	CU_ASSERT_EQUAL(grpc_server_start(&kubelet.server, kubelet.event, &o, NULL), 0);
	if (!fix_serve(&plugin) || !fix_connect(&kubelet))
		return;
	fix_ask(&kubelet, &a, "/v1beta1.Registration/Register", SPAN_LIT("me"), WAIT_USEC);
	fix_run(&kubelet, &a.dones, 1);
	CU_ASSERT_EQUAL(a.status, GRPC_OK);
	CHECK_STR("answer", buf_view(&a.last), "registered");
	CU_ASSERT_EQUAL(k.called_back, 1);
}

/* --- hostile clients --- */

static int raw_connect(struct fix *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, f->path);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Sends as much of b as goes, with the loop running; true: all of it. */
static bool raw_send(struct fix *f, int fd, const struct buf *b)
{
	size_t sent = 0;

	for (int tries = 0; sent < b->len && tries < 200; tries++) {
		ssize_t n = send(fd, b->p + sent, b->len - sent, MSG_NOSIGNAL);

		if (n > 0) {
			sent += (size_t)n;
			tries = 0;
		} else if (errno != EAGAIN) {
			return false;
		}
		sd_event_run(f->event, 1000);
	}
	return sent == b->len;
}

/* Has the server closed it? */
static bool raw_closed(struct fix *f, int fd)
{
	char bytes[4096];
	ssize_t n;

	fix_settle(f, 1000);
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		;
	return n == 0 || errno != EAGAIN;
}

/* Never reads, and asks for a lot: over as soon as too much waits for it. */
static void test_never_reads(void)
{
	_cleanup_fix_ struct fix f = {0};
	struct buf b = BUF_INIT(H2_MAX);
	struct span message = {calloc(1, 60000), 60000};
	int fd;

	if (!fix_open(&f))
		return;
	((char *)message.p)[0] = (char)200; /* times */
	h2_preface(&b);
	h2_window(&b, 0, 0x7fff0000);
	h2_request(&b, 0, 1, "/test.Echo/Repeat", NULL);
	h2_message(&b, END, 1, message);
	fd = raw_connect(&f);
	raw_send(&f, fd, &b);
	fix_settle(&f, 1000);
	CU_ASSERT(f.echo.refused > 0);
	CU_ASSERT_EQUAL(f.connections, 1);
	fix_echo(&f);
	close(fd);
	free((char *)message.p);
	buf_free(&b);
}

/* Asks without end and reads nothing: it is not listened to until it does; others are. */
static void test_never_reads_small(void)
{
	_cleanup_fix_ struct fix f = {0};
	struct buf b = BUF_INIT(H2_MAX);
	uint32_t id = 1;
	int fd;

	if (!fix_open(&f))
		return;
	fd = raw_connect(&f);
	h2_preface(&b);
	while (raw_send(&f, fd, &b) && id < 200000) {
		buf_reset(&b);
		for (int i = 0; i < 100; i++, id += 2) {
			h2_request(&b, 0, id, "/test.Echo/Nothing", NULL);
			h2_message(&b, END, id, SPAN_NONE);
		}
	}
	CHECK_ROW("heard", id < 200000, "%u requests", id / 2);
	CU_ASSERT_EQUAL(f.connections, 2);
	fix_echo(&f);
	/* Busy loops would show here. */
	CU_ASSERT(fix_settle(&f, 50 * USEC_PER_MSEC) < 10);
	close(fd);
	fix_settle(&f, 10 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(f.connections, 1);
	buf_free(&b);
}

static void test_garbage(void)
{
	static const struct {
		const char *name, *bytes;
		size_t n;
	} rows[] = {
		{"HTTP/1.1", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27},
		{"TLS", "\x16\3\1\2\0\1\0\1\xfc\3\3", 11},
		{"half a preface, then not", "PRI * HTTP/2.0\r\n\r\nXX", 20},
	};
	_cleanup_fix_ struct fix f = {0};

	if (!fix_open(&f))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf b = BUF_INIT(H2_MAX);
		int fd = raw_connect(&f);

		buf_add(&b, rows[i].bytes, rows[i].n);
		CHECK_ROW(rows[i].name, raw_send(&f, fd, &b) && raw_closed(&f, fd), "still open");
		close(fd);
		buf_free(&b);
	}
	fix_echo(&f);
	CU_ASSERT_EQUAL(f.connections, 1);
}

static void test_floods(void)
{
	static const uint8_t types[] = {NGHTTP2_PING, NGHTTP2_SETTINGS, NGHTTP2_RST_STREAM};
	_cleanup_fix_ struct fix f = {0};

	if (!fix_open(&f))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct buf b = BUF_INIT(H2_MAX);
		int fd = raw_connect(&f);

		h2_preface(&b);
		for (uint32_t id = 1; id < 10000; id += 2) {
			if (types[i] == NGHTTP2_PING) {
				h2_frame(&b, NGHTTP2_PING, 0, 0, SPAN_LIT("12345678"));
			} else if (types[i] == NGHTTP2_SETTINGS) {
				h2_settings(&b);
			} else {
				h2_request(&b, 0, id, "/test.Echo/Hold", NULL);
				h2_reset(&b, id, NGHTTP2_CANCEL);
			}
		}
		raw_send(&f, fd, &b);
		CHECK_ROW("flood", raw_closed(&f, fd), "type %u: still open", types[i]);
		close(fd);
		buf_free(&b);
		fix_echo(&f);
	}
	CU_ASSERT_EQUAL(f.connections, 1);
}

/* Connections beyond the maximum are closed at once; a place that gets free is given again. */
static void test_connections(void)
{
	_cleanup_fix_ struct fix f = {0};
	int fds[GRPC_CONNECTIONS_MAX];

	if (!fix_open(&f))
		return;
	for (int i = 0; i < GRPC_CONNECTIONS_MAX; i++)
		fds[i] = raw_connect(&f);
	CU_ASSERT(raw_closed(&f, fds[GRPC_CONNECTIONS_MAX - 1]));
	CU_ASSERT(!raw_closed(&f, fds[GRPC_CONNECTIONS_MAX - 2]));
	CU_ASSERT_EQUAL(f.connections, GRPC_CONNECTIONS_MAX);
	fix_echo(&f);
	close(fds[0]);
	fix_settle(&f, 1000);
	CU_ASSERT_EQUAL(f.connections, GRPC_CONNECTIONS_MAX - 1);
	fds[0] = raw_connect(&f);
	CU_ASSERT(!raw_closed(&f, fds[0]));
	for (int i = 0; i < GRPC_CONNECTIONS_MAX; i++)
		close(fds[i]);
}

/* No descriptors are left: the listener rests instead of spinning, then goes on. */
static void test_no_descriptors(void)
{
	_cleanup_fix_ struct fix f = {0};
	struct rlimit was, none;
	int fd, next;

	if (!fix_open(&f) || getrlimit(RLIMIT_NOFILE, &was) < 0)
		return;
	fix_echo(&f);
	fd = raw_connect(&f);
	next = dup(fd);
	close(next);
	none = (struct rlimit){(rlim_t)next, was.rlim_max};
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
	CU_ASSERT(fix_settle(&f, 50 * USEC_PER_MSEC) < 10);
	CU_ASSERT_EQUAL(f.connections, 1);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &was), 0);
	fix_run(&f, &f.changes, 2);
	CU_ASSERT_EQUAL(f.connections, 2);
	close(fd);
}

/* Who waits costs nothing: an open stream and an idle connection, for a while. */
static void test_idle(void)
{
	_cleanup_fix_ struct fix f = {0};
	_cleanup_asked_ struct asked a = {0};

	if (!fix_open(&f))
		return;
	fix_ask(&f, &a, "/test.Echo/Hold", SPAN_NONE, 0);
	fix_run(&f, &a.messages, 1);
	fix_settle(&f, 10 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(sd_event_run(f.event, 300 * USEC_PER_MSEC), 0);
}

CU_TestInfo grpc_tests[] = {
	{"calls", test_calls},
	{"socket", test_socket},
	{"socket errors", test_socket_errors},
	{"server stops", test_server_stops},
	{"open stream at stop", test_open_stream_at_stop},
	{"client leaves", test_client_leaves},
	{"stop in callbacks", test_stop_in_callbacks},
	{"free in callbacks", test_free_in_callbacks},
	{"called back", test_called_back},
	{"never reads", test_never_reads},
	{"never reads, small", test_never_reads_small},
	{"garbage", test_garbage},
	{"floods", test_floods},
	{"connections", test_connections},
	{"no descriptors", test_no_descriptors},
	{"idle", test_idle},
	CU_TEST_INFO_NULL,
};
