/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/tee.h"

static const char *const names[TEE_N] = {
	[TEE_NONE] = "none",
	[TEE_SGX] = "sgx",
	[TEE_TDX] = "tdx",
	[TEE_SNP] = "snp",
	[TEE_CVM] = "cvm",
	[TEE_NODE] = "node",
	[TEE_NODE_TDX] = "node-tdx",
	[TEE_NODE_SNP] = "node-snp",
};

const char *tee_name(enum tee t)
{
	return names[t];
}

enum tee tee_parse(struct span s)
{
	for (enum tee t = TEE_NONE + 1; t < TEE_N; t++)
		if (span_is(s, names[t]))
			return t;
	return TEE_NONE;
}
