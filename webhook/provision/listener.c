/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/provision/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/places.h"
#include "common/net/tcp_listen.h"
#include "common/net/tls_stream.h"
#include "webhook/provision/desk.h"

enum { UNFINISHED_PART = 16 /* of connection_usec: so long a client has in any case */ };

#define ACCEPT_PAUSE_USEC (100 * (uint64_t)USEC_PER_MSEC)
/* Between looks for room while somebody waits and nothing ends. */
#define ROOM_USEC (50 * (uint64_t)USEC_PER_MSEC)

enum result { RELEASED, REFUSED, BROKEN, TIMEOUT, SHED };
static const char *const results[] = {
	[RELEASED] = "released",
	[REFUSED] = "refused", /* its evidence or its wish */
	[BROKEN] = "broken",   /* no TLS, no certificate, another request, or it left */
	[TIMEOUT] = "timeout",
	[SHED] = "shed", /* too many a second, or at once */
};

enum state { HANDSHAKE, REQUEST, RESPONSE };

struct client {
	struct provision_listener *listener;
	struct party *party;
	int fd;        /* while it waits; -1 */
	int64_t since; /* it has a place, monotonic usec */
	enum state state;
	struct tls_stream *stream;
	sd_event_source *io, *timer; /* io owns the socket */
	char request[sizeof(PROVISION_REQUEST)];
	size_t n; /* bytes of the request that are here, or of the answer that are sent */
	struct secret answer;
	TAILQ_ENTRY(client) link;
};

struct provision_listener {
	struct provision_listener_options o;
	struct tls_acceptor *acceptor;
	sd_event_source *io, *pause;
	TAILQ_HEAD(client_list, client) clients; /* who has a place */
	unsigned n;
	struct parties parties;
	struct place_queue waiting;
	sd_event_source *room; /* looks for some; off while nobody waits */
	struct metric *connections;
};

static void count(struct provision_listener *l, enum result result)
{
	metric_add(l->connections, 1, METRIC_VALUES(results[result]));
}

/*
 * A client
 */

/* It has no place. */
static void client_drop(struct client *c)
{
	party_unref(&c->listener->parties, c->party);
	tls_stream_free(c->stream);
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	if (c->fd >= 0)
		close(c->fd);
	secret_free(&c->answer);
	free(c);
}

static void client_free(struct client *c)
{
	TAILQ_REMOVE(&c->listener->clients, c, link);
	c->listener->n--;
	c->party->held--;
	client_drop(c);
}

static void client_end(struct client *c, enum result result)
{
	count(c->listener, result);
	if (result == RELEASED || result == REFUSED)
		tls_stream_bye(c->stream, result == REFUSED);
	client_free(c);
}

static void admit(struct provision_listener *l);

/* Each step returns 0 (the next can come), -EAGAIN (later), -EPROTO (broken), -EACCES (refused). */

static int shake_hands(struct client *c)
{
	struct error err = {0};
	int r = tls_stream_handshake(c->stream, &err);

	if (r == -EPROTO)
		log_info(3, "A client of secret provisioning left during its handshake",
			LOG_STR("why", err.message));
	if (r == 0)
		c->state = REQUEST;
	return r;
}

static int take_request(struct client *c)
{
	ssize_t r = tls_stream_read(c->stream, c->request + c->n, sizeof(c->request) - c->n);

	if (r < 0)
		return (int)r;
	c->n += (size_t)r;
	if (r == 0 || memcmp(c->request, PROVISION_REQUEST, c->n) != 0)
		return -EPROTO;
	if (c->n < sizeof(c->request))
		return 0;
	r = provision_answer(c->listener->o.desk, tls_stream_peer(c->stream), &c->answer);
	c->n = 0;
	c->state = RESPONSE;
	return (int)r;
}

/* 1: all of it is sent. */
static int send_answer(struct client *c)
{
	ssize_t r = tls_stream_write(c->stream, c->answer.p + c->n, c->answer.len - c->n);

	if (r < 0)
		return (int)r;
	c->n += (size_t)r;
	return c->n == c->answer.len;
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	static int (*const steps[])(struct client * c) = {shake_hands, take_request, send_answer};
	struct client *c = ctx;
	struct provision_listener *l = c->listener;
	int r;

	(void)fd;
	(void)events;
	do
		r = steps[c->state](c);
	while (r == 0);
	if (r == -EAGAIN) {
		sd_event_source_set_io_events(
			source, tls_stream_sends(c->stream) ? EPOLLOUT : EPOLLIN);
		return 0;
	}
	client_end(c, r > 0 ? RELEASED : r == -EACCES ? REFUSED : BROKEN);
	admit(l);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct client *c = ctx;
	struct provision_listener *l = c->listener;

	(void)source;
	(void)usec;
	client_end(c, TIMEOUT);
	admit(l);
	return 0;
}

/* It has a place now. */
static void client_begin(struct client *c)
{
	struct provision_listener *l = c->listener;
	sd_event *event = l->o.event;
	int fd = c->fd;

	c->since = clock_monotonic_usec();
	c->party->held++;
	TAILQ_INSERT_TAIL(&l->clients, c, link);
	l->n++;
	if (sd_event_add_io(event, &c->io, fd, EPOLLIN, on_ready, c) < 0) {
		client_free(c);
		return;
	}
	sd_event_source_set_io_fd_own(c->io, true);
	c->fd = -1;
	if (sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC,
		    (uint64_t)l->o.connection_usec, 0, on_deadline, c) < 0 ||
		tls_stream_new(&c->stream, l->acceptor, fd, PROVISION_RECEIVED_MAX, NULL) < 0)
		client_free(c);
}

/*
 * Who has a place
 */

