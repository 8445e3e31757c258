/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the registry: the metrics of the process itself, read from /proc. */
#pragma once

struct metrics;
struct metrics_process;

/* Registers the families in m. 0 or -errno. */
int metrics_process_new(struct metrics_process **ret_p, struct metrics *m, const char *version);
/* Refreshes them; NULL allowed. */
void metrics_process_collect(struct metrics_process *p);
void metrics_process_free(struct metrics_process *p);
