/* SPDX-License-Identifier: Apache-2.0
 *
 * A synthetic Intel's collateral, in the shapes of its Provisioning Certification Service. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "tests/tee/intel_world.h"

/* ,"name":"lower-case hex" — Intel writes capitals in some places; readers take both */
static void hex_member(struct buf *b, const char *name, const void *p, size_t len)
{
	buf_printf(b, ",\"%s\":\"", name);
	codec_hex(b, p, len);
	buf_putc(b, '"');
}

static void date(struct buf *b, const char *name, int64_t t)
{
	char text[CLOCK_RFC3339_MAX];

	clock_format(text, t);
	buf_printf(b, ",\"%s\":\"%s\"", name, text);
}

static void status(struct buf *b, const struct tee_level *l)
{
	buf_printf(b, ",\"tcbDate\":\"%s\",\"tcbStatus\":\"%s\"", l->date, l->status);
	if (l->advisories[0]) {
		buf_puts(b, ",\"advisoryIDs\":[");
		for (size_t i = 0; i < TEE_ADVISORIES_MAX && l->advisories[i]; i++)
			buf_printf(b, "%s\"%s\"", i ? "," : "", l->advisories[i]);
		buf_putc(b, ']');
	}
	buf_putc(b, '}');
}

static void components(struct buf *b, const char *name, const unsigned svn[16])
{
	buf_printf(b, "\"%s\":[", name);
	for (size_t i = 0; i < 16; i++)
		buf_printf(b, "%s{\"svn\":%u}", i ? "," : "", svn[i]);
	buf_putc(b, ']');
}

static void isv_levels(struct buf *b, const struct tee_level *l, size_t n)
{
	buf_puts(b, ",\"tcbLevels\":[");
	for (size_t i = 0; i < n; i++) {
		buf_printf(b, "%s{\"tcb\":{\"isvsvn\":%u}", i ? "," : "", l[i].isvsvn);
		status(b, &l[i]);
	}
	buf_putc(b, ']');
}

static void head(struct buf *b, const struct tee_document *d)
{
	buf_printf(b, "{\"id\":\"%s\",\"version\":%u", d->id, d->version);
	date(b, "issueDate", d->issue_date);
	date(b, "nextUpdate", d->next_update);
}

static void module(struct buf *b, const struct tee_module *m)
{
	_cleanup_buf_ struct buf body = BUF_INIT(TEE_JSON_MAX);

	hex_member(&body, "mrsigner", m->mrsigner, sizeof(m->mrsigner));
	hex_member(&body, "attributes", m->attributes, sizeof(m->attributes));
	hex_member(&body, "attributesMask", m->mask, sizeof(m->mask));
	if (m->id) {
		buf_printf(b, "{\"id\":\"%s\"" SPAN_FMT, m->id, SPAN_ARG(buf_view(&body)));
		isv_levels(b, m->levels, m->n_levels);
		buf_putc(b, '}');
	} else {
		buf_printf(b, "{%s}", body.p + 1);
	}
}

static void modules(struct buf *b, const struct tee_tcb_info *t)
{
	bool first = true;

	for (size_t i = 0; i < t->n_modules; i++) {
		if (t->modules[i].id)
			continue;
		buf_puts(b, ",\"tdxModule\":");
		module(b, &t->modules[i]);
	}
	buf_puts(b, ",\"tdxModuleIdentities\":[");
	for (size_t i = 0; i < t->n_modules; i++) {
		if (!t->modules[i].id)
			continue;
		if (!first)
			buf_putc(b, ',');
		first = false;
		module(b, &t->modules[i]);
	}
	buf_putc(b, ']');
}

static void tcb_info(struct buf *b, const struct tee_tcb_info *t)
{
	const struct tee_document *d = &t->d;
	bool tdx = t->n_modules > 0;

	head(b, d);
	hex_member(b, "fmspc", t->fmspc, sizeof(t->fmspc));
	hex_member(b, "pceId", t->pceid, sizeof(t->pceid));
	buf_printf(b, ",\"tcbType\":%u,\"tcbEvaluationDataNumber\":%u", t->tcb_type, d->evaluation);
	if (tdx)
		modules(b, t);
	buf_puts(b, ",\"tcbLevels\":[");
	for (size_t i = 0; i < d->n_levels; i++) {
		const struct tee_level *l = &d->levels[i];

		buf_puts(b, i ? ",{\"tcb\":{" : "{\"tcb\":{");
		components(b, "sgxtcbcomponents", l->svn);
		buf_printf(b, ",\"pcesvn\":%u", l->pcesvn);
		if (tdx && !t->no_tdx_components) {
			buf_putc(b, ',');
			components(b, "tdxtcbcomponents", l->tdx);
		}
		buf_putc(b, '}');
		status(b, l);
	}
	buf_printf(b, "]%s}", d->more ? d->more : "");
}

