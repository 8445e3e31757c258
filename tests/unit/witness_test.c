/* SPDX-License-Identifier: Apache-2.0
 *
 * What the API server says of who asks, from a stand-in for it. */
#include "webhook/broker/witness.h"

#include <stdlib.h>

#include "common/base/codec.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

#define NOW   1790000000
#define AGENT "system:serviceaccount:casemate-system:casemate-agent"

/* A token: whom the API server takes it for, and when it was made. */
struct token {
	const char *name, *user, *pod, *pod_uid, *node, *node_uid;
	int64_t iat;
	int status; /* 0: 200 */
};

static const struct token tokens[] = {
	{"agent", AGENT, "agent-1", "au", "n1", "u1", NOW, 0},
	{"other-agent", AGENT, "agent-2", "au2", "n2", "u2", NOW, 0},
	{"no-node", AGENT, "agent-1", "au", "", "", NOW, 0},
	{"not-agent", "system:serviceaccount:shop:app", "app-1", "pu", "n1", "u1", NOW, 0},
	{"pod", "system:serviceaccount:shop:app", "app-1", "pu", "n1", "u1", NOW, 0},
	{"elsewhere", "system:serviceaccount:shop:app", "app-1", "pu", "n2", "u2", NOW, 0},
	{"another-node", "system:serviceaccount:shop:app", "app-1", "pu", "n1", "u9", NOW, 0},
	{"old", "system:serviceaccount:shop:app", "app-1", "pu", "n1", "u1",
		NOW - WITNESS_TOKEN_SEC - 1, 0},
	{"just", "system:serviceaccount:shop:app", "app-1", "pu", "n1", "u1",
		NOW - WITNESS_TOKEN_SEC, 0},
	{"future", "system:serviceaccount:shop:app", "app-1", "pu", "n1", "u1", NOW + 100, 0},
	{"user", "jane", "", "", "", "", NOW, 0},
	{"unbound", "system:serviceaccount:shop:app", "", "", "n1", "u1", NOW, 0},
	{"forged", "", "", "", "", "", NOW, 401},
	{"unsure", "", "", "", "", "", NOW, 503},
};

static const struct token *find(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++)
		if (span_is(name, tokens[i].name))
			return &tokens[i];
	return NULL;
}

/* NAME.CLAIMS.signature */
static void spell(struct buf *out, const char *name)
{
	const struct token *t = find(span_str(name));
	char claims[64];
	int n = snprintf(claims, sizeof(claims), "{\"iat\":%lld}", t ? (long long)t->iat : 0ll);

	buf_printf(out, "%s.", name);
	codec_base64url(out, claims, (size_t)n);
	buf_puts(out, ".signature");
}

static void *ask(void *ctx, struct span text, caller_judged done, void *arg)
{
	const char *dot = memchr(text.p, '.', text.len);
	const struct token *t = find((struct span){text.p, (size_t)(dot - text.p)});
	struct caller c = {.status = 200, .message = "judged so"};

	(void)ctx;
	if (t) {
		c.status = t->status ? t->status : 200;
		c.user = t->user;
		c.pod_name = t->pod;
		c.pod_uid = t->pod_uid;
		c.node_name = t->node;
		c.node_uid = t->node_uid;
	} else {
		c.status = 401;
	}
	done(arg, &c);
	return NULL;
}

static void cancel(void *ctx, void *asked)
{
	(void)ctx;
	(void)asked;
}

struct world {
	struct kube_fix kube;
	struct witness *witness;
	const char *record; /* status; NULL: 404 */
	int pod_status;
	bool done;
	struct testimony t;
	char message[480];
	enum reason pod_reason;
	bool pod_seen;
};

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct world *w = ctx;
	char body[2048];

	(void)n;
	if (strstr(request, "GET /api/v1/namespaces/shop/pods/app-1 ")) {
		fake_respond(reply, w->pod_status, NULL,
			"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"app-1\"}}");
	} else if (strstr(request, "/nodeattestations/n1 ") && w->record) {
		snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"n1\"},\"status\":%s}",
			w->record);
		fake_respond(reply, 200, NULL, body);
	} else {
		fake_respond(reply, 404, NULL, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
	}
}

static void on_testimony(void *ctx, const struct testimony *t)
{
	struct world *w = ctx;

	w->t = *t;
	snprintf(w->message, sizeof(w->message), "%s", t->message);
	w->done = true;
}

