/* SPDX-License-Identifier: Apache-2.0
 *
 * A chain and its key are immutable and counted: the identity holds the newest, each connection the
 * one that its handshake took, so that a rotation frees the old one when its last connection ends.
 * Handshakes take it through gnutls_certificate_set_retrieve_function3, which hands out pointers
 * instead of copies (GnuTLS manual, "Callbacks for credentials"). */
#include "common/net/tls.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/net/tls_peer.h"

enum { TLS_CHAIN_MAX = 8, TLS_PEM_MAX = 256 * 1024 };

struct tls_chain {
	atomic_uint refs;
	gnutls_pcert_st certs[TLS_CHAIN_MAX];
	unsigned n;
	gnutls_privkey_t key;
};

struct tls_identity {
	pthread_mutex_t lock;
	struct tls_chain *current;
};

struct tls_identity *tls_identity_new(void)
{
	struct tls_identity *t = calloc(1, sizeof(*t));

	if (t)
		pthread_mutex_init(&t->lock, NULL);
	return t;
}

static void chain_unref(struct tls_chain *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	for (unsigned i = 0; i < c->n; i++)
		gnutls_pcert_deinit(&c->certs[i]);
	if (c->key)
		gnutls_privkey_deinit(c->key);
	free(c);
}
DEFINE_CLEANUP(struct tls_chain *, chain_unref)

