/* SPDX-License-Identifier: Apache-2.0
 *
 * A synthetic AMD: ARK, ASK or ASVK, a chip's VCEK or a provider's VLEK, and an SNP report that
 * verifies against them. Each field can be changed before anything is written. */
#pragma once

#include "common/tee/roots.h"
#include "common/tee/snp_report.h"
#include "tests/tee/intel_world.h"

enum {
	TEE_SPL_BOOTLOADER = 1,
	TEE_SPL_TEE = 2,
	TEE_SPL_SNP = 3,
	TEE_SPL_4 = 4,
	TEE_SPL_MICROCODE = 8,
	TEE_SPL_FMC = 9,
	TEE_SPL_N
};

struct tee_amd {
	enum snp_product product;
	bool vlek;
	struct tee_cert ark, intermediate, leaf;
	struct tee_crl crl;

	/* the leaf's extensions 1.3.6.1.4.1.3704.1 */
	unsigned structure;
	const char *product_name; /* "Milan-B0"; NULL: without */
	int spl[TEE_SPL_N];       /* .3.N; -1: without */
	unsigned char hwid[SNP_CHIP_ID];
	size_t hwid_len;
	bool hwid_der;      /* as OCTET STRING */
	const char *csp_id; /* NULL: without */

	unsigned char report[SNP_REPORT]; /* set by offset; see snp_report.h; it is signed then */
	enum tee_flaw signature;
	unsigned behind_r, behind_s; /* the first byte behind the 48 of r and s */
	unsigned behind;             /* the first byte behind both */

	/* what the certificate table lacks, or calls otherwise: a VCEK a VLEK */
	bool no_leaf, no_intermediate, other_guid;
};

/* A report of that version, of a chip whose TCB its VCEK names, or with a provider's VLEK. */
void tee_amd(struct tee_amd *w, enum snp_product product, unsigned version, bool vlek);
/* The revocation list was made a day before now, and holds for a year. */
void tee_amd_at(struct tee_amd *w, int64_t now);
/* One TCB in reported, current, committed and launch TCB and in the leaf. */
void tee_amd_tcb(struct tee_amd *w, struct snp_tcb tcb);
/* The 8 bytes of a report for it. */
void tee_amd_put_tcb(const struct tee_amd *w, unsigned char raw[8], struct snp_tcb tcb);

void tee_amd_report(const struct tee_amd *w, struct buf *out);
/* In DER. */
void tee_amd_leaf(const struct tee_amd *w, struct buf *out);
void tee_amd_intermediate(const struct tee_amd *w, struct buf *out);
void tee_amd_ark(const struct tee_amd *w, struct buf *out);
void tee_amd_crl(const struct tee_amd *w, struct buf *out);
/* The report and a certificate table with leaf and intermediate. */
void tee_amd_extended(const struct tee_amd *w, struct buf *out);
