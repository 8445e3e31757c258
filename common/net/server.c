/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a server and of its connections. Connections are accepted by server_accept.c, get
 * their places by server_room.c and are served by libmicrohttpd daemons, one a thread.
 * libmicrohttpd's own pool has each thread woken for each connection, counts its limit per thread,
 * cannot make room when it is reached, loses what the kernel has already accepted when it is
 * quiesced, and in 0.9.75 may abort() when that happens at the limit. */
#include "common/net/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/net/server_private.h"

enum {
	/* Room in libmicrohttpd's pool for parsed headers and the head of the answer. */
	POOL_EXTRA = 4096,
};

/* A connection that was shut down stays so. */
void exchange_phase(struct http_exchange *x, enum phase phase)
{
	uint64_t next = phase_at(phase, clock_monotonic_usec()), was = atomic_load(&x->phase);

	while (phase_of(was) != PHASE_CLOSING &&
		!atomic_compare_exchange_weak(&x->phase, &was, next))
		;
}

void exchange_free(struct http_exchange *x)
{
	buf_free(&x->uri);
	buf_free(&x->body);
	buf_free(&x->out);
	buf_free(&x->cookie);
	free(x);
}

void server_unlist(struct server *s, struct http_exchange *x)
{
	if (x->next)
		x->next->prev = x->prev;
	*(x->prev ? &x->prev->next : &s->head) = x->next;
	x->next = x->prev = NULL;
	s->n--;
	x->worker->n--;
	if (x->party)
		server_leave_party(x);
	else
		s->leaving--;
	if (s->waiting.n)
		eventfd_write(s->wake_fd, 1);
	pthread_cond_broadcast(&s->changed);
}

struct http_exchange *server_find_accepted(struct server *s, int fd)
{
	for (struct http_exchange *x = s->head; x; x = x->next)
		if (x->fd == fd && phase_of(atomic_load(&x->phase)) == PHASE_ACCEPTED)
			return x;
	return NULL;
}

void server_suspended(struct server *s, int change)
{
	pthread_mutex_lock(&s->lock);
	s->suspended += (unsigned)change;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Waits for a change, at most until a time and at most a second. With the lock held. */
void server_wait_changed(struct server *s, int64_t until)
{
	int64_t now = clock_monotonic_usec();
	int64_t t = until - now < USEC_PER_SEC ? until : now + USEC_PER_SEC;
	struct timespec at = {t / USEC_PER_SEC, t % USEC_PER_SEC * 1000};

	pthread_cond_clockwait(&s->changed, &s->lock, CLOCK_MONOTONIC, &at);
}

static void on_established(struct tls_peer *p)
{
	exchange_phase((struct http_exchange *)p, PHASE_IDLE);
}

/* A worker takes over what the acceptor has registered. */
static void connection_started(struct server *s, struct MHD_Connection *con, void **context)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(con, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *session;
	struct http_exchange *x;

	pthread_mutex_lock(&s->lock);
	x = fd ? server_find_accepted(s, fd->connect_fd) : NULL;
	if (x) {
		x->mhd = con;
		exchange_phase(x, PHASE_HANDSHAKE);
	}
	pthread_mutex_unlock(&s->lock);
	*context = x;
	if (!s->tls)
		return;
	session = MHD_get_connection_info(con, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	tls_peer_begin(
		x ? &x->peer : NULL, session->tls_session, s->tls, s->clients, on_established);
}

/* Before libmicrohttpd closes the descriptor, after it is done with the TLS session. */
static void connection_closed(struct server *s, struct http_exchange *x)
{
	int abandoned = DEFER_ABANDONED;
	bool shut = phase_of(atomic_load(&x->phase)) == PHASE_CLOSING;

	if (s->tls && !x->peer.established && !shut)
		atomic_fetch_add(&s->handshake_failures, 1);
	tls_peer_end(&x->peer);
	request_settle(x);
	pthread_mutex_lock(&s->lock);
	server_unlist(s, x);
	pthread_mutex_unlock(&s->lock);
	if (!atomic_compare_exchange_strong(&x->deferral, &abandoned, DEFER_ORPHANED))
		exchange_free(x);
}

static void notify_connection(void *cls, struct MHD_Connection *con, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		connection_started(cls, con, context);
	else if (*context)
		connection_closed(cls, *context);
}

/* Paths go to the handler as received. */
static size_t unescape_nothing(void *cls, struct MHD_Connection *con, char *s)
{
	(void)cls;
	(void)con;
	return strlen(s);
}

/* options has room for three more behind its n. */
static int add_tls_options(const struct server_options *o, struct MHD_OptionItem *options,
	unsigned n, char priority[TLS_PRIORITY_MAX], struct error *err)
{
	int r = tls_priority(priority, o->tls_min, o->tls_ciphers, err);

	if (r == 0 && o->client_ca_pem)
		r = tls_check_roots(o->client_ca_pem, err);
	if (r < 0)
		return r;
	options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, priority};
	options[n++] = (struct MHD_OptionItem){
		MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, tls_retrieve_function()};
	if (o->client_ca_pem)
		options[n] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_MEM_TRUST, 0, (void *)o->client_ca_pem};
	return 0;
}

