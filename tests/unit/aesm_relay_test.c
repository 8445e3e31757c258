/* SPDX-License-Identifier: Apache-2.0
 *
 * The relay between clients and a fake AESM, all on real sockets. The fake does what a row or test
 * says and nothing by itself, so that every order of events can be had. */
#include "nodeagent/aesm/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "nodeagent/aesm/frame.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#define A "casemate-aesm-0"
#define B "casemate-aesm-1"

enum { SHORT_USEC = 100000, LONG_USEC = 20000000 };

/* GetSupportedAttKeyIDNum with a timeout of 1000 ms, and its answer: error 0, 1 key. */
static const struct span request = SPAN_LIT("\6\0\0\0\252\1\3\110\350\7");
static const struct span answer = SPAN_LIT("\7\0\0\0\252\1\4\10\0\20\1");

struct fix {
	char dir[32], slots[64], socket[64];
	sd_event *event;
	struct metrics *metrics;
	struct metric *quotes;
	struct aesm_relay *relay;
	struct resource resource;
	int aesm; /* listens */
};

static bool relay_up(struct fix *f, int64_t timeout_usec)
{
	struct error err = {0};
	struct aesm_relay_options o = {
		.dir = f->slots,
		.socket = f->socket,
		.timeout_usec = timeout_usec,
		.quotes = f->quotes,
	};
	int r = aesm_relay_new(&f->relay, f->event, &o, &err);

	if (!CHECK_ROW("new", r == 0, "%s", err.message))
		return false;
	f->resource = aesm_relay_resource(f->relay);
	return true;
}

static int listening(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	unlink(path);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	CU_ASSERT_EQUAL(listen(fd, 32), 0);
	return fd;
}

static bool allocate(struct fix *f, const char *id)
{
	struct allocation a;
	struct error err = {0};

	return CHECK_ROW(id, f->resource.allocate(f->resource.ctx, &id, 1, &a, &err) == 0, "%s",
		err.message);
}

static bool fix_up(struct fix *f, int64_t timeout_usec)
{
	static const char *const labels[] = {"source", "result", NULL};

	*f = (struct fix){.dir = "/tmp/casemate-test-XXXXXX", .aesm = -1};
	if (!mkdtemp(f->dir) || sd_event_new(&f->event) < 0)
		return false;
	snprintf(f->slots, sizeof(f->slots), "%s/aesm", f->dir);
	snprintf(f->socket, sizeof(f->socket), "%s/aesm.socket", f->dir);
	f->metrics = metrics_new();
	f->quotes = metrics_counter(f->metrics, "casemate_agent_quotes_total", "Quotes.", labels);
	f->aesm = listening(f->socket);
	return relay_up(f, timeout_usec) && allocate(f, A) && allocate(f, B);
}

static void fix_down(struct fix *f)
{
	char command[96];

	aesm_relay_free(f->relay);
	metrics_free(f->metrics);
	sd_event_unref(f->event);
	if (f->aesm >= 0)
		close(f->aesm);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	CU_ASSERT_EQUAL(system(command), 0);
}
#define _cleanup_fix_ _cleanup_(fix_down)

/* Turns the loop until nothing is left to do now. Returns the turns. */
static int settle(struct fix *f)
{
	int n = 0;

	while (n < 10000 && sd_event_run(f->event, 0) > 0)
		n++;
	return n;
}

