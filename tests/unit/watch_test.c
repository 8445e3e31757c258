/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/watch.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

/* What the API server does with a request, and what that must say. Behind the last step it is
 * silent. */
struct step {
	const char *expect, *expect_not; /* in the request line; NULL: anything */
	int status;                      /* 0: the connection is closed without an answer */
	const char *body;
	enum { PLAIN, STREAM, STREAM_OPEN, STREAM_LOST } kind;
};

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	const struct step *s = (const struct step *)ctx + n;

	(void)request;
	if (!s->expect) /* behind the last */
		return;
	if (s->status == 0) {
		reply->close = true;
	} else if (s->kind == PLAIN) {
		fake_respond(reply, s->status, NULL, s->body);
	} else {
		fake_stream(reply, s->status);
		if (s->body[0])
			fake_chunk(reply, s->body);
		if (s->kind == STREAM)
			fake_stream_end(reply);
		reply->close = s->kind == STREAM_LOST;
		reply->piece = 11;
	}
}

/* What the handler was told: "B" list_begin, "+name=value" upsert, "-name" removed, "S" synced. */
struct told {
	struct buf trace;
	const char *until;
	bool connections; /* are told: "C" connected, "D" not */
	struct kube_watch **watch;
	char free_at; /* the watch is freed inside this callback */
};

static void maybe_free(struct told *t, char now)
{
	if (t->free_at == now)
		kube_watch_free(TAKE_PTR(*t->watch));
}

static void add_object(struct told *t, char sign, struct json_val o)
{
	struct arena a = ARENA_INIT(1 << 16);
	struct span name = json_str(json_find(o, "metadata", "name"), &a);
	struct span value = json_str(json_find(o, "data", "k"), &a);

	buf_printf(&t->trace, "%c" SPAN_FMT, sign, SPAN_ARG(name));
	if (value.len)
		buf_printf(&t->trace, "=" SPAN_FMT, SPAN_ARG(value));
	buf_puts(&t->trace, " ");
	arena_free(&a);
}

static void list_begin(void *ctx)
{
	struct told *t = ctx;

	buf_puts(&t->trace, "B ");
	maybe_free(t, 'B');
}

static void upsert(void *ctx, struct json_val o)
{
	add_object(ctx, '+', o);
	maybe_free(ctx, '+');
}

static void removed(void *ctx, struct json_val o)
{
	add_object(ctx, '-', o);
	maybe_free(ctx, '-');
}

static void synced(void *ctx)
{
	struct told *t = ctx;

	buf_puts(&t->trace, "S ");
	maybe_free(t, 'S');
}

static void connection(void *ctx)
{
	struct told *t = ctx;
	bool open = kube_watch_connected(*t->watch);

	if (t->connections)
		buf_puts(&t->trace, open ? "C " : "D ");
	maybe_free(t, open ? 'C' : 'D');
}

static bool is_told(void *ctx)
{
	struct told *t = ctx;

	return t->trace.p && strcmp(t->trace.p, t->until) == 0;
}

struct settled {
	struct kube_watch *w;
	struct fake_server *server;
	unsigned requests;
	const char *problem;
};

static bool is_settled(void *ctx)
{
	const struct settled *s = ctx;

	return fake_server_requests(s->server) >= s->requests &&
	       strcmp(kube_watch_problem(s->w), s->problem) == 0 &&
	       kube_watch_connected(s->w) == !s->problem[0];
}

static int watch_begin(
	struct kube_fix *f, struct told *t, struct kube_watch **w, size_t max, bool cached)
{
	const struct kube_watch_handler h = {list_begin, upsert, removed, synced, connection, t};
	const struct kube_watch_options o = {.path = "/api/v1/configmaps",
		.label_selector = "a in (b,c),d=e",
		.cached = cached,
		.max_object = max,
		.backoff_usec = 2 * USEC_PER_MSEC};