void tls_identity_free(struct tls_identity *t)
{
	if (!t)
		return;
	chain_unref(t->current);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* Leaf first, each signed by the next. */
static int load_certs(struct tls_chain *c, struct span pem, struct error *err)
{
	gnutls_datum_t data = {(unsigned char *)pem.p, (unsigned)pem.len};
	gnutls_x509_crt_t certs[TLS_CHAIN_MAX];
	unsigned n = TLS_CHAIN_MAX;
	int r = gnutls_x509_crt_list_import(certs, &n, &data, GNUTLS_X509_FMT_PEM,
		GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED |
			GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);

	if (r == GNUTLS_E_SHORT_MEMORY_BUFFER)
		return error_set(err, -EBADMSG, "certificate chain: more than %d certificates",
			TLS_CHAIN_MAX);
	if (r == GNUTLS_E_CERTIFICATE_LIST_UNSORTED)
		return error_set(err, -EBADMSG, "certificate chain: out of order; put the leaf "
			"first and behind each certificate the one that signed it");
	if (r == GNUTLS_E_MEMORY_ERROR)
		return error_oom(err);
	if (r <= 0)
		return error_set(err, -EBADMSG, "certificate chain: no PEM certificate: %s",
			gnutls_strerror(r));
	n = (unsigned)r;
	r = 0;
	for (unsigned i = 0; i < n; i++) {
		if (r == 0)
			r = gnutls_pcert_import_x509(&c->certs[i], certs[i], 0);
		if (r == 0)
			c->n++;
		gnutls_x509_crt_deinit(certs[i]);
	}
	return r == 0 ? 0 : error_set(err, -EBADMSG, "certificate chain: %s", gnutls_strerror(r));
}

static int load_key(struct tls_chain *c, struct span pem, struct error *err)
{
	gnutls_datum_t data = {(unsigned char *)pem.p, (unsigned)pem.len};
	int r = gnutls_privkey_init(&c->key);

	if (r == 0)
		r = gnutls_privkey_import_x509_raw(c->key, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (r == GNUTLS_E_MEMORY_ERROR)
		return error_oom(err);
	if (r == GNUTLS_E_DECRYPTION_FAILED)
		return error_set(err, -EBADMSG, "private key: encrypted; give it in the clear");
	if (r != 0)
		return error_set(err, -EBADMSG, "private key: no PEM key (PKCS#8, SEC1, PKCS#1): %s",
			gnutls_strerror(r));
	return 0;
}

/* A signature of the key must verify with the leaf: comparing key identifiers would trust the
 * public half that a key file carries along. */
static int check_match(const struct tls_chain *c, struct error *err)
{
	gnutls_pubkey_t pub = c->certs[0].pubkey;
	gnutls_datum_t text = {(unsigned char *)"casemate", 8}, sig = {NULL, 0};
	int pk = gnutls_privkey_get_pk_algorithm(c->key, NULL);
	gnutls_digest_algorithm_t digest = GNUTLS_DIG_SHA256;
	int r = pk == gnutls_pubkey_get_pk_algorithm(pub, NULL) ? 0 :
		GNUTLS_E_CERTIFICATE_KEY_MISMATCH;

	if (r == 0)
		r = gnutls_pubkey_get_preferred_hash_algorithm(pub, &digest, NULL);
	if (r == 0)
		r = gnutls_privkey_sign_data(c->key, digest, 0, &text, &sig);
	if (r == 0)
		r = gnutls_pubkey_verify_data2(pub,
			gnutls_pk_to_sign((gnutls_pk_algorithm_t)pk, digest), 0, &text, &sig);
	gnutls_free(sig.data);
	return r >= 0 ? 0 :
			error_set(err, -EBADMSG,
				"private key: does not belong to the first certificate of the chain");
}

int tls_identity_set(struct tls_identity *t, struct span chain_pem, struct span key_pem,
	struct error *err)
{
	_cleanup_(chain_unref_p) struct tls_chain *c = NULL;
	struct tls_chain *old;
	int r;

	if (chain_pem.len > TLS_PEM_MAX || key_pem.len > TLS_PEM_MAX)
		return error_set(err, -EBADMSG, "certificate chain or private key: more than %d "
			"bytes", TLS_PEM_MAX);
	c = calloc(1, sizeof(*c));
	if (!c)
		return error_oom(err);
	atomic_init(&c->refs, 1);
	r = load_certs(c, chain_pem, err);
	if (r == 0)
		r = load_key(c, key_pem, err);
	if (r == 0)
		r = check_match(c, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&t->lock);
	old = t->current;
	t->current = TAKE_PTR(c);
	pthread_mutex_unlock(&t->lock);
	chain_unref(old);
	return 0;
}

static struct tls_chain *identity_chain(struct tls_identity *t)
{
	struct tls_chain *c;

	pthread_mutex_lock(&t->lock);
	c = t->current;
	if (c)
		atomic_fetch_add(&c->refs, 1);
	pthread_mutex_unlock(&t->lock);
	return c;
}

/* GnuTLS asks once or more in a handshake; the answer stays the same within one. */
static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
	gnutls_pcert_st **certs, unsigned int *n, gnutls_ocsp_data_st **ocsp, unsigned int *n_ocsp,
	gnutls_privkey_t *key, unsigned int *flags)
{
	struct tls_peer *p = gnutls_session_get_ptr(session);

	(void)info;
	(void)flags; /* not GNUTLS_CERT_RETR_DEINIT_ALL: the chain stays ours */
	if (p && !p->chain)
		p->chain = identity_chain(p->identity);
	if (!p || !p->chain)
		return -1;
	*certs = p->chain->certs;
	*n = p->chain->n;
	*ocsp = NULL;
	*n_ocsp = 0;
	*key = p->chain->key;
	return 0;
}

void *tls_retrieve_function(void)
{
	gnutls_certificate_retrieve_function3 *f = retrieve;

	return (void *)f;
}

/* The chain was verified during the handshake. */
static void read_subject(struct tls_peer *p, gnutls_session_t session)
{
	unsigned n = 0;
	const gnutls_datum_t *certs = gnutls_certificate_get_peers(session, &n);
	gnutls_x509_crt_t leaf;
	size_t size = sizeof(p->subject);

	if (!certs || n == 0 || gnutls_x509_crt_init(&leaf) < 0)
		return;
	if (gnutls_x509_crt_import(leaf, &certs[0], GNUTLS_X509_FMT_DER) < 0 ||
		gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, 0, 0, p->subject,
			&size) < 0 ||
		strlen(p->subject) != size)
		p->subject[0] = '\0'; /* none, too long, or a NUL inside */
	gnutls_x509_crt_deinit(leaf);
}

/* The client's Finished is the last message of a TLS 1.3 handshake, and in TLS 1.2 the last that
 * the client has to bring. */
static int on_finished(gnutls_session_t session, unsigned int type, unsigned when,
	unsigned int incoming, const gnutls_datum_t *message)
{
	struct tls_peer *p = gnutls_session_get_ptr(session);

	(void)type;
	(void)when;
	(void)message;
	if (!p || !incoming || p->established)
		return 0;
	read_subject(p, session);
	p->established = true;
	p->on_established(p);
	return 0;
}

