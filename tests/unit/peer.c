/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
}

static bool to_pem(struct peer_cert *c)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	c->cert_pem = BUF_INIT(64 * 1024);
	c->key_pem = BUF_INIT(64 * 1024);
	PEM_write_bio_X509(bio, c->cert);
	n = BIO_get_mem_data(bio, &p);
	buf_add(&c->cert_pem, p, (size_t)n);
	(void)BIO_reset(bio);
	PEM_write_bio_PKCS8PrivateKey(bio, c->key, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(bio, &p);
	buf_add(&c->key_pem, p, (size_t)n);
	BIO_free(bio);
	return c->cert_pem.len && c->key_pem.len;
}

static bool make(struct peer_cert *c, EVP_PKEY *key, const char *cn, const struct peer_cert *issuer,
	bool client)
{
	static long serial = 1;
	const struct peer_cert *by = issuer ? issuer : c;
	X509_NAME *name;

	*c = (struct peer_cert){.key = key, .cert = X509_new()};
	X509_set_version(c->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c->cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c->cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(c->cert), 3600);
	name = X509_get_subject_name(c->cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(c->cert, X509_get_subject_name(by->cert));
	X509_set_pubkey(c->cert, c->key);
	if (!issuer) {
		add_extension(c->cert, NID_basic_constraints, "critical,CA:TRUE");
		add_extension(c->cert, NID_key_usage, "critical,keyCertSign,digitalSignature");
	} else {
		add_extension(c->cert, NID_ext_key_usage, client ? "clientAuth" : "serverAuth");
		add_extension(c->cert, NID_subject_alt_name, "IP:127.0.0.1");
	}
	return X509_sign(c->cert, by->key, EVP_sha256()) > 0 && to_pem(c);
}

bool peer_cert_make(struct peer_cert *c, const char *cn, const struct peer_cert *issuer,
	bool client)
{
	return make(c, EVP_EC_gen("P-256"), cn, issuer, client);
}

bool peer_cert_make_rsa(struct peer_cert *c, const char *cn)
{
	return make(c, EVP_RSA_gen(2048), cn, NULL, false);
}

void peer_cert_free(struct peer_cert *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->cert);
	buf_free(&c->cert_pem);
	buf_free(&c->key_pem);
}

static SSL *new_session(const struct peer_tls *tls)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;

	if (tls->ca) {
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), tls->ca->cert);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	}
	if (tls->max_version) {
		/* Debian's default refuses what the server is to refuse. */
		SSL_CTX_set_security_level(ctx, 0);
		SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(ctx, tls->max_version);
	}
	if (tls->client) {
		SSL_CTX_use_certificate(ctx, tls->client->cert);
		SSL_CTX_use_PrivateKey(ctx, tls->client->key);
	}
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1");
	return ssl;
}

bool peer_open(struct peer *p, uint16_t port, const struct peer_tls *tls)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval timeout = {.tv_sec = PEER_TIMEOUT_SEC};

	*p = (struct peer){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		.in = BUF_INIT(64 << 20)};
	setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(p->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return false;
	if (!tls)
		return true;
	p->ssl = new_session(tls);
	SSL_set_fd(p->ssl, p->fd);
	return SSL_connect(p->ssl) == 1;
}

void peer_close(struct peer *p)
{
	SSL_free(p->ssl);
	if (p->fd >= 0)
		close(p->fd);
	buf_free(&p->in);
	p->ssl = NULL;
	p->fd = -1;
}

bool peer_send(struct peer *p, const char *data, size_t n)
{
	while (n) {
		ssize_t done = p->ssl ? SSL_write(p->ssl, data, (int)n) :
					send(p->fd, data, n, MSG_NOSIGNAL);

		if (done <= 0)
			return false;
		data += done;
		n -= (size_t)done;
	}
	return true;
}

bool peer_puts(struct peer *p, const char *s)
{
	return peer_send(p, s, strlen(s));
}

static ssize_t read_more(struct peer *p)
{
	char chunk[16 * 1024];
	ssize_t n = p->ssl ? SSL_read(p->ssl, chunk, sizeof(chunk)) :
			     recv(p->fd, chunk, sizeof(chunk), 0);

	if (n > 0)
		buf_add(&p->in, chunk, (size_t)n);
	return n;
}

static void consume(struct peer *p, struct buf *out, size_t n)
{
	buf_add(out, p->in.p, n);
	memmove(p->in.p, p->in.p + n, p->in.len - n + 1);
	p->in.len -= n;
}

int peer_reply(struct peer *p, struct peer_reply *r)
{
	const char *end, *length;
	size_t n;

	peer_reply_free(r);
	*r = (struct peer_reply){.head = BUF_INIT(64 * 1024), .body = BUF_INIT(64 << 20)};
	while (!p->in.p || !(end = strstr(p->in.p, "\r\n\r\n")))
		if (read_more(p) <= 0)
			return 0;
	consume(p, &r->head, (size_t)(end - p->in.p) + 4);
	length = strcasestr(r->head.p, "\r\nContent-Length:");
	n = length ? strtoul(length + strlen("\r\nContent-Length:"), NULL, 10) : 0;
	while (p->in.len < n)
		if (read_more(p) <= 0)
			return 0;
	consume(p, &r->body, n);
	r->status = atoi(r->head.p + strlen("HTTP/1.1 "));
	return r->status;
}

void peer_reply_free(struct peer_reply *r)
{
	buf_free(&r->head);
	buf_free(&r->body);
}

int peer_request(struct peer *p, const char *method, const char *target, const char *headers,
	struct span body, struct peer_reply *r)
{
	_cleanup_buf_ struct buf b = BUF_INIT(64 << 20);

	buf_printf(&b, "%s %s HTTP/1.1\r\nHost: h\r\n%s", method, target, headers);
	if (body.p)
		buf_printf(&b, "Content-Length: %zu\r\n", body.len);
	buf_puts(&b, "\r\n");
	buf_span(&b, body);
	/* A refusal may come before all was sent. */
	(void)peer_send(p, b.p, b.len);
	return peer_reply(p, r);
}

bool peer_closed(struct peer *p)
{
	ssize_t n = read_more(p);

	if (p->ssl)
		return n <= 0 && SSL_get_error(p->ssl, (int)n) != SSL_ERROR_WANT_READ;
	return n == 0 || (n < 0 && errno == ECONNRESET);
}
