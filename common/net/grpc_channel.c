/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/grpc_connection.h"

struct grpc_channel {
	struct grpc_connection *connection;
	char *path;
	void (*lost)(void *ctx, const char *why);
	void *ctx;
};

static void on_ended(void *ctx, const char *why)
{
	struct grpc_channel *c = ctx;

	if (c->lost)
		c->lost(c->ctx, why); /* c may be gone afterwards */
}

static int channel_connect(struct grpc_channel *c, sd_event *event,
	const struct grpc_channel_options *o, struct error *err)
{
	struct grpc_session_options session = {.max_message = o->max_message};
	struct sockaddr_un address;
	_cleanup_close_ int fd = -1;
	int r = grpc_address(&address, o->path, err);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, -errno, "%s: socket: %s", o->path, strerror(errno));
	/* Of a Unix socket this is done at once, or fails (EAGAIN: the backlog is full). */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, -errno, "%s: connect: %s", o->path, strerror(errno));
	r = grpc_connection_new(&c->connection, event, TAKE_FD(fd), &session, on_ended, c);
	if (r < 0)
		return error_set(err, r, "%s: %s", o->path, strerror(-r));
	return 0;
}

int grpc_channel_open(struct grpc_channel **ret_c, sd_event *event,
	const struct grpc_channel_options *o, struct error *err)
{
	_cleanup_(grpc_channel_free_p) struct grpc_channel *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_oom(err);
	c->lost = o->lost;
	c->ctx = o->ctx;
	c->path = o->path ? strdup(o->path) : NULL;
	r = channel_connect(c, event, o, err);
	if (r < 0)
		return r;
	*ret_c = TAKE_PTR(c);
	return 0;
}

void grpc_channel_free(struct grpc_channel *c)
{
	if (!c)
		return;
	if (c->connection)
		grpc_connection_free(c->connection, false);
	free(c->path);
	free(c);
}

int grpc_start(struct grpc_channel *c, const struct grpc_stream_options *o,
	struct grpc_stream **ret_stream, struct error *err)
{
	struct grpc_session *s = grpc_connection_session(c->connection);
	int r;

	if (!s)
		return error_set(err, -ESHUTDOWN, "%s: the connection is lost", c->path);
	r = grpc_session_start(s, o, clock_monotonic_usec(), ret_stream, err);
	return r < 0 ? error_prefix(err, r, "%s", c->path) : 0;
}
