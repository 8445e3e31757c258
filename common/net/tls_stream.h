/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's side of TLS on one socket, without blocking, for protocols other than HTTP. The client
 * must show a certificate; all that is checked of it is that the client has its key. There is no
 * resumption and no renegotiation, so each stream has proved that. One thread at a time. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/span.h"

struct tls_identity; /* common/net/tls.h */

/* What streams share. */
struct tls_acceptor;

/* identity: borrowed. tls_min, tls_ciphers: as in struct server_options. */
int tls_acceptor_new(struct tls_acceptor **ret_a, struct tls_identity *identity,
	const char *tls_min, const char *tls_ciphers, struct error *err);
void tls_acceptor_free(struct tls_acceptor *a); /* NULL allowed; after its streams */
DEFINE_CLEANUP(struct tls_acceptor *, tls_acceptor_free)

struct tls_stream;

/* fd: a connected, non-blocking socket, borrowed. A client that sends more than max_received bytes
 * has lost its connection. */
int tls_stream_new(struct tls_stream **ret_s, struct tls_acceptor *a, int fd, size_t max_received,
	struct error *err);
void tls_stream_free(struct tls_stream *s); /* NULL allowed; wipes its keys */
DEFINE_CLEANUP(struct tls_stream *, tls_stream_free)

/* What the last -EAGAIN waits for: room to send, or else something to receive. */
bool tls_stream_sends(const struct tls_stream *s);

/* 0: the handshake is complete; -EAGAIN: call again when the socket is ready; -EPROTO with what
 * went wrong. */
int tls_stream_handshake(struct tls_stream *s, struct error *err);
/* After the handshake: the DER of the client's certificate; SPAN_NONE if it sent several. */
struct span tls_stream_peer(const struct tls_stream *s);
/* How many bytes were read (0: the client has closed) or written; -EAGAIN as above (write the same
 * again); -EPROTO. */
ssize_t tls_stream_read(struct tls_stream *s, void *p, size_t n);
ssize_t tls_stream_write(struct tls_stream *s, const void *p, size_t n);
/* Tells the client that this is the end, or that access is denied, as far as the socket has room.
 */
void tls_stream_bye(struct tls_stream *s, bool denied);
