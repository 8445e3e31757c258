/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/collateral/inventory.h"

#include <assert.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/codec.h"

/* How a signature was checked: who stands behind it. */
enum backing {
	BACKED,     /* by somebody trusted, or by one who is here and judged by himself */
	NOT_BACKED, /* the issuer is here, and it is not his signature */
	UNTRUSTED,  /* by a root that is not trusted */
	UNKNOWN,    /* the issuer is not here */
};

struct maker {
	struct inventory *inv;
	const struct collateral *c;
	int64_t now;
};

/* Names and messages of documents, for terminals and JSON: what is not plain ASCII is hidden. */
static const char *plain(struct maker *m, const char *s)
{
	char *copy = arena_strdup(&m->inv->arena, span_str(s));

	for (char *p = copy; p && *p; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	}
	return copy ? copy : "";
}

static const char *dates_note(struct maker *m, const struct inventory_item *item)
{
	char when[CLOCK_RFC3339_MAX];

	clock_format(when, m->now < item->from ? item->from : item->until);
	return m->now < item->from ? arena_printf(&m->inv->arena, "it is not valid before %s", when)
				   : arena_printf(&m->inv->arena, "it was valid until %s", when);
}

/* Takes item up; expired: what its dates make of it. */
static void add(struct maker *m, struct inventory_item item, enum reason expired)
{
	struct inventory *inv = m->inv;

	if (item.problem == REASON_Ok && (m->now < item.from || m->now > item.until)) {
		item.problem = expired;
		item.note = dates_note(m, &item);
	}
	item.issuer = plain(m, item.issuer);
	item.note = plain(m, item.note ? item.note : "");
	inv->problems += item.problem != REASON_Ok;
	assert(inv->n < inv->max);
	inv->items[inv->n++] = item;
}

static void add_tcb_info(struct maker *m, const struct tcb_info *t)
{
	char fmspc[2 * sizeof(t->fmspc) + 1] = "";
	_cleanup_buf_ struct buf digits = BUF_INIT(sizeof(fmspc));

	codec_hex(&digits, t->fmspc, sizeof(t->fmspc));
	add(m,
		(struct inventory_item){
			.kind = "tcb-info",
			.subject = arena_printf(&m->inv->arena, "%s %s", t->tdx ? "tdx" : "sgx",
				digits.p ? digits.p : ""),
			.issuer = t->signer.cert ? t->signer.cert->subject : "",
			.number = t->evaluation_number,
			.from = t->issue_date,
			.until = t->next_update,
			.problem = t->problem,
			.note = t->message,
		},
		REASON_CollateralExpired);
}

static void add_qe_identity(struct maker *m, const struct qe_identity *q)
{
	add(m,
		(struct inventory_item){
			.kind = "qe-identity",
			.subject = q->kind == QE_SGX ? "QE" : "TD_QE",
			.issuer = q->signer.cert ? q->signer.cert->subject : "",
			.number = q->evaluation_number,
			.from = q->issue_date,
			.until = q->next_update,
			.problem = q->problem,
			.note = q->message,
		},
		REASON_CollateralExpired);
}

/* The certificate that name's documents are signed with, n-th of several; NULL: no more. */
static struct cert *issuer_named(const struct collateral *c, const char *name, size_t n)
{
	for (size_t i = 0; i < PCK_CA_N; i++) {
		if (c->intel.pck_ca[i] && strcmp(c->intel.pck_ca[i]->subject, name) == 0 &&
			n-- == 0)
			return c->intel.pck_ca[i];
	}
	for (size_t i = 0; i < c->amd.n_intermediates; i++) {
		if (strcmp(c->amd.intermediates[i]->subject, name) == 0 && n-- == 0)
			return c->amd.intermediates[i];
	}
	return NULL;
}

/* The same of the roots that are trusted. */
static struct cert *root_named(const struct collateral *c, const char *name, size_t n)
{
	const struct roots *r = &c->roots;

	if (r->intel && strcmp(r->intel->subject, name) == 0 && n-- == 0)
		return r->intel;
	for (size_t i = 0; i < SNP_PRODUCT_N; i++) {
		if (r->ark[i] && strcmp(r->ark[i]->subject, name) == 0 && n-- == 0)
			return r->ark[i];
	}
	for (size_t i = 0; i < r->n_extra; i++) {
		if (strcmp(r->extra[i]->subject, name) == 0 && n-- == 0)
			return r->extra[i];
	}
	return NULL;
}