static int connected(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void socket_of(const struct fix *f, const char *id, char path[128])
{
	snprintf(path, 128, "%s/%s/aesm.socket", f->slots, id);
}

static void put(int fd, struct span s)
{
	CU_ASSERT_EQUAL(send(fd, s.p, s.len, MSG_NOSIGNAL), (ssize_t)s.len);
}

/* A new client of id that sends s; the loop has looked at it. */
static int client(struct fix *f, const char *id, struct span s)
{
	char path[128];
	int fd;

	socket_of(f, id, path);
	fd = connected(path);
	CHECK_ROW(id, fd >= 0, "cannot connect: %s", strerror(errno));
	if (s.len)
		put(fd, s);
	settle(f);
	return fd;
}

/* What is there to read: an answer, or 0 for the end, or -1 for neither. */
static ssize_t got(int fd, char *p, size_t n)
{
	ssize_t r = recv(fd, p, n, 0);

	return r < 0 && errno != EAGAIN ? 0 : r;
}

static bool is_open(int fd)
{
	char c;

	return got(fd, &c, 1) == -1;
}

static bool is_closed(int fd)
{
	char c;

	return got(fd, &c, 1) == 0;
}

/* Has exactly this, and then the end. */
static bool has_answer(int fd, struct span want)
{
	_cleanup_free_ char *p = malloc(want.len + 1);
	size_t n = 0;
	ssize_t r;

	while (n < want.len && (r = got(fd, p + n, want.len - n)) > 0)
		n += (size_t)r;
	return span_equal((struct span){p, n}, want) && is_closed(fd);
}

/* AESM accepts and has read a request, which it says; -1 when nobody is there. */
static int taken(struct fix *f, struct span *ret_s)
{
	static char bytes[AESM_REQUEST_MAX + 64];
	int fd = accept4(f->aesm, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ssize_t n;

	*ret_s = SPAN_NONE;
	if (fd < 0)
		return -1;
	settle(f);
	n = recv(fd, bytes, sizeof(bytes), 0);
	*ret_s = (struct span){bytes, n > 0 ? (size_t)n : 0};
	return fd;
}

/* AESM answers fd with s and closes it. */
static void answered(struct fix *f, int fd, struct span s)
{
	if (s.len)
		put(fd, s);
	settle(f);
	close(fd);
	settle(f);
}

/* The next one in AESM's queue is answered. */
static bool serve(struct fix *f)
{
	struct span s;
	int fd = taken(f, &s);

	if (fd < 0)
		return false;
	answered(f, fd, answer);
	return true;
}

/* Turns the loop until fd is closed by the relay, or a minute has passed. */
static bool await_close(struct fix *f, int fd)
{
	int64_t end = clock_monotonic_usec() + 60 * (int64_t)USEC_PER_SEC;

	while (is_open(fd)) {
		if (clock_monotonic_usec() > end)
			return false;
		sd_event_run(f->event, 50000);
	}
	return true;
}

static int counted(struct fix *f, const char *result)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
	char line[128];
	const char *at;

	metrics_expose(f->metrics, METRICS_TEXT, &text);
	snprintf(line, sizeof(line), "casemate_agent_quotes_total{source=\"aesm\",result=\"%s\"} ",
		result);
	at = text.p ? strstr(text.p, line) : NULL;
	return at ? atoi(at + strlen(line)) : -1;
}

#define COUNTED(f, result, want)                                                                   \
	CHECK_ROW(result, counted(f, result) == (want), "counted %d, want %d", counted(f, result), \
		(want))

/* --- allocations --- */

static mode_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_mode;
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

static void test_allocate(void)
{
	_cleanup_fix_ struct fix f;
	struct allocation a;
	struct error err = {0};
	char path[128];
	const char *id = A;
	mode_t mask = umask(077);

	CU_ASSERT(fix_up(&f, 0));
	umask(mask);
	CHECK_STR("name", span_str(f.resource.name), "casemate.dev/aesm");
	CHECK_STR("prefix", span_str(f.resource.prefix), "casemate-aesm-");
	CU_ASSERT_EQUAL(f.resource.allocate(f.resource.ctx, &id, 1, &a, &err), 0);
	CU_ASSERT(a.n_mounts == 1 && a.n_env == 1 && a.n_devices == 0);
	snprintf(path, sizeof(path), "%s/" A, f.slots);
	CHECK_STR("folder", span_str(a.mounts[0].host_path), path);
	CHECK_STR("where", span_str(a.mounts[0].container_path), "/var/run/aesmd");
	CU_ASSERT(a.mounts[0].read_only);
	CHECK_STR("variable", span_str(a.env[0].name), "SGX_AESM_ADDR");
	CHECK_STR("value", span_str(a.env[0].value), "1");
	CU_ASSERT_EQUAL(mode_of(path), S_IFDIR | 0755);
	CU_ASSERT_EQUAL(mode_of(f.slots), S_IFDIR | 0755);
	socket_of(&f, A, path);
	CU_ASSERT_EQUAL(mode_of(path), S_IFSOCK | 0666);
}

static void test_allocate_refused(void)
{
	static const struct {
		const char *ids[2];
		size_t n;
		const char *message;
	} rows[] = {
		{{A, B}, 2, "request 1 of it, not 2"},
		{{NULL}, 0, "request 1 of it, not 0"},
		{{"casemate-aesm-"}, 1, "no device \"casemate-aesm-\""},
		{{"casemate-aesm-01"}, 1, "no device \"casemate-aesm-01\""},
		{{"casemate-aesm-4096"}, 1, "no device"},
		{{"casemate-aesm-99999999999"}, 1, "no device"},
		{{"casemate-aesm-1/.."}, 1, "no device"},
		{{".."}, 1, "no device \"..\""},
	};
	_cleanup_fix_ struct fix f;

	CU_ASSERT(fix_up(&f, 0));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		struct allocation a = {.n_mounts = 7};
		int r = f.resource.allocate(f.resource.ctx, rows[i].ids, rows[i].n, &a, &err);

		CHECK_ROW(rows[i].message, r == -EINVAL && a.n_mounts == 7, "%d", r);
		CHECK_ROW(rows[i].message, strstr(err.message, rows[i].message), "%s", err.message);
	}
}

