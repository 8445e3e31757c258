/* SPDX-License-Identifier: Apache-2.0
 *
 * The synthetic vTPM of a confidential VM whose paravisor wraps reports as Azure's does: evidence
 * of the kind az-tdx-vtpm around a quote. Each field can be changed before anything is written. */
#pragma once

#include "common/base/buf.h"
#include "tests/tee/intel_world.h"

enum {
	TEE_VTPM_MAX = 1 << 18,
	TEE_VTPM_PCRS = 24,
	TEE_HCL_HEADER = 32,
	TEE_HCL_REPORT = 1184,
	TEE_HCL_NUMBERS = 20,
	TEE_HCL_RUNTIME = TEE_HCL_HEADER + TEE_HCL_REPORT + TEE_HCL_NUMBERS,
};

struct tee_vtpm {
	unsigned version;            /* of the evidence */
	unsigned kind;               /* of the wrapped report: 4 is TDX */
	unsigned char bound[64];     /* what the quote of the vTPM is bound to */
	unsigned char user_data[64]; /* and what the runtime data says of it */
	unsigned char pcrs[TEE_VTPM_PCRS][32];
	enum tee_key key, signer; /* in the runtime data; of the quote */
};

/* A vTPM whose parts fit together, bound to 64 times that byte. */
void tee_vtpm(struct tee_vtpm *t, unsigned char bound);

/* The parts, in bytes: runtime data; the report that wraps them; the TPMS_ATTEST; its signature. */
void tee_vtpm_runtime(const struct tee_vtpm *t, struct buf *out);
void tee_vtpm_hcl(const struct tee_vtpm *t, struct buf *out);
void tee_vtpm_message(const struct tee_vtpm *t, struct buf *out);
void tee_vtpm_signature(const struct tee_vtpm *t, struct span message, struct buf *out);

/* The TD's quote vouches for t's runtime data. */
void tee_vtpm_bind(const struct tee_vtpm *t, struct tee_intel *w);

/* The document, of parts that may come from anywhere. */
struct tee_vtpm_parts {
	struct span hcl, quote, message, signature;
};
void tee_vtpm_evidence(
	const struct tee_vtpm *t, const struct tee_vtpm_parts *parts, struct buf *out);