static void on_pod(void *ctx, struct json_val pod, enum reason reason, const char *message)
{
	struct world *w = ctx;

	(void)message;
	w->pod_reason = reason;
	w->pod_seen = json_str_is(json_find(pod, "metadata", "name"), "app-1");
	w->done = true;
}

static bool is_done(void *ctx)
{
	return ((struct world *)ctx)->done;
}

static bool begin(struct world *w)
{
	*w = (struct world){.pod_status = 200};
	if (!kube_fix_begin(&w->kube, answer, w))
		return false;
	return witness_new(&w->witness,
		       &(struct witness_options){.kube = w->kube.client,
			       .judge = {.ask = ask, .cancel = cancel},
			       .agent = AGENT},
		       NULL) == 0;
}

static void end(struct world *w)
{
	witness_free(w->witness);
	kube_fix_end(&w->kube);
}

static void question(struct world *w, const char *node_token, const char *pod_token)
{
	_cleanup_buf_ struct buf node = BUF_INIT(1024), pod = BUF_INIT(1024);
	struct witness_call *c;

	if (node_token)
		spell(&node, node_token);
	if (pod_token)
		spell(&pod, pod_token);
	w->done = false;
	c = witness_ask(w->witness,
		&(struct rcar_requester){
			.node_token = buf_view(&node), .pod_token = buf_view(&pod)},
		NOW, on_testimony, w);
	CU_ASSERT_PTR_NOT_NULL(c);
	if (!c)
		return;
	witness_go(c);
	CU_ASSERT_TRUE(kube_fix_wait(&w->kube, is_done, w));
}

#define RECORD(verdict, uid, until)                                                                \
	"{\"nodeUID\":\"" uid                                                                      \
	"\",\"platform\":\"tdx\",\"platformID\":\"0102\",\"verdict\":\"" verdict                   \
	"\",\"reason\":\"Ok\",\"message\":\"\",\"validUntil\":\"" until "\"}"
#define GOOD RECORD("Attested", "u1", "2036-01-01T00:00:00Z")

static void test_tokens(void)
{
	static const struct {
		const char *node, *pod;
		enum reason want;
	} rows[] = {
		{"agent", "pod", REASON_Ok},
		{"agent", "just", REASON_Ok},
		{"agent", NULL, REASON_Ok}, /* an image is pulled before there is a pod's token */
		{NULL, "pod", REASON_Ok},
		{"not-agent", "pod", REASON_TokenInvalid},
		{"pod", "pod", REASON_TokenInvalid},
		{"no-node", "pod", REASON_TokenInvalid},
		{"agent", "elsewhere", REASON_NodeMismatch},
		{"agent", "another-node", REASON_NodeMismatch},
		{"agent", "old", REASON_TokenInvalid},
		{"agent", "future", REASON_TokenInvalid},
		{"agent", "user", REASON_TokenInvalid},
		{"agent", "unbound", REASON_TokenInvalid},
		{"agent", "forged", REASON_TokenInvalid},
		{"forged", "pod", REASON_TokenInvalid},
		{NULL, "old", REASON_TokenInvalid},
		{"agent", "unsure", REASON_Internal},
		{"unsure", "pod", REASON_Internal},
		{"other-agent", "elsewhere", REASON_NotAttested},
	};
	struct world w;

	if (begin(&w)) {
		w.record = GOOD;
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			char name[64];

			snprintf(name, sizeof(name), "%s, %s", rows[i].node ? rows[i].node : "none",
				rows[i].pod ? rows[i].pod : "none");
			question(&w, rows[i].node, rows[i].pod);
			CHECK_ROW(name, w.t.reason == rows[i].want, "%s: %s",
				reason_name(w.t.reason), w.message);
		}
		question(&w, "agent", "pod");
		CU_ASSERT_STRING_EQUAL(w.t.who.namespace_, "shop");
		CU_ASSERT_STRING_EQUAL(w.t.who.service_account, "app");
		CU_ASSERT_STRING_EQUAL(w.t.who.pod, "app-1");
		CU_ASSERT_STRING_EQUAL(w.t.who.pod_uid, "pu");
		CU_ASSERT_STRING_EQUAL(w.t.who.node, "n1");
		CU_ASSERT_EQUAL(w.t.node.platform, RECORD_TDX);
	}
	end(&w);
}

