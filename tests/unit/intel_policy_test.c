/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy says about enclaves and TDs: fields of real quotes, changed. */
#include "common/tee/intel_policy.h"

#include "tests/unit/intel_fixture.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define SEPT   TD_ATTRIBUTE_SEPT_VE_DISABLE
#define BIT(n) (1ull << (n))

static struct verdict judge(
	const char *quote, const struct verify_policy *policy, void (*change)(struct quote *q))
{
	struct evidence e;
	struct verdict v;
	struct verify_input in = {.evidence = &e, .policy = policy};

	if (!golden_evidence(&e, vector(quote), &v))
		return v;
	if (change)
		change(&e.quote);
	v = (struct verdict){.tcb = TCB_UpToDate};
	intel_policy_judge(&v, &in);
	return v;
}

static void test_td_attributes(void)
{
	static const struct row {
		const char *name;
		uint64_t attributes;
		struct verify_policy policy;
		enum reason want;
	} rows[] = {
		{"usual", SEPT, {0}, REASON_Ok},
		{"all that is allowed", SEPT | BIT(30) | BIT(63) | BIT(27) | BIT(16) | BIT(62), {0},
			REASON_Ok},
		{"debug", SEPT | BIT(0), {0}, REASON_DebugNotAllowed},
		{"debug allowed", SEPT | BIT(0), {.allow_debug = true}, REASON_Ok},
		{"debug allowed by a mask", SEPT | BIT(0), {.td_attributes_allowed = SEPT | BIT(0)},
			REASON_DebugNotAllowed},
		{"another bit of debugging", SEPT | BIT(1), {.allow_debug = true},
			REASON_PolicyBitsNotAllowed},
		{"one allowed by a mask", SEPT | BIT(7), {.td_attributes_allowed = ~0ull},
			REASON_PolicyBitsNotAllowed},
		{"SEPT_VE_DISABLE", 0, {0}, REASON_PolicyBitsNotAllowed},
		{"SEPT_VE_DISABLE not required", 0, {.allow_sept_ve = true}, REASON_Ok},
		{"migratable", SEPT | TD_ATTRIBUTE_MIGRATABLE, {0}, REASON_PolicyBitsNotAllowed},
		{"migratable allowed", SEPT | TD_ATTRIBUTE_MIGRATABLE, {.allow_migration = true},
			REASON_Ok},
		{"migratable by a mask", SEPT | TD_ATTRIBUTE_MIGRATABLE,
			{.td_attributes_allowed = ~0ull}, REASON_PolicyBitsNotAllowed},
		{"key locker", SEPT | BIT(31), {0}, REASON_PolicyBitsNotAllowed},
		{"key locker allowed", SEPT | BIT(31), {.td_attributes_allowed = SEPT | BIT(31)},
			REASON_Ok},
		{"a mask that takes away", SEPT | BIT(30), {.td_attributes_allowed = SEPT},
			REASON_PolicyBitsNotAllowed},
		{"an unknown bit", SEPT | BIT(40), {0}, REASON_PolicyBitsNotAllowed},
		{"bit 39, which is not PERFMON", SEPT | BIT(39), {0}, REASON_PolicyBitsNotAllowed},
	};

	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		struct evidence e;
		struct verdict v;
		struct verify_input in = {.evidence = &e, .policy = &row->policy};

		golden_evidence(&e, vector(golden[GOLDEN_TDX].quote), &v);
		e.quote.td.td_attributes = row->attributes;
		v = (struct verdict){.tcb = TCB_UpToDate};
		intel_policy_judge(&v, &in);
		CHECK_ROW(row->name, v.reason == row->want, "%s: %s", reason_name(v.reason),
			v.message);
	}
}

static void test_xfam(void)
{
	static const struct row {
		const char *name;
		uint64_t xfam, allowed;
		enum reason want;
	} rows[] = {
		{"x87 and SSE", 3, 0, REASON_Ok},
		{"all that is allowed", 0x6dbe7, 0, REASON_Ok},
		{"without SSE", 1, 0, REASON_PolicyBitsNotAllowed},
		{"nothing", 0, 0, REASON_PolicyBitsNotAllowed},
		{"another bit", 0x6dbe7 | BIT(10), 0, REASON_PolicyBitsNotAllowed},
		{"the highest bit", 3 | BIT(63), 0, REASON_PolicyBitsNotAllowed},
		{"a narrower mask", 0x7, 3, REASON_PolicyBitsNotAllowed},
		{"a wider mask", 3 | BIT(10), 3 | BIT(10), REASON_Ok},
		{"a mask without what must be", 3, BIT(10), REASON_PolicyBitsNotAllowed},
	};

	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		struct verify_policy policy = {.xfam_allowed = row->allowed};
		struct evidence e;
		struct verdict v;
		struct verify_input in = {.evidence = &e, .policy = &policy};

		golden_evidence(&e, vector(golden[GOLDEN_TDX].quote), &v);
		e.quote.td.xfam = row->xfam;
		v = (struct verdict){.tcb = TCB_UpToDate};
		intel_policy_judge(&v, &in);
		CHECK_ROW(row->name, v.reason == row->want, "%s: %s", reason_name(v.reason),
			v.message);
	}
}

