/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of ops: a loop that belongs to the test's thread, and clients that are threads. "/"
 * answers with the path and query, "/park" waits for the test. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "common/base/clock.h"
#include "common/net/ops.h"
#include "tests/unit/peer.h"

#define OPS_FIX_STALL_USEC ((int64_t)100 * USEC_PER_MSEC)

struct ops_fix {
	sd_event *event;
	struct health *health;
	struct metrics *metrics;
	struct ops *ops;
	pthread_t loop_thread;
	unsigned refreshed, collected;
	struct http_exchange *parked;
	struct http_response *parked_res;
};

struct ops_options ops_fix_options(struct ops_fix *f, struct ops_route routes[2]);
/* security and judge: NULL, or as in struct ops_options. */
bool ops_fix_begin(struct ops_fix *f, const struct ops_security *security,
	const struct caller_judge *judge);
void ops_fix_end(struct ops_fix *f);
#define _cleanup_ops_fix_ _cleanup_(ops_fix_end)

/* Runs the loop until somebody waits in /park. */
bool ops_fix_await_parked(struct ops_fix *f);

struct ops_client {
	const char *method;         /* NULL: GET */
	const char *headers;        /* NULL: none */
	const struct peer_tls *tls; /* NULL: plain */
	uint16_t port;
	const char *path;
	pthread_t thread;
	int status; /* 0: none came */
	struct peer_reply reply;
	atomic_bool open; /* its connection is */
	atomic_bool done;
};

void ops_client_start(struct ops_client *c, struct ops_fix *f, enum ops_listener l,
	const char *path);
/* Runs the loop (f NULL: does not) until the client is done. */
void ops_client_join(struct ops_client *c, struct ops_fix *f);
