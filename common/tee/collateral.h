/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that evidence is judged against, besides time and policy. Immutable while verify reads
 * it; each change is a new epoch. */
#pragma once

#include "common/tee/intel_collateral.h"
#include "common/tee/snp.h"

struct collateral {
	struct roots roots;
	struct intel_collateral intel;
	struct amd_collateral amd;
	uint64_t epoch; /* grows with each change; caches of verdicts' parts are bound to it */
};

/* With the roots compiled in. -ENOMEM. */
int collateral_new(struct collateral **ret, struct error *err);
void collateral_free(struct collateral *c); /* NULL allowed */
DEFINE_CLEANUP(struct collateral *, collateral_free)

/* Recognises and takes up what text holds, once or several times: Intel collateral as one JSON (the
 * members pck_crl_issuer_chain, root_ca_crl, pck_crl, tcb_info_issuer_chain, tcb_info, …, CRLs in
 * hex DER); a PCS answer {"tcbInfo"|"enclaveIdentity", "signature"} with its issuer chain as third
 * member "issuerChain" or from an earlier PEM; our own bundle (`casemate-webhook collateral`);
 * certificates and CRLs as DER or PEM, each by its names: PCK, PCK CA, TCB signing, VCEK, VLEK, ASK,
 * ASVK, ARK; an SNP certificate table. name is for messages. -EBADMSG: nothing that is known, or one
 * that is broken; -E2BIG; -ENOMEM. A later document takes the place of one of the same kind unless
 * that one is newer (issueDate; CRLNumber). */
int collateral_add(struct collateral *c, struct span text, const char *name, struct error *err);
/* A file, or each file of a folder (not below), in the order of their names. -errno of the file
 * system as well. */
int collateral_add_path(struct collateral *c, const char *path, struct error *err);
