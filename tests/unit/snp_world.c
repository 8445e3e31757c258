/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/snp_world.h"

#include "common/tee/pem.h"

bool snp_world_init(struct snp_world *w)
{
	*w = (struct snp_world){.time = SNP_TIME};
	return roots_builtin(&w->collateral.roots, NULL) == 0;
}

void snp_world_free(struct snp_world *w)
{
	evidence_free(&w->evidence);
	amd_collateral_free(&w->collateral.amd);
	roots_free(&w->collateral.roots);
}

int snp_world_certs(struct snp_world *w, struct span text)
{
	struct cert *all[4] = {0};
	int n = pem_is(text) ? cert_parse_pem(all, 4, text, NULL)
			     : cert_parse_der(&all[0], text, NULL);
	int r = n < 0 ? n : 0;

	for (size_t i = 0; i < 4; i++) {
		if (r == 0 && all[i] && strncmp(all[i]->subject, "ARK-", 4) != 0)
			r = all[i]->ca ? amd_intermediate_add(&w->collateral.amd, all[i], NULL)
				       : amd_leaf_add(&w->collateral.amd, all[i], NULL);
		cert_unref(all[i]);
	}
	w->collateral.epoch++;
	return r;
}

int snp_world_open(struct snp_world *w, struct span input)
{
	enum reason reason;

	evidence_free(&w->evidence);
	return evidence_open(&w->evidence, input, &reason, NULL);
}

enum reason snp_world_verify(struct snp_world *w, struct verify_cache *cache)
{
	struct verify_input in = {&w->evidence, &w->collateral, &w->policy, w->time};

	verify(&in, cache, &w->verdict);
	return w->verdict.reason;
}
