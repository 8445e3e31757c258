/* SPDX-License-Identifier: Apache-2.0
 *
 * How long connections live: slow and idle clients, limits, draining, starting and stopping. */
#include "common/net/server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/server_private.h"
#include "common/net/tcp_listen.h"
#include "tests/unit/peer.h"
#include "tests/unit/server_fixture.h"
#include "tests/unit/test.h"

static void test_clients(void)
{
	static const struct {
		int family;
		const char *address, *client;
	} rows[] = {
		{AF_INET, "10.0.0.1", "10.0.0.1"},
		{AF_INET6, "::ffff:10.0.0.1", "10.0.0.1"},
		{AF_INET6, "fd00:1:2:3:4:5:6:7", "fd00:1:2:3::"},
		{AF_INET6, "fd00:1:2:3::1", "fd00:1:2:3::"},
		{AF_INET6, "::1", "::"},
		{AF_UNIX, "", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sockaddr_storage addr = {.ss_family = (sa_family_t)rows[i].family};
		char client[INET6_ADDRSTRLEN];

		if (rows[i].family == AF_INET)
			inet_pton(AF_INET, rows[i].address,
				&((struct sockaddr_in *)(void *)&addr)->sin_addr);
		else if (rows[i].family == AF_INET6)
			inet_pton(AF_INET6, rows[i].address,
				&((struct sockaddr_in6 *)(void *)&addr)->sin6_addr);
		tcp_client(client, (const struct sockaddr *)&addr);
		CHECK_ROW(rows[i].address, strcmp(client, rows[i].client) == 0, "%s", client);
	}
}

static void test_slow_clients(void)
{
	static const char *const rows[] = {"", "GET / HT", "GET / HTTP/1.1\r\nHost: h\r\nX-Drip: ",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12"};
	_cleanup_fixture_ struct fixture f;

	if (!fixture_start(&f, &fixture_options))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_peer_ struct peer p = {.fd = -1};

		CU_ASSERT_TRUE(peer_open(&p, server_port(f.s), NULL));
		CU_ASSERT_TRUE(peer_puts(&p, rows[i]));
		CU_ASSERT_TRUE(fixture_await_connections(&f, 1, 0));
		server_sweep(f.s, clock_monotonic_usec() + FIXTURE_REQUEST_USEC / 2);
		CHECK_ROW(rows[i], server_stats(f.s).timed_out == i, "swept too early");
		/* More bytes do not buy more time. */
		peer_puts(&p, "x");
		CHECK_ROW(rows[i], fixture_await_connections(&f, 0, FIXTURE_REQUEST_USEC + 1), "not closed");
		CU_ASSERT_TRUE(peer_closed(&p));
		CHECK_ROW(rows[i], server_stats(f.s).timed_out == i + 1, "not counted");
	}
}

/* The first line of a second request, dripped into a kept connection: libmicrohttpd tells nothing
 * of it. */
static void test_slow_second_request(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer p = {.fd = -1}, idle = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};

	if (!fixture_start(&f, &fixture_options))
		return;
	CU_ASSERT_TRUE(peer_open(&p, server_port(f.s), NULL));
	CU_ASSERT_TRUE(peer_open(&idle, server_port(f.s), NULL));
	CU_ASSERT_EQUAL(peer_request(&p, "GET", "/", "", SPAN_NONE, &r), 200);
	CU_ASSERT_EQUAL(peer_request(&idle, "GET", "/", "", SPAN_NONE, &r), 200);
	poll(NULL, 0, 100); /* beyond the kernel's resolution */
	CU_ASSERT_TRUE(peer_puts(&p, "GET / HT"));
	server_sweep(f.s, clock_monotonic_usec()); /* sees the first byte */
	server_sweep(f.s, clock_monotonic_usec() + FIXTURE_REQUEST_USEC + 1);
	CU_ASSERT_TRUE(peer_closed(&p));
	CU_ASSERT_EQUAL(server_stats(f.s).timed_out, 1);
	/* The quiet one is kept, up to its own limit. */
	server_sweep(f.s, clock_monotonic_usec() + FIXTURE_IDLE_USEC - USEC_PER_SEC);
	CU_ASSERT_EQUAL(peer_request(&idle, "GET", "/", "", SPAN_NONE, &r), 200);
	CU_ASSERT_TRUE(fixture_await_connections(&f, 0, FIXTURE_IDLE_USEC + 1));
	CU_ASSERT_TRUE(peer_closed(&idle));
}

