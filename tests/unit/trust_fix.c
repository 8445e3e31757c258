/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/trust_fix.h"

struct collateral_sources sources_none(void)
{
	return (struct collateral_sources){
		.pccs = "",
		.pcs = "",
		.root_crl = "",
		.kds = "",
		.update = "",
		.ca_file = "",
		.proxy = "",
		.vcek_store = "",
	};
}

void trust_root_policy(struct buf *policy, struct span root)
{
	buf_puts(policy, "{\"trustedRoots\":[");
	buf_json_string(policy, root);
	buf_puts(policy, "]}");
}
