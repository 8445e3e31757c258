/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/attest/attest.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/tee/binding.h"
#include "common/tee/protocol.h"
#include "common/tee/simulated.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

#define TOKEN                                                                                      \
	"eyJhbGciOiJub25lIn0."                                                                     \
	"eyJleHAiOjE3OTU4NjcyMDAsImt1YmVybmV0ZXMuaW8iOnsibm9kZSI6eyJuYW1lIjoibm9kZS0xIiwidWlkIjoi" \
	"MTIzNCJ9fX0.c2ln"

/* The verifier: what it answers to each path. */
struct verifier {
	_Atomic(int) challenge_status;
	_Atomic(const char *) verdict; /* the answer to evidence, whole */
	atomic_uint evidence;          /* how often it came */
	struct buf root_cert;
	struct secret root_key;
};

static void answer_challenge(struct verifier *v, struct fake_reply *reply)
{
	int status = atomic_load(&v->challenge_status);

	fake_respond(reply, status, status == 429 ? "Retry-After: 1\r\n" : NULL,
		status == 200
			? "{\"protocol\":1,\"challenge\":\"Zm9v\"}"
			: "{\"protocol\":1,\"reason\":\"RateLimited\",\"message\":\"later\"}");
}

/* The public key as it comes: {"protocol":1,"publicKey":"…"}. */
static void answer_certificate(struct verifier *v, const char *request, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf cert = BUF_INIT(1 << 16), body = BUF_INIT(1 << 16);
	const char *key = strstr(request, "\"publicKey\":\"");
	unsigned char der[512];
	const unsigned char *p = der;
	EVP_PKEY *pkey;
	int n;

	key += strlen("\"publicKey\":\"");
	n = EVP_DecodeBlock(der, (const unsigned char *)key, (int)(strchr(key, '"') - key));
	pkey = n > 0 ? d2i_PUBKEY(NULL, &p, n) : NULL;
	if (!pkey || simulated_certify(&cert, buf_view(&v->root_cert), secret_view(&v->root_key), pkey,
			     "1234", clock_unix_usec() / USEC_PER_SEC, 3600, NULL) < 0) {
		fake_respond(reply, 400, NULL, "{}");
	} else {
		buf_puts(&body, "{\"protocol\":1,\"certificate\":");
		buf_json_string(&body, buf_view(&cert));
		buf_putc(&body, '}');
		fake_respond(reply, 200, NULL, body.p);
	}
	EVP_PKEY_free(pkey);
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct verifier *v = ctx;

	(void)n;
	if (strstr(request, PROTOCOL_PATH_CHALLENGE)) {
		answer_challenge(v, reply);
	} else if (strstr(request, PROTOCOL_PATH_SIMULATED)) {
		answer_certificate(v, request, reply);
	} else {
		atomic_fetch_add(&v->evidence, 1);
		fake_respond(reply, 200, NULL, atomic_load(&v->verdict));
	}
}

#define VERDICT(name, reason, until)                                                               \
	"{\"protocol\":1,\"verdict\":\"" name "\",\"reason\":\"" reason                            \
	"\",\"message\":\"so be it\",\"validUntil\":\"" until "\",\"again\":3600}"
#define FAR "2199-01-01T00:00:00Z"

struct fix {
	struct kube_fix kube;
	struct verifier v;
	struct attest *attest;
	struct platform platform;
	enum attest_state want;
	unsigned want_evidence;
	bool want_problem;
	int64_t gap_usec;
	const char *sysroot;
	bool no_sgx_evidence;
};

static bool fix_begin(struct fix *f)
{
	static const char *const quote_labels[] = {"source", "result", NULL};
	char url[64];
	struct attest_options o = {.ca_file = "",
		.node = "node-1",
		.url = url,
		.sysroot = f->sysroot,
		.no_sgx_evidence = f->no_sgx_evidence};
	struct error err = {0};

	f->v.root_cert = BUF_INIT(1 << 16);
	atomic_store(&f->v.challenge_status, 200);
	atomic_store(&f->v.verdict, VERDICT("Attested", "Ok", FAR));
	if (!kube_fix_begin(&f->kube, answer, &f->v))
		return false;
	kube_fix_token(&f->kube, TOKEN);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", fake_server_port(f->kube.server));
	o.event = f->kube.event;
	o.token_file = f->kube.token;
	o.metrics = f->kube.metrics;
	o.gap_usec = f->gap_usec;
	o.quotes = metrics_counter(
		f->kube.metrics, "casemate_agent_quotes_total", "Quotes.", quote_labels);
	return CHECK_ROW("attest_new", attest_new(&f->attest, &o, &err) == 0, "%s", err.message);
}