static struct place place_of(const struct client *c)
{
	return (struct place){.held = c->party->held, .use = PLACE_UNFINISHED, .since = c->since};
}

/* Ends a client for the one whose turn it is, if there is one that must yield. */
static bool evict(struct provision_listener *l)
{
	const struct place_search search = {
		.held = place_queue_first(&l->waiting)->held,
		.now = clock_monotonic_usec(),
		.unfinished_usec = l->o.connection_usec / UNFINISHED_PART,
	};
	struct client *c, *found = NULL;
	struct place best, place;

	for (c = TAILQ_FIRST(&l->clients); c; c = TAILQ_NEXT(c, link)) {
		place = place_of(c);
		if (place_yields(&search, &place, found ? &best : NULL)) {
			found = c;
			best = place;
		}
	}
	if (found)
		client_end(found, SHED);
	return found;
}

static void admit(struct provision_listener *l)
{
	while (l->waiting.n && (l->n < PROVISION_CONNECTIONS_MAX || evict(l)))
		client_begin(place_queue_take(&l->waiting));
	if (l->waiting.n)
		sd_event_source_set_time_relative(l->room, ROOM_USEC);
	sd_event_source_set_enabled(l->room, l->waiting.n ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_room(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	admit(ctx);
	return 0;
}

/* It has waited in vain. */
static void dismiss(struct client *c)
{
	count(c->listener, SHED);
	client_drop(c);
}

/* Mostly it waits for nothing. fd is taken over. */
static void take_in(struct provision_listener *l, int fd, const char *from)
{
	struct party *party = party_ref(&l->parties, from);
	struct client *c = party ? calloc(1, sizeof(*c)) : NULL, *gone;

	if (!c) {
		if (party)
			party_unref(&l->parties, party);
		close(fd);
		return;
	}
	c->listener = l;
	c->party = party;
	c->fd = fd;
	gone = place_queue_add(&l->waiting, party, c);
	if (gone)
		dismiss(gone);
	admit(l);
}

/*
 * The listener
 */

static int on_pause_over(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct provision_listener *l = ctx;

	(void)source;
	(void)usec;
	l->pause = sd_event_source_disable_unref(l->pause);
	if (l->io)
		sd_event_source_set_enabled(l->io, SD_EVENT_ON);
	return 0;
}

/* A connection waits that cannot be taken: the listener would be ready all the time. */
static void accept_later(struct provision_listener *l)
{
	if (sd_event_add_time_relative(l->o.event, &l->pause, CLOCK_MONOTONIC, ACCEPT_PAUSE_USEC, 0,
		    on_pause_over, l) >= 0)
		sd_event_source_set_enabled(l->io, SD_EVENT_OFF);
}

static int on_connect(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct provision_listener *l = ctx;
	struct sockaddr_storage addr = {0};
	socklen_t size = sizeof(addr);
	int peer = accept4(fd, (struct sockaddr *)&addr, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	char from[INET6_ADDRSTRLEN];

	(void)source;
	(void)events;
	if (peer < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			accept_later(l);
		return 0;
	}
	tcp_client(from, (struct sockaddr *)&addr);
	if (provision_admit(l->o.desk, from)) {
		take_in(l, peer, from);
		return 0;
	}
	close(peer);
	count(l, SHED);
	return 0;
}

static int register_metric(struct provision_listener *l, struct error *err)
{
	static const char *const labels[] = {"result", NULL};

	if (!l->o.metrics)
		return 0;
	l->connections =
		metrics_counter(l->o.metrics, "casemate_webhook_provision_connections_total",
			"Connections of secret provisioning by how they ended.", labels);
	for (size_t i = 0; l->connections && i < ARRAY_SIZE(results); i++)
		metric_add(l->connections, 0, METRIC_VALUES(results[i]));
	return l->connections ? 0 : error_oom(err);
}

int provision_listen(struct provision_listener **ret_l, const struct provision_listener_options *o,
	struct error *err)
{
	_cleanup_(provision_listener_free_p) struct provision_listener *l = calloc(1, sizeof(*l));
	_cleanup_close_ int fd = -1;
	int r;

	if (!l)
		return error_oom(err);
	TAILQ_INIT(&l->clients);
	l->o = *o;
	r = register_metric(l, err);
	if (r == 0)
		r = tls_acceptor_new(&l->acceptor, o->identity, o->tls_min, o->tls_ciphers, err);
	if (r == 0)
		r = tcp_listen(&fd, o->address, &l->o.port, err);
	if (r < 0)
		return r;
	r = sd_event_add_time(o->event, &l->room, CLOCK_MONOTONIC, UINT64_MAX, 1, on_room, l);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->room, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_io(o->event, &l->io, fd, EPOLLIN, on_connect, l);
	if (r < 0)
		return error_oom(err);
	sd_event_source_set_io_fd_own(l->io, true);
	fd = -1;
	*ret_l = TAKE_PTR(l);
	return 0;
}

uint16_t provision_port(const struct provision_listener *l)
{
	return l->o.port;
}

void provision_quiesce(struct provision_listener *l)
{
	struct client *c;

	if (!l)
		return;
	l->io = sd_event_source_disable_unref(l->io);
	l->pause = sd_event_source_disable_unref(l->pause);
	while ((c = place_queue_take(&l->waiting)))
		dismiss(c);
}

unsigned provision_connections(const struct provision_listener *l)
{
	return l ? l->n : 0;
}

void provision_listener_free(struct provision_listener *l)
{
	if (!l)
		return;
	provision_quiesce(l);
	while (!TAILQ_EMPTY(&l->clients))
		client_free(TAILQ_FIRST(&l->clients));
	sd_event_source_disable_unref(l->room);
	tls_acceptor_free(l->acceptor);
	free(l);
}
