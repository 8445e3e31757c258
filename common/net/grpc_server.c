/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/net/grpc_connection.h"

enum {
	ACCEPT_PAUSE_USEC = USEC_PER_SEC, /* when there are no descriptors left */
	LISTEN_BACKLOG = 16,
};

struct grpc_peer { /* a connection */
	struct grpc_server *server;
	struct grpc_connection *connection;
	struct grpc_peer *prev, *next;
};

struct grpc_server {
	sd_event *event;
	struct grpc_session_options session;
	struct sockaddr_un address;
	mode_t mode;
	unsigned max_connections;
	void (*connections)(void *ctx, unsigned n);
	int fd;
	dev_t dev; /* of the socket in the file system */
	ino_t ino;
	sd_event_source *io, *pause;
	struct grpc_peer *peers;
	unsigned n_peers;
};

static void peer_unlink(struct grpc_peer *p)
{
	struct grpc_server *s = p->server;

	if (p->next)
		p->next->prev = p->prev;
	*(p->prev ? &p->prev->next : &s->peers) = p->next;
	s->n_peers--;
}

static void tell_connections(struct grpc_server *s)
{
	if (s->connections)
		s->connections(s->session.ctx, s->n_peers);
}

static void on_ended(void *ctx, const char *why)
{
	struct grpc_peer *p = ctx;
	struct grpc_server *s = p->server;

	(void)why;
	peer_unlink(p);
	grpc_connection_free(p->connection, false);
	free(p);
	tell_connections(s); /* s may be gone afterwards */
}

static int peer_add(struct grpc_server *s, int fd)
{
	struct grpc_peer *p;
	int r;

	if (s->n_peers >= s->max_connections) {
		close(fd);
		return 0;
	}
	p = calloc(1, sizeof(*p));
	if (!p) {
		close(fd);
		return -ENOMEM;
	}
	p->server = s;
	r = grpc_connection_new(&p->connection, s->event, fd, &s->session, on_ended, p);
	if (r < 0) {
		free(p);
		return r;
	}
	p->next = s->peers;
	if (p->next)
		p->next->prev = p;
	s->peers = p;
	s->n_peers++;
	tell_connections(s);
	return 0;
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct grpc_server *s = userdata;

	(void)source;
	(void)usec;
	s->pause = sd_event_source_disable_unref(s->pause);
	sd_event_source_set_enabled(s->io, SD_EVENT_ON);
	return 0;
}

/* A connection waits that cannot be taken: the listener would be ready all the time. */
static void accept_later(struct grpc_server *s)
{
	if (sd_event_add_time_relative(s->event, &s->pause, CLOCK_MONOTONIC, ACCEPT_PAUSE_USEC, 0,
		    on_pause_over, s) >= 0)
		sd_event_source_set_enabled(s->io, SD_EVENT_OFF);
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct grpc_server *s = userdata;
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)source;
	(void)revents;
	if (peer >= 0)
		peer_add(s, peer);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		accept_later(s);
	return 0;
}

/* Binds without a moment in which the socket could be reached with another mode. */
static int server_listen(struct grpc_server *s, struct error *err)
{
	const char *path = s->address.sun_path;
	struct stat st;

	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return error_set(err, -errno, "%s: socket: %s", path, strerror(errno));
	if (unlink(path) < 0 && errno != ENOENT)
		return error_set(
			err, -errno, "%s: cannot remove what is there: %s", path, strerror(errno));
	if (bind(s->fd, (struct sockaddr *)&s->address, sizeof(s->address)) < 0)
		return error_set(err, -errno, "%s: bind: %s", path, strerror(errno));
	if (lstat(path, &st) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	if (chmod(path, s->mode) < 0)
		return error_set(err, -errno, "%s: chmod: %s", path, strerror(errno));
	if (listen(s->fd, LISTEN_BACKLOG) < 0)
		return error_set(err, -errno, "%s: listen: %s", path, strerror(errno));
	return 0;
}

int grpc_server_start(struct grpc_server **ret_s, sd_event *event,
	const struct grpc_server_options *o, struct error *err)
{
	_cleanup_(grpc_server_stop_p) struct grpc_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_oom(err);
	s->fd = -1;
	s->event = sd_event_ref(event);
	s->session = (struct grpc_session_options){
		.methods = o->methods,
		.n_methods = o->n_methods,
		.ctx = o->ctx,
		.max_message = o->max_message,
	};
	s->mode = o->mode ? o->mode : 0600;
	s->max_connections = o->max_connections ? o->max_connections : GRPC_CONNECTIONS_MAX;
	s->connections = o->connections;
	r = grpc_address(&s->address, o->path, err);
	if (r == 0)
		r = server_listen(s, err);
	if (r < 0)
		return r;
	r = sd_event_add_io(event, &s->io, s->fd, EPOLLIN, on_connect, s);
	if (r < 0)
		return error_set(err, r, "%s: %s", o->path, strerror(-r));
	*ret_s = TAKE_PTR(s);
	return 0;
}

bool grpc_server_in_place(const struct grpc_server *s)
{
	struct stat st;

	return s->ino && lstat(s->address.sun_path, &st) == 0 && st.st_dev == s->dev &&
	       st.st_ino == s->ino;
}

void grpc_server_stop(struct grpc_server *s)
{
	if (!s)
		return;
	sd_event_source_disable_unref(s->io);
	sd_event_source_disable_unref(s->pause);
	if (grpc_server_in_place(s))
		unlink(s->address.sun_path);
	if (s->fd >= 0)
		close(s->fd);
	while (s->peers) {
		struct grpc_peer *p = s->peers;

		peer_unlink(p);
		grpc_connection_free(p->connection, true);
		free(p);
	}
	sd_event_unref(s->event);
	free(s);
}
