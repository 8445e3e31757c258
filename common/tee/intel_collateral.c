/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/intel_collateral.h"

#include "common/base/codec.h"
#include "common/tee/intel_document.h"
#include "common/tee/pem.h"

void intel_collateral_free(struct intel_collateral *c)
{
	crl_unref(c->root_crl);
	for (size_t i = 0; i < PCK_CA_N; i++) {
		crl_unref(c->pck_crl[i]);
		cert_unref(c->pck_ca[i]);
	}
	for (size_t i = 0; i < c->n_tcb_infos; i++)
		tcb_info_free(c->tcb_infos[i]);
	for (size_t i = 0; i < QE_KIND_N; i++)
		qe_identity_free(c->qe[i]);
	for (size_t i = 0; i < ARRAY_SIZE(c->pck_chain); i++)
		cert_unref(c->pck_chain[i]);
	cert_unref(c->root);
	intel_signer_free(&c->signer);
	*c = (struct intel_collateral){0};
}

static void replace_cert(struct cert **place, struct cert *cert)
{
	struct cert *old = *place;

	*place = cert_ref(cert);
	cert_unref(old);
}

/* The signer of a good document, or of any while none is known. */
static void keep_signer(struct intel_collateral *c, const struct intel_signer *s, bool good)
{
	if (!s->cert || (c->signer.cert && !good))
		return;
	replace_cert(&c->signer.cert, s->cert);
	replace_cert(&c->signer.root, s->root);
}

int intel_tcb_info_add(struct intel_collateral *c, struct tcb_info *t, struct error *err)
{
	_cleanup_(tcb_info_free_p) struct tcb_info *new = t;
	struct tcb_info **place = NULL, *old;
	bool usable = t->problem == REASON_Ok;

	if (!t->named)
		return error_set(err, -EBADMSG, "TCB info: %s", t->message);
	keep_signer(c, &t->signer, usable);
	for (size_t i = 0; !place && i < c->n_tcb_infos; i++) {
		old = c->tcb_infos[i];
		if (old->tdx == t->tdx && memcmp(old->fmspc, t->fmspc, sizeof(t->fmspc)) == 0)
			place = &c->tcb_infos[i];
	}
	if (!place && c->n_tcb_infos == INTEL_TCB_INFOS_MAX)
		return error_set(err, -E2BIG, "more than %d TCB infos", INTEL_TCB_INFOS_MAX);
	if (!place)
		place = &c->tcb_infos[c->n_tcb_infos++];
	old = *place;
	if (old && old->problem == REASON_Ok) {
		if (!usable)
			return error_set(err, -EBADMSG, "TCB info: %s", t->message);
		if (old->issue_date > t->issue_date)
			return 0;
	}
	*place = TAKE_PTR(new);
	tcb_info_free(old);
	return 0;
}

int intel_qe_identity_add(struct intel_collateral *c, struct qe_identity *q, struct error *err)
{
	_cleanup_(qe_identity_free_p) struct qe_identity *new = q;
	struct qe_identity *old;

	if (!q->named)
		return error_set(err, -EBADMSG, "QE identity: %s", q->message);
	keep_signer(c, &q->signer, q->problem == REASON_Ok);
	old = c->qe[q->kind];
	if (old && old->problem == REASON_Ok) {
		if (q->problem != REASON_Ok)
			return error_set(err, -EBADMSG, "QE identity: %s", q->message);
		if (old->issue_date > q->issue_date)
			return 0;
	}
	c->qe[q->kind] = TAKE_PTR(new);
	qe_identity_free(old);
	return 0;
}

void intel_known(
	struct cert *ret[INTEL_KNOWN], const struct intel_collateral *c, const struct roots *roots)
{
	static const struct intel_collateral none;

	if (!c)
		c = &none;
	ret[0] = roots->intel;
	ret[1] = c->root;
	ret[2] = c->signer.cert;
	ret[3] = c->signer.root;
	ret[4] = c->pck_ca[PCK_CA_PROCESSOR];
	ret[5] = c->pck_ca[PCK_CA_PLATFORM];
}

int intel_signer_pem(struct buf *out, const struct intel_signer *s)
{
	if (!s->cert || !s->root)
		return 0;
	pem_write(out, "CERTIFICATE", cert_der(s->cert));
	return pem_write(out, "CERTIFICATE", cert_der(s->root));
}

