/* SPDX-License-Identifier: Apache-2.0
 *
 * A gRPC session on a connected socket, on sd-event. Private to grpc_server.c and grpc_channel.c.
 * Nothing wakes up for a connection that is idle. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "common/net/grpc_session.h"

struct grpc_connection;

/* Takes fd, always. o's wake and owner are overwritten. ended(ctx, why) runs once, when the
 * connection has ended and its calls were told; free it then or later. 0 or -errno. */
int grpc_connection_new(struct grpc_connection **ret_c, sd_event *event, int fd,
	const struct grpc_session_options *o, void (*ended)(void *ctx, const char *why), void *ctx);
/* NULL when it has ended. */
struct grpc_session *grpc_connection_session(struct grpc_connection *c);
/* Ends it without ended. With tell, the calls' closed run, and the peer is sent what waits and a
 * GOAWAY as far as the socket has room (unless a callback of this connection is the caller).
 * From anywhere, the calls' callbacks included. */
void grpc_connection_free(struct grpc_connection *c, bool tell);

/* The address of path. -ENAMETOOLONG, -EINVAL for none. */
int grpc_address(struct sockaddr_un *ret_a, const char *path, struct error *err);
