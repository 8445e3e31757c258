/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "common/base/codec.h"
#include "nodeagent/attest/message.h"
#include "nodeagent/attest/token.h"
#include "tests/unit/test.h"

#define VERDICT(more) "{\"protocol\":1,\"verdict\":\"Attested\",\"reason\":\"Ok\"" more "}"

/* want NULL: refused, and the message begins with problem. */
static const struct {
	const char *text, *want, *problem;
	int64_t valid_until, again;
} verdicts[] = {
	{VERDICT(""), "Attested", "", 0, 0},
	{VERDICT(",\"validUntil\":\"2026-11-28T12:00:00Z\",\"again\":60"), "Attested", "",
		1795867200, 60},
	{VERDICT(",\"again\":-1"), "Attested", "", 0, 0},
	{VERDICT(",\"again\":1.5,\"newer\":{}"), "Attested", "", 0, 0},
	{VERDICT(",\"validUntil\":\"tomorrow\""), NULL, "the verifier's answer: validUntil", 0, 0},
	{VERDICT(",\"validUntil\":5"), NULL, "the verifier's answer: validUntil", 0, 0},
	{VERDICT(",\"reason\":\"Ok\""), NULL, "the verifier's answer", 0, 0}, /* twice */
	{"{\"protocol\":2,\"verdict\":\"Attested\",\"reason\":\"Ok\"}", NULL,
		"the verifier answers in another version", 0, 0},
	{"{\"verdict\":\"Attested\",\"reason\":\"Ok\"}", NULL,
		"the verifier answers in another version", 0, 0},
	{"{\"protocol\":1,\"reason\":\"Ok\"}", NULL, "the verifier's answer: verdict", 0, 0},
	{"{\"protocol\":1,\"verdict\":7,\"reason\":\"Ok\"}", NULL,
		"the verifier's answer: verdict", 0, 0},
	{"{\"protocol\":1,\"verdict\":\"Attested\"}", NULL, "the verifier's answer: reason", 0, 0},
	{"", NULL, "the verifier's answer", 0, 0},
	{"[]", NULL, "the verifier answers in another version", 0, 0},
};

static void test_verdicts(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		struct attest_verdict v;
		struct error err = {0};
		int r = attest_read_verdict(&v, span_str(verdicts[i].text), &err);

		CHECK_ROW(verdicts[i].text, r == (verdicts[i].want ? 0 : -EBADMSG), "got %d: %s", r,
			err.message);
		CHECK_ROW(verdicts[i].text, span_starts(span_str(err.message), verdicts[i].problem),
			"got: %s", err.message);
		if (r < 0 || !verdicts[i].want)
			continue;
		CHECK_STR(verdicts[i].text, span_str(v.verdict), verdicts[i].want);
		CHECK_ROW(verdicts[i].text, v.valid_until == verdicts[i].valid_until, "got %lld",
			(long long)v.valid_until);
		CHECK_ROW(verdicts[i].text, v.again == verdicts[i].again, "got %lld",
			(long long)v.again);
	}
}

static void test_truncated_verdicts(void)
{
	static const char text[] = VERDICT(",\"validUntil\":\"2026-11-28T12:00:00Z\",\"again\":60");

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		struct attest_verdict v;

		CU_ASSERT_EQUAL(
			attest_read_verdict(&v, (struct span){text, n}, NULL), -EBADMSG);
	}
}

static void test_challenges(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"{\"protocol\":1,\"challenge\":\"Zm9v\"}", "foo"},
		{"{\"protocol\":1,\"challenge\":\"\"}", NULL},
		{"{\"protocol\":1,\"challenge\":\"Zm9\"}", NULL},
		{"{\"protocol\":1,\"challenge\":1}", NULL},
		{"{\"protocol\":1}", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(PROTOCOL_CHALLENGE_MAX);
		int r = attest_read_challenge(&b, span_str(rows[i].text), NULL);

		CHECK_ROW(rows[i].text, r == (rows[i].want ? 0 : -EBADMSG), "got %d", r);
		CHECK_STR(rows[i].text, buf_view(&b), rows[i].want ? rows[i].want : "");
	}
}

