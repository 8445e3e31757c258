/* SPDX-License-Identifier: Apache-2.0
 *
 * The synthetic vendors of tests/tee are consistent: what they write is read, and signed by whom it
 * says. That it is accepted as a whole is seen where evidence is verified. */
#include "common/base/json.h"
#include "common/tee/crl.h"
#include "common/tee/quote.h"
#include "common/tee/signature.h"
#include "tests/tee/amd_world.h"
#include "tests/unit/test.h"

static void check_chain(const char *row, struct cert *chain[3], const struct quote *q)
{
	struct error err = {0};
	EVP_PKEY *ak = signature_p256_key(q->attestation_key);
	struct pck pck;

	for (int i = 0; i < 3; i++) {
		int r = cert_check_issued(chain[i], chain[i < 2 ? i + 1 : 2], &err);

		CHECK_ROW(row, r == 0, "%s", err.message);
	}
	CHECK_ROW(row, pck_read(&pck, chain[0], &err) == 0, "%s", err.message);
	CHECK_ROW(row, pck.components[4] == 255 && pck.pcesvn == 13, "PCK");
	CHECK_ROW(row, signature_p256(cert_key(chain[0]), q->qe_signature, q->qe_report) == 0,
		"the QE report's signature");
	CHECK_ROW(row, ak && signature_p256(ak, q->signature, q->signed_part) == 0,
		"the quote's signature");
	EVP_PKEY_free(ak);
}

static void check_quote(const char *row, const struct tee_intel *w)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TEE_QUOTE_MAX);
	struct cert *chain[3] = {0};
	struct error err = {0};
	enum reason reason;
	struct quote q = {0};
	int n;

	tee_intel_quote(w, &b);
	if (!CHECK_ROW(row, quote_parse(&q, buf_view(&b), &reason, &err) == 0, "%s", err.message))
		return;
	n = cert_parse_pem(chain, 3, q.cert_data, &err);
	if (CHECK_ROW(row, n == 3, "%s", err.message))
		check_chain(row, chain, &q);
	for (int i = 0; i < n; i++)
		cert_unref(chain[i]);
}

static void test_quotes(void)
{
	struct tee_intel w;

	tee_intel_sgx(&w);
	check_quote("SGX 3", &w);
	tee_intel_sgx_version(&w, 4);
	check_quote("SGX 4", &w);
	tee_intel_sgx_version(&w, 5);
	check_quote("SGX 5", &w);
	tee_intel_tdx(&w, 4, false);
	check_quote("TDX 4", &w);
	tee_intel_tdx(&w, 5, false);
	check_quote("TDX 5, 1.0", &w);
	tee_intel_tdx(&w, 5, true);
	check_quote("TDX 5, 1.5", &w);
	w.quote.zeros_behind = 70;
	w.quote.behind_chain = "\0";
	w.quote.behind_chain_len = 1;
	check_quote("zeros behind", &w);
}

static void check_document(const char *row, const struct tee_intel *w,
	void (*write)(const struct tee_intel *, struct buf *, unsigned char *))
{
	static const struct json_limits limits = {TEE_JSON_MAX, 1 << 14, 16};
	_cleanup_buf_ struct buf text = BUF_INIT(TEE_JSON_MAX);
	_cleanup_json_ struct json doc = {0};
	unsigned char rs[64];
	struct error err = {0};

	write(w, &text, rs);
	CHECK_ROW(row, signature_p256(tee_key(TEE_KEY_TCB_SIGNING), rs, buf_view(&text)) == 0,
		"signature");
	CHECK_ROW(row, json_parse(&doc, buf_view(&text), &limits, &err) == 0, "%s", err.message);
}

static void test_collateral(void)
{
	static const struct json_limits limits = {TEE_JSON_MAX, 1 << 14, 16};

	for (int tdx = 0; tdx < 2; tdx++) {
		_cleanup_buf_ struct buf b = BUF_INIT(TEE_JSON_MAX);
		_cleanup_json_ struct json doc = {0};
		struct error err = {0};
		struct tee_intel w;

		if (tdx)
			tee_intel_tdx(&w, 4, false);
		else
			tee_intel_sgx(&w);
		check_document("TCB info", &w, tee_intel_tcb_info);
		check_document("QE identity", &w, tee_intel_qe_identity);
		tee_intel_collateral(&w, &b);
		CHECK_ROW("collateral", json_parse(&doc, buf_view(&b), &limits, &err) == 0, "%s",
			err.message);
	}
}