static void test_bad_places(void)
{
	_cleanup_fix_ struct fix f;
	struct error err = {0};
	struct aesm_relay *r = NULL;
	struct aesm_relay_options o = {.dir = "/nonexistent/aesm", .socket = "/x"};
	char longer[200], file[96];
	int fd;

	CU_ASSERT(fix_up(&f, 0));
	CU_ASSERT_EQUAL(aesm_relay_new(&r, f.event, &o, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "/nonexistent/aesm"));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	o = (struct aesm_relay_options){.dir = f.slots, .socket = longer};
	CU_ASSERT_EQUAL(aesm_relay_new(&r, f.event, &o, &err), -ENAMETOOLONG);
	/* What lies where a folder is to be. */
	snprintf(file, sizeof(file), "%s/casemate-aesm-7", f.slots);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	o.socket = f.socket;
	CU_ASSERT_EQUAL(aesm_relay_new(&r, f.event, &o, &err), -ENOTDIR);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.message, file));
	CU_ASSERT_PTR_NULL(r);
}

static void test_deep_dir(void)
{
	_cleanup_fix_ struct fix f;
	char deep[128];
	const char *id = A;
	struct aesm_relay *r = NULL;
	struct aesm_relay_options o = {.dir = deep, .socket = f.socket};
	struct allocation a;
	struct error err = {0};
	struct resource resource;

	CU_ASSERT(fix_up(&f, 0));
	snprintf(deep, sizeof(deep), "%s/%070d", f.dir, 0);
	CU_ASSERT_EQUAL(aesm_relay_new(&r, f.event, &o, &err), 0);
	if (!r)
		return;
	resource = aesm_relay_resource(r);
	CU_ASSERT_EQUAL(resource.allocate(resource.ctx, &id, 1, &a, &err), -ENAMETOOLONG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "too long a path"));
	aesm_relay_free(r);
}

/* --- exchanges --- */

static void test_exchange(void)
{
	_cleanup_fix_ struct fix f;
	struct span s;
	int c, up;

	CU_ASSERT(fix_up(&f, LONG_USEC));
	c = client(&f, A, request);
	up = taken(&f, &s);
	CU_ASSERT(up >= 0);
	CU_ASSERT(span_equal(s, request));
	CU_ASSERT(is_open(c));
	answered(&f, up, answer);
	CU_ASSERT(has_answer(c, answer));
	close(c);
	COUNTED(&f, "ok", 1);
	/* A client that sends a second request behind the first is not followed. */
	c = client(&f, A, SPAN_LIT("\1\0\0\0x\1\0\0\0y"));
	up = taken(&f, &s);
	CU_ASSERT(span_equal(s, SPAN_LIT("\1\0\0\0x")));
	answered(&f, up, answer);
	CU_ASSERT(has_answer(c, answer));
	close(c);
	CU_ASSERT_FALSE(serve(&f));
	/* One that closes its own side of the connection still wants its answer. */
	c = client(&f, A, request);
	shutdown(c, SHUT_WR);
	settle(&f);
	CU_ASSERT(serve(&f));
	CU_ASSERT(has_answer(c, answer));
	close(c);
	COUNTED(&f, "ok", 3);
}