	t->trace = BUF_INIT(1 << 20);
	t->watch = w;
	return kube_watch_new(w, f->client, &o, &h, NULL);
}

#define SELECTOR "&labelSelector=a%20in%20%28b%2Cc%29%2Cd%3De"
#define OBJECT(name, rv, value)                                                                    \
	"{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" rv                           \
	"\"},\"data\":{\"k\":\"" value "\"}}"
#define LIST(rv, more, items)                                                                      \
	"{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"" rv "\"" more                     \
	"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(rv)        EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" rv "\"}}")
#define GONE                "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}"
#define FIRST                                                                                      \
	{                                                                                          \
		"?limit=500" SELECTOR " ", "continue", 200, LIST("10", "", OBJECT("a", "7", "1")), \
			PLAIN                                                                      \
	}
#define WATCH(rv) "&resourceVersion=" rv " HTTP"

static void test_scripts(void)
{
	static const struct {
		const char *name;
		struct step steps[8];
		const char *want, *problem;
	} rows[] = {
		{"list, watch",
			{FIRST, {"?watch=1&allowWatchBookmarks=true&timeoutSeconds=", "limit", 200,
					EVENT("ADDED", OBJECT("b", "11", "1"))
						EVENT("MODIFIED", OBJECT("a", "12", "2"))
							EVENT("DELETED", OBJECT("b", "13", "1")),
					STREAM_OPEN}},
			"B +a=1 S +b=1 +a=2 -b=1 ", ""},
		{"the watch carries the selector and the version",
			{FIRST, {SELECTOR WATCH("10"), NULL, 200, BOOKMARK("11"), STREAM_OPEN}},
			"B +a=1 S ", ""},
		{"pages",
			{{"?limit=500", "continue", 200,
				 LIST("10", ",\"continue\":\"x/=&\"", OBJECT("a", "1", "1")),
				 PLAIN},
				{"&continue=x%2F%3D%26 ", NULL, 200,
					LIST("10", ",\"continue\":\"y\"", OBJECT("b", "1", "1")),
					PLAIN},
				{"&continue=y ", NULL, 200,
					LIST("10", ",\"continue\":\"\"", OBJECT("c", "1", "1")),
					PLAIN},
				{WATCH("10"), NULL, 200, "", STREAM_OPEN}},
			"B +a=1 +b=1 +c=1 S ", ""},
		{"an empty list",
			{{"limit", NULL, 200,
				 "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":null}",
				 PLAIN},
				{WATCH("5"), NULL, 200, "", STREAM_OPEN}},
			"B S ", ""},
		{"a clean end resumes from the last version",
			{FIRST,
				{WATCH("10"), NULL, 200, EVENT("ADDED", OBJECT("b", "11", "1")),
					STREAM},
				{WATCH("11"), NULL, 200, BOOKMARK("20"), STREAM},
				{WATCH("20"), NULL, 200, EVENT("DELETED", OBJECT("b", "21", "1")),
					STREAM},
				{WATCH("21"), NULL, 200, "", STREAM_OPEN}},
			"B +a=1 S +b=1 -b=1 ", ""},
		{"a lost connection resumes, without half an event",
			{FIRST,
				{WATCH("10"), NULL, 200,
					EVENT("ADDED",
						OBJECT("b", "11", "1")) "{\"type\":\"ADDED\",",
					STREAM_LOST},
				{WATCH("11"), NULL, 200, EVENT("ADDED", OBJECT("c", "12", "1")),
					STREAM_OPEN}},
			"B +a=1 S +b=1 +c=1 ", ""},
		{"an end inside an event resumes",
			{FIRST, {WATCH("10"), NULL, 200, "{\"type\":", STREAM},
				{WATCH("10"), NULL, 200, "", STREAM_OPEN}},
			"B +a=1 S ", ""},
		{"a short watch, a refused one, an overloaded server",
			{FIRST, {WATCH("10"), NULL, 200, "", STREAM},
				{WATCH("10"), NULL, 0, NULL, PLAIN},
				{WATCH("10"), NULL, 503, "", PLAIN},
				{WATCH("10"), NULL, 429, "", PLAIN},
				{WATCH("10"), NULL, 200, EVENT("ADDED", OBJECT("b", "11", "1")),
					STREAM_OPEN}},
			"B +a=1 S +b=1 ", ""},
		{"410 as an event",
			{FIRST, {WATCH("10"), NULL, 200, EVENT("ERROR", GONE), STREAM},
				{"?limit=500", "continue", 200,
					LIST("30", "", OBJECT("c", "25", "3")), PLAIN},
				{WATCH("30"), NULL, 200, "", STREAM_OPEN}},
			"B +a=1 S B +c=3 S ", ""},
		{"410 as a status",
			{FIRST, {WATCH("10"), NULL, 410, GONE, PLAIN},
				{"?limit=500", "continue", 200, LIST("30", "", ""), PLAIN},
				{WATCH("30"), NULL, 200, "", STREAM_OPEN}},
			"B +a=1 S B S ", ""},
		{"too large a version",
			{FIRST, {WATCH("10"), NULL, 504, "", PLAIN},
				{"?limit=500", "continue", 200, LIST("3", "", ""), PLAIN},
				{WATCH("3"), NULL, 200, "", STREAM_OPEN}},
			"B +a=1 S B S ", ""},
		{"410 on a further page",
			{{"limit", NULL, 200,
				 LIST("10", ",\"continue\":\"x\"", OBJECT("a", "1", "1")), PLAIN},
				{"&continue=x", NULL, 410, GONE, PLAIN},
				{"?limit=500", "continue", 200,
					LIST("11", "", OBJECT("b", "1", "1")), PLAIN},
				{WATCH("11"), NULL, 200, "", STREAM_OPEN}},
			"B +a=1 B +b=1 S ", ""},
		{"broken events",
			{FIRST,
				{WATCH("10"), NULL, 200,
					EVENT("ADDED", OBJECT("b", "11",
							       "1")) "{\"type\":}\n" EVENT("ADDED",
						OBJECT("c", "12", "1")),
					STREAM},
				{"limit", NULL, 200, LIST("30", "", ""), PLAIN},
				{WATCH("30"), NULL, 200, EVENT("ADDED", "{}"), STREAM_OPEN},
				{"limit", NULL, 200, LIST("31", "", ""), PLAIN},
				{WATCH("31"), NULL, 200, EVENT("FUTURE", OBJECT("c", "12", "1")),
					STREAM_OPEN},
				{"limit", NULL, 403, "{\"message\":\"not for you\"}", PLAIN}},
			"B +a=1 S +b=1 B S B S ", "list: not for you"},
		{"no list",
			{{"limit", NULL, 200, "[]", PLAIN}, {"limit", NULL, 200, "{", PLAIN},
				{"limit", NULL, 200, LIST("", "", ""), PLAIN},
				{"limit", NULL, 0, NULL, PLAIN}, FIRST,
				{WATCH("10"), NULL, 404, "", PLAIN}},
			"B +a=1 S ", "watch: the API server answered HTTP 404"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct told t = {.until = rows[i].want};
		struct kube_watch *w = NULL;
		struct kube_fix f;
		struct settled s;
		unsigned n = 0;

		if (!kube_fix_begin(&f, answer, (void *)rows[i].steps))
			return;
		CU_ASSERT_EQUAL(watch_begin(&f, &t, &w, 0, false), 0);
		CHECK_ROW(rows[i].name, kube_fix_wait(&f, is_told, &t), "told %s", t.trace.p);
		/* The last step may bring nothing that is told. */
		while (n < 8 && rows[i].steps[n].expect)
			n++;
		s = (struct settled){w, f.server, n, rows[i].problem};
		kube_fix_wait(&f, is_settled, &s);
		kube_fix_linger(&f, 10 * USEC_PER_MSEC);
		CHECK_STR(rows[i].name, buf_view(&t.trace), rows[i].want);
		CHECK_STR(rows[i].name, span_str(kube_watch_problem(w)), rows[i].problem);
		CHECK_ROW(rows[i].name,
			kube_watch_synced(w) && kube_watch_connected(w) == !rows[i].problem[0],
			"synced %d, connected %d", kube_watch_synced(w), kube_watch_connected(w));
		for (unsigned k = 0; k < n; k++) {
			_cleanup_free_ char *request = fake_server_request(f.server, k);
			const struct step *step = &rows[i].steps[k];

			CHECK_ROW(rows[i].name,
				request && strstr(request, step->expect) &&
					!(step->expect_not && strstr(request, step->expect_not)),
				"request %u: want %s, got %s", k, step->expect, request);
		}
		kube_watch_free(w);
		buf_free(&t.trace);
		kube_fix_end(&f);
	}
}

