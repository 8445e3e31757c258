/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/intel_fixture.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

struct collateral *golden_collateral(const struct golden *g)
{
	struct collateral *c = NULL;
	struct error err = {0};
	int r = collateral_new(&c, &err);

	if (r == 0)
		r = collateral_add(c, vector(g->collateral), g->collateral, &err);
	CHECK_ROW(g->collateral, r == 0, "%s", err.message);
	return c;
}

void golden_verify(struct verdict *v, struct span bytes, const struct collateral *c,
	const struct verify_policy *policy, int64_t time, struct verify_cache *cache)
{
	struct verify_policy lenient = golden_policy();
	struct evidence e;
	struct verify_input in = {.evidence = &e,
		.collateral = c,
		.policy = policy ? policy : &lenient,
		.time = time};

	if (golden_evidence(&e, bytes, v))
		verify(&in, cache, v);
}
