/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/token_review.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

/* What the API server answers, by the token. */
#define FOR_US(user, groups)                                                                       \
	"{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"user\":{\"username\":"     \
	"\"" user "\",\"groups\":" groups "},\"audiences\":[\"other\",\"casemate-metrics\"]}}"

static const struct row {
	const char *token;
	int http;
	const char *body;
	int want;
	const char *want_user, *want_message; /* begins so; "" : not looked at */
	bool kept;
} rows[] = {
	{"good", 201, FOR_US("system:serviceaccount:monitoring:prometheus", "[\"a\",\"b\"]"), 200,
		"system:serviceaccount:monitoring:prometheus", "", true},
	{"no-groups", 201,
		"{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"u\"},"
		"\"audiences\":[\"casemate-metrics\"]}}", 200, "u", "", true},
	{"unknown", 201, "{\"status\":{\"user\":{},\"error\":\"invalid bearer token\"}}", 401, "",
		"the API server does not accept this token for the audience \"casemate-metrics\"",
		true},
	{"false", 201,
		"{\"status\":{\"authenticated\":false,\"user\":{\"username\":\"u\"},"
		"\"audiences\":[\"casemate-metrics\"]}}", 401, "", "", true},
	{"not-true", 201,
		"{\"status\":{\"authenticated\":\"true\",\"user\":{\"username\":\"u\"},"
		"\"audiences\":[\"casemate-metrics\"]}}", 401, "", "", true},
	{"other-audience", 201,
		"{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"u\"},"
		"\"audiences\":[\"https://kubernetes.default.svc\"]}}", 401, "", "", true},
	{"no-audience", 201,
		"{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"u\"}}}", 401, "", "",
		true},
	{"audience-prefix", 201,
		"{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"u\"},"
		"\"audiences\":[\"casemate-metrics2\",\"casemate\"]}}", 401, "", "", true},
	{"no-user", 201,
		"{\"status\":{\"authenticated\":true,\"user\":{},"
		"\"audiences\":[\"casemate-metrics\"]}}", 503, "", "", false},
	{"no-status", 201, "{}", 503, "", "the API server's answer about the token", false},
	{"no-json", 201, "{\"status\":", 503, "", "the API server's answer", false},
	{"forbidden", 403, "{\"reason\":\"Forbidden\",\"message\":\"User \\\"x\\\" cannot\"}", 503,
		"", "the API server does not let this program review tokens: its service account "
		"needs create on tokenreviews.authentication.k8s.io", false},
	{"broken", 500, "{}", 503, "", "the API server could not be asked about the token", false},
};

/* Claims: what "extra" holds and what is made of it. */
#define CLAIMED(extra)                                                                             \
	"{\"status\":{\"authenticated\":true,\"audiences\":[\"casemate-metrics\"],\"user\":{"             \
	"\"username\":\"u\",\"extra\":" extra "}}}"
#define CLAIM(name, values) "\"authentication.kubernetes.io/" name "\":" values

static const struct claim_row {
	const char *token, *body, *node_name, *node_uid, *pod_name, *pod_uid;
} claims[] = {
	{"bound-to-pod",
		CLAIMED("{" CLAIM("node-name", "[\"n1\"]") "," CLAIM("node-uid", "[\"u1\"]") ","
			CLAIM("pod-name", "[\"p1\"]") "," CLAIM("pod-uid", "[\"v1\"]") "}"),
		"n1", "u1", "p1", "v1"},
	{"bound-to-nothing", CLAIMED("{\"other\":[\"x\"]}"), "", "", "", ""},
	{"extra-is-null", CLAIMED("null"), "", "", "", ""},
	{"two-nodes", CLAIMED("{" CLAIM("node-name", "[\"n1\",\"n2\"]") "}"), "", "", "", ""},
	{"no-node", CLAIMED("{" CLAIM("node-name", "[]") "}"), "", "", "", ""},
	{"no-list", CLAIMED("{" CLAIM("node-name", "\"n1\"") "}"), "", "", "", ""},
	{"no-string", CLAIMED("{" CLAIM("node-uid", "[7]") "}"), "", "", "", ""},
};

