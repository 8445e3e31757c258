/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/judge.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "tests/unit/test.h"

enum { NOW = 1790000000, HOUR = 3600 };

#define USEC(sec) ((sec) * (int64_t)USEC_PER_SEC)

static const struct judge_rules rules = {.interval_sec = 6 * HOUR, .validity_sec = 12 * HOUR};
static const unsigned char digest[RECORD_DIGEST] = {1}, other_digest[RECORD_DIGEST] = {2};

static void test_use(void)
{
	static const struct {
		const char *name, *uid;
		int64_t issued;
		const unsigned char *digest;
		const char *thumbprint;
		enum judge_use want;
	} rows[] = {
		{"a later one", "u", NOW + 1, digest, "t", JUDGE_FRESH},
		{"the very same", "u", NOW, digest, "t", JUDGE_SAME},
		{"other evidence", "u", NOW, other_digest, "t", JUDGE_REPLAYED},
		{"another key", "u", NOW, digest, "s", JUDGE_REPLAYED},
		{"an older one", "u", NOW - 1, digest, "t", JUDGE_REPLAYED},
		{"the node before", "v", NOW - 1, digest, "t", JUDGE_FRESH},
	};
	struct record before = {.node_uid = "u",
		.challenged_usec = USEC(NOW),
		.has_digest = true,
		.thumbprint = "t"};

	memcpy(before.evidence_digest, digest, sizeof(digest));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct challenge c = {.issued_usec = USEC(rows[i].issued)};
		enum judge_use use =
			judge_use(&before, rows[i].uid, &c, rows[i].digest, rows[i].thumbprint);

		CHECK_ROW(rows[i].name, use == rows[i].want, "%d", use);
	}
	before.has_digest = false;
	CU_ASSERT_EQUAL(
		judge_use(&before, "u", &(struct challenge){.issued_usec = USEC(NOW)}, digest, "t"),
		JUDGE_REPLAYED);
}

#define ID "0102030405060708090a0b0c0d0e0f10"

/* Rules, what was before and what is found. */
static const struct row {
	const char *name;
	struct judge_rules rules;
	enum record_platform platform;
	enum tee_type tee;
	enum reason verified;
	int before_id; /* the platform's last byte before; 0: nothing */
	unsigned sharing;
	const char *uid; /* in simulated evidence */
	enum record_standing want;
	enum reason reason;
} rows[] = {
	{"attested", {0}, RECORD_SGX, TEE_TYPE_SGX, REASON_Ok, 0, 0, "", RECORD_ATTESTED,
		REASON_Ok},
	{"refused", {0}, RECORD_SGX, TEE_TYPE_SGX, REASON_TcbOutOfDate, 0, 0, "", RECORD_REFUSED,
		REASON_TcbOutOfDate},
	{"simulated", {0}, RECORD_SIMULATED, TEE_TYPE_SIMULATED, REASON_Simulated, 0, 0, "uid",
		RECORD_STANDING_SIMULATED, REASON_Simulated},
	{"simulated, of another", {0}, RECORD_SIMULATED, TEE_TYPE_SIMULATED, REASON_Simulated, 0, 0,
		"other", RECORD_REFUSED, REASON_NodeMismatch},
	{"says another platform", {0}, RECORD_TDX, TEE_TYPE_SGX, REASON_Ok, 0, 0, "",
		RECORD_REFUSED, REASON_Malformed},
	{"simulated says it is real", {0}, RECORD_SGX, TEE_TYPE_SIMULATED, REASON_Simulated, 0, 0,
		"uid", RECORD_REFUSED, REASON_Malformed},
	{"a host", {0}, RECORD_TDX_HOST, 0, 0, 0, 0, "", RECORD_UNPROVEN, REASON_HostNotAttestable},
	{"allowed", {.allowed_platforms = {(const char *const[]){"00", ID}, 2}}, RECORD_SGX,
		TEE_TYPE_SGX, REASON_Ok, 0, 0, "", RECORD_ATTESTED, REASON_Ok},
	{"not allowed", {.allowed_platforms = {(const char *const[]){"00"}, 1}}, RECORD_SGX,
		TEE_TYPE_SGX, REASON_Ok, 0, 0, "", RECORD_REFUSED, REASON_PlatformNotAllowed},
	{"denied",
		{.denied_platforms = {(const char *const[]){"0102030405060708090A0B0C0D0E0F10"},
			 1}},
		RECORD_SGX, TEE_TYPE_SGX, REASON_Ok, 0, 0, "", RECORD_REFUSED,
		REASON_PlatformDenied},
	{"denied by name", {.denied_nodes = {(const char *const[]){"node"}, 1}}, RECORD_SGX,
		TEE_TYPE_SGX, REASON_Ok, 0, 0, "", RECORD_REFUSED, REASON_NodeDenied},
	{"a host denied by name", {.denied_nodes = {(const char *const[]){"node"}, 1}},
		RECORD_SNP_HOST, 0, 0, 0, 0, "", RECORD_REFUSED, REASON_NodeDenied},
	{"another's name", {.denied_nodes = {(const char *const[]){"node2"}, 1}}, RECORD_SGX,
		TEE_TYPE_SGX, REASON_Ok, 0, 0, "", RECORD_ATTESTED, REASON_Ok},
	{"shared as far as may be", {.max_nodes_per_platform = 2}, RECORD_SGX, TEE_TYPE_SGX,
		REASON_Ok, 0, 1, "", RECORD_ATTESTED, REASON_Ok},
	{"overused", {.max_nodes_per_platform = 2}, RECORD_SGX, TEE_TYPE_SGX, REASON_Ok, 0, 2, "",
		RECORD_REFUSED, REASON_PlatformOverused},
	{"trusted on first use", {.trust_on_first_use = true}, RECORD_SGX, TEE_TYPE_SGX, REASON_Ok,
		0, 0, "", RECORD_ATTESTED, REASON_Ok},
	{"and on the next", {.trust_on_first_use = true}, RECORD_SGX, TEE_TYPE_SGX, REASON_Ok, 0x10,
		0, "", RECORD_ATTESTED, REASON_Ok},
	{"but moved", {.trust_on_first_use = true}, RECORD_SGX, TEE_TYPE_SGX, REASON_Ok, 0x11, 0,
		"", RECORD_REFUSED, REASON_PlatformNotAllowed},
	{"moved where nobody minds", {0}, RECORD_SGX, TEE_TYPE_SGX, REASON_Ok, 0x11, 0, "",
		RECORD_ATTESTED, REASON_Ok},
};

