/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "tests/unit/simulated_fix.h"
#include "tests/unit/test.h"

/* An installation, and what evidence of it is judged by. */
struct world {
	struct simulated_fix f;
	struct collateral collateral;
	struct verify_policy policy;
	struct verify_input in;
	struct evidence evidence;
	struct verdict v;
};

static bool world_new(struct world *w)
{
	struct error err = {0};

	*w = (struct world){.policy = {.allow_simulated = true}};
	if (!simulated_fix_new(&w->f))
		return false;
	w->in = (struct verify_input){
		.evidence = &w->evidence,
		.collateral = &w->collateral,
		.policy = &w->policy,
		.time = SIMULATED_NOW,
	};
	return CHECK_ROW("root",
		roots_add(&w->collateral.roots, buf_view(&w->f.root), &err) == 0 &&
			w->collateral.roots.simulated,
		"%s", err.message);
}

static void world_free(struct world *w)
{
	simulated_fix_free(&w->f);
	roots_free(&w->collateral.roots);
}

/* Reads text and verifies it; false: it cannot be read. Frees what it read. */
static bool judge_text(struct world *w, struct span text)
{
	enum reason reason;

	w->v = (struct verdict){.tcb = TCB_STATUS_N, .valid_until = INT64_MAX};
	w->evidence = (struct evidence){.tee = TEE_TYPE_SIMULATED};
	if (simulated_parse(&w->evidence.simulated, text, &reason, NULL) < 0)
		return false;
	simulated_verify(&w->in, &w->v);
	simulated_free(&w->evidence.simulated);
	return true;
}

static void judge(struct world *w)
{
	_cleanup_buf_ struct buf text = BUF_INIT(SIMULATED_MAX);

	if (simulated_fix_make(&w->f, &text))
		CHECK_ROW("made", judge_text(w, buf_view(&text)), "cannot be read");
}

static void test_accepted(void)
{
	_cleanup_(world_free) struct world w;

	if (!world_new(&w))
		return;
	judge(&w);
	CHECK_ROW("accepted", w.v.reason == REASON_Simulated && verdict_accepted(&w.v), "%s: %s",
		reason_name(w.v.reason), w.v.message);
	CU_ASSERT(w.v.message[0] == '\0');
	CU_ASSERT(w.v.tcb == TCB_UpToDate && w.v.platform_tcb == TCB_UpToDate);
	CU_ASSERT(w.v.valid_until == SIMULATED_NOW + SIMULATED_LIFETIME);
	CU_ASSERT(w.v.platform_id_len == 16 &&
		  memcmp(w.v.platform_id, w.f.what.platform_id, 16) == 0);
	CU_ASSERT(w.v.crl == CRL_ABSENT);
}

static const unsigned char other_data[64] = {1};
static const unsigned char fix_data[64] = {0xda, 0xda};
static struct measurement enclave = {"mrenclave", {0xee, 2}, 32};
static struct measurement other_enclave = {"mrenclave", {0xee, 3}, 32};
static const struct accepted listed = {"good", 1u << TEE_TYPE_SIMULATED, &enclave, 1, -1, 0, 0};
static const struct accepted unlisted = {
	"bad", 1u << TEE_TYPE_SIMULATED, &other_enclave, 1, -1, 0, 0};
static const struct accepted any = {"any", 1u << TEE_TYPE_SIMULATED, NULL, 0, -1, 0, 0};
static const struct accepted real = {"real", 1u << TEE_TYPE_SGX, &enclave, 1, -1, 0, 0};

