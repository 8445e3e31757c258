/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests of agents over HTTP, with an API server of one node, tokens that are believed by their
 * names, and evidence that is good when it says so. */
#include "webhook/verifier/desk.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/net/http.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

#define AGENT "system:serviceaccount:ns:agent"

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	bool record = strstr(request, "nodeattestations");

	(void)ctx;
	(void)n;
	if (strstr(request, "watch="))
		fake_stream(reply, 200);
	else if (span_starts(span_str(request), "GET"))
		fake_respond(reply, 200, NULL,
			record ? "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}"
			       : "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"metadata\":{"
				 "\"name\":\"n1\",\"uid\":\"u1\",\"resourceVersion\":\"1\"}}]}");
	else if (record && strstr(request, "/status"))
		/* What was stored is told anew: the challenge has been used. */
		fake_respond(reply, 200, NULL,
			"{\"metadata\":{\"name\":\"n1\",\"uid\":\"r\",\"resourceVersion\":\"3\"},\"status\":{"
			"\"nodeUID\":\"u1\",\"verdict\":\"Refused\",\"challengedAt\":"
			"\"2999-01-01T00:00:00Z\"}}");
	else if (record)
		fake_respond(reply, 201, NULL,
			"{\"metadata\":{\"name\":\"n1\",\"uid\":\"r\",\"resourceVersion\":\"2\"}}");
	else
		fake_respond(reply, 200, NULL,
			"{\"metadata\":{\"name\":\"n1\",\"uid\":\"u1\",\"resourceVersion\":\"2\"}}");
}

/* A token is believed by its name. */
static void *ask(void *ctx, struct span token, caller_judged done, void *arg)
{
	struct caller c = {.status = 200, .user = AGENT, .node_name = "n1", .node_uid = "u1",
		.pod_name = "", .pod_uid = "", .message = "no"};

	(void)ctx;
	if (span_is(token, "bad"))
		c.status = 401;
	else if (span_is(token, "unknown"))
		c.status = 503;
	else if (span_is(token, "other-user"))
		c.user = AGENT "2";
	else if (span_is(token, "no-node"))
		c.node_name = c.node_uid = "";
	else if (span_is(token, "other-uid"))
		c.node_uid = "u0";
	else if (span_is(token, "other-node"))
		c.node_name = "n2";
	done(arg, &c);
	return NULL;
}

static void cancel(void *ctx, void *asked)
{
	(void)ctx;
	(void)asked;
}

static void examine_words(void *ctx, struct span text, const unsigned char report_data[64],
	int64_t now_sec, struct examination *ret)
{
	(void)ctx;
	(void)report_data;
	(void)now_sec;
	*ret = (struct examination){.verdict.tcb = TCB_STATUS_N};
	verdict_refuse(&ret->verdict, REASON_Malformed, "not good: " SPAN_FMT, SPAN_ARG(text));
}

struct fix {
	struct kube_fix kube;
	struct loop_queue *queue;
	struct nodes *nodes;
	struct publisher *publisher;
	struct desk *desk;
	struct server *server;
	struct http_client *client;
	char url[64];
	bool done;
	int status;
	char body[2048];
};

static const struct judge_rules rules = {.interval_sec = 3600, .validity_sec = 7200};
static const struct sealing_keys keys = {.v = {{.id = 1, .key = "k"}}, .n = 1};

static void changed(void *ctx, struct node *n)
{
	(void)ctx;
	(void)n;
}

static bool is_synced(void *ctx)
{
	return nodes_synced(((struct fix *)ctx)->nodes);
}

static bool is_done(void *ctx)
{
	return ((struct fix *)ctx)->done;
}

