/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/verdicts.h"

#include "tests/unit/test.h"

#define NODE(p, v, r, u)                                                                           \
	{                                                                                          \
		.platform = SPAN_LIT(p), .verdict = SPAN_LIT(v), .reason = SPAN_LIT(r),            \
		.valid_until = (u)                                                                 \
	}

enum { NOW = 1000 };

static const struct row {
	const char *name;
	struct node_verdict nodes[3];
	enum tee tee;
	bool simulated, allowed;
	enum reason why;
} rows[] = {
	{"no node at all", {{.valid_until = 0}}, TEE_SGX, false, false, REASON_NotAttested},
	{"attested", {NODE("sgx", "Attested", "Ok", 1001)}, TEE_SGX, false, true, 0},
	{"over to the second", {NODE("sgx", "Attested", "Ok", 1000)}, TEE_SGX, false, false,
		REASON_VerdictExpired},
	{"no end is no verdict", {NODE("sgx", "Attested", "Ok", 0)}, TEE_SGX, false, false,
		REASON_NotAttested},
	{"waived", {NODE("sgx", "Waived", "Waived", 1001)}, TEE_SGX, false, true, 0},
	{"one is enough",
		{NODE("sgx", "Refused", "TcbOutOfDate", 2000), NODE("sgx", "Attested", "Ok", 1001)},
		TEE_SGX, false, true, 0},
	{"refused, and why", {NODE("sgx", "Refused", "TcbOutOfDate", 2000)}, TEE_SGX, false, false,
		REASON_TcbOutOfDate},
	{"expired, and swept", {NODE("sgx", "Expired", "Ok", 900)}, TEE_SGX, false, false,
		REASON_VerdictExpired},
	{"another TEE's", {NODE("tdx", "Attested", "Ok", 2000)}, TEE_SGX, false, false,
		REASON_NotAttested},
	{"unproven is not enough for SGX", {NODE("sgx", "Unproven", "Ok", 2000)}, TEE_SGX, false,
		false, REASON_NotAttested},
	{"a host is for VMs", {NODE("tdx-host", "Unproven", "HostNotAttestable", 2000)}, TEE_TDX,
		false, true, 0},
	{"of either kind", {NODE("snp-host", "Unproven", "HostNotAttestable", 2000)}, TEE_CVM,
		false, true, 0},
	{"a host is no confidential node",
		{NODE("tdx-host", "Unproven", "HostNotAttestable", 2000)}, TEE_NODE_TDX, false,
		false, REASON_NotAttested},
	{"a confidential node", {NODE("snp", "Attested", "Ok", 2000)}, TEE_NODE, false, true, 0},
	{"of the other kind", {NODE("snp", "Attested", "Ok", 2000)}, TEE_NODE_TDX, false, false,
		REASON_NotAttested},
	{"a verdict of a newer verifier", {NODE("sgx", "Marvellous", "Ok", 2000)}, TEE_SGX, false,
		false, REASON_NotAttested},
	{"simulated where it is allowed", {NODE("simulated", "Simulated", "Simulated", 2000)},
		TEE_TDX, true, true, 0},
	{"simulated where it is not", {NODE("simulated", "Simulated", "Simulated", 2000)}, TEE_TDX,
		false, false, REASON_NotAttested},
	{"simulated and over", {NODE("simulated", "Simulated", "Simulated", 1000)}, TEE_TDX, true,
		false, REASON_VerdictExpired},
	{"the platform that a simulated verdict claims does not matter",
		{NODE("sgx", "Simulated", "Simulated", 2000)}, TEE_SGX, false, false,
		REASON_NotAttested},
	{"where only simulated counts, a real one does not",
		{NODE("sgx", "Attested", "Ok", 2000)}, TEE_SGX, true, false, REASON_NotAttested},
};

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct verdicts v = {0};
		enum reason why = REASON_Internal;
		bool allowed;

		for (size_t k = 0; k < 3 && row->nodes[k].verdict.p; k++)
			verdicts_add(&v, &row->nodes[k]);
		allowed = verdicts_allow(&v, row->tee, row->simulated, NOW, &why);
		CHECK_ROW(row->name, allowed == row->allowed, "got %d", allowed);
		if (!allowed)
			CHECK_STR(row->name, span_str(reason_name(why)), reason_name(row->why));
	}
}

const CU_TestInfo verdicts_tests[] = {
	{"which pods the nodes' verdicts allow", test_rows},
	CU_TEST_INFO_NULL,
};