static void test_policy(void)
{
	static const struct {
		const char *name, *status;
		bool debug;
		struct verify_policy policy;
		enum reason want;
	} rows[] = {
		{"not allowed", "UpToDate", false, {0}, REASON_SimulatedNotAllowed},
		{"not allowed, and out of date", "OutOfDate", true, {0},
			REASON_SimulatedNotAllowed},
		{"debug", "UpToDate", true, {.allow_simulated = true}, REASON_DebugNotAllowed},
		{"debug comes first", "OutOfDate", true, {.allow_simulated = true},
			REASON_DebugNotAllowed},
		{"debug allowed", "UpToDate", true, {.allow_simulated = true, .allow_debug = true},
			REASON_Simulated},
		{"out of date", "OutOfDate", false, {.allow_simulated = true}, REASON_TcbOutOfDate},
		{"revoked", "Revoked", false, {.allow_simulated = true}, REASON_TcbRevoked},
		{"needs configuration", "ConfigurationNeeded", false, {.allow_simulated = true},
			REASON_TcbConfigurationNeeded},
		{"accepted status", "OutOfDate", false,
			{.allow_simulated = true, .accepted_tcb = 1u << TCB_OutOfDate},
			REASON_Simulated},
		{"another accepted status", "OutOfDate", false,
			{.allow_simulated = true, .accepted_tcb = 1u << TCB_SWHardeningNeeded},
			REASON_TcbOutOfDate},
		{"report data", "UpToDate", false,
			{.allow_simulated = true, .report_data = fix_data}, REASON_Simulated},
		{"other report data", "UpToDate", false,
			{.allow_simulated = true, .report_data = other_data},
			REASON_ReportDataMismatch},
		{"listed", "UpToDate", false,
			{.allow_simulated = true, .accepted = &listed, .n_accepted = 1},
			REASON_Simulated},
		{"any simulated one", "UpToDate", false,
			{.allow_simulated = true, .accepted = &any, .n_accepted = 1},
			REASON_Simulated},
		{"not listed", "UpToDate", false,
			{.allow_simulated = true, .accepted = &unlisted, .n_accepted = 1},
			REASON_MeasurementNotAllowed},
		{"listed for real TEEs alone", "UpToDate", false,
			{.allow_simulated = true, .accepted = &real, .n_accepted = 1},
			REASON_Simulated},
		{"listed for real TEEs alone where that is needed", "UpToDate", false,
			{.allow_simulated = true,
				.accepted = &real,
				.n_accepted = 1,
				.measurements_required = true},
			REASON_MeasurementNotAllowed},
		{"nothing listed where that is needed", "UpToDate", false,
			{.allow_simulated = true, .measurements_required = true},
			REASON_MeasurementNotAllowed},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(world_free) struct world w;

		if (!world_new(&w))
			return;
		w.policy = rows[i].policy;
		w.f.what.debug = rows[i].debug;
		snprintf(w.f.what.tcb_status, sizeof(w.f.what.tcb_status), "%s", rows[i].status);
		judge(&w);
		CHECK_ROW(rows[i].name,
			w.v.reason == rows[i].want &&
				verdict_accepted(&w.v) == (w.v.message[0] == '\0'),
			"%s: %s", reason_name(w.v.reason), w.v.message);
	}
}

static void test_times(void)
{
	static const struct {
		const char *name;
		int64_t time;
		enum reason want;
	} rows[] = {
		{"first second", SIMULATED_NOW - 300, REASON_Simulated},
		{"before", SIMULATED_NOW - 301, REASON_CertificateExpired},
		{"last second", SIMULATED_NOW + SIMULATED_LIFETIME, REASON_Simulated},
		{"after", SIMULATED_NOW + SIMULATED_LIFETIME + 1, REASON_CertificateExpired},
		{"after the root's end", SIMULATED_NOW + 11LL * 365 * 86400,
			REASON_CertificateExpired},
	};
	_cleanup_(world_free) struct world w;

	if (!world_new(&w))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		w.in.time = rows[i].time;
		judge(&w);
		CHECK_ROW(rows[i].name, w.v.reason == rows[i].want, "%s: %s",
			reason_name(w.v.reason), w.v.message);
	}
}

