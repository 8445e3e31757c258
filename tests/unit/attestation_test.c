/* SPDX-License-Identifier: Apache-2.0
 *
 * Attestations judged: what they are bound to, and whose platform they are of. Evidence itself is
 * judged elsewhere: here a stand-in gives the verdict. */
#include "webhook/broker/attestation.h"

#include <errno.h>
#include <openssl/sha.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "tests/unit/test.h"
#include "webhook/broker/init_data.h"

#define NOW (1790000000 * (int64_t)USEC_PER_SEC)
#define JWK                                                                                        \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"ba6dhVZMQpM00nfC05nss0_5OQofKMQ8QgiXx3qU_1U\"," \
	"\"y\":\"4cLtTuwNiGopbVTbE1oaUyNXPWmRpweTs7DTUdxS6yE\"}"

static unsigned char configid[64], mrenclave[32], mrsigner[32];

/* What the stand-in says, and what it was asked. */
struct stand_in {
	enum reason reason;
	enum tee_type tee;
	char text[128];
	unsigned char report_data[64];
};

static void stand_in(void *ctx, struct span text, const unsigned char report_data[64],
	int64_t now_sec, struct examination *ret)
{
	struct stand_in *s = ctx;

	(void)now_sec;
	snprintf(s->text, sizeof(s->text), SPAN_FMT, SPAN_ARG(text));
	memcpy(s->report_data, report_data, 64);
	*ret = (struct examination){.verdict = {.reason = s->reason,
					    .tcb = TCB_STATUS_N,
					    .platform_id = {1, 2},
					    .platform_id_len = 2},
		.wait_sec = s->reason == REASON_CollateralMissing ? 7 : 0,
		.evidence = {.tee = s->tee}};
	ret->evidence.quote.sgx.mrenclave = mrenclave;
	ret->evidence.quote.sgx.mrsigner = mrsigner;
	ret->evidence.quote.sgx.configid = configid;
}

struct row {
	const char *name, *tee;
	const char *init, *nonce, *key, *primary, *additional,
		*casemate; /* NULL: as it should be */
	enum reason verdict, want;
};

static void judge(const struct row *row)
{
	struct stand_in s = {.reason = row->verdict, .tee = TEE_TYPE_SGX};
	const struct attestation_rules rules = {.examine = stand_in, .ctx = &s};
	_cleanup_buf_ struct buf body = BUF_INIT(RCAR_REQUEST_MAX), nonce = BUF_INIT(64);
	_cleanup_rcar_attest_ struct rcar_attest a;
	struct attestation_proof proof;
	enum reason reason = REASON_Ok;
	struct error err = {0};
	struct session session;
	int r;

	session_new(&session, row->tee ? row->tee : "sgx", NOW, NULL);
	buf_base64(&nonce, session.nonce, RCAR_NONCE);
	buf_printf(&body,
		"{\"init-data\":%s,\"runtime-data\":{\"nonce\":\"%s\",\"tee-pubkey\":%s},"
		"\"tee-evidence\":{\"primary_evidence\":%s,\"additional_evidence\":\"%s\"}%s}",
		row->init ? row->init : "null", row->nonce ? row->nonce : nonce.p,
		row->key ? row->key : JWK, row->primary ? row->primary : "{\"quote\":\"AA\"}",
		row->additional ? row->additional : "", row->casemate ? row->casemate : "");
	if (!CHECK_ROW(
		    row->name, rcar_attest_read(&a, buf_view(&body), &err) == 0, "%s", err.message))
		return;
	r = attestation_judge(&rules, &a, &session, NOW / USEC_PER_SEC, &proof, &reason, &err);
	CHECK_ROW(row->name,
		(r == 0) == (row->want == REASON_Ok) && reason == row->want &&
			session.attested == (r == 0),
		"%d %s: %s", r, reason_name(reason), err.message);
	CHECK_ROW(row->name, proof.wait_sec == (row->want == REASON_CollateralMissing ? 7 : 0),
		"waits %lld", (long long)proof.wait_sec);
	if (r < 0)
		return;
	CU_ASSERT_EQUAL(memcmp(s.report_data, proof.report_data, RCAR_REPORT_DATA), 0);
	CU_ASSERT_EQUAL(session.key_len, 65);
	CU_ASSERT_PTR_NOT_NULL(proven_register(&session.proven, "mrenclave"));
	CU_ASSERT_STRING_EQUAL(s.text, "{\"quote\":\"AA\"}");
}

