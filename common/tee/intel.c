/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/intel.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "common/base/algorithm.h"
#include "common/tee/evidence.h"
#include "common/tee/intel_chain.h"
#include "common/tee/intel_policy.h"
#include "common/tee/intel_tcb.h"
#include "common/tee/signature.h"

/* 939a7233-f79c-4ca9-940a-0db3957f0607 */
static const unsigned char intel_qe_vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
	0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static bool is_zero(struct span s)
{
	unsigned char any = 0;

	for (size_t i = 0; i < s.len; i++)
		any |= (unsigned char)s.p[i];
	return any == 0;
}

static int check_reserved(struct verdict *v, const struct sgx_report *r, const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->reserved); i++)
		if (!is_zero(r->reserved[i]))
			return verdict_refuse(v, REASON_UnsupportedVersion,
				"reserved bytes of %s are not 0: it is of a later kind than "
				"Casemate knows",
				what);
	return 0;
}

static int check_shape(struct verdict *v, const struct quote *q)
{
	int r = check_reserved(v, &q->qe, "the quoting enclave's report");

	if (r == 0 && !q->tdx)
		r = check_reserved(v, &q->sgx, "the enclave's report");
	if (r == 0 && memcmp(q->qe_vendor, intel_qe_vendor, sizeof(intel_qe_vendor)) != 0)
		return verdict_refuse(v, REASON_QeIdentityMismatch,
			"the quote names another vendor of its quoting enclave than Intel: use "
			"Intel's");
	return r;
}

/* What TCB info and QE identity have in common. */
struct document {
	const char *what;
	enum reason problem;
	const char *message;
	const struct intel_signer *signer;
	int64_t issue_date, next_update;
};

static int document_dates(
	struct verdict *v, const struct document *d, const struct verify_input *in)
{
	char from[CLOCK_RFC3339_MAX], to[CLOCK_RFC3339_MAX];

	if (d->issue_date - in->time <= in->policy->skew_sec && in->time <= d->next_update) {
		verdict_until(v, d->next_update);
		return 0;
	}
	clock_format(from, d->issue_date);
	clock_format(to, d->next_update);
	return verdict_refuse(v, REASON_CollateralExpired,
		"the %s holds from %s to %s alone: check the clock, or fetch it anew", d->what,
		from, to);
}

static int judge_document(struct verdict *v, const struct document *d, const struct pck_chain *c,
	const struct verify_input *in)
{
	int r;

	if (d->problem != REASON_Ok)
		return verdict_refuse(v, d->problem, "the %s: %s", d->what, d->message);
	if (!cert_same_owner(d->signer->root, c->root))
		return verdict_refuse(v, REASON_UnknownRoot,
			"the %s is signed below another root than the quote: fetch it from where "
			"the platform's certificates come from",
			d->what);
	if (crl_revokes(c->root_crl, d->signer->cert))
		return verdict_refuse(v, REASON_CertificateRevoked,
			"\"%s\" revoked certificate \"%s\", which signed the %s: fetch it anew",
			c->root_crl->issuer, d->signer->cert->subject, d->what);
	r = intel_cert_dates(d->signer->cert, d->what, in, v);
	if (r == 0)
		r = intel_cert_dates(d->signer->root, d->what, in, v);
	return r < 0 ? r : document_dates(v, d, in);
}

static int no_tcb_info(struct verdict *v, const struct verify_input *in, const unsigned char *f)
{
	const struct intel_collateral *known = &in->collateral->intel;
	bool tdx = in->evidence->quote.tdx, other = false;

	for (size_t i = 0; i < known->n_tcb_infos; i++)
		other = other || known->tcb_infos[i]->tdx == tdx;
	return verdict_refuse(v, other ? REASON_FmspcMismatch : REASON_CollateralMissing,
		"there is no %s TCB info of FMSPC %02x%02x%02x%02x%02x%02x%s: add it to the "
		"collateral",
		tdx ? "TDX" : "SGX", f[0], f[1], f[2], f[3], f[4], f[5],
		other ? ", though of others" : "");
}