static void answer_many_groups(struct fake_reply *reply)
{
	_cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);

	buf_puts(&b, "{\"status\":{\"authenticated\":true,\"audiences\":[\"casemate-metrics\"],"
		"\"user\":{\"username\":\"u\",\"groups\":[");
	for (int i = 0; i < 200; i++)
		buf_printf(&b, "%s\"group-%d\"", i ? "," : "", i);
	buf_puts(&b, "]}}}");
	fake_respond(reply, 201, NULL, b.p);
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	(void)ctx;
	(void)n;
	if (strstr(request, "\"many-groups\"")) {
		answer_many_groups(reply);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char part[80];

		snprintf(part, sizeof(part), "\"token\":\"%s\"", rows[i].token);
		if (strstr(request, part)) {
			fake_respond(reply, rows[i].http, NULL, rows[i].body);
			return;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		char part[80];

		snprintf(part, sizeof(part), "\"token\":\"%s\"", claims[i].token);
		if (strstr(request, part)) {
			fake_respond(reply, 201, NULL, claims[i].body);
			return;
		}
	}
	fake_respond(reply, 201, NULL, "{\"status\":{\"authenticated\":false}}");
}

struct asked {
	bool done;
	int status;
	char user[80], message[512];
	size_t n_groups;
	char last_group[16];
	char node_name[16], node_uid[16], pod_name[16], pod_uid[16];
};

static void note_claims(struct asked *a, const struct caller *c)
{
	snprintf(a->node_name, sizeof(a->node_name), "%s", c->node_name);
	snprintf(a->node_uid, sizeof(a->node_uid), "%s", c->node_uid);
	snprintf(a->pod_name, sizeof(a->pod_name), "%s", c->pod_name);
	snprintf(a->pod_uid, sizeof(a->pod_uid), "%s", c->pod_uid);
}

static void judged(void *arg, const struct caller *c)
{
	struct asked *a = arg;

	CU_ASSERT_FALSE(a->done);
	a->done = true;
	a->status = c->status;
	if (c->status == 200) {
		snprintf(a->user, sizeof(a->user), "%s", c->user);
		note_claims(a, c);
	} else {
		snprintf(a->message, sizeof(a->message), "%s", c->message);
	}
	a->n_groups = c->n_groups;
	if (c->n_groups)
		snprintf(a->last_group, sizeof(a->last_group), "%s", c->groups[c->n_groups - 1]);
}

static bool is_done(void *ctx)
{
	return ((struct asked *)ctx)->done;
}

struct fix {
	struct kube_fix kube;
	struct token_review *reviews;
	struct caller_judge judge;
};

static bool fix_begin(struct fix *f, int64_t good_usec, int64_t bad_usec, unsigned rate)
{
	struct error err = {0};

	*f = (struct fix){0};
	if (!kube_fix_begin(&f->kube, answer, NULL))
		return false;
	CHECK_ROW("new", token_review_new(&f->reviews, f->kube.client,
		&(struct token_review_options){.audience = "casemate-metrics",
			.good_usec = good_usec, .bad_usec = bad_usec, .rate = rate}, &err) == 0, "%s",
		err.message);
	f->judge = token_review_judge(f->reviews);
	return true;
}

static void fix_end(struct fix *f)
{
	token_review_free(f->reviews);
	kube_fix_end(&f->kube);
}

static struct asked fix_ask(struct fix *f, const char *token)
{
	struct asked a = {0};

	f->judge.ask(f->judge.ctx, span_str(token), judged, &a);
	CHECK_ROW(token, kube_fix_wait(&f->kube, is_done, &a), "no verdict");
	return a;
}