static void test_in_pieces(void)
{
	_cleanup_fix_ struct fix f;
	struct span s;
	int c, up;

	CU_ASSERT(fix_up(&f, LONG_USEC));
	c = client(&f, A, SPAN_NONE);
	for (size_t i = 0; i < request.len; i++) {
		CU_ASSERT(accept(f.aesm, NULL, NULL) < 0); /* AESM hears of whole requests */
		put(c, (struct span){request.p + i, 1});
		CU_ASSERT(settle(&f) < 10);
	}
	up = taken(&f, &s);
	CU_ASSERT(span_equal(s, request));
	for (size_t i = 0; i < answer.len; i++) {
		CU_ASSERT(is_open(c));
		put(up, (struct span){answer.p + i, 1});
		CU_ASSERT(settle(&f) < 10);
	}
	CU_ASSERT(has_answer(c, answer));
	close(up);
	close(c);
	COUNTED(&f, "ok", 1);
}

static void test_longest(void)
{
	_cleanup_fix_ struct fix f;
	_cleanup_free_ char *big = calloc(1, AESM_FRAME_HEAD + AESM_ANSWER_MAX);
	struct span s;
	int c, up;

	CU_ASSERT(fix_up(&f, LONG_USEC));
	memcpy(big, "\0\100\0", 4); /* 16 KiB */
	c = client(&f, A, (struct span){big, AESM_FRAME_HEAD + AESM_REQUEST_MAX});
	up = taken(&f, &s);
	CU_ASSERT(span_equal(s, (struct span){big, AESM_FRAME_HEAD + AESM_REQUEST_MAX}));
	memcpy(big, "\0\0\1", 4); /* 64 KiB */
	s = (struct span){big, AESM_FRAME_HEAD + AESM_ANSWER_MAX};
	answered(&f, up, s);
	CU_ASSERT(has_answer(c, s));
	close(c);
}

static void test_bad_requests(void)
{
	static const struct {
		const char *name;
		struct span in;
	} rows[] = {
		{"empty", SPAN_LIT("\0\0\0\0")},
		{"a byte too long", SPAN_LIT("\1\100\0\0")},
		{"huge", SPAN_LIT("\377\377\377\377")},
	};
	_cleanup_fix_ struct fix f;

	CU_ASSERT(fix_up(&f, LONG_USEC));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int c = client(&f, A, rows[i].in);

		CHECK_ROW(rows[i].name, is_closed(c), "still open");
		CHECK_ROW(rows[i].name, !serve(&f), "AESM was asked");
		close(c);
		COUNTED(&f, "rejected", (int)i + 1);
	}
	for (size_t n = 0; n < request.len; n++) {
		int c = client(&f, A, (struct span){request.p, n});

		CU_ASSERT(is_open(c));
		close(c);
		settle(&f);
		CU_ASSERT_FALSE(serve(&f));
	}
	/* The one that sent nothing asked for nothing. */
	COUNTED(&f, "rejected", (int)(ARRAY_SIZE(rows) + request.len - 1));
}

static void test_bad_answers(void)
{
	static const struct span bad[] = {
		SPAN_LIT("\0\0\0\0"),
		SPAN_LIT("\1\0\1\0"),
		SPAN_LIT("\377\377\377\377"),
	};
	_cleanup_fix_ struct fix f;
	int broken = 0;

	CU_ASSERT(fix_up(&f, LONG_USEC));
	for (size_t n = 0; n < answer.len + ARRAY_SIZE(bad); n++) {
		struct span s;
		int c = client(&f, A, request), up = taken(&f, &s);

		if (n < answer.len)
			answered(&f, up, (struct span){answer.p, n});
		else
			answered(&f, up, bad[n - answer.len]);
		CU_ASSERT(is_closed(c));
		close(c);
		COUNTED(&f, "broken", ++broken);
	}
	/* AESM that closes before it has read. */
	for (int i = 0; i < 2; i++) {
		int c = client(&f, A, SPAN_NONE), up;

		put(c, request);
		/* One turn: accepted and read; the connection to AESM is made, nothing sent. */
		while ((up = accept(f.aesm, NULL, NULL)) < 0)
			sd_event_run(f.event, 0);
		close(up);
		settle(&f);
		CU_ASSERT(is_closed(c));
		close(c);
	}
	COUNTED(&f, "broken", broken + 2);
}

