/* SPDX-License-Identifier: Apache-2.0
 *
 * What Intel publishes about platforms: TCB info v3, QE identity v2, CRLs ("Intel PCS", API v4).
 * Signatures are checked over the raw slice received, once, when a document is taken up; a document
 * whose signature, issuer or shape is wrong is kept with its reason, so that whoever needs it says
 * why it cannot be used. Dates and revocation are judged by verify, which knows the time. */
#pragma once

#include "common/base/arena.h"
#include "common/tee/cert.h"
#include "common/tee/crl.h"
#include "common/tee/pck.h"
#include "common/tee/quote.h"
#include "common/tee/roots.h"
#include "common/tee/tcb.h"

enum {
	INTEL_JSON_MAX = 1 << 20,
	INTEL_LEVELS_MAX = 256,
	INTEL_ADVISORIES_MAX = 64, /* of one level */
	INTEL_TCB_INFOS_MAX = 256, /* kept at once */
	INTEL_MESSAGE = 480,
};

struct intel_collateral;

/* Who signed a document: the chain "Intel SGX TCB Signing", root. */
struct intel_signer {
	struct cert *cert, *root; /* root: as received; compared with a trusted one */
};

struct tcb_level {
	unsigned char sgx[16], tdx[16];
	uint16_t pcesvn;
	enum tcb_status status;
	char date[21]; /* as written: "2024-03-13T00:00:00Z" */
	struct span *advisories;
	size_t n_advisories;
};

/* A level of a quoting enclave or a TDX module. */
struct isv_level {
	uint16_t isvsvn;
	enum tcb_status status; /* UpToDate, OutOfDate, Revoked */
	char date[21];
	struct span *advisories;
	size_t n_advisories;
};

struct tdx_module {
	char id[8]; /* "TDX_01"; "": of version 0 */
	unsigned char mrsigner[48], attributes[8], attributes_mask[8];
	struct isv_level *levels; /* descending */
	size_t n_levels;
};

struct tcb_info {
	/* Ok, or why this document may not be used: CollateralInvalid (shape), UnknownRoot,
	 * ChainInvalid (issuer), CollateralSignatureInvalid. */
	enum reason problem;
	char message[INTEL_MESSAGE]; /* "": Ok */

	struct arena arena; /* owns what follows */
	struct intel_signer signer;
	struct span body;            /* the signed bytes */
	unsigned char signature[64]; /* over them */
	bool named;                  /* tdx and fmspc could be read */
	bool tdx;
	unsigned char fmspc[6], pceid[2];
	int64_t issue_date, next_update; /* Unix seconds */
	uint32_t evaluation_number;
	struct tcb_level *levels; /* descending: first by SGX components, PCESVN, TDX components */
	size_t n_levels;
	struct tdx_module *modules; /* [0] is that of version 0 */
	size_t n_modules;
};

enum qe_kind { QE_SGX, QE_TDX, QE_KIND_N }; /* documents "QE" and "TD_QE" */

struct qe_identity {
	enum reason problem; /* as in tcb_info */
	char message[INTEL_MESSAGE];

	struct arena arena;
	struct intel_signer signer;
	struct span body;
	unsigned char signature[64];
	bool named; /* kind could be read */
	enum qe_kind kind;
	int64_t issue_date, next_update;
	uint32_t evaluation_number;
	unsigned char miscselect[4], miscselect_mask[4]; /* as in memory */
	unsigned char attributes[16], attributes_mask[16];
	unsigned char mrsigner[32];
	uint16_t isvprodid;
	struct isv_level *levels; /* descending */
	size_t n_levels;
};

/* body: the signed JSON as sent (the value of tcbInfo, enclaveIdentity); signature: 64 bytes;
 * chain: PEM of signer and root. Always gives a document unless memory is short (-ENOMEM): read
 * ->problem. roots and known (intel_known(); NULL: nothing) must outlive nothing: they are used
 * during the call. Duplicate keys, unknown statuses or versions, SVNs beyond 255, tcbType other
 * than 0, two equal levels or none are CollateralInvalid; members that Casemate does not know are
 * passed over. */
