/* SPDX-License-Identifier: Apache-2.0
 *
 * gRPC over HTTP/2 on Unix sockets (gRPC "Protocol: HTTP/2", RFC 9113): unary and server-streaming
 * calls, server and client, on sd-event. The protocol itself is in common/net/grpc_session.h
 * (sans-IO); this is its shell. Messages are opaque bytes here. Everything happens on the loop's
 * thread. Every limit is named; a peer beyond one loses its call or its connection, never the
 * server. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/span.h"

/* gRPC "Status codes". */
enum grpc_status {
	GRPC_OK,
	GRPC_CANCELLED,
	GRPC_UNKNOWN,
	GRPC_INVALID_ARGUMENT,
	GRPC_DEADLINE_EXCEEDED,
	GRPC_NOT_FOUND,
	GRPC_ALREADY_EXISTS,
	GRPC_PERMISSION_DENIED,
	GRPC_RESOURCE_EXHAUSTED,
	GRPC_FAILED_PRECONDITION,
	GRPC_ABORTED,
	GRPC_OUT_OF_RANGE,
	GRPC_UNIMPLEMENTED,
	GRPC_INTERNAL,
	GRPC_UNAVAILABLE,
	GRPC_DATA_LOSS,
	GRPC_UNAUTHENTICATED,
};
const char *grpc_status_name(enum grpc_status s); /* "NotFound"; "Unknown" for what is none */

enum {
	GRPC_MESSAGE_MAX = 4 << 20,  /* bytes of a message received, unless a limit says otherwise;
				      * grpc-go's own default for what it receives */
	GRPC_STATUS_TEXT_MAX = 1024, /* bytes of a status message; longer ones are cut */
	GRPC_CONNECTIONS_MAX = 16,   /* of one server */
};

/* --- server --- */

struct grpc_server;
struct grpc_call; /* a request that a client waits for */

struct grpc_method {
	const char *path; /* "/v1beta1.DevicePlugin/Allocate" */
	/* The request is complete; message is valid during this. Answer now or later, by
	 * grpc_reply() for each message (a unary method: one) and grpc_finish(). */
	void (*handle)(void *ctx, struct grpc_call *call, struct span message);
};

struct grpc_server_options {
	const char *path; /* of the socket, at most 107 bytes; whatever lies there is replaced */
	mode_t mode;      /* of the socket; 0: 0600 */
	const struct grpc_method *methods; /* n_methods; outlive the server */
	size_t n_methods;
	void *ctx;                /* of handle */
	size_t max_message;       /* 0: GRPC_MESSAGE_MAX */
	unsigned max_connections; /* 0: GRPC_CONNECTIONS_MAX; beyond: the newest is closed */
	/* A connection begins or ends, with how many are open now; NULL allowed. */
	void (*connections)(void *ctx, unsigned n);
};

/* Listens and serves. Errors name the path. */
int grpc_server_start(struct grpc_server **ret_s, sd_event *event,
	const struct grpc_server_options *o, struct error *err);
/* Closes all connections (their calls' closed run) and removes the socket if it is still ours. What
 * was answered before is still sent, unless this is called from within a callback of theirs. */
void grpc_server_stop(struct grpc_server *s);
DEFINE_CLEANUP(struct grpc_server *, grpc_server_stop)
/* Is the socket's path still the one this server listens on? */
bool grpc_server_in_place(const struct grpc_server *s);

/* closed(ctx) runs at most once, when the client cancelled, its deadline passed or the connection
 * ended before grpc_finish(); the call is gone when it returns. To be set during handle. A call
 * without one stays valid until grpc_finish(), which it then needs in any case. */
void grpc_call_on_closed(struct grpc_call *call, void (*closed)(void *ctx), void *ctx);
/* Sends a message; copied. -EPIPE: nobody waits for it any more. -ENOBUFS: the client does not read
 * and too much waits for it: its connection is being closed. -EMSGSIZE, -ENOMEM. */
int grpc_reply(struct grpc_call *call, struct span message);
/* Ends the call, which is gone afterwards. message (NULL: "") is for the caller's log: valid UTF-8.
 */
void grpc_finish(struct grpc_call *call, enum grpc_status status, const char *message);

/* --- client --- */

struct grpc_channel;
struct grpc_stream; /* a call of ours */

struct grpc_channel_options {
	const char *path; /* of the socket */
	size_t max_message;
	/* The connection ended: after the calls' done. The channel is dead and is to be freed (also
	 * from within this). NULL allowed. */
	void (*lost)(void *ctx, const char *why);
	void *ctx;
};

/* Connects. Errors name the path. */
int grpc_channel_open(struct grpc_channel **ret_c, sd_event *event,
	const struct grpc_channel_options *o, struct error *err);
/* Cancels what is under way, without callbacks. Also from within a callback of its own. */
void grpc_channel_free(struct grpc_channel *c);
DEFINE_CLEANUP(struct grpc_channel *, grpc_channel_free)

struct grpc_stream_options {
	const char *path;     /* of the method */
	struct span message;  /* copied */
	int64_t timeout_usec; /* sent as grpc-timeout and kept by a timer here; 0: none */
	void (*message_received)(void *ctx, struct span message);
	/* The end, exactly once unless cancelled. status is the server's, or ours for a lost
	 * connection (UNAVAILABLE), a deadline or a broken answer; message says why, "" on OK. */
	void (*done)(void *ctx, enum grpc_status status, const char *message);
	void *ctx;
};
/* ret_stream: for grpc_cancel until done runs; NULL allowed. No callback runs before this returns.
 * -ESHUTDOWN: the connection takes no more calls; -EBUSY, -ENOBUFS: too many, or too large ones,
 * are under way. */
int grpc_start(struct grpc_channel *c, const struct grpc_stream_options *o,
	struct grpc_stream **ret_stream, struct error *err);
void grpc_cancel(struct grpc_stream *stream); /* no callback after this; NULL allowed */
