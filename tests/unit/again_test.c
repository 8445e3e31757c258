/* SPDX-License-Identifier: Apache-2.0
 *
 * New collateral applied to what was kept of evidence must come to what verifying that evidence
 * again would. */
#include "common/tee/again.h"

#include "tests/unit/test.h"
#include "tests/unit/verify_world.h"
#include "webhook/verifier/reevaluation.h"

enum { STATUSES = 7 };

static const struct json_limits limits = {65536, 4000, 32};

/* What is kept goes through the API server. */
static bool through_status(const char *row, struct basis *b)
{
	_cleanup_buf_ struct buf out = BUF_INIT(8192);
	_cleanup_json_ struct json doc = {0};
	struct basis read;

	buf_puts(&out, "{\"x\":0");
	CU_ASSERT_EQUAL(reevaluation_write(&out, b), 0);
	buf_putc(&out, '}');
	if (!CHECK_ROW(row, json_parse(&doc, buf_view(&out), &limits, NULL) == 0, "%s", out.p))
		return false;
	reevaluation_read(&read, json_get(json_root(&doc), "reevaluation"));
	if (!CHECK_ROW(row, read.known && memcmp(&read, b, sizeof(read)) == 0, "%s", out.p))
		return false;
	CHECK_ROW(row, out.len < 1024, "%zu bytes", out.len);
	return true;
}

/* The basis of a quote of w, verified against w's own collateral. */
static bool basis_of_world(const char *row, struct basis *b, const struct tee_intel *w)
{
	const struct tee_setup s = {.time = TEE_NOW};
	_cleanup_(collateral_free_p) struct collateral *c = world_collateral(w, &s);
	_cleanup_buf_ struct buf quote = BUF_INIT(TEE_QUOTE_MAX);
	struct evidence e = {0};
	struct verdict v;
	bool ok;

	tee_intel_quote(w, &quote);
	if (!c)
		return false;
	world_judge(&v, &e, buf_view(&quote), c, &s, NULL);
	memset(b, 0, sizeof(*b));
	basis_of(b, &v, &e);
	ok = CHECK_ROW(row, v.reason == REASON_Ok && b->known && b->accepted, "%s", v.message);
	evidence_free(&e);
	return ok && through_status(row, b);
}

static void make(struct tee_intel *w, unsigned kind)
{
	switch (kind) {
	case 0:
		tee_intel_sgx(w);
		break;
	case 1:
		tee_intel_tdx(w, 4, false);
		break;
	case 2:
		tee_intel_tdx(w, 5, true);
		break;
	default:
		tee_intel_sgx(w);
		tee_intel_issued_by(w, PCK_CA_PLATFORM);
	}
}
enum { KINDS = 4 };

/* Judges w's quote anew, and what was kept of it, both by w's collateral. */
static void compare(
	const char *row, const struct tee_intel *w, const struct basis *b, enum reason want)
{
	const struct tee_setup s = {.time = TEE_NOW};
	_cleanup_(collateral_free_p) struct collateral *c = world_collateral(w, &s);
	_cleanup_buf_ struct buf quote = BUF_INIT(TEE_QUOTE_MAX);
	struct evidence e = {0};
	struct verdict v, again;
	struct again a;

	if (!c)
		return;
	tee_intel_quote(w, &quote);
	world_judge(&v, &e, buf_view(&quote), c, &s, NULL);
	again_prepare(&a, c);
	verify_again(&a, b, &s.policy, s.time, &again);
	CHECK_ROW(row, again.reason == want && v.reason == want, "%s, and by evidence %s: %s",
		reason_name(again.reason), reason_name(v.reason), again.message);
	if (verify_again_decides(want) && want != REASON_CertificateRevoked)
		CHECK_ROW(row,
			again.tcb == v.tcb && strcmp(again.tcb_date, v.tcb_date) == 0 &&
				again.evaluation_number == v.evaluation_number &&
				again.n_advisories == v.n_advisories &&
				again.valid_until >= v.valid_until,
			"%d %s", again.tcb, again.tcb_date);
	evidence_free(&e);
}

