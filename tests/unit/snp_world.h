/* SPDX-License-Identifier: Apache-2.0
 *
 * What SNP evidence is judged against in the tests: AMD's real roots, and certificates by file. */
#pragma once

#include "common/tee/collateral.h"
#include "common/tee/evidence.h"

#define SNP_TIME ((int64_t)1751000000) /* 2025-06-27: every real certificate is valid */

struct snp_world {
	struct collateral collateral;
	struct evidence evidence;
	struct verify_policy policy;
	struct verdict verdict;
	int64_t time;
};

/* AMD's roots, no certificates, no evidence. False: out of memory. */
bool snp_world_init(struct snp_world *w);
void snp_world_free(struct snp_world *w);
#define _cleanup_snp_world_ _cleanup_(snp_world_free)

/* Certificates, DER or PEM, each by its names; ARKs are passed over. */
int snp_world_certs(struct snp_world *w, struct span text);
/* Opens evidence in the place of what is there: as evidence_open(). */
int snp_world_open(struct snp_world *w, struct span input);
/* Verifies; the reason. */
enum reason snp_world_verify(struct snp_world *w, struct verify_cache *cache);
