/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the server: server.c owns the life of a server and its connections, server_accept.c
 * takes clients in and closes what takes too long, server_room.c says who comes in when not all
 * can, server_request.c is what happens on a connection.
 *
 * A connection is one struct http_exchange, reused for each of its requests. It is registered from
 * accept(2) until just before close(2), both under the lock of the server: whoever finds it in the
 * list under that lock may shutdown(2) its descriptor. Everything else in it belongs to the worker
 * that serves the connection, except the atomics. */
#pragma once

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "common/net/loop.h"
#include "common/net/places.h"
#include "common/net/server.h"
#include "common/net/tls_peer.h"

enum {
	SERVER_KEEP_MAX = 64 * 1024, /* a connection keeps buffers up to this between requests */
	SERVER_METHOD_MAX = 32,
	SERVER_EVICT_USEC = 10 * 1000000, /* idle for less, or idle_usec / 8: not for long */
	SERVER_TURN_MSEC = 20,            /* a loop that waits for its own server looks so often */
};

enum phase {
	PHASE_ACCEPTED,  /* not yet with a worker */
	PHASE_HANDSHAKE, /* or, without TLS, before the first request */
	PHASE_IDLE,      /* between requests, and between the handshake and the first */
	PHASE_READING,
	PHASE_HANDLING,
	PHASE_SENDING,
	PHASE_CLOSING, /* shut down by us; libmicrohttpd has not noticed yet */
};

/* A deferred exchange: finishing and suspending may come in either order, and the server may be
 * stopped before the finish. */
enum deferral {
	DEFER_NONE,      /* or: the handler is still running */
	DEFER_SUSPENDED, /* the finish will resume the connection */
	DEFER_FINISHED,
	DEFER_ABANDONED, /* cut off; the finish only marks it */
	DEFER_ORPHANED,  /* cut off and closed; the finish frees it */
};

enum stage { STAGE_HEADERS, STAGE_BODY, STAGE_ANSWERED };

struct http_exchange {
	struct tls_peer peer; /* first: tls.c hands it back */
	struct server *server;
	struct worker *worker;
	struct http_exchange *prev, *next; /* under the server's lock */
	int fd;
	char client[INET6_ADDRSTRLEN]; /* tcp_client() */
	struct sockaddr_storage addr;  /* the same */
	socklen_t addr_len;
	struct party *party; /* counted there; NULL once shut down; under the lock */
	bool handed_over;    /* to libmicrohttpd, or about to be; under the server's lock */
	struct MHD_Connection *mhd;
	_Atomic uint64_t phase; /* enum phase | since << PHASE_BITS, so that both change at once */
	_Atomic int deferral;
	bool in_flight, suspended; /* counted in the server's */
	enum stage stage;
	bool too_large, shed; /* the rest of the body is discarded */
	size_t discarded;
	size_t charged; /* of the server's buffered */
	char method[SERVER_METHOD_MAX];
	struct buf uri, body, out, cookie;
	struct http_request req;
	struct http_response res;
};

enum { PHASE_BITS = 3 };

static inline enum phase phase_of(uint64_t v)
{
	return (enum phase)(v & ((1 << PHASE_BITS) - 1));
}

static inline int64_t phase_since(uint64_t v)
{
	return (int64_t)(v >> PHASE_BITS);
}

static inline uint64_t phase_at(enum phase phase, int64_t since)
{
	return (uint64_t)since << PHASE_BITS | phase;
}

/* A thread with connections of its own. */
struct worker {
	struct MHD_Daemon *daemon;
	unsigned n; /* connections, under the server's lock */
};

struct server {
	struct server_limits limits;
	http_handler handler;
	void *ctx;
	struct tls_identity *tls;
	enum tls_clients clients;
	struct worker workers[SERVER_THREADS_MAX];
	unsigned n_workers;
	uint16_t port;

	/* Of a server on a loop, else NULL: server_loop.c. */
	sd_event_source *ready, *again, *later;
	struct loop_queue *arrivals;
	unsigned arriving; /* not handed over yet; under the lock */