#define CUT_EVENTS                                                                                 \
	EVENT("MODIFIED", OBJECT("a", "11", "\xc3\xa9\\n\\\"\\u00e9"))                             \
	EVENT("DELETED", OBJECT("b", "12", "2")) BOOKMARK("13")

/* Request n's stream is cut behind byte n of its body. */
static void answer_cut(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	const unsigned *last = ctx;

	(void)request;
	if (n == 0) {
		fake_respond(reply, 200, NULL, LIST("13", "", ""));
		return;
	}
	buf_puts(&reply->data, "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n");
	reply->cut = reply->data.len + n;
	fake_chunk(reply, CUT_EVENTS);
	if (n < *last)
		fake_stream_end(reply);
}

static void test_cut_everywhere(void)
{
	unsigned last = strlen(CUT_EVENTS);
	_cleanup_buf_ struct buf want = BUF_INIT(1 << 20);
	struct kube_watch *w = NULL;
	struct told t = {0};
	struct kube_fix f;

	buf_puts(&want, "B S ");
	for (unsigned n = 1; n <= last; n++)
		buf_puts(&want, "+a=\xc3\xa9\n\"\xc3\xa9 -b=2 ");
	t.until = want.p;
	if (!kube_fix_begin(&f, answer_cut, &last))
		return;
	CU_ASSERT_EQUAL(watch_begin(&f, &t, &w, 0, false), 0);
	CHECK_ROW("cut", kube_fix_wait(&f, is_told, &t), "told %zu of %zu bytes", t.trace.len,
		want.len);
	CU_ASSERT_EQUAL(fake_server_requests(f.server), last + 1);
	kube_watch_free(w);
	buf_free(&t.trace);
	kube_fix_end(&f);
}

