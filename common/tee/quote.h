/* SPDX-License-Identifier: Apache-2.0
 *
 * Intel's ECDSA quotes: version 3 (SGX), 4 and 5 (SGX and TDX) ("Intel SGX ECDSA QuoteLibReference
 * API", appendix A; "Intel TDX DCAP Quoting Library API", appendix A). A view: it points into the
 * bytes it was read from and vouches for lengths alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/span.h"
#include "common/tee/reason.h"

enum {
	QUOTE_MAX = 64 << 10,   /* bytes: bounds work before anything is authenticated */
	QUOTE_HEADER = 48,
	SGX_REPORT_BODY = 384,
	TD10_REPORT_BODY = 584,
	TD15_REPORT_BODY = 648,
	QE_AUTH_MAX = 1024,
};

/* An SGX report body (384 bytes), of a quote or of its quoting enclave. */
struct sgx_report {
	const unsigned char *cpusvn;     /* 16 */
	uint32_t miscselect;
	const unsigned char *attributes; /* 16: flags and XFRM, little endian */
	uint64_t flags, xfrm;
	const unsigned char *mrenclave, *mrsigner; /* 32 */
	const unsigned char *isvextprodid, *isvfamilyid; /* 16 */
	const unsigned char *configid;   /* 64 */
	uint16_t isvprodid, isvsvn, configsvn;
	const unsigned char *report_data; /* 64 */
	struct span reserved[4];          /* must be zero */
};
#define SGX_FLAG_DEBUG        0x2u
#define SGX_FLAG_PROVISIONKEY 0x10u
#define SGX_FLAG_EINITTOKEN   0x20u
#define SGX_FLAG_KSS          0x80u

/* A TD report body (584 or 648 bytes). */
struct td_report {
	const unsigned char *tee_tcb_svn; /* 16 */
	const unsigned char *mrseam, *mrsignerseam; /* 48 */
	uint64_t seam_attributes, td_attributes, xfam;
	const unsigned char *mrtd, *mrconfigid, *mrowner, *mrownerconfig; /* 48 */
	const unsigned char *rtmr[4];     /* 48 */
	const unsigned char *report_data; /* 64 */
	const unsigned char *tee_tcb_svn2; /* 16; NULL: TD 1.0 */
	const unsigned char *mrservicetd;  /* 48; NULL: TD 1.0 */
};
#define TD_ATTRIBUTE_DEBUG           (1ull << 0)
#define TD_ATTRIBUTE_SEPT_VE_DISABLE (1ull << 28)
#define TD_ATTRIBUTE_MIGRATABLE      (1ull << 29)

struct quote {
	struct span bytes; /* all, without trailing zeros */
	unsigned version;  /* 3, 4, 5 */
	bool tdx;
	uint16_t qe_svn, pce_svn; /* as claimed; informational */
	const unsigned char *qe_vendor; /* 16 */
	const unsigned char *user_data; /* 20 */
	struct span signed_part;        /* header and body */
	struct span body;
	struct sgx_report sgx; /* unless tdx */
	struct td_report td;   /* if tdx */

	const unsigned char *signature;       /* 64: r || s by the attestation key */
	const unsigned char *attestation_key; /* 64: x || y */
	struct span qe_report;                /* 384 */
	struct sgx_report qe;
	const unsigned char *qe_signature;    /* 64: by the PCK */
	struct span qe_auth;
	unsigned cert_type; /* of the innermost certification data: 1 to 5 */
	struct span cert_data;
};

/* Reads bytes. 0; else -EBADMSG and *ret_reason: Malformed (what and at which offset is in err) or
 * UnsupportedVersion (version, key type, TEE type, body type, certification data type). Zeros behind
 * the signature are dropped, anything else there is an error; lengths must nest exactly. */
int quote_parse(struct quote *ret, struct span bytes, enum reason *ret_reason, struct error *err);
/* The body of an SGX report. */
void sgx_report_parse(struct sgx_report *ret, const unsigned char body[SGX_REPORT_BODY]);
