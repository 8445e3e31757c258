/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/provision/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/tcp_listen.h"
#include "common/net/tls_stream.h"
#include "webhook/provision/desk.h"

#define ACCEPT_PAUSE_USEC (100 * (uint64_t)USEC_PER_MSEC)

enum result { RELEASED, REFUSED, BROKEN, TIMEOUT, SHED };
static const char *const results[] = {
	[RELEASED] = "released",
	[REFUSED] = "refused", /* its evidence or its wish */
	[BROKEN] = "broken",   /* no TLS, no certificate, another request, or it left */
	[TIMEOUT] = "timeout",
	[SHED] = "shed", /* too many a second */
};

enum state { HANDSHAKE, REQUEST, RESPONSE };

struct client {
	struct provision_listener *listener;
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
	TAILQ_HEAD(client_list, client) clients;
	unsigned n;
	struct metric *connections;
};

static void count(struct provision_listener *l, enum result result)
{
	metric_add(l->connections, 1, METRIC_VALUES(results[result]));
}

/*
 * A client
 */

static void client_free(struct client *c)
{
	struct provision_listener *l = c->listener;

	TAILQ_REMOVE(&l->clients, c, link);
	if (l->n-- == PROVISION_CONNECTIONS_MAX && l->io && !l->pause)
		sd_event_source_set_enabled(l->io, SD_EVENT_ON);
	tls_stream_free(c->stream);
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	secret_free(&c->answer);
	free(c);
}

static void client_end(struct client *c, enum result result)
{
	count(c->listener, result);
	if (result == RELEASED || result == REFUSED)
		tls_stream_bye(c->stream, result == REFUSED);
	client_free(c);
}

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
	int r;

	(void)fd;
	(void)events;
	do
		r = steps[c->state](c);
	while (r == 0);
	if (r == -EAGAIN)
		sd_event_source_set_io_events(
			source, tls_stream_sends(c->stream) ? EPOLLOUT : EPOLLIN);
	else
		client_end(c, r > 0 ? RELEASED : r == -EACCES ? REFUSED : BROKEN);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	client_end(ctx, TIMEOUT);
	return 0;
}

/* fd is the client's whatever comes of it. */
static int client_add(struct provision_listener *l, int fd)
{
	_cleanup_close_ int owned = fd;
	struct client *c = calloc(1, sizeof(*c));
	sd_event *event = l->o.event;

	if (!c)
		return -ENOMEM;
	c->listener = l;
	TAILQ_INSERT_TAIL(&l->clients, c, link);
	l->n++;
	if (sd_event_add_io(event, &c->io, fd, EPOLLIN, on_ready, c) < 0) {
		client_free(c);
		return -ENOMEM;
	}
	sd_event_source_set_io_fd_own(c->io, true);
	owned = -1;
	if (sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC,
		    (uint64_t)l->o.connection_usec, 0, on_deadline, c) < 0 ||
		tls_stream_new(&c->stream, l->acceptor, fd, PROVISION_RECEIVED_MAX, NULL) < 0) {
		client_free(c);
		return -ENOMEM;
	}
	if (l->n == PROVISION_CONNECTIONS_MAX)
		sd_event_source_set_enabled(l->io, SD_EVENT_OFF);
	return 0;
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
	if (l->io && l->n < PROVISION_CONNECTIONS_MAX)
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
		client_add(l, peer);
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
	if (!l)
		return;
	l->io = sd_event_source_disable_unref(l->io);
	l->pause = sd_event_source_disable_unref(l->pause);
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
	tls_acceptor_free(l->acceptor);
	free(l);
}