static void test_statuses(void)
{
	static const struct {
		const char *status;
		enum reason reason;
	} rows[STATUSES] = {
		{"UpToDate", REASON_Ok},
		{"SWHardeningNeeded", REASON_TcbSwHardeningNeeded},
		{"ConfigurationNeeded", REASON_TcbConfigurationNeeded},
		{"ConfigurationAndSWHardeningNeeded", REASON_TcbConfigurationAndSwHardeningNeeded},
		{"OutOfDate", REASON_TcbOutOfDate},
		{"OutOfDateConfigurationNeeded", REASON_TcbOutOfDateConfigurationNeeded},
		{"Revoked", REASON_TcbRevoked},
	};

	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct tee_intel w;
		struct basis b;

		make(&w, kind);
		if (!basis_of_world("basis", &b, &w))
			return;
		for (size_t i = 0; i < STATUSES; i++) {
			w.tcb_info.d.levels[0].status = rows[i].status;
			compare(rows[i].status, &w, &b, rows[i].reason);
		}
	}
}

static void recovery(struct tee_intel *w)
{
	/* a level above the platform's, and a later number */
	w->tcb_info.d.levels[2] = w->tcb_info.d.levels[1];
	w->tcb_info.d.levels[1] = w->tcb_info.d.levels[0];
	w->tcb_info.d.levels[0].pcesvn++;
	w->tcb_info.d.levels[0].date = "2025-11-12T00:00:00Z";
	w->tcb_info.d.levels[1].status = "OutOfDate";
	w->tcb_info.d.levels[1].advisories[0] = "INTEL-SA-01313";
	w->tcb_info.d.evaluation = w->qe.d.evaluation = 19;
}

static void qe_old(struct tee_intel *w)
{
	w->qe.d.levels[0].status = "OutOfDate";
}

static void leaf_revoked(struct tee_intel *w)
{
	w->pck_crl[w->pck.ca].revoked[0] = w->leaf.serial;
}

static void ca_revoked(struct tee_intel *w)
{
	w->root_crl.revoked[0] = w->ca[w->pck.ca].serial;
}

static void other_ca(struct tee_intel *w)
{
	w->root_crl.revoked[0] = w->ca[PCK_CA_N - 1 - w->pck.ca].serial;
}

static void no_info(struct tee_intel *w)
{
	w->tcb_info.d.absent = true;
}

static void info_over(struct tee_intel *w)
{
	w->tcb_info.d.next_update = TEE_NOW - 1;
}

static void signer_revoked(struct tee_intel *w)
{
	w->root_crl.revoked[0] = w->tcb_signer.serial;
}

static void forged_list(struct tee_intel *w)
{
	w->pck_crl[w->pck.ca].signer = TEE_KEY_TCB_SIGNING;
	leaf_revoked(w);
}

static void test_changes(void)
{
	static const struct {
		const char *name;
		void (*change)(struct tee_intel *w);
		enum reason reason;
		bool differs; /* from what evidence would be refused for */
	} rows[] = {
		{"a TCB recovery", recovery, REASON_TcbOutOfDate, false},
		{"QE", qe_old, REASON_TcbOutOfDate, false},
		{"leaf revoked", leaf_revoked, REASON_CertificateRevoked, false},
		{"CA revoked", ca_revoked, REASON_CertificateRevoked, false},
		{"the other CA revoked", other_ca, REASON_Ok, false},
		{"no TCB info", no_info, REASON_CollateralMissing, false},
		{"TCB info over", info_over, REASON_CollateralExpired, false},
		{"a forged list", forged_list, REASON_CrlMissing, true},
	};

	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			struct tee_intel w;
			struct basis b;

			make(&w, kind);
			if (!basis_of_world(rows[i].name, &b, &w))
				return;
			rows[i].change(&w);
			if (!rows[i].differs)
				compare(rows[i].name, &w, &b, rows[i].reason);
			CHECK_ROW(rows[i].name,
				verify_again_decides(rows[i].reason) ==
					(rows[i].reason == REASON_Ok ||
						rows[i].reason == REASON_TcbOutOfDate ||
						rows[i].reason == REASON_CertificateRevoked),
				"%s", reason_name(rows[i].reason));
		}
	}
}

