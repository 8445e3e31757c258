/* SPDX-License-Identifier: Apache-2.0
 *
 * Synthetic worlds (tests/tee), judged as real evidence is. */
#pragma once

#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "tests/tee/cases.h"

/* What a world of Intel's is judged by; fails the test itself, and gives NULL. The root that is
 * trusted is the synthetic one as it should be, whatever w makes of it. */
struct collateral *world_collateral(const struct tee_intel *w, const struct tee_setup *s);
/* The same for AMD, with the revocation list; certificates: with leaf and intermediate, too. */
struct collateral *world_amd_collateral(
	const struct tee_amd *w, const struct tee_setup *s, bool certificates);

/* Opens bytes as evidence and verifies. v points into e and c; e is to be freed. */
void world_judge(struct verdict *v, struct evidence *e, struct span bytes,
	const struct collateral *c, const struct tee_setup *s, struct verify_cache *cache);
