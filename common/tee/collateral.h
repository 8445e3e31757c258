/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that evidence is judged against, besides time and policy. Immutable while verify reads
 * it; each change is a new epoch. */
#pragma once

#include "common/base/buf.h"
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

enum { COLLATERAL_MAX = 32 << 20 }; /* bytes of one text */

/* Recognises and takes up what text holds, once or several times: Intel collateral as one JSON (the
 * members pck_crl_issuer_chain, root_ca_crl, pck_crl, tcb_info_issuer_chain, tcb_info, …, CRLs in
 * hex DER); a PCS answer {"tcbInfo"|"enclaveIdentity", "signature"} with its issuer chain as third
 * member "issuerChain", or as PEM before or after it; what collateral_write() wrote; certificates
 * and CRLs as DER, hex DER or PEM, each by its names: PCK, PCK CA, TCB signing, VCEK, VLEK, ASK,
 * ASVK, and roots, which are only compared; an SNP certificate table. name is for messages.
 * -ENOMSG: nothing that is known; -EBADMSG: something that is broken; -E2BIG; -ENOMEM: then what
 * came before it in text is taken up all the same. A later document takes the place of one of the
 * same kind unless that one is newer (issueDate; CRLNumber). */
int collateral_add(struct collateral *c, struct span text, const char *name, struct error *err);
/* A file, or each file of a folder (not below; no hidden ones), in the order of their names. Of a
 * folder, what is not known is passed over unless nothing is known, and what is broken keeps
 * nothing else away; the first such is what is returned. -errno of the file system as well. */
int collateral_add_path(struct collateral *c, const char *path, struct error *err);

/* Appends all of it, roots aside, as one JSON that collateral_add() reads; the same collateral
 * gives the same bytes. -EBADMSG: a document that cannot be used; or the buffer's error. */
int collateral_write(struct buf *out, const struct collateral *c, struct error *err);