static void test_rows(void)
{
	static const struct row rows[] = {
		{.name = "good"},
		{.name = "another nonce",
			.nonce = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
			.want = REASON_ChallengeInvalid},
		{.name = "no nonce", .nonce = "", .want = REASON_ChallengeInvalid},
		{.name = "a key of nothing", .key = "{}", .want = REASON_Malformed},
		{.name = "refused evidence",
			.verdict = REASON_DebugNotAllowed,
			.want = REASON_DebugNotAllowed},
		{.name = "evidence whose collateral is being fetched",
			.verdict = REASON_CollateralMissing,
			.want = REASON_CollateralMissing},
		{.name = "another TEE than asked for",
			.tee = "tdx",
			.want = REASON_ReportDataMismatch},
		{.name = "Azure's than asked for",
			.tee = "az-snp-vtpm",
			.want = REASON_ReportDataMismatch},
		{.name = "simulated without its document",
			.tee = "simulated",
			.want = REASON_Malformed},
		{.name = "sample", .tee = "sample", .want = REASON_SampleNotAllowed},
		{.name = "tokens that are not bound",
			.casemate = ",\"casemate\":{\"podToken\":\"a\"}",
			.want = REASON_ReportDataMismatch},
		{.name = "bound tokens that did not come",
			.additional = "{\\\"casemate\\\":{\\\"podToken\\\":\\\"00\\\"}}",
			.want = REASON_ReportDataMismatch},
		{.name = "evidence of a device beside", .additional = "{\\\"nvidia\\\":{}}"},
		{.name = "init-data of no digest",
			.init = "{\"format\":\"toml\",\"body\":\"\"}",
			.want = REASON_Malformed},
		{.name = "other init-data",
			.init = "{\"format\":\"toml\",\"body\":\"algorithm = \\\"sha256\\\"\\n\"}",
			.want = REASON_MeasurementNotAllowed},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		judge(&rows[i]);
}

static void test_init_data(void)
{
	static const struct {
		const char *toml;
		int want;
	} rows[] = {
		{"algorithm = \"sha256\"\n", 32},
		{"version = \"0.1.0\"\nalgorithm='sha384'\n[data]\n", 48},
		{"\t algorithm\t=\t\"sha512\" \r\n", 64},
		{"algorithm = \"md5\"", -EBADMSG},
		{"algorithm = sha256", -EBADMSG},
		{"algorithm = \"sha256'", -EBADMSG},
		{"[data]\nalgorithm = \"sha256\"", -EBADMSG},
		{"algorithms = \"sha256\"", -EBADMSG},
		{"", -EBADMSG},
	};
	struct row good = {.name = "init-data",
		.init = "{\"format\":\"toml\",\"body\":\"algorithm = \\\"sha256\\\"\\n\"}"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned char digest[INIT_DATA_DIGEST_MAX];
		int n = init_data_digest(digest, span_str(rows[i].toml), NULL);

		CHECK_ROW(rows[i].toml, n == rows[i].want, "%d", n);
	}
	SHA256((const unsigned char *)rows[0].toml, strlen(rows[0].toml), configid);
	judge(&good);
	configid[63] = 1; /* zeros are part of it */
	good.want = REASON_MeasurementNotAllowed;
	judge(&good);
	memset(configid, 0, sizeof(configid));
}

static void test_node(void)
{
	struct record node = {.platform = RECORD_TDX, .platform_id = {1, 2}, .platform_id_len = 2};
	struct session s = {
		.proven = {.tee = TEE_TYPE_TDX, .platform_id = {1, 2}, .platform_id_len = 2}};
	enum reason reason = REASON_Ok;

	CU_ASSERT(attestation_fits_node(&s, &node, &reason, NULL));
	s.proven.platform_id[0] = 9;
	CU_ASSERT_FALSE(attestation_fits_node(&s, &node, &reason, NULL));
	CU_ASSERT_EQUAL(reason, REASON_NodeMismatch);
	s.proven.platform_id[0] = 1;
	s.proven.tee = TEE_TYPE_SIMULATED;
	CU_ASSERT_FALSE(attestation_fits_node(&s, &node, &reason, NULL));
	node.platform = RECORD_SIMULATED;
	CU_ASSERT(attestation_fits_node(&s, &node, &reason, NULL));
	s.proven.sample = true;
	CU_ASSERT_FALSE(attestation_fits_node(&s, &node, &reason, NULL));
	CU_ASSERT_EQUAL(reason, REASON_SampleNotAllowed);
	s.proven.sample = false;
	s.proven.platform_id_len = node.platform_id_len = 0;
	CU_ASSERT_FALSE(attestation_fits_node(&s, &node, &reason, NULL));
}

CU_TestInfo attestation_tests[] = {
	{"what is accepted and refused", test_rows},
	{"init-data", test_init_data},
	{"the node's own platform", test_node},
	CU_TEST_INFO_NULL,
};