/* A certificate or a list, and who says to have signed it. */
struct piece {
	struct cert *cert; /* NULL: */
	const struct crl *crl;
	const char *issuer;
};

static bool issued(const struct piece *p, struct cert *issuer)
{
	return (p->cert ? cert_check_issued(p->cert, issuer, NULL)
			: crl_check_issued(p->crl, issuer, NULL)) == 0;
}

static enum backing backing_of(struct maker *m, struct piece p)
{
	enum backing none = UNKNOWN;
	struct cert *issuer;

	for (size_t i = 0; (issuer = root_named(m->c, p.issuer, i)); i++) {
		if (issued(&p, issuer))
			return BACKED;
		none = UNTRUSTED;
	}
	for (size_t i = 0; (issuer = issuer_named(m->c, p.issuer, i)); i++) {
		if (issued(&p, issuer))
			return BACKED;
		none = NOT_BACKED;
	}
	return none;
}

static void judge_backing(
	struct maker *m, struct inventory_item *item, enum backing b, enum reason not_backed)
{
	switch (b) {
	case BACKED:
		return;
	case NOT_BACKED:
		item->problem = not_backed;
		item->note = arena_printf(&m->inv->arena, "\"%s\" did not sign it", item->issuer);
		return;
	case UNTRUSTED:
		item->problem = REASON_UnknownRoot;
		item->note = arena_printf(&m->inv->arena,
			"the \"%s\" that signed it is not the one that is trusted", item->issuer);
		return;
	case UNKNOWN:
		item->note = arena_printf(&m->inv->arena,
			"not checked: the certificate of \"%s\" is not here", item->issuer);
		return;
	}
}

static void add_crl(struct maker *m, const struct crl *crl)
{
	struct inventory_item item = {
		.kind = "crl",
		.subject = "",
		.issuer = crl ? crl->issuer : "",
	};

	if (!crl)
		return;
	item.subject = arena_printf(&m->inv->arena, "%zu revoked", crl->n_revoked);
	item.number = crl->number;
	item.from = crl->this_update;
	item.until = crl->next_update;
	judge_backing(m, &item, backing_of(m, (struct piece){NULL, crl, crl->issuer}),
		REASON_CollateralSignatureInvalid);
	add(m, item, REASON_CrlExpired);
}

/* The list that a certificate would be on. */
static const struct crl *crl_for(const struct collateral *c, const struct cert *cert)
{
	const struct crl *const lists[] = {c->intel.root_crl, c->intel.pck_crl[PCK_CA_PROCESSOR],
		c->intel.pck_crl[PCK_CA_PLATFORM], c->amd.crl[SNP_MILAN], c->amd.crl[SNP_GENOA],
		c->amd.crl[SNP_TURIN]};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (lists[i] && strcmp(lists[i]->issuer, cert->issuer) == 0)
			return lists[i];
	}
	return NULL;
}

static void add_cert(struct maker *m, struct cert *cert, const char *subject)
{
	const struct crl *crl;
	struct inventory_item item = {.kind = "certificate", .subject = subject, .number = -1};

	if (!cert)
		return;
	item.subject = subject ? subject : cert->subject;
	item.issuer = cert->issuer;
	item.from = cert->not_before;
	item.until = cert->not_after;
	if (strcmp(cert->subject, cert->issuer) == 0) {
		if (!roots_find_intel(&m->c->roots, cert)) {
			item.problem = REASON_UnknownRoot;
			item.note = "this root is not trusted";
		}
	} else {
		judge_backing(m, &item, backing_of(m, (struct piece){cert, NULL, cert->issuer}),
			REASON_ChainInvalid);
	}
	crl = crl_for(m->c, cert);
	if (item.problem == REASON_Ok && crl && crl_revokes(crl, cert)) {
		item.problem = REASON_CertificateRevoked;
		item.note = "its issuer's list names it";
	}
	add(m, item, REASON_CertificateExpired);
}

static void add_leaf(struct maker *m, const struct amd_leaf *leaf)
{
	_cleanup_buf_ struct buf chip = BUF_INIT(2 * SNP_CHIP_ID + 1);

	codec_hex(&chip, leaf->vcek.hwid, leaf->vcek.hwid_len);
	add_cert(m, leaf->cert,
		arena_printf(&m->inv->arena, "%s %s%s%s", leaf->cert->subject,
			snp_product_name(leaf->vcek.product), chip.len ? " " : "",
			chip.p ? chip.p : ""));
}

