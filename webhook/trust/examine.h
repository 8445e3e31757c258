/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence, as it comes, opened and verified: the verifier's collateral, policy and cache around
 * common/tee/verify.h. */
#pragma once

#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/verify.h"

struct examination {
	bool opened; /* evidence could be read */
	struct evidence evidence;
	struct verdict verdict; /* points into evidence, collateral and policy */
	/* What it was refused for is being fetched: in so many seconds it may be there. 0: nothing
	 * is. examine() leaves it 0. */
	int64_t wait_sec;
};
void examination_free(struct examination *e);
#define _cleanup_examination_ _cleanup_(examination_free)

struct examiner {
	const struct collateral *collateral;
	const struct verify_policy *policy;
	struct verify_cache *cache; /* NULL: none */
	bool measurements_elsewhere; /* what runs is judged by who asked, if the policy lists none */
};

/* Always gives a verdict. text: as received. ret holds nothing before. */
void examine(const struct examiner *x, struct span text, const unsigned char report_data[64],
	int64_t now_sec, struct examination *ret);
