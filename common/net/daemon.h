/* SPDX-License-Identifier: Apache-2.0
 *
 * What every daemon does the same way: the loop with its signals and watchdog, reloads of the
 * configuration, what systemd is told (sd_notify(3)), the log. SIGHUP and changed files reload;
 * SIGTERM and SIGINT stop. On the loop's thread. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/observe/metrics.h"

struct daemon_loop;

struct daemon_options {
	/* Takes up the configuration anew, log included, and says from which file ("" when none;
	 * valid until the next). On failure the running one stays as it was. */
	int (*take_config)(void *ctx, const char **ret_file, struct error *err);
	/* The first SIGTERM or SIGINT, when systemd knows already: ends the loop, now or later.
	 * Negative errno: it could not. */
	int (*stop)(void *ctx, int signal_number);
	void *ctx;
};

/* The calling thread's default loop. Before the process has another thread: all are to inherit
 * that the signals are the loop's. */
int daemon_loop_new(struct daemon_loop **ret_d, const struct daemon_options *o, struct error *err);
/* When nothing uses the loop any more; NULL allowed. */
void daemon_loop_free(struct daemon_loop *d);
DEFINE_CLEANUP(struct daemon_loop *, daemon_loop_free)

sd_event *daemon_loop_event(const struct daemon_loop *d); /* d's own */

/* Counts reloads by result from now on; name: "casemate_..._config_reloads_total". */
void daemon_loop_count(struct daemon_loop *d, struct metrics *m, const char *name);

/* Reloads also when one of these changes, as file_watch_new(); once. An empty list: nothing. */
int daemon_loop_watch(struct daemon_loop *d, const char *const *paths, struct error *err);

/* Until the loop is ended. */
int daemon_loop_run(struct daemon_loop *d, struct error *err);

/* Start-up is over: gives back its memory and tells systemd. */
void daemon_ready(void);

/* The log of a daemon goes to stderr; format: enum log_format. */
void daemon_log(int format, int64_t verbosity);
