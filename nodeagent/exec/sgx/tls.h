/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's side of TLS to a server whose authority is pinned (RFC 8446, RFC 5246; 1.2 at least),
 * until a deadline. No trust store of the machine, no session that is resumed. What was read is
 * cleansed in OpenSSL's buffers. */
#pragma once

#include <openssl/ssl.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/span.h"

/* Zero-initialise; sgx_tls_close() in any case. */
struct sgx_tls {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;         /* what came from the socket, and is to go there; ssl's */
	int fd;                /* once it is connected; ssl is set */
	int64_t deadline_usec; /* monotonic */
};

/* Connects to host (a name, or an address) and shakes hands. ca: PEM; one of them must have signed
 * the server's chain, or be its certificate. -ENOKEY: no certificates there; -EKEYREJECTED: the
 * server is somebody else; -EAGAIN: it cannot be reached, or ended it; -ENOMEM. Messages say what
 * of it, not whose. */
int sgx_tls_open(struct sgx_tls *t, const char *host, const char *port, struct span ca,
	int64_t deadline_usec, struct error *err);
/* All of s; exactly n bytes. -EAGAIN: the connection ended before, or the time. */
int sgx_tls_send(struct sgx_tls *t, struct span s, struct error *err);
int sgx_tls_receive(struct sgx_tls *t, void *p, size_t n, struct error *err);
void sgx_tls_close(struct sgx_tls *t);
#define _cleanup_sgx_tls_ _cleanup_(sgx_tls_close)