static void bind_service_td(struct quote *q)
{
	static const unsigned char some[48] = {[47] = 1};

	q->td.mrservicetd = some;
}

static void test_service_td(void)
{
	struct verify_policy policy = {0};
	struct verdict v = judge(golden[GOLDEN_TDX15].quote, &policy, bind_service_td);

	CU_ASSERT_EQUAL(v.reason, REASON_PolicyBitsNotAllowed);
	policy.allow_migration = true;
	v = judge(golden[GOLDEN_TDX15].quote, &policy, bind_service_td);
	CU_ASSERT_EQUAL(v.reason, REASON_Ok);
	policy.allow_migration = false;
	v = judge(golden[GOLDEN_TDX15].quote, &policy, NULL);
	CU_ASSERT_EQUAL(v.reason, REASON_Ok);
}

/* Genuine evidence that its host can read. */
static void test_debug(void)
{
	static const char *const quotes[] = {"trustee/tdx_quote_4.dat", "trustee/occlum_quote.dat"};

	for (size_t i = 0; i < ARRAY_SIZE(quotes); i++) {
		struct verify_policy policy = {0};
		struct verdict v = judge(quotes[i], &policy, NULL);

		CHECK_ROW(
			quotes[i], v.reason == REASON_DebugNotAllowed, "%s", reason_name(v.reason));
		policy.allow_debug = true;
		v = judge(quotes[i], &policy, NULL);
		CHECK_ROW(quotes[i], v.reason == REASON_Ok, "%s: %s", reason_name(v.reason),
			v.message);
	}
}

/* Each register that a policy can name, right and with its last bit changed. */
static void check_registers(const char *quote, uint32_t tees, const char *const names[],
	const size_t at[], size_t n, size_t len)
{
	struct span bytes = vector(quote);

	for (size_t i = 0; i < n; i++)
		for (int wrong = 0; wrong < 2; wrong++) {
			struct measurement m = {.name = names[i], .len = len};
			struct accepted a = {.name = "one",
				.tees = tees,
				.measurements = &m,
				.n_measurements = 1,
				.isv_prod_id = -1};
			struct verify_policy policy = {.accepted = &a, .n_accepted = 1};
			struct verdict v;

			memcpy(m.value, bytes.p + at[i], len);
			m.value[len - 1] ^= (unsigned char)wrong;
			v = judge(quote, &policy, NULL);
			CHECK_ROW(names[i],
				v.reason == (wrong ? REASON_MeasurementNotAllowed : REASON_Ok),
				"%s: %s", reason_name(v.reason), v.message);
		}
}

static void test_registers(void)
{
	static const char *const sgx[] = {"mrenclave", "mrsigner"};
	static const size_t sgx_at[] = {48 + 64, 48 + 128};
	static const char *const td[] = {"mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrseam",
		"mrconfigid", "mrowner", "mrownerconfig"};
	static const size_t td_at[] = {48 + 136, 48 + 328, 48 + 376, 48 + 424, 48 + 472, 48 + 16,
		48 + 184, 48 + 232, 48 + 280};

	check_registers(
		golden[GOLDEN_SGX].quote, 1u << TEE_TYPE_SGX, sgx, sgx_at, ARRAY_SIZE(sgx), 32);
	check_registers(
		golden[GOLDEN_TDX].quote, 1u << TEE_TYPE_TDX, td, td_at, ARRAY_SIZE(td), 48);
}

static void test_report_data(void)
{
	struct verify_policy policy = {.allow_sept_ve = true};
	unsigned char nonce[64];
	struct verdict v;

	memcpy(nonce, vector("go-tdx-guest/nonce.dat").p, sizeof(nonce));
	policy.report_data = nonce;
	v = judge("go-tdx-guest/cos-113-tdx-quote.dat", &policy, NULL);
	CU_ASSERT_EQUAL(v.reason, REASON_Ok);
	nonce[63] ^= 1;
	v = judge("go-tdx-guest/cos-113-tdx-quote.dat", &policy, NULL);
	CU_ASSERT_EQUAL(v.reason, REASON_ReportDataMismatch);
}

CU_TestInfo intel_policy_tests[] = {
	{"TD attributes", test_td_attributes},
	{"XFAM", test_xfam},
	{"service TDs", test_service_td},
	{"debug", test_debug},
	{"registers", test_registers},
	{"report data", test_report_data},
	CU_TEST_INFO_NULL,
};