static void test_verdicts(void)
{
	static const struct {
		const char *name, *record;
		enum reason want;
	} rows[] = {
		{"attested", GOOD, REASON_Ok},
		{"simulated", RECORD("Simulated", "u1", "2036-01-01T00:00:00Z"), REASON_Ok},
		{"none", NULL, REASON_NotAttested},
		{"empty", "{}", REASON_VerdictExpired},
		{"expired", RECORD("Attested", "u1", "2020-01-01T00:00:00Z"),
			REASON_VerdictExpired},
		{"of another Node", RECORD("Attested", "u9", "2036-01-01T00:00:00Z"),
			REASON_VerdictExpired},
		{"waived", RECORD("Waived", "u1", "2036-01-01T00:00:00Z"), REASON_NotAttested},
		{"a host", RECORD("Unproven", "u1", "2036-01-01T00:00:00Z"), REASON_VerdictExpired},
		{"refused", RECORD("Refused", "u1", "2036-01-01T00:00:00Z"), REASON_NotAttested},
		{"unknown", RECORD("Splendid", "u1", "2036-01-01T00:00:00Z"),
			REASON_VerdictExpired},
	};
	struct world w;

	if (begin(&w))
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			w.record = rows[i].record;
			question(&w, "agent", "pod");
			CHECK_ROW(rows[i].name, w.t.reason == rows[i].want, "%s: %s",
				reason_name(w.t.reason), w.message);
		}
	end(&w);
}

/* A session's node, whose verdict changes meanwhile. */
static void test_again(void)
{
	static const struct {
		const char *name, *record;
		enum reason want;
	} rows[] = {
		{"attested", GOOD, REASON_Ok},
		{"expired", RECORD("Attested", "u1", "2020-01-01T00:00:00Z"),
			REASON_VerdictExpired},
		{"refused", RECORD("Refused", "u1", "2036-01-01T00:00:00Z"), REASON_NotAttested},
		{"of another Node", RECORD("Attested", "u9", "2036-01-01T00:00:00Z"),
			REASON_VerdictExpired},
		{"none", NULL, REASON_NotAttested},
	};
	const struct requester who = {
		.namespace_ = "shop", .pod = "app-1", .node = "n1", .node_uid = "u1"};
	struct world w;

	if (begin(&w))
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			struct witness_call *c;

			w.record = rows[i].record;
			w.done = false;
			c = witness_node(w.witness, &who, NOW, on_testimony, &w);
			CU_ASSERT_PTR_NOT_NULL(c);
			if (!c)
				break;
			witness_go(c);
			CU_ASSERT_TRUE(kube_fix_wait(&w.kube, is_done, &w));
			CHECK_ROW(rows[i].name, w.t.reason == rows[i].want, "%s: %s",
				reason_name(w.t.reason), w.message);
			CU_ASSERT_STRING_EQUAL(w.t.who.pod, "app-1");
		}
	end(&w);
}

static void test_pods(void)
{
	static const struct {
		int status;
		enum reason want;
	} rows[] = {{200, REASON_Ok}, {404, REASON_WorkloadNotAllowed}, {403, REASON_PodUnknown}};
	const struct requester who = {.namespace_ = "shop", .pod = "app-1"};
	struct world w;
	int r;

	if (begin(&w))
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			w.pod_status = rows[i].status;
			w.done = false;
			CU_ASSERT_PTR_NOT_NULL(witness_pod(w.witness, &who, on_pod, &w, &r));
			CU_ASSERT_TRUE(kube_fix_wait(&w.kube, is_done, &w));
			CHECK_ROW("pod",
				w.pod_reason == rows[i].want &&
					w.pod_seen == (rows[i].want == REASON_Ok),
				"%d: %s", rows[i].status, reason_name(w.pod_reason));
		}
	end(&w);
}

static void test_cancel(void)
{
	const struct requester who = {.namespace_ = "shop", .pod = "app-1"};
	struct world w;
	int r;

	if (begin(&w)) {
		witness_cancel(witness_pod(w.witness, &who, on_pod, &w, &r));
		witness_cancel(witness_ask(w.witness,
			&(struct rcar_requester){.pod_token = SPAN_LIT("a.b.c")}, NOW, on_testimony,
			&w));
		witness_cancel(NULL);
		kube_fix_linger(&w.kube, 50000);
		CU_ASSERT_FALSE(w.done);
	}
	end(&w);
}

CU_TestInfo witness_tests[] = {
	{"whose tokens", test_tokens},
	{"verdicts that hold", test_verdicts},
	{"the verdict of a session's node", test_again},
	{"the live pod", test_pods},
	{"nothing comes after a cancel", test_cancel},
	CU_TEST_INFO_NULL,
};
