/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/snp_chain.h"

#include "common/base/algorithm.h"
#include "common/base/clock.h"
#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/pem.h"
#include "common/tee/verify_private.h"

static int refuse(struct verdict *v, enum reason reason, int r, const struct error *err)
{
	return verdict_refuse(v, r == -ENOMEM ? REASON_Internal : reason, "%s", err->message);
}

void snp_chain_unref(struct snp_chain *c)
{
	if (!c || --c->refs)
		return;
	cert_unref(c->leaf);
	cert_unref(c->intermediate);
	cert_unref(c->ark);
	crl_unref(c->crl);
	free(c);
}

static void chain_free(void *c)
{
	snp_chain_unref(c);
}

struct span snp_evidence_leaf(const struct verify_input *in)
{
	const struct evidence *e = in->evidence;

	return e->snp.signing_key == SNP_KEY_VLEK ? e->certs.vlek : e->certs.vcek;
}

/* One certificate, DER or PEM. */
static int read_cert(struct cert **ret, struct span s, const char *what, struct error *err)
{
	int r = pem_is(s) ? cert_parse_pem(ret, 1, s, err) : cert_parse_der(ret, s, err);

	return r < 0 ? error_prefix(err, r, "the evidence's %s", what) : 0;
}

static int find_leaf(struct snp_chain *c, const struct verify_input *in,
	const struct amd_leaf *leaf, struct verdict *v)
{
	bool vlek = in->evidence->snp.signing_key == SNP_KEY_VLEK;
	struct error err;
	int r;

	if (leaf) {
		c->leaf = cert_ref(leaf->cert);
		c->vcek = leaf->vcek;
		return 0;
	}
	r = read_cert(&c->leaf, snp_evidence_leaf(in), vlek ? "VLEK" : "VCEK", &err);
	if (r == 0)
		r = vcek_read(&c->vcek, c->leaf, &err);
	if (r < 0)
		return refuse(v, REASON_ChainInvalid, r, &err);
	if (c->vcek.vlek != vlek)
		return verdict_refuse(v, REASON_ChainInvalid,
			"the report is signed by a %s, and the evidence gives \"%s\" as one",
			vlek ? "VLEK" : "VCEK", c->leaf->subject);
	return 0;
}

/* Keeps candidate if it is by its name the leaf's issuer and by its key as well. 1: it is; 0: it
 * has another name; or negative. */
static int try_intermediate(struct snp_chain *c, struct cert *candidate, struct error *err)
{
	int r;

	if (strcmp(candidate->subject, c->leaf->issuer) != 0)
		return 0;
	r = cert_check_issued(c->leaf, candidate, err);
	if (r < 0)
		return r;
	c->intermediate = cert_ref(candidate);
	return 1;
}

static int find_intermediate(struct snp_chain *c, const struct verify_input *in, struct verdict *v)
{
	const struct amd_collateral *amd = &in->collateral->amd;
	_cleanup_(cert_unref_p) struct cert *sent = NULL;
	struct span ask = in->evidence->certs.ask;
	bool named = false;
	struct error err;
	int r = 0;

	if (ask.p) {
		r = read_cert(&sent, ask, "ASK or ASVK", &err);
		if (r < 0)
			return refuse(v, REASON_ChainInvalid, r, &err);
		r = try_intermediate(c, sent, &err);
		named = r != 0;
	}
	for (size_t i = 0; r <= 0 && r != -ENOMEM && i < amd->n_intermediates; i++) {
		r = try_intermediate(c, amd->intermediates[i], &err);
		named = named || r != 0;
	}
	if (r > 0)
		return 0;
	if (named)
		return refuse(v, REASON_ChainInvalid, r, &err);
	return verdict_refuse(v, REASON_CollateralMissing,
		"certificate \"%s\", which issued the %s, is neither in the evidence nor in the "
		"collateral: add AMD's cert_chain for %s",
		c->leaf->issuer, c->vcek.vlek ? "VLEK" : "VCEK", snp_product_name(c->vcek.product));
}

static int find_ark(struct snp_chain *c, const struct verify_input *in, struct verdict *v)
{
	enum snp_product product = c->vcek.product;
	struct error err;
	struct cert *ark;
	int r = 0;

	for (size_t n = 0; (ark = roots_ark(&in->collateral->roots, product, n)); n++) {
		r = cert_check_issued(c->intermediate, ark, &err);
		if (r == 0) {
			c->ark = cert_ref(ark);
			return 0;
		}
		if (r == -ENOMEM)
			return refuse(v, REASON_Internal, r, &err);
	}
	return verdict_refuse(v, REASON_UnknownRoot,
		"certificate \"%s\" is signed by no trusted ARK of %s%s%s: use a genuine platform, "
		"or add the root to trustedRoots",
		c->intermediate->subject, snp_product_name(product), r < 0 ? ": " : "",
		r < 0 ? err.message : "");
}

