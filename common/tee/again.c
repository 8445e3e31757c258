/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/again.h"

#include "common/tee/intel.h"
#include "common/tee/intel_chain.h"
#include "common/tee/intel_tcb.h"

static void keep_td(struct basis *b, const struct td_report *td)
{
	memcpy(b->tee_tcb_svn, td->tee_tcb_svn, sizeof(b->tee_tcb_svn));
	memcpy(b->mrsignerseam, td->mrsignerseam, sizeof(b->mrsignerseam));
	b->seam_attributes = td->seam_attributes;
	b->has_tee_tcb_svn2 = td->tee_tcb_svn2;
	if (td->tee_tcb_svn2)
		memcpy(b->tee_tcb_svn2, td->tee_tcb_svn2, sizeof(b->tee_tcb_svn2));
}

void basis_of(struct basis *ret, const struct verdict *v, const struct evidence *e)
{
	*ret = (struct basis){0};
	if (!v->has_pck && !v->has_snp)
		return;
	ret->known = true;
	ret->tee = e->tee;
	ret->accepted = verdict_accepted(v);
	memcpy(ret->leaf_serial, v->leaf_serial, v->leaf_serial_len);
	ret->leaf_serial_len = v->leaf_serial_len;
	memcpy(ret->issuer_serial, v->issuer_serial, v->issuer_serial_len);
	ret->issuer_serial_len = v->issuer_serial_len;
	ret->lists = v->lists;
	if (v->has_snp) {
		ret->product = v->product;
		ret->vlek = v->vlek;
		ret->reported_tcb = v->reported_tcb;
		ret->launch_tcb = snp_tcb_read(e->snp.launch_tcb, v->product);
		return;
	}
	ret->evaluation_number = v->evaluation_number;
	ret->pck.ca = v->pck.ca;
	ret->pck.pcesvn = v->pck.pcesvn;
	memcpy(ret->pck.fmspc, v->pck.fmspc, sizeof(ret->pck.fmspc));
	memcpy(ret->pck.pceid, v->pck.pceid, sizeof(ret->pck.pceid));
	memcpy(ret->pck.components, v->pck.components, sizeof(ret->pck.components));
	ret->qe_svn = e->quote.qe.isvsvn;
	if (e->tee == TEE_TYPE_TDX)
		keep_td(ret, &e->quote.td);
}

static void raise(int64_t *number, int64_t seen)
{
	if (*number < seen)
		*number = seen;
}

void basis_keep_highest(struct basis *b, const struct basis *before)
{
	bool snp = b->tee == TEE_TYPE_SNP;

	if (b->tee == before->tee &&
		memcmp(b->pck.fmspc, before->pck.fmspc, sizeof(b->pck.fmspc)) == 0 &&
		b->evaluation_number < before->evaluation_number)
		b->evaluation_number = before->evaluation_number;
	if (snp != (before->tee == TEE_TYPE_SNP))
		return;
	raise(&b->lists.root, before->lists.root);
	if (snp ? b->product == before->product : b->pck.ca == before->pck.ca)
		raise(&b->lists.issuer, before->lists.issuer);
}

void basis_raise(struct basis *b, const struct verdict *v)
{
	if (b->evaluation_number < v->evaluation_number)
		b->evaluation_number = v->evaluation_number;
	raise(&b->lists.root, v->lists.root);
	raise(&b->lists.issuer, v->lists.issuer);
}

/* Who of those that are trusted signed the list of Intel's root. */
static struct cert *intel_root_of(const struct collateral *c)
{
	struct crl *crl = c->intel.root_crl;

	if (!crl)
		return NULL;
	if (c->roots.intel && crl_check_issued(crl, c->roots.intel, NULL) == 0)
		return c->roots.intel;
	for (size_t i = 0; i < c->roots.n_extra; i++)
		if (strcmp(c->roots.extra[i]->subject, crl->issuer) == 0 &&
			crl_check_issued(crl, c->roots.extra[i], NULL) == 0)
			return c->roots.extra[i];
	return NULL;
}

void again_prepare(struct again *ret, const struct collateral *c)
{
	const struct intel_collateral *intel = &c->intel;
	struct cert *ark;

	*ret = (struct again){.collateral = c, .intel_root = intel_root_of(c)};
	for (size_t i = 0; ret->intel_root && i < PCK_CA_N; i++)
		ret->pck_crl[i] = intel->pck_crl[i] && intel->pck_ca[i] &&
				  cert_check_issued(intel->pck_ca[i], ret->intel_root, NULL) == 0 &&
				  crl_check_issued(intel->pck_crl[i], intel->pck_ca[i], NULL) == 0;
	for (enum snp_product p = 0; p < SNP_PRODUCT_N; p++)
		for (size_t n = 0; c->amd.crl[p] && (ark = roots_ark(&c->roots, p, n)); n++)
			ret->ark_crl[p] =
				ret->ark_crl[p] || crl_check_issued(c->amd.crl[p], ark, NULL) == 0;
}

static int revoked(struct verdict *v, const struct crl *crl)
{
	return verdict_refuse(v, REASON_CertificateRevoked,
		"\"%s\" revoked a certificate of the platform's chain since it was verified: take "
		"the platform out of service",
		crl->issuer);
}

static int judge_list(struct verdict *v, const struct crl *crl, int64_t *ret_number, int64_t seen)
{
	*ret_number = crl_number(crl);
	return verdict_judge_list(v, crl->issuer, *ret_number, seen);
}

