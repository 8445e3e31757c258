/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/grpc_connection.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

enum {
	PIECE_MAX = 16 << 10, /* bytes read or written at once */
	/* Of messages held: less than this may stay with the allocator. */
	TRIM_MIN = 1 << 20,
	READS_MAX = 4, /* pieces before other connections get their turn */
	TIMER_ACCURACY_USEC = 20 * USEC_PER_MSEC,
};

struct grpc_connection {
	struct grpc_session *session;
	sd_event *event;
	int fd;
	sd_event_source *io, *timer;
	uint32_t events;     /* that io waits for */
	uint64_t timer_usec; /* that timer waits for; UINT64_MAX: off */
	char *rest;          /* what the socket had no room for */
	size_t rest_len, rest_sent;
	int64_t stalled_usec; /* since when; INT64_MAX: the socket has room */
	unsigned busy;        /* depth of functions that still need c */
	bool ended, dead;     /* dead: freed while busy */
	void (*on_ended)(void *ctx, const char *why);
	void *ctx;
};

/* It may hold part of a key. */
static void drop_rest(struct grpc_connection *c)
{
	if (c->rest)
		OPENSSL_cleanse(c->rest, c->rest_len);
	free(c->rest);
	c->rest = NULL;
}

static void connection_destroy(struct grpc_connection *c)
{
	bool large;

	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	sd_event_unref(c->event);
	if (c->fd >= 0)
		close(c->fd);
	large = c->session && grpc_session_most_held(c->session) >= TRIM_MIN;
	grpc_session_free(c->session);
	drop_rest(c);
	free(c);
	/* What one peer made us hold must not stay with a daemon for ever. */
	if (large)
		malloc_trim(0);
}

static void connection_leave(struct grpc_connection *c)
{
	if (--c->busy == 0 && c->dead)
		connection_destroy(c);
}

/* Everything the connection still holds outside of the session goes now; c itself later. */
static void connection_end(struct grpc_connection *c, const char *why, bool tell)
{
	if (c->ended)
		return;
	c->ended = true;
	c->io = sd_event_source_disable_unref(c->io);
	c->timer = sd_event_source_disable_unref(c->timer);
	close(c->fd);
	c->fd = -1;
	drop_rest(c);
	grpc_session_close(c->session, why, tell);
}

