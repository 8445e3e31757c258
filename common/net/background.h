/* SPDX-License-Identifier: Apache-2.0
 *
 * Work that blocks, on a thread of its own, beside the event loop. The thread lives as long as its
 * work. */
#pragma once

#include "common/base/error.h"
#include "common/net/loop.h"

struct background;

struct background_work {
	int (*run)(void *job, struct error *err); /* on the thread */
	/* On the loop: the end, exactly once unless abandoned. */
	void (*done)(void *ctx, void *job, int r, const struct error *err);
	void (*free)(void *job); /* always last, on either thread */
	void *ctx;
};

/* job is the work's from now on, unless this fails. *ret is set before done or free can run, and
 * good until done ran. queue is borrowed; where it is full, the end waits until there is room. */
int background_start(struct background **ret, struct loop_queue *queue,
	const struct background_work *work, void *job, struct error *err);
/* done does not run any more, and the thread touches nothing but its job when this has returned.
 * NULL allowed; not after done ran. */
void background_abandon(struct background *b);