static void judge_row(const struct row *row, struct record *ret)
{
	static const unsigned char id[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	struct judge_rules with = row->rules;
	struct evidence e = {.tee = row->tee};
	struct verdict v = {.reason = row->verified, .message = "as verified"};
	struct record before = {.node_uid = "uid", .epoch = 3};
	const bool host = record_platform_is_host(row->platform);
	const struct judge_input in = {
		.rules = &with,
		.node = "node",
		.node_uid = "uid",
		.before = &before,
		.challenge = &(struct challenge){.issued_usec = USEC(NOW) - 5},
		.platform = row->platform,
		.digest = digest,
		.thumbprint = "sha256:t",
		.evidence = host ? NULL : &e,
		.verdict = host ? NULL : &v,
		.starts_vms = true,
		.sharing = row->sharing,
		.epoch = 2,
		.now_usec = USEC(NOW) + 7,
	};

	with.interval_sec = rules.interval_sec;
	with.validity_sec = rules.validity_sec;
	memcpy(v.platform_id, id, sizeof(id));
	v.platform_id_len = sizeof(id);
	if (row->tee == TEE_TYPE_SIMULATED)
		snprintf(e.simulated.node_uid, sizeof(e.simulated.node_uid), "%s", row->uid);
	if (row->before_id) {
		memcpy(before.platform_id, id, sizeof(id));
		before.platform_id_len = sizeof(id);
		before.platform_id[15] = (unsigned char)row->before_id;
	}
	judge(ret, &in);
}

static void test_judge(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct record r;

		judge_row(&rows[i], &r);
		CHECK_ROW(rows[i].name, r.starts_vms, "forgotten");
		CHECK_ROW(rows[i].name, r.standing == rows[i].want && r.reason == rows[i].reason,
			"%s, %s: %s", record_standing_name(r.standing), reason_name(r.reason),
			r.message);
		CHECK_ROW(rows[i].name, (r.standing == RECORD_REFUSED) <= (r.message[0] != '\0'),
			"refused without a word");
		CU_ASSERT_STRING_EQUAL(r.node_uid, "uid");
		CU_ASSERT_STRING_EQUAL(r.thumbprint, "sha256:t");
		CU_ASSERT_EQUAL(r.challenged_usec, USEC(NOW) - 5);
		CU_ASSERT_EQUAL(r.judged_sec, NOW);
		CU_ASSERT_EQUAL(r.valid_until_sec, NOW + 12 * HOUR);
		CU_ASSERT_EQUAL(r.epoch, 3); /* which never falls */
	}
}

