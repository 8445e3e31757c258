/* SPDX-License-Identifier: Apache-2.0
 *
 * New collateral applied to what was verified before, without its evidence: what a TCB level or a
 * revocation list says of a platform can change, what ran there cannot. Pure. */
#pragma once

#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/verify.h"

/* What is kept of verified evidence. */
struct basis {
	bool known; /* there is one; else nothing below counts */
	enum tee_type tee;
	bool accepted; /* the evidence was, in full */
	unsigned char leaf_serial[CERT_SERIAL_MAX], issuer_serial[CERT_SERIAL_MAX];
	size_t leaf_serial_len, issuer_serial_len;
	struct crl_numbers lists; /* the highest that were seen */

	/* Intel */
	uint32_t evaluation_number; /* the highest that was seen; 0: none */
	struct pck pck;             /* fmspc, pceid, components, pcesvn and ca alone */
	uint16_t qe_svn;
	/* TDX: of the report */
	unsigned char tee_tcb_svn[16], tee_tcb_svn2[16], mrsignerseam[48];
	bool has_tee_tcb_svn2;
	uint64_t seam_attributes;

	enum snp_product product;
	bool vlek;
	struct snp_tcb reported_tcb, launch_tcb;
};

/* Of v, whose certificate chain was verified, and e; else what is not known. */
void basis_of(struct basis *ret, const struct verdict *v, const struct evidence *e);
/* What was seen before of the same kind of platform, and of the same lists, is not forgotten. */
void basis_keep_highest(struct basis *b, const struct basis *before);
/* The same of what v was judged by, which is of b's platform. */
void basis_raise(struct basis *b, const struct verdict *v);

/* Collateral whose lists are checked: which of them hold the signature of whom we trust. */
struct again {
	const struct collateral *collateral; /* borrowed */
	struct cert *intel_root;             /* of the root's list; borrowed; NULL: there is none */
	bool pck_crl[PCK_CA_N], ark_crl[SNP_PRODUCT_N];
};
void again_prepare(struct again *ret, const struct collateral *c);

/* The verdict about b by that collateral: status, date, number and advisories of the TCB, and
 * revocation. Of the policy what speaks of these counts. */
void verify_again(const struct again *a, const struct basis *b, const struct verify_policy *policy,
	int64_t time, struct verdict *ret);
/* Is this reason a judgement of the vendor's about a platform, rather than a lack of collateral,
 * which changes nothing about it? Ok is one. */
bool verify_again_decides(enum reason reason);
