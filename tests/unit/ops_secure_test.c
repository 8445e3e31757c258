/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may ask a secured metrics listener: tokens, certificates, lists. */
#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/kube_fix.h"
#include "tests/unit/ops_fixture.h"
#include "tests/unit/test.h"

static const char *const listed_users[] = {"prometheus", "root"};
static const char *const one_group[] = {"monitors"};

/* The judge of these tests: the token's own text is the verdict; "slow..." comes later. */
struct fake_judge {
	caller_judged done;
	void *arg;
	bool cancelled;
	unsigned asked;
};

static void tell(struct span token, caller_judged done, void *arg)
{
	static const char *const groups[] = {"others", "monitors"};
	struct caller c = {.status = 200, .user = "somebody"};

	if (span_is(token, "prometheus"))
		c.user = "prometheus";
	else if (span_is(token, "member"))
		c = (struct caller){.status = 200, .user = "m", .groups = groups, .n_groups = 2};
	else if (span_is(token, "bad"))
		c = (struct caller){.status = 401, .message = "not this one"};
	else if (span_is(token, "unsure"))
		c = (struct caller){.status = 503, .message = "nobody knows"};
	done(arg, &c);
}

static void *judge_ask(void *ctx, struct span token, caller_judged done, void *arg)
{
	struct fake_judge *j = ctx;

	j->asked++;
	if (!span_starts(token, "slow")) {
		tell(token, done, arg);
		return NULL;
	}
	j->done = done;
	j->arg = arg;
	return j;
}

static void judge_cancel(void *ctx, void *asked)
{
	struct fake_judge *j = ctx;

	CU_ASSERT_PTR_EQUAL(asked, j);
	j->cancelled = true;
}

static const struct ops_security open_to_all = {.secure = true, .audience = "casemate-metrics",
	.tls_cert = "", .tls_key = "", .client_ca = ""};

static void test_tokens(void)
{
	static const struct {
		const char *headers;
		int status;
		const char *in_head, *body; /* which begins so */
		unsigned asked;
	} rows[] = {
		{"", 401, "\r\nWWW-Authenticate: Bearer\r\n",
			"send a token for the audience \"casemate-metrics\" (Authorization: Bearer)\n",
			0},
		{"Authorization: Basic cHJvbWV0aGV1cw==\r\n", 401, "", "send a token", 0},
		{"Authorization: Bearer\r\n", 401, "", "send a token", 0},
		{"Authorization: Bearer prometheus\r\n", 200, "text/plain; version=0.0.4",
			"# HELP", 1},
		{"authorization: bearer   prometheus\r\n", 200, "", "# HELP", 1},
		{"Authorization: Bearer member\r\n", 200, "", "# HELP", 1},
		{"Authorization: Bearer stranger\r\n", 403, "",
			"the user \"somebody\" is not in metrics.users, nor in a group of "
			"metrics.groups\n", 1},
		{"Authorization: Bearer bad\r\n", 401,
			"\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\n",
			"not this one\n", 1},
		{"Authorization: Bearer unsure\r\n", 503, "\r\nRetry-After: 1\r\n",
			"nobody knows\n", 1},
	};
	struct ops_security security = open_to_all;
	struct fake_judge j = {0};
	const struct caller_judge judge = {judge_ask, judge_cancel, &j};
	_cleanup_ops_fix_ struct ops_fix f;
	unsigned asked = 0;

	security.users = (struct strings){listed_users, 2};
	security.groups = (struct strings){one_group, 1};
	if (!ops_fix_begin(&f, &security, &judge))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ops_client c = {
			.headers = rows[i].headers, .tls = &(struct peer_tls){.ca = NULL}};

		ops_client_start(&c, &f, OPS_METRICS, "/metrics");
		ops_client_join(&c, &f);
		CHECK_ROW(rows[i].headers, c.status == rows[i].status, "%d", c.status);
		CHECK_ROW(rows[i].headers, strstr(c.reply.head.p, rows[i].in_head), "%s",
			c.reply.head.p);
		CHECK_ROW(rows[i].headers, span_starts(buf_view(&c.reply.body), rows[i].body),
			SPAN_FMT, SPAN_ARG(buf_view(&c.reply.body)));
		CHECK_ROW(rows[i].headers, j.asked - asked == rows[i].asked, "asked %u times",
			j.asked - asked);
		asked = j.asked;
		peer_reply_free(&c.reply);
	}
}

