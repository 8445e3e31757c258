/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/snp.h"

/* VLEKs, which name no chip, come behind all VCEKs. */
static int order(bool vlek, const unsigned char *hwid, const struct vcek *b)
{
	if (vlek != b->vlek)
		return vlek ? 1 : -1;
	return vlek ? 0 : memcmp(hwid, b->hwid, sizeof(b->hwid));
}

/* Where the leaves of that chip begin, or would. */
static size_t lower_bound(const struct amd_collateral *c, bool vlek, const unsigned char *hwid)
{
	size_t from = 0, to = c->n_leaves;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (order(vlek, hwid, &c->leaves[middle].vcek) > 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* Room for one more, in steps of a power of two. */
static int grow(struct amd_collateral *c, struct error *err)
{
	size_t n = c->n_leaves;
	struct amd_leaf *p;

	if (n == AMD_LEAVES_MAX)
		return error_set(
			err, -E2BIG, "there are more than %d VCEKs and VLEKs", AMD_LEAVES_MAX);
	if (n & (n - 1))
		return 0;
	p = reallocarray(c->leaves, n ? 2 * n : 1, sizeof(*p));
	if (!p)
		return error_oom(err);
	c->leaves = p;
	return 0;
}

int amd_leaf_add(struct amd_collateral *c, struct cert *leaf, struct error *err)
{
	struct vcek v;
	size_t at;
	int r = vcek_read(&v, leaf, err);

	if (r < 0)
		return r;
	at = lower_bound(c, v.vlek, v.hwid);
	for (size_t i = at; i < c->n_leaves && order(v.vlek, v.hwid, &c->leaves[i].vcek) == 0; i++)
		if (cert_same(c->leaves[i].cert, leaf))
			return 0;
	r = grow(c, err);
	if (r < 0)
		return r;
	memmove(c->leaves + at + 1, c->leaves + at, (c->n_leaves - at) * sizeof(c->leaves[0]));
	c->leaves[at] = (struct amd_leaf){cert_ref(leaf), v};
	c->n_leaves++;
	return 0;
}

const struct amd_leaf *amd_leaf_next(
	const struct amd_collateral *c, const struct snp_report *r, const struct amd_leaf *after)
{
	bool vlek = r->signing_key == SNP_KEY_VLEK;
	size_t i = after ? (size_t)(after - c->leaves) + 1 : lower_bound(c, vlek, r->chip_id);

	for (; i < c->n_leaves && order(vlek, r->chip_id, &c->leaves[i].vcek) == 0; i++) {
		const struct vcek *v = &c->leaves[i].vcek;

		if (snp_tcb_equal(v->tcb, snp_tcb_read(r->reported_tcb, v->product)))
			return &c->leaves[i];
	}
	return NULL;
}

/* The product of "ARK-Milan". */
static bool ark_name(const char *name, enum snp_product *ret)
{
	struct span rest = span_after(span_str(name), "ARK-");

	for (enum snp_product p = 0; rest.p && p < SNP_PRODUCT_N; p++)
		if (span_is(rest, snp_product_name(p))) {
			*ret = p;
			return true;
		}
	return false;
}

int amd_intermediate_add(struct amd_collateral *c, struct cert *intermediate, struct error *err)
{
	enum snp_product product, issuer;
	bool vlek;

	if (!amd_intermediate_name(intermediate->subject, &product, &vlek) ||
		!ark_name(intermediate->issuer, &issuer) || issuer != product || !intermediate->ca)
		return error_set(err, -EBADMSG,
			"certificate \"%s\" of \"%s\" is neither an ASK nor an ASVK",
			intermediate->subject, intermediate->issuer);
	for (size_t i = 0; i < c->n_intermediates; i++)
		if (cert_same(c->intermediates[i], intermediate))
			return 0;
	if (c->n_intermediates == AMD_INTERMEDIATES_MAX)
		return error_set(err, -E2BIG, "there are more than %d ASKs and ASVKs",
			AMD_INTERMEDIATES_MAX);
	c->intermediates[c->n_intermediates++] = cert_ref(intermediate);
	return 0;
}

int amd_crl_add(struct amd_collateral *c, struct crl *crl, struct error *err)
{
	enum snp_product product;
	struct crl *old;

	if (!ark_name(crl->issuer, &product))
		return error_set(err, -EBADMSG,
			"the revocation list is of \"%s\", which is no ARK (ARK-Milan, …)",
			crl->issuer);
	old = c->crl[product];
	if (old && (old->number > crl->number ||
			   (old->number == crl->number && old->this_update >= crl->this_update)))
		return 0;
	c->crl[product] = crl_ref(crl);
	crl_unref(old);
	return 0;
}

void amd_collateral_free(struct amd_collateral *c)
{
	for (size_t i = 0; i < c->n_leaves; i++)
		cert_unref(c->leaves[i].cert);
	for (size_t i = 0; i < c->n_intermediates; i++)
		cert_unref(c->intermediates[i]);
	for (size_t i = 0; i < SNP_PRODUCT_N; i++)
		crl_unref(c->crl[i]);
	free(c->leaves);
	*c = (struct amd_collateral){0};
}
