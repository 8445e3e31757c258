/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificates behind an SNP report: VCEK, ASK, ARK or VLEK, ASVK, ARK (AMD 57230, section 2).
 * Evidence or collateral bring all but the ARK, which only roots give. */
#pragma once

#include "common/tee/snp.h"

/* Names, roles and signatures are right; dates and revocation are not judged yet. */
struct snp_chain {
	unsigned refs;
	struct cert *leaf, *intermediate, *ark;
	struct vcek vcek;
	struct crl *crl; /* of the ARK, signed by it; NULL: there is none */
};

/* The chain of a leaf: one of the collateral's, or the one that came with the evidence when leaf is
 * NULL. What was verified before comes out of the cache (NULL allowed). 0, or -EACCES and the
 * verdict. */
int snp_chain_get(struct snp_chain **ret, const struct verify_input *in,
	const struct amd_leaf *leaf, struct verify_cache *cache, struct verdict *v);
void snp_chain_unref(struct snp_chain *c);
DEFINE_CLEANUP(struct snp_chain *, snp_chain_unref)

/* Revocation, then dates, at the time of the verification; lowers valid_until. 0 or -EACCES. */
int snp_chain_judge(const struct snp_chain *c, const struct verify_input *in, struct verdict *v);

/* The leaf that came with the evidence, of the kind that signed the report; SPAN_NONE: none. */
struct span snp_evidence_leaf(const struct verify_input *in);
