/* SPDX-License-Identifier: Apache-2.0
 *
 * A scripted HTTP server on 127.0.0.1, in a thread of the test: what it answers, in which pieces,
 * and whether it then keeps silent, is up to a function. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

struct fake_server;

struct fake_reply {
	struct buf data;     /* bytes of the response, header included */
	size_t cut;          /* pause behind this many bytes; 0: none */
	size_t piece;        /* pause behind each so many bytes; 0: none */
	unsigned pause_usec; /* how long; 0: half a millisecond */
	bool close;          /* the connection, afterwards */
};

/* Runs on the server's thread for request number n (from 0) and writes the reply. */
typedef void (*fake_fn)(void *ctx, unsigned n, const char *request, struct fake_reply *reply);

struct fake_server *fake_server_start(fake_fn fn, void *ctx); /* NULL: failed */
uint16_t fake_server_port(const struct fake_server *s);
unsigned fake_server_requests(struct fake_server *s);    /* how many came */
unsigned fake_server_connections(struct fake_server *s); /* how many were made */
/* Request n, header and body, for free(); NULL when it did not come. */
char *fake_server_request(struct fake_server *s, unsigned n);
/* Sends more on the connection of request n, whose reply is a stream that stays open. Any thread. */
void fake_server_push(struct fake_server *s, unsigned n, const char *data, size_t len);
void fake_server_stop(struct fake_server *s);

/* A whole response; headers (NULL: none) end with CRLF each. */
void fake_respond(struct fake_reply *r, int status, const char *headers, const char *body);
/* A chunked one: its beginning, one chunk, its end (without it the response stays open). */
void fake_stream(struct fake_reply *r, int status);
void fake_chunk(struct fake_reply *r, const char *text);
void fake_stream_end(struct fake_reply *r);
