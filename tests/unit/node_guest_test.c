/* SPDX-License-Identifier: Apache-2.0
 *
 * An agent of a node that is itself a confidential VM asks for a pod: its request as it is written,
 * with evidence of synthetic vendors, judged as the broker does, from the first byte to the grant.
 * What the API server says (tokens, the node's verdict, the pod) is given. */
#include "common/base/clock.h"
#include "tests/tee/amd_world.h"
#include "tests/unit/grant_world.h"
#include "tests/unit/test.h"
#include "tests/unit/verify_world.h"
#include "webhook/broker/attestation.h"

enum { TD_MRTD = 136, TD_RTMR1 = 376, TD_REPORT_DATA = 520, REGISTER = 48 };
enum { SNP_REPORT_DATA = 0x50, SNP_MEASUREMENT = 0x90, SNP_HOST_DATA = 0xc0, SNP_ID_KEY = 0xe0 };

#define JWK                                                                                        \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"ba6dhVZMQpM00nfC05nss0_5OQofKMQ8QgiXx3qU_1U\"," \
	"\"y\":\"4cLtTuwNiGopbVTbE1oaUyNXPWmRpweTs7DTUdxS6yE\"}"
#define NOW (TEE_NOW * (int64_t)USEC_PER_SEC)

/* What goes wrong on the way. */
enum fault {
	NO_FAULT,
	OTHER_TOKEN,     /* the evidence binds another pod's token than comes */
	OTHER_CONTAINER, /* or another container */
	OTHER_NONCE,
	OTHER_NODE, /* the node's verdict is of another platform */
};

struct asking {
	bool snp;
	enum fault fault;
	struct session session; /* what the client brings back */
	struct collateral *collateral;
	struct proven proven;
};

/* The registers as the grant's world has them. */
static void make_tdx(struct asking *k, const unsigned char report_data[64], struct buf *out)
{
	const struct tee_setup s = {.time = TEE_NOW};
	struct tee_intel w;

	tee_intel_tdx(&w, 5, false);
	memset(w.quote.body + TD_MRTD, 0x11, REGISTER);
	memset(w.quote.body + TD_RTMR1, 0x11, REGISTER);
	memcpy(w.quote.body + TD_REPORT_DATA, report_data, 64);
	tee_intel_quote(&w, out);
	k->collateral = world_collateral(&w, &s);
}

static void make_snp(struct asking *k, const unsigned char report_data[64], struct buf *out)
{
	const struct tee_setup s = {.time = TEE_NOW};
	struct tee_amd w;

	tee_amd(&w, SNP_GENOA, 3, false);
	memset(w.report + SNP_MEASUREMENT, 0x11, REGISTER);
	memset(w.report + SNP_HOST_DATA, 0x11, 32);
	memset(w.report + SNP_ID_KEY, 0x11, REGISTER);
	memcpy(w.report + SNP_REPORT_DATA, report_data, 64);
	tee_amd_extended(&w, out);
	k->collateral = world_amd_collateral(&w, &s, false);
}

/* The agent's request; bound differs from sent by the fault. */
static bool write_request(struct asking *k, struct secret *ret)
{
	struct rcar_requester bound = {
		SPAN_LIT("node.token.x"), SPAN_LIT("pod.token.x"), SPAN_LIT("app")};
	_cleanup_buf_ struct buf additional = BUF_INIT(4096), nonce = BUF_INIT(64);
	_cleanup_buf_ struct buf evidence = BUF_INIT(1 << 20), primary = BUF_INIT(1 << 20);
	static const struct json_limits limits = {1 << 16, 100, 8};
	_cleanup_json_ struct json jwk = {0};
	unsigned char report_data[64] = {0};
	struct rcar_attest_out o = {.tee_pubkey = SPAN_LIT(JWK), .who = bound};

	if (k->fault == OTHER_TOKEN)
		bound.pod_token = SPAN_LIT("other.token.x");
	if (k->fault == OTHER_CONTAINER)
		bound.container = SPAN_LIT("web");
	buf_base64(&nonce, k->session.nonce, RCAR_NONCE);
	rcar_additional_write(&additional, &bound);
	if (json_parse(&jwk, span_str(JWK), &limits, NULL) < 0 ||
		rcar_report_data(report_data,
			k->fault == OTHER_NONCE ? SPAN_LIT("AAAA") : buf_view(&nonce),
			json_root(&jwk), buf_view(&additional)) < 0)
		return false;
	(k->snp ? make_snp : make_tdx)(k, report_data, &evidence);
	buf_puts(&primary, k->snp ? "{\"evidence\":\"" : "{\"quote\":\"");
	buf_base64(&primary, evidence.p, evidence.len);
	buf_puts(&primary, "\"}");
	o.nonce = buf_view(&nonce);
	o.primary = buf_view(&primary);
	o.additional = buf_view(&additional);
	return rcar_attest_write(ret, &o) == 0;
}

