/* SPDX-License-Identifier: Apache-2.0
 *
 * A loop, a scripted API server and a client for it, whose token comes from a file. */
#pragma once

#include "common/base/clock.h"
#include "common/kube/client.h"
#include "tests/unit/fake_server.h"

struct kube_fix {
	sd_event *event;
	struct fake_server *server;
	struct kube_client *client;
	struct metrics *metrics;
	char dir[64], config[80], token[80];
};

bool kube_fix_begin(struct kube_fix *f, fake_fn fn, void *ctx); /* fails the test itself */
void kube_fix_token(struct kube_fix *f, const char *token);
enum { KUBE_FIX_PATIENCE_USEC = 30 * USEC_PER_SEC };
/* Runs the loop until that holds, or for so long; did it? */
bool kube_fix_wait(struct kube_fix *f, bool (*until)(void *ctx), void *ctx);
void kube_fix_linger(struct kube_fix *f, int64_t usec); /* for what must not happen */
void kube_fix_end(struct kube_fix *f);

void write_text(const char *path, const char *text);