/* A client that does not take its answer. */
static void test_slow_reader(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer p = {.fd = -1};
	_cleanup_buf_ struct buf many = BUF_INIT(1 << 20);

	if (!fixture_start(&f, &fixture_options) || !peer_open(&p, server_port(f.s), NULL))
		return;
	for (int i = 0; i < 2000; i++)
		buf_puts(&many, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	/* Until the answers that it leaves unread fill both sockets' buffers. */
	while (send(p.fd, many.p, many.len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 ||
		server_stats(f.s).requests < 100)
		;
	CU_ASSERT_TRUE(fixture_await_connections(&f, 0, FIXTURE_REQUEST_USEC + 1));
	CU_ASSERT_TRUE(server_stats(f.s).timed_out <= 1);
}

static void test_connection_limit(void)
{
	struct server_options o = fixture_options;
	_cleanup_fixture_ struct fixture f;
	struct peer p[4] = {{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};
	_cleanup_reply_ struct peer_reply r = {0};
	struct pollfd last;

	o.limits.max_connections = 3;
	if (!fixture_start(&f, &o))
		return;
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_TRUE(peer_open(&p[i], server_port(f.s), NULL));
		CU_ASSERT_EQUAL(peer_request(&p[i], "GET", "/", "", SPAN_NONE, &r), 200);
	}
	/* The kernel accepts a fourth, the server does not serve it while the others are fresh. */
	CU_ASSERT_TRUE(peer_open(&p[3], server_port(f.s), NULL));
	peer_puts(&p[3], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	last = (struct pollfd){.fd = p[3].fd, .events = POLLIN};
	CU_ASSERT_EQUAL(poll(&last, 1, 50), 0);
	CU_ASSERT_EQUAL(server_stats(f.s).connections, 3);
	peer_close(&p[1]);
	CU_ASSERT_EQUAL(peer_reply(&p[3], &r), 200);
	CU_ASSERT_EQUAL(server_stats(f.s).evicted, 0);
	for (int i = 0; i < 4; i++)
		peer_close(&p[i]);
}

/* A new client gets the place of one that is quiet, and of no other. */
static void test_eviction(void)
{
	struct server_options o = fixture_options;
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer busy = {.fd = -1}, a = {.fd = -1}, b = {.fd = -1},
		late = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};
	struct http_exchange *x;

	o.limits.max_connections = 3;
	o.limits.idle_usec = 8 * USEC_PER_MSEC;
	if (!fixture_start(&f, &o))
		return;
	CU_ASSERT_TRUE(peer_open(&busy, server_port(f.s), NULL));
	peer_puts(&busy, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
	x = fixture_await_parked(&f);
	CU_ASSERT_TRUE(peer_open(&a, server_port(f.s), NULL));
	CU_ASSERT_EQUAL(peer_request(&a, "GET", "/", "", SPAN_NONE, &r), 200);
	CU_ASSERT_TRUE(peer_open(&b, server_port(f.s), NULL));
	CU_ASSERT_EQUAL(peer_request(&b, "GET", "/", "", SPAN_NONE, &r), 200);
	CU_ASSERT_TRUE(peer_open(&late, server_port(f.s), NULL));
	CU_ASSERT_EQUAL(peer_request(&late, "GET", "/", "", SPAN_NONE, &r), 200);
	CU_ASSERT_EQUAL(server_stats(f.s).evicted, 1);
	CU_ASSERT_EQUAL(peer_request(&a, "GET", "/", "", SPAN_NONE, &r) +
				peer_request(&b, "GET", "/", "", SPAN_NONE, &r), 200);
	http_finish(x);
	CU_ASSERT_EQUAL(peer_reply(&busy, &r), 200);
}

/* A client may end its stream right behind its request. */
static void test_half_closed(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer p = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};

	if (!fixture_start(&f, &fixture_options) || !peer_open(&p, server_port(f.s), NULL))
		return;
	peer_puts(&p, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	shutdown(p.fd, SHUT_WR);
	CU_ASSERT_EQUAL(peer_reply(&p, &r), 200);
	CU_ASSERT_TRUE(fixture_await_connections(&f, 0, 1));
	CU_ASSERT_TRUE(peer_closed(&p));
}

static void *drain(void *arg)
{
	struct fixture *f = arg;

	return (void *)(uintptr_t)server_drain(f->s, PEER_TIMEOUT_SEC * USEC_PER_SEC);
}

/* A handler at work, a deferred exchange, an idle connection, some still in the kernel's queue:
 * a drain loses none of them. */
static void test_drain(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer busy = {.fd = -1}, parked = {.fd = -1}, idle = {.fd = -1};
	struct peer late[30];
	_cleanup_reply_ struct peer_reply r = {0};
	struct http_exchange *x;
	pthread_t t;
	void *cut;

	if (!fixture_start(&f, &fixture_options))
		return;
	CU_ASSERT_TRUE(peer_open(&idle, server_port(f.s), NULL));
	CU_ASSERT_EQUAL(peer_request(&idle, "GET", "/", "", SPAN_NONE, &r), 200);
	CU_ASSERT_TRUE(peer_open(&parked, server_port(f.s), NULL));
	peer_puts(&parked, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
	x = fixture_await_parked(&f);
	CU_ASSERT_TRUE(peer_open(&busy, server_port(f.s), NULL));
	peer_puts(&busy, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
	fixture_await_inside(&f, 1);
	for (size_t i = 0; i < ARRAY_SIZE(late); i++)
		CU_ASSERT_TRUE(peer_open(&late[i], server_port(f.s), NULL));
	server_quiesce(f.s);
	{
		_cleanup_peer_ struct peer refused = {.fd = -1};

		CU_ASSERT_FALSE(peer_open(&refused, server_port(f.s), NULL));
	}
	CU_ASSERT_EQUAL(pthread_create(&t, NULL, drain, &f), 0);
	fixture_release(&f);
	http_finish(x);
	CU_ASSERT_EQUAL(peer_reply(&busy, &r), 200);
	CU_ASSERT_PTR_NOT_NULL(strcasestr(r.head.p, "\r\nConnection: close\r\n"));
	CU_ASSERT_TRUE(peer_closed(&busy));
	CU_ASSERT_EQUAL(peer_reply(&parked, &r), 200);
	CU_ASSERT_EQUAL(peer_request(&idle, "GET", "/", "", SPAN_NONE, &r), 200);
	CU_ASSERT_PTR_NOT_NULL(strcasestr(r.head.p, "\r\nConnection: close\r\n"));
	for (size_t i = 0; i < ARRAY_SIZE(late); i++) {
		CU_ASSERT_EQUAL(peer_request(&late[i], "GET", "/", "", SPAN_NONE, &r), 200);
		peer_close(&late[i]);
	}
	pthread_join(t, &cut);
	CU_ASSERT_PTR_NULL(cut);
	CU_ASSERT_EQUAL(server_stats(f.s).connections, 0);
}

static void test_drain_deadline(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer idle = {.fd = -1}, half = {.fd = -1}, parked = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};
	struct http_exchange *x;

	if (!fixture_start(&f, &fixture_options))
		return;
	CU_ASSERT_TRUE(peer_open(&idle, server_port(f.s), NULL));
	CU_ASSERT_EQUAL(peer_request(&idle, "GET", "/", "", SPAN_NONE, &r), 200);
	CU_ASSERT_TRUE(peer_open(&half, server_port(f.s), NULL));
	peer_puts(&half, "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
		"Content-Length: 10\r\n\r\n12345");
	CU_ASSERT_EQUAL(peer_reply(&half, &r), 100);
	CU_ASSERT_TRUE(peer_open(&parked, server_port(f.s), NULL));
	peer_puts(&parked, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
	x = fixture_await_parked(&f);
	CU_ASSERT_EQUAL(server_drain(f.s, 0), 2);
	CU_ASSERT_TRUE(peer_closed(&idle));
	CU_ASSERT_TRUE(peer_closed(&half));
	CU_ASSERT_TRUE(peer_closed(&parked));
	http_finish(x);
	CU_ASSERT_TRUE(fixture_await_connections(&f, 0, 0));
	CU_ASSERT_EQUAL(server_stats(f.s).in_flight, 0);
}

static void test_start_errors(void)
{
	struct fixture f;
	struct server_options o = fixture_options;
	struct server *s = NULL;
	struct error err = {0};
	char want[64];

	if (!fixture_start(&f, &o))
		return;
	o.port = server_port(f.s);
	CU_ASSERT_EQUAL(server_start(&s, &o, fixture_handle, &f, &err), -EADDRINUSE);
	snprintf(want, sizeof(want), "cannot listen on 127.0.0.1:%u: Address already in use",
		o.port);
	CHECK_STR("in use", span_str(err.message), want);
	fixture_stop(&f);
	o.address = "localhost";
	CU_ASSERT_EQUAL(server_start(&s, &o, fixture_handle, &f, &err), -EINVAL);
	CHECK_STR("name", span_str(err.message),
		"listen address 'localhost': not an IPv4 or IPv6 address");
	o = fixture_options;
	o.threads = 0;
	CU_ASSERT_EQUAL(server_start(&s, &o, fixture_handle, &f, &err), -EINVAL);
	o = fixture_options;
	o.limits.max_in_flight = 0;
	CU_ASSERT_EQUAL(server_start(&s, &o, fixture_handle, &f, &err), -EINVAL);
	CU_ASSERT_PTR_NULL(s);
	server_stop(NULL);
}

/* One thread alone is another mode of libmicrohttpd, and "::" serves IPv4 too. */
static void test_one_thread(void)
{
	struct server_options o = fixture_options;
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer p = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};

	o.threads = 1;
	if (access("/proc/net/if_inet6", F_OK) == 0)
		o.address = "::";
	if (!fixture_start(&f, &o) || !peer_open(&p, server_port(f.s), NULL))
		return;
	for (int i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(peer_request(&p, "GET", i % 2 ? "/race" : "/", "", SPAN_NONE, &r), 200);
	server_drain(f.s, 0);
	CU_ASSERT_TRUE(peer_closed(&p));
}

/* What the acceptor's thread does by itself: a silent client goes, and so does one that was idle for
 * too long. */
static void test_own_sweep(void)
{
	struct server_options o = fixture_options;
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer silent = {.fd = -1}, idle = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};

	o.limits.request_usec = o.limits.idle_usec = 100 * USEC_PER_MSEC;
	if (!fixture_start(&f, &o))
		return;
	CU_ASSERT_TRUE(peer_open(&idle, server_port(f.s), NULL));
	CU_ASSERT_EQUAL(peer_request(&idle, "GET", "/", "", SPAN_NONE, &r), 200);
	CU_ASSERT_TRUE(peer_open(&silent, server_port(f.s), NULL));
	CU_ASSERT_TRUE(peer_closed(&silent));
	CU_ASSERT_TRUE(peer_closed(&idle));
	CU_ASSERT_TRUE(fixture_await_connections(&f, 0, 0));
	CU_ASSERT_EQUAL(server_stats(f.s).timed_out, 1);
}

/* After server_quiesce() what is left is still swept. */
static void test_quiesced_sweep(void)
{
	struct server_options o = fixture_options;
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer half = {.fd = -1};

	o.limits.request_usec = 100 * USEC_PER_MSEC;
	if (!fixture_start(&f, &o))
		return;
	CU_ASSERT_TRUE(peer_open(&half, server_port(f.s), NULL));
	CU_ASSERT_TRUE(peer_puts(&half, "GET / HT"));
	server_quiesce(f.s);
	CU_ASSERT_TRUE(peer_closed(&half));
	CU_ASSERT_TRUE(fixture_await_connections(&f, 0, 0));
	CU_ASSERT_EQUAL(server_stats(f.s).timed_out, 1);
}

/* How often a thread of a server went to sleep; 0 for any other. */
static unsigned long count_sleeps_of(const char *task)
{
	char path[300], line[128];
	unsigned long n = 0;
	bool ours = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		ours = ours || strcmp(line, "Name:\tacceptor\n") == 0 ||
		       strncmp(line, "Name:\tMHD-", 10) == 0;
		sscanf(line, "voluntary_ctxt_switches: %lu", &n);
	}
	if (f)
		fclose(f);
	return ours ? n : 0;
}

static unsigned long count_sleeps(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned long sum = 0;
	struct dirent *e;

	/* cppcheck-suppress readdirCalled ; the stream is nobody else's */
	while (tasks && (e = readdir(tasks)))
		sum += count_sleeps_of(e->d_name);
	if (tasks)
		closedir(tasks);
	return sum;
}

/* Without a client nothing wakes up, neither before the first nor after the last. */
static void test_idle_sleeps(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_reply_ struct peer_reply r = {0};

	if (!fixture_start(&f, &fixture_options))
		return;
	for (int round = 0; round < 2; round++) {
		struct peer p = {.fd = -1};
		unsigned long before;

		poll(NULL, 0, 1200); /* threads have begun; the sweep sees that nobody is left */
		before = count_sleeps();
		CU_ASSERT_TRUE(before > 0);
		poll(NULL, 0, 2500);
		CHECK_ROW("idle", count_sleeps() - before <= 1, "%lu wake-ups",
			count_sleeps() - before);
		CU_ASSERT_TRUE(peer_open(&p, server_port(f.s), NULL));
		CU_ASSERT_EQUAL(peer_request(&p, "GET", "/", "", SPAN_NONE, &r), 200);
		peer_close(&p);
	}
}

CU_TestInfo server_life_tests[] = {
	{"slow clients", test_slow_clients},
	{"slow second request", test_slow_second_request},
	{"slow reader", test_slow_reader},
	{"connection limit", test_connection_limit},
	{"eviction", test_eviction},
	{"half-closed", test_half_closed},
	{"drain", test_drain},
	{"drain with a deadline", test_drain_deadline},
	{"errors at the start", test_start_errors},
	{"one thread", test_one_thread},
	{"sweeps itself", test_own_sweep},
	{"sweeps itself when quiesced", test_quiesced_sweep},
	{"idle", test_idle_sleeps},
	{"whom connections are from", test_clients},
	CU_TEST_INFO_NULL,
};
