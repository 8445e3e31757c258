/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/grpc.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "tests/unit/grpc_fixture.h"
#include "tests/unit/test.h"

struct fix {
	sd_event *event;
	char folder[32], path[64];
	struct echo echo;
	struct grpc_server *server;
	struct grpc_channel *channel;
	unsigned connections, lost;
	char why[160];
};

static void on_connections(void *ctx, unsigned n)
{
	(void)ctx;
	(void)n;
}

static void on_lost(void *ctx, const char *why)
{
	struct fix *f = ctx;

	f->lost++;
	snprintf(f->why, sizeof(f->why), "%s", why);
}

static bool fix_serve(struct fix *f)
{
	struct grpc_server_options o = {
		.path = f->path,
		.methods = echo_methods,
		.n_methods = ECHO_METHODS,
		.ctx = &f->echo,
		.connections = on_connections,
	};
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

static bool fix_open(struct fix *f)
{
	strcpy(f->folder, "/tmp/casemate-grpc-XXXXXX");
	if (!mkdtemp(f->folder) || sd_event_new(&f->event) < 0)
		return false;
	snprintf(f->path, sizeof(f->path), "%s/socket", f->folder);
	return fix_serve(f) && fix_connect(f);
}

static void fix_close(struct fix *f)
{
	grpc_channel_free(f->channel);
	grpc_server_stop(f->server);
	sd_event_unref(f->event);
	rmdir(f->folder);
}
#define _cleanup_fix_ _cleanup_(fix_close)

/* Runs the loop until *counter is at least want, for at most 10 s. */
static bool fix_run(struct fix *f, const unsigned *counter, unsigned want)
{
	int64_t end = clock_monotonic_usec() + 10 * USEC_PER_SEC;

	while (*counter < want && clock_monotonic_usec() < end)
		sd_event_run(f->event, 100 * USEC_PER_MSEC);
	return *counter >= want;
}

static bool fix_ask(
	struct fix *f, struct asked *a, const char *path, struct span message, int64_t timeout_usec)
{
	struct grpc_stream_options o = asked_options(a, path, message, timeout_usec);
	struct error err = {0};

	return CHECK_ROW(
		path, grpc_start(f->channel, &o, &a->stream, &err) == 0, "%s", err.message);
}

static void test_calls(void)
{
	_cleanup_fix_ struct fix f = {0};
	_cleanup_asked_ struct asked echo = {0}, stream = {0}, late = {0};

	if (!fix_open(&f))
		return;
	fix_ask(&f, &echo, "/test.Echo/Echo", SPAN_LIT("hello"), 0);
	CU_ASSERT(fix_run(&f, &echo.dones, 1));
	CU_ASSERT_EQUAL(echo.status, GRPC_OK);
	CHECK_STR("echo", buf_view(&echo.last), "hello");
	fix_ask(&f, &stream, "/test.Echo/Repeat", SPAN_LIT("\x05 times"), 10 * USEC_PER_SEC);
	CU_ASSERT(fix_run(&f, &stream.dones, 1));
	CU_ASSERT_EQUAL(stream.status, GRPC_OK);
	CU_ASSERT_EQUAL(stream.messages, 5);
	fix_ask(&f, &late, "/test.Echo/Hold", SPAN_NONE, 50 * USEC_PER_MSEC);
	CU_ASSERT(fix_run(&f, &late.dones, 1));
	CU_ASSERT_EQUAL(late.status, GRPC_DEADLINE_EXCEEDED);
	CU_ASSERT(fix_run(&f, &f.echo.closed, 1));
}

CU_TestInfo grpc_tests[] = {
	{"calls", test_calls},
	CU_TEST_INFO_NULL,
};