/* Writes to the socket: 0, -EAGAIN when it is full, or what broke. */
static int put(struct grpc_connection *c, const char *p, size_t n, size_t *ret_sent)
{
	*ret_sent = 0;
	while (*ret_sent < n) {
		ssize_t r = send(c->fd, p + *ret_sent, n - *ret_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		*ret_sent += (size_t)r;
		c->stalled_usec = INT64_MAX;
	}
	return 0;
}

static int put_rest(struct grpc_connection *c)
{
	size_t sent;
	int r;

	if (!c->rest)
		return 0;
	r = put(c, c->rest + c->rest_sent, c->rest_len - c->rest_sent, &sent);
	c->rest_sent += sent;
	if (r < 0)
		return r;
	drop_rest(c);
	return 0;
}

static int keep_rest(struct grpc_connection *c, const char *p, size_t n)
{
	c->rest = malloc(n);
	if (!c->rest)
		return -ENOMEM;
	memcpy(c->rest, p, n);
	c->rest_len = n;
	c->rest_sent = 0;
	return -EAGAIN;
}

/* Sends what the session has and the socket takes. 0, -EAGAIN, or what broke. */
static int connection_flush(struct grpc_connection *c)
{
	char piece[PIECE_MAX];
	size_t n, sent;
	int r = put_rest(c);

	while (r == 0 && !c->ended && (n = grpc_session_send(c->session, piece, sizeof(piece)))) {
		if (c->ended) /* by a callback */
			return 0;
		r = put(c, piece, n, &sent);
		if (r == -EAGAIN)
			r = keep_rest(c, piece + sent, n - sent);
		OPENSSL_cleanse(piece, n);
	}
	return r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

static int connection_arm(struct grpc_connection *c, uint64_t usec)
{
	int r;

	if (usec == c->timer_usec)
		return 0;
	c->timer_usec = usec;
	if (usec == UINT64_MAX)
		return sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	if (!c->timer)
		return sd_event_add_time(c->event, &c->timer, CLOCK_MONOTONIC, usec,
			TIMER_ACCURACY_USEC, on_timer, c);
	r = sd_event_source_set_time(c->timer, usec);
	return r < 0 ? r : sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

/* Waits for what comes next. */
static int connection_wait(struct grpc_connection *c, bool full)
{
	uint32_t events = full ? EPOLLOUT : 0;
	int64_t deadline;
	int r;

	if (full && c->stalled_usec == INT64_MAX)
		c->stalled_usec = clock_monotonic_usec();
	grpc_session_stalled(c->session, c->stalled_usec);
	if (grpc_session_wants_input(c->session))
		events |= EPOLLIN;
	if (events != c->events) {
		r = sd_event_source_set_io_events(c->io, events);
		if (r < 0)
			return r;
		c->events = events;
	}
	deadline = grpc_session_deadline(c->session);
	return connection_arm(c, deadline == INT64_MAX ? UINT64_MAX : (uint64_t)deadline);
}

/* After anything that may have moved the session. */
static void connection_settle(struct grpc_connection *c)
{
	int r;

	if (c->ended)
		return;
	r = connection_flush(c);
	if (c->ended)
		return;
	if ((r == 0 || r == -EAGAIN) && grpc_session_over(c->session))
		r = -ESHUTDOWN; /* what the socket had no room for does not matter any more */
	else if (r == 0 || r == -EAGAIN)
		r = connection_wait(c, r == -EAGAIN);
	if (r == 0)
		return;
	connection_end(c, r == -ESHUTDOWN ? grpc_session_why(c->session) : strerror(-r), true);
	if (!c->dead && c->on_ended)
		c->on_ended(c->ctx, grpc_session_why(c->session));
}

static void connection_read(struct grpc_connection *c)
{
	char piece[PIECE_MAX];

	for (int i = 0; i < READS_MAX && grpc_session_wants_input(c->session); i++) {
		ssize_t n = recv(c->fd, piece, sizeof(piece), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			grpc_session_lost(c->session,
				n == 0 ? "the peer closed the connection" : strerror(errno));
			return;
		}
		grpc_session_receive(
			c->session, (struct span){piece, (size_t)n}, clock_monotonic_usec());
		if (c->ended || (size_t)n < sizeof(piece))
			return;
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct grpc_connection *c = userdata;

	(void)source;
	(void)fd;
	c->busy++;
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
		connection_read(c);
	connection_settle(c);
	connection_leave(c);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct grpc_connection *c = userdata;

	(void)source;
	(void)usec;
	c->busy++;
	c->timer_usec = UINT64_MAX; /* it is off until it is set again */
	grpc_session_tick(c->session, clock_monotonic_usec());
	connection_settle(c);
	connection_leave(c);
	return 0;
}

/* The loop comes back as soon as the socket has room, which is at once. */
static void on_wake(void *owner)
{
	struct grpc_connection *c = owner;

	if (c->busy || c->ended || (c->events & EPOLLOUT))
		return;
	if (sd_event_source_set_io_events(c->io, c->events | EPOLLOUT) >= 0)
		c->events |= EPOLLOUT;
}

int grpc_connection_new(struct grpc_connection **ret_c, sd_event *event, int fd,
	const struct grpc_session_options *o, void (*ended)(void *ctx, const char *why), void *ctx)
{
	struct grpc_session_options options = *o;
	struct grpc_connection *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->fd = fd;
	c->event = sd_event_ref(event);
	c->timer_usec = UINT64_MAX;
	c->stalled_usec = INT64_MAX;
	c->events = EPOLLIN | EPOLLOUT;
	c->on_ended = ended;
	c->ctx = ctx;
	options.wake = on_wake;
	options.owner = c;
	r = grpc_session_new(&c->session, &options, clock_monotonic_usec());
	if (r == 0)
		r = sd_event_add_io(event, &c->io, fd, c->events, on_io, c);
	if (r < 0) {
		connection_destroy(c);
		return r;
	}
	*ret_c = c;
	return 0;
}

struct grpc_session *grpc_connection_session(struct grpc_connection *c)
{
	return c->ended ? NULL : c->session;
}

void grpc_connection_free(struct grpc_connection *c, bool tell)
{
	c->dead = true;
	c->on_ended = NULL;
	c->busy++;
	if (tell && !c->ended && c->busy == 1) {
		/* A client learns which of its calls were served, if its socket has room. */
		connection_flush(c);
		if (!c->ended) {
			grpc_session_shut(c->session);
			connection_flush(c);
		}
	}
	connection_end(c, "the connection was closed here", tell);
	connection_leave(c);
}

int grpc_address(struct sockaddr_un *ret_a, const char *path, struct error *err)
{
	if (!path || !path[0])
		return error_set(err, -EINVAL, "a socket needs a path");
	if (strlen(path) >= sizeof(ret_a->sun_path))
		return error_set(err, -ENAMETOOLONG,
			"%s: the path of a socket has at most %zu bytes", path,
			sizeof(ret_a->sun_path) - 1);
	*ret_a = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(ret_a->sun_path, path);
	return 0;
}
