/* SPDX-License-Identifier: Apache-2.0
 *
 * AMD's certificates for SEV-SNP (AMD 57230, "VCEK Certificate and KDS Interface Specification")
 * and the verification of a report. */
#pragma once

#include "common/tee/cert.h"
#include "common/tee/crl.h"
#include "common/tee/roots.h"
#include "common/tee/snp_report.h"
#include "common/tee/verify.h"

enum { AMD_LEAVES_MAX = 4096, AMD_INTERMEDIATES_MAX = 16 };

/* What a VCEK or VLEK says about itself: extensions 1.3.6.1.4.1.3704.1. */
struct vcek {
	bool vlek;
	enum snp_product product;
	struct snp_tcb tcb;
	unsigned char hwid[SNP_CHIP_ID]; /* zero behind hwid_len */
	size_t hwid_len;                 /* 64, 8 (Turin), 0 (VLEK) */
};
/* Strict about encodings: HWID raw or as a DER OCTET STRING, SPLs 0 to 255. -EBADMSG. */
int vcek_read(struct vcek *ret, const struct cert *leaf, struct error *err);

struct amd_leaf {
	struct cert *cert;
	struct vcek vcek;
};

struct amd_collateral {
	struct amd_leaf
		*leaves; /* VCEKs and VLEKs, sorted by chip; changed by amd_leaf_add() alone */
	size_t n_leaves;
	struct cert *intermediates[AMD_INTERMEDIATES_MAX]; /* ASKs and ASVKs, by their names */
	size_t n_intermediates;
	struct crl *crl[SNP_PRODUCT_N]; /* signed by the ARK; not checked yet */
};
void amd_collateral_free(struct amd_collateral *c); /* what it holds */

/* Take up a VCEK or VLEK, an ASK or ASVK, a list of an ARK: each keeps a reference; what is there
 * already is nothing new. A list takes the place of an older one (CRLNumber, then thisUpdate).
 * -EBADMSG: none of these by its names (vcek_read()); -E2BIG; -ENOMEM. */
int amd_leaf_add(struct amd_collateral *c, struct cert *leaf, struct error *err);
int amd_intermediate_add(struct amd_collateral *c, struct cert *intermediate, struct error *err);
int amd_crl_add(struct amd_collateral *c, struct crl *crl, struct error *err);

/* The leaves for a report, one after the other (NULL: from the first on; NULL: no more): those of
 * its chip and reported TCB, or VLEKs of that TCB. Certificates of one key can differ in their
 * dates, and VLEKs do not name a chip. */
const struct amd_leaf *amd_leaf_next(
	const struct amd_collateral *c, const struct snp_report *r, const struct amd_leaf *after);
/* Is name an ASK's ("SEV-Milan") or an ASVK's ("SEV-VLEK-Milan")? */
bool amd_intermediate_name(const char *name, enum snp_product *ret_product, bool *ret_vlek);

/* Is tcb, by the components that v's product has, at least the policy's minimum? 0 or -EACCES. */
int snp_judge_minimum(
	const struct verify_input *in, const char *name, struct snp_tcb tcb, struct verdict *v);

/* snp: the part of verify() for SNP reports. See verify.h. */
int snp_verify(const struct verify_input *in, struct verify_cache *cache, struct verdict *v);
