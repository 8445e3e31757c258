/* SPDX-License-Identifier: Apache-2.0
 *
 * What TCB info and QE identity say about a platform, its TDX module and its quoting enclave, as
 * one status (Intel's DCAP quote verification library: TcbLevelCheck, TdxModuleCheck,
 * TDRelaunchCheck). Every signature is verified by then. */
#pragma once

#include "common/tee/intel_collateral.h"
#include "common/tee/verify.h"

/* Fills v's statuses, advisories and date. That a status is accepted is not judged here; a module
 * that the document does not know, or is not Intel's, is refused. td: NULL for SGX. 0 or -EACCES.
 */
int intel_tcb_judge(struct verdict *v, const struct tcb_info *tcb, const struct qe_identity *qe,
	const struct pck *pck, uint16_t qe_svn, const struct td_report *td);
