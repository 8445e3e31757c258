/* SPDX-License-Identifier: Apache-2.0
 *
 * The envelope: what becomes of each kind of body, as HTTP status and as AdmissionReview. What
 * policy decides has tests of its own; here it only has to arrive. */
#include "webhook/admission/review.h"

#include "tests/unit/policy_fixture.h"
#include "tests/unit/policy_json.h"
#include "tests/unit/test.h"

enum { ANSWER_MAX = 1 << 20 };

#define ENVELOPE(request)                                                                          \
	"{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1','request':{" request "}}"
#define ASK(operation, kind, rest)                                                                 \
	ENVELOPE("'uid':'u-1','operation':'" operation                                             \
		 "','kind':{'group':'','version':'v1','kind':'" kind                               \
		 "'},'namespace':'shop','name':'p','userInfo':{'username':'alice','groups':['"     \
		 "staff']}," rest)
#define CREATE(pod) ASK("CREATE", "Pod", "'object':" pod)
#define PLAIN       POD("", APPS(APP))
#define ASKS        POD(SGX_64, APPS(APP))
#define NO_EPC      POD(TEE("sgx"), APPS(APP))
#define MADE        DONE("," SGX_64, CLASS_SGX "," APPS(APP_64))
#define DEPLOYMENT  "{'kind':'Deployment','metadata':{'name':'d'},'spec':{'template':" NO_EPC "}}"
#define EXEC                                                                                       \
	ASK("CONNECT", "PodExecOptions", "'subResource':'exec','object':{'kind':'PodExecOptions'}")

struct row {
	const char *name;
	const char *body;    /* with ' for " */
	const char *message; /* part of it; NULL: there is none */
	const char *audit;   /* the annotation's reason; NULL: there is none */
	const char *warns;   /* part of a warning; NULL: there is none */
	enum review_webhook webhook;
	bool refused, patched;
	bool bad; /* HTTP status 400 */
};

