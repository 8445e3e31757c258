/* SPDX-License-Identifier: Apache-2.0
 *
 * A synthetic Intel: authorities, a platform, collateral and a quote that verifies against them.
 * Each field can be changed before anything is written, so that a negative case is one changed
 * field. */
#pragma once

#include "common/tee/pck.h"
#include "tests/tee/issue.h"

enum {
	TEE_LEVELS_MAX = 6,
	TEE_ADVISORIES_MAX = 4,
	TEE_MODULES_MAX = 4,
	TEE_AUTH_MAX = 2048,
	TEE_QUOTE_MAX = 128 << 10,
	TEE_JSON_MAX = 1 << 20,
};

/* When everything was made and holds: 2025-11-24T16:00:00Z. */
#define TEE_NOW ((int64_t)1764000000)
#define TEE_DAY ((int64_t)86400)

struct tee_level { /* of TCB info, a module or a QE identity, which use what they have */
	unsigned svn[16], tdx[16], pcesvn;
	unsigned isvsvn;
	const char *status;
	const char *date;
	const char *advisories[TEE_ADVISORIES_MAX]; /* NULL: none any more */
};

struct tee_module {
	const char *id; /* NULL: of version 0, "tdxModule" */
	unsigned char mrsigner[48], attributes[8], mask[8];
	struct tee_level levels[TEE_LEVELS_MAX];
	size_t n_levels;
};

/* What all signed documents have. */
struct tee_document {
	const char *id;
	unsigned version;
	int64_t issue_date, next_update;
	unsigned evaluation;
	struct tee_level levels[TEE_LEVELS_MAX];
	size_t n_levels;
	const char *more;  /* further members, as JSON: ",\"x\":1"; NULL: none */
	const char *whole; /* in place of everything; NULL: written from the fields */
	enum tee_key signer;
	bool break_signature;
	bool absent;
	bool short_chain; /* its issuer chain is the signer alone */
};

struct tee_tcb_info {
	struct tee_document d;
	unsigned tcb_type;
	unsigned char fmspc[6], pceid[2];
	struct tee_module modules[TEE_MODULES_MAX]; /* TDX; [0] is that of version 0 */
	size_t n_modules;
	bool no_tdx_components;
};

struct tee_qe_identity {
	struct tee_document d;
	unsigned char miscselect[4], miscselect_mask[4], attributes[16], attributes_mask[16];
	unsigned char mrsigner[32];
	unsigned isvprodid;
};

enum tee_flaw { /* of a signature by hand */
	TEE_RIGHT,
	TEE_BIT_TURNED,
	TEE_R_ZERO,
	TEE_S_ZERO,
	TEE_R_ORDER,
	TEE_S_ORDER,
	TEE_OTHER_KEY,
};

enum tee_binding { /* of the attestation key to the QE report */
	TEE_BOUND,
	TEE_HASH_WRONG,
	TEE_TAIL_NOT_ZERO,
	TEE_HASH_WITHOUT_AUTH,
};

struct tee_quote {
	unsigned version, key_type, tee_type;
	unsigned char vendor[16], user_data[20];
	unsigned body_type, body_size; /* version 5 */
	unsigned char body[648];       /* set by offset; see quote.h */
	size_t body_len;
	unsigned char qe[384]; /* the QE's report; its report data is filled in */
	unsigned char auth[TEE_AUTH_MAX];
	size_t auth_len;
	unsigned cert_type;
	/* the chain of type 5: DER of leaf, CA and root; how many, and in which order */
	unsigned chain[4];
	size_t n_chain;
	const char *behind_chain; /* text; */
	size_t behind_chain_len;
	size_t zeros_behind;  /* the quote */
	unsigned char behind; /* one byte behind these; 0: none */

	enum tee_flaw signature, qe_signature;
	enum tee_binding binding;
	bool key_off_curve; /* the attestation key is no point */
	/* added to what the length fields say */
	int signature_lie, auth_lie, cert_lie, outer_lie;
};

enum { TEE_LEAF, TEE_CA, TEE_ROOT };

struct tee_intel {
	struct tee_cert root, ca[PCK_CA_N], leaf, tcb_signer;
	struct pck pck; /* values of the leaf's SGX extension; pck.ca is who issued it */
	struct tee_extension pck_extension; /* in place of that; oid NULL: none */
	bool no_pck_extension, pck_extension_critical;
	struct tee_crl root_crl, pck_crl[PCK_CA_N];
	struct tee_tcb_info tcb_info;
	struct tee_qe_identity qe;
	struct tee_quote quote;
};

/* A platform that is up to date, and the SGX quote (version 3) of an enclave on it. */
void tee_intel_sgx(struct tee_intel *w);
/* Of a TD: version 4, or 5 with a TD 1.0 or 1.5 report. */
void tee_intel_tdx(struct tee_intel *w, unsigned version, bool td15);
/* An SGX quote in the shape of version 4 or 5. */
void tee_intel_sgx_version(struct tee_intel *w, unsigned version);
/* What is published was made a day before now, and holds for weeks. */
void tee_intel_at(struct tee_intel *w, int64_t now);
/* The PCK is of that CA. */
void tee_intel_issued_by(struct tee_intel *w, enum pck_ca ca);

void tee_intel_quote(const struct tee_intel *w, struct buf *out);
/* One JSON as Intel's collateral is passed around: pck_crl_issuer_chain, root_ca_crl, pck_crl,
 * tcb_info_issuer_chain, tcb_info, tcb_info_signature, qe_identity_issuer_chain, qe_identity,
 * qe_identity_signature. What is absent is left out. */
void tee_intel_collateral(const struct tee_intel *w, struct buf *out);
/* Parts of it: the signed text, the 64 bytes of its signature, and the PEM of its chain. */
void tee_intel_tcb_info(const struct tee_intel *w, struct buf *out, unsigned char ret_rs[64]);
void tee_intel_qe_identity(const struct tee_intel *w, struct buf *out, unsigned char ret_rs[64]);
void tee_intel_signer_chain(
	const struct tee_intel *w, const struct tee_document *d, struct buf *out);
/* PEM of leaf, CA and root. */
void tee_intel_pck_chain(const struct tee_intel *w, struct buf *out);
void tee_intel_root(const struct tee_intel *w, struct buf *out);

/* Sets a little-endian number in a report. */
void tee_put(unsigned char *p, unsigned bytes, uint64_t value);
