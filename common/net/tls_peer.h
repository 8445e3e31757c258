/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to common/net: one server connection's side of TLS. GnuTLS' own types stay in tls.c and
 * tls_stream.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/net/tls.h"

struct tls_chain;

enum { TLS_SUBJECT_MAX = 256, TLS_PRIORITY_MAX = 1024 };

/* What is asked of clients: a certificate that chains to the daemon's roots, and nothing else. */
enum tls_clients { TLS_CLIENTS_UNASKED, TLS_CLIENTS_OPTIONAL, TLS_CLIENTS_REQUIRED };

struct tls_peer {
	struct tls_identity *identity;
	struct tls_chain *chain; /* what this connection's handshake uses; NULL before it */
	bool established;        /* the handshake is complete */
	void (*on_established)(struct tls_peer *p);
	char subject[TLS_SUBJECT_MAX]; /* the verified client certificate's common name, or "" */
};

/* Before a connection's handshake: makes session (a gnutls_session_t) take its certificate from
 * identity (borrowed), and refuse clients that are not as asked. p must stay where it is until
 * tls_peer_end(). NULL p: the handshake will be refused. */
void tls_peer_begin(struct tls_peer *p, void *session, struct tls_identity *identity,
	enum tls_clients clients, void (*on_established)(struct tls_peer *p));

/* How often sessions of tls_peer_begin() have received or sent something on this thread. Tells
 * whether a connection that is said to be ready really was. */
uint64_t tls_moved(void);

/* When nothing more is sent or received on the session. */
void tls_peer_end(struct tls_peer *p);

/* The gnutls_certificate_retrieve_function3 that serves sessions of tls_peer_begin(). */
void *tls_retrieve_function(void);

/* The priority string for a minimum of "1.2" or "1.3"; ciphers as in struct server_options.
 * -EINVAL with what is wrong. */
int tls_priority(char out[TLS_PRIORITY_MAX], const char *min, const char *ciphers,
	struct error *err);

/* Are these roots, PEM, and at least one? -EBADMSG. */
int tls_check_roots(const char *pem, struct error *err);