static void test_restarted_aesm(void)
{
	_cleanup_fix_ struct fix f;
	int c, c2;

	CU_ASSERT(fix_up(&f, LONG_USEC));
	close(f.aesm);
	/* The socket is there and nobody listens; then it is gone. */
	c = client(&f, A, request);
	CU_ASSERT(is_closed(c));
	close(c);
	unlink(f.socket);
	c = client(&f, A, request);
	CU_ASSERT(is_closed(c));
	close(c);
	COUNTED(&f, "unavailable", 2);
	f.aesm = listening(f.socket);
	c = client(&f, A, request);
	CU_ASSERT(serve(&f));
	CU_ASSERT(has_answer(c, answer));
	close(c);
	/* It dies with one request in hand and one that waits: both end. */
	c = client(&f, A, request);
	c2 = client(&f, A, request);
	close(f.aesm);
	settle(&f);
	CU_ASSERT(is_closed(c));
	CU_ASSERT(is_closed(c2));
	close(c);
	close(c2);
	f.aesm = listening(f.socket);
	c = client(&f, A, request);
	CU_ASSERT(serve(&f));
	CU_ASSERT(has_answer(c, answer));
	close(c);
}

/* --- time --- */

static void test_slow_aesm(void)
{
	_cleanup_fix_ struct fix f;
	struct span s;
	int c, other, up;

	CU_ASSERT(fix_up(&f, SHORT_USEC));
	c = client(&f, A, request);
	up = taken(&f, &s);
	put(up, SPAN_LIT("\7\0\0"));
	CU_ASSERT(await_close(&f, c));
	close(c);
	COUNTED(&f, "timeout", 1);
	settle(&f);
	CU_ASSERT_EQUAL(recv(up, (char[1]){0}, 1, 0), 0); /* and AESM's connection is closed */
	close(up);
	/* One whose turn does not come. The first gets its answer late in its own time, which is
	 * not the other's. */
	c = client(&f, A, request);
	other = client(&f, B, request);
	up = taken(&f, &s);
	CU_ASSERT(await_close(&f, c));
	close(up);
	if (is_open(other)) {
		CU_ASSERT(serve(&f));
		CU_ASSERT(has_answer(other, answer));
	}
	close(c);
	close(other);
	CU_ASSERT(counted(&f, "timeout") >= 2);
}

static void test_slow_clients(void)
{
	_cleanup_fix_ struct fix f;
	int idle, slow;

	CU_ASSERT(fix_up(&f, SHORT_USEC));
	idle = client(&f, A, SPAN_NONE);
	slow = client(&f, A, (struct span){request.p, 5});
	CU_ASSERT(await_close(&f, idle));
	CU_ASSERT(await_close(&f, slow));
	close(idle);
	close(slow);
	COUNTED(&f, "rejected", 1);
	CU_ASSERT_FALSE(serve(&f));
}

/* The relay's own ends of clients' connections get the smallest buffer there is, so that a client
 * that does not read is seen at all. */
