/* SPDX-License-Identifier: Apache-2.0
 *
 * A server that is full: attackers are connections of 127.0.0.66, clients those of 127.0.0.1. */
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/server_private.h"
#include "tests/unit/peer.h"
#include "tests/unit/server_fixture.h"
#include "tests/unit/test.h"

enum { PLACES = 8, BEYOND = 20, ATTACKERS = PLACES + PLACES_WAITING_MAX + BEYOND };

struct attack {
	uint16_t port;
	const char *text; /* what each says */
	int fds[ATTACKERS];
	unsigned n;
};

static bool attack(struct attack *a, unsigned n)
{
	struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};

	inet_pton(AF_INET, "127.0.0.66", &from.sin_addr);
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	to.sin_port = htons(a->port);
	while (n--) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
			connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
			return false;
		a->fds[a->n++] = fd;
		/* It may be turned away already. */
		(void)send(fd, a->text, strlen(a->text), MSG_NOSIGNAL);
	}
	return true;
}

static void attack_end(struct attack *a)
{
	while (a->n)
		close(a->fds[--a->n]);
}

/* Is it as many, or do we wait in vain? */
static bool await(struct fixture *f, uint64_t (*count)(struct fixture *f), uint64_t want)
{
	int64_t end = clock_monotonic_usec() + PEER_TIMEOUT_SEC * (int64_t)USEC_PER_SEC;

	while (count(f) != want && clock_monotonic_usec() < end)
		poll(NULL, 0, 1);
	return count(f) == want;
}

static uint64_t turned_away(struct fixture *f)
{
	return server_stats(f->s).turned_away;
}

static uint64_t handled(struct fixture *f)
{
	return server_stats(f->s).requests;
}

static struct server_options small(unsigned places)
{
	struct server_options o = fixture_options;

	o.limits.max_connections = places;
	/* No deadline comes to the clients' help. */
	o.limits.request_usec = 3600 * (int64_t)USEC_PER_SEC;
	o.limits.idle_usec = 3600 * (int64_t)USEC_PER_SEC;
	return o;
}

/* However an address holds its connections, another is served, and keeps its own. */
static void test_slow_attack(void)
{
	static const struct {
		const char *name, *text;
		uint64_t handled;
	} rows[] = {
		{"silent", "", 0},
		{"half a line", "GET / HT", 0},
		{"half a head", "GET / HTTP/1.1\r\nHost: h\r\nX-Drip: ", 0},
		{"half a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345", 0},
		{"quiet since an answer", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", PLACES},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server_options o = small(PLACES);
		_cleanup_fixture_ struct fixture f;
		struct attack a = {.text = rows[i].text};
		_cleanup_peer_ struct peer p = {.fd = -1};
		_cleanup_reply_ struct peer_reply r = {0};
		int status;

		if (!fixture_start(&f, &o))
			return;
		a.port = server_port(f.s);
		CU_ASSERT_TRUE(attack(&a, ATTACKERS - BEYOND / 2));
		CHECK_ROW(rows[i].name, await(&f, turned_away, BEYOND / 2), "%lu turned away",
			(unsigned long)turned_away(&f));
		CHECK_ROW(rows[i].name, await(&f, handled, rows[i].handled), "%lu requests",
			(unsigned long)handled(&f));
		CU_ASSERT_TRUE(peer_open(&p, a.port, NULL));
		status = peer_request(&p, "GET", "/", "", SPAN_NONE, &r);
		CHECK_ROW(rows[i].name, status == 200, "status %d, %lu evicted", status,
			(unsigned long)server_stats(f.s).evicted);
		CU_ASSERT_TRUE(attack(&a, BEYOND / 2));
		CU_ASSERT_TRUE(await(&f, turned_away, BEYOND));
		status = peer_request(&p, "GET", "/", "", SPAN_NONE, &r);
		CHECK_ROW(rows[i].name, status == 200, "status %d of what was served", status);
		CHECK_ROW(rows[i].name, server_stats(f.s).evicted == 1, "%lu evicted",
			(unsigned long)server_stats(f.s).evicted);
		CU_ASSERT_EQUAL(server_stats(f.s).connections, PLACES);
		attack_end(&a);
	}
}

/* Behind one address with the attacker: what is slow makes room. */
static void test_same_address(void)
{
	struct server_options o = small(1);
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer slow = {.fd = -1}, p = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};

	o.limits.request_usec = 16 * (int64_t)USEC_PER_SEC; /* a second */
	if (!fixture_start(&f, &o))
		return;
	CU_ASSERT_TRUE(peer_open(&slow, server_port(f.s), NULL));
	CU_ASSERT_TRUE(peer_puts(&slow, "GET / HT"));
	CU_ASSERT_TRUE(fixture_await_connections(&f, 1, 0));
	CU_ASSERT_TRUE(peer_open(&p, server_port(f.s), NULL));
	CU_ASSERT_EQUAL(peer_request(&p, "GET", "/", "", SPAN_NONE, &r), 200);
	CU_ASSERT_TRUE(peer_closed(&slow));
	CU_ASSERT_EQUAL(server_stats(f.s).evicted, 1);
}