	pthread_t acceptor;
	bool joinable;
	int listen_fd, wake_fd;
	int64_t next_sweep; /* of the acceptor's thread: when, monotonic; INT64_MAX: never */
	void (*on_sweep)(void *ctx, int64_t now);

	/* Who has been accepted beyond max_connections; written by the acceptor's
	 * thread alone, with the lock held. */
	struct place_queue waiting;

	pthread_mutex_t lock;   /* the list, n, leaving, parties, suspended, accepting */
	pthread_cond_t changed; /* one of these became smaller */
	bool accepting;         /* clients may still come */
	struct http_exchange *head;
	unsigned n;
	unsigned leaving; /* of these, shut down by us */
	struct parties parties;
	unsigned suspended;

	atomic_bool closing; /* each response is the last of its connection */
	atomic_bool draining, stopping;
	atomic_uint in_flight;
	atomic_size_t buffered;
	_Atomic uint64_t requests, shed, too_large, timed_out, evicted, turned_away,
		handshake_failures;
};

/* server.c */
void exchange_phase(struct http_exchange *x, enum phase phase);
void exchange_free(struct http_exchange *x);
void server_suspended(struct server *s, int change);
/* With the lock held: out of the list; who was accepted as fd and is not yet with a worker; waits
 * for a change, at most until a time and at most a second. */
void server_unlist(struct server *s, struct http_exchange *x);
struct http_exchange *server_find_accepted(struct server *s, int fd);
void server_wait_changed(struct server *s, int64_t until);

/* server_loop.c; with the lock held, server_leave_loop() without it. */
int server_join_loop(struct server *s, sd_event *event, struct error *err);
void server_leave_loop(struct server *s); /* nothing to do without a loop */
/* Waits for a change, as server_wait_changed(); the loop's own server goes on meanwhile. */
void server_await(struct server *s, int64_t until);
/* Has the loop look at its connections although no descriptor is ready. On the loop's thread;
 * nothing to do without a loop. */
void server_turn_soon(struct server *s);
/* On the acceptor's thread: who is not handed over yet is, on the loop's. Without the lock. */
void server_arrive(struct server *s);

/* server_room.c */
/* Shuts the connection down if it is still in the phase that was judged; its worker sees the end
 * of it and cleans up. With the lock held. */
bool server_shut(struct http_exchange *x, uint64_t seen);
/* With the lock held: it holds no place any more. */
void server_leave_party(struct http_exchange *x);
/* Is there input that its worker has not taken yet? */
bool server_has_input(int fd);
/* On the acceptor's thread, without the lock. x waits, is freed if it cannot; who waits comes in as
 * long as there is room, and somebody is shut down if there is not; nobody waits any more. */
void server_wait(struct server *s, struct http_exchange *x);
void server_admit(struct server *s);
void server_turn_away(struct server *s);

/* server_accept.c */
/* Gives a connection to its worker; frees it when that cannot take it. */
void server_hand_over(struct http_exchange *x);
int server_listen(struct server *s, const struct server_options *o, struct error *err);
void *server_acceptor(void *server); /* the thread */
/* Closes what has passed its time, as of now (monotonic). Returns when to do so again: INT64_MAX
 * when there is no connection. */
int64_t server_sweep(struct server *s, int64_t now);

/* server_request.c: libmicrohttpd's callbacks */
void *request_uri(void *cls, const char *uri, struct MHD_Connection *con);
enum MHD_Result request_handle(void *cls, struct MHD_Connection *con, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **con_cls);
void request_completed(
	void *cls, struct MHD_Connection *con, void **con_cls, enum MHD_RequestTerminationCode why);
/* Takes what the request still counts for out of the server's counters. */
void request_settle(struct http_exchange *x);
/* Cuts a suspended exchange off, with the server's lock held or on the exchange's thread. */
void request_abandon(struct http_exchange *x);