static int find_documents(struct intel_documents *ret, struct verdict *v,
	const struct verify_input *in, const struct pck_chain *c)
{
	const struct intel_collateral *known = &in->collateral->intel;
	bool tdx = in->evidence->quote.tdx;

	ret->tcb = intel_tcb_info(known, tdx, c->pck.fmspc);
	if (!ret->tcb)
		return no_tcb_info(v, in, c->pck.fmspc);
	ret->qe = known->qe[tdx ? QE_TDX : QE_SGX];
	if (!ret->qe)
		return verdict_refuse(v, REASON_CollateralMissing,
			"there is no identity of Intel's quoting enclave for %s: add it to the "
			"collateral",
			tdx ? "TDX" : "SGX");
	return 0;
}

static int judge_evaluation(struct verdict *v, const struct intel_documents *d, uint32_t min)
{
	bool tcb_older = d->tcb->evaluation_number <= d->qe->evaluation_number;

	v->evaluation_number = tcb_older ? d->tcb->evaluation_number : d->qe->evaluation_number;
	if (v->evaluation_number >= min)
		return 0;
	return verdict_refuse(v, REASON_CollateralRolledBack,
		"the %s has tcbEvaluationDataNumber %u, below %u: fetch it anew, and ask who "
		"served "
		"the old one",
		tcb_older ? "TCB info" : "QE identity", v->evaluation_number, min);
}

int intel_judge_collateral(struct intel_documents *ret, struct verdict *v,
	const struct verify_input *in, const struct pck_chain *c)
{
	struct document tcb, qe;
	int r = find_documents(ret, v, in, c);

	if (r < 0)
		return r;
	tcb = (struct document){"TCB info", ret->tcb->problem, ret->tcb->message, &ret->tcb->signer,
		ret->tcb->issue_date, ret->tcb->next_update};
	qe = (struct document){"QE identity", ret->qe->problem, ret->qe->message, &ret->qe->signer,
		ret->qe->issue_date, ret->qe->next_update};
	r = judge_document(v, &tcb, c, in);
	if (r == 0)
		r = judge_document(v, &qe, c, in);
	if (r < 0)
		return r;
	if (memcmp(ret->tcb->pceid, c->pck.pceid, sizeof(c->pck.pceid)) != 0)
		return verdict_refuse(v, REASON_FmspcMismatch,
			"the TCB info is for PCE-ID %02x%02x, the platform has %02x%02x: fetch the "
			"one "
			"of this platform",
			ret->tcb->pceid[0], ret->tcb->pceid[1], c->pck.pceid[0], c->pck.pceid[1]);
	return judge_evaluation(v, ret, in->policy->min_evaluation_number);
}

/* The PCK vouches for the quoting enclave's report, and that for the attestation key. */
static int check_qe_report(struct verdict *v, const struct quote *q, const struct pck_chain *c)
{
	unsigned char bound[64 + QE_AUTH_MAX], want[64] = {0};
	int r = signature_p256(cert_key(c->leaf), q->qe_signature, q->qe_report);

	if (r == -ENOMEM)
		return verdict_refuse_oom(v);
	if (r < 0)
		return verdict_refuse(v, REASON_QeReportInvalid,
			"the PCK certificate's key did not sign the quoting enclave's report: it "
			"was "
			"changed, or is another platform's");
	memcpy(bound, q->attestation_key, 64);
	memcpy(bound + 64, q->qe_auth.p, q->qe_auth.len);
	if (!algorithm_hash(bound, 64 + q->qe_auth.len, want))
		return verdict_refuse_oom(v);
	if (CRYPTO_memcmp(want, q->qe.report_data, sizeof(want)) != 0)
		return verdict_refuse(v, REASON_QeReportInvalid,
			"the quoting enclave's report is for another attestation key or other "
			"authentication data: they were changed");
	return 0;
}