static int start_workers(struct server *s, const struct server_options *o, struct error *err)
{
	const struct server_limits *limits = &o->limits;
	char priority[TLS_PRIORITY_MAX];
	struct MHD_OptionItem options[16] = {
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)notify_connection, s},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)request_completed, s},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)request_uri, s},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)unescape_nothing, s},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		/* One more: it still counts a connection of which it has told that it ended. */
		{MHD_OPTION_CONNECTION_LIMIT, (intptr_t)limits->max_connections + 1, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT,
			(intptr_t)(limits->max_header + limits->max_header / 2 + POOL_EXTRA), NULL},
		/* the rest is MHD_OPTION_END, which is 0 */
	};
	int r = o->tls ? add_tls_options(o, options, 7, priority, err) : 0;

	while (r == 0 && s->n_workers < (o->event ? 1 : o->threads)) {
		struct MHD_Daemon *d = MHD_start_daemon(
			/* With epoll, a thread of libmicrohttpd's spins while a handshake waits
			 * for its client; what a loop does about it: server_loop.c. */
			(o->event ? MHD_USE_EPOLL : MHD_USE_POLL_INTERNAL_THREAD) |
				MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
				(o->tls ? MHD_USE_TLS : 0),
			0, NULL, NULL, request_handle, s, MHD_OPTION_ARRAY, options,
			MHD_OPTION_END);

		if (!d)
			return error_set(err, -EIO, "cannot start the HTTP server for %s:%u",
				o->address, s->port);
		s->workers[s->n_workers++].daemon = d;
	}
	return r == 0 && o->event ? server_join_loop(s, o->event, err) : r;
}

/* Threads that take no signals: those are for the program's own loop. */
static int start_threads(struct server *s, const struct server_options *o, struct error *err)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = start_workers(s, o, err);
	if (r == 0) {
		r = -pthread_create(&s->acceptor, NULL, server_acceptor, s);
		s->accepting = s->joinable = r == 0;
		if (r < 0)
			error_set(err, r, "cannot start the acceptor's thread: %s", strerror(-r));
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

static struct server *server_new(const struct server_options *o, http_handler handler, void *ctx)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->limits = o->limits;
	if (s->limits.max_buffered == 0 &&
		__builtin_mul_overflow(s->limits.max_body, (size_t)8, &s->limits.max_buffered))
		s->limits.max_buffered = SIZE_MAX;
	s->handler = handler;
	s->ctx = ctx;
	s->on_sweep = o->on_sweep;
	s->tls = o->tls;
	s->clients = !o->client_ca_pem    ? TLS_CLIENTS_UNASKED
		     : o->client_optional ? TLS_CLIENTS_OPTIONAL
					  : TLS_CLIENTS_REQUIRED;
	s->listen_fd = -1;
	s->wake_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	return s;
}