static void fix_end(struct fix *f)
{
	attest_free(f->attest);
	kube_fix_end(&f->kube);
	buf_free(&f->v.root_cert);
	secret_free(&f->v.root_key);
}

static bool as_wanted(void *ctx)
{
	struct fix *f = ctx;
	struct attest_view v = attest_view(f->attest);

	return v.state == f->want && v.phase == ATTEST_PHASE_RESTING &&
	       atomic_load(&f->v.evidence) >= f->want_evidence &&
	       (*v.problem != '\0') == f->want_problem;
}

static void expect(struct fix *f, enum attest_state state, unsigned evidence, bool problem)
{
	struct attest_view v;

	f->want = state;
	f->want_evidence = evidence;
	f->want_problem = problem;
	if (kube_fix_wait(&f->kube, as_wanted, f))
		return;
	v = attest_view(f->attest);
	CHECK_ROW("state", false, "got %s (%s, evidence %u): %s %s", attest_state_name(v.state),
		attest_phase_name(v.phase), atomic_load(&f->v.evidence), v.reason, v.problem);
}

static void check_quotes(struct fix *f, const char *want)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
	char line[128];

	snprintf(line, sizeof(line), "\ncasemate_agent_quotes_total{%s\n", want);
	metrics_expose(f->kube.metrics, METRICS_TEXT, &text);
	buf_putc(&text, '\0');
	CHECK_ROW(want, text.p && strstr(text.p, line), "not in:\n%s", text.p ? text.p : "");
}

static void test_a_host_says_that_it_proves_nothing(void)
{
	struct fix f = {.platform = {.tdx_host = true, .tdx_keys = 3}};
	_cleanup_free_ char *request = NULL;

	if (!fix_begin(&f))
		return;
	atomic_store(&f.v.verdict, VERDICT("Unproven", "HostNotAttestable", FAR));
	CU_ASSERT_EQUAL(attest_view(f.attest).state, ATTEST_NOT_CONFIGURED);
	attest_platform(f.attest, &f.platform);
	CU_ASSERT_EQUAL(attest_view(f.attest).state, ATTEST_PENDING);
	expect(&f, ATTEST_UNPROVEN, 1, false);
	CHECK_STR("reason", span_str(attest_view(f.attest).reason), "HostNotAttestable");
	request = fake_server_request(f.kube.server, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(request, "\"platform\":\"tdx-host\",\"evidence\":\"\","
					       "\"capacity\":{\"cvmSlots\":3}"));
	CU_ASSERT_PTR_NOT_NULL(strstr(request, "Authorization: Bearer " TOKEN "\r\n"));
	fix_end(&f);
}

/* The evidence that came is one for this challenge, node and key. */
static void check_evidence(const char *request)
{
	const char *at = strstr(request, "\"evidence\":\"");
	unsigned char want[64];
	struct simulated s;
	enum reason reason;
	struct error err = {0};
	unsigned char text[SIMULATED_MAX], der[512];
	const char *key = strstr(request, "\"publicKey\":\"") + strlen("\"publicKey\":\"");
	int n, n_key;

	at += strlen("\"evidence\":\"");
	n = EVP_DecodeBlock(text, (const unsigned char *)at, (int)(strchr(at, '"') - at));
	n_key = EVP_DecodeBlock(der, (const unsigned char *)key, (int)(strchr(key, '"') - key));
	while (n > 0 && text[n - 1] == '\0')
		n--;
	if (!CHECK_ROW("evidence",
		    simulated_parse(&s, (struct span){(char *)text, (size_t)n}, &reason, &err) == 0,
		    "%s", err.message))
		return;
	for (const char *end = strchr(key, '"'); end[-1] == '='; end--)
		n_key--;
	CU_ASSERT_EQUAL(node_binding_report_data(want,
				&(struct node_binding){
					.challenge = SPAN_LIT("foo"),
					.node = SPAN_LIT("node-1"),
					.node_uid = SPAN_LIT("1234"),
					.public_key = {(char *)der, (size_t)n_key},
					.token = SPAN_LIT(TOKEN),
				}),
		0);
	CU_ASSERT_EQUAL(memcmp(s.report_data, want, sizeof(want)), 0);
	CHECK_STR("node", span_str(s.node), "node-1");
	CHECK_STR("tee", span_str(s.tee), "sgx");
	simulated_free(&s);
}

