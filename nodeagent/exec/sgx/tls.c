/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/sgx/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <nss.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "nodeagent/exec/wire.h"

DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(struct addrinfo *, freeaddrinfo)

enum { PIECE = 4096, CERTIFICATES_MAX = 64 };

/* --- the server's address --- */

/* Names come from the files and the DNS that the host hands in, and what they lead to proves itself
 * by its certificate. Other sources would be shared libraries, which a static program has not. */
static int look_up(struct addrinfo **ret, const char *host, const char *port, struct error *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	int r;

	__nss_configure_lookup("hosts", "files dns");
	r = getaddrinfo(host, port, &hints, ret);
	if (r == EAI_MEMORY)
		return error_oom(err);
	if (r != 0)
		return error_set(err, -EAGAIN,
			"%s: in Gramine names need sys.enable_extra_runtime_domain_names_conf = "
			"true in the manifest",
			gai_strerror(r));
	return 0;
}

static int reach(struct sgx_tls *t, const char *host, const char *port, struct error *err)
{
	_cleanup_(freeaddrinfo_p) struct addrinfo *all = NULL;
	int r = look_up(&all, host, port, err);

	if (r < 0)
		return r;
	r = -EHOSTUNREACH;
	for (const struct addrinfo *a = all; a && r < 0; a = a->ai_next)
		r = exec_connect(&t->fd, a->ai_addr, a->ai_addrlen, t->deadline_usec);
	return r < 0 ? error_set(err, -EAGAIN, "%s", strerror(-r)) : 0;
}

/* --- trust --- */

static int trust(SSL_CTX *context, struct span pem, struct error *err)
{
	_cleanup_(BIO_free_all_p) BIO *b =
		pem.len <= INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
	int n = 0;

	if (!b)
		return error_oom(err);
	for (; n <= CERTIFICATES_MAX; n++) {
		_cleanup_(X509_free_p) X509 *c = PEM_read_bio_X509(b, NULL, NULL, NULL);

		if (!c)
			break;
		if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), c) != 1)
			return error_oom(err);
	}
	/* Behind the last one there may be text, but no certificate that is broken. */
	if (n == 0 || n > CERTIFICATES_MAX ||
		ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return error_set(err, -ENOKEY, "holds no certificates as PEM, or a broken one");
	ERR_clear_error();
	return 0;
}

static int name_peer(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
	unsigned char address[sizeof(struct in6_addr)];

	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN);
	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(p, host);
	return X509_VERIFY_PARAM_set1_host(p, host, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, host) == 1;
}

static int prepare(struct sgx_tls *t, const char *host, struct span ca, struct error *err)
{
	int r;

	t->context = SSL_CTX_new(TLS_client_method());
	if (!t->context || SSL_CTX_set_min_proto_version(t->context, TLS1_2_VERSION) != 1)
		return error_oom(err);
	SSL_CTX_set_options(t->context, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_TICKET |
						SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(t->context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(t->context, SSL_VERIFY_PEER, NULL);
	r = trust(t->context, ca, err);
	if (r < 0)
		return r;
	t->ssl = SSL_new(t->context);
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (!t->ssl || !t->in || !t->out || name_peer(t->ssl, host) != 1) {
		BIO_free(t->in);
		BIO_free(t->out);
		t->in = t->out = NULL;
		return error_oom(err);
	}
	/* Nothing to read is not the end. */
	BIO_set_mem_eof_return(t->in, -1);
	SSL_set_bio(t->ssl, t->in, t->out);
	return 0;
}

/* --- the connection --- */

static int flush(struct sgx_tls *t)
{
	char piece[PIECE];
	int n;

	while ((n = BIO_read(t->out, piece, sizeof(piece))) > 0) {
		int r = exec_send(t->fd, (struct span){piece, (size_t)n}, t->deadline_usec);

		if (r < 0)
			return r;
	}
	return 0;
}

static int feed(struct sgx_tls *t)
{
	char piece[PIECE];
	ssize_t n = exec_receive_some(t->fd, piece, sizeof(piece), t->deadline_usec);

	if (n < 0)
		return (int)n;
	return BIO_write(t->in, piece, (int)n) == n ? 0 : -ENOMEM;
}

static int blame(struct sgx_tls *t, struct error *err)
{
	long verified = SSL_get_verify_result(t->ssl);
	const char *why = ERR_reason_error_string(ERR_peek_error());

	if (verified != X509_V_OK)
		return error_set(err, -EKEYREJECTED, "%s", X509_verify_cert_error_string(verified));
	return error_set(err, -EAGAIN, "TLS: %s", why ? why : "the server ended it");
}

/* After OpenSSL returned n, which was no success: 0 when the same is to be tried again. */
static int go_on(struct sgx_tls *t, int n, struct error *err)
{
	int what = SSL_get_error(t->ssl, n);
	int r = flush(t);

	if (what == SSL_ERROR_WANT_READ) {
		if (r == 0)
			r = feed(t);
		if (r == -ENOMEM)
			return error_oom(err);
		if (r == -ECONNRESET || r == -EPIPE)
			return error_set(err, -EAGAIN, "the server ended the connection");
		return r < 0 ? error_set(err, -EAGAIN, "%s", strerror(-r)) : 0;
	}
	if (what == SSL_ERROR_ZERO_RETURN)
		return error_set(err, -EAGAIN, "the server ended the connection");
	return blame(t, err);
}

int sgx_tls_open(struct sgx_tls *t, const char *host, const char *port, struct span ca,
	int64_t deadline_usec, struct error *err)
{
	int r, n;

	*t = (struct sgx_tls){.fd = -1, .deadline_usec = deadline_usec};
	r = prepare(t, host, ca, err);
	if (r == 0)
		r = reach(t, host, port, err);
	while (r == 0) {
		ERR_clear_error();
		n = SSL_connect(t->ssl);
		if (n == 1)
			break;
		r = go_on(t, n, err);
	}
	if (r == 0) {
		r = flush(t);
		if (r < 0)
			return error_set(err, -EAGAIN, "%s", strerror(-r));
	}
	return r;
}

int sgx_tls_send(struct sgx_tls *t, struct span s, struct error *err)
{
	int r = 0;

	while (r == 0 && s.len) {
		size_t n = 0;

		ERR_clear_error();
		if (SSL_write_ex(t->ssl, s.p, s.len, &n) == 1)
			s = (struct span){s.p + n, s.len - n};
		else
			r = go_on(t, 0, err);
	}
	if (r < 0)
		return r;
	r = flush(t);
	return r < 0 ? error_set(err, -EAGAIN, "%s", strerror(-r)) : 0;
}

int sgx_tls_receive(struct sgx_tls *t, void *p, size_t n, struct error *err)
{
	int r = 0;

	for (size_t have = 0; r == 0 && have < n;) {
		size_t came = 0;

		ERR_clear_error();
		if (SSL_read_ex(t->ssl, (char *)p + have, n - have, &came) == 1)
			have += came;
		else
			r = go_on(t, 0, err);
	}
	return r;
}

void sgx_tls_close(struct sgx_tls *t)
{
	if (t->ssl && t->fd >= 0) {
		/* Says that this is the end; who does not hear it knows from the socket. */
		SSL_shutdown(t->ssl);
		(void)flush(t);
	}
	SSL_free(t->ssl);
	SSL_CTX_free(t->context);
	if (t->context && t->fd >= 0)
		close(t->fd);
	*t = (struct sgx_tls){.fd = -1};
}
