/* SPDX-License-Identifier: Apache-2.0
 *
 * Says when files or folders changed, in whatever way: written in place, replaced by rename, or a
 * Kubernetes volume's ..data link swapped. On the loop's thread only. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"

struct file_watch;

enum { FILE_WATCH_MAX = 8 };

/* paths: NULL-terminated, at most FILE_WATCH_MAX files or folders; their folders must exist.
 * changed is called once after a burst of changes, when it has been quiet for a moment. A path may
 * be touched without having changed. */
int file_watch_new(struct file_watch **ret_w, sd_event *event, const char *const *paths,
	void (*changed)(void *ctx), void *ctx, struct error *err);
void file_watch_free(struct file_watch *w); /* NULL allowed */
DEFINE_CLEANUP(struct file_watch *, file_watch_free)