static void test_verdicts(void)
{
	struct fix f;
	char *request;

	if (!fix_begin(&f, 0, 0, 1000))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		unsigned before = fake_server_requests(f.kube.server);
		struct asked a = fix_ask(&f, row->token), again = fix_ask(&f, row->token);

		CHECK_ROW(row->token, a.status == row->want && again.status == row->want, "%d, %d",
			a.status, again.status);
		CHECK_STR(row->token, span_str(a.user), row->want_user);
		CHECK_ROW(row->token, span_starts(span_str(a.message), row->want_message), "%s",
			a.message);
		CHECK_ROW(row->token,
			fake_server_requests(f.kube.server) - before == (row->kept ? 1 : 2),
			"%u requests", fake_server_requests(f.kube.server) - before);
		CHECK_ROW(row->token, !strstr(a.message, row->token), "says the token: %s",
			a.message);
	}
	request = fake_server_request(f.kube.server, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(request,
		"POST /apis/authentication.k8s.io/v1/tokenreviews HTTP/1.1\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(request,
		"\r\n\r\n{\"kind\":\"TokenReview\",\"apiVersion\":\"authentication.k8s.io/v1\","
		"\"metadata\":{},\"spec\":{\"token\":\"good\",\"audiences\":"
		"[\"casemate-metrics\"]}}"));
	free(request);
	fix_end(&f);
}

static void test_groups(void)
{
	struct asked a;
	struct fix f;

	if (!fix_begin(&f, 0, 0, 1000))
		return;
	a = fix_ask(&f, "good");
	CU_ASSERT_EQUAL(a.n_groups, 2);
	CHECK_STR("last", span_str(a.last_group), "b");
	a = fix_ask(&f, "many-groups");
	CU_ASSERT_EQUAL(a.n_groups, TOKEN_REVIEW_GROUPS_MAX);
	CHECK_STR("last", span_str(a.last_group), "group-63");
	fix_end(&f);
}

static void test_claims(void)
{
	struct fix f;

	if (!fix_begin(&f, 0, 0, 1000))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		const struct claim_row *row = &claims[i];
		struct asked a = fix_ask(&f, row->token);

		CHECK_ROW(row->token, a.status == 200, "%d", a.status);
		CHECK_STR(row->token, span_str(a.node_name), row->node_name);
		CHECK_STR(row->token, span_str(a.node_uid), row->node_uid);
		CHECK_STR(row->token, span_str(a.pod_name), row->pod_name);
		CHECK_STR(row->token, span_str(a.pod_uid), row->pod_uid);
	}
	fix_end(&f);
}

/* Never given to the API server. */
static void test_bad_syntax(void)
{
	char too_long[TOKEN_REVIEW_TOKEN_MAX + 2];
	const char *const bad[] = {"", "a b", "a\"b", "a\\b", "a\nb", "\xc3\xa4", too_long};
	struct fix f;

	memset(too_long, 'a', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	if (!fix_begin(&f, 0, 0, 1000))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct asked a = {0};

		CU_ASSERT_PTR_NULL(f.judge.ask(f.judge.ctx, span_str(bad[i]), judged, &a));
		CHECK_ROW(bad[i], a.done && a.status == 401, "%d", a.status);
	}
	CU_ASSERT_EQUAL(fake_server_requests(f.kube.server), 0);
	fix_end(&f);
}

