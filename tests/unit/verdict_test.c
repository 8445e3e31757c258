/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/verify.h"

#include "common/tee/evidence.h"
#include "tests/unit/test.h"

static const unsigned char zero[64];

static struct evidence sgx_evidence(void)
{
	struct evidence e = {.tee = TEE_TYPE_SGX};

	e.quote.sgx.report_data = zero;
	e.quote.sgx.isvprodid = 3;
	e.quote.sgx.isvsvn = 7;
	return e;
}

static void test_refuse(void)
{
	struct verdict v = {0};
	char text[1000];

	CU_ASSERT_EQUAL(
		verdict_refuse(&v, REASON_ChainInvalid, "the name %s", "a\n\x1b\xff z"), -EACCES);
	CU_ASSERT_EQUAL(v.reason, REASON_ChainInvalid);
	CU_ASSERT_STRING_EQUAL(v.message, "the name a??? z");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	verdict_refuse(&v, REASON_ChainInvalid, "%s", text);
	CU_ASSERT_EQUAL(strlen(v.message), sizeof(v.message) - 1);
}

static void test_until(void)
{
	struct verdict v = {.valid_until = INT64_MAX};

	verdict_until(&v, 100);
	verdict_until(&v, 200);
	CU_ASSERT_EQUAL(v.valid_until, 100);
	verdict_until(&v, 50);
	CU_ASSERT_EQUAL(v.valid_until, 50);
}

static void test_advise(void)
{
	struct verdict v = {0};
	char names[VERDICT_ADVISORIES_MAX + 1][16];

	for (int i = 0; i < VERDICT_ADVISORIES_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "INTEL-SA-%05d", i);
		CU_ASSERT_EQUAL(verdict_advise(&v, span_str(names[i])), 0);
	}
	CU_ASSERT_EQUAL(verdict_advise(&v, SPAN_LIT("INTEL-SA-00007")), 0);
	CU_ASSERT_EQUAL(v.n_advisories, VERDICT_ADVISORIES_MAX);
	CU_ASSERT_EQUAL(v.reason, REASON_Ok);
	CU_ASSERT_EQUAL(verdict_advise(&v, SPAN_LIT("one more")), -E2BIG);
	CU_ASSERT_EQUAL(v.reason, REASON_CollateralInvalid);
	CU_ASSERT_EQUAL(v.n_advisories, VERDICT_ADVISORIES_MAX);
}

#define BIT(status) (1u << TCB_##status)

static void test_judge_tcb(void)
{
	static const struct span advisories[] = {
		{"INTEL-SA-00289", 14}, {"INTEL-SA-00615", 14}, {"INTEL-SA-00614", 14}};
	static const struct row {
		const char *name;
		enum tcb_status status;
		uint32_t accepted;
		size_t n_applies, n_accepted; /* of advisories */
		enum reason want;
	} rows[] = {
		{"up to date", TCB_UpToDate, 0, 0, 0, REASON_Ok},
		{"up to date has no advisory that matters", TCB_UpToDate, 0, 2, 0, REASON_Ok},
		{"up to date beside another", TCB_UpToDate, BIT(OutOfDate), 0, 0, REASON_Ok},
		{"out of date by default", TCB_OutOfDate, 0, 0, 0, REASON_TcbOutOfDate},
		{"out of date accepted", TCB_OutOfDate, BIT(UpToDate) | BIT(OutOfDate), 0, 0,
			REASON_Ok},
		{"an advisory is not accepted", TCB_SWHardeningNeeded, BIT(SWHardeningNeeded), 2, 1,
			REASON_AdvisoryNotAccepted},
		{"all advisories are accepted", TCB_SWHardeningNeeded, BIT(SWHardeningNeeded), 2, 3,
			REASON_Ok},
		{"another status is accepted", TCB_OutOfDateConfigurationNeeded, BIT(OutOfDate), 0,
			0, REASON_TcbOutOfDateConfigurationNeeded},
		{"revoked", TCB_Revoked, BIT(UpToDate), 0, 0, REASON_TcbRevoked},
		{"no level", TCB_NotSupported, BIT(UpToDate), 0, 0, REASON_TcbNotSupported},
		{"relaunch", TCB_TDRelaunchAdvised, 0, 0, 0, REASON_TcbRelaunchAdvised},
		{"not judged", TCB_STATUS_N, 0, 0, 0, REASON_Internal},
	};

	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		struct evidence e = sgx_evidence();
		struct verify_policy policy = {
			.accepted_tcb = row->accepted,
			.accepted_advisories = advisories,
			.n_accepted_advisories = row->n_accepted,
		};
		struct verify_input in = {.evidence = &e, .policy = &policy};
		struct verdict v = {.tcb = row->status, .n_advisories = row->n_applies};
		int r;

		memcpy(v.advisories, advisories, sizeof(advisories));
		r = verdict_judge(&v, &in, NULL, 0);
		CHECK_ROW(row->name, v.reason == row->want, "got %s", reason_name(v.reason));
		CHECK_ROW(row->name, r == (row->want == REASON_Ok ? 0 : -EACCES), "returned %d", r);
		CHECK_ROW(row->name, (r == 0) == (v.message[0] == '\0'), "said '%s'", v.message);
	}
}