/* Everything that check_qe_report() looks at. */
static bool key_of_attestation_key(
	unsigned char ret[32], const struct quote *q, const struct pck_chain *c)
{
	unsigned char all[PCK_CHAIN_KEY + SGX_REPORT_BODY + 64 + 64 + QE_AUTH_MAX], *p = all;

	p = mempcpy(p, c->key, PCK_CHAIN_KEY);
	p = mempcpy(p, q->qe_report.p, SGX_REPORT_BODY);
	p = mempcpy(p, q->qe_signature, 64);
	p = mempcpy(p, q->attestation_key, 64);
	p = mempcpy(p, q->qe_auth.p, q->qe_auth.len);
	return algorithm_hash(all, (size_t)(p - all), ret);
}

static void free_key(void *value)
{
	EVP_PKEY_free(value);
}

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

/* The attestation key, once it is vouched for. */
static int attestation_key(EVP_PKEY **ret, struct verdict *v, const struct quote *q,
	const struct pck_chain *c, struct verify_cache *cache)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	unsigned char id[32];
	int r;

	if (!key_of_attestation_key(id, q, c))
		return verdict_refuse_oom(v);
	key = verify_cache_get(cache, VERIFY_CACHED_ATTESTATION_KEY, id, 0);
	if (key) {
		EVP_PKEY_up_ref(key);
		*ret = TAKE_PTR(key);
		return 0;
	}
	r = check_qe_report(v, q, c);
	if (r < 0)
		return r;
	key = signature_p256_key(q->attestation_key);
	if (!key)
		return verdict_refuse(v, REASON_QuoteSignatureInvalid,
			"the attestation key is no point of P-256: it was not made by a quoting "
			"enclave");
	if (cache) {
		EVP_PKEY_up_ref(key);
		verify_cache_put(cache, VERIFY_CACHED_ATTESTATION_KEY, id, 0, key, free_key);
	}
	*ret = TAKE_PTR(key);
	return 0;
}

static int check_qe_identity(
	struct verdict *v, const struct quote *q, const struct qe_identity *identity)
{
	struct error err = {0};

	if (!qe_identity_fits(identity, &q->qe, &err))
		return verdict_refuse(v, REASON_QeIdentityMismatch,
			"the quoting enclave is not Intel's: %s", err.message);
	/* Whatever the mask leaves open. */
	if (q->qe.flags & SGX_FLAG_DEBUG)
		return verdict_refuse(v, REASON_QeIdentityMismatch,
			"the quoting enclave runs in debug mode: use Intel's production enclave");
	return 0;
}

static int check_signatures(struct verdict *v, const struct quote *q, const struct pck_chain *c,
	const struct qe_identity *identity, struct verify_cache *cache)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	int r = attestation_key(&key, v, q, c, cache);

	if (r == 0)
		r = check_qe_identity(v, q, identity);
	if (r < 0)
		return r;
	r = signature_p256(key, q->signature, q->signed_part);
	if (r == -ENOMEM)
		return verdict_refuse_oom(v);
	if (r < 0)
		return verdict_refuse(v, REASON_QuoteSignatureInvalid,
			"the attestation key did not sign this quote: it was changed, or made by "
			"somebody else");
	return 0;
}

int intel_verify(const struct verify_input *in, struct verify_cache *cache, struct verdict *v)
{
	_cleanup_pck_chain_ struct pck_chain chain = {0};
	const struct quote *q = &in->evidence->quote;
	struct intel_documents docs;
	int r = check_shape(v, q);

	if (r == 0)
		r = pck_chain_verify(&chain, in, cache, v);
	if (r == 0)
		r = intel_judge_collateral(&docs, v, in, &chain);
	if (r == 0)
		r = check_signatures(v, q, &chain, docs.qe, cache);
	if (r == 0)
		r = intel_tcb_judge(
			v, docs.tcb, docs.qe, &chain.pck, q->qe.isvsvn, q->tdx ? &q->td : NULL);
	if (r == 0)
		r = verdict_judge_tcb(v, in);
	if (r == 0)
		r = intel_policy_judge(v, in);
	return r;
}