static void test_a_simulated_node(void)
{
	struct fix f = {.platform = {.simulated = true, .enclave_ok = true, .epc_bytes = 4096}};
	_cleanup_free_ char *request = NULL;

	if (!fix_begin(&f))
		return;
	simulated_make_root(&f.v.root_cert, &f.v.root_key, clock_unix_usec() / USEC_PER_SEC, NULL);
	atomic_store(&f.v.verdict, VERDICT("Simulated", "Simulated", FAR));
	attest_platform(f.attest, &f.platform);
	expect(&f, ATTEST_SIMULATED, 1, false);
	request = fake_server_request(f.kube.server, 2);
	if (CHECK_ROW("request", request != NULL, "none"))
		check_evidence(request);
	/* The certificate is asked for once. */
	attest_now(f.attest);
	expect(&f, ATTEST_SIMULATED, 2, false);
	CU_ASSERT_EQUAL(fake_server_requests(f.kube.server), 5);
	check_quotes(&f, "source=\"simulator\",result=\"ok\"} 2");
	fix_end(&f);
}

static bool is_busy(void *ctx)
{
	struct fix *f = ctx;

	return attest_view(f->attest).phase != ATTEST_PHASE_RESTING;
}

/* However often it is asked for, another round comes, and not before its time. */
static void test_a_round_that_is_asked_for(void)
{
	struct fix f = {.platform = {.tdx_host = true}, .gap_usec = USEC_PER_SEC / 2};
	int64_t began;

	if (!fix_begin(&f))
		return;
	attest_now(f.attest); /* there is nothing to prove yet */
	began = clock_monotonic_usec();
	attest_platform(f.attest, &f.platform);
	CU_ASSERT(kube_fix_wait(&f.kube, is_busy, &f));
	attest_now(f.attest);
	attest_now(f.attest);
	expect(&f, ATTEST_ATTESTED, 2, false);
	CU_ASSERT(clock_monotonic_usec() - began >= f.gap_usec);
	kube_fix_linger(&f.kube, f.gap_usec + f.gap_usec / 2);
	CU_ASSERT_EQUAL(atomic_load(&f.v.evidence), 2);
	attest_now(f.attest);
	attest_now(f.attest);
	expect(&f, ATTEST_ATTESTED, 3, false);
	fix_end(&f);
}