/* The evidence has mrenclave 01…, mrsigner 02…, product 3, SVN 7. */
static void test_judge_measurements(void)
{
	struct measurement got[] = {{"mrenclave", {1}, 32}, {"mrsigner", {2}, 32}};
	struct measurement enclave = {"mrenclave", {1}, 32}, signer = {"mrsigner", {2}, 32};
	struct measurement other = {"mrenclave", {9}, 32}, last = enclave, td = {"mrtd", {1}, 48};
	struct measurement wider = {"mrenclave", {1}, 48};
	const struct row {
		const char *name;
		uint32_t tees;
		struct measurement m[2];
		size_t n;
		int32_t prod, svn, guest;
		const char *differs[3]; /* NULL: accepted */
	} rows[] = {
		{"nothing named", 1 << TEE_TYPE_SGX, {{0}}, 0, -1, 0, 0, {NULL}},
		{"both", 1 << TEE_TYPE_SGX, {enclave, signer}, 2, 3, 7, 0, {NULL}},
		{"one of two", 1 << TEE_TYPE_SGX, {other, signer}, 2, -1, 0, 0, {"mrenclave"}},
		{"another register", 1 << TEE_TYPE_SGX, {td}, 1, -1, 0, 0, {"mrtd"}},
		{"another length", 1 << TEE_TYPE_SGX, {wider}, 1, -1, 0, 0, {"mrenclave"}},
		{"last byte", 1 << TEE_TYPE_SGX, {last}, 1, -1, 0, 0, {"mrenclave"}},
		{"product", 1 << TEE_TYPE_SGX, {signer}, 1, 0, 0, 0, {"isvProdId"}},
		{"newer SVN", 1 << TEE_TYPE_SGX, {signer}, 1, 3, 6, 0, {NULL}},
		{"older SVN", 1 << TEE_TYPE_SGX, {signer}, 1, 3, 8, 0, {"isvSvn"}},
		{"another TEE's number", 1 << TEE_TYPE_SGX, {signer}, 1, 3, 7, 1, {"guestSvn"}},
		{"all", 1 << TEE_TYPE_SGX, {other, td}, 2, 4, 8, 0,
			{"mrenclave", "mrtd", "isvProdId"}},
		{"another TEE", 1 << TEE_TYPE_TDX, {enclave}, 1, -1, 0, 0, {""}},
		{"one of its TEEs", 1 << TEE_TYPE_TDX | 1 << TEE_TYPE_SGX, {enclave}, 1, -1, 0, 0,
			{NULL}},
	};

	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		struct evidence e = sgx_evidence();
		struct accepted a = {.name = "release",
			.tees = row->tees,
			.n_measurements = row->n,
			.isv_prod_id = row->prod,
			.min_isv_svn = row->svn,
			.min_guest_svn = row->guest};
		struct verify_policy policy = {.accepted = &a, .n_accepted = 1};
		struct verify_input in = {.evidence = &e, .policy = &policy};
		struct verdict v = {.tcb = TCB_UpToDate};
		struct measurement m[2] = {row->m[0], row->m[1]};

		if (strcmp(row->name, "last byte") == 0)
			m[0].value[31] = 1;
		a.measurements = m;
		verdict_judge(&v, &in, got, ARRAY_SIZE(got));
		if (!row->differs[0]) {
			CHECK_ROW(row->name, v.reason == REASON_Ok, "got %s: %s",
				reason_name(v.reason), v.message);
			continue;
		}
		CHECK_ROW(row->name, v.reason == REASON_MeasurementNotAllowed, "got %s",
			reason_name(v.reason));
		for (size_t i = 0; i < 3 && row->differs[i] && *row->differs[i]; i++)
			CHECK_ROW(row->name,
				i < v.n_mismatches &&
					strcmp(v.mismatches[i].name, row->differs[i]) == 0,
				"%zu of %zu is not %s", i, v.n_mismatches, row->differs[i]);
	}
}