static void test_too_large(void)
{
	/* Pages shrink until they fit, an event cannot. */
	static const struct step steps[] = {
		{"?limit=500&", NULL, 200,
			LIST("1", "", OBJECT("a", "1", "1") "," OBJECT("b", "1", "1")), PLAIN},
		{"?limit=125&", NULL, 200, LIST("2", ",\"continue\":\"x\"", OBJECT("a", "1", "1")),
			PLAIN},
		{"?limit=125&", NULL, 200, LIST("2", "", OBJECT("b", "1", "1")), PLAIN},
		{WATCH("2"), NULL, 200,
			EVENT("ADDED", OBJECT("c", "3",
					       "0123456789012345678901234567890123456789"
					       "012345678901234567890123456789012345678901234567890"
					       "123456789")),
			STREAM_OPEN},
		{"?limit=500&", NULL, 200, LIST("4", "", ""), PLAIN},
		{WATCH("4"), NULL, 200, "", STREAM_OPEN},
		{0},
	};
	struct told t = {.until = "B +a=1 +b=1 S B S "};
	struct kube_watch *w = NULL;
	struct kube_fix f;

	if (!kube_fix_begin(&f, answer, (void *)steps))
		return;
	CU_ASSERT_EQUAL(watch_begin(&f, &t, &w, 150, false), 0);
	CHECK_ROW("too large", kube_fix_wait(&f, is_told, &t), "told %s", t.trace.p);
	for (unsigned i = 0; i < ARRAY_SIZE(steps) - 2; i++) {
		_cleanup_free_ char *request = fake_server_request(f.server, i);

		CHECK_ROW("too large", request && strstr(request, steps[i].expect), "%u: %s", i,
			request);
	}
	kube_watch_free(w);
	buf_free(&t.trace);
	kube_fix_end(&f);
}