/* What it rests on may end sooner. */
static void test_until(void)
{
	struct verdict v = {.reason = REASON_Ok, .valid_until = NOW + HOUR};
	struct evidence e = {.tee = TEE_TYPE_SGX};
	struct record before = {.epoch = 0}, r;
	struct judge_input in = {.rules = &rules,
		.node = "node",
		.node_uid = "uid",
		.before = &before,
		.challenge = &(struct challenge){.issued_usec = 0},
		.platform = RECORD_SGX,
		.digest = digest,
		.thumbprint = "",
		.evidence = &e,
		.verdict = &v,
		.epoch = 4,
		.now_usec = USEC(NOW)};

	judge(&r, &in);
	CU_ASSERT_EQUAL(r.valid_until_sec, NOW + HOUR);
	CU_ASSERT_EQUAL(r.epoch, 4);
	CU_ASSERT_EQUAL(r.since_sec, NOW);
	/* The condition is as it was since then; of another node it is not. */
	before = r;
	before.since_sec = NOW - 1000;
	judge(&r, &in);
	CU_ASSERT_EQUAL(r.since_sec, NOW - 1000);
	in.node_uid = "another";
	judge(&r, &in);
	CU_ASSERT_EQUAL(r.since_sec, NOW);
}

static void test_expire(void)
{
	struct record r = {.node_uid = "uid",
		.standing = RECORD_ATTESTED,
		.valid_until_sec = NOW,
		.since_sec = NOW - 9,
		.epoch = 5};

	CU_ASSERT_TRUE(record_holds(&r, "uid", NOW));
	CU_ASSERT_FALSE(record_holds(&r, "uid", NOW + 1));
	CU_ASSERT_FALSE(record_holds(&r, "other", NOW));
	judge_expire(&r, 4, NOW + 1);
	CU_ASSERT_EQUAL(r.standing, RECORD_EXPIRED);
	CU_ASSERT_EQUAL(r.reason, REASON_VerdictExpired);
	CU_ASSERT_EQUAL(r.since_sec, NOW + 1);
	CU_ASSERT_EQUAL(r.epoch, 5);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.message, "2026-09-21T14:13:20Z"));
	CU_ASSERT_FALSE(record_holds(&r, "uid", NOW - 100));
}

static void test_again(void)
{
	static const struct {
		const char *name;
		enum record_standing standing;
		int64_t left;
		uint32_t chance;
		int64_t want;
	} again[] = {
		{"soonest", RECORD_ATTESTED, 24 * HOUR, 0, 3 * HOUR},
		{"latest", RECORD_ATTESTED, 24 * HOUR, UINT32_MAX, 9 * HOUR},
		{"before it ends", RECORD_ATTESTED, HOUR, UINT32_MAX, 3 * HOUR / 4},
		{"after a refusal", RECORD_REFUSED, 12 * HOUR, 0, HOUR / 4},
		{"after a refusal, latest", RECORD_REFUSED, 12 * HOUR, UINT32_MAX, 3 * HOUR / 4},
		{"not at once", RECORD_ATTESTED, 2, 0, 30},
		{"it has ended", RECORD_ATTESTED, -100, 0, 30},
	};

	for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
		const struct record r = {
			.standing = again[i].standing, .valid_until_sec = NOW + again[i].left};
		int64_t got = judge_again(&r, &rules, NOW, again[i].chance);

		CHECK_ROW(again[i].name, got == again[i].want, "%lld", (long long)got);
	}
}

/* Of six hours: as soon as what is missing may be there, but no later than after any refusal. */
static void test_soon(void)
{
	const struct judge_rules six = {.interval_sec = 6 * 3600};

	CU_ASSERT_EQUAL(judge_soon(8, &six, 0), 8);
	CU_ASSERT_EQUAL(judge_soon(8, &six, UINT32_MAX), 12);
	CU_ASSERT_EQUAL(judge_soon(3600, &six, 0), 1800);
}