int tcb_info_new(struct tcb_info **ret, struct span body, struct span signature, struct span chain,
	const struct roots *roots, const struct intel_collateral *known, struct error *err);
void tcb_info_free(struct tcb_info *t); /* NULL allowed */
DEFINE_CLEANUP(struct tcb_info *, tcb_info_free)
int qe_identity_new(struct qe_identity **ret, struct span body, struct span signature,
	struct span chain, const struct roots *roots, const struct intel_collateral *known,
	struct error *err);
void qe_identity_free(struct qe_identity *q);
DEFINE_CLEANUP(struct qe_identity *, qe_identity_free)

/* The first level that the platform reaches; NULL: none. tee_tcb_svn (16 bytes): of a TD, whose
 * components count from 2 on when byte 1 is above 0, from 0 else; NULL: SGX. */
const struct tcb_level *tcb_info_match(
	const struct tcb_info *t, const struct pck *pck, const unsigned char *tee_tcb_svn);
/* The identity of the module version tee_tcb_svn[1]; NULL: the document has none. */
const struct tdx_module *tcb_info_module(const struct tcb_info *t, unsigned version);
/* The first level with isvsvn at most svn; NULL: none. */
const struct isv_level *isv_level_match(const struct isv_level *l, size_t n, unsigned svn);
/* miscselect, attributes, mrsigner and isvprodid; on false what differs is in err. */
bool qe_identity_fits(const struct qe_identity *q, const struct sgx_report *qe, struct error *err);

struct intel_collateral {
	struct crl *root_crl;          /* of the root; NULL: there is none */
	struct crl *pck_crl[PCK_CA_N]; /* by the issuer's name; signature not checked yet */
	struct tcb_info *tcb_infos[INTEL_TCB_INFOS_MAX]; /* one for each platform and TEE */
	size_t n_tcb_infos;
	struct qe_identity *qe[QE_KIND_N];
	/* A PCK chain for quotes without one (certification data of types 1 to 3): leaf, CA, root.
	 * n_pck_chain is 3, or 0 when there is none or it is not complete. */
	struct cert *pck_chain[3];
	size_t n_pck_chain;

	/* As received: the root is only compared, the others serve what comes without its chain. */
	struct cert *root, *pck_ca[PCK_CA_N];
	struct intel_signer signer;
};
void intel_collateral_free(struct intel_collateral *c); /* what it holds */

enum { INTEL_KNOWN = 6 };
/* What is parsed already and comes again and again, for cert_parse_…_known(): the root and what c
 * (NULL allowed) has of authorities and signers. Borrowed; some may be NULL. */
void intel_known(
	struct cert *ret[INTEL_KNOWN], const struct intel_collateral *c, const struct roots *roots);

/* Take up a document (and own it, also on failure), a certificate or a list of Intel's, by its
 * names (each keeps a reference). What is usable and newer (issueDate; CRLNumber, then thisUpdate)
 * stays; a document without its chain waits for the signer's certificate. -EBADMSG: not Intel's,
 * its subject cannot be read, or one that cannot be used in place of a usable one; -E2BIG; -ENOMEM.
 */
int intel_tcb_info_add(struct intel_collateral *c, struct tcb_info *t, struct error *err);
int intel_qe_identity_add(struct intel_collateral *c, struct qe_identity *q, struct error *err);
int intel_cert_add(struct intel_collateral *c, struct cert *cert, const struct roots *roots,
	struct error *err);
int intel_crl_add(struct intel_collateral *c, struct crl *crl, struct error *err);

/* The document for (tdx, fmspc), usable or not; NULL: none. */
const struct tcb_info *intel_tcb_info(
	const struct intel_collateral *c, bool tdx, const unsigned char fmspc[6]);