static bool start(struct fix *f)
{
	const struct desk_options o = {.queue = f->queue,
		.judge = {.ask = ask, .cancel = cancel},
		.agent = AGENT,
		.nodes = f->nodes,
		.publisher = f->publisher,
		.rules = &rules,
		.keys = &keys,
		.examine = examine_words};
	const struct server_options s = {.address = "127.0.0.1",
		.threads = 1,
		.limits = {.max_body = 1 << 20, .max_header = 16384, .max_connections = 100,
			.max_in_flight = 100, .request_usec = 10 * USEC_PER_SEC,
			.idle_usec = 90 * (int64_t)USEC_PER_SEC}};
	struct error err = {0};

	if (!CHECK_ROW("desk", desk_new(&f->desk, &o, &err) == 0 &&
			server_start(&f->server, &s, desk_handle, f->desk, &err) == 0, "%s",
		    err.message))
		return false;
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", server_port(f->server));
	return CHECK_ROW("synced", kube_fix_wait(&f->kube, is_synced, f), "not");
}

static bool begin(struct fix *f)
{
	struct error err = {0};

	*f = (struct fix){.done = false};
	if (!kube_fix_begin(&f->kube, answer, NULL))
		return false;
	CHECK_ROW("parts", loop_queue_new(&f->queue, f->kube.event, 64) == 0 &&
		nodes_new(&f->nodes, &(struct nodes_options){.kube = f->kube.client,
			.changed = changed}, &err) == 0 &&
		publisher_new(&f->publisher, &(struct publisher_options){.kube = f->kube.client,
			.nodes = f->nodes}, &err) == 0 &&
		http_client_new(&f->client, f->kube.event, &(struct http_client_options){
			.user_agent = "t"}, &err) == 0, "%s", err.message);
	return start(f);
}

static void end(struct fix *f)
{
	http_client_free(f->client);
	server_stop(f->server);
	publisher_free(f->publisher);
	desk_free(f->desk);
	nodes_free(f->nodes);
	loop_queue_free(f->queue);
	kube_fix_end(&f->kube);
}

static void on_answer(void *ctx, const struct http_result *r)
{
	struct fix *f = ctx;

	f->done = true;
	f->status = r->status;
	snprintf(f->body, sizeof(f->body), SPAN_FMT, SPAN_ARG(r->body));
}

static void send(struct fix *f, const char *method, const char *path, const char *type,
	const char *token, const char *body)
{
	char url[256];
	const struct http_call_options o = {.method = method,
		.url = url,
		.content_type = type,
		.bearer = token,
		.body = span_str(body),
		.max_response = sizeof(f->body) - 1,
		.timeout_usec = 60 * USEC_PER_SEC,
		.done = on_answer,
		.ctx = f};

	snprintf(url, sizeof(url), "%s%s", f->url, path);
	f->done = false;
	CU_ASSERT_EQUAL(http_call(f->client, &o, NULL, NULL), 0);
	CHECK_ROW(path, kube_fix_wait(&f->kube, is_done, f), "no answer");
}

#define JSON "application/json"