static void test_lists(void)
{
	struct tee_intel w;

	tee_intel_sgx(&w);
	for (int i = 0; i < PCK_CA_N + 1; i++) {
		const struct tee_crl *list = i < PCK_CA_N ? &w.pck_crl[i] : &w.root_crl;
		_cleanup_buf_ struct buf der = BUF_INIT(TEE_DER_MAX),
					 issuer = BUF_INIT(TEE_DER_MAX);
		_cleanup_(crl_unref_p) struct crl *c = NULL;
		_cleanup_(cert_unref_p) struct cert *by = NULL;
		struct error err = {0};

		tee_crl_der(list, &der);
		tee_cert_der(i < PCK_CA_N ? &w.ca[i] : &w.root, &issuer);
		CHECK_ROW(
			list->issuer, crl_parse(&c, buf_view(&der), &err) == 0, "%s", err.message);
		CHECK_ROW(list->issuer, cert_parse_der(&by, buf_view(&issuer), &err) == 0, "%s",
			err.message);
		CHECK_ROW(list->issuer, c && by && crl_check_issued(c, by, &err) == 0, "%s",
			err.message);
	}
}

static bool parse(struct cert **ret, const struct tee_amd *w,
	void (*write)(const struct tee_amd *, struct buf *))
{
	_cleanup_buf_ struct buf b = BUF_INIT(TEE_DER_MAX);
	struct error err = {0};

	write(w, &b);
	return CHECK_ROW("AMD", cert_parse_der(ret, buf_view(&b), &err) == 0, "%s", err.message);
}

static void check_report(const char *row, const struct tee_amd *w, struct cert *leaf)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 16);
	struct error err = {0};
	struct snp_report r = {0};
	struct snp_certs certs = {0};
	_cleanup_(cert_unref_p) struct cert *other = NULL;
	enum snp_product product;
	enum reason reason;

	tee_amd_extended(w, &b);
	if (!CHECK_ROW(row,
		    snp_report_parse(&r, (struct span){b.p, SNP_REPORT}, &reason, &err) == 0, "%s",
		    err.message))
		return;
	CHECK_ROW(row, r.version < 3 || (snp_report_product(&r, &product) && product == w->product),
		"product");
	CHECK_ROW(
		row, signature_p384(cert_key(leaf), r.signature, r.signed_part) == 0, "signature");
	CHECK_ROW(row,
		snp_certs_parse(
			&certs, (struct span){b.p + SNP_REPORT, b.len - SNP_REPORT}, &err) == 0,
		"%s", err.message);
	CHECK_ROW(row, cert_parse_der(&other, w->vlek ? certs.vlek : certs.vcek, &err) == 0, "%s",
		err.message);
	CHECK_ROW(row, other && cert_same_owner(other, leaf), "table");
}

static void test_reports(void)
{
	for (enum snp_product p = 0; p < SNP_PRODUCT_N; p++) {
		for (unsigned version = 2; version <= 5; version++) {
			bool vlek = version % 2;
			_cleanup_(cert_unref_p) struct cert *leaf = NULL, *between = NULL,
							    *ark = NULL;
			const char *row = snp_product_name(p);
			struct tee_amd w;
			struct error err = {0};

			tee_amd(&w, p, version, vlek);
			if (!parse(&leaf, &w, tee_amd_leaf) ||
				!parse(&between, &w, tee_amd_intermediate) ||
				!parse(&ark, &w, tee_amd_ark))
				continue;
			CHECK_ROW(row, cert_check_issued(leaf, between, &err) == 0, "%s",
				err.message);
			CHECK_ROW(
				row, cert_check_issued(between, ark, &err) == 0, "%s", err.message);
			check_report(row, &w, leaf);
		}
	}
}

static void test_amd_list(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TEE_DER_MAX);
	_cleanup_(cert_unref_p) struct cert *ark = NULL;
	_cleanup_(crl_unref_p) struct crl *c = NULL;
	struct error err = {0};
	struct tee_amd w;

	tee_amd(&w, SNP_MILAN, 2, false);
	tee_amd_crl(&w, &b);
	CHECK_ROW("list", crl_parse(&c, buf_view(&b), &err) == 0, "%s", err.message);
	if (parse(&ark, &w, tee_amd_ark) && c)
		CHECK_ROW("list", crl_check_issued(c, ark, &err) == 0, "%s", err.message);
}

const CU_TestInfo tee_world_tests[] = {
	{"synthetic quotes", test_quotes},
	{"synthetic collateral", test_collateral},
	{"synthetic revocation lists", test_lists},
	{"synthetic SNP reports", test_reports},
	{"a synthetic revocation list of AMD", test_amd_list},
	CU_TEST_INFO_NULL,
};