/* Documents that came without their chain, once that is known. */
static int resign(struct intel_collateral *c, const struct roots *roots, struct error *err)
{
	_cleanup_buf_ struct buf chain = BUF_INIT(INTEL_CHAIN_PEM_MAX);
	int r = intel_signer_pem(&chain, &c->signer);

	if (r < 0)
		return error_oom(err);
	if (!chain.len)
		return 0;
	for (size_t i = 0; i < c->n_tcb_infos; i++) {
		struct tcb_info *t = c->tcb_infos[i], *new;

		if (t->signer.cert)
			continue;
		r = tcb_info_new(&new, t->body,
			(struct span){(const char *)t->signature, sizeof(t->signature)},
			buf_view(&chain), roots, c, err);
		if (r < 0)
			return r;
		c->tcb_infos[i] = new;
		tcb_info_free(t);
	}
	for (size_t i = 0; i < QE_KIND_N; i++) {
		struct qe_identity *q = c->qe[i], *new;

		if (!q || q->signer.cert)
			continue;
		r = qe_identity_new(&new, q->body,
			(struct span){(const char *)q->signature, sizeof(q->signature)},
			buf_view(&chain), roots, c, err);
		if (r < 0)
			return r;
		c->qe[i] = new;
		qe_identity_free(q);
	}
	return 0;
}

/* The chain of the PCK that is there, when all of it is. */
static void complete_pck_chain(struct intel_collateral *c)
{
	const struct cert *leaf = c->pck_chain[0];

	c->n_pck_chain = 0;
	for (size_t i = 0; leaf && c->root && i < PCK_CA_N; i++) {
		if (!c->pck_ca[i] || strcmp(leaf->issuer, pck_ca_name((enum pck_ca)i)) != 0)
			continue;
		replace_cert(&c->pck_chain[1], c->pck_ca[i]);
		replace_cert(&c->pck_chain[2], c->root);
		c->n_pck_chain = 3;
	}
}

int intel_cert_add(
	struct intel_collateral *c, struct cert *cert, const struct roots *roots, struct error *err)
{
	if (strcmp(cert->subject, INTEL_ROOT_NAME) == 0) {
		replace_cert(&c->root, cert);
		if (!c->signer.root || !roots_find_intel(roots, c->signer.root))
			replace_cert(&c->signer.root, cert);
	} else if (strcmp(cert->subject, INTEL_SIGNER_NAME) == 0) {
		replace_cert(&c->signer.cert, cert);
		if (!c->signer.root && c->root)
			replace_cert(&c->signer.root, c->root);
	} else if (strcmp(cert->subject, INTEL_PCK_NAME) == 0) {
		replace_cert(&c->pck_chain[0], cert);
	} else {
		size_t i = 0;

		while (i < PCK_CA_N && strcmp(cert->subject, pck_ca_name((enum pck_ca)i)) != 0)
			i++;
		if (i == PCK_CA_N)
			return error_set(err, -EBADMSG, "\"%s\" is no certificate of Intel's",
				cert->subject);
		replace_cert(&c->pck_ca[i], cert);
	}
	complete_pck_chain(c);
	return resign(c, roots, err);
}

static bool crl_newer(const struct crl *a, const struct crl *b)
{
	return a->number != b->number ? a->number > b->number : a->this_update > b->this_update;
}

int intel_crl_add(struct intel_collateral *c, struct crl *crl, struct error *err)
{
	struct crl **place = NULL, *old;

	if (strcmp(crl->issuer, INTEL_ROOT_NAME) == 0)
		place = &c->root_crl;
	for (size_t i = 0; i < PCK_CA_N; i++) {
		if (strcmp(crl->issuer, pck_ca_name((enum pck_ca)i)) == 0)
			place = &c->pck_crl[i];
	}
	if (!place)
		return error_set(
			err, -EBADMSG, "\"%s\" has no revocation list of Intel's", crl->issuer);
	old = *place;
	if (old && crl_newer(old, crl))
		return 0;
	*place = crl_ref(crl);
	crl_unref(old);
	return 0;
}

const struct tcb_info *intel_tcb_info(
	const struct intel_collateral *c, bool tdx, const unsigned char fmspc[6])
{
	for (size_t i = 0; i < c->n_tcb_infos; i++) {
		const struct tcb_info *t = c->tcb_infos[i];

		if (t->tdx == tdx && memcmp(t->fmspc, fmspc, sizeof(t->fmspc)) == 0)
			return t;
	}
	return NULL;
}

int intel_signed_value(struct json_val answer, const char *name, struct span *ret_body,
	unsigned char ret_signature[64], struct error *err)
{
	struct json_val body = json_get(answer, name), signature = json_get(answer, "signature");
	struct span digits = json_raw(signature);

	if (!json_is_object(body))
		return error_set(err, -EBADMSG, "%s: it is missing, or no object", name);
	if (!json_is_string(signature) ||
		codec_hex_exact(ret_signature, 64, (struct span){digits.p + 1, digits.len - 2}) < 0)
		return error_set(err, -EBADMSG, "signature: not 128 hexadecimal digits");
	*ret_body = json_raw(body);
	return 0;
}