int server_start(struct server **ret_s, const struct server_options *o, http_handler handler,
	void *ctx, struct error *err)
{
	_cleanup_(server_stop_p) struct server *s = NULL;
	int r;

	if (!o->event && (o->threads < 1 || o->threads > SERVER_THREADS_MAX))
		return error_set(err, -EINVAL, "server threads: %u, want 1 to %d", o->threads,
			SERVER_THREADS_MAX);
	if (o->limits.max_connections < 1 || o->limits.max_connections > SERVER_CONNECTIONS_MAX ||
		o->limits.max_in_flight < 1)
		return error_set(err, -EINVAL,
			"server limits: %u connections and %u in flight, "
			"want at least 1 of each and at most %d connections",
			o->limits.max_connections, o->limits.max_in_flight, SERVER_CONNECTIONS_MAX);
	s = server_new(o, handler, ctx);
	if (!s)
		return error_oom(err);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0)
		return error_set(err, -errno, "cannot create an eventfd: %s", strerror(errno));
	r = server_listen(s, o, err);
	if (r == 0)
		r = start_threads(s, o, err);
	if (r < 0)
		return r;
	*ret_s = TAKE_PTR(s);
	return 0;
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

/* Is a request arriving, being handled or being answered? */
static bool is_busy(struct http_exchange *x)
{
	enum phase phase = phase_of(atomic_load(&x->phase));

	return phase == PHASE_READING || phase == PHASE_HANDLING || phase == PHASE_SENDING;
}

struct server_stats server_stats(struct server *s)
{
	struct server_stats stats = {
		.requests = atomic_load(&s->requests),
		.shed = atomic_load(&s->shed),
		.too_large = atomic_load(&s->too_large),
		.timed_out = atomic_load(&s->timed_out),
		.evicted = atomic_load(&s->evicted),
		.turned_away = atomic_load(&s->turned_away),
		.handshake_failures = atomic_load(&s->handshake_failures),
		.in_flight = atomic_load(&s->in_flight),
	};

	pthread_mutex_lock(&s->lock);
	stats.connections = s->n;
	for (struct http_exchange *x = s->head; x; x = x->next)
		stats.busy += is_busy(x);
	pthread_mutex_unlock(&s->lock);
	return stats;
}

void server_close_soon(struct server *s)
{
	atomic_store(&s->closing, true);
}

void server_quiesce(struct server *s)
{
	server_close_soon(s);
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->draining, true);
	pthread_cond_broadcast(&s->changed);
	if (s->accepting)
		eventfd_write(s->wake_fd, 1);
	while (s->accepting)
		server_wait_changed(s, INT64_MAX);
	pthread_mutex_unlock(&s->lock);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	s->listen_fd = -1;
}

/* Ends every connection; how many had a request under way? With the lock held. */
static unsigned cut_off(struct server *s)
{
	unsigned n = 0;

	for (struct http_exchange *x = s->head; x; x = x->next) {
		n += is_busy(x);
		if (phase_of(atomic_load(&x->phase)) == PHASE_ACCEPTED)
			continue;
		exchange_phase(x, PHASE_CLOSING);
		shutdown(x->fd, SHUT_RDWR);
		request_abandon(x);
	}
	return n;
}

unsigned server_drain(struct server *s, int64_t timeout_usec)
{
	int64_t deadline = clock_monotonic_usec() + timeout_usec;
	unsigned n;

	server_quiesce(s);
	pthread_mutex_lock(&s->lock);
	while (s->n > 0 && clock_monotonic_usec() < deadline)
		server_await(s, deadline);
	n = cut_off(s);
	pthread_mutex_unlock(&s->lock);
	return n;
}

void server_stop(struct server *s)
{
	if (!s)
		return;
	server_quiesce(s);
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->stopping, true);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	if (s->joinable)
		pthread_join(s->acceptor, NULL);
	pthread_mutex_lock(&s->lock);
	cut_off(s);
	while (s->suspended > 0)
		server_await(s, INT64_MAX);
	pthread_mutex_unlock(&s->lock);
	server_leave_loop(s);
	for (unsigned i = 0; i < s->n_workers; i++)
		MHD_stop_daemon(s->workers[i].daemon);
	while (s->head) { /* accepted, but never with a worker */
		struct http_exchange *x = s->head;

		server_unlist(s, x);
		exchange_free(x);
	}
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
