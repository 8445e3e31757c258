/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/codec.h"
#include "common/tee/collateral_add.h"
#include "common/tee/intel_document.h"
#include "common/tee/pem.h"

enum { PEM_MAX = 2 * CRL_DER_MAX };

/* The bundle being written: members and elements on lines of their own. */
struct writer {
	struct buf *out;
	bool first; /* of its list */
};

static void begin_list(struct writer *w, const char *key)
{
	buf_printf(w->out, ",\n  \"%s\": [", key);
	w->first = true;
}

static void end_list(struct writer *w)
{
	buf_puts(w->out, w->first ? "]" : "\n  ]");
}

static void next_element(struct writer *w)
{
	buf_puts(w->out, w->first ? "\n    " : ",\n    ");
	w->first = false;
}

static void write_pem(struct writer *w, const char *label, struct span der)
{
	_cleanup_buf_ struct buf pem = BUF_INIT(PEM_MAX);

	next_element(w);
	if (pem_write(&pem, label, der) < 0)
		w->out->err = pem.err;
	buf_json_string(w->out, buf_view(&pem));
}

static void write_cert(struct writer *w, const struct cert *cert)
{
	if (cert)
		write_pem(w, "CERTIFICATE", cert_der(cert));
}

static void write_crl(struct writer *w, const struct crl *crl)
{
	if (crl)
		write_pem(w, "X509 CRL", crl_der(crl));
}

static int compare_certs(const void *a, const void *b)
{
	const struct cert *x = *(struct cert *const *)a, *y = *(struct cert *const *)b;

	return memcmp(x->digest, y->digest, sizeof(x->digest));
}

/* AMD's, in an order of their own whatever that of their arrival was. */
static int write_amd(struct writer *w, const struct amd_collateral *amd, struct error *err)
{
	size_t n = amd->n_intermediates + amd->n_leaves;
	_cleanup_free_ struct cert **certs = calloc(n ? n : 1, sizeof(*certs));

	if (!certs)
		return error_oom(err);
	for (size_t i = 0; i < amd->n_intermediates; i++)
		certs[i] = amd->intermediates[i];
	for (size_t i = 0; i < amd->n_leaves; i++)
		certs[amd->n_intermediates + i] = amd->leaves[i].cert;
	qsort(certs, amd->n_intermediates, sizeof(struct cert *), compare_certs);
	qsort(certs + amd->n_intermediates, amd->n_leaves, sizeof(struct cert *), compare_certs);
	for (size_t i = 0; i < n; i++)
		write_cert(w, certs[i]);
	return 0;
}

static void write_document(struct writer *w, struct span body, const unsigned char signature[64],
	const struct intel_signer *signer)
{
	_cleanup_buf_ struct buf chain = BUF_INIT(INTEL_CHAIN_PEM_MAX);

	next_element(w);
	buf_puts(w->out, "{\n      \"body\": ");
	buf_json_string(w->out, body);
	buf_puts(w->out, ",\n      \"signature\": \"");
	codec_hex(w->out, signature, 64);
	buf_puts(w->out, "\",\n      \"issuerChain\": ");
	if (intel_signer_pem(&chain, signer) < 0)
		w->out->err = chain.err;
	buf_json_string(w->out, buf_view(&chain));
	buf_puts(w->out, "\n    }");
}

static int compare_tcb_infos(const void *a, const void *b)
{
	const struct tcb_info *x = *(struct tcb_info *const *)a, *y = *(struct tcb_info *const *)b;

	if (x->tdx != y->tdx)
		return x->tdx ? 1 : -1;
	return memcmp(x->fmspc, y->fmspc, sizeof(x->fmspc));
}

static int write_tcb_infos(
	struct writer *w, const struct intel_collateral *intel, struct error *err)
{
	const struct tcb_info *sorted[INTEL_TCB_INFOS_MAX];
	size_t n = intel->n_tcb_infos;

	memcpy(sorted, intel->tcb_infos, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_tcb_infos);
	for (size_t i = 0; i < n; i++) {
		if (sorted[i]->problem != REASON_Ok)
			return error_set(err, -EBADMSG, "TCB info: %s", sorted[i]->message);
		write_document(w, sorted[i]->body, sorted[i]->signature, &sorted[i]->signer);
	}
	return 0;
}

static int write_qe_identities(
	struct writer *w, const struct intel_collateral *intel, struct error *err)
{
	for (size_t i = 0; i < QE_KIND_N; i++) {
		const struct qe_identity *q = intel->qe[i];

		if (!q)
			continue;
		if (q->problem != REASON_Ok)
			return error_set(err, -EBADMSG, "QE identity: %s", q->message);
		write_document(w, q->body, q->signature, &q->signer);
	}
	return 0;
}

int collateral_write(struct buf *out, const struct collateral *c, struct error *err)
{
	const struct intel_collateral *intel = &c->intel;
	struct writer w = {.out = out};
	int r;

	buf_puts(out, "{\n  \"bundle\": \"" COLLATERAL_BUNDLE "\"");
	begin_list(&w, "certificates");
	write_cert(&w, intel->root);
	for (size_t i = 0; i < PCK_CA_N; i++)
		write_cert(&w, intel->pck_ca[i]);
	write_cert(&w, intel->pck_chain[0]);
	r = write_amd(&w, &c->amd, err);
	end_list(&w);
	begin_list(&w, "revocationLists");
	write_crl(&w, intel->root_crl);
	for (size_t i = 0; i < PCK_CA_N; i++)
		write_crl(&w, intel->pck_crl[i]);
	for (size_t i = 0; i < SNP_PRODUCT_N; i++)
		write_crl(&w, c->amd.crl[i]);
	end_list(&w);
	begin_list(&w, "tcbInfos");
	if (r == 0)
		r = write_tcb_infos(&w, intel, err);
	end_list(&w);
	begin_list(&w, "enclaveIdentities");
	if (r == 0)
		r = write_qe_identities(&w, intel, err);
	end_list(&w);
	buf_puts(out, "\n}\n");
	if (r == 0 && out->err)
		r = error_set(err, out->err, "the bundle is too large, or memory is short");
	return r;
}
