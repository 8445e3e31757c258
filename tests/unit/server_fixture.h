/* SPDX-License-Identifier: Apache-2.0
 *
 * A server for tests, whose handler tells by the path what to do; anything else is answered with
 * "METHOD|PATH|QUERY|X-TEST|BODY LENGTH". */
#pragma once

#include <pthread.h>

#include "common/base/clock.h"
#include "common/net/server.h"

enum {
	FIXTURE_MAX_BODY = 200 * 1024,
	FIXTURE_MAX_HEADER = 4096,
	FIXTURE_REQUEST_USEC = 10 * USEC_PER_SEC,
	FIXTURE_IDLE_USEC = 90 * USEC_PER_SEC,
};

/* The server and what its handler shares with the test. */
struct fixture {
	struct server *s;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned inside;              /* handlers in /wait */
	bool released;                /* lets them go */
	struct http_exchange *parked; /* by /park, to be finished by the test */
	struct http_response *parked_res;
};

extern const struct server_options fixture_options;

/* /wait blocks, /park defers, /early defers and has finished, /race finishes from another thread,
 * /405, /huge. */
enum http_verdict fixture_handle(void *ctx, struct http_exchange *x,
	const struct http_request *req, struct http_response *res);

bool fixture_start(struct fixture *f, const struct server_options *o);
void fixture_stop(struct fixture *f);
#define _cleanup_fixture_ _cleanup_(fixture_stop)

/* Waits until n handlers are in /wait. */
void fixture_await_inside(struct fixture *f, unsigned n);
void fixture_release(struct fixture *f);
struct http_exchange *fixture_await_parked(struct fixture *f);

/* Waits until there are n connections; with ahead, sweeps as if it were later by that. */
bool fixture_await_connections(struct fixture *f, unsigned n, int64_t ahead);
