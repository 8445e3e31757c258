/* SPDX-License-Identifier: Apache-2.0
 *
 * Watches the entries of a folder that may come later, go, and be replaced: inotify on it or, while
 * it is not there, on the nearest folder above. Only where the kernel gives no inotify it polls. On
 * the loop's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"

struct dir_watch;

enum { DIR_WATCH_POLL_USEC = 30 * 1000 * 1000 };

struct dir_watch_options {
	const char *path; /* absolute */
	/* An entry appeared (there), or went. It may have been renamed, or be there already. */
	void (*entry)(void *ctx, const char *name, bool there);
	/* Anything may have changed: the folder itself, or events were lost, or it is time to poll.
	 */
	void (*look)(void *ctx);
	void *ctx;
	int64_t poll_usec; /* polls so often, without inotify; 0: the rule above */
};

/* Neither callback runs before this returns; what is there by then is the caller's to find. */
int dir_watch_new(struct dir_watch **ret_w, sd_event *event, const struct dir_watch_options *o,
	struct error *err);
void dir_watch_free(struct dir_watch *w);
DEFINE_CLEANUP(struct dir_watch *, dir_watch_free)

/* The folder seems to be another one than the one watched: watches what is at path now. */
void dir_watch_renew(struct dir_watch *w);
