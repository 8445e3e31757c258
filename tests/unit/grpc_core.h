/* SPDX-License-Identifier: Apache-2.0
 *
 * A gRPC session without IO on one side, frames made by hand on the other. */
#pragma once

#include "common/net/grpc_session.h"
#include "tests/unit/grpc_fixture.h"
#include "tests/unit/h2_wire.h"

enum {
	CORE_MESSAGE_MAX = 100000,
	END = NGHTTP2_FLAG_END_STREAM,
};

struct core {
	struct grpc_session *s;
	struct echo echo; /* a server's */
	struct h2_reader reader;
	struct buf in;  /* for the session; core_go() gives it */
	struct buf out; /* what the session sent, as text */
	int64_t now;    /* 1000 s at the start */
	unsigned wakes;
};

/* A server (echo_methods) or a client that has greeted, and was greeted; {0} before. What an echo
 * is told before stays. */
bool core_open_server(struct core *c);
bool core_open_client(struct core *c);
void core_close(struct core *c);
#define _cleanup_core_ _cleanup_(core_close)

/* Gives in to the session, and takes what it has to send to out; by pieces of that many bytes. */
void core_go(struct core *c);
void core_go_by(struct core *c, size_t piece);
/* The same without taking anything. */
void core_push(struct core *c);

/* Client: begins a call of /a.B/C. */
bool core_ask(struct core *c, struct asked *a, struct span message, int64_t timeout_usec);
/* Server: a whole request for a method of /test.Echo/ into in. */
void core_request(struct core *c, uint32_t id, const char *method, struct span message);

/* n bytes that differ from their neighbours; to be freed. */
struct span core_bytes(size_t n);