/* The list in the collateral counts more than the evidence's, which the host chose. */
static int find_crl(struct snp_chain *c, const struct verify_input *in, struct verdict *v)
{
	struct crl *known = in->collateral->amd.crl[c->vcek.product];
	struct span sent = in->evidence->certs.crl;
	struct error err;
	int r = 0;

	if (known) {
		c->crl = crl_ref(known);
	} else if (sent.p) {
		r = crl_parse(&c->crl, sent, &err);
		if (r < 0) {
			error_prefix(&err, r, "the evidence's revocation list");
			return refuse(v, REASON_CollateralInvalid, r, &err);
		}
	}
	if (c->crl)
		r = crl_check_issued(c->crl, c->ark, &err);
	return r < 0 ? refuse(v, REASON_CollateralSignatureInvalid, r, &err) : 0;
}

/* Of all that came with the evidence and makes a chain. Digests of digests: parts cannot run into
 * each other. */
static bool chain_key(
	unsigned char ret[32], const struct verify_input *in, const struct amd_leaf *leaf)
{
	struct span parts[] = {
		snp_evidence_leaf(in), in->evidence->certs.ask, in->evidence->certs.crl};
	unsigned char sums[1 + sizeof(parts) / sizeof(parts[0])][32] = {0};

	sums[0][0] = (unsigned char)in->evidence->snp.signing_key;
	sums[0][1] = leaf != NULL;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].p && !(i == 0 && leaf)) {
			sums[0][2 + i] = 1;
			if (!algorithm_hash(parts[i].p, parts[i].len, sums[1 + i]))
				return false;
		}
	if (leaf)
		memcpy(sums[1], leaf->cert->digest, 32);
	return algorithm_hash(sums[0], sizeof(sums), ret);
}

int snp_chain_get(struct snp_chain **ret, const struct verify_input *in,
	const struct amd_leaf *leaf, struct verify_cache *cache, struct verdict *v)
{
	_cleanup_(snp_chain_unref_p) struct snp_chain *c = NULL;
	uint64_t epoch = in->collateral->epoch;
	unsigned char key[32];
	int r;

	if (cache) {
		if (!chain_key(key, in, leaf))
			return verdict_refuse_oom(v);
		c = verify_cache_get(cache, VERIFY_CACHED_SNP_CHAIN, key, epoch);
	}
	if (c) {
		c->refs++;
		*ret = TAKE_PTR(c);
		return 0;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return verdict_refuse_oom(v);
	c->refs = 1;
	r = find_leaf(c, in, leaf, v);
	if (r == 0)
		r = find_intermediate(c, in, v);
	if (r == 0)
		r = find_ark(c, in, v);
	if (r == 0)
		r = find_crl(c, in, v);
	if (r < 0)
		return r;
	if (cache) {
		c->refs++;
		verify_cache_put(cache, VERIFY_CACHED_SNP_CHAIN, key, epoch, c, chain_free);
	}
	*ret = TAKE_PTR(c);
	return 0;
}

static int judge_crl(const struct snp_chain *c, const struct verify_input *in, struct verdict *v)
{
	char from[CLOCK_RFC3339_MAX], to[CLOCK_RFC3339_MAX];

	v->crl = c->crl ? CRL_CHECKED : CRL_ABSENT;
	if (!c->crl)
		return !in->policy->require_crl
			       ? 0
			       : verdict_refuse(v, REASON_CrlMissing,
					 "there is no revocation list of \"%s\", "
					 "and requireCrl asks for one: add the CRL "
					 "to the collateral",
					 c->ark->subject);
	v->lists.issuer = crl_number(c->crl);
	if (crl_revokes(c->crl, c->intermediate) || crl_revokes(c->crl, c->ark))
		return verdict_refuse(v, REASON_CertificateRevoked,
			"AMD revoked the certificate \"%s\"",
			crl_revokes(c->crl, c->ark) ? c->ark->subject : c->intermediate->subject);
	if (!crl_valid_at(c->crl, in->time)) {
		clock_format(from, c->crl->this_update);
		clock_format(to, c->crl->next_update);
		return verdict_refuse(v, REASON_CrlExpired,
			"the revocation list of \"%s\" holds from %s to %s: fetch it anew",
			c->crl->issuer, from, to);
	}
	verdict_until(v, c->crl->next_update);
	return 0;
}

int snp_chain_judge(const struct snp_chain *c, const struct verify_input *in, struct verdict *v)
{
	const struct cert *all[] = {c->leaf, c->intermediate, c->ark};
	char from[CLOCK_RFC3339_MAX], to[CLOCK_RFC3339_MAX];
	int r = judge_crl(c, in, v);

	for (size_t i = 0; r == 0 && i < sizeof(all) / sizeof(all[0]); i++) {
		verdict_until(v, all[i]->not_after);
		if (cert_valid_at(all[i], in->time))
			continue;
		clock_format(from, all[i]->not_before);
		clock_format(to, all[i]->not_after);
		r = verdict_refuse(v, REASON_CertificateExpired,
			"certificate \"%s\" holds from %s to %s: check the clock, or fetch it anew",
			all[i]->subject, from, to);
	}
	return r;
}
