/* SPDX-License-Identifier: Apache-2.0
 *
 * Intel's real quotes with the collateral of their time, and how they are judged. */
#pragma once

#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/verify.h"

struct golden {
	const char *quote, *collateral; /* below tests/vectors */
	int64_t from, time, until;      /* verified at time; the collateral holds from … until */
	uint32_t accepted_tcb;          /* what makes a policy accept it */
	enum tcb_status status;
	enum reason by_default; /* without accepted_tcb */
};

enum { GOLDEN_SGX, GOLDEN_TDX, GOLDEN_TDX15, GOLDEN_N };
extern const struct golden golden[GOLDEN_N];
/* The advisories of golden[GOLDEN_SGX]'s level. */
extern const struct span golden_advisories[2];

/* Reads text as golden's; on failure prints why, and fails the test. */
struct collateral *golden_collateral(const struct golden *g);
/* Views bytes as evidence; nothing to free. false: refused, with reason and message in v. */
bool golden_evidence(struct evidence *e, struct span bytes, struct verdict *v);
/* A policy that accepts each of golden. */
struct verify_policy golden_policy(void);

/* Judges bytes at time; policy NULL: golden_policy(). */
void golden_verify(struct verdict *v, struct span bytes, const struct collateral *c,
	const struct verify_policy *policy, int64_t time, struct verify_cache *cache);
