/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/server.h"
#include "common/net/server_private.h"
#include "tests/unit/peer.h"
#include "tests/unit/test.h"

enum { ROTATIONS = 1000 };

/* A CA, two server certificates (the second through an intermediate), two clients. */
struct world {
	struct peer_cert ca, leaf, middle, leaf2, client, other_ca, stranger;
	struct buf chain2; /* leaf2 and middle */
};

static void world_make(struct world *w)
{
	CU_ASSERT_TRUE(peer_cert_make(&w->ca, "ca", NULL, false));
	CU_ASSERT_TRUE(peer_cert_make(&w->leaf, "leaf", &w->ca, false));
	CU_ASSERT_TRUE(peer_cert_make(&w->middle, "middle", NULL, false));
	/* The intermediate is a CA's certificate signed by another. */
	X509_set_issuer_name(w->middle.cert, X509_get_subject_name(w->ca.cert));
	X509_sign(w->middle.cert, w->ca.key, EVP_sha256());
	CU_ASSERT_TRUE(peer_cert_make(&w->leaf2, "leaf2", &w->middle, false));
	CU_ASSERT_TRUE(peer_cert_make(&w->client, "kube-apiserver", &w->ca, true));
	CU_ASSERT_TRUE(peer_cert_make(&w->other_ca, "other", NULL, false));
	CU_ASSERT_TRUE(peer_cert_make(&w->stranger, "kube-apiserver", &w->other_ca, true));
	w->chain2 = BUF_INIT(64 * 1024);
	buf_span(&w->chain2, buf_view(&w->leaf2.cert_pem));
	{
		BIO *bio = BIO_new(BIO_s_mem());
		char *p;
		long n;

		PEM_write_bio_X509(bio, w->middle.cert);
		n = BIO_get_mem_data(bio, &p);
		buf_add(&w->chain2, p, (size_t)n);
		BIO_free(bio);
	}
}

static void world_free(struct world *w)
{
	struct peer_cert *all[] = {&w->ca, &w->leaf, &w->middle, &w->leaf2, &w->client,
		&w->other_ca, &w->stranger};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		peer_cert_free(all[i]);
	buf_free(&w->chain2);
}
#define _cleanup_world_ _cleanup_(world_free)

static enum http_verdict handle(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	(void)ctx;
	(void)x;
	buf_printf(res->body, "%s %zu", req->client_subject ? req->client_subject : "-",
		req->body.len);
	return HTTP_DONE;
}

static const struct server_options defaults = {
	.address = "127.0.0.1",
	.threads = 2,
	.tls_min = "1.2",
	.tls_ciphers = "",
	.limits = {.max_body = 1 << 20, .max_header = 8192, .max_connections = 100,
		.max_in_flight = 50, .request_usec = 10 * USEC_PER_SEC,
		.idle_usec = 90 * USEC_PER_SEC},
};

static void encrypt_key(const struct peer_cert *c, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	PEM_write_bio_PKCS8PrivateKey(bio, c->key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL);
	n = BIO_get_mem_data(bio, &p);
	buf_add(out, p, (size_t)n);
	BIO_free(bio);
}

/* Half a file, as when it is read while it is written. */
static void check_truncated(struct tls_identity *t, const struct world *w)
{
	size_t first = w->leaf2.cert_pem.len, n;

	for (n = 0; n < w->chain2.len - strlen("-----END CERTIFICATE-----\n"); n += 7) {
		/* Between the markers, where all of the leaf is there and nothing of the next. */
		bool leaf = n + strlen("-----END CERTIFICATE-----\n") > first &&
			n <= first + strlen("-----BEGIN CERTIFICATE-----");

		if (!leaf && tls_identity_set(t, (struct span){w->chain2.p, n},
				      buf_view(&w->leaf2.key_pem), NULL) != -EBADMSG)
			CHECK_ROW("truncated chain", false, "taken at %zu of %zu", n, w->chain2.len);
	}
	for (n = 0; n < w->leaf.key_pem.len - strlen("-----END PRIVATE KEY-----\n"); n += 7)
		CU_ASSERT_EQUAL(tls_identity_set(t, buf_view(&w->leaf.cert_pem),
					(struct span){w->leaf.key_pem.p, n}, NULL), -EBADMSG);
}