static int again_intel(const struct again *a, const struct basis *b, const struct verify_input *in,
	struct verdict *v)
{
	const struct intel_collateral *known = &a->collateral->intel;
	const struct pck_chain chain = {.root = a->intel_root,
		.root_crl = known->root_crl,
		.ca_crl = known->pck_crl[b->pck.ca],
		.pck = b->pck};
	const struct td_report td = {.tee_tcb_svn = b->tee_tcb_svn,
		.mrsignerseam = b->mrsignerseam,
		.seam_attributes = b->seam_attributes,
		.tee_tcb_svn2 = b->has_tee_tcb_svn2 ? b->tee_tcb_svn2 : NULL};
	struct intel_documents docs;
	int r;

	if (!a->intel_root || !a->pck_crl[b->pck.ca])
		return verdict_refuse(v, REASON_CrlMissing,
			"there are no revocation lists of the platform's certificates: add them to "
			"the collateral");
	if (crl_revokes_serial(chain.root_crl, b->issuer_serial, b->issuer_serial_len))
		return revoked(v, chain.root_crl);
	if (crl_revokes_serial(chain.ca_crl, b->leaf_serial, b->leaf_serial_len))
		return revoked(v, chain.ca_crl);
	verdict_until(v, chain.root_crl->next_update);
	verdict_until(v, chain.ca_crl->next_update);
	v->crl = CRL_CHECKED;
	r = judge_list(v, chain.root_crl, &v->lists.root, b->lists.root);
	if (r == 0)
		r = judge_list(v, chain.ca_crl, &v->lists.issuer, b->lists.issuer);
	if (r == 0)
		r = intel_judge_collateral(&docs, v, in, &chain);
	/* Who signed the documents was revoked, which is nothing about the platform. */
	if (r < 0 && v->reason == REASON_CertificateRevoked)
		v->reason = REASON_CollateralInvalid;
	if (r == 0)
		r = intel_tcb_judge(v, docs.tcb, docs.qe, &b->pck, b->qe_svn,
			b->tee == TEE_TYPE_TDX ? &td : NULL);
	return r < 0 ? r : verdict_judge_tcb(v, in);
}

static int again_snp(const struct again *a, const struct basis *b, const struct verify_input *in,
	struct verdict *v)
{
	const struct crl *crl = a->collateral->amd.crl[b->product];
	int r = 0;

	v->product = b->product;
	v->crl = a->ark_crl[b->product] ? CRL_CHECKED : CRL_ABSENT;
	if (v->crl == CRL_CHECKED) {
		verdict_until(v, crl->next_update);
		if (crl_revokes_serial(crl, b->issuer_serial, b->issuer_serial_len))
			return revoked(v, crl);
		r = judge_list(v, crl, &v->lists.issuer, b->lists.issuer);
	}
	if (r == 0)
		r = snp_judge_minimum(in, "reported", b->reported_tcb, v);
	if (r == 0)
		r = snp_judge_minimum(in, "launch", b->launch_tcb, v);
	if (r == 0 && v->crl == CRL_ABSENT && b->lists.issuer)
		r = verdict_refuse(v, REASON_CrlMissing,
			"the revocation list of ARK-%s that the platform was judged by is gone: "
			"add it to the collateral",
			snp_product_name(b->product));
	if (r == 0)
		v->tcb = TCB_UpToDate;
	return r;
}

void verify_again(const struct again *a, const struct basis *b, const struct verify_policy *policy,
	int64_t time, struct verdict *ret)
{
	struct verify_policy least = *policy;
	struct evidence evidence = {.tee = b->tee};
	const struct verify_input in = {
		.evidence = &evidence, .collateral = a->collateral, .policy = &least, .time = time};
	int r = -EACCES;

	*ret = verdict_none();
	/* Nothing older than what the platform was judged by. */
	if (least.min_evaluation_number < b->evaluation_number)
		least.min_evaluation_number = b->evaluation_number;
	if (b->known && (b->tee == TEE_TYPE_SGX || b->tee == TEE_TYPE_TDX)) {
		evidence.quote.tdx = b->tee == TEE_TYPE_TDX;
		r = again_intel(a, b, &in, ret);
	} else if (b->known && b->tee == TEE_TYPE_SNP) {
		r = again_snp(a, b, &in, ret);
	}
	if (r == 0)
		ret->reason = REASON_Ok;
	else if (verdict_accepted(ret) || ret->message[0] == '\0')
		verdict_refuse(ret, REASON_Internal, "it cannot be judged again");
}

bool verify_again_decides(enum reason reason)
{
	switch (reason) {
	case REASON_Ok:
	case REASON_CertificateRevoked:
	case REASON_TcbOutOfDate:
	case REASON_TcbOutOfDateConfigurationNeeded:
	case REASON_TcbConfigurationNeeded:
	case REASON_TcbSwHardeningNeeded:
	case REASON_TcbConfigurationAndSwHardeningNeeded:
	case REASON_TcbRelaunchAdvised:
	case REASON_TcbRelaunchAdvisedConfigurationNeeded:
	case REASON_TcbRevoked:
	case REASON_TcbNotSupported:
	case REASON_TcbBelowMinimum:
	case REASON_AdvisoryNotAccepted:
	case REASON_TdxModuleMismatch:
		return true;
	default:
		return false;
	}
}
