/* SPDX-License-Identifier: Apache-2.0
 *
 * Notices that the platform changed while running: inotify on the folders of device nodes, of
 * AESM's socket and of the container runtime's configuration; kernel uevents; and AESM's
 * connection. On the loop's thread; never polls. What the kernel tells nobody of (/dev remounted,
 * a module parameter) shows at the next discovery. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "nodeagent/platform/platform.h"

enum { PLATFORM_MONITOR_EXTRA_MAX = 4 };

struct platform_monitor;
/* changed: something that platform_discover() looks at may have changed; runs at most every 200 ms,
 * and within 500 ms of the change (50 ms after a quiet time). It may free the monitor. extra: more
 * folders, NULL-terminated or NULL, at most PLATFORM_MONITOR_EXTRA_MAX (a simulation's "dev");
 * their paths are this process's own, not below sysroot. Folders need not exist yet. Without kernel
 * uevents (a user namespace that gets none) inotify has to do; that is no error. */
int platform_monitor_new(struct platform_monitor **ret_m, sd_event *event,
	const struct platform_source *src, const char *const *extra, void (*changed)(void *ctx),
	void *ctx, struct error *err);
void platform_monitor_free(struct platform_monitor *m); /* NULL allowed */
DEFINE_CLEANUP(struct platform_monitor *, platform_monitor_free)
