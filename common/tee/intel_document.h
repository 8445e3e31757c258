/* SPDX-License-Identifier: Apache-2.0
 *
 * What TCB info and QE identity have in common: who may sign them, and how their members are read.
 * Every reader names the member in its message. */
#pragma once

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/tee/intel_collateral.h"

#define INTEL_ROOT_NAME   "Intel SGX Root CA"
#define INTEL_SIGNER_NAME "Intel SGX TCB Signing"
#define INTEL_PCK_NAME    "Intel SGX PCK Certificate"

/* Memory of one document: its text is at most INTEL_JSON_MAX, and no element of it takes more than
 * 16 times its own text. */
enum { INTEL_DOCUMENT_MEMORY_MAX = 24 << 20 };

/* What is filled of one document, and by whom: read() takes its members and gives -EBADMSG or
 * -ENOMEM. */
struct intel_draft {
	enum reason *problem;
	char *message; /* INTEL_MESSAGE bytes */
	struct arena *arena;
	struct intel_signer *signer;
	struct span *body;
	unsigned char *signature; /* 64 */
	int (*read)(void *document, struct json_val o, struct error *err);
	void *document;
};
/* Takes copies, judges chain and signature over body, reads it whatever came of that (so that it
 * can be named), and leaves problem and message. 0 or -ENOMEM. */
int intel_document_open(const struct intel_draft *d, struct span body, struct span signature,
	struct span chain, const struct roots *roots, const struct intel_collateral *known,
	struct error *err);
void intel_signer_free(struct intel_signer *s);
enum { INTEL_CHAIN_PEM_MAX = 4 * CERT_DER_MAX };
/* Appends signer and root, when both are there. 0 or the buffer's error. */
int intel_signer_pem(struct buf *out, const struct intel_signer *s);

/* Exactly len bytes in hexadecimal. -EBADMSG, as all that follow. */
int intel_read_hex(
	struct json_val o, const char *key, unsigned char *ret, size_t len, struct error *err);
/* An integer from 0 to max. */
int intel_read_number(
	struct json_val o, const char *key, uint32_t max, uint32_t *ret, struct error *err);
/* "2024-03-13T00:00:00Z": Unix seconds and the text itself; each may be NULL. */
int intel_read_date(
	struct json_val o, const char *key, int64_t *ret_sec, char ret_text[21], struct error *err);
/* tcbStatus: one of accepted (bits 1 << enum tcb_status). */
int intel_read_status(
	struct json_val o, uint32_t accepted, enum tcb_status *ret, struct error *err);
/* advisoryIDs, which need not be there. Decoded into a. Also -ENOMEM. */
int intel_read_advisories(
	struct json_val o, struct arena *a, struct span **ret, size_t *ret_n, struct error *err);
/* version, issueDate, nextUpdate, tcbEvaluationDataNumber. */
int intel_read_head(struct json_val o, uint32_t version, int64_t *ret_issue, int64_t *ret_next,
	uint32_t *ret_number, struct error *err);
/* tcbLevels of a quoting enclave or TDX module, whose SVNs go up to max_svn: at least one, sorted,
 * none twice. Also -ENOMEM. */
int intel_read_isv_levels(struct json_val o, uint32_t max_svn, struct arena *a,
	struct isv_level **ret, size_t *ret_n, struct error *err);
/* The array key of o has between 1 and max elements. */
int intel_read_array(
	struct json_val o, const char *key, size_t max, struct json_val *ret, struct error *err);

/* The value of member name ("tcbInfo") and the signature (raw bytes) of a PCS answer
 * {"tcbInfo":{…},"signature":"…"}; the slice is of its text. -EBADMSG. */
int intel_signed_value(struct json_val answer, const char *name, struct span *ret_body,
	unsigned char ret_signature[64], struct error *err);