/* The highest number that was seen of a node's platform is kept, whatever comes next from it. */
static void test_highest(void)
{
	static const struct {
		const char *name, *uid;
		bool has_pck;
		uint32_t number, want; /* 0: nothing is kept */
	} lines[] = {
		{"the same", "u", true, 18, 18},
		{"a higher one", "u", true, 19, 19},
		{"an older one", "u", true, 17, 18},
		{"none could be read", "u", false, 0, 18},
		{"another node of that name", "v", true, 17, 17},
		{"and none", "v", false, 0, 0},
	};
	const struct record before = {.node_uid = "u",
		.basis = {.known = true, .accepted = true, .evaluation_number = 18}};
	const struct challenge c = {.issued_usec = USEC(NOW)};
	const struct evidence e = {.tee = TEE_TYPE_SGX};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct verdict v = {.reason = REASON_QuoteSignatureInvalid,
			.has_pck = lines[i].has_pck,
			.evaluation_number = lines[i].number};
		struct record r;

		judge(&r, &(struct judge_input){.rules = &rules,
				  .node = "n",
				  .node_uid = lines[i].uid,
				  .before = &before,
				  .challenge = &c,
				  .platform = RECORD_SGX,
				  .digest = digest,
				  .thumbprint = "t",
				  .evidence = &e,
				  .verdict = &v,
				  .now_usec = USEC(NOW)});
		CHECK_ROW(lines[i].name,
			r.basis.known == (lines[i].want > 0) && !r.basis.accepted &&
				r.basis.evaluation_number == lines[i].want,
			"%u", r.basis.evaluation_number);
	}
}

