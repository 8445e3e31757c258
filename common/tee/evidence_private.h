/* SPDX-License-Identifier: Apache-2.0
 *
 * How evidence.c, evidence_json.c and hcl.c read one document together. */
#pragma once

#include "common/base/json.h"
#include "common/tee/evidence.h"

struct opening {
	struct evidence *e;
	enum reason reason; /* should it fail */
	struct error *err;
	size_t left; /* bytes of e->raw that are free */
};

/* Refuses: -EBADMSG. */
int opening_refuse(struct opening *o, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Keeps bytes for as long as the evidence lives. What one input decodes to always fits: -E2BIG is a
 * mistake of ours. */
int opening_keep(struct opening *o, const void *p, size_t n, struct span *ret);
/* Bytes of base64 of either alphabet, padded or not; of hexadecimal digits. -EBADMSG. */
int opening_base64(struct opening *o, struct span text, struct span *ret);
int opening_hex(struct opening *o, struct span text, struct span *ret);

/* The evidence proper. -ENOMEM: nothing may be accepted without its digest. */
int opening_digest(struct opening *o, struct span what);

/* Each takes up bytes that were kept. */
int opening_report(struct opening *o, struct span report);
int opening_quote(struct opening *o, struct span quote);

/* A JSON document; text was kept. */
int opening_json(struct opening *o, struct span text);

/* What Azure's paravisor wraps a report in: 'HCLA'. */
struct hcl {
	struct span report; /* SNP's */
	bool tdx;           /* it is a TDREPORT instead, which proves nothing elsewhere */
	struct span runtime_data;
	unsigned char digest[32]; /* SHA-256 of runtime_data */
};
bool hcl_is(struct span bytes);
int hcl_parse(struct opening *o, struct hcl *ret, struct span bytes);
/* Does a report's report data vouch for the runtime data? */
int hcl_check(struct opening *o, const struct hcl *h, const unsigned char report_data[64]);
/* The quote of the vTPM: parts were kept; version as in the evidence. Fills the evidence's vTPM
 * members. */
int hcl_vtpm(struct opening *o, const struct hcl *h, struct span message, struct span signature,
	struct span pcrs, int64_t version);
