/* SPDX-License-Identifier: Apache-2.0
 *
 * A server on the program's own loop: clients are threads, and the test's thread turns the loop. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/base/clock.h"
#include "common/net/server_private.h"
#include "common/net/tls.h"
#include "tests/unit/peer.h"
#include "tests/unit/server_fixture.h"
#include "tests/unit/test.h"

enum { CLIENTS = 32, ROUNDS = 6, BODY = 50000, LATER_MAX = CLIENTS, DEFERRED_USEC = 100 };

struct home {
	sd_event *event;
	struct server *s;
	pthread_t thread; /* that turns the loop */
	struct http_exchange *parked;
	struct http_exchange *later[LATER_MAX];
	size_t n_later;
	unsigned strangers; /* handlers that ran elsewhere */
};

static int on_later(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct home *h = ctx;

	(void)source;
	(void)usec;
	while (h->n_later)
		http_finish(h->later[--h->n_later]);
	return 0;
}

/* /early has finished when it defers, /later finishes in another round of the loop, /park is never
 * finished by itself. */
static enum http_verdict handle(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	struct home *h = ctx;
	struct span path = span_str(req->path);

	h->strangers += !pthread_equal(pthread_self(), h->thread);
	buf_printf(res->body, "%s|%zu", req->path, req->body.len);
	if (span_is(path, "/park")) {
		h->parked = x;
		return HTTP_DEFERRED;
	}
	if (span_is(path, "/early")) {
		http_finish(x);
		return HTTP_DEFERRED;
	}
	if (!span_is(path, "/later"))
		return HTTP_DONE;
	if (h->n_later == LATER_MAX)
		return HTTP_DONE;
	h->later[h->n_later++] = x;
	CU_ASSERT_TRUE(sd_event_add_time_relative(h->event, NULL, CLOCK_MONOTONIC, DEFERRED_USEC, 1,
			       on_later, h) >= 0);
	return HTTP_DEFERRED;
}

static bool home_begin(struct home *h, struct tls_identity *tls)
{
	const struct server_options o = {.address = "127.0.0.1",
		.tls = tls,
		.tls_min = "1.2",
		.tls_ciphers = "",
		.limits = {.max_body = 2L * BODY,
			.max_header = 4096,
			.max_connections = 2L * CLIENTS,
			.max_in_flight = 2L * CLIENTS,
			.request_usec = PEER_TIMEOUT_SEC * (int64_t)USEC_PER_SEC,
			.idle_usec = 90 * (int64_t)USEC_PER_SEC}};
	struct server_options on = o;
	struct error err = {0};

	*h = (struct home){.thread = pthread_self()};
	CU_ASSERT_EQUAL(sd_event_new(&h->event), 0);
	on.event = h->event;
	return CHECK_ROW(
		"start", server_start(&h->s, &on, handle, h, &err) == 0, "%s", err.message);
}

static void home_end(struct home *h)
{
	server_stop(h->s);
	CU_ASSERT_EQUAL(h->strangers, 0);
	sd_event_unref(h->event);
}

/* Until it is so, for as long as a peer waits. */
static bool turn_until(struct home *h, bool (*is)(void *ctx), void *ctx)
{
	int64_t end = clock_monotonic_usec() + 2 * PEER_TIMEOUT_SEC * (int64_t)USEC_PER_SEC;

	while (!is(ctx) && clock_monotonic_usec() < end)
		sd_event_run(h->event, 10 * USEC_PER_MSEC);
	return is(ctx);
}

/* --- clients --- */

struct crowd {
	uint16_t port;
	bool tls;
	atomic_uint answered, left;
};

static void ask(struct crowd *c, struct peer *p, const char *path, struct span body)
{
	_cleanup_reply_ struct peer_reply r = {0};
	char want[64];

	snprintf(want, sizeof(want), "%s|%zu", path, body.len);
	if (peer_request(p, "POST", path, "", body, &r) == 200 && span_is(buf_view(&r.body), want))
		atomic_fetch_add(&c->answered, 1);
}

/* Two requests at once: the second is with the server when the first is answered. */
static void ask_at_once(struct crowd *c, struct peer *p)
{
	_cleanup_reply_ struct peer_reply r = {0};

	if (peer_puts(p, "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /early HTTP/1.1\r\nHost: "
			 "h\r\n\r\n") &&
		peer_reply(p, &r) == 200 && peer_reply(p, &r) == 200)
		atomic_fetch_add(&c->answered, 1);
}