static const struct row rows[] = {
	{.name = "a pod that asks for nothing", .body = CREATE(PLAIN)},
	{.name = "nothing to validate either", .body = CREATE(PLAIN), .webhook = REVIEW_VALIDATE},
	{.name = "a pod that asks", .body = CREATE(ASKS), .patched = true, .audit = "Injected"},
	{.name = "a pod that has been made", .body = CREATE(MADE), .audit = "Injected"},
	{.name = "which is valid",
		.body = CREATE(MADE),
		.webhook = REVIEW_VALIDATE,
		.audit = "Injected"},
	{.name = "a pod that cannot be made",
		.body = CREATE(NO_EPC),
		.refused = true,
		.message = "casemate.dev/epc",
		.audit = "EpcMissing"},
	{.name = "a pod that was not made",
		.body = CREATE(ASKS),
		.webhook = REVIEW_VALIDATE,
		.refused = true,
		.message = "/metadata/annotations",
		.audit = "NotAsPromised"},
	{.name = "a warning",
		.body = CREATE(POD("'sgx.intel.com/epc':'1Gi'", APPS(APP))),
		.patched = true,
		.warns = "sgx.intel.com/epc"},
	{.name = "a dry run is judged alike",
		.body = ASK("CREATE", "Pod", "'dryRun':true,'object':" ASKS),
		.patched = true,
		.audit = "Injected"},
	{.name = "unknown fields of the envelope",
		.body = ASK("CREATE", "Pod", "'future':{'a':[1]},'options':null,'object':" ASKS),
		.patched = true,
		.audit = "Injected"},
	{.name = "only creations of pods are mutated",
		.body = ASK("UPDATE", "Pod", "'object':" ASKS ",'oldObject':" ASKS)},
	{.name = "and no subresource",
		.body = ASK("CREATE", "Pod", "'subResource':'eviction','object':" ASKS)},
	{.name = "nor a workload", .body = ASK("CREATE", "Deployment", "'object':" DEPLOYMENT)},
	{.name = "a workload is warned",
		.body = ASK("CREATE", "Deployment", "'object':" DEPLOYMENT),
		.webhook = REVIEW_VALIDATE,
		.warns = "casemate.dev/epc",
		.audit = "EpcMissing"},
	{.name = "an unknown kind passes",
		.body = ASK("CREATE", "Cheese", "'object':{'a':1}"),
		.webhook = REVIEW_VALIDATE},
	{.name = "a deletion", .body = ASK("DELETE", "Pod", "'object':null,'oldObject':" MADE)},
	{.name = "a deletion is valid",
		.body = ASK("DELETE", "Pod", "'oldObject':" MADE),
		.webhook = REVIEW_VALIDATE},
	{.name = "entering is not mutated", .body = EXEC},
	{.name = "no object",
		.body = ASK("CREATE", "Pod", "'dryRun':false"),
		.refused = true,
		.message = "request.object",
		.audit = "Malformed"},
	{.name = "an object that is none",
		.body = CREATE("[]"),
		.webhook = REVIEW_VALIDATE,
		.refused = true,
		.message = "request.object",
		.audit = "Malformed"},
	{.name = "nothing", .body = "", .bad = true, .message = ""},
	{.name = "no JSON",
		.body = "kind: AdmissionReview",
		.bad = true,
		.message = "no AdmissionReview"},
	{.name = "JSON that is no object", .body = "[]", .bad = true, .message = "AdmissionReview"},
	{.name = "something behind the review",
		.body = CREATE(PLAIN) "x",
		.bad = true,
		.message = "no AdmissionReview"},
	{.name = "a duplicate key",
		.body = CREATE("{'spec':{},'spec':{}}"),
		.bad = true,
		.message = "spec"},
	{.name = "another kind",
		.body = "{'kind':'Pod','apiVersion':'v1'}",
		.bad = true,
		.message = "AdmissionReview"},
	{.name = "another version",
		.body = "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/"
			"v1beta1','request':{'uid':'u'}}",
		.bad = true,
		.message = "admission.k8s.io/v1"},
	{.name = "a version that is a number",
		.body = "{'kind':'AdmissionReview','apiVersion':1}",
		.bad = true,
		.message = "admission.k8s.io/v1"},
	{.name = "a response instead of a request",
		.body = "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/"
			"v1','response':{'uid':'u'}}",
		.bad = true,
		.message = "request.uid"},
	{.name = "a request that is a list",
		.body = "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/"
			"v1','request':[]}",
		.bad = true,
		.message = "request.uid"},
	{.name = "no uid",
		.body = ENVELOPE("'operation':'CREATE'"),
		.bad = true,
		.message = "request.uid"},
	{.name = "a uid that is a number",
		.body = ENVELOPE("'uid':1,'operation':'CREATE'"),
		.bad = true,
		.message = "request.uid"},
	{.name = "no operation",
		.body = ENVELOPE("'uid':'u'"),
		.bad = true,
		.message = "request.operation"},
	{.name = "an unknown operation",
		.body = ASK("PATCH", "Pod", "'object':" PLAIN),
		.bad = true,
		.message = "request.operation"},
	{.name = "an operation in small letters",
		.body = ASK("create", "Pod", "'object':" PLAIN),
		.bad = true,
		.message = "request.operation"},
	{.name = "no kind",
		.body = ENVELOPE("'uid':'u','operation':'CREATE','object':{}"),
		.bad = true,
		.message = "request.kind.kind"},
};

struct answered {
	struct fixture f;
	struct review_scratch scratch;
	struct review_context ctx;
	struct buf out;
	struct review_outcome o;
};

static void setup(struct answered *t)
{
	*t = (struct answered){.out = BUF_INIT(ANSWER_MAX)};
	fixture_init(&t->f);
	review_scratch_init(&t->scratch);
	t->ctx = (struct review_context){.config = &t->f.config, .limits = review_limits};
}

static void teardown(struct answered *t)
{
	review_scratch_free(&t->scratch);
	buf_free(&t->out);
	fixture_free(&t->f);
}
#define _cleanup_answered_ _cleanup_(teardown)

/* The answer to body, parsed; a missing value when it is no JSON. */
static struct json_val ask(struct answered *t, enum review_webhook webhook, struct span body)
{
	review_scratch_reset(&t->scratch);
	buf_reset(&t->out);
	t->ctx.webhook = webhook;
	review(&t->scratch, &t->ctx, body, &t->out, &t->o);
	if (t->o.needs_pod)
		return (struct json_val){0};
	return fixture_json(&t->f, buf_view(&t->out));
}

