/* SPDX-License-Identifier: Apache-2.0
 *
 * One gRPC connection without IO (gRPC "Protocol: HTTP/2" over nghttp2): bytes in, bytes out, time
 * is an argument. Server role: calls methods of common/net/grpc.h, which answer by grpc_reply() and
 * grpc_finish(). Client role: grpc_session_start(). Callbacks run inside grpc_session_receive(),
 * _send(), _tick() and _close(), and may do anything but free the session. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/net/grpc.h"

enum {
	GRPC_STREAMS_MAX = 100,      /* at a time; gRPC clients assume that many */
	GRPC_HEADERS_MAX = 16 << 10, /* bytes of a header list, as SETTINGS counts them */
	GRPC_UNSENT_MAX = 2 * GRPC_MESSAGE_MAX, /* bytes of messages that wait for a peer to read */
	GRPC_UNSENT_FRAMES_MAX = 256,           /* other frames; beyond, no input is taken */

	/* How long a peer may take for its preface and SETTINGS, and a client for a whole request.
	 */
	GRPC_PREFACE_USEC = 20 * USEC_PER_SEC,
	GRPC_REQUEST_USEC = 30 * USEC_PER_SEC,
	/* How long a peer may leave a full socket unread. */
	GRPC_STALL_USEC = 60 * USEC_PER_SEC,

	/* What a peer may send without purpose, as a burst and regained per second: streams that
	 * end in a reset, and frames that carry neither call nor data. A DATA frame sent (which
	 * makes a client grant window and measure by PING) and a whole request give some back. */
	GRPC_RESETS_MAX = 200,
	GRPC_RESETS_PER_SEC = 20,
	GRPC_FRAMES_MAX = 2000,
	GRPC_FRAMES_PER_SEC = 200,
	GRPC_FRAMES_REGAINED = 8,
};

struct grpc_session;

struct grpc_session_options {
	const struct grpc_method *methods; /* a server's; NULL: client */
	size_t n_methods;
	void *ctx;          /* of the methods */
	size_t max_message; /* received; incomplete ones together: no more after twice that */
	/* There may be more to send, or an earlier deadline: called when that happens outside of
	 * the functions below. NULL allowed. */
	void (*wake)(void *owner);
	void *owner;
};

/* 0 or -ENOMEM. A server's SETTINGS and a client's preface wait to be sent at once. */
int grpc_session_new(
	struct grpc_session **ret_s, const struct grpc_session_options *o, int64_t now_usec);

/* What the peer sent. */
void grpc_session_receive(struct grpc_session *s, struct span bytes, int64_t now_usec);
/* Is input welcome? Not while too much waits to be sent. */
bool grpc_session_wants_input(const struct grpc_session *s);

/* Moves at most n bytes that are to be sent to out; returns how many. */
size_t grpc_session_send(struct grpc_session *s, char *out, size_t n);

/* Since when the transport has taken nothing, though there is something; INT64_MAX: it takes. */
void grpc_session_stalled(struct grpc_session *s, int64_t since_usec);

/* When to call grpc_session_tick(); INT64_MAX: never. */
int64_t grpc_session_deadline(const struct grpc_session *s);
void grpc_session_tick(struct grpc_session *s, int64_t now_usec);

/* Should the connection be closed? Why is then in grpc_session_why(). */
bool grpc_session_over(const struct grpc_session *s);
const char *grpc_session_why(const struct grpc_session *s); /* one line */

/* The transport failed. The first reason stays. */
void grpc_session_lost(struct grpc_session *s, const char *why);

/* The most bytes of messages that it ever held, in both directions. */
size_t grpc_session_most_held(const struct grpc_session *s);

/* Has GOAWAY sent behind what waits; no more calls are taken. */
void grpc_session_shut(struct grpc_session *s);

/* The connection is gone, because of why unless there is a reason already. With tell, the calls'
 * closed or done run. No callback comes afterwards. */
void grpc_session_close(struct grpc_session *s, const char *why, bool tell);
/* Closes without telling, if that was not done. NULL allowed. */
void grpc_session_free(struct grpc_session *s);
DEFINE_CLEANUP(struct grpc_session *, grpc_session_free)

/* Client: begins a call. -ESHUTDOWN: no more calls on this connection; -EBUSY: GRPC_STREAMS_MAX
 * under way; -ENOBUFS: too much waits to be sent; -ENOMEM. */
int grpc_session_start(struct grpc_session *s, const struct grpc_stream_options *o,
	int64_t now_usec, struct grpc_stream **ret_stream, struct error *err);