/* What is not /metrics is no less guarded, and what is not the metrics listener stays open. */
static void test_paths(void)
{
	static const struct {
		enum ops_listener listener;
		bool tls;
		const char *path, *headers;
		int status;
	} rows[] = {
		{OPS_METRICS, true, "/", "", 401},
		{OPS_METRICS, true, "/nothing", "", 401},
		{OPS_METRICS, true, "/", "Authorization: Bearer x\r\n", 200},
		{OPS_METRICS, true, "/nothing", "Authorization: Bearer x\r\n", 404},
		{OPS_METRICS, false, "/metrics", "Authorization: Bearer x\r\n", 0},
		{OPS_HEALTH, false, "/livez", "", 200},
		{OPS_PAGE, false, "/", "", 200},
	};
	const struct peer_tls tls = {.ca = NULL};
	struct fake_judge j = {0};
	const struct caller_judge judge = {judge_ask, judge_cancel, &j};
	_cleanup_ops_fix_ struct ops_fix f;

	if (!ops_fix_begin(&f, &open_to_all, &judge))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ops_client c = {
			.headers = rows[i].headers, .tls = rows[i].tls ? &tls : NULL};

		ops_client_start(&c, &f, rows[i].listener, rows[i].path);
		ops_client_join(&c, &f);
		CHECK_ROW(rows[i].path, c.status == rows[i].status, "%zu: %d", i, c.status);
		peer_reply_free(&c.reply);
	}
	ERR_clear_error();
}

static void nobody_judged(void *arg, const struct caller *c)
{
	(void)arg;
	(void)c;
}

/* Until the judge thinks about something, with a limit. */
static void await_question(struct ops_fix *f, struct fake_judge *j)
{
	for (int i = 0; !j->done && i < 5000; i++)
		sd_event_run(f->event, USEC_PER_MSEC);
	CU_ASSERT_PTR_NOT_NULL(j->done);
	if (!j->done)
		j->done = nobody_judged;
}

static void test_slow_judge(void)
{
	struct fake_judge j = {0};
	const struct caller_judge judge = {judge_ask, judge_cancel, &j};
	struct ops_client c = {.headers = "Authorization: Bearer slow\r\n",
		.tls = &(struct peer_tls){.ca = NULL}};
	struct ops_fix f;

	if (!ops_fix_begin(&f, &open_to_all, &judge))
		return;
	ops_client_start(&c, &f, OPS_METRICS, "/metrics");
	await_question(&f, &j);
	tell(SPAN_LIT("prometheus"), j.done, j.arg);
	ops_client_join(&c, &f);
	CU_ASSERT_EQUAL(c.status, 200);
	peer_reply_free(&c.reply);
	/* The ops end while it thinks. */
	j.done = NULL;
	ops_client_start(&c, &f, OPS_METRICS, "/metrics");
	await_question(&f, &j);
	ops_fix_end(&f);
	ops_client_join(&c, NULL);
	CU_ASSERT_EQUAL(c.status, 0);
	CU_ASSERT_TRUE(j.cancelled);
	peer_reply_free(&c.reply);
	ERR_clear_error();
}

struct world {
	char dir[32], cert[64], key[64], ca_file[64];
	struct peer_cert ca, leaf, prometheus, stranger, other_ca, others;
};

static void world_make(struct world *w)
{
	*w = (struct world){.dir = "/tmp/casemate-test-XXXXXX"};
	CU_ASSERT_PTR_NOT_NULL(mkdtemp(w->dir));
	snprintf(w->cert, sizeof(w->cert), "%s/tls.crt", w->dir);
	snprintf(w->key, sizeof(w->key), "%s/tls.key", w->dir);
	snprintf(w->ca_file, sizeof(w->ca_file), "%s/ca.crt", w->dir);
	peer_cert_make(&w->ca, "ca", NULL, false);
	peer_cert_make(&w->leaf, "server", &w->ca, false);
	peer_cert_make(&w->prometheus, "prometheus", &w->ca, true);
	peer_cert_make(&w->stranger, "stranger", &w->ca, true);
	peer_cert_make(&w->other_ca, "other ca", NULL, false);
	peer_cert_make(&w->others, "prometheus", &w->other_ca, true);
	write_text(w->cert, w->leaf.cert_pem.p);
	write_text(w->key, w->leaf.key_pem.p);
	write_text(w->ca_file, w->ca.cert_pem.p);
}