static bool contains(struct answered *t, struct json_val v, const char *part)
{
	struct span s = json_str(v, &t->f.a);
	char *text = arena_strdup(&t->f.a, s);

	return part ? text && s.p && strstr(text, part) : !s.p;
}

/* Does the answer agree with the outcome that metrics and logs will tell? */
static void check_outcome(struct answered *t, const struct row *row, struct json_val response)
{
	const char *verdict = review_verdict_name(&t->o);
	const char *want = row->bad       ? "error"
			   : row->refused ? "refused"
			   : row->patched ? "mutated"
					  : "passed";

	CHECK_ROW(row->name, strcmp(verdict, want) == 0, "verdict %s, want %s", verdict, want);
	CHECK_ROW(row->name, row->refused || (t->o.patch_bytes > 0) == row->patched,
		"%zu bytes of patch", t->o.patch_bytes);
	if (row->bad)
		return;
	CHECK_STR(row->name, t->o.namespace_, "shop");
	CHECK_STR(row->name, t->o.name, "p");
	CHECK_STR(row->name, t->o.user, "alice");
	CHECK_ROW(row->name,
		row->audit
			? json_str_is(json_find(response, "auditAnnotations", "reason"), row->audit)
			: !json_is_object(json_get(response, "auditAnnotations")),
		"another audit annotation in " SPAN_FMT, SPAN_ARG(buf_view(&t->out)));
}

static void check_cause(const struct row *row, struct json_val causes)
{
	struct json_val cause = json_at(causes, 0);

	CHECK_ROW(row->name, json_count(causes) == (row->refused ? 1 : 0), "causes");
	CHECK_ROW(row->name, !row->refused || json_str_is(json_get(cause, "reason"), row->audit),
		SPAN_FMT, SPAN_ARG(json_raw(cause)));
}

static void check_row(struct answered *t, const struct row *row, struct json_val root)
{
	struct json_val response = json_get(root, "response");
	struct json_val message =
		json_get(row->bad ? root : json_get(response, "status"), "message");
	struct json_iter it;
	bool warned = false;

	CHECK_ROW(row->name, t->o.status == (row->bad ? 400 : 200), "status %d", t->o.status);
	CHECK_ROW(row->name,
		json_str_is(json_get(root, "kind"), row->bad ? "Status" : "AdmissionReview"),
		SPAN_FMT, SPAN_ARG(buf_view(&t->out)));
	CHECK_ROW(row->name, contains(t, message, row->message), "message: " SPAN_FMT,
		SPAN_ARG(json_raw(message)));
	check_outcome(t, row, response);
	if (row->bad) {
		CHECK_ROW(row->name, json_str_is(json_get(root, "reason"), "BadRequest"), "reason");
		return;
	}
	CHECK_ROW(row->name, json_str_is(json_get(root, "apiVersion"), "admission.k8s.io/v1"),
		"version");
	CHECK_ROW(row->name, json_str_is(json_get(response, "uid"), "u-1"), "uid");
	CHECK_ROW(row->name,
		json_type(json_get(response, "allowed")) == (row->refused ? JSON_FALSE : JSON_TRUE),
		"allowed");
	CHECK_ROW(row->name,
		json_is_string(json_get(response, "patch")) == row->patched &&
			json_str_is(json_get(response, "patchType"), "JSONPatch") == row->patched,
		"patch: " SPAN_FMT, SPAN_ARG(json_raw(json_get(response, "patch"))));
	check_cause(row, json_find(response, "status", "details", "causes"));
	json_each (it, json_get(response, "warnings"))
		warned = warned || (row->warns && contains(t, it.value, row->warns));
	CHECK_ROW(row->name, row->warns ? warned : json_count(json_get(response, "warnings")) == 0,
		SPAN_FMT, SPAN_ARG(buf_view(&t->out)));
}

/* A refusal says for programs what it says for people. */
static void test_cause(void)
{
	_cleanup_answered_ struct answered t;
	struct json_val root;

	setup(&t);
	root = ask(&t, REVIEW_MUTATE, fixture_text(&t.f, CREATE(NO_EPC)));
	CHECK_STR("causes",
		json_raw(json_find(root, "response", "status", "details", "causes")),
		"[{\"reason\":\"EpcMissing\",\"message\":\"an SGX container has no EPC size: set "
		"casemate.dev/epc\"}]");
}

