/* SPDX-License-Identifier: Apache-2.0
 *
 * The identity of Intel's quoting enclaves, version 2 ("Intel PCS", API v4, "Get Quoting Enclave
 * Identity"). */
#include <stdio.h>

#include "common/base/buf.h"
#include "common/base/codec.h"
#include "common/tee/intel_document.h"

enum { QE_IDENTITY_VERSION = 2 };

static int read_kind(struct json_val o, enum qe_kind *ret, struct error *err)
{
	struct json_val id = json_get(o, "id");

	if (json_str_is(id, "QE"))
		*ret = QE_SGX;
	else if (json_str_is(id, "TD_QE"))
		*ret = QE_TDX;
	else
		return error_set(err, -EBADMSG, "id: neither \"QE\" nor \"TD_QE\"");
	return 0;
}

static int read_enclave(struct qe_identity *q, struct json_val o, struct error *err)
{
	const struct {
		const char *key;
		unsigned char *bytes;
		size_t len;
	} rows[] = {
		{"miscselect", q->miscselect, sizeof(q->miscselect)},
		{"miscselectMask", q->miscselect_mask, sizeof(q->miscselect_mask)},
		{"attributes", q->attributes, sizeof(q->attributes)},
		{"attributesMask", q->attributes_mask, sizeof(q->attributes_mask)},
		{"mrsigner", q->mrsigner, sizeof(q->mrsigner)},
	};
	uint32_t isvprodid = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
		r = intel_read_hex(o, rows[i].key, rows[i].bytes, rows[i].len, err);
	if (r == 0)
		r = intel_read_number(o, "isvprodid", UINT16_MAX, &isvprodid, err);
	q->isvprodid = (uint16_t)isvprodid;
	return r;
}

static int read_qe_identity(void *document, struct json_val o, struct error *err)
{
	struct qe_identity *q = document;
	int r = read_kind(o, &q->kind, err);

	q->named = r == 0;
	if (r == 0)
		r = intel_read_head(o, QE_IDENTITY_VERSION, &q->issue_date, &q->next_update,
			&q->evaluation_number, err);
	if (r == 0)
		r = read_enclave(q, o, err);
	if (r == 0)
		r = intel_read_isv_levels(o, UINT16_MAX, &q->arena, &q->levels, &q->n_levels, err);
	return r;
}

int qe_identity_new(struct qe_identity **ret, struct span body, struct span signature,
	struct span chain, const struct roots *roots, const struct intel_collateral *known,
	struct error *err)
{
	struct qe_identity *q = calloc(1, sizeof(*q));
	struct intel_draft draft;
	int r;

	if (!q)
		return error_oom(err);
	draft = (struct intel_draft){
		.problem = &q->problem,
		.message = q->message,
		.arena = &q->arena,
		.signer = &q->signer,
		.body = &q->body,
		.signature = q->signature,
		.read = read_qe_identity,
		.document = q,
	};
	r = intel_document_open(&draft, body, signature, chain, roots, known, err);
	if (r < 0) {
		qe_identity_free(q);
		return r;
	}
	*ret = q;
	return 0;
}

void qe_identity_free(struct qe_identity *q)
{
	if (!q)
		return;
	intel_signer_free(&q->signer);
	arena_free(&q->arena);
	free(q);
}

static const unsigned char all_bits[32] = {[0 ... 31] = 0xff};

/* What is wanted and what was found, in err. */
static bool differs(struct error *err, const char *name, const unsigned char *want,
	const unsigned char *got, const unsigned char *mask, size_t len)
{
	_cleanup_buf_ struct buf text = BUF_INIT(512);
	bool same = true;

	for (size_t i = 0; i < len; i++)
		same = same && (got[i] & mask[i]) == want[i];
	if (same)
		return false;
	buf_printf(&text, "%s is ", name);
	codec_hex(&text, got, len);
	buf_puts(&text, "; wanted is ");
	codec_hex(&text, want, len);
	if (mask != all_bits) {
		buf_puts(&text, " under the mask ");
		codec_hex(&text, mask, len);
	}
	error_set(err, -EBADMSG, "%s", text.p ? text.p : name);
	return true;
}

bool qe_identity_fits(const struct qe_identity *q, const struct sgx_report *qe, struct error *err)
{
	const unsigned char miscselect[4] = {
		(unsigned char)qe->miscselect,
		(unsigned char)(qe->miscselect >> 8),
		(unsigned char)(qe->miscselect >> 16),
		(unsigned char)(qe->miscselect >> 24),
	};

	if (differs(err, "miscselect", q->miscselect, miscselect, q->miscselect_mask,
		    sizeof(miscselect)) ||
		differs(err, "attributes", q->attributes, qe->attributes, q->attributes_mask,
			sizeof(q->attributes)) ||
		differs(err, "mrsigner", q->mrsigner, qe->mrsigner, all_bits, sizeof(q->mrsigner)))
		return false;
	if (qe->isvprodid == q->isvprodid)
		return true;
	error_set(err, -EBADMSG, "isvprodid is %u; wanted is %u", qe->isvprodid, q->isvprodid);
	return false;
}
