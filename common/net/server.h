/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP(S) server on threads of libmicrohttpd, or on the program's loop. The handler is pure request
 * in, response out. Every limit is named; beyond it a client gets 413, 429 (with Retry-After), 431
 * or loses its connection, and none can hold the server. Such answers carry a metav1.Status, whose
 * message the API server shows to its user. A server without connections never wakes up. TLS is
 * GnuTLS (libmicrohttpd's), kept inside common/net/tls.c. SIGPIPE must be ignored by the program;
 * the server's threads take no signals. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/span.h"

struct server;
struct tls_identity; /* common/net/tls.h: certificate chain and key, replaceable while serving */

struct server_limits {
	size_t max_body;     /* bytes; beyond: 413 */
	size_t max_buffered; /* bytes of all large bodies at once; beyond: 429. 0: 8 max_body */
	size_t max_header;   /* bytes of request line and headers; beyond: 431 */
	/* Open at once; beyond, PLACES_WAITING_MAX wait until one ends, for which one is closed:
	 * of the address that has most, else one idle for long (10 s or idle_usec / 8) or slow
	 * (request_usec / 16), as common/net/places.h says; none whose request is being handled. Of
	 * those who wait the address that has fewest is first. */
	unsigned max_connections;
	unsigned max_in_flight; /* requests being handled; beyond: 429 with Retry-After: 1 */
	/* Beyond these a connection is closed, a second later at most; a request that begins on an
	 * idle connection may get twice its time. */
	int64_t request_usec; /* from connection to the end of its handshake, from first to last
			       * byte of a request and of a response */
	int64_t idle_usec;    /* keep-alive; at least 90 s towards an API server */
};

struct server_options {
	const char *address;       /* "0.0.0.0", "::", "127.0.0.1" */
	uint16_t port;             /* 0: any, see server_port */
	unsigned threads;          /* 1 to SERVER_THREADS_MAX */
	sd_event *event;           /* NULL: served on these threads. Else on this loop's thread,
				    * where the handler runs too and where http_finish(),
				    * server_drain() and server_stop() are called */
	struct tls_identity *tls;  /* borrowed; NULL: plain HTTP */
	const char *tls_min;       /* "1.2" or "1.3" */
	const char *tls_ciphers;   /* "": modern default; else a GnuTLS priority string */
	const char *client_ca_pem; /* NULL: client certificates are not asked for; else a handshake
				    * without one that chains to it, for client authentication,
				    * is refused */
	bool client_optional;      /* one without any certificate is not */
	struct server_limits limits;
	/* Called with the handler's ctx on a thread of the server, about once a second while
	 * requests are under way (the first one on an idle connection may wait request_usec for
	 * it): for what must not wait forever. NULL: none. */
	void (*on_sweep)(void *ctx, int64_t now_monotonic_usec);
};

struct http_exchange;

struct http_request {
	const char *method;
	const char *path;  /* without the query, as received */
	const char *query; /* without '?', "" when none */
	struct span body;
	const char *client_subject; /* verified client certificate's common name, or NULL */
	const char *client;         /* whom the connection is from: tcp_client() */
};

/* Header of the request by name (case-insensitive), NULL when absent. Valid during the handler. */
const char *http_header(struct http_exchange *x, const char *name);

struct http_response {
	int status;               /* 200 */
	const char *content_type; /* literal; "application/json" */
	unsigned retry_after;     /* seconds; 0: no header */
	const char *allow;        /* literal for 405; NULL: no header */
	const char *authenticate; /* literal for 401 (WWW-Authenticate); NULL: no header */
	struct buf *cookie;       /* of the connection's own: the value of Set-Cookie, at most
				   * SERVER_COOKIE_MAX bytes; empty: no header */
	unsigned etag;            /* the version of what is answered: ETag: "3"; 0: no header */
	struct buf *body;         /* the connection's own buffer, empty at the start; an error in
				   * it (it is born with SERVER_RESPONSE_MAX) becomes a 500 */
};

enum {
	SERVER_RESPONSE_MAX = 16 << 20,
	SERVER_COOKIE_MAX = 16 << 10,
	SERVER_THREADS_MAX = 16,
	SERVER_CONNECTIONS_MAX = 1 << 20,
};

enum http_verdict {
	HTTP_DONE,     /* res is the answer */
	HTTP_DEFERRED, /* http_finish() is called exactly once, then or later, from any thread */
};

/* Called with the complete request on the thread that serves the connection. Must not block: the
 * thread's other connections wait meanwhile. */
typedef enum http_verdict (*http_handler)(void *ctx, struct http_exchange *x,
	const struct http_request *req, struct http_response *res);

/* Completes a deferred exchange, on any thread (of a server on a loop: the loop's), whose req and
 * res stay valid until then, even if the server was stopped in between. */
void http_finish(struct http_exchange *x);

/* What a server counts; for metrics. */
struct server_stats {
	uint64_t requests;           /* given to the handler */
	uint64_t shed;               /* 429 */
	uint64_t too_large;          /* 413 and 431; not those 431 that libmicrohttpd answers */
	uint64_t timed_out;          /* connections closed beyond request_usec */
	uint64_t evicted;            /* connections closed for others at max_connections */
	uint64_t turned_away;        /* that waited for a place and got none */
	uint64_t handshake_failures; /* connections that ended before their handshake did */
	unsigned connections;
	unsigned busy;      /* of these, with a request that is arriving or being answered */
	unsigned in_flight; /* requests with the handler */
};

/* Starts serving. -EADDRINUSE and friends with a message that names address and port; -EINVAL,
 * -EBADMSG for the TLS options. The strings of o need not outlive the call. */
int server_start(struct server **ret_s, const struct server_options *o, http_handler handler,
	void *ctx, struct error *err);
uint16_t server_port(const struct server *s);
struct server_stats server_stats(struct server *s);

/* Still accepts, but from now on each response says "Connection: close": clients that keep
 * connections alive take them elsewhere. For the time in which routes to this server vanish. */
void server_close_soon(struct server *s);

/* Stops accepting, after having taken what the kernel had already accepted for us. From now on each
 * response says "Connection: close". Does not wait: a program whose own loop completes deferred
 * exchanges calls this, watches server_stats().connections, and at 0 or at its deadline calls
 * server_drain(s, 0). */
void server_quiesce(struct server *s);

/* server_quiesce(); requests in flight finish, idle connections are closed after their next
 * response or at the deadline. Returns when no connection is left, or timeout_usec from now with
 * what was left closed. Returns the number of requests that were cut off. */
unsigned server_drain(struct server *s, int64_t timeout_usec);
void server_stop(struct server *s); /* cuts off whatever is left; NULL allowed */
DEFINE_CLEANUP(struct server *, server_stop)