static void test_expiry(void)
{
	struct fix f;

	if (!fix_begin(&f, 60 * USEC_PER_MSEC, 30 * USEC_PER_MSEC, 0))
		return;
	CU_ASSERT_EQUAL(fix_ask(&f, "good").status, 200);
	CU_ASSERT_EQUAL(fix_ask(&f, "unknown").status, 401);
	kube_fix_linger(&f.kube, 40 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(fix_ask(&f, "unknown").status, 401);
	CU_ASSERT_EQUAL(fake_server_requests(f.kube.server), 3);
	kube_fix_linger(&f.kube, 40 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(fix_ask(&f, "good").status, 200);
	CU_ASSERT_EQUAL(fake_server_requests(f.kube.server), 4);
	fix_end(&f);
}

/* Questions about one token that come together are one; who cancelled hears nothing. */
static void test_joined(void)
{
	struct asked a[3] = {0};
	struct fix f;
	void *second;

	if (!fix_begin(&f, 0, 0, 1000))
		return;
	CU_ASSERT_PTR_NOT_NULL(f.judge.ask(f.judge.ctx, SPAN_LIT("good"), judged, &a[0]));
	second = f.judge.ask(f.judge.ctx, SPAN_LIT("good"), judged, &a[1]);
	CU_ASSERT_PTR_NOT_NULL(f.judge.ask(f.judge.ctx, SPAN_LIT("good"), judged, &a[2]));
	f.judge.cancel(f.judge.ctx, second);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, is_done, &a[0]));
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, is_done, &a[2]));
	CU_ASSERT_FALSE(a[1].done);
	CU_ASSERT_EQUAL(fake_server_requests(f.kube.server), 1);
	/* Freed with a question open. */
	CU_ASSERT_PTR_NOT_NULL(f.judge.ask(f.judge.ctx, SPAN_LIT("unknown"), judged, &a[1]));
	fix_end(&f);
	CU_ASSERT_FALSE(a[1].done);
}

static int ask_numbered(struct fix *f, unsigned i)
{
	char token[16];

	snprintf(token, sizeof(token), "guess-%u", i);
	return fix_ask(f, token).status;
}

/* A guesser costs the API server no more than so many reviews a second. */
static void test_rate(void)
{
	unsigned busy = 0;
	struct fix f;

	if (!fix_begin(&f, 0, 0, 0))
		return;
	for (unsigned i = 0; i < 2 * TOKEN_REVIEW_RATE; i++)
		busy += ask_numbered(&f, i) == 503;
	CHECK_ROW("rate", busy >= TOKEN_REVIEW_RATE / 2, "%u refused", busy);
	CU_ASSERT_EQUAL(fake_server_requests(f.kube.server), 2 * TOKEN_REVIEW_RATE - busy);
	fix_end(&f);
}

/* And memory no more than so many verdicts: the oldest bad one goes. */
static void test_kept(void)
{
	struct fix f;

	if (!fix_begin(&f, 0, 0, 1000))
		return;
	CU_ASSERT_EQUAL(fix_ask(&f, "good").status, 200);
	for (unsigned i = 0; i < TOKEN_REVIEW_KEPT_MAX; i++)
		CU_ASSERT_EQUAL(ask_numbered(&f, i), 401);
	CU_ASSERT_EQUAL(fix_ask(&f, "good").status, 200);
	ask_numbered(&f, 1);
	ask_numbered(&f, TOKEN_REVIEW_KEPT_MAX - 1);
	CU_ASSERT_EQUAL(fake_server_requests(f.kube.server), TOKEN_REVIEW_KEPT_MAX + 1);
	ask_numbered(&f, 0);
	CU_ASSERT_EQUAL(fake_server_requests(f.kube.server), TOKEN_REVIEW_KEPT_MAX + 2);
	fix_end(&f);
}

static void test_options(void)
{
	struct token_review *t = NULL;
	char too_long[300] = "";
	struct error err = {0};

	CU_ASSERT_EQUAL(token_review_new(&t, NULL,
		&(struct token_review_options){.audience = ""}, &err), -EINVAL);
	memset(too_long, 'a', sizeof(too_long) - 1);
	CU_ASSERT_EQUAL(token_review_new(&t, NULL,
		&(struct token_review_options){.audience = too_long}, &err), -EINVAL);
	CHECK_STR("long", span_str(err.message),
		"the audience of tokens must have 1 to 253 bytes");
	token_review_free(NULL);
}

CU_TestInfo token_review_tests[] = {
	{"verdicts", test_verdicts},
	{"groups", test_groups},
	{"claims", test_claims},
	{"bad syntax", test_bad_syntax},
	{"expiry", test_expiry},
	{"joined", test_joined},
	{"rate", test_rate},
	{"kept", test_kept},
	{"options", test_options},
	CU_TEST_INFO_NULL,
};