/* Nor which revocation lists were seen. */
static void test_highest_lists(void)
{
	const struct basis intel = {.known = true, .tee = TEE_TYPE_SGX, .lists = {3, 7}};
	const struct basis amd = {.known = true, .tee = TEE_TYPE_SNP, .lists = {0, 7}};
	static const struct {
		const char *name;
		bool amd; /* before */
		struct basis now;
		struct crl_numbers want;
	} lines[] = {
		{"older", false, {.tee = TEE_TYPE_SGX, .lists = {2, 6}}, {3, 7}},
		{"newer", false, {.tee = TEE_TYPE_SGX, .lists = {4, 8}}, {4, 8}},
		{"of a TD", false, {.tee = TEE_TYPE_TDX, .lists = {2, 6}}, {3, 7}},
		{"of another CA", false,
			{.tee = TEE_TYPE_SGX, .pck.ca = PCK_CA_PLATFORM, .lists = {2, 6}}, {3, 6}},
		{"of another vendor", false, {.tee = TEE_TYPE_SNP, .lists = {0, 6}}, {0, 6}},
		{"older of AMD's", true, {.tee = TEE_TYPE_SNP, .lists = {0, 6}}, {0, 7}},
		{"of another product", true,
			{.tee = TEE_TYPE_SNP, .product = SNP_TURIN, .lists = {0, 6}}, {0, 6}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct basis b = lines[i].now;

		basis_keep_highest(&b, lines[i].amd ? &amd : &intel);
		CHECK_ROW(lines[i].name,
			b.lists.root == lines[i].want.root &&
				b.lists.issuer == lines[i].want.issuer,
			"%lld %lld", (long long)b.lists.root, (long long)b.lists.issuer);
	}
}

/* What new collateral makes of a verdict. */
static void test_again_by(void)
{
	static const struct {
		const char *name;
		enum record_standing standing;
		enum reason before;
		bool accepted; /* the evidence was */
		enum reason again;
		bool want;
		enum record_standing now;
	} turns[] = {
		{"the same", RECORD_ATTESTED, REASON_Ok, true, REASON_Ok, false, RECORD_ATTESTED},
		{"out of date", RECORD_ATTESTED, REASON_Ok, true, REASON_TcbOutOfDate, true,
			RECORD_REFUSED},
		{"revoked", RECORD_ATTESTED, REASON_Ok, true, REASON_CertificateRevoked, true,
			RECORD_REFUSED},
		{"still", RECORD_REFUSED, REASON_TcbOutOfDate, true, REASON_TcbOutOfDate, false,
			RECORD_REFUSED},
		{"worse", RECORD_REFUSED, REASON_TcbOutOfDate, true, REASON_TcbRevoked, true,
			RECORD_REFUSED},
		{"up again", RECORD_REFUSED, REASON_TcbOutOfDate, true, REASON_Ok, true,
			RECORD_ATTESTED},
		{"refused by evidence", RECORD_REFUSED, REASON_TcbOutOfDate, false, REASON_Ok,
			false, RECORD_REFUSED},
		{"denied by a person", RECORD_REFUSED, REASON_NodeDenied, true, REASON_Ok, false,
			RECORD_REFUSED},
		{"no collateral", RECORD_ATTESTED, REASON_Ok, true, REASON_CollateralMissing, false,
			RECORD_ATTESTED},
		{"expired collateral", RECORD_ATTESTED, REASON_Ok, true, REASON_CollateralExpired,
			false, RECORD_ATTESTED},
		{"older collateral", RECORD_ATTESTED, REASON_Ok, true, REASON_CollateralRolledBack,
			false, RECORD_ATTESTED},
		{"waived", RECORD_WAIVED, REASON_Waived, true, REASON_TcbOutOfDate, false,
			RECORD_WAIVED},
		{"expired", RECORD_EXPIRED, REASON_VerdictExpired, true, REASON_Ok, false,
			RECORD_EXPIRED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(turns); i++) {
		struct record r = {.standing = turns[i].standing,
			.reason = turns[i].before,
			.valid_until_sec = NOW + HOUR,
			.since_sec = NOW - HOUR,
			.epoch = 3,
			.tcb_status = "UpToDate",
			.tcb_number = 17,
			.basis = {.known = true,
				.accepted = turns[i].accepted,
				.evaluation_number = 17}};
		struct verdict v = {.reason = turns[i].again,
			.message = "why",
			.tcb = TCB_UpToDate,
			.evaluation_number = 17};
		bool got = judge_again_by(&r, &v, 4, NOW);

		CHECK_ROW(turns[i].name, got == turns[i].want && r.standing == turns[i].now,
			"%d: %s", got, record_standing_name(r.standing));
		CHECK_ROW(turns[i].name, r.epoch == (got ? 4 : 3), "%lld", (long long)r.epoch);
		if (got)
			CHECK_ROW(turns[i].name, r.reason == turns[i].again, "%s",
				reason_name(r.reason));
		/* what is told of the TCB follows where it still is accepted */
		v.evaluation_number = 18;
		if (turns[i].again == REASON_Ok && r.standing == RECORD_ATTESTED)
			CHECK_ROW(turns[i].name,
				judge_again_by(&r, &v, 4, NOW) && r.basis.evaluation_number == 18 &&
					r.standing == RECORD_ATTESTED,
				"%u", r.basis.evaluation_number);
		r.valid_until_sec = NOW - 1;
		v.reason = REASON_TcbRevoked;
		CHECK_ROW(turns[i].name, !judge_again_by(&r, &v, 4, NOW), "%s", "after its end");
	}
}

static void test_event(void)
{
	static const struct {
		const char *name;
		enum record_standing before, now;
		enum reason reason_before, reason;
		const char *want; /* "" : none */
		bool warning;
	} events[] = {
		{"first", 0, RECORD_ATTESTED, 0, REASON_Ok, "NodeAttested", false},
		{"again", RECORD_ATTESTED, RECORD_ATTESTED, REASON_Ok, REASON_Ok, "", false},
		{"refused", RECORD_ATTESTED, RECORD_REFUSED, REASON_Ok, REASON_TcbOutOfDate,
			"NodeAttestationRefused", true},
		{"for another reason", RECORD_REFUSED, RECORD_REFUSED, REASON_TcbRevoked,
			REASON_TcbOutOfDate, "NodeAttestationRefused", true},
		{"still", RECORD_REFUSED, RECORD_REFUSED, REASON_TcbRevoked, REASON_TcbRevoked, "",
			true},
		{"expired", RECORD_ATTESTED, RECORD_EXPIRED, REASON_Ok, REASON_VerdictExpired,
			"NodeAttestationExpired", true},
		{"a host", 0, RECORD_UNPROVEN, 0, REASON_HostNotAttestable, "", false},
		{"back", RECORD_EXPIRED, RECORD_STANDING_SIMULATED, REASON_VerdictExpired,
			REASON_Simulated, "NodeAttested", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		const struct record before = {
			.standing = events[i].before, .reason = events[i].reason_before};
		const struct record now = {.standing = events[i].now, .reason = events[i].reason};
		bool warning;
		const char *got = judge_event(&before, &now, &warning);

		CHECK_STR(events[i].name, span_str(got ? got : ""), events[i].want);
		CHECK_ROW(events[i].name, warning == events[i].warning, "warning: %d", warning);
	}
}

CU_TestInfo judge_tests[] = {
	{"use", test_use},
	{"judge", test_judge},
	{"until", test_until},
	{"expire", test_expire},
	{"again", test_again},
	{"soon", test_soon},
	{"highest number", test_highest},
	{"highest lists", test_highest_lists},
	{"new collateral", test_again_by},
	{"event", test_event},
	CU_TEST_INFO_NULL,
};
