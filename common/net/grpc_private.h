/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by grpc_session.c (what both roles have), grpc_call.c (server) and grpc_stream.c
 * (client). nghttp2 may be given frames to send from inside its callbacks, but not be driven. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "common/net/grpc_message.h"
#include "common/net/grpc_session.h"

struct grpc_chunk { /* a message, with its prefix, that waits to be sent */
	struct grpc_chunk *next;
	size_t len, sent;
	char data[];
};

/* A stream of HTTP/2: what a call (server) and a stream (client) begin with. */
struct grpc_flow {
	struct grpc_session *s; /* NULL: not linked, the stream is gone */
	int32_t id;
	struct grpc_flow *prev, *next;
	int64_t deadline_usec; /* INT64_MAX: none */
	size_t header_bytes;   /* of the header list that comes in */
	struct grpc_message in;
	struct grpc_chunk *out, *out_last;
	bool last;     /* nothing follows what is in out */
	bool deferred; /* nghttp2 waits for grpc_flow_resume() */
};

struct grpc_budget {
	int64_t left, at_usec;
};

struct grpc_session {
	nghttp2_session *h2;
	struct grpc_session_options o;
	const struct grpc_role *role;
	int64_t now_usec;     /* as last told */
	int64_t preface_usec; /* by when SETTINGS must have come; INT64_MAX: they have */
	int64_t stall_usec;   /* by when the transport must have taken something; or INT64_MAX */
	struct grpc_flow *flows;
	size_t n_flows;
	size_t unsent, unread; /* bytes in all flows' out, and in */
	size_t most_held;      /* of both together, ever */
	struct span frame;     /* nghttp2's, being sent */
	struct grpc_budget resets, frames;
	unsigned busy; /* inside of functions that end with a look at what is to be sent */
	bool over;     /* the connection is to be closed */
	bool closed;   /* it was */
	char why[160];
};

/* What differs between server and client. f is linked unless said otherwise. */
struct grpc_role {
	/* A request begins (server only). */
	int (*begin)(struct grpc_session *s, int32_t id);
	void (*header)(struct grpc_flow *f, struct span name, struct span value);
	void (*data)(struct grpc_flow *f, struct span bytes);
	/* A HEADERS or DATA frame is complete: was the former, and the last of the stream? */
	void (*frame)(struct grpc_flow *f, bool headers, bool end);
	/* f's HEADERS with END_STREAM were sent (server only). */
	void (*ended)(struct grpc_flow *f);
	/* f's last byte was taken: has the trailers sent. NULL: END_STREAM says it all. */
	int (*trailers)(struct grpc_flow *f);
	/* The deadline has passed, and is INT64_MAX now. */
	void (*expire)(struct grpc_flow *f);
	/* The stream is gone with this HTTP/2 code, or, when s is closed, the connection. f is
	 * unlinked: tells the user (if tell) and frees it. */
	void (*closed)(struct grpc_session *s, struct grpc_flow *f, uint32_t code, bool tell);
};
extern const struct grpc_role grpc_server_role, grpc_client_role;

/* The connection is to be closed; the first reason stays. */
void grpc_session_fail(struct grpc_session *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void grpc_session_wake(struct grpc_session *s);

void grpc_flow_link(struct grpc_flow *f, struct grpc_session *s, int32_t id);
/* Unlinks f and drops what it holds. nghttp2 does not know it any more. */
void grpc_flow_unlink(struct grpc_flow *f);
struct grpc_flow *grpc_flow_of(struct grpc_session *s, int32_t id); /* NULL: none */

/* Queues a message (copied). -EMSGSIZE, -ENOBUFS, -ENOMEM. */
int grpc_flow_add(struct grpc_flow *f, struct span message);
/* There is more to send, or f->last was set. */
void grpc_flow_resume(struct grpc_flow *f);
nghttp2_data_provider grpc_flow_data(void);

/* The next message of in: 1: complete; else as grpc_message_feed(), and -ENOBUFS: the session holds
 * too much that is incomplete. */
int grpc_flow_feed(struct grpc_flow *f, struct span *in);
struct scrub grpc_flow_take(struct grpc_flow *f);
/* Forgets what waits to be sent. */
void grpc_flow_drop_out(struct grpc_flow *f);

/* A header field that nghttp2 copies. */
static inline nghttp2_nv grpc_field(const char *name, const char *value, size_t len)
{
	return (nghttp2_nv){
		.name = (uint8_t *)name,
		.value = (uint8_t *)value,
		.namelen = strlen(name),
		.valuelen = len,
	};
}

static inline struct span grpc_span(const uint8_t *p, size_t n)
{
	return (struct span){(const char *)p, n};
}