static void verify_it(void *ctx, struct span text, const unsigned char report_data[64],
	int64_t now_sec, struct examination *ret)
{
	const struct asking *k = ctx;
	const struct verify_policy policy = {0};
	const struct examiner x = {
		.collateral = k->collateral, .policy = &policy, .measurements_elsewhere = true};

	examine(&x, text, report_data, now_sec, ret);
}

/* From the handshake to what was proved about the node; the reason why not. */
static enum reason ask(struct asking *k)
{
	static const struct sealing_keys keys = {.v = {{.id = 1}}, .n = 1};
	const struct attestation_rules rules = {.examine = verify_it, .ctx = k};
	struct record node = {.platform = k->snp ? RECORD_SNP : RECORD_TDX};
	_cleanup_secret_ struct secret body = {0};
	_cleanup_rcar_attest_ struct rcar_attest a = {0};
	_cleanup_buf_ struct buf cookie = BUF_INIT(SESSION_TEXT_MAX);
	struct attestation_proof proof;
	enum reason reason = REASON_Ok;
	struct error err = {0};
	struct session s;

	session_new(&k->session, k->snp ? "snp" : "tdx", NOW, NULL);
	if (!write_request(k, &body) || rcar_attest_read(&a, secret_view(&body), &err) < 0)
		return REASON_Internal;
	if (attestation_judge(&rules, &a, &k->session, TEE_NOW, &proof, &reason, &err) < 0)
		return reason;
	if (session_seal(&cookie, &keys, &k->session, &err) < 0 ||
		session_open(&s, &keys, buf_view(&cookie), NOW, &reason, &err) < 0)
		return REASON_Internal;
	node.platform_id_len = s.proven.platform_id_len;
	memcpy(node.platform_id, s.proven.platform_id, s.proven.platform_id_len);
	node.platform_id[0] ^= k->fault == OTHER_NODE;
	if (!attestation_fits_node(&s, &node, &reason, &err))
		return reason;
	k->proven = k->session.proven; /* names included: the session stays */
	return REASON_Ok;
}

static struct asking tdx, snp = {.snp = true};

static void by_tdx(struct grant_world *w)
{
	w->proven = tdx.proven;
}

static void by_snp(struct grant_world *w)
{
	w->proven = snp.proven;
}

#define TEE_IS(tee) SET("/spec/tee", "'" tee "'")

static void test_keys(void)
{
	static const struct grant_row rows[] = {
		{"TDX for node-tdx", TEE_IS("node-tdx"), NULL, by_tdx, REASON_Ok, NULL},
		{"TDX for any node", NULL, NULL, by_tdx, REASON_Ok, NULL},
		{"SNP for node-snp", TEE_IS("node-snp"), NULL, by_snp, REASON_Ok, NULL},
		{"SNP for any node", NULL, NULL, by_snp, REASON_Ok, NULL},
		{"TDX for node-snp", TEE_IS("node-snp"), NULL, by_tdx, REASON_IdentityNotAllowed,
			"the node's evidence is of tdx"},
		{"SNP for node-tdx", TEE_IS("node-tdx"), NULL, by_snp, REASON_IdentityNotAllowed,
			"the node's evidence is of snp"},
		{"another kernel",
			SET("/spec/identities/0/tdx/rtmrs/1",
				"'222222222222222222222222222222222222222222222222"
				"222222222222222222222222222222222222222222222222'"),
			NULL, by_tdx, REASON_IdentityNotAllowed, "tdx.rtmrs[\"1\"]"},
	};

	if (CHECK_ROW("TDX", ask(&tdx) == REASON_Ok, "%s", reason_name(ask(&tdx))) &&
		CHECK_ROW("SNP", ask(&snp) == REASON_Ok, "%s", reason_name(ask(&snp))))
		grant_rows(rows, ARRAY_SIZE(rows));
	collateral_free(tdx.collateral);
	collateral_free(snp.collateral);
	tdx.collateral = snp.collateral = NULL;
}

static void test_faults(void)
{
	static const struct {
		const char *name;
		enum fault fault;
		enum reason want;
	} rows[] = {
		{"another pod's token", OTHER_TOKEN, REASON_ReportDataMismatch},
		{"another container", OTHER_CONTAINER, REASON_ReportDataMismatch},
		{"another session", OTHER_NONCE, REASON_ReportDataMismatch},
		{"another node", OTHER_NODE, REASON_NodeMismatch},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows) * 2; i++) {
		struct asking k = {.snp = i % 2, .fault = rows[i / 2].fault};
		enum reason got = ask(&k);

		CHECK_ROW(rows[i / 2].name, got == rows[i / 2].want, "%s: %s",
			k.snp ? "snp" : "tdx", reason_name(got));
		collateral_free(k.collateral);
	}
}

const CU_TestInfo node_guest_tests[] = {
	{"keys", test_keys},
	{"faults", test_faults},
	CU_TEST_INFO_NULL,
};
