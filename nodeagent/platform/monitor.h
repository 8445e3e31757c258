/* SPDX-License-Identifier: Apache-2.0
 *
 * Notices that the platform changed while running: inotify on the folders of device nodes and of
 * AESM's socket, kernel uevents, and AESM's connection. On the loop's thread; never polls. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "nodeagent/platform/platform.h"

struct platform_monitor;
/* changed: something that platform_discover() looks at may have changed; runs at most every 200 ms,
 * and within 500 ms of the change. More folders (a simulation's): extra, NULL-terminated or NULL.
 * Without kernel uevents (a network namespace that gets none) inotify has to do; that is no error.
 */
int platform_monitor_new(struct platform_monitor **ret_m, sd_event *event,
	const struct platform_source *src, const char *const *extra, void (*changed)(void *ctx),
	void *ctx, struct error *err);
void platform_monitor_free(struct platform_monitor *m);
DEFINE_CLEANUP(struct platform_monitor *, platform_monitor_free)
