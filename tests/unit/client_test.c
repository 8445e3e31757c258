/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

/* What the API server answers to the requests of a row, in order. */
struct answer {
	int status; /* 0: the connection is closed without an answer */
	const char *headers, *body;
};

struct script {
	const struct answer *answers;
	const char *token; /* file to which the next token goes when a request comes; NULL: none */
};

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	const struct script *s = ctx;
	const struct answer *a = &s->answers[n];

	(void)request;
	if (s->token)
		write_text(s->token, "token-2");
	if (a->status)
		fake_respond(reply, a->status, a->headers, a->body);
	reply->close = !a->status;
}

struct outcome {
	unsigned done;
	int status, code;
	char reason[64], message[256], body[256];
	struct kube_client **free_client; /* in done */
};

static void on_done(void *ctx, const struct kube_result *res)
{
	struct outcome *o = ctx;

	o->done++;
	o->status = res->status;
	o->code = res->code;
	snprintf(o->reason, sizeof(o->reason), "%s", res->reason);
	snprintf(o->message, sizeof(o->message), "%s", res->message);
	snprintf(o->body, sizeof(o->body), SPAN_FMT, SPAN_ARG(res->body));
	if (o->free_client)
		kube_client_free(TAKE_PTR(*o->free_client));
}

static bool is_done(void *ctx)
{
	return ((struct outcome *)ctx)->done;
}

#define NOT_FOUND                                                                                  \
	"{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"secrets \\\"x\\\" not found\"," \
	"\"reason\":\"NotFound\",\"code\":404}"

#define DIGITS "01234567890123456789012345678901234567890123456789"
#define LONG   DIGITS DIGITS DIGITS

static void test_retries(void)
{
	static const struct {
		const char *name, *method;
		struct answer answers[4];
		unsigned requests;
		int status, code;
		const char *reason, *message, *body;
	} rows[] = {
		{"success", "GET", {{200, NULL, "{}"}}, 1, 200, 0, "", "", "{}"},
		{"a Status", "GET", {{404, NULL, NOT_FOUND}}, 1, 404, 0, "NotFound",
			"secrets \"x\" not found", NOT_FOUND},
		{"no Status", "GET", {{502, NULL, "<html>"}}, 1, 502, 0, "",
			"the API server answered HTTP 502", "<html>"},
		{"a Status that says nothing", "GET", {{500, NULL, "{\"reason\":7}"}}, 1, 500, 0,
			"", "the API server answered HTTP 500", "{\"reason\":7}"},
		{"429 with Retry-After", "POST",
			{{429, "Retry-After: 0\r\n", "busy"}, {201, NULL, "{\"a\":1}"}}, 2, 201, 0,
			"", "", "{\"a\":1}"},
		{"503 with Retry-After", "PUT",
			{{503, "Retry-After: 0\r\n", "busy"}, {503, "Retry-After: 0\r\n", ""},
				{200, NULL, "{}"}},
			3, 200, 0, "", "", "{}"},
		{"429 without", "GET", {{429, NULL, "busy"}}, 1, 429, 0, "",
			"the API server answered HTTP 429", "busy"},
		{"Retry-After beyond the timeout", "GET", {{429, "Retry-After: 100\r\n", "busy"}},
			1, 429, 0, "", "the API server answered HTTP 429", "busy"},
		{"409 with Retry-After", "PUT", {{409, "Retry-After: 0\r\n", ""}}, 1, 409, 0, "",
			"the API server answered HTTP 409", ""},
		{"a lost GET", "GET", {{0}, {0}, {200, NULL, "{}"}}, 3, 200, 0, "", "", "{}"},
		{"a lost POST", "POST", {{0}}, 1, 0, -EIO, "", "Empty reply from server", ""},
		{"401, then the new token", "POST", {{401, NULL, ""}, {201, NULL, "{}"}}, 2, 201, 0,
			"", "", "{}"},
		{"401 twice", "GET", {{401, NULL, ""}, {401, NULL, ""}}, 2, 401, 0, "",
			"the API server answered HTTP 401", ""},
		{"too large", "GET",
			{{200, NULL, LONG}},
			1, 200, -E2BIG, "", "the response is larger than 120 bytes", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script s = {rows[i].answers, NULL};
		struct outcome o = {0};
		struct kube_fix f;
		struct kube_request req = {.method = rows[i].method,
			.path = "/api/v1/x?y=1",
			.body = strcmp(rows[i].method, "GET") ? SPAN_LIT("{}") : SPAN_NONE,
			.max_response = 120};

		if (!kube_fix_begin(&f, answer, &s))
			return;
		CU_ASSERT_EQUAL(kube_call(f.client, &req, on_done, &o, NULL, NULL), 0);
		CHECK_ROW(rows[i].name, kube_fix_wait(&f, is_done, &o), "not done");
		CHECK_ROW(rows[i].name, fake_server_requests(f.server) == rows[i].requests,
			"%u requests", fake_server_requests(f.server));
		CHECK_ROW(rows[i].name, o.status == rows[i].status && o.code == rows[i].code,
			"status %d, code %d", o.status, o.code);
		CHECK_STR(rows[i].name, span_str(o.reason), rows[i].reason);
		CHECK_STR(rows[i].name, span_str(o.message), rows[i].message);
		CHECK_STR(rows[i].name, span_str(o.body), rows[i].body);
		kube_fix_end(&f);
	}
}

static void test_token(void)
{
	static const struct answer answers[] = {
		{401, NULL, ""}, {200, NULL, "{}"}, {200, NULL, "{}"}};
	struct kube_fix f;
	struct script s = {answers, f.token};
	struct kube_request req = {.method = "GET", .path = "/x"};
	static const char *const want[] = {"token-1", "token-2", "token-2"};
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);

	if (!kube_fix_begin(&f, answer, &s))
		return;
	CHECK_STR("namespace", span_str(kube_client_namespace(f.client)), "ns1");
	for (unsigned i = 0; i < 2; i++) {
		struct outcome o = {0};

		CU_ASSERT_EQUAL(kube_call(f.client, &req, on_done, &o, NULL, NULL), 0);
		CU_ASSERT_TRUE(kube_fix_wait(&f, is_done, &o));
		CU_ASSERT_EQUAL(o.status, 200);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		_cleanup_free_ char *request = fake_server_request(f.server, i);
		char line[64];

		snprintf(line, sizeof(line), "\r\nAuthorization: Bearer %s\r\n", want[i]);
		CHECK_ROW(want[i], request && strstr(request, line), "%s", request);
	}
	metrics_expose(f.metrics, METRICS_TEXT, &text);
	CHECK_ROW("metric",
		text.p &&
			strstr(text.p,
				"test_api_requests_total{method=\"GET\",code=\"200\"} 2\n") &&
			strstr(text.p, "test_api_requests_total{method=\"GET\",code=\"401\"} 1\n"),
		"%s", text.p);
	kube_fix_end(&f);
}

