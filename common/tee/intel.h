/* SPDX-License-Identifier: Apache-2.0
 *
 * Verification of Intel's quotes: the order of checks of Intel's DCAP quote verification library,
 * and stricter where that leaves things to its caller. See verify.h. */
#pragma once

#include "common/tee/verify.h"

struct pck_chain;
struct qe_identity;
struct tcb_info;

/* What every quote of a platform is judged by: TCB info and QE identity. */
struct intel_documents {
	const struct tcb_info *tcb;
	const struct qe_identity *qe;
};
/* Finds them for in's kind of evidence and c's platform (pck, root, root_crl), and judges them:
 * signers, revocation, dates, platform, evaluation number. Lowers v's validity. 0 or -EACCES. */
int intel_judge_collateral(struct intel_documents *ret, struct verdict *v,
	const struct verify_input *in, const struct pck_chain *c);

int intel_verify(const struct verify_input *in, struct verify_cache *cache, struct verdict *v);