/* What is not the vendor's, or older, says nothing about the platform. */
static void test_undecided(void)
{
	static const struct {
		const char *name;
		void (*change)(struct tee_intel *w);
		enum reason reason;
		struct {
			uint32_t evaluation;
			struct crl_numbers lists;
		} seen; /* 0: as the world has it */
	} rows[] = {
		{"a forged list", forged_list, REASON_CrlMissing, {0}},
		{"the signer revoked", signer_revoked, REASON_CollateralInvalid, {0}},
		{"older", recovery, REASON_CollateralRolledBack, {20, {0}}},
		{"an older list of the root", recovery, REASON_CollateralRolledBack, {17, {2, 1}}},
		{"an older list of the CA", recovery, REASON_CollateralRolledBack, {17, {1, 2}}},
	};
	const struct tee_setup s = {.time = TEE_NOW};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		struct tee_intel w;
		struct verdict again;
		struct again a;
		struct basis b;

		tee_intel_sgx(&w);
		if (!basis_of_world(rows[i].name, &b, &w))
			return;
		rows[i].change(&w);
		CHECK_ROW(rows[i].name, b.lists.root == 1 && b.lists.issuer == 1, "%lld %lld",
			(long long)b.lists.root, (long long)b.lists.issuer);
		if (rows[i].seen.evaluation) {
			b.evaluation_number = rows[i].seen.evaluation;
			b.lists = rows[i].seen.lists;
		}
		c = world_collateral(&w, &s);
		if (!c)
			return;
		again_prepare(&a, c);
		verify_again(&a, &b, &s.policy, s.time, &again);
		CHECK_ROW(rows[i].name,
			again.reason == rows[i].reason && !verify_again_decides(again.reason),
			"%s: %s", reason_name(again.reason), again.message);
	}
}

/* A newer list was seen than the world has, or that has gone: neither says anything, but what an
 * old one revokes stays revoked. */
static void check_snp_lists(const char *row, struct tee_amd *w, struct basis *b)
{
	const struct tee_setup s = {.time = TEE_NOW}, bare = {.time = TEE_NOW, .no_crl = true};
	const uint64_t serial = w->crl.revoked[0];
	const struct {
		const char *name;
		const struct tee_setup *s;
		uint64_t revoked;
		int64_t seen;
		enum reason reason;
	} rows[] = {
		{"as high", &s, 0xbad, 4, REASON_Ok},
		{"older", &s, 0xbad, 5, REASON_CollateralRolledBack},
		{"older, and revokes", &s, serial, 5, REASON_CertificateRevoked},
		{"gone", &bare, 0xbad, 5, REASON_CrlMissing},
		{"never there", &bare, 0xbad, 0, REASON_Ok},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		struct verdict again;
		struct again a;

		w->crl.revoked[0] = rows[i].revoked;
		b->lists.issuer = rows[i].seen;
		c = world_amd_collateral(w, rows[i].s, true);
		if (!c)
			return;
		again_prepare(&a, c);
		verify_again(&a, b, &s.policy, s.time, &again);
		CHECK_ROW(row, again.reason == rows[i].reason, "%s: %s: %s", rows[i].name,
			reason_name(again.reason), again.message);
	}
}