static void add_all(struct maker *m)
{
	const struct intel_collateral *intel = &m->c->intel;
	const struct amd_collateral *amd = &m->c->amd;

	for (size_t i = 0; i < intel->n_tcb_infos; i++)
		add_tcb_info(m, intel->tcb_infos[i]);
	for (size_t i = 0; i < QE_KIND_N; i++) {
		if (intel->qe[i])
			add_qe_identity(m, intel->qe[i]);
	}
	add_crl(m, intel->root_crl);
	for (size_t i = 0; i < PCK_CA_N; i++)
		add_crl(m, intel->pck_crl[i]);
	for (size_t i = 0; i < SNP_PRODUCT_N; i++)
		add_crl(m, amd->crl[i]);
	add_cert(m, intel->root, NULL);
	add_cert(m, intel->signer.cert, NULL);
	for (size_t i = 0; i < PCK_CA_N; i++)
		add_cert(m, intel->pck_ca[i], NULL);
	add_cert(m, intel->pck_chain[0], NULL);
	for (size_t i = 0; i < amd->n_intermediates; i++)
		add_cert(m, amd->intermediates[i], NULL);
	for (size_t i = 0; i < amd->n_leaves; i++)
		add_leaf(m, &amd->leaves[i]);
}

int inventory_make(
	struct inventory *ret, const struct collateral *c, int64_t now, struct error *err)
{
	struct maker m = {.inv = ret, .c = c, .now = now};

	*ret = (struct inventory){.arena = ARENA_INIT(INVENTORY_MEMORY_MAX)};
	/* Of each kind of one piece: two identities, six lists, root, signer, two CAs, a PCK. */
	ret->max = c->intel.n_tcb_infos + c->amd.n_intermediates + c->amd.n_leaves + QE_KIND_N +
		   2 * PCK_CA_N + SNP_PRODUCT_N + 4;
	ret->items = arena_array(&ret->arena, struct inventory_item, ret->max);
	if (!ret->items)
		return error_oom(err);
	add_all(&m);
	for (size_t i = 0; i < ret->n; i++) {
		if (!ret->items[i].subject)
			return error_oom(err);
	}
	return 0;
}

void inventory_free(struct inventory *inv)
{
	arena_free(&inv->arena);
	*inv = (struct inventory){0};
}

int inventory_table(struct buf *out, const struct inventory *inv)
{
	char from[CLOCK_RFC3339_MAX], until[CLOCK_RFC3339_MAX];

	for (size_t i = 0; i < inv->n; i++) {
		const struct inventory_item *it = &inv->items[i];

		clock_format(from, it->from);
		clock_format(until, it->until);
		buf_printf(out, "%-11s  %s  (%s", it->kind, it->subject, it->issuer);
		if (it->number >= 0)
			buf_printf(out, ", number %lld", (long long)it->number);
		buf_printf(out, ")  %s to %s", from, until);
		if (it->problem != REASON_Ok)
			buf_printf(out, "  %s: %s", reason_name(it->problem), it->note);
		else if (it->note[0])
			buf_printf(out, "  %s", it->note);
		buf_putc(out, '\n');
	}
	return out->err;
}

static void member(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "\"%s\": ", name);
	buf_json_string(out, span_str(value));
	buf_puts(out, ", ");
}

int inventory_json(struct buf *out, const struct inventory *inv)
{
	char date[CLOCK_RFC3339_MAX];

	buf_puts(out, "{\n  \"items\": [");
	for (size_t i = 0; i < inv->n; i++) {
		const struct inventory_item *it = &inv->items[i];

		buf_puts(out, i ? ",\n    {" : "\n    {");
		member(out, "kind", it->kind);
		member(out, "subject", it->subject);
		member(out, "issuer", it->issuer);
		if (it->number >= 0)
			buf_printf(out, "\"number\": %lld, ", (long long)it->number);
		clock_format(date, it->from);
		member(out, "from", date);
		clock_format(date, it->until);
		member(out, "until", date);
		member(out, "reason", reason_name(it->problem));
		buf_puts(out, "\"note\": ");
		buf_json_string(out, span_str(it->note));
		buf_putc(out, '}');
	}
	buf_printf(out, "%s],\n  \"problems\": %zu\n}\n", inv->n ? "\n  " : "", inv->problems);
	return out->err;
}