static void test_content_types(void)
{
	static const struct answer answers[] = {{200, NULL, "{}"}, {200, NULL, "{}"},
		{200, NULL, "{}"}, {200, NULL, "{}"}, {200, NULL, "{}"}};
	static const struct {
		const char *method;
		enum kube_patch patch;
		const char *want;
	} rows[] = {
		{"PATCH", KUBE_PATCH_JSON, "application/json-patch+json"},
		{"PATCH", KUBE_PATCH_MERGE, "application/merge-patch+json"},
		{"PATCH", KUBE_PATCH_STRATEGIC, "application/strategic-merge-patch+json"},
		{"PATCH", KUBE_PATCH_APPLY, "application/apply-patch+yaml"},
		{"POST", 0, "application/json"},
	};
	struct script s = {answers, NULL};
	struct kube_fix f;

	if (!kube_fix_begin(&f, answer, &s))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kube_request req = {.method = rows[i].method,
			.path = "/x?a=b",
			.patch = rows[i].patch,
			.body = SPAN_LIT("{\"k\":1}")};
		_cleanup_free_ char *request = NULL;
		struct outcome o = {0};
		char line[80];

		CU_ASSERT_EQUAL(kube_call(f.client, &req, on_done, &o, NULL, NULL), 0);
		CU_ASSERT_TRUE(kube_fix_wait(&f, is_done, &o));
		request = fake_server_request(f.server, i);
		snprintf(line, sizeof(line), "\r\nContent-Type: %s\r\n", rows[i].want);
		CHECK_ROW(rows[i].want,
			request && strstr(request, line) &&
				strstr(request, " /x?a=b HTTP/1.1\r\n") &&
				strstr(request, "\r\n\r\n{\"k\":1}"),
			"%s", request);
	}
	kube_fix_end(&f);
}

