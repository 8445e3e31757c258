/* SPDX-License-Identifier: Apache-2.0
 *
 * Work for the event loop from any thread (sd-event itself is single-threaded): a bounded queue
 * behind an eventfd. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/cleanup.h"

struct loop_queue;

int loop_queue_new(struct loop_queue **ret_q, sd_event *event, unsigned max);
/* fn(ctx) runs on the loop's thread, in the order of posting. -ENOBUFS when max are waiting. */
int loop_post(struct loop_queue *q, void (*fn)(void *ctx), void *ctx);
/* On the loop's thread, not from within fn, and when no other thread posts any more. What still
 * waits is not run. */
void loop_queue_free(struct loop_queue *q);
DEFINE_CLEANUP(struct loop_queue *, loop_queue_free)