static void world_free(struct world *w)
{
	struct peer_cert *const certs[] = {
		&w->ca, &w->leaf, &w->prometheus, &w->stranger, &w->other_ca, &w->others};

	for (size_t i = 0; i < ARRAY_SIZE(certs); i++)
		peer_cert_free(certs[i]);
	unlink(w->cert);
	unlink(w->key);
	unlink(w->ca_file);
	rmdir(w->dir);
	ERR_clear_error();
}
#define _cleanup_world_ _cleanup_(world_free)

static int try_client(struct ops_fix *f, const struct peer_tls *tls, const char *headers)
{
	struct ops_client c = {.headers = headers, .tls = tls};

	ops_client_start(&c, f, OPS_METRICS, "/metrics");
	ops_client_join(&c, f);
	peer_reply_free(&c.reply);
	return c.status;
}

/* Beside tokens and, where nobody can judge those, alone. */
static void test_client_certificates(void)
{
	_cleanup_world_ struct world w;
	struct ops_security security = open_to_all;
	struct fake_judge j = {0};
	const struct caller_judge judge = {judge_ask, judge_cancel, &j};

	world_make(&w);
	const struct {
		const char *name;
		const struct peer_cert *client;
		const char *headers;
		int with_tokens, alone;
	} rows[] = {
		{"listed", &w.prometheus, "", 200, 200},
		{"not listed", &w.stranger, "", 403, 403},
		{"of another CA", &w.others, "", 0, 0},
		{"none", NULL, "", 401, 0},
		{"token", NULL, "Authorization: Bearer prometheus\r\n", 200, 0},
		{"certificate before token", &w.stranger, "Authorization: Bearer prometheus\r\n",
			403, 403},
	};

	security.users = (struct strings){listed_users, 2};
	security.tls_cert = w.cert;
	security.tls_key = w.key;
	security.client_ca = w.ca_file;
	for (int tokens = 0; tokens < 2; tokens++) {
		struct ops_fix f;

		if (!ops_fix_begin(&f, &security, tokens ? &judge : NULL))
			return;
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			const struct peer_tls tls = {.ca = &w.ca, .client = rows[i].client};
			int want = tokens ? rows[i].with_tokens : rows[i].alone;
			int got = try_client(&f, &tls, rows[i].headers);

			CHECK_ROW(rows[i].name, got == want, "tokens %d: %d", tokens, got);
		}
		ops_fix_end(&f);
	}
}

