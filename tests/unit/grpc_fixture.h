/* SPDX-License-Identifier: Apache-2.0
 *
 * A small service for tests of gRPC, and what a client of it saw. */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/net/grpc.h"

enum { ECHO_HELD_MAX = 128 };

/* /test.Echo/Echo: the message comes back. Repeat: as often as its first byte says. Hold: kept,
 * with a first empty reply; see held. Zombie: the same without wanting to know when it is gone.
 * Fail: status and text are the message's first byte and the rest. */
struct echo {
	struct grpc_call *held[ECHO_HELD_MAX]; /* NULL: closed or finished */
	size_t n_held;
	unsigned handled, closed, refused; /* calls; replies that were not taken */
	bool silent;                       /* Hold does not reply */
	struct {                           /* private: what closed gets */
		struct echo *e;
		size_t i;
	} slots[ECHO_HELD_MAX];
};
extern const struct grpc_method echo_methods[];
enum { ECHO_METHODS = 5 };

/* A call, from the client's side. */
struct asked {
	struct grpc_stream *stream;
	unsigned messages, dones;
	size_t bytes;    /* of all messages */
	struct buf last; /* message */
	enum grpc_status status;
	char text[3 * GRPC_STATUS_TEXT_MAX];
};
struct grpc_stream_options asked_options(
	struct asked *a, const char *path, struct span message, int64_t timeout_usec);
void asked_free(struct asked *a);
#define _cleanup_asked_ _cleanup_(asked_free)
