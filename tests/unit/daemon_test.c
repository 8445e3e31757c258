/* SPDX-License-Identifier: Apache-2.0
 *
 * The signals are real and the process's own; systemd is a socket of the test. */
#include "common/net/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

#define COUNTER "casemate_test_config_reloads_total"

struct world {
	struct tree tree;
	sigset_t signals; /* as they were */
	int systemd, log;
	struct metrics *metrics;
	struct daemon_loop *loop;
	int result; /* of take_config */
	int taken, stops, last_signal;
};

static int take_config(void *ctx, const char **ret_file, struct error *err)
{
	struct world *w = ctx;

	w->taken++;
	if (w->result < 0)
		return error_set(err, w->result, "no good");
	*ret_file = "/etc/casemate/test.yaml";
	return 0;
}

static int stop(void *ctx, int signal_number)
{
	struct world *w = ctx;

	w->stops++;
	w->last_signal = signal_number;
	return 0;
}

static int listen_as_systemd(struct world *w)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", w->tree.root);
	w->systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->systemd < 0 || bind(w->systemd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	return setenv("NOTIFY_SOCKET", at.sun_path, 1);
}

static bool begin(struct world *w)
{
	const struct daemon_options o = {.take_config = take_config, .stop = stop, .ctx = w};
	struct error err = {0};
	char path[128];

	*w = (struct world){.systemd = -1, .log = -1};
	pthread_sigmask(SIG_SETMASK, NULL, &w->signals);
	if (!tree_new(&w->tree) || listen_as_systemd(w) < 0)
		return CHECK_ROW("world", false, "%s", strerror(errno));
	snprintf(path, sizeof(path), "%s/log", w->tree.root);
	w->log = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	log_setup(&(struct log_options){.verbosity = 2, .fd = w->log});
	w->metrics = metrics_new();
	CU_ASSERT_EQUAL(daemon_loop_new(&w->loop, &o, &err), 0);
	if (!w->loop || !w->metrics)
		return CHECK_ROW("world", false, "%s", err.message);
	daemon_loop_count(w->loop, w->metrics, COUNTER);
	return true;
}

static void end(struct world *w)
{
	daemon_loop_free(w->loop);
	metrics_free(w->metrics);
	log_setup(&(struct log_options){.verbosity = 2, .fd = STDERR_FILENO});
	unsetenv("NOTIFY_SOCKET");
	close(w->log);
	close(w->systemd);
	tree_free(&w->tree);
	pthread_sigmask(SIG_SETMASK, &w->signals, NULL);
}

/* Turns the loop until *count is n, or 10 s have passed. */
static void await(const struct world *w, const int *count, int n)
{
	for (int i = 0; i < 100 && *count < n; i++)
		sd_event_run(daemon_loop_event(w->loop), 100000);
	CU_ASSERT_EQUAL(*count, n);
}

/* What systemd was told next; "": nothing. */
static struct span told(const struct world *w, char out[256])
{
	ssize_t n = recv(w->systemd, out, 256, 0);

	return (struct span){out, n < 0 ? 0 : (size_t)n};
}

static bool exposed(const struct world *w, const char *line)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

	return metrics_expose(w->metrics, METRICS_TEXT, &b) == 0 && strstr(b.p, line);
}

static void check_reload(const struct world *w, const char *row)
{
	char text[256];

	CHECK_ROW(row, span_starts(told(w, text), "RELOADING=1\nMONOTONIC_USEC="), "%s", text);
	CHECK_STR(row, told(w, text), "READY=1");
	CHECK_STR(row, told(w, text), "");
}

static void test_reload(void)
{
	struct world w;

	if (begin(&w)) {
		CU_ASSERT(exposed(&w, COUNTER "{result=\"success\"} 0\n"));
		CU_ASSERT(exposed(&w, COUNTER "{result=\"failure\"} 0\n"));
		raise(SIGHUP);
		await(&w, &w.taken, 1);
		check_reload(&w, "taken");
		CU_ASSERT(exposed(&w, COUNTER "{result=\"success\"} 1\n"));
		w.result = -EINVAL;
		raise(SIGHUP);
		await(&w, &w.taken, 2);
		check_reload(&w, "refused");
		CU_ASSERT(exposed(&w, COUNTER "{result=\"success\"} 1\n"));
		CU_ASSERT(exposed(&w, COUNTER "{result=\"failure\"} 1\n"));
		CU_ASSERT_PTR_NOT_NULL(strstr(tree_text(&w.tree, "/log"),
			"\"Reloaded the configuration\" file=\"/etc/casemate/test.yaml\""));
		CU_ASSERT_PTR_NOT_NULL(strstr(tree_text(&w.tree, "/log"), "err=\"no good\""));
		CU_ASSERT_EQUAL(w.stops, 0);
	}
	end(&w);
}

static void test_files(void)
{
	const char *none[] = {NULL}, *missing[] = {"/nonexistent-folder/file", NULL};
	struct error err = {0};
	char path[128];
	struct world w;

	if (begin(&w)) {
		const char *paths[] = {path, NULL};

		snprintf(path, sizeof(path), "%s/test.yaml", w.tree.root);
		CU_ASSERT_EQUAL(daemon_loop_watch(w.loop, none, &err), 0);
		CU_ASSERT_EQUAL(daemon_loop_watch(w.loop, missing, &err), -ENOENT);
		CU_ASSERT_EQUAL(daemon_loop_watch(w.loop, paths, &err), 0);
		tree_step(&w.tree, "f /test.yaml verbosity: 3");
		await(&w, &w.taken, 1);
		check_reload(&w, "a file");
	}
	end(&w);
}

static void test_stop(void)
{
	char text[256];
	struct world w;

	if (begin(&w)) {
		raise(SIGTERM);
		await(&w, &w.stops, 1);
		CU_ASSERT_EQUAL(w.last_signal, SIGTERM);
		CHECK_STR("stop", told(&w, text), "STOPPING=1");
		/* Once: who asks again changes nothing. */
		raise(SIGINT);
		raise(SIGHUP);
		await(&w, &w.taken, 1);
		while (sd_event_run(daemon_loop_event(w.loop), 0) > 0)
			continue;
		CU_ASSERT_EQUAL(w.stops, 1);
		check_reload(&w, "while it stops");
	}
	end(&w);
}

static void test_run(void)
{
	struct error err = {0};
	char text[256];
	struct world w;

	if (begin(&w)) {
		daemon_ready();
		CHECK_STR("ready", told(&w, text), "READY=1");
		sd_event_exit(daemon_loop_event(w.loop), 0);
		CU_ASSERT_EQUAL(daemon_loop_run(w.loop, &err), 0);
		CU_ASSERT(daemon_loop_run(w.loop, &err) < 0); /* it has ended */
		CHECK_ROW("twice", span_starts(span_str(err.message), "event loop: "), "%s",
			err.message);
	}
	end(&w);
}

CU_TestInfo daemon_tests[] = {
	{"SIGHUP reloads", test_reload},
	{"a changed file reloads", test_files},
	{"SIGTERM and SIGINT stop once", test_stop},
	{"runs until it is ended", test_run},
	CU_TEST_INFO_NULL,
};