static void *run_client(void *ctx)
{
	static const struct peer_tls anybody = {0};
	static char body[BODY];
	struct crowd *c = ctx;
	_cleanup_peer_ struct peer p = {.fd = -1};

	if (peer_open(&p, c->port, c->tls ? &anybody : NULL))
		for (int i = 0; i < ROUNDS; i++) {
			ask(c, &p, "/", SPAN_NONE);
			ask(c, &p, "/early", (struct span){body, sizeof(body)});
			ask(c, &p, "/later", (struct span){body, 10});
			ask_at_once(c, &p);
		}
	atomic_fetch_sub(&c->left, 1);
	return NULL;
}

static bool all_left(void *ctx)
{
	return atomic_load(&((struct crowd *)ctx)->left) == 0;
}

static bool nobody_is_connected(void *ctx)
{
	return server_stats(((struct home *)ctx)->s).connections == 0;
}

static void serve_crowd(struct tls_identity *tls)
{
	struct crowd c = {.tls = tls, .left = CLIENTS};
	pthread_t threads[CLIENTS];
	struct home h;

	if (!home_begin(&h, tls))
		return;
	c.port = server_port(h.s);
	for (int i = 0; i < CLIENTS; i++)
		CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, run_client, &c), 0);
	CU_ASSERT_TRUE(turn_until(&h, all_left, &c));
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	CHECK_ROW("answers", atomic_load(&c.answered) == CLIENTS * ROUNDS * 4, "%u",
		atomic_load(&c.answered));
	CU_ASSERT_TRUE(turn_until(&h, nobody_is_connected, &h));
	CU_ASSERT_EQUAL(server_stats(h.s).in_flight, 0);
	home_end(&h);
}

static void test_crowd(void)
{
	serve_crowd(NULL);
}

static struct tls_identity *identity_make(void)
{
	struct tls_identity *t = tls_identity_new();
	_cleanup_cert_ struct peer_cert cert = {0};

	CU_ASSERT_TRUE(peer_cert_make(&cert, "s", NULL, false));
	CU_ASSERT_EQUAL(
		tls_identity_set(t, buf_view(&cert.cert_pem), buf_view(&cert.key_pem), NULL), 0);
	return t;
}

static void test_crowd_tls(void)
{
	_cleanup_(tls_identity_free_p) struct tls_identity *t = identity_make();

	serve_crowd(t);
}

/* --- handshakes that wait for their clients --- */

/* The beginning of a ClientHello, and then nothing. */
static bool open_stalled(struct peer *p, uint16_t port)
{
	static const char record[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01};

	return peer_open(p, port, NULL) && peer_send(p, record, sizeof(record));
}

static int64_t cpu_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * (int64_t)USEC_PER_SEC + t.tv_nsec / 1000;
}

static bool is_time(void *ctx)
{
	return clock_monotonic_usec() >= *(int64_t *)ctx;
}

/* They cost next to nothing, and others are served meanwhile. */
static void test_stalled(void)
{
	enum { STALLED = 8, WHILE_USEC = 1000 * 1000 };
	_cleanup_(tls_identity_free_p) struct tls_identity *t = identity_make();
	struct crowd c = {.tls = true, .left = 1};
	struct peer p[STALLED];
	pthread_t client;
	int64_t until, cpu;
	struct home h;

	if (!home_begin(&h, t))
		return;
	c.port = server_port(h.s);
	for (int i = 0; i < STALLED; i++)
		CU_ASSERT_TRUE(open_stalled(&p[i], c.port));
	until = clock_monotonic_usec() + WHILE_USEC;
	cpu = cpu_usec();
	turn_until(&h, is_time, &until);
	cpu = cpu_usec() - cpu;
	CHECK_ROW("stalled handshakes", cpu < WHILE_USEC / 3, "%lld us of CPU", (long long)cpu);
	CU_ASSERT_EQUAL(server_stats(h.s).connections, STALLED);
	CU_ASSERT_EQUAL(pthread_create(&client, NULL, run_client, &c), 0);
	CU_ASSERT_TRUE(turn_until(&h, all_left, &c));
	pthread_join(client, NULL);
	CU_ASSERT_EQUAL(atomic_load(&c.answered), ROUNDS * 4);
	for (int i = 0; i < STALLED; i++)
		peer_close(&p[i]);
	home_end(&h);
}