/* That a certificate is there at all is what GNUTLS_CERT_REQUIRE looks after. */
static int verify_client(gnutls_session_t session)
{
	gnutls_typed_vdata_st purpose = {
		GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0};
	unsigned n = 0, status = 0;

	if (!gnutls_certificate_get_peers(session, &n) || n == 0)
		return 0;
	if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0 || status != 0)
		return GNUTLS_E_CERTIFICATE_ERROR;
	return 0;
}

static _Thread_local uint64_t moved;

uint64_t tls_moved(void)
{
	return moved;
}

static ssize_t pull(gnutls_transport_ptr_t fd, void *p, size_t n)
{
	ssize_t r = recv((int)(intptr_t)fd, p, n, 0);

	moved += r >= 0;
	return r;
}

static ssize_t push(gnutls_transport_ptr_t fd, const giovec_t *pieces, int n)
{
	const struct msghdr m = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)n};
	ssize_t r = sendmsg((int)(intptr_t)fd, &m, MSG_NOSIGNAL);

	moved += r >= 0;
	return r;
}

void tls_peer_begin(struct tls_peer *p, void *session, struct tls_identity *identity,
	enum tls_clients clients, void (*on_established)(struct tls_peer *p))
{
	/* libmicrohttpd keeps its connection here, for pre-shared keys only. */
	gnutls_session_set_ptr(session, p);
	gnutls_transport_set_pull_function(session, pull);
	gnutls_transport_set_vec_push_function(session, push);
	if (!p)
		return;
	*p = (struct tls_peer){.identity = identity, .on_established = on_established};
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
		on_finished);
	if (clients == TLS_CLIENTS_UNASKED)
		return;
	gnutls_certificate_server_set_request(session,
		clients == TLS_CLIENTS_OPTIONAL ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_function(session, verify_client);
}

void tls_peer_end(struct tls_peer *p)
{
	chain_unref(p->chain);
	p->chain = NULL;
}

int tls_priority(char out[TLS_PRIORITY_MAX], const char *min, const char *ciphers,
	struct error *err)
{
	/* Forward secrecy and authenticated encryption only; AES-128 first, for its cost. */
	static const char modern[] =
		"NORMAL:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA"
		":-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD"
		":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
		":-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_PRECEDENCE";
	bool chosen = ciphers && *ciphers, only_13 = min && strcmp(min, "1.3") == 0;
	gnutls_priority_t parsed;
	const char *at = NULL;
	int n, r;

	if (min && !only_13 && strcmp(min, "1.2") != 0)
		return error_set(err, -EINVAL, "minimum TLS version '%s': want \"1.2\" or \"1.3\"",
			min);
	/* The minimum holds whatever the chosen string says. */
	n = snprintf(out, TLS_PRIORITY_MAX,
		"%s:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1:-VERS-DTLS-ALL%s",
		chosen ? ciphers : modern, only_13 ? ":-VERS-TLS1.2" : "");
	if (n < 0 || n >= TLS_PRIORITY_MAX)
		return error_set(err, -EINVAL, "TLS ciphers: longer than %d bytes",
			TLS_PRIORITY_MAX - 100);
	r = gnutls_priority_init(&parsed, out, &at);
	if (r < 0)
		return error_set(err, -EINVAL, "TLS ciphers: not a GnuTLS priority string, near "
			"'%.40s': %s", at && *at ? at : out, gnutls_strerror(r));
	gnutls_priority_deinit(parsed);
	return 0;
}

int tls_check_roots(const char *pem, struct error *err)
{
	gnutls_datum_t data = {(unsigned char *)pem, (unsigned)strlen(pem)};
	gnutls_x509_trust_list_t list;
	int r = gnutls_x509_trust_list_init(&list, 0);

	if (r < 0)
		return error_oom(err);
	r = gnutls_x509_trust_list_add_trust_mem(list, &data, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	gnutls_x509_trust_list_deinit(list, 1);
	if (r < 0)
		return error_set(err, -EBADMSG, "client CA: not PEM: %s", gnutls_strerror(r));
	if (r == 0)
		return error_set(err, -EBADMSG, "client CA: holds no certificate");
	return 0;
}