static void test_requests(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(PROTOCOL_REQUEST_MAX);
	struct attest_evidence m = {
		.challenge = SPAN_LIT("foo"),
		.public_key = SPAN_LIT("key"),
		.platform = "sgx",
		.evidence = SPAN_LIT("quote!"),
		.epc_bytes = 5,
		.cvm_slots = 7,
	};

	attest_challenge(&b);
	CHECK_STR("challenge", buf_view(&b), "{\"protocol\":1}");
	buf_reset(&b);
	attest_certify(&b, SPAN_LIT("key"));
	CHECK_STR("certify", buf_view(&b), "{\"protocol\":1,\"publicKey\":\"a2V5\"}");
	buf_reset(&b);
	attest_evidence(&b, &m);
	CHECK_STR("evidence", buf_view(&b),
		"{\"protocol\":1,\"challenge\":\"Zm9v\",\"publicKey\":\"a2V5\",\"platform\":\"sgx\","
		"\"evidence\":\"cXVvdGUh\",\"capacity\":{\"epcBytes\":5,\"cvmSlots\":7}}");
	buf_reset(&b);
	m = (struct attest_evidence){.platform = "tdx-host", .epc_bytes = -1, .cvm_slots = 7};
	attest_evidence(&b, &m);
	CHECK_STR("a host", buf_view(&b),
		"{\"protocol\":1,\"challenge\":\"\",\"publicKey\":\"\",\"platform\":\"tdx-host\","
		"\"evidence\":\"\",\"capacity\":{\"cvmSlots\":7}}");
}

static void test_problems(void)
{
	static const struct {
		int status;
		const char *text, *want;
	} rows[] = {
		{403, "{\"protocol\":1,\"reason\":\"ChallengeReplayed\",\"message\":\"ask again\"}",
			"the verifier answered 403 ChallengeReplayed: ask again"},
		{429, "{\"protocol\":1,\"reason\":\"RateLimited\"}",
			"the verifier answered 429 RateLimited"},
		{502, "<html>", "the verifier answered 502"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};

		attest_read_problem(&err, rows[i].status, span_str(rows[i].text));
		CHECK_STR(rows[i].text, span_str(err.message), rows[i].want);
	}
}

/* "header." + base64url of the payload + ".signature" */
static void token_of(struct buf *b, const char *payload)
{
	_cleanup_buf_ struct buf text = BUF_INIT(4096);

	buf_base64(&text, payload, strlen(payload));
	buf_puts(b, "eyJ.");
	for (size_t i = 0; i < text.len && text.p[i] != '='; i++)
		buf_putc(b, text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i]);
	buf_puts(b, ".c2ln");
}

#define NODE_CLAIMS(node) "{\"exp\":1795867200,\"kubernetes.io\":{\"node\":" node "}}"

static void test_tokens(void)
{
	static const struct {
		const char *payload;
		bool good;
	} rows[] = {
		{NODE_CLAIMS("{\"name\":\"node-1\",\"uid\":\"1234\"}"), true},
		{NODE_CLAIMS("{\"name\":\"node-1\"}"), false},
		{NODE_CLAIMS("{\"uid\":\"1234\"}"), false},
		{NODE_CLAIMS("{\"name\":\"\",\"uid\":\"1234\"}"), false},
		{NODE_CLAIMS("{\"name\":[],\"uid\":\"1234\"}"), false},
		{NODE_CLAIMS("{}"), false},
		{"{\"exp\":1,\"sub\":\"system:serviceaccount:a:b\"}", false},
		{"{\"kubernetes.io\":{\"node\":{\"name\":\"node-1\",\"uid\":\"1234\"}}}", false},
		{"[]", false},
		{"", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf token = BUF_INIT(TOKEN_MAX);
		struct token_claims c;
		struct error err = {0};
		int r;

		token_of(&token, rows[i].payload);
		r = token_claims_read(&c, buf_view(&token), &err);
		CHECK_ROW(rows[i].payload, r == (rows[i].good ? 0 : -EBADMSG), "got %d", r);
		CHECK_ROW(rows[i].payload, !strstr(err.message, "eyJ"), "tells the token: %s",
			err.message);
		if (r < 0)
			continue;
		CHECK_STR("node", span_str(c.node), "node-1");
		CHECK_STR("uid", span_str(c.node_uid), "1234");
		CU_ASSERT_EQUAL(c.expires, 1795867200);
		/* Two dots make the payload whole: anything shorter is no token. */
		for (size_t n = 0; n < token.len - strlen(".c2ln"); n++)
			CU_ASSERT_EQUAL(token_claims_read(&c, (struct span){token.p, n}, NULL),
				-EBADMSG);
	}
}

const CU_TestInfo attest_message_tests[] = {
	{"verdicts", test_verdicts},
	{"verdicts cut anywhere", test_truncated_verdicts},
	{"challenges", test_challenges},
	{"requests", test_requests},
	{"what a verifier says instead of a verdict", test_problems},
	{"tokens", test_tokens},
	CU_TEST_INFO_NULL,
};