/* Lists out of the API server's memory, also after the version got too old; a page is not one. */
static void test_cached(void)
{
	static const struct step steps[] = {
		{"?limit=500" SELECTOR "&resourceVersion=0 ", NULL, 200,
			LIST("1", ",\"continue\":\"x\"", OBJECT("a", "1", "1")), PLAIN},
		{"&continue=x ", "resourceVersion", 200, LIST("1", "", ""), PLAIN},
		{WATCH("1"), NULL, 200, EVENT("ERROR", GONE), STREAM},
		{"?limit=500" SELECTOR "&resourceVersion=0 ", NULL, 200, LIST("4", "", ""), PLAIN},
		{WATCH("4"), NULL, 200, "", STREAM_OPEN},
		{0},
	};
	struct told t = {.until = "B +a=1 S C D B S C ", .connections = true};
	struct kube_watch *w = NULL;
	struct kube_fix f;

	if (!kube_fix_begin(&f, answer, (void *)steps))
		return;
	CU_ASSERT_EQUAL(watch_begin(&f, &t, &w, 0, true), 0);
	CHECK_ROW("cached", kube_fix_wait(&f, is_told, &t), "told %s", t.trace.p);
	for (unsigned i = 0; i < ARRAY_SIZE(steps) - 1; i++) {
		_cleanup_free_ char *request = fake_server_request(f.server, i);

		CHECK_ROW("cached",
			request && strstr(request, steps[i].expect) &&
				!(steps[i].expect_not && strstr(request, steps[i].expect_not)),
			"%u: %s", i, request);
	}
	kube_watch_free(w);
	buf_free(&t.trace);
	kube_fix_end(&f);
}

static bool is_asked(void *ctx)
{
	const struct settled *s = ctx;

	return fake_server_requests(s->server) >= s->requests;
}

/* How long after request number `from` of the script the one with number `to` came; -1: not within
 * five seconds. */
static int64_t time_between(
	const struct step *steps, int64_t backoff_usec, unsigned from, unsigned to)
{
	const struct kube_watch_options o = {
		.path = "/api/v1/configmaps", .backoff_usec = backoff_usec};
	struct kube_watch *w = NULL;
	struct told t = {.trace = BUF_INIT(1 << 20), .watch = &w};
	const struct kube_watch_handler h = {list_begin, upsert, removed, synced, NULL, &t};
	int64_t began, took = -1;
	struct settled s;
	struct kube_fix f;

	if (!kube_fix_begin(&f, answer, (void *)steps))
		return -1;
	CU_ASSERT_EQUAL(kube_watch_new(&w, f.client, &o, &h, NULL), 0);
	s = (struct settled){w, f.server, from, NULL};
	CU_ASSERT(kube_fix_wait(&f, is_asked, &s));
	began = clock_monotonic_usec();
	s.requests = to;
	if (kube_fix_wait(&f, is_asked, &s))
		took = clock_monotonic_usec() - began;
	kube_watch_free(w);
	buf_free(&t.trace);
	kube_fix_end(&f);
	return took;
}

/* The first comes on the connection of the list; curl asks once more on a new one. */
#define UNANSWERED                                                                                 \
	{                                                                                          \
		WATCH("10"), NULL, 0, NULL, PLAIN                                                  \
	}

/* A server that was away answers again, whatever: it is not made to wait as long as the outage
 * would have had it. */
