/* SPDX-License-Identifier: Apache-2.0
 *
 * The acceptor's thread: takes clients in and closes what takes too long. It wakes up for clients
 * and, only while there are connections, for their deadlines. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/server_private.h"
#include "common/net/tcp_listen.h"

enum {
	/* Data younger than this may belong to what began the phase: the kernel counts in ticks. */
	RECENT_USEC = 50 * 1000,
	/* Between sweeps while a request is under way; while the last clients leave. */
	SWEEP_USEC = USEC_PER_SEC,
	SWEEP_DRAINING_USEC = 100 * USEC_PER_MSEC,
	/* Between looks for room while somebody waits and nothing ends. */
	ROOM_USEC = 50 * USEC_PER_MSEC,
};

int server_listen(struct server *s, const struct server_options *o, struct error *err)
{
	s->port = o->port;
	return tcp_listen(&s->listen_fd, o->address, &s->port, err);
}

static struct http_exchange *exchange_new(
	struct server *s, int fd, const struct sockaddr_storage *addr, socklen_t size)
{
	struct http_exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->server = s;
	x->fd = fd;
	tcp_client(x->client, (const struct sockaddr *)addr);
	x->addr = *addr;
	x->addr_len = size;
	x->uri = BUF_INIT(s->limits.max_header);
	x->body = BUF_INIT(s->limits.max_body);
	x->out = BUF_INIT(SERVER_RESPONSE_MAX);
	x->cookie = BUF_INIT(SERVER_COOKIE_MAX);
	exchange_phase(x, PHASE_ACCEPTED);
	return x;
}

/* Between requests libmicrohttpd tells nothing before a request line is complete; that one has
 * begun, the kernel knows. And it overlooks the end of a client's stream that arrives together with
 * data. */
static void sweep_idle(struct server *s, struct http_exchange *x, uint64_t seen, int64_t now)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);
	int64_t received;

	if (getsockopt(x->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return;
	received = clock_monotonic_usec() - (int64_t)info.tcpi_last_data_recv * USEC_PER_MSEC;
	if (received > phase_since(seen) + RECENT_USEC)
		atomic_compare_exchange_strong(&x->phase, &seen, phase_at(PHASE_READING, received));
	else if ((now - phase_since(seen) > s->limits.idle_usec ||
			 info.tcpi_state == TCP_CLOSE_WAIT) &&
		 !server_has_input(x->fd))
		server_shut(x, seen);
}

/* When the connection must be looked at again. */
static int64_t sweep_one(struct server *s, struct http_exchange *x, int64_t now)
{
	uint64_t seen = atomic_load(&x->phase);
	enum phase phase = phase_of(seen);

	if (phase == PHASE_IDLE)
		sweep_idle(s, x, seen, now);
	else if (phase != PHASE_ACCEPTED && phase != PHASE_HANDLING && phase != PHASE_CLOSING &&
		 now - phase_since(seen) > s->limits.request_usec && server_shut(x, seen))
		atomic_fetch_add(&s->timed_out, 1);
	seen = atomic_load(&x->phase);
	if (phase_of(seen) != PHASE_IDLE)
		return now + SWEEP_USEC;
	/* A request that begins meanwhile does not pass its time before this. */
	if (phase_since(seen) + s->limits.idle_usec < now + s->limits.request_usec)
		return phase_since(seen) + s->limits.idle_usec + 1;
	return now + s->limits.request_usec;
}

int64_t server_sweep(struct server *s, int64_t now)
{
	int64_t next = INT64_MAX;

	pthread_mutex_lock(&s->lock);
	for (struct http_exchange *x = s->head; x; x = x->next) {
		int64_t at = sweep_one(s, x, now);

		if (at < next)
			next = at;
	}
	pthread_mutex_unlock(&s->lock);
	return next == INT64_MAX || next > now + SWEEP_USEC ? next : now + SWEEP_USEC;
}

/* Sweeps if that is due. On the acceptor's thread, without the lock. */
static void tend(struct server *s)
{
	int64_t now = clock_monotonic_usec();

	if (now < s->next_sweep)
		return;
	s->next_sweep = server_sweep(s, now);
	if (atomic_load(&s->draining) && s->next_sweep > now + SWEEP_DRAINING_USEC)
		s->next_sweep = now + SWEEP_DRAINING_USEC;
	if (s->on_sweep)
		s->on_sweep(s->ctx, now);
}

/* Nobody serves it. */
static void give_up(struct http_exchange *x)
{
	struct server *s = x->server;

	pthread_mutex_lock(&s->lock);
	server_unlist(s, x);
	pthread_mutex_unlock(&s->lock);
	exchange_free(x);
}

void server_hand_over(struct http_exchange *x)
{
	if (MHD_add_connection(
		    x->worker->daemon, x->fd, (struct sockaddr *)&x->addr, x->addr_len) != MHD_YES)
		give_up(x);
}

/* Takes one client; -errno when none is there or something is exhausted. */
static int accept_one(struct server *s)
{
	struct sockaddr_storage addr;
	socklen_t size = sizeof(addr);
	int64_t due;
	int fd = accept4(
		s->listen_fd, (struct sockaddr *)&addr, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct http_exchange *x;

	if (fd < 0)
		return -errno;
	x = exchange_new(s, fd, &addr, size);
	if (x)
		server_wait(s, x);
	else
		close(fd);
	due = clock_monotonic_usec() + SWEEP_USEC;
	if (due < s->next_sweep)
		s->next_sweep = due;
	return 0;
}

/* Milliseconds for poll(2). */
static int until_sweep(const struct server *s)
{
	int64_t left = s->next_sweep - clock_monotonic_usec();

	if (s->waiting.n && left > ROOM_USEC)
		left = ROOM_USEC;
	else if (s->next_sweep == INT64_MAX)
		return -1;
	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)(left / USEC_PER_MSEC) + 1;
}

static void accept_clients(struct server *s)
{
	struct pollfd fds[] = {
		{.fd = s->wake_fd, .events = POLLIN}, {.fd = s->listen_fd, .events = POLLIN}};

	while (!atomic_load(&s->draining)) {
		eventfd_t count;
		int r = 0;

		if (poll(fds, 2, until_sweep(s)) > 0 && fds[1].revents)
			r = accept_one(s);
		eventfd_read(s->wake_fd, &count);
		server_admit(s);
		if (r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM)
			poll(fds, 1,
				100); /* the client keeps waiting; spinning would not help it */
		tend(s);
	}
	/* These clients believe that they are connected. */
	while (s->waiting.n == 0 && accept_one(s) == 0)
		server_admit(s);
	server_turn_away(s);
}

/* No more clients come; those that are there leave. */
static void see_off(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->accepting = false;
	pthread_cond_broadcast(&s->changed);
	s->next_sweep = 0;
	while (s->n > 0 && !atomic_load(&s->stopping)) {
		server_wait_changed(s, s->next_sweep);
		pthread_mutex_unlock(&s->lock);
		tend(s);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
}

void *server_acceptor(void *arg)
{
	struct server *s = arg;

	pthread_setname_np(pthread_self(), "acceptor");
	s->next_sweep = INT64_MAX;
	accept_clients(s);
	see_off(s);
	return NULL;
}
