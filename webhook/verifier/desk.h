/* SPDX-License-Identifier: Apache-2.0
 *
 * Where agents come: the requests of common/tee/protocol.h over HTTPS. A request is taken in on a
 * thread of the server and handled on the loop: who asks is told by the API server (TokenReview),
 * then the request is read, judged, and what was judged is stored before it is answered. */
#pragma once

#include "common/kube/lease.h"
#include "common/net/caller.h"
#include "common/net/loop.h"
#include "common/net/server.h"
#include "common/observe/metrics.h"
#include "webhook/trust/examine.h"
#include "webhook/verifier/judge.h"
#include "webhook/verifier/publish.h"
#include "webhook/verifier/simulation.h"

struct desk;

enum {
	DESK_VISITS_MAX = 512,    /* at once; more are answered 429 */
	DESK_RATE_USEC = 2000000, /* a node has one request in this time, */
	DESK_BURST = 20,          /* and so many at once */
};

struct desk_options {
	struct loop_queue *queue;
	struct caller_judge judge; /* tokens for PROTOCOL_AUDIENCE */
	const char *agent;         /* "system:serviceaccount:NAMESPACE:NAME": whose tokens */
	struct nodes *nodes;
	struct publisher *publisher;
	const struct judge_rules *rules; /* borrowed, as what follows */
	const struct sealing_keys *keys;
	const struct kube_lease *lease; /* for the leader's term; NULL: none */
	struct simulation *simulation;  /* NULL: not allowed */
	/* examine() with the verifier's own; ctx is below. */
	void (*examine)(void *ctx, struct span text, const unsigned char report_data[64],
		int64_t now_sec, struct examination *ret);
	void *ctx;
	struct metrics *metrics; /* NULL: none */
};

int desk_new(struct desk **ret_d, const struct desk_options *o, struct error *err);
/* The server has stopped: what is still here is answered 503. NULL allowed. */
void desk_free(struct desk *d);
DEFINE_CLEANUP(struct desk *, desk_free)

/* The server's handler; ctx: the desk. Any thread. */
enum http_verdict desk_handle(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res);