static void test_closest_entry(void)
{
	struct evidence e = sgx_evidence();
	struct measurement got[] = {{"mrenclave", {1}, 32}, {"mrsigner", {2}, 32}};
	struct measurement far[] = {{"mrenclave", {8}, 32}, {"mrsigner", {8}, 32}};
	struct measurement near[] = {{"mrenclave", {1}, 32}, {"mrsigner", {9}, 32}};
	struct accepted list[] = {
		{.name = "far",
			.tees = 1 << TEE_TYPE_SGX,
			.measurements = far,
			.n_measurements = 2,
			.isv_prod_id = -1},
		{.name = "near",
			.tees = 1 << TEE_TYPE_SGX,
			.measurements = near,
			.n_measurements = 2,
			.isv_prod_id = -1},
		{.name = "good",
			.tees = 1 << TEE_TYPE_SGX,
			.measurements = got,
			.n_measurements = 2,
			.isv_prod_id = -1},
	};
	struct verify_policy policy = {.accepted = list, .n_accepted = 2};
	struct verify_input in = {.evidence = &e, .policy = &policy};
	struct verdict v = {.tcb = TCB_UpToDate};

	verdict_judge(&v, &in, got, 2);
	CU_ASSERT_EQUAL(v.reason, REASON_MeasurementNotAllowed);
	CU_ASSERT_PTR_NOT_NULL(strstr(v.message, "near"));
	CU_ASSERT_EQUAL(v.n_mismatches, 1);
	CU_ASSERT_STRING_EQUAL(v.mismatches[0].name, "mrsigner");
	CU_ASSERT_EQUAL(v.mismatches[0].want[0], 9);
	CU_ASSERT_EQUAL(v.mismatches[0].got[0], 2);
	CU_ASSERT_EQUAL(v.mismatches[0].len, 32);

	policy.n_accepted = 3;
	v = (struct verdict){.tcb = TCB_UpToDate};
	CU_ASSERT_EQUAL(verdict_judge(&v, &in, got, 2), 0);
}

static void test_measurements_required(void)
{
	struct evidence e = sgx_evidence();
	struct verify_policy policy = {.measurements_required = true};
	struct verify_input in = {.evidence = &e, .policy = &policy};
	struct verdict v = {.tcb = TCB_UpToDate};

	CU_ASSERT_EQUAL(verdict_judge(&v, &in, NULL, 0), -EACCES);
	CU_ASSERT_EQUAL(v.reason, REASON_MeasurementNotAllowed);
}

/* Entries of one TEE let no other in, and bind nothing that is simulated. */
static void test_measurements_of_other_tees(void)
{
	struct measurement mrenclave = {.name = "mrenclave", .value = {1}, .len = 32};
	const struct accepted list[] = {{.name = "evidence enclave",
		.tees = 1 << TEE_TYPE_SGX,
		.measurements = &mrenclave,
		.n_measurements = 1,
		.isv_prod_id = -1}};
	static const struct {
		enum tee_type tee;
		bool required;
		enum reason want;
	} rows[] = {
		{TEE_TYPE_TDX, true, REASON_MeasurementNotAllowed},
		{TEE_TYPE_TDX, false, REASON_MeasurementNotAllowed},
		{TEE_TYPE_SNP, true, REASON_MeasurementNotAllowed},
		{TEE_TYPE_SNP, false, REASON_MeasurementNotAllowed},
		{TEE_TYPE_SIMULATED, false, REASON_Ok},
		{TEE_TYPE_SIMULATED, true, REASON_MeasurementNotAllowed},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct evidence e = {.tee = rows[i].tee};
		struct verify_policy policy = {.accepted = list,
			.n_accepted = 1,
			.measurements_required = rows[i].required};
		struct verify_input in = {.evidence = &e, .policy = &policy};
		struct verdict v = {.tcb = TCB_UpToDate};

		verdict_judge(&v, &in, &mrenclave, 1);
		CHECK_ROW(tee_type_name(rows[i].tee), v.reason == rows[i].want, "%s: %s",
			reason_name(v.reason), v.message);
	}
}

static void test_report_data(void)
{
	unsigned char want[64] = {0};
	struct evidence e = sgx_evidence();
	struct verify_policy policy = {.report_data = want};
	struct verify_input in = {.evidence = &e, .policy = &policy};

	for (int at = -1; at < 64; at++) {
		struct verdict v = {.tcb = TCB_UpToDate};

		memset(want, 0, sizeof(want));
		if (at >= 0)
			want[at] = 0x80;
		verdict_judge(&v, &in, NULL, 0);
		CU_ASSERT_EQUAL(v.reason, at < 0 ? REASON_Ok : REASON_ReportDataMismatch);
	}
}

CU_TestInfo verdict_tests[] = {
	{"a refusal's message is printable and bounded", test_refuse},
	{"validity ends with what ends first", test_until},
	{"advisories are listed once and bounded", test_advise},
	{"TCB status and advisories", test_judge_tcb},
	{"measurements", test_judge_measurements},
	{"the closest entry is shown", test_closest_entry},
	{"measurements required", test_measurements_required},
	{"measurements of other TEEs", test_measurements_of_other_tees},
	{"report data is compared in full", test_report_data},
	CU_TEST_INFO_NULL,
};
