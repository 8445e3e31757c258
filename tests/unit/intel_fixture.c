/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/intel_fixture.h"

#include <stdio.h>

#define BIT(status) (1u << TCB_##status)

const struct golden golden[GOLDEN_N] = {
	[GOLDEN_SGX] = {"dcap-qvl/sgx_quote", "dcap-qvl/sgx_quote_collateral.json", 1750330571,
		1751000000, 1752919278, BIT(ConfigurationAndSWHardeningNeeded),
		TCB_ConfigurationAndSWHardeningNeeded, REASON_TcbConfigurationAndSwHardeningNeeded},
	[GOLDEN_TDX] = {"dcap-qvl/tdx_quote", "dcap-qvl/tdx_quote_collateral.json", 1750329147,
		1751000000, 1752919235, 0, TCB_UpToDate, REASON_Ok},
	[GOLDEN_TDX15] = {"go-tdx-guest/quote_v5_sample.dat",
		"dcap-qvl/tdx_quote_outdated_collateral.json", 1771412331, 1772000000, 1774003275,
		0, TCB_UpToDate, REASON_Ok},
};

const struct span golden_advisories[2] = {{"INTEL-SA-00289", 14}, {"INTEL-SA-00615", 14}};

bool golden_evidence(struct evidence *e, struct span bytes, struct verdict *v)
{
	struct error err = {0};

	*e = (struct evidence){0};
	*v = (struct verdict){.reason = REASON_Internal};
	if (quote_parse(&e->quote, bytes, &v->reason, &err) < 0) {
		snprintf(v->message, sizeof(v->message), "%s", err.message);
		return false;
	}
	e->tee = e->quote.tdx ? TEE_TYPE_TDX : TEE_TYPE_SGX;
	return true;
}

struct verify_policy golden_policy(void)
{
	return (struct verify_policy){
		.accepted_tcb = golden[GOLDEN_SGX].accepted_tcb,
		.accepted_advisories = golden_advisories,
		.n_accepted_advisories = ARRAY_SIZE(golden_advisories),
	};
}
