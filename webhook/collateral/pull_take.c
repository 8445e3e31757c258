/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "common/base/codec.h"
#include "webhook/collateral/inventory.h"
#include "webhook/collateral/pull.h"

enum { CHAIN_MAX = 64 * 1024 };

/* A header's value: PEM whose bytes are escaped as in URLs. */
static int unescape(struct buf *out, const char *s, struct error *err)
{
	for (; *s; s++) {
		int high = *s == '%' ? codec_hex_digit(s[1]) : -1;
		int low = high >= 0 ? codec_hex_digit(s[2]) : -1;

		if (*s == '%' && low < 0)
			return error_set(err, -EBADMSG, "it is not escaped as in an URL");
		buf_putc(out, *s == '%' ? (char)(high << 4 | low) : *s);
		s += *s == '%' ? 2 : 0;
	}
	return out->err ? error_set(err, out->err, "it is too large, or memory is short") : 0;
}

static int take_chain(
	struct collateral *c, const struct pull_request *rq, const char *chain, struct error *err)
{
	_cleanup_buf_ struct buf pem = BUF_INIT(CHAIN_MAX);
	int r;

	if (!rq->chain_header)
		return 0;
	if (!chain)
		return error_set(err, -EBADMSG, "it came without its issuer chain (header %s)",
			rq->chain_header);
	r = unescape(&pem, chain, err);
	if (r == 0)
		r = collateral_add(c, buf_view(&pem), "PEM", err);
	return r < 0 ? error_prefix(err, r, "its issuer chain (header %s)", rq->chain_header) : 0;
}

static const struct cert *find_vcek(const struct amd_collateral *amd, const struct pull_request *rq)
{
	for (size_t i = 0; i < amd->n_leaves; i++) {
		const struct vcek *v = &amd->leaves[i].vcek;

		if (!v->vlek && v->product == rq->product && snp_tcb_equal(v->tcb, rq->tcb) &&
			memcmp(v->hwid, rq->chip_id, sizeof(v->hwid)) == 0)
			return amd->leaves[i].cert;
	}
	return NULL;
}

static const struct cert *find_intermediate(
	const struct amd_collateral *amd, const struct pull_request *rq)
{
	for (size_t i = 0; i < amd->n_intermediates; i++) {
		enum snp_product product;
		bool vlek;

		if (amd_intermediate_name(amd->intermediates[i]->subject, &product, &vlek) &&
			product == rq->product && vlek == rq->vlek)
			return amd->intermediates[i];
	}
	return NULL;
}

struct span pull_der(const struct collateral *c, const struct pull_request *rq)
{
	const struct crl *crl = rq->kind == PULL_ARK_CRL ? c->amd.crl[rq->product] : NULL;
	const struct cert *cert = NULL;

	if (rq->kind == PULL_VCEK)
		cert = find_vcek(&c->amd, rq);
	else if (rq->kind == PULL_ARK_CHAIN)
		cert = find_intermediate(&c->amd, rq);
	if (crl)
		return crl_der(crl);
	return cert ? cert_der(cert) : SPAN_NONE;
}

/* Is what was asked for there? */
static bool has_answer(const struct collateral *c, const struct pull_request *rq)
{
	switch (rq->kind) {
	case PULL_ROOT_CRL_LIST:
		return c->intel.root_crl;
	case PULL_PCK_CRL:
		return c->intel.pck_crl[rq->ca];
	case PULL_QE_IDENTITY:
		return c->intel.qe[rq->tdx ? QE_TDX : QE_SGX];
	case PULL_TCB_INFO:
		return intel_tcb_info(&c->intel, rq->tdx, rq->fmspc);
	case PULL_ARK_CHAIN:
	case PULL_ARK_CRL:
	case PULL_VCEK:
		return pull_der(c, rq).p;
	}
	return false;
}

/* Everything so far: an answer can also spoil what was there, by revoking it. */
static int check_all(const struct collateral *c, int64_t now, struct error *err)
{
	_cleanup_inventory_ struct inventory inv = {0};
	int r = inventory_make(&inv, c, now, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < inv.n; i++) {
		const struct inventory_item *it = &inv.items[i];

		if (it->problem != REASON_Ok)
			return error_set(err, -EBADMSG, "%s %s of %s: %s (%s)", it->kind,
				it->subject, it->issuer, it->note, reason_name(it->problem));
	}
	return 0;
}

int pull_add(struct collateral *c, const struct pull_request *rq, const char *chain,
	struct span body, struct error *err)
{
	int r = take_chain(c, rq, chain, err);

	if (r == 0)
		r = collateral_add(c, body, "the answer", err);
	if (r == 0 && !has_answer(c, rq))
		r = error_set(err, -EBADMSG, "the answer is something else");
	return r < 0 && r != -ENOMEM ? -EBADMSG : r;
}

int pull_take(struct collateral *c, const struct pull_request *rq, const char *chain,
	struct span body, int64_t now, struct error *err)
{
	int r = pull_add(c, rq, chain, body, err);

	return r < 0 ? r : check_all(c, now, err);
}