static void test_refused(void)
{
	static const struct {
		const char *name, *method, *path, *type, *token, *body;
		int status;
		const char *reason;
	} rows[] = {
		{"no path", "POST", "/v1/other", JSON, "good", "{}", 404, "Malformed"},
		{"a longer path", "POST", "/v1/challenge/x", JSON, "good", "{}", 404, "Malformed"},
		{"GET", "GET", "/v1/challenge", JSON, "good", "", 405, "Malformed"},
		{"no JSON", "POST", "/v1/challenge", "text/plain", "good", "{}", 415, "Malformed"},
		{"a patch of JSON", "POST", "/v1/challenge", "application/json-patch+json", "good",
			"{}", 415, "Malformed"},
		{"no token", "POST", "/v1/challenge", JSON, NULL, "{}", 401, "TokenInvalid"},
		{"a bad token", "POST", "/v1/challenge", JSON, "bad", "{}", 401, "TokenInvalid"},
		{"nobody can tell", "POST", "/v1/challenge", JSON, "unknown", "{}", 503, "Internal"},
		{"another account", "POST", "/v1/challenge", JSON, "other-user", "{}", 401,
			"TokenInvalid"},
		{"of no node", "POST", "/v1/challenge", JSON, "no-node", "{}", 401, "TokenInvalid"},
		{"of the node before", "POST", "/v1/challenge", JSON, "other-uid", "{}", 401,
			"TokenInvalid"},
		{"of no Node", "POST", "/v1/challenge", JSON, "other-node", "{}", 401,
			"TokenInvalid"},
		{"no version", "POST", "/v1/challenge", JSON, "good", "{}", 400, "Malformed"},
		{"a newer one", "POST", "/v1/challenge", JSON "; charset=utf-8", "good",
			"{\"protocol\":2}", 400, "UnsupportedVersion"},
		{"not simulated here", "POST", "/v1/simulated/certificate", JSON, "good",
			"{\"protocol\":1,\"publicKey\":\"a2V5\"}", 403, "SimulatedNotAllowed"},
		{"no challenge of ours", "POST", "/v1/evidence", JSON, "good",
			"{\"protocol\":1,\"publicKey\":\"a2V5\",\"challenge\":\"YWJj\",\"platform\":"
			"\"sgx\",\"evidence\":\"YQ==\"}", 403, "ChallengeInvalid"},
	};
	struct fix f;

	if (!begin(&f))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char want[64];

		send(&f, rows[i].method, rows[i].path, rows[i].type, rows[i].token, rows[i].body);
		snprintf(want, sizeof(want), "\"reason\":\"%s\"", rows[i].reason);
		CHECK_ROW(rows[i].name, f.status == rows[i].status && strstr(f.body, want), "%d %s",
			f.status, f.body);
	}
	end(&f);
}

/* The member challenge of the answer, in quotes; "" when there is none. */
static void take_challenge(struct fix *f, char out[1024])
{
	const char *at, *last;

	send(f, "POST", "/v1/challenge", JSON, "good", "{\"protocol\":1}");
	CHECK_ROW("challenge", f->status == 200, "%d %s", f->status, f->body);
	at = strstr(f->body, "\"challenge\":\"");
	last = at ? strchr(at + 13, '"') : NULL;
	snprintf(out, 1024, SPAN_FMT, (int)(last ? last - at - 13 : 0), at ? at + 13 : "");
}

/* Judged, stored, answered; and what was stored forbids the next. */
static void test_judged(void)
{
	char challenge[1024], body[2048];
	struct fix f;

	if (!begin(&f))
		return;
	take_challenge(&f, challenge);
	snprintf(body, sizeof(body),
		"{\"protocol\":1,\"publicKey\":\"a2V5\",\"challenge\":\"%s\",\"platform\":\"sgx\","
		"\"evidence\":\"YQ==\"}", challenge);
	send(&f, "POST", "/v1/evidence", JSON, "good", body);
	CHECK_ROW("evidence", f.status == 200 && strstr(f.body, "\"verdict\":\"Refused\"") &&
		strstr(f.body, "not good: a"), "%d %s", f.status, f.body);
	send(&f, "POST", "/v1/evidence", JSON, "good", body);
	CHECK_ROW("again", f.status == 403 && strstr(f.body, "ChallengeReplayed"), "%d %s",
		f.status, f.body);
	end(&f);
}

static void test_rate(void)
{
	unsigned limited = 0;
	struct fix f;

	if (!begin(&f))
		return;
	for (unsigned i = 0; i < 2 * DESK_BURST; i++) {
		send(&f, "POST", "/v1/challenge", JSON, "good", "{\"protocol\":1}");
		limited += f.status == 429;
	}
	CHECK_ROW("rate", limited >= DESK_BURST / 2 && limited <= DESK_BURST, "%u", limited);
	end(&f);
}

CU_TestInfo desk_tests[] = {
	{"refused", test_refused},
	{"judged", test_judged},
	{"rate", test_rate},
	CU_TEST_INFO_NULL,
};
