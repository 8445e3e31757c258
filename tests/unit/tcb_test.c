/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/tcb.h"

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

#define U   TCB_UpToDate
#define SWH TCB_SWHardeningNeeded
#define C   TCB_ConfigurationNeeded
#define CS  TCB_ConfigurationAndSWHardeningNeeded
#define O   TCB_OutOfDate
#define OC  TCB_OutOfDateConfigurationNeeded
#define RA  TCB_TDRelaunchAdvised
#define RAC TCB_TDRelaunchAdvisedConfigurationNeeded
#define R   TCB_Revoked
#define N   TCB_NotSupported

/* Intel's table ("Convergence"): a row for each platform status, joined with what a quoting enclave
 * or module can be; the parts beyond are no statuses of parts and support nothing. */
static void test_merge(void)
{
	static const struct {
		enum tcb_status platform, up_to_date, out_of_date, revoked;
	} rows[] = {
		{U, U, O, R},
		{SWH, SWH, O, R},
		{C, C, OC, R},
		{CS, CS, OC, R},
		{O, O, O, R},
		{OC, OC, OC, R},
		{RA, RA, O, R},
		{RAC, RAC, OC, R},
		{R, R, R, R},
		{N, N, N, N},
		{TCB_STATUS_N, N, N, N},
	};
	static const enum tcb_status nothing[] = {SWH, C, CS, OC, RA, RAC, N, TCB_STATUS_N};

	CU_ASSERT_EQUAL(ARRAY_SIZE(rows), TCB_STATUS_N + 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum tcb_status p = rows[i].platform;
		const char *name = tcb_status_name(p);
		enum tcb_status got[] = {
			tcb_status_merge(p, U), tcb_status_merge(p, O), tcb_status_merge(p, R)};

		CHECK_ROW(name, got[0] == rows[i].up_to_date, "got %s", tcb_status_name(got[0]));
		CHECK_ROW(name, got[1] == rows[i].out_of_date, "got %s", tcb_status_name(got[1]));
		CHECK_ROW(name, got[2] == rows[i].revoked, "got %s", tcb_status_name(got[2]));
		for (size_t k = 0; k < ARRAY_SIZE(nothing); k++)
			CHECK_ROW(name, tcb_status_merge(p, nothing[k]) == N, "with %s",
				tcb_status_name(nothing[k]));
	}
}

static void test_names(void)
{
	static const char *const unknown[] = {
		"",
		"uptodate",
		"UpToDate ",
		"UpToDat",
		"NotSupported",
		"unknown",
		"SwHardeningNeeded",
	};
	enum tcb_status s;

	for (enum tcb_status i = 0; i < TCB_NotSupported; i++) {
		s = TCB_STATUS_N;
		CHECK_ROW(tcb_status_name(i),
			tcb_status_parse(span_str(tcb_status_name(i)), &s) && s == i, "got %d", s);
	}
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		CHECK_ROW(unknown[i], !tcb_status_parse(span_str(unknown[i]), &s), "known");
	CU_ASSERT_FALSE(tcb_status_parse(SPAN_NONE, &s));
	CU_ASSERT_FALSE(tcb_status_parse((struct span){"UpToDate", 9}, &s));
}

/* Whatever is asked, no answer is one that accepts. */
static void test_reasons(void)
{
	CU_ASSERT_EQUAL(tcb_status_reason(TCB_OutOfDate), REASON_TcbOutOfDate);
	CU_ASSERT_EQUAL(tcb_status_reason(TCB_SWHardeningNeeded), REASON_TcbSwHardeningNeeded);
	CU_ASSERT_EQUAL(tcb_status_reason(TCB_ConfigurationNeeded), REASON_TcbConfigurationNeeded);
	CU_ASSERT_EQUAL(tcb_status_reason(TCB_ConfigurationAndSWHardeningNeeded),
		REASON_TcbConfigurationAndSwHardeningNeeded);
	CU_ASSERT_EQUAL(tcb_status_reason(TCB_OutOfDateConfigurationNeeded),
		REASON_TcbOutOfDateConfigurationNeeded);
	CU_ASSERT_EQUAL(tcb_status_reason(TCB_TDRelaunchAdvised), REASON_TcbRelaunchAdvised);
	CU_ASSERT_EQUAL(tcb_status_reason(TCB_TDRelaunchAdvisedConfigurationNeeded),
		REASON_TcbRelaunchAdvisedConfigurationNeeded);
	CU_ASSERT_EQUAL(tcb_status_reason(TCB_Revoked), REASON_TcbRevoked);
	CU_ASSERT_EQUAL(tcb_status_reason(TCB_NotSupported), REASON_TcbNotSupported);
	for (int s = 0; s <= TCB_STATUS_N; s++) {
		enum reason r = tcb_status_reason((enum tcb_status)s);

		CHECK_ROW(tcb_status_name((enum tcb_status)s),
			r != REASON_Ok && r != REASON_Simulated && r < REASON_N, "got %d", r);
	}
}

CU_TestInfo tcb_tests[] = {
	{"merge", test_merge},
	{"names", test_names},
	{"reasons", test_reasons},
	CU_TEST_INFO_NULL,
};