/* The same where threads serve. */
static void test_stalled_on_threads(void)
{
	enum { WHILE_MSEC = 1000 };
	_cleanup_(tls_identity_free_p) struct tls_identity *t = identity_make();
	_cleanup_peer_ struct peer p = {.fd = -1};
	struct server_options o = fixture_options;
	_cleanup_fixture_ struct fixture f;
	int64_t cpu;

	o.tls = t;
	if (!fixture_start(&f, &o))
		return;
	CU_ASSERT_TRUE(open_stalled(&p, server_port(f.s)));
	cpu = cpu_usec();
	poll(NULL, 0, WHILE_MSEC);
	cpu = cpu_usec() - cpu;
	CHECK_ROW("a stalled handshake", cpu < (int64_t)WHILE_MSEC * USEC_PER_MSEC / 3,
		"%lld us of CPU", (long long)cpu);
}

/* --- ends --- */

static bool is_parked(void *ctx)
{
	return ((struct home *)ctx)->parked;
}

/* Stopped with a request that nobody has answered, one that is half there, and clients that the
 * loop has not heard of. */
static void test_stop(void)
{
	_cleanup_peer_ struct peer parked = {.fd = -1}, half = {.fd = -1}, late = {.fd = -1};
	struct home h;

	if (!home_begin(&h, NULL))
		return;
	CU_ASSERT_TRUE(peer_open(&half, server_port(h.s), NULL));
	CU_ASSERT_TRUE(peer_puts(&half, "GET / HT"));
	CU_ASSERT_TRUE(peer_open(&parked, server_port(h.s), NULL));
	CU_ASSERT_TRUE(peer_puts(&parked, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n"));
	CU_ASSERT_TRUE(turn_until(&h, is_parked, &h));
	CU_ASSERT_TRUE(peer_open(&late, server_port(h.s), NULL));
	while (server_stats(h.s).connections < 3)
		poll(NULL, 0, 1);
	home_end(&h);
	CU_ASSERT_TRUE(peer_closed(&half));
	CU_ASSERT_TRUE(peer_closed(&parked));
	CU_ASSERT_TRUE(peer_closed(&late));
	http_finish(h.parked);
}

/* A drain loses nobody who is connected; at its deadline it says who is cut off. */
static void test_drain(void)
{
	_cleanup_peer_ struct peer p = {.fd = -1}, parked = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};
	struct home h;

	if (!home_begin(&h, NULL))
		return;
	CU_ASSERT_TRUE(peer_open(&p, server_port(h.s), NULL));
	CU_ASSERT_TRUE(peer_puts(&p, "GET /early HTTP/1.1\r\nHost: h\r\n\r\n"));
	CU_ASSERT_EQUAL(server_drain(h.s, PEER_TIMEOUT_SEC * (int64_t)USEC_PER_SEC), 0);
	CU_ASSERT_EQUAL(peer_reply(&p, &r), 200);
	CU_ASSERT_TRUE(r.head.len && strcasestr(r.head.p, "\r\nConnection: close\r\n"));
	home_end(&h);
	if (!home_begin(&h, NULL))
		return;
	CU_ASSERT_TRUE(peer_open(&parked, server_port(h.s), NULL));
	CU_ASSERT_TRUE(peer_puts(&parked, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n"));
	CU_ASSERT_TRUE(turn_until(&h, is_parked, &h));
	CU_ASSERT_EQUAL(server_drain(h.s, 100 * USEC_PER_MSEC), 1);
	home_end(&h);
	CU_ASSERT_TRUE(peer_closed(&parked));
	http_finish(h.parked);
}

CU_TestInfo server_loop_tests[] = {
	{"a crowd", test_crowd},
	{"a crowd over TLS", test_crowd_tls},
	{"handshakes that wait", test_stalled},
	{"handshakes that wait, on threads", test_stalled_on_threads},
	{"stop", test_stop},
	{"drain", test_drain},
	CU_TEST_INFO_NULL,
};
