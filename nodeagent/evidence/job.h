/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence made on a thread of its own: every real source blocks, AESM for seconds when it loads its
 * enclaves, configfs until the host answers. The thread lives as long as its job. */
#pragma once

#include "common/base/cleanup.h"
#include "common/net/loop.h"
#include "nodeagent/evidence/request.h"

struct evidence_job;

/* evidence: valid during the call; empty unless r is 0. */
typedef void (*evidence_done)(void *ctx, int r, struct span evidence, const struct error *err);

/* Takes q's contents over. done runs on the loop's thread, exactly once unless the job is abandoned.
 * queue is borrowed. */
int evidence_start(struct evidence_job **ret, struct loop_queue *queue, struct evidence_request *q,
	evidence_done done, void *ctx, struct error *err);
/* done does not run any more, and the thread touches nothing of ours when this has returned: what it
 * makes is dropped. NULL allowed; not after done ran. */
void evidence_abandon(struct evidence_job *job);