/* New files are taken up; broken ones are not. */
static void test_files(void)
{
	_cleanup_world_ struct world w;
	struct ops_security security = open_to_all;
	struct fake_judge j = {0};
	const struct caller_judge judge = {judge_ask, judge_cancel, &j};
	struct peer_tls tls = {.ca = &w.other_ca};
	struct peer_cert next = {0};
	_cleanup_ops_fix_ struct ops_fix f;
	int64_t until = clock_monotonic_usec() + 60 * (int64_t)USEC_PER_SEC;
	int status = 0;

	world_make(&w);
	peer_cert_make(&next, "next", &w.other_ca, false);
	security.tls_cert = w.cert;
	security.tls_key = w.key;
	if (!ops_fix_begin(&f, &security, &judge))
		return;
	CU_ASSERT_EQUAL(try_client(&f, &tls, "Authorization: Bearer x\r\n"), 0);
	write_text(w.key, next.key_pem.p); /* without its certificate */
	while (clock_monotonic_usec() < until - 4 * USEC_PER_SEC)
		sd_event_run(f.event, 10 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(try_client(&f, &(struct peer_tls){.ca = &w.ca},
				"Authorization: Bearer x\r\n"), 200);
	write_text(w.cert, next.cert_pem.p);
	while (status != 200 && clock_monotonic_usec() < until)
		status = try_client(&f, &tls, "Authorization: Bearer x\r\n");
	CU_ASSERT_EQUAL(status, 200);
	peer_cert_free(&next);
}

static void test_check(void)
{
	static const char *const some[] = {"x"};
	static const struct {
		const char *name;
		struct ops_security s;
		bool tokens;
		const char *want; /* begins so; "" : fine */
	} rows[] = {
		{"off", {.audience = "a", .tls_cert = "", .tls_key = "", .client_ca = ""}, true, ""},
		{"off, alone", {.audience = "a", .tls_cert = "", .tls_key = "", .client_ca = ""},
			false, ""},
		{"off, users", {.audience = "a", .users = {some, 1}, .tls_cert = "", .tls_key = "",
			.client_ca = ""}, true,
			"metrics.users: has no effect without metrics.secure: true"},
		{"off, CA", {.audience = "a", .tls_cert = "", .tls_key = "", .client_ca = "f"}, true,
			"metrics.clientCa: has no effect without"},
		{"on", {.secure = true, .audience = "a", .tls_cert = "", .tls_key = "",
			.client_ca = ""}, true, ""},
		{"on, alone", {.secure = true, .audience = "a", .tls_cert = "", .tls_key = "",
			.client_ca = ""}, false,
			"metrics.secure: without an API server nobody can judge tokens: name the "
			"CAs of client certificates in metrics.clientCa, or set metrics.secure: "
			"false"},
		{"on, alone, CA", {.secure = true, .audience = "", .tls_cert = "", .tls_key = "",
			.client_ca = "f"}, false, ""},
		{"no audience", {.secure = true, .audience = "", .tls_cert = "", .tls_key = "",
			.client_ca = ""}, true, "metrics.audience: must not be empty"},
		{"key missing", {.secure = true, .audience = "a", .tls_cert = "f", .tls_key = "",
			.client_ca = ""}, true, "metrics.tls: a certificate and its key belong"},
		{"cert missing", {.secure = true, .audience = "a", .tls_cert = "", .tls_key = "f",
			.client_ca = ""}, true, "metrics.tls: a certificate and its key belong"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		int r = ops_security_check(&rows[i].s, rows[i].tokens, &err);

		CHECK_ROW(rows[i].name, r == (*rows[i].want ? -EINVAL : 0), "%d", r);
		CHECK_ROW(rows[i].name, span_starts(span_str(err.message), rows[i].want), "%s",
			err.message);
	}
}

static void test_same(void)
{
	static const char *const one[] = {"a"}, *const other[] = {"b"}, *const two[] = {"a", "b"};
	const struct ops_security base = {.secure = true, .audience = "a", .users = {one, 1},
		.groups = {one, 1}, .tls_cert = "c", .tls_key = "k", .client_ca = "ca"};
	struct ops_security v[9];

	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		v[i] = base;
	v[0].secure = false;
	v[1].audience = "b";
	v[2].users = (struct strings){other, 1};
	v[3].users = (struct strings){two, 2};
	v[4].groups = (struct strings){NULL, 0};
	v[5].tls_cert = "";
	v[6].tls_key = "";
	v[7].client_ca = "";
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		CU_ASSERT_EQUAL(ops_security_same(&v[i], &base), i == 8);
}

static void test_bad_files(void)
{
	static const struct {
		const char *cert, *key, *ca, *want;
	} rows[] = {
		{"/nonexistent/c", "/nonexistent/k", "",
			"metrics.tls: /nonexistent/c: No such file or directory"},
		{"", "", "/nonexistent/ca", "metrics.clientCa: /nonexistent/ca: No such file"},
		{"", "", "/dev/null", "metrics.listen: client CA: "},
	};

	const struct caller_judge judge = {judge_ask, judge_cancel, NULL};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ops_security security = open_to_all;
		struct ops_route routes[2];
		_cleanup_ops_fix_ struct ops_fix f;
		struct ops_options o;
		struct ops *ops = NULL;
		struct error err = {0};

		if (!ops_fix_begin(&f, NULL, NULL))
			return;
		security.tls_cert = rows[i].cert;
		security.tls_key = rows[i].key;
		security.client_ca = rows[i].ca;
		o = ops_fix_options(&f, routes);
		o.security = &security;
		o.judge = &judge;
		CHECK_ROW(rows[i].want, ops_new(&ops, &o, &err) < 0, "started");
		CHECK_ROW(rows[i].want, span_starts(span_str(err.message), rows[i].want), "%s",
			err.message);
	}
}

CU_TestInfo ops_secure_tests[] = {
	{"tokens", test_tokens},
	{"paths", test_paths},
	{"slow judge", test_slow_judge},
	{"client certificates", test_client_certificates},
	{"files", test_files},
	{"settings", test_check},
	{"same", test_same},
	{"files that are not good", test_bad_files},
	CU_TEST_INFO_NULL,
};