static void test_other_root(void)
{
	_cleanup_(world_free) struct world w, other;

	if (!world_new(&w) || !world_new(&other))
		return;
	w.in.collateral = &other.collateral;
	judge(&w);
	CHECK_ROW("another installation", w.v.reason == REASON_UnknownRoot, "%s: %s",
		reason_name(w.v.reason), w.v.message);
	roots_free(&other.collateral.roots);
	other.collateral.roots = (struct roots){0};
	judge(&w);
	CHECK_ROW("no root",
		w.v.reason == REASON_UnknownRoot && strstr(w.v.message, "trustedRoots"), "%s: %s",
		reason_name(w.v.reason), w.v.message);
}

static void certify(struct world *w, const char *uid)
{
	buf_reset(&w->f.certificate);
	CU_ASSERT(simulated_certify(&w->f.certificate, buf_view(&w->f.root),
			  secret_view(&w->f.root_key), w->f.key, uid, SIMULATED_NOW,
			  SIMULATED_LIFETIME, NULL) == 0);
}

static void test_other_node(void)
{
	_cleanup_(world_free) struct world w;

	if (!world_new(&w))
		return;
	certify(&w, "another-uid");
	judge(&w);
	CHECK_ROW("another node's certificate",
		w.v.reason == REASON_NodeMismatch && strstr(w.v.message, "another-uid"), "%s: %s",
		reason_name(w.v.reason), w.v.message);
	certify(&w, SIMULATED_UID "1");
	judge(&w);
	CHECK_ROW("a longer UID", w.v.reason == REASON_NodeMismatch, "%s", reason_name(w.v.reason));
	/* The root itself signs, under its own name. */
	buf_reset(&w.f.certificate);
	buf_span(&w.f.certificate, buf_view(&w.f.root));
	judge(&w);
	CHECK_ROW("the root as a node", w.v.reason == REASON_ChainInvalid, "%s: %s",
		reason_name(w.v.reason), w.v.message);
	buf_span(&w.f.certificate, buf_view(&w.f.root));
	judge(&w);
	CHECK_ROW("two certificates", w.v.reason == REASON_ChainInvalid, "%s: %s",
		reason_name(w.v.reason), w.v.message);
}

static void test_other_key(void)
{
	_cleanup_(world_free) struct world w;
	_cleanup_buf_ struct buf text = BUF_INIT(SIMULATED_MAX);
	EVP_PKEY *key = EVP_EC_gen("P-256");

	if (!world_new(&w)) {
		EVP_PKEY_free(key);
		return;
	}
	CU_ASSERT(simulated_make(&text, &w.f.what, key, buf_view(&w.f.certificate), NULL) == 0);
	EVP_PKEY_free(key);
	CU_ASSERT(judge_text(&w, buf_view(&text)));
	CHECK_ROW("another key", w.v.reason == REASON_QuoteSignatureInvalid, "%s: %s",
		reason_name(w.v.reason), w.v.message);
}

/* Every single bit: refused, unless it is the case of a hexadecimal digit of the signature, which
 * says the same in both. */
static void test_flips(void)
{
	_cleanup_(world_free) struct world w;
	_cleanup_buf_ struct buf text = BUF_INIT(SIMULATED_MAX);
	const char *signature;

	if (!world_new(&w) || !simulated_fix_make(&w.f, &text))
		return;
	signature = strstr(text.p, "\"signature\":\"");
	for (size_t i = 0; i < text.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			char before = text.p[i];
			bool same = text.p + i > signature && isalpha(before) && bit == 5;

			text.p[i] ^= (char)(1 << bit);
			if (judge_text(&w, buf_view(&text)) && !same)
				CHECK_ROW("flipped", !verdict_accepted(&w.v), "bit %d of %zu", bit,
					i);
			text.p[i] = before;
		}
	}
	CU_ASSERT(judge_text(&w, buf_view(&text)) && verdict_accepted(&w.v));
}

CU_TestInfo simulated_verify_tests[] = {
	{"accepted", test_accepted},
	{"policy", test_policy},
	{"times", test_times},
	{"other root", test_other_root},
	{"other node", test_other_node},
	{"other key", test_other_key},
	{"flips", test_flips},
	CU_TEST_INFO_NULL,
};
