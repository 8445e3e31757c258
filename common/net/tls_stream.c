/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_stream.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/net/tls_peer.h"

enum { HANDSHAKE_MESSAGE_MAX = 64 * 1024 };

struct tls_acceptor {
	struct tls_identity *identity;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
};

struct tls_stream {
	gnutls_session_t session;
	struct tls_peer peer;
	int fd;
	size_t left; /* bytes that the client may still send */
};

int tls_acceptor_new(struct tls_acceptor **ret_a, struct tls_identity *identity,
	const char *tls_min, const char *tls_ciphers, struct error *err)
{
	_cleanup_(tls_acceptor_free_p) struct tls_acceptor *a = calloc(1, sizeof(*a));
	char priority[TLS_PRIORITY_MAX];
	int r = tls_priority(priority, tls_min, tls_ciphers, err);

	if (!a)
		return error_oom(err);
	if (r < 0)
		return r;
	a->identity = identity;
	if (gnutls_certificate_allocate_credentials(&a->credentials) < 0 ||
		gnutls_priority_init(&a->priority, priority, NULL) < 0)
		return error_oom(err);
	gnutls_certificate_set_retrieve_function3(
		a->credentials, (gnutls_certificate_retrieve_function3 *)tls_retrieve_function());
	*ret_a = TAKE_PTR(a);
	return 0;
}

void tls_acceptor_free(struct tls_acceptor *a)
{
	if (!a)
		return;
	if (a->credentials)
		gnutls_certificate_free_credentials(a->credentials);
	if (a->priority)
		gnutls_priority_deinit(a->priority);
	free(a);
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *p, size_t n)
{
	struct tls_stream *s = ptr;
	ssize_t got;

	if (s->left == 0) {
		gnutls_transport_set_errno(s->session, ECONNRESET);
		return -1;
	}
	got = recv(s->fd, p, n < s->left ? n : s->left, 0);
	if (got < 0)
		gnutls_transport_set_errno(s->session, errno);
	else
		s->left -= (size_t)got;
	return got;
}

static void on_established(struct tls_peer *p)
{
	(void)p; /* the handshake's caller sees it */
}

int tls_stream_new(struct tls_stream **ret_s, struct tls_acceptor *a, int fd, size_t max_received,
	struct error *err)
{
	_cleanup_(tls_stream_free_p) struct tls_stream *s = calloc(1, sizeof(*s));

	if (!s || gnutls_init(&s->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
						   GNUTLS_NO_TICKETS) < 0)
		return error_oom(err);
	s->fd = fd;
	s->left = max_received;
	tls_peer_begin(&s->peer, s->session, a->identity, TLS_CLIENTS_UNASKED, on_established);
	gnutls_certificate_server_set_request(s->session, GNUTLS_CERT_REQUIRE);
	gnutls_handshake_set_max_packet_length(s->session, HANDSHAKE_MESSAGE_MAX);
	gnutls_transport_set_ptr2(s->session, s, (gnutls_transport_ptr_t)(intptr_t)fd);
	gnutls_transport_set_pull_function(s->session, pull);
	if (gnutls_priority_set(s->session, a->priority) < 0 ||
		gnutls_credentials_set(s->session, GNUTLS_CRD_CERTIFICATE, a->credentials) < 0)
		return error_oom(err);
	*ret_s = TAKE_PTR(s);
	return 0;
}

void tls_stream_free(struct tls_stream *s)
{
	if (!s)
		return;
	if (s->session)
		gnutls_deinit(s->session);
	tls_peer_end(&s->peer);
	free(s);
}

bool tls_stream_sends(const struct tls_stream *s)
{
	return gnutls_record_get_direction(s->session) == 1;
}

static bool goes_on(ssize_t r)
{
	return r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED;
}

int tls_stream_handshake(struct tls_stream *s, struct error *err)
{
	int r;

	do /* warnings are passed over */
		r = gnutls_handshake(s->session);
	while (r < 0 && !goes_on(r) && !gnutls_error_is_fatal(r));
	if (r == GNUTLS_E_SUCCESS)
		return 0;
	if (goes_on(r))
		return -EAGAIN;
	gnutls_alert_send_appropriate(s->session, r);
	return error_set(err, -EPROTO, "TLS: %s", gnutls_strerror(r));
}

struct span tls_stream_peer(const struct tls_stream *s)
{
	unsigned n = 0;
	const gnutls_datum_t *certs = gnutls_certificate_get_peers(s->session, &n);

	return certs && n == 1 ? (struct span){(const char *)certs[0].data, certs[0].size}
			       : SPAN_NONE;
}

static ssize_t result(ssize_t r)
{
	if (r >= 0)
		return r;
	return goes_on(r) ? -EAGAIN : -EPROTO;
}

ssize_t tls_stream_read(struct tls_stream *s, void *p, size_t n)
{
	return result(gnutls_record_recv(s->session, p, n));
}

ssize_t tls_stream_write(struct tls_stream *s, const void *p, size_t n)
{
	return result(gnutls_record_send(s->session, p, n));
}

void tls_stream_bye(struct tls_stream *s, bool denied)
{
	if (denied)
		gnutls_alert_send(s->session, GNUTLS_AL_FATAL, GNUTLS_A_ACCESS_DENIED);
	else
		gnutls_bye(s->session, GNUTLS_SHUT_WR);
}