static void test_envelopes(void)
{
	_cleanup_answered_ struct answered t;

	setup(&t);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&t, &rows[i], ask(&t, rows[i].webhook, fixture_text(&t.f, rows[i].body)));
}

static void test_truncations(void)
{
	_cleanup_answered_ struct answered t;
	struct span body;

	setup(&t);
	body = fixture_text(&t.f, CREATE(ASKS));
	for (size_t n = 0; n < body.len; n++) {
		struct span cut = arena_dup(&t.f.a, (struct span){body.p, n});

		review_scratch_reset(&t.scratch);
		buf_reset(&t.out);
		review(&t.scratch, &t.ctx, cut, &t.out, &t.o);
		CHECK_ROW("cut", t.o.status == 400, "%zu bytes: status %d", n, t.o.status);
	}
}

/* A uid of any characters comes back as it was spelled. */
static void test_uid(void)
{
	static const char *const uids[] = {"\"\"", "\"\\u0061\\n\\\"\"", "\"\xc3\xa9\""};
	_cleanup_answered_ struct answered t;

	setup(&t);
	for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
		char *body = arena_printf(&t.f.a,
			"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/"
			"v1\",\"request\":{\"uid\":%s,"
			"\"operation\":\"DELETE\",\"kind\":{\"kind\":\"Pod\"}}}",
			uids[i]);
		struct json_val root = ask(&t, REVIEW_MUTATE, span_str(body));

		CHECK_STR("uid", json_raw(json_find(root, "response", "uid")), uids[i]);
	}
}

/* Whose namespaces are enabled decides about profiles: the set says so, or the webhook's entry. */
static void test_namespace(void)
{
	static const char *const payments[] = {
		PROFILE("payments", "'tee':'sgx','podSelector':{'matchLabels':{'app':'pay'}},'epc':"
				    "{'default':'32Mi'}"),
		NULL};
	static const char labelled[] =
		"{'metadata':{'labels':{'app':'pay'}},'spec':{" APPS(APP) "}}";
	static const char named[] =
		"{'metadata':{'namespace':'shop','labels':{'app':'pay'}},'spec':{" APPS(APP) "}}";
	static const struct {
		const char *name, *body;
		bool patched;
	} table[] = {
		{"by the request",
			ENVELOPE("'uid':'u','operation':'CREATE','kind':{'kind':'Pod'},'namespace':"
				 "'shop','object':"),
			true},
		{"another one",
			ENVELOPE("'uid':'u','operation':'CREATE','kind':{'kind':'Pod'},'namespace':"
				 "'bank','object':"),
			false},
		{"by the object",
			ENVELOPE("'uid':'u','operation':'CREATE','kind':{'kind':'Pod'},'object':"),
			true},
		{"nowhere",
			ENVELOPE("'uid':'u','operation':'CREATE','kind':{'kind':'Pod'},'object':"),
			false},
	};
	_cleanup_answered_ struct answered t;

	setup(&t);
	fixture_profiles(&t.f, payments);
	t.ctx.profiles = t.f.profiles;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		size_t n = strlen(table[i].body) - 2;
		char *body = arena_printf(&t.f.a, "%.*s%s}}", (int)n, table[i].body,
			strcmp(table[i].name, "by the object") == 0 ? named : labelled);

		ask(&t, REVIEW_MUTATE, fixture_text(&t.f, body));
		CHECK_ROW(table[i].name,
			(t.o.result.verdict == VERDICT_MUTATED) == table[i].patched, SPAN_FMT,
			SPAN_ARG(buf_view(&t.out)));
	}
}