static void test_snp(void)
{
	static const enum snp_product products[] = {SNP_MILAN, SNP_GENOA, SNP_TURIN};

	for (size_t i = 0; i < ARRAY_SIZE(products); i++) {
		struct tee_setup s = {.time = TEE_NOW};
		_cleanup_(collateral_free_p) struct collateral *c = NULL, *next = NULL;
		_cleanup_buf_ struct buf report = BUF_INIT(TEE_QUOTE_MAX);
		const char *row = snp_product_name(products[i]);
		struct evidence e = {0};
		struct verdict v, again;
		struct tee_amd w;
		struct again a;
		struct basis b;

		tee_amd(&w, products[i], products[i] == SNP_TURIN ? 5 : 3, false);
		tee_amd_report(&w, &report);
		c = world_amd_collateral(&w, &s, true);
		if (!c)
			return;
		world_judge(&v, &e, buf_view(&report), c, &s, NULL);
		memset(&b, 0, sizeof(b));
		basis_of(&b, &v, &e);
		evidence_free(&e);
		if (!CHECK_ROW(row, v.reason == REASON_Ok && b.known, "%s", v.message) ||
			!through_status(row, &b))
			return;
		again_prepare(&a, c);
		verify_again(&a, &b, &s.policy, s.time, &again);
		CHECK_ROW(row, again.reason == REASON_Ok, "%s", again.message);
		s.policy.min_tcb.snp = 255;
		verify_again(&a, &b, &s.policy, s.time, &again);
		CHECK_ROW(row, again.reason == REASON_TcbBelowMinimum, "%s", again.message);
		s.policy.min_tcb.snp = 0;
		w.crl.revoked[w.crl.n_revoked ? 0 : w.crl.n_revoked++] = w.intermediate.serial;
		next = world_amd_collateral(&w, &s, true);
		if (!next)
			return;
		again_prepare(&a, next);
		verify_again(&a, &b, &s.policy, s.time, &again);
		CHECK_ROW(row, again.reason == REASON_CertificateRevoked, "%s", again.message);
		check_snp_lists(row, &w, &b);
	}
}

/* Any piece that is missing makes all of it unknown. */
static void test_unreadable(void)
{
	static const char *const texts[] = {
		"null",
		"{}",
		"{\"tee\":\"sgx\",\"accepted\":true,\"certSerial\":\"01\",\"issuerSerial\":\"02\"}",
		"{\"tee\":\"simulated\",\"accepted\":true,\"certSerial\":\"01\",\"issuerSerial\":"
		"\"02\"}",
		"{\"tee\":\"snp\",\"accepted\":true,\"certSerial\":\"01\",\"issuerSerial\":\"02\","
		"\"product\":\"Naples\",\"vlek\":false,\"reportedTcb\":\"0000000000\","
		"\"launchTcb\":"
		"\"0000000000\"}",
		"{\"tee\":\"snp\",\"accepted\":\"true\",\"certSerial\":\"01\",\"issuerSerial\":"
		"\"02\","
		"\"product\":\"Milan\",\"vlek\":false,\"reportedTcb\":\"0000000000\",\"launchTcb\":"
		"\"0000000000\"}",
		"{\"tee\":\"snp\",\"accepted\":true,\"certSerial\":"
		"\"010203040506070809101112131415161718192021\",\"issuerSerial\":\"02\","
		"\"product\":\"Milan\",\"vlek\":false,\"reportedTcb\":\"0000000000\",\"launchTcb\":"
		"\"0000000000\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_json_ struct json doc = {0};
		struct basis b;

		CU_ASSERT_EQUAL(json_parse(&doc, span_str(texts[i]), &limits, NULL), 0);
		reevaluation_read(&b, json_root(&doc));
		CHECK_ROW(texts[i], !b.known, "%d", b.tee);
	}
}

CU_TestInfo again_tests[] = {
	{"statuses", test_statuses},
	{"changes", test_changes},
	{"undecided", test_undecided},
	{"SNP", test_snp},
	{"unreadable", test_unreadable},
	CU_TEST_INFO_NULL,
};