static void test_cancel(void)
{
	static const struct answer answers[] = {{429, "Retry-After: 1\r\n", ""}, {200, NULL, "{}"},
		{200, NULL, "{}"}, {200, NULL, "{}"}};
	struct script s = {answers, NULL};
	struct kube_request req = {.method = "GET", .path = "/x"};
	struct kube_call *call, *again;
	struct outcome o = {0};
	struct kube_fix f;

	if (!kube_fix_begin(&f, answer, &s))
		return;
	/* While it waits to try again; before anything; with the whole client. */
	CU_ASSERT_EQUAL(kube_call(f.client, &req, on_done, &o, &call, NULL), 0);
	for (int i = 0; fake_server_requests(f.server) == 0 && i < 500; i++)
		sd_event_run(f.event, 10 * USEC_PER_MSEC);
	kube_fix_linger(&f, 50 * USEC_PER_MSEC);
	kube_cancel(call);
	CU_ASSERT_EQUAL(kube_call(f.client, &req, on_done, &o, &again, NULL), 0);
	kube_cancel(again);
	kube_cancel(NULL);
	kube_fix_linger(&f, 50 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(o.done, 0);
	o.free_client = &f.client;
	CU_ASSERT_EQUAL(kube_call(f.client, &req, on_done, &o, NULL, NULL), 0);
	CU_ASSERT_EQUAL(kube_call(f.client, &req, on_done, &o, NULL, NULL), 0);
	CU_ASSERT_TRUE(kube_fix_wait(&f, is_done, &o));
	kube_fix_linger(&f, 20 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(o.done, 1);
	CU_ASSERT_PTR_NULL(f.client);
	kube_fix_end(&f);
}

static void test_no_credentials(void)
{
	static const struct {
		const char *name, *kubeconfig, *host, *port;
		bool token;
		int code;
		const char *message;
	} rows[] = {
		{"nothing", NULL, NULL, NULL, false, -ENOENT,
			"no way to the API server: KUBERNETES_SERVICE_HOST is not set; run in a "
			"pod with "
			"a service account token, or name a kubeconfig file"},
		{"no token", "", "10.0.0.1", "443", false, -ENOENT,
			"no way to the API server: the service account has no token here; run in a "
			"pod "
			"with a service account token, or name a kubeconfig file"},
		{"no port", "", "10.0.0.1", NULL, true, -EINVAL,
			"KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must name the API "
			"server; "
			"they say '10.0.0.1' and ''"},
		{"no CA", "", "10.0.0.1", "443", true, -ENOENT, "cannot read "},
		{"no file", "/nonexistent/config", NULL, NULL, false, -ENOENT,
			"cannot read /nonexistent/config: No such file or directory"},
	};
	char dir[] = "/tmp/casemate-test-XXXXXX", token[64];
	sd_event *event = NULL;

	CU_ASSERT_PTR_NOT_NULL(mkdtemp(dir));
	snprintf(token, sizeof(token), "%s/token", dir);
	CU_ASSERT_EQUAL(sd_event_new(&event), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kube_client_options o = {
			.kubeconfig = rows[i].kubeconfig, .service_account_dir = dir};
		struct kube_client *c = NULL;
		struct error err = {0};
		int r;

		unsetenv("KUBERNETES_SERVICE_HOST");
		unsetenv("KUBERNETES_SERVICE_PORT");
		if (rows[i].host)
			setenv("KUBERNETES_SERVICE_HOST", rows[i].host, 1);
		if (rows[i].port)
			setenv("KUBERNETES_SERVICE_PORT", rows[i].port, 1);
		if (rows[i].token)
			write_text(token, "t");
		r = kube_client_new(&c, event, &o, &err);
		CHECK_ROW(rows[i].name, r == rows[i].code, "%d", r);
		CHECK_ROW(rows[i].name, span_starts(span_str(err.message), rows[i].message), "%s",
			err.message);
		CU_ASSERT_PTR_NULL(c);
	}
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_PORT");
	sd_event_unref(event);
	unlink(token);
	rmdir(dir);
}

CU_TestInfo client_tests[] = {
	{"answers and retries", test_retries},
	{"the token is read again", test_token},
	{"content types", test_content_types},
	{"cancel and free", test_cancel},
	{"no credentials", test_no_credentials},
	CU_TEST_INFO_NULL,
};