static void qe_identity(struct buf *b, const struct tee_qe_identity *q)
{
	head(b, &q->d);
	buf_printf(b, ",\"tcbEvaluationDataNumber\":%u", q->d.evaluation);
	hex_member(b, "miscselect", q->miscselect, sizeof(q->miscselect));
	hex_member(b, "miscselectMask", q->miscselect_mask, sizeof(q->miscselect_mask));
	hex_member(b, "attributes", q->attributes, sizeof(q->attributes));
	hex_member(b, "attributesMask", q->attributes_mask, sizeof(q->attributes_mask));
	hex_member(b, "mrsigner", q->mrsigner, sizeof(q->mrsigner));
	buf_printf(b, ",\"isvprodid\":%u", q->isvprodid);
	isv_levels(b, q->d.levels, q->d.n_levels);
	buf_printf(b, "%s}", q->d.more ? q->d.more : "");
}

static void sign(
	const struct tee_document *d, const struct buf *b, size_t from, unsigned char rs[64])
{
	tee_sign(d->signer, rs, b->p + from, b->len - from);
	if (d->break_signature)
		rs[63] ^= 1;
}

void tee_intel_tcb_info(const struct tee_intel *w, struct buf *out, unsigned char ret_rs[64])
{
	size_t from = out->len;

	if (w->tcb_info.d.whole)
		buf_puts(out, w->tcb_info.d.whole);
	else
		tcb_info(out, &w->tcb_info);
	sign(&w->tcb_info.d, out, from, ret_rs);
}

void tee_intel_qe_identity(const struct tee_intel *w, struct buf *out, unsigned char ret_rs[64])
{
	size_t from = out->len;

	if (w->qe.d.whole)
		buf_puts(out, w->qe.d.whole);
	else
		qe_identity(out, &w->qe);
	sign(&w->qe.d, out, from, ret_rs);
}

void tee_intel_signer_chain(
	const struct tee_intel *w, const struct tee_document *d, struct buf *out)
{
	tee_cert_pem(&w->tcb_signer, out);
	if (!d->short_chain)
		tee_cert_pem(&w->root, out);
}

/* ,"name":"text" */
static void text_member(struct buf *b, const char *name, const struct buf *text)
{
	buf_printf(b, "%s\"%s\":", b->len > 1 ? "," : "", name);
	buf_json_string(b, buf_view(text));
}

static void crl_member(struct buf *b, const char *name, const struct tee_crl *c)
{
	_cleanup_buf_ struct buf der = BUF_INIT(TEE_DER_MAX), hex = BUF_INIT(2 * TEE_DER_MAX);

	if (c->absent)
		return;
	tee_crl_der(c, &der);
	codec_hex(&hex, der.p, der.len);
	text_member(b, name, &hex);
}

static void signed_members(const struct tee_intel *w, struct buf *b, const struct tee_document *d,
	const char *const names[3],
	void (*write)(const struct tee_intel *, struct buf *, unsigned char *))
{
	_cleanup_buf_ struct buf chain = BUF_INIT(TEE_PEM_MAX), text = BUF_INIT(TEE_JSON_MAX);
	_cleanup_buf_ struct buf hex = BUF_INIT(256);
	unsigned char rs[64];

	if (d->absent)
		return;
	tee_intel_signer_chain(w, d, &chain);
	write(w, &text, rs);
	codec_hex(&hex, rs, sizeof(rs));
	text_member(b, names[0], &chain);
	text_member(b, names[1], &text);
	text_member(b, names[2], &hex);
}

void tee_intel_collateral(const struct tee_intel *w, struct buf *out)
{
	static const char *const tcb_names[] = {
		"tcb_info_issuer_chain", "tcb_info", "tcb_info_signature"};
	static const char *const qe_names[] = {
		"qe_identity_issuer_chain", "qe_identity", "qe_identity_signature"};
	_cleanup_buf_ struct buf chain = BUF_INIT(TEE_PEM_MAX);
	_cleanup_buf_ struct buf b = BUF_INIT(2 * TEE_JSON_MAX);

	tee_cert_pem(&w->ca[w->pck.ca], &chain);
	tee_cert_pem(&w->root, &chain);
	buf_putc(&b, '{');
	text_member(&b, "pck_crl_issuer_chain", &chain);
	crl_member(&b, "root_ca_crl", &w->root_crl);
	crl_member(&b, "pck_crl", &w->pck_crl[w->pck.ca]);
	signed_members(w, &b, &w->tcb_info.d, tcb_names, tee_intel_tcb_info);
	signed_members(w, &b, &w->qe.d, qe_names, tee_intel_qe_identity);
	buf_putc(&b, '}');
	tee_must(b.err == 0, "collateral");
	buf_span(out, buf_view(&b));
}