static void test_heard_again(void)
{
	static const struct {
		const char *name;
		struct step answer;
	} rows[] = {
		{"our version is forgotten",
			{WATCH("10"), NULL, 200, EVENT("ERROR", GONE), STREAM_OPEN}},
		{"it does not know us yet", {WATCH("10"), NULL, 403, "{}", PLAIN}},
		{"it is not ready", {WATCH("10"), NULL, 429, "{}", PLAIN}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct step steps[] = {FIRST, UNANSWERED, UNANSWERED, UNANSWERED, UNANSWERED,
			rows[i].answer, {"configmaps?", NULL, 200, LIST("30", "", ""), PLAIN}, {0}};
		int64_t took = 0;

		/* 100 to 200 ms instead of 800 at least; a busy machine may try again. */
		for (int tries = 0; tries < 5; tries++) {
			took = time_between(steps, 100 * USEC_PER_MSEC, 6, 7);
			if (took >= 0 && took < 700 * USEC_PER_MSEC)
				break;
		}
		CHECK_ROW(rows[i].name, took >= 0 && took < 700 * USEC_PER_MSEC, "after %lld us",
			(long long)took);
	}
}

/* Eleven delays of an outage, which would double to 10 s and more. */
static void test_away(void)
{
	static const struct step steps[] = {FIRST, UNANSWERED, UNANSWERED, UNANSWERED, UNANSWERED,
		UNANSWERED, UNANSWERED, UNANSWERED, UNANSWERED, UNANSWERED, UNANSWERED, UNANSWERED,
		UNANSWERED, {WATCH("10"), NULL, 200, "", STREAM_OPEN}, {0}};
	int64_t took = time_between(steps, 5 * USEC_PER_MSEC, 2, 14);

	/* 5, 10, 20 and eight times 40 ms, up to twice as long. */
	CHECK_ROW("away", took >= 300 * USEC_PER_MSEC, "after %lld us", (long long)took);
}

static bool is_freed(void *ctx)
{
	struct kube_watch *const *w = ctx;

	return !*w;
}

/* The watch is freed from inside each callback, and whenever. */
static void test_free(void)
{
	static const struct step steps[] = {FIRST,
		{WATCH("10"), NULL, 200,
			EVENT("DELETED", OBJECT("a", "11", "1"))
				EVENT("ADDED", OBJECT("a", "12", "1")),
			STREAM},
		{0}};
	static const struct {
		char at;
		const char *want;
	} rows[] = {{'B', "B "}, {'+', "B +a=1 "}, {'S', "B +a=1 S "}, {'C', "B +a=1 S "},
		{'-', "B +a=1 S -a=1 "}, {'D', "B +a=1 S -a=1 +a=1 "}, {'0', NULL}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct told t = {.until = rows[i].want, .free_at = rows[i].at};
		struct kube_watch *w = NULL;
		struct kube_fix f;

		if (!kube_fix_begin(&f, answer, (void *)steps))
			return;
		CU_ASSERT_EQUAL(watch_begin(&f, &t, &w, 0, false), 0);
		if (!rows[i].want)
			kube_watch_free(TAKE_PTR(w));
		else
			CHECK_ROW(
				rows[i].want, kube_fix_wait(&f, is_told, &t), "told %s", t.trace.p);
		CU_ASSERT(kube_fix_wait(&f, is_freed, &w));
		kube_fix_linger(&f, 20 * USEC_PER_MSEC);
		CHECK_STR(rows[i].want, buf_view(&t.trace), rows[i].want);
		buf_free(&t.trace);
		kube_fix_end(&f);
	}
}

CU_TestInfo watch_tests[] = {
	{"scripts", test_scripts},
	{"events cut at every byte", test_cut_everywhere},
	{"pages and events that are too large", test_too_large},
	{"cached lists, and connections", test_cached},
	{"heard again", test_heard_again},
	{"away", test_away},
	{"freed inside callbacks", test_free},
	CU_TEST_INFO_NULL,
};