/* A guest whose kernel offers no reports, and an SGX host without AESM. */
static void test_evidence_that_cannot_be_made(void)
{
	static const struct {
		struct platform platform;
		const char *problem, *quotes;
	} rows[] = {
		{{.tdx_guest = true}, "/none/sys/kernel/config/tsm/report: ",
			"source=\"tsm\",result=\"unavailable\"} 1"},
		{{.snp_guest = true}, "/none/sys/kernel/config/tsm/report: ",
			"source=\"tsm\",result=\"unavailable\"} 1"},
		{{.enclave_ok = true}, "set aesm.socket", "source=\"aesm\",result=\"failed\"} 1"},
		{{.enclave_ok = true}, "sgx.evidence", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f = {.platform = rows[i].platform,
			.sysroot = "/none",
			.no_sgx_evidence = !rows[i].quotes};
		struct attest_view v;

		if (!fix_begin(&f))
			return;
		attest_platform(f.attest, &f.platform);
		expect(&f, ATTEST_PENDING, 0, true);
		v = attest_view(f.attest);
		CHECK_ROW(rows[i].problem, strstr(v.problem, rows[i].problem) != NULL, "got: %s",
			v.problem);
		if (rows[i].quotes)
			check_quotes(&f, rows[i].quotes);
		else
			CU_ASSERT_EQUAL(fake_server_requests(f.kube.server), 0);
		fix_end(&f);
	}
}

static void test_failures_are_tried_again(void)
{
	struct fix f = {.platform = {.tdx_host = true}};

	if (!fix_begin(&f))
		return;
	atomic_store(&f.v.challenge_status, 429);
	attest_platform(f.attest, &f.platform);
	expect(&f, ATTEST_PENDING, 0, true);
	CHECK_STR("problem", span_str(attest_view(f.attest).problem),
		"the verifier answered 429 RateLimited: later");
	atomic_store(&f.v.challenge_status, 200);
	expect(&f, ATTEST_ATTESTED, 1, false);
	fix_end(&f);
}

static void test_a_verdict_is_over_at_its_end(void)
{
	struct fix f = {.platform = {.tdx_host = true}};
	static char text[256];
	char until[CLOCK_RFC3339_MAX];
	struct attest_view v;

	if (!fix_begin(&f))
		return;
	clock_format(until, clock_unix_usec() / USEC_PER_SEC + 4);
	snprintf(text, sizeof(text),
		"{\"protocol\":1,\"verdict\":\"Attested\",\"reason\":\"Ok\",\"validUntil\":\"%s\"}",
		until);
	atomic_store(&f.v.verdict, text);
	attest_platform(f.attest, &f.platform);
	expect(&f, ATTEST_EXPIRED, 1, false);
	v = attest_view(f.attest);
	CU_ASSERT(!attest_good(&v, clock_unix_usec() / USEC_PER_SEC));
	fix_end(&f);
}

static void test_bad_answers(void)
{
	static const char *const rows[] = {
		"{}", "", "{\"protocol\":1}", "{\"protocol\":9,\"verdict\":\"Attested\"}"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f = {.platform = {.tdx_host = true}};

		if (!fix_begin(&f))
			return;
		atomic_store(&f.v.verdict, rows[i]);
		attest_platform(f.attest, &f.platform);
		expect(&f, ATTEST_PENDING, 1, true);
		fix_end(&f);
	}
}

static void test_a_verdict_that_is_unknown_is_no_trust(void)
{
	struct fix f = {.platform = {.tdx_host = true}};
	struct attest_view v;

	if (!fix_begin(&f))
		return;
	atomic_store(&f.v.verdict, VERDICT("Marvellous", "Ok", FAR));
	attest_platform(f.attest, &f.platform);
	expect(&f, ATTEST_REFUSED, 1, false);
	v = attest_view(f.attest);
	CU_ASSERT(!attest_good(&v, 0));
	fix_end(&f);
}

static void test_tokens(void)
{
	static const struct {
		const char *token, *want;
	} rows[] = {
		{"nonsense", "the file holds no projected service account token"},
		/* {"exp":1,"kubernetes.io":{"node":{"name":"other","uid":"1"}}} */
		{"e30.eyJleHAiOjEsImt1YmVybmV0ZXMuaW8iOnsibm9kZSI6eyJuYW1lIjoib3RoZXIiLCJ1aWQiOiIx"
		 "In19fQ.c2ln",
			"the token is of node other, and this agent is configured as that of node-1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f = {.platform = {.tdx_host = true}};

		if (!fix_begin(&f))
			return;
		kube_fix_token(&f.kube, rows[i].token);
		attest_platform(f.attest, &f.platform);
		expect(&f, ATTEST_PENDING, 0, true);
		CHECK_ROW(rows[i].want, strstr(attest_view(f.attest).problem, rows[i].want) != NULL,
			"got: %s", attest_view(f.attest).problem);
		fix_end(&f);
	}
}

static void test_what_was_known_before(void)
{
	struct fix f = {.platform = {.tdx_host = true}};
	struct attest_view v;

	if (!fix_begin(&f))
		return;
	atomic_store(&f.v.challenge_status, 503);
	attest_platform(f.attest, &f.platform);
	attest_recall(f.attest, ATTEST_ATTESTED, "Ok", "", 7258118400);
	expect(&f, ATTEST_ATTESTED, 0, true);
	v = attest_view(f.attest);
	CU_ASSERT(attest_good(&v, 7258118399));
	CU_ASSERT(!attest_good(&v, 7258118400));
	/* A verdict of this run counts for more. */
	attest_recall(f.attest, ATTEST_REFUSED, "Malformed", "", 0);
	CU_ASSERT_EQUAL(attest_view(f.attest).state, ATTEST_ATTESTED);
	fix_end(&f);
}

static void test_urls(void)
{
	static const struct {
		const char *url;
		bool good;
	} rows[] = {
		{"https://casemate-verifier.casemate-system.svc", true},
		{"http://127.0.0.1:8444", true},
		{"http://[::1]:8444", true},
		{"http://verifier", false},
		{"http://127.0.0.1.example:80", false},
		{"verifier:8444", false},
		{"", false},
	};
	sd_event *event;

	sd_event_new(&event);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(attest_free_p) struct attest *a = NULL;
		const struct attest_options o = {.event = event,
			.url = rows[i].url,
			.ca_file = "",
			.token_file = "",
			.node = "n"};
		struct error err = {0};
		int r = attest_new(&a, &o, &err);

		CHECK_ROW(rows[i].url, (r == 0) == rows[i].good, "got %d: %s", r, err.message);
	}
	sd_event_unref(event);
}

const CU_TestInfo attest_tests[] = {
	{"a host says that it proves nothing", test_a_host_says_that_it_proves_nothing},
	{"a simulated node is certified and proves itself", test_a_simulated_node},
	{"a round that is asked for", test_a_round_that_is_asked_for},
	{"evidence that cannot be made", test_evidence_that_cannot_be_made},
	{"failures are tried again", test_failures_are_tried_again},
	{"a verdict is over at its end", test_a_verdict_is_over_at_its_end},
	{"answers that are none", test_bad_answers},
	{"an unknown verdict is no trust", test_a_verdict_that_is_unknown_is_no_trust},
	{"tokens that are not this node's", test_tokens},
	{"what was known before", test_what_was_known_before},
	{"addresses of verifiers", test_urls},
	CU_TEST_INFO_NULL,
};
