/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence of any kind, recognised by its bytes. */
#pragma once

#include "common/base/cleanup.h"
#include "common/tee/quote.h"
#include "common/tee/simulated.h"
#include "common/tee/snp_report.h"

enum { EVIDENCE_MAX = 256 << 10 }; /* bytes of the input, in whatever encoding */

enum { VTPM_PCRS = 24 };

enum tee_type { TEE_TYPE_SGX, TEE_TYPE_TDX, TEE_TYPE_SNP, TEE_TYPE_SIMULATED, TEE_TYPE_N };
/* "sgx", "tdx", "snp", "simulated" */
const char *tee_type_name(enum tee_type t);

struct evidence {
	enum tee_type tee;
	union {
		struct quote quote; /* TEE_TYPE_SGX, TEE_TYPE_TDX */
		struct snp_report snp;
		struct simulated simulated;
	};
	struct snp_certs certs; /* what came with an SNP report */
	/* Azure's confidential VMs: the runtime data whose SHA-256 is in the report data; else
	 * SPAN_NONE. evidence_open() has compared them. */
	struct span runtime_data;
	/* The quote of such a VM's vTPM, if it came: signed by the key HCLAkPub of runtime_data,
	 * which evidence_open() has checked. What the evidence is bound to is then the quote's
	 * qualifying data, zeros behind it, and no longer the report data. */
	bool has_vtpm;
	unsigned char qualifying_data[64];
	const unsigned char *pcrs; /* VTPM_PCRS of 32 bytes (SHA-256) */
	unsigned char digest[32];  /* SHA-256 of the evidence proper: quote, report, document */
	unsigned char *raw;        /* owns what the views point into */
	size_t raw_len;
};

/* Recognises binary quotes and reports, the same in hex or base64, an extended SNP report (report
 * and certificate table), HCLA-wrapped reports, JSON: Trustee's and guest components' evidence
 * ({"quote": base64}, {"attestation_report": {fields}, "cert_chain": […]}, az-snp-vtpm's
 * {"version", "tpm_quote", "hcl_report", "vcek"}), and the simulated TEE's document. Copies what it
 * keeps. 0; -EBADMSG with *ret_reason (Malformed, UnsupportedVersion, SampleNotAllowed for
 * Trustee's sample evidence; ReportDataMismatch, QuoteSignatureInvalid for runtime data and vTPM
 * quotes that the report does not vouch for) and the message; -ENOMEM. */
int evidence_open(
	struct evidence *ret, struct span input, enum reason *ret_reason, struct error *err);
void evidence_free(struct evidence *e);
#define _cleanup_evidence_ _cleanup_(evidence_free)

/* The 64 bytes that the evidence is bound to: report data, or what stands for it (has_vtpm). */
const unsigned char *evidence_report_data(const struct evidence *e);