static void shrink_buffers(const struct fix *f, const char *id)
{
	char path[128];

	socket_of(f, id, path);
	for (int fd = 3; fd < 256; fd++) {
		struct sockaddr_un at = {0};
		socklen_t n = sizeof(at);
		int size = 1;

		if (getsockname(fd, (struct sockaddr *)&at, &n) == 0 && at.sun_family == AF_UNIX &&
			strcmp(at.sun_path, path) == 0)
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
}

static void test_slow_reader(void)
{
	_cleanup_fix_ struct fix f;
	_cleanup_free_ char *big = calloc(1, 60004);
	struct span s;
	int reads, sleeps, up;
	size_t n = 0;

	CU_ASSERT(fix_up(&f, SHORT_USEC));
	memcpy(big, "\140\352\0", 4); /* 60000 */
	sleeps = client(&f, A, SPAN_NONE);
	reads = client(&f, A, SPAN_NONE);
	shrink_buffers(&f, A);
	put(sleeps, request);
	settle(&f);
	up = taken(&f, &s);
	answered(&f, up, (struct span){big, 60004});
	put(reads, request);
	settle(&f);
	up = taken(&f, &s);
	answered(&f, up, (struct span){big, 60004});
	while (n < 60004) {
		char part[1024];
		ssize_t r = got(reads, part, sizeof(part));

		if (r == 0)
			break;
		n += r > 0 ? (size_t)r : 0;
		settle(&f);
	}
	CU_ASSERT_EQUAL(n, 60004);
	COUNTED(&f, "ok", 1);
	for (int i = 0; i < 50 && counted(&f, "abandoned") == 0; i++)
		sd_event_run(f.event, 50000);
	COUNTED(&f, "abandoned", 1);
	close(sleeps);
	close(reads);
}

/* --- turns --- */

/* Which client's turn it is: requests are told apart by their one byte. */
static char turn(struct fix *f)
{
	struct span s;
	int fd = taken(f, &s), other;
	char who;

	if (fd < 0)
		return '-';
	who = s.len == 5 ? s.p[4] : '?';
	other = accept(f->aesm, NULL, NULL);
	CHECK_ROW("one at a time", other < 0, "a second connection");
	if (other >= 0)
		close(other);
	answered(f, fd, answer);
	return who;
}

static void test_turns(void)
{
	_cleanup_fix_ struct fix f;
	char order[8] = "";
	int c[7];

	CU_ASSERT(fix_up(&f, LONG_USEC));
	CU_ASSERT(allocate(&f, "casemate-aesm-2"));
	for (int i = 0; i < 4; i++)
		c[i] = client(&f, A, SPAN_LIT("\1\0\0\0a"));
	c[4] = client(&f, B, SPAN_LIT("\1\0\0\0b"));
	c[5] = client(&f, "casemate-aesm-2", SPAN_LIT("\1\0\0\0c"));
	c[6] = client(&f, B, SPAN_LIT("\1\0\0\0b"));
	for (int i = 0; i < 7; i++)
		order[i] = turn(&f);
	/* Whoever came first is served; the others wait for one request of it. */
	CHECK_STR("order", span_str(order), "abcabaa");
	for (int i = 0; i < 7; i++) {
		CU_ASSERT(has_answer(c[i], answer));
		close(c[i]);
	}
	CU_ASSERT_EQUAL(turn(&f), '-');
}

static void test_caps(void)
{
	_cleanup_fix_ struct fix f;
	int c[9];

	CU_ASSERT(fix_up(&f, LONG_USEC));
	for (int i = 0; i < 7; i++)
		c[i] = client(&f, A, request);
	/* One is served and four wait. */
	for (int i = 0; i < 7; i++)
		CHECK_ROW("waiting", i < 5 ? is_open(c[i]) : is_closed(c[i]), "request %d", i);
	COUNTED(&f, "rejected", 2);
	close(c[5]);
	close(c[6]);
	/* Three more are all that may be connected; what comes then waits to be accepted, and is
	 * neither served nor closed. */
	for (int i = 5; i < 8; i++)
		c[i] = client(&f, A, SPAN_NONE);
	c[8] = client(&f, A, request);
	CU_ASSERT(is_open(c[8]));
	COUNTED(&f, "rejected", 2);
	for (int i = 0; i < 6; i++)
		CU_ASSERT(serve(&f));
	CU_ASSERT(has_answer(c[8], answer));
	for (int i = 0; i < 9; i++)
		close(c[i]);
	settle(&f);
	COUNTED(&f, "ok", 6);
	COUNTED(&f, "rejected", 2);
}

static void test_leaving(void)
{
	_cleanup_fix_ struct fix f;
	int first, second, third, up;
	struct span s;

	CU_ASSERT(fix_up(&f, LONG_USEC));
	first = client(&f, A, SPAN_LIT("\1\0\0\0a"));
	second = client(&f, A, SPAN_LIT("\1\0\0\0b"));
	third = client(&f, A, SPAN_LIT("\1\0\0\0c"));
	close(second);
	close(first);
	settle(&f);
	/* AESM is still busy with the first: nothing else is given to it. */
	up = taken(&f, &s);
	CU_ASSERT(span_equal(s, SPAN_LIT("\1\0\0\0a")));
	CU_ASSERT(accept(f.aesm, NULL, NULL) < 0);
	COUNTED(&f, "abandoned", 1);
	answered(&f, up, answer);
	COUNTED(&f, "abandoned", 2);
	CU_ASSERT_EQUAL(turn(&f), 'c'); /* and b is not asked for nobody */
	CU_ASSERT(has_answer(third, answer));
	close(third);
	CU_ASSERT_EQUAL(turn(&f), '-');
}

/* --- holders come and go --- */

static void test_allocated_again(void)
{
	_cleanup_fix_ struct fix f;
	char path[128];
	int arriving, waiting, with_aesm, fresh, up;
	struct span s;
	ino_t folder;

	CU_ASSERT(fix_up(&f, LONG_USEC));
	snprintf(path, sizeof(path), "%s/" A, f.slots);
	folder = inode_of(path);
	with_aesm = client(&f, A, request);
	waiting = client(&f, A, request);
	arriving = client(&f, A, SPAN_LIT("\1\0"));
	CU_ASSERT(allocate(&f, A));
	CU_ASSERT_EQUAL(inode_of(path), folder);
	CU_ASSERT(is_closed(with_aesm) && is_closed(waiting) && is_closed(arriving));
	fresh = client(&f, A, SPAN_LIT("\1\0\0\0n"));
	up = taken(&f, &s);
	CU_ASSERT(span_equal(s, request));
	answered(&f, up, answer);
	CU_ASSERT_EQUAL(turn(&f), 'n');
	CU_ASSERT(has_answer(fresh, answer));
	close(arriving);
	close(waiting);
	close(with_aesm);
	close(fresh);
	/* Also when somebody removed the folder. */
	socket_of(&f, A, path);
	unlink(path);
	*strrchr(path, '/') = '\0';
	CU_ASSERT_EQUAL(rmdir(path), 0);
	CU_ASSERT(allocate(&f, A));
	fresh = client(&f, A, request);
	CU_ASSERT(serve(&f));
	CU_ASSERT(has_answer(fresh, answer));
	close(fresh);
}

static void test_agent_restart(void)
{
	_cleanup_fix_ struct fix f;
	char path[128], foreign[128];
	int busy, c;
	ino_t folder;

	CU_ASSERT(fix_up(&f, LONG_USEC));
	snprintf(path, sizeof(path), "%s/" A, f.slots);
	snprintf(foreign, sizeof(foreign), "%s/casemate-aesm-x", f.slots);
	CU_ASSERT_EQUAL(mkdir(foreign, 0700), 0);
	folder = inode_of(path);
	busy = client(&f, A, request);
	aesm_relay_free(f.relay);
	f.relay = NULL;
	CU_ASSERT(is_closed(busy));
	close(busy);
	socket_of(&f, A, path);
	CU_ASSERT(connected(path) < 0 && errno == ECONNREFUSED);
	CU_ASSERT(relay_up(&f, LONG_USEC));
	snprintf(path, sizeof(path), "%s/" A, f.slots);
	CU_ASSERT_EQUAL(inode_of(path), folder);
	CU_ASSERT_EQUAL(mode_of(foreign), S_IFDIR | 0700);
	close(accept(f.aesm, NULL, NULL)); /* what the earlier run left */
	c = client(&f, A, request);
	CU_ASSERT(serve(&f));
	CU_ASSERT(has_answer(c, answer));
	close(c);
	c = client(&f, B, request);
	CU_ASSERT(serve(&f));
	close(c);
}

static void test_no_descriptors(void)
{
	_cleanup_fix_ struct fix f;
	struct rlimit was, none;
	char path[128];
	int c, ended;

	CU_ASSERT(fix_up(&f, LONG_USEC));
	socket_of(&f, A, path);
	c = connected(path);
	put(c, request);
	getrlimit(RLIMIT_NOFILE, &was);
	none = was;
	none.rlim_cur = (rlim_t)dup(0);
	close((int)none.rlim_cur);
	setrlimit(RLIMIT_NOFILE, &none);
	ended = settle(&f);
	setrlimit(RLIMIT_NOFILE, &was);
	CHECK_ROW("quiet", ended < 10, "%d turns of the loop", ended);
	CU_ASSERT_FALSE(serve(&f));
	for (int i = 0; i < 30; i++) {
		sd_event_run(f.event, 100000);
		settle(&f);
		if (serve(&f))
			break;
	}
	CU_ASSERT(has_answer(c, answer));
	close(c);
}

/* A client of that id is served. What AESM was connected to for nothing before is hung up. */
static void socket_works(struct fix *f, const char *row, const char *id)
{
	int c, fd;

	while ((fd = accept4(f->aesm, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
	settle(f);
	c = client(f, id, request);
	CHECK_ROW(row, serve(f) && has_answer(c, answer), "%s is not served", id);
	close(c);
	settle(f);
}

/* The folders are left to the next try. Metrics that have no memory miss a count, and say nothing.
 */
static void test_no_memory_at_start(void)
{
	_cleanup_fix_ struct fix f;
	struct oom o = {0};

	if (!fix_up(&f, LONG_USEC))
		return;
	while (oom_next(&o)) {
		struct aesm_relay_options options = {
			.dir = f.slots, .socket = f.socket, .timeout_usec = LONG_USEC};
		struct aesm_relay *relay = NULL;
		struct error err = {0};
		int r;

		oom_begin(&o);
		r = aesm_relay_new(&relay, f.event, &options, &err);
		oom_end(&o);
		CHECK_ROW(o.row, r == (o.failed ? -ENOMEM : 0) && !relay == (r < 0), "%d: %s", r,
			err.message);
		if (relay)
			socket_works(&f, o.row, A);
		aesm_relay_free(relay);
	}
}

static void test_no_memory_for_allocation(void)
{
	_cleanup_fix_ struct fix f;
	struct oom o = {0};
	unsigned n = 2;

	if (!fix_up(&f, LONG_USEC))
		return;
	while (oom_next(&o)) {
		struct allocation a;
		struct error err = {0};
		char name[32];
		const char *id = name;
		int r;

		snprintf(name, sizeof(name), "casemate-aesm-%u", n++);
		oom_begin(&o);
		r = f.resource.allocate(f.resource.ctx, &id, 1, &a, &err);
		oom_end(&o);
		CHECK_ROW(o.row, r == (o.failed ? -ENOMEM : 0), "%d: %s", r, err.message);
		if (r == 0 || allocate(&f, id))
			socket_works(&f, o.row, id);
	}
}

/* Whoever asks then is hung up on at worst, and nobody who asks later. */
static void test_no_memory_to_serve(void)
{
	_cleanup_fix_ struct fix f;
	struct oom o = {0};

	if (!fix_up(&f, LONG_USEC))
		return;
	while (oom_next(&o)) {
		char bytes[64];
		int c;

		oom_begin(&o);
		c = client(&f, A, request);
		serve(&f);
		oom_end(&o);
		if (o.failed)
			CHECK_ROW(o.row, got(c, bytes, sizeof(bytes)) >= 0, "left to wait");
		else
			CHECK_ROW(o.row, has_answer(c, answer), "no answer");
		close(c);
		settle(&f);
		socket_works(&f, o.row, A);
	}
}

CU_TestInfo aesm_relay_tests[] = {
	{"an allocation", test_allocate},
	{"refused allocations", test_allocate_refused},
	{"folders that cannot be", test_bad_places},
	{"a path too long for sockets", test_deep_dir},
	{"an exchange", test_exchange},
	{"byte by byte", test_in_pieces},
	{"the longest messages", test_longest},
	{"bad requests, truncated at every byte", test_bad_requests},
	{"bad answers, truncated at every byte", test_bad_answers},
	{"an aesmd that was restarted", test_restarted_aesm},
	{"a slow aesmd", test_slow_aesm},
	{"clients that do not send", test_slow_clients},
	{"a client that does not read", test_slow_reader},
	{"each allocation in turn", test_turns},
	{"caps of an allocation", test_caps},
	{"clients that leave", test_leaving},
	{"an id allocated again", test_allocated_again},
	{"an agent that was restarted", test_agent_restart},
	{"no descriptors left", test_no_descriptors},
	{"no memory at the start", test_no_memory_at_start},
	{"no memory for an allocation", test_no_memory_for_allocation},
	{"no memory to serve", test_no_memory_to_serve},
	CU_TEST_INFO_NULL,
};