static void test_set(void)
{
	_cleanup_world_ struct world w;
	_cleanup_(tls_identity_free_p) struct tls_identity *t = tls_identity_new();
	_cleanup_buf_ struct buf unsorted = BUF_INIT(64 * 1024), many = BUF_INIT(64 * 1024),
				 encrypted = BUF_INIT(64 * 1024);

	world_make(&w);
	encrypt_key(&w.leaf, &encrypted);
	buf_span(&unsorted, buf_view(&w.leaf.cert_pem));
	buf_span(&unsorted, buf_view(&w.leaf2.cert_pem));
	for (int i = 0; i < 9; i++)
		buf_span(&many, buf_view(&w.ca.cert_pem));
	const struct {
		const char *name;
		struct span chain, key;
		const char *want; /* NULL: taken; else what the message begins with */
	} rows[] = {
		{"good", buf_view(&w.leaf.cert_pem), buf_view(&w.leaf.key_pem), NULL},
		{"chain", buf_view(&w.chain2), buf_view(&w.leaf2.key_pem), NULL},
		{"no chain", SPAN_NONE, buf_view(&w.leaf.key_pem), "certificate chain: no PEM"},
		{"not PEM", SPAN_LIT("hello"), buf_view(&w.leaf.key_pem),
			"certificate chain: no PEM"},
		{"key as chain", buf_view(&w.leaf.key_pem), buf_view(&w.leaf.key_pem),
			"certificate chain: no PEM"},
		{"unsorted", buf_view(&unsorted), buf_view(&w.leaf.key_pem),
			"certificate chain: out of order"},
		{"too many", buf_view(&many), buf_view(&w.ca.key_pem),
			"certificate chain: more than 8"},
		{"no key", buf_view(&w.leaf.cert_pem), SPAN_NONE, "private key: no PEM"},
		{"chain as key", buf_view(&w.leaf.cert_pem), buf_view(&w.leaf.cert_pem),
			"private key: no PEM"},
		{"encrypted key", buf_view(&w.leaf.cert_pem), buf_view(&encrypted),
			"private key: encrypted"},
		{"another's key", buf_view(&w.leaf.cert_pem), buf_view(&w.leaf2.key_pem),
			"private key: does not belong"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		int r = tls_identity_set(t, rows[i].chain, rows[i].key, &err);

		CHECK_ROW(rows[i].name, r == (rows[i].want ? -EBADMSG : 0), "%d: %s", r,
			err.message);
		if (rows[i].want)
			CHECK_ROW(rows[i].name,
				span_starts(span_str(err.message), rows[i].want), "%s",
				err.message);
	}
	check_truncated(t, &w);
}

/* SEC1 and PKCS#1, as openssl and cert-manager write them. */
static void test_key_formats(void)
{
	_cleanup_(tls_identity_free_p) struct tls_identity *t = tls_identity_new();
	_cleanup_cert_ struct peer_cert ec, rsa;
	BIO *bio = BIO_new(BIO_s_mem());
	struct error err = {0};
	char *p;
	long n;

	CU_ASSERT_TRUE(peer_cert_make(&ec, "ec", NULL, false));
	PEM_write_bio_PrivateKey_traditional(bio, ec.key, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(bio, &p);
	CU_ASSERT_PTR_NOT_NULL(strstr(p, "BEGIN EC PRIVATE KEY"));
	CHECK_ROW("SEC1", tls_identity_set(t, buf_view(&ec.cert_pem),
		(struct span){p, (size_t)n}, &err) == 0, "%s", err.message);
	(void)BIO_reset(bio);
	CU_ASSERT_TRUE(peer_cert_make_rsa(&rsa, "rsa"));
	PEM_write_bio_PrivateKey_traditional(bio, rsa.key, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(bio, &p);
	CU_ASSERT_PTR_NOT_NULL(strstr(p, "BEGIN RSA PRIVATE KEY"));
	CHECK_ROW("PKCS#1", tls_identity_set(t, buf_view(&rsa.cert_pem),
		(struct span){p, (size_t)n}, &err) == 0, "%s", err.message);
	BIO_free(bio);
}

static void test_versions(void)
{
	static const struct {
		const char *min, *ciphers;
		int max_version;
		bool works;
	} rows[] = {
		{"1.2", "", TLS1_3_VERSION, true},
		{"1.2", "", TLS1_2_VERSION, true},
		{"1.2", "", TLS1_1_VERSION, false},
		{"1.2", "", TLS1_VERSION, false},
		{"1.3", "", TLS1_3_VERSION, true},
		{"1.3", "", TLS1_2_VERSION, false},
		{"1.2", "NORMAL:+VERS-TLS1.1", TLS1_1_VERSION, false}, /* the minimum holds */
		{"1.2", "SECURE256", TLS1_2_VERSION, true},
	};
	_cleanup_world_ struct world w;
	_cleanup_(tls_identity_free_p) struct tls_identity *t = tls_identity_new();

	world_make(&w);
	tls_identity_set(t, buf_view(&w.leaf.cert_pem), buf_view(&w.leaf.key_pem), NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server_options o = defaults;
		_cleanup_(server_stop_p) struct server *s = NULL;
		_cleanup_peer_ struct peer p = {.fd = -1};
		_cleanup_reply_ struct peer_reply r = {0};
		struct error err = {0};
		bool opened;

		o.tls = t;
		o.tls_min = rows[i].min;
		o.tls_ciphers = rows[i].ciphers;
		CHECK_ROW(rows[i].ciphers, server_start(&s, &o, handle, NULL, &err) == 0, "%s",
			err.message);
		opened = peer_open(&p, server_port(s),
			&(struct peer_tls){.ca = &w.ca, .max_version = rows[i].max_version});
		CHECK_ROW(rows[i].min, opened == rows[i].works, "version %x", rows[i].max_version);
		if (!opened)
			continue;
		CU_ASSERT_EQUAL(SSL_version(p.ssl), rows[i].max_version);
		CU_ASSERT_EQUAL(peer_request(&p, "POST", "/", "", SPAN_LIT("x"), &r), 200);
		CHECK_STR("body", buf_view(&r.body), "- 1");
		if (rows[i].max_version != TLS1_2_VERSION)
			continue;
		/* Renegotiation costs a server more than its client, and is not served. */
		CU_ASSERT_EQUAL(SSL_renegotiate(p.ssl), 1);
		CU_ASSERT_NOT_EQUAL(SSL_do_handshake(p.ssl), 1);
	}
	ERR_clear_error();
}

static void test_option_errors(void)
{
	static const struct {
		const char *min, *ciphers, *ca;
		int code;
		const char *want;
	} rows[] = {
		{"1.1", "", NULL, -EINVAL, "minimum TLS version '1.1': want \"1.2\" or \"1.3\""},
		{"1.2", "NORMAL:+FAST", NULL, -EINVAL,
			"TLS ciphers: not a GnuTLS priority string, near '+FAST"},
		{"1.2", "", "not PEM", -EBADMSG, "client CA: "},
		{"1.2", "", "", -EBADMSG, "client CA: "},
	};
	_cleanup_(tls_identity_free_p) struct tls_identity *t = tls_identity_new();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server_options o = defaults;
		struct server *s = NULL;
		struct error err = {0};

		o.tls = t;
		o.tls_min = rows[i].min;
		o.tls_ciphers = rows[i].ciphers;
		o.client_ca_pem = rows[i].ca;
		CHECK_ROW(rows[i].want, server_start(&s, &o, handle, NULL, &err) == rows[i].code,
			"%s", err.message);
		CHECK_ROW(rows[i].want, span_starts(span_str(err.message), rows[i].want), "%s",
			err.message);
	}
}

/* In TLS 1.3 a client learns only after its side of the handshake that it was refused. */
static void check_client_certificates(bool optional)
{
	_cleanup_world_ struct world w;
	_cleanup_(tls_identity_free_p) struct tls_identity *t = tls_identity_new();
	_cleanup_(server_stop_p) struct server *s = NULL;
	struct server_options o = defaults;
	struct error err = {0};
	unsigned refused = 0;

	world_make(&w);
	const struct {
		const char *name;
		const struct peer_cert *client;
		int status;
		const char *body;
	} rows[] = {{"none", NULL, optional ? 200 : 0, "- 1"},
		{"good", &w.client, 200, "kube-apiserver 1"}, {"another CA's", &w.stranger, 0, ""},
		{"for servers", &w.leaf, 0, ""}};

	tls_identity_set(t, buf_view(&w.leaf.cert_pem), buf_view(&w.leaf.key_pem), NULL);
	o.tls = t;
	o.client_ca_pem = w.ca.cert_pem.p;
	o.client_optional = optional;
	CHECK_ROW("start", server_start(&s, &o, handle, NULL, &err) == 0, "%s", err.message);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		_cleanup_peer_ struct peer p = {.fd = -1};
		_cleanup_reply_ struct peer_reply r = {0};
		size_t row = i / 2;
		int status = 0;

		if (peer_open(&p, server_port(s),
			    &(struct peer_tls){.ca = &w.ca, .client = rows[row].client,
				    .max_version = i % 2 ? TLS1_3_VERSION : TLS1_2_VERSION}))
			status = peer_request(&p, "POST", "/", "", SPAN_LIT("x"), &r);
		CHECK_ROW(rows[row].name, status == rows[row].status, "%zu: got %d", i, status);
		if (status == 200)
			CHECK_STR(rows[row].name, buf_view(&r.body), rows[row].body);
		refused += rows[row].status == 0;
	}
	server_drain(s, PEER_TIMEOUT_SEC * (int64_t)USEC_PER_SEC);
	CHECK_ROW("failures", server_stats(s).handshake_failures == refused, "%u of %u",
		(unsigned)server_stats(s).handshake_failures, refused);
	ERR_clear_error();
}

static void test_client_certificates(void)
{
	check_client_certificates(false);
}

static void test_optional_client_certificates(void)
{
	check_client_certificates(true);
}

/* Without a certificate yet, and with a client that says nothing. */
static void test_handshake_failures(void)
{
	_cleanup_world_ struct world w;
	_cleanup_(tls_identity_free_p) struct tls_identity *t = tls_identity_new();
	_cleanup_(server_stop_p) struct server *s = NULL;
	_cleanup_peer_ struct peer early = {.fd = -1}, plain = {.fd = -1}, silent = {.fd = -1};
	struct server_options o = defaults;
	int64_t later = o.limits.request_usec + 1;

	world_make(&w);
	o.tls = t;
	CU_ASSERT_EQUAL(server_start(&s, &o, handle, NULL, NULL), 0);
	CU_ASSERT_FALSE(peer_open(&early, server_port(s), &(struct peer_tls){.ca = &w.ca}));
	tls_identity_set(t, buf_view(&w.leaf.cert_pem), buf_view(&w.leaf.key_pem), NULL);
	CU_ASSERT_TRUE(peer_open(&plain, server_port(s), NULL));
	CU_ASSERT_TRUE(peer_puts(&plain, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
	CU_ASSERT_TRUE(peer_closed(&plain) || plain.in.len > 0); /* an alert may come first */
	CU_ASSERT_TRUE(peer_open(&silent, server_port(s), NULL));
	peer_send(&silent, "\x16\x03\x01", 3);
	while (poll(&(struct pollfd){.fd = silent.fd, .events = POLLIN}, 1, 1) == 0)
		server_sweep(s, clock_monotonic_usec() + later);
	CU_ASSERT_TRUE(peer_closed(&silent));
	CU_ASSERT_TRUE(server_stats(s).timed_out >= 1);
	ERR_clear_error();
}

/* Once its handshake is done, a connection without a request is as good as any idle one: Go dials
 * some in advance. */
static void test_quiet_after_handshake(void)
{
	_cleanup_world_ struct world w;
	_cleanup_(tls_identity_free_p) struct tls_identity *t = tls_identity_new();
	_cleanup_(server_stop_p) struct server *s = NULL;
	struct server_options o = defaults;
	int status = 0;

	world_make(&w);
	tls_identity_set(t, buf_view(&w.leaf.cert_pem), buf_view(&w.leaf.key_pem), NULL);
	o.tls = t;
	CU_ASSERT_EQUAL(server_start(&s, &o, handle, NULL, NULL), 0);
	/* The client cannot tell when the server has seen the end of the handshake. */
	for (int wait = 0; status != 200 && wait < 100; wait++) {
		_cleanup_peer_ struct peer p = {.fd = -1};
		_cleanup_reply_ struct peer_reply r = {0};

		CU_ASSERT_TRUE(peer_open(&p, server_port(s), &(struct peer_tls){.ca = &w.ca}));
		poll(NULL, 0, wait);
		server_sweep(s, clock_monotonic_usec() + o.limits.request_usec + 1);
		status = peer_request(&p, "GET", "/", "", SPAN_NONE, &r);
	}
	CU_ASSERT_EQUAL(status, 200);
}

struct rotation {
	const struct world *w;
	uint16_t port;
	atomic_bool end;
	atomic_uint handshakes, failures;
};

static void *connect_on(void *arg)
{
	struct rotation *rot = arg;

	do {
		_cleanup_peer_ struct peer p = {.fd = -1};
		_cleanup_reply_ struct peer_reply r = {0};

		if (!peer_open(&p, rot->port, &(struct peer_tls){.ca = &rot->w->ca}) ||
			peer_request(&p, "POST", "/", "", SPAN_LIT("x"), &r) != 200)
			atomic_fetch_add(&rot->failures, 1);
		atomic_fetch_add(&rot->handshakes, 1);
	} while (!atomic_load(&rot->end));
	return NULL;
}

static void test_rotation(void)
{
	_cleanup_world_ struct world w;
	_cleanup_(tls_identity_free_p) struct tls_identity *t = tls_identity_new();
	_cleanup_(server_stop_p) struct server *s = NULL;
	_cleanup_peer_ struct peer kept = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};
	struct server_options o = defaults;
	struct rotation rot = {.w = &w};
	pthread_t threads[2];

	world_make(&w);
	tls_identity_set(t, buf_view(&w.leaf.cert_pem), buf_view(&w.leaf.key_pem), NULL);
	o.tls = t;
	CU_ASSERT_EQUAL(server_start(&s, &o, handle, NULL, NULL), 0);
	rot.port = server_port(s);
	CU_ASSERT_TRUE(peer_open(&kept, rot.port, &(struct peer_tls){.ca = &w.ca}));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, connect_on, &rot), 0);
	for (int i = 0; i < ROTATIONS; i++) {
		bool odd = i % 2;

		CU_ASSERT_EQUAL(tls_identity_set(t,
					odd ? buf_view(&w.leaf.cert_pem) : buf_view(&w.chain2),
					odd ? buf_view(&w.leaf.key_pem) : buf_view(&w.leaf2.key_pem),
					NULL), 0);
	}
	atomic_store(&rot.end, true);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(atomic_load(&rot.failures), 0);
	CU_ASSERT_TRUE(atomic_load(&rot.handshakes) >= 2);
	/* What began with an older certificate goes on. */
	CU_ASSERT_EQUAL(peer_request(&kept, "POST", "/", "", SPAN_LIT("x"), &r), 200);
}

CU_TestInfo tls_tests[] = {
	{"set", test_set},
	{"key formats", test_key_formats},
	{"versions", test_versions},
	{"errors in options", test_option_errors},
	{"client certificates", test_client_certificates},
	{"optional client certificates", test_optional_client_certificates},
	{"handshakes that fail", test_handshake_failures},
	{"quiet after the handshake", test_quiet_after_handshake},
	{"rotation", test_rotation},
	CU_TEST_INFO_NULL,
};