/* exec and friends wait for the pod. */
static void test_connect(void)
{
	static const struct {
		const char *name, *pod, *problem, *audit;
		bool refused;
	} table[] = {
		{"an ordinary pod", PLAIN, NULL, NULL, false},
		{"a confidential pod", MADE, NULL, "AccessDenied", true},
		{"no pod", "", "it took too long", "PodUnknown", true},
		{"a pod that is no JSON", "{", NULL, "PodUnknown", true},
	};
	_cleanup_answered_ struct answered t;

	setup(&t);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct json_val response;

		ask(&t, REVIEW_VALIDATE, fixture_text(&t.f, EXEC));
		if (!CHECK_ROW(table[i].name, t.o.needs_pod && t.out.len == 0,
			    "nothing is decided yet"))
			continue;
		CHECK_STR(table[i].name, t.o.subresource, "exec");
		review_connect(&t.scratch, &t.ctx, fixture_text(&t.f, table[i].pod),
			table[i].problem, &t.out, &t.o);
		response = json_get(fixture_json(&t.f, buf_view(&t.out)), "response");
		CHECK_ROW(table[i].name, t.o.status == 200 && !t.o.needs_pod, "status %d",
			t.o.status);
		CHECK_ROW(table[i].name,
			json_str_is(json_get(response, "uid"), "u-1") &&
				json_type(json_get(response, "allowed")) ==
					(table[i].refused ? JSON_FALSE : JSON_TRUE),
			SPAN_FMT, SPAN_ARG(buf_view(&t.out)));
		CHECK_ROW(table[i].name,
			!table[i].audit ||
				json_str_is(json_find(response, "auditAnnotations", "reason"),
					table[i].audit),
			SPAN_FMT, SPAN_ARG(buf_view(&t.out)));
		CHECK_ROW(table[i].name,
			!table[i].problem || contains(&t, json_find(response, "status", "message"),
						     table[i].problem),
			SPAN_FMT, SPAN_ARG(buf_view(&t.out)));
	}
}

/* Which pod is looked up. */
static void test_connect_name(void)
{
	static const struct {
		const char *subresource, *name, *want;
	} table[] = {
		{"proxy", "web", "web"},
		{"proxy", "web:8080", "web"},
		{"proxy", "web:http", "web"},
		{"proxy", "web:", "web"},
		{"proxy", "https:web:8443", "web"},
		{"proxy", "https:web:", "web"},
		{"proxy", ":web:80", "web"},
		{"proxy", ":80", ":80"},
		{"proxy", "https::443", "https::443"},
		{"exec", "web:8080", "web:8080"},
	};
	_cleanup_answered_ struct answered t;

	setup(&t);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char *body = arena_printf(&t.f.a,
			ENVELOPE("'uid':'u','operation':'CONNECT','kind':{'kind':"
				 "'PodProxyOptions'},'namespace':'shop','subResource':'%s','name':"
				 "'%s','object':{}"),
			table[i].subresource, table[i].name);

		ask(&t, REVIEW_VALIDATE, fixture_text(&t.f, body));
		CU_ASSERT_TRUE(t.o.needs_pod);
		CHECK_STR(table[i].name, t.o.name, table[i].want);
	}
}

/* A review beyond the limits given is no review; one within may be large. */
static void test_limits(void)
{
	_cleanup_answered_ struct answered t;
	_cleanup_buf_ struct buf body = BUF_INIT(REVIEW_BODY_MAX + 1);
	struct span text;

	setup(&t);
	text = fixture_text(&t.f, CREATE(ASKS));
	buf_span(&body, text);
	while (body.len < 2 << 20)
		buf_putc(&body, ' ');
	ask(&t, REVIEW_MUTATE, buf_view(&body));
	CHECK_ROW("large", t.o.status == 200 && t.o.result.verdict == VERDICT_MUTATED, "status %d",
		t.o.status);
	t.ctx.limits.max_bytes = text.len - 1;
	ask(&t, REVIEW_MUTATE, text);
	CHECK_ROW("too large", t.o.status == 400, "status %d", t.o.status);
	t.ctx.limits.max_bytes = text.len;
	t.ctx.limits.max_depth = 3;
	ask(&t, REVIEW_MUTATE, text);
	CHECK_ROW("too deep", t.o.status == 400, "status %d", t.o.status);
	t.ctx.limits = review_limits;
	buf_free(&t.out);
	t.out = (struct buf)BUF_INIT(64);
	review(&t.scratch, &t.ctx, text, &t.out, &t.o);
	CHECK_ROW("no room for the answer", t.o.status == 500, "status %d", t.o.status);
}

CU_TestInfo review_tests[] = {
	{"envelopes", test_envelopes},
	{"the cause of a refusal", test_cause},
	{"truncations", test_truncations},
	{"uid", test_uid},
	{"namespace", test_namespace},
	{"connect", test_connect},
	{"whom exec and friends enter", test_connect_name},
	{"limits", test_limits},
	CU_TEST_INFO_NULL,
};
