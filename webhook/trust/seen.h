/* SPDX-License-Identifier: Apache-2.0
 *
 * The highest numbers that were seen: tcbEvaluationDataNumber of each kind of platform, CRLNumber
 * of each revocation list. Who serves older collateral hides a TCB recovery, or a revocation,
 * though the collateral has not ended yet. Pure. */
#pragma once

#include "common/tee/again.h"

enum { SEEN_MAX = 1024 }; /* kinds of platforms; further ones are not remembered */

/* Lists of roots of one's own count as those of the vendor's that has their name. */
enum seen_list {
	SEEN_INTEL_ROOT,
	SEEN_PCK_CA,                       /* + enum pck_ca */
	SEEN_ARK = SEEN_PCK_CA + PCK_CA_N, /* + enum snp_product */
	SEEN_LIST_N = SEEN_ARK + SNP_PRODUCT_N,
};

struct seen {
	struct seen_kind {
		bool tdx;
		unsigned char fmspc[6];
		uint32_t number;
	} kinds[SEEN_MAX];
	size_t n;
	int64_t lists[SEEN_LIST_N]; /* 0: none was seen */
};

/* Remembers number, if it is the highest. */
void seen_note(struct seen *s, bool tdx, const unsigned char fmspc[6], uint32_t number);
/* 0: none was seen. */
uint32_t seen_highest(const struct seen *s, bool tdx, const unsigned char fmspc[6]);

void seen_note_list(struct seen *s, enum seen_list list, int64_t number);
/* Everything that b was judged by. */
void seen_note_basis(struct seen *s, const struct basis *b);
