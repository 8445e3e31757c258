/* SPDX-License-Identifier: Apache-2.0
 *
 * The other side for tests of servers: certificates made on the spot and a plain blocking HTTP/1.1
 * client, with or without TLS (OpenSSL). Every wait ends after PEER_TIMEOUT_SEC. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

enum { PEER_TIMEOUT_SEC = 20 };

struct peer_cert {
	EVP_PKEY *key;
	X509 *cert;
	struct buf cert_pem, key_pem;
};

/* A P-256 certificate for cn, signed by issuer (NULL: by itself, as a CA); client: for client
 * authentication, else for a server at 127.0.0.1. */
bool peer_cert_make(struct peer_cert *c, const char *cn, const struct peer_cert *issuer,
	bool client);
/* A self-signed one with an RSA key. */
bool peer_cert_make_rsa(struct peer_cert *c, const char *cn);
void peer_cert_free(struct peer_cert *c);
#define _cleanup_cert_ _cleanup_(peer_cert_free)

struct peer_tls {
	const struct peer_cert *ca;     /* what the server must chain to; NULL: anything */
	const struct peer_cert *client; /* NULL: none */
	int max_version;                /* TLS1_1_VERSION...; 0: any */
};

struct peer {
	int fd;
	SSL *ssl;
	struct buf in; /* what was read and not consumed */
};

/* Connects to 127.0.0.1:port, with tls through the handshake. */
bool peer_open(struct peer *p, uint16_t port, const struct peer_tls *tls);
void peer_close(struct peer *p);
#define _cleanup_peer_ _cleanup_(peer_close)

bool peer_send(struct peer *p, const char *data, size_t n);
bool peer_puts(struct peer *p, const char *s);

struct peer_reply {
	int status;      /* 0: the connection ended instead */
	struct buf head; /* status line and headers */
	struct buf body;
};

/* Reads one reply; its body by Content-Length. */
int peer_reply(struct peer *p, struct peer_reply *r);
void peer_reply_free(struct peer_reply *r);
#define _cleanup_reply_ _cleanup_(peer_reply_free)

/* One request and its reply; the status. */
int peer_request(struct peer *p, const char *method, const char *target, const char *headers,
	struct span body, struct peer_reply *r);

/* Waits until the server closes; false when data came or it did not. */
bool peer_closed(struct peer *p);