/* A request that is being handled keeps its place, whoever waits. */
static void test_handling(void)
{
	struct server_options o = small(2);
	_cleanup_fixture_ struct fixture f;
	struct attack a = {.text = "GET /park HTTP/1.1\r\nHost: h\r\n\r\n"};
	_cleanup_peer_ struct peer p = {.fd = -1};
	_cleanup_reply_ struct peer_reply r = {0};
	struct http_exchange *parked[2];
	struct pollfd answered;
	char status[12] = "";

	if (!fixture_start(&f, &o))
		return;
	a.port = server_port(f.s);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_TRUE(attack(&a, 1));
		parked[i] = fixture_await_parked(&f);
	}
	CU_ASSERT_TRUE(peer_open(&p, a.port, NULL));
	CU_ASSERT_TRUE(peer_puts(&p, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
	answered = (struct pollfd){.fd = p.fd, .events = POLLIN};
	CU_ASSERT_EQUAL(poll(&answered, 1, 100), 0);
	CU_ASSERT_EQUAL(server_stats(f.s).evicted, 0);
	http_finish(parked[0]);
	CU_ASSERT_EQUAL(peer_reply(&p, &r), 200);
	CU_ASSERT_EQUAL(recv(a.fds[0], status, sizeof(status), MSG_WAITALL), sizeof(status));
	CU_ASSERT_EQUAL(memcmp(status, "HTTP/1.1 200", sizeof(status)), 0);
	CU_ASSERT_EQUAL(server_stats(f.s).evicted, 1);
	http_finish(parked[1]);
	attack_end(&a);
}

/* Who waits has a place as soon as one is free, in turn, and none that is lost. */
static void test_turns(void)
{
	struct server_options o = small(1);
	_cleanup_fixture_ struct fixture f;
	struct peer p[3] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};
	_cleanup_reply_ struct peer_reply r = {0};

	if (!fixture_start(&f, &o))
		return;
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_TRUE(peer_open(&p[i], server_port(f.s), NULL));
		CU_ASSERT_TRUE(peer_puts(&p[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
	}
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(peer_reply(&p[i], &r), 200);
		CHECK_ROW("in turn", handled(&f) == (uint64_t)i + 1, "%lu of %d",
			(unsigned long)handled(&f), i + 1);
		peer_close(&p[i]);
	}
	CU_ASSERT_TRUE(fixture_await_connections(&f, 0, 0));
	CU_ASSERT_EQUAL(server_stats(f.s).evicted + turned_away(&f), 0);
}

/* Whoever still waits at the end loses its connection, and nothing is left behind. */
static void test_end(void)
{
	struct server_options o = small(1);
	_cleanup_fixture_ struct fixture f;
	_cleanup_peer_ struct peer a = {.fd = -1}, b = {.fd = -1};

	if (!fixture_start(&f, &o))
		return;
	CU_ASSERT_TRUE(peer_open(&a, server_port(f.s), NULL));
	CU_ASSERT_TRUE(fixture_await_connections(&f, 1, 0));
	CU_ASSERT_TRUE(peer_open(&b, server_port(f.s), NULL));
	CU_ASSERT_EQUAL(server_drain(f.s, 0), 0);
	CU_ASSERT_TRUE(peer_closed(&b));
	CU_ASSERT_TRUE(peer_closed(&a));
}

CU_TestInfo server_room_tests[] = {
	{"slow attack", test_slow_attack},
	{"same address", test_same_address},
	{"handling", test_handling},
	{"turns", test_turns},
	{"end", test_end},
	CU_TEST_INFO_NULL,
};
