/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/codec.h"
#include "common/tee/collateral_add.h"
#include "common/tee/der.h"
#include "common/tee/pem.h"

enum { HEX_MIN = 64 }; /* digits: shorter than any certificate or list */

/* Certificates that no trust comes from: roots are compared with those that are trusted. */
static bool is_ark(const char *name)
{
	return strncmp(name, "ARK-", 4) == 0;
}

static int add_cert(struct collateral *c, struct span der, struct error *err)
{
	_cleanup_(cert_unref_p) struct cert *cert = NULL;
	struct cert *known[INTEL_KNOWN];
	enum snp_product product;
	bool vlek;
	int r;

	intel_known(known, &c->intel, &c->roots);
	r = cert_parse_der_known(&cert, der, known, INTEL_KNOWN, err);
	if (r < 0)
		return error_prefix(err, r, "certificate");
	if (is_ark(cert->subject))
		return 0;
	if (amd_intermediate_name(cert->subject, &product, &vlek))
		r = amd_intermediate_add(&c->amd, cert, err);
	else if (strcmp(cert->subject, "SEV-VCEK") == 0 || strcmp(cert->subject, "SEV-VLEK") == 0)
		r = amd_leaf_add(&c->amd, cert, err);
	else if (strncmp(cert->subject, "Intel SGX ", 10) == 0)
		r = intel_cert_add(&c->intel, cert, &c->roots, err);
	else
		return error_set(err, -ENOMSG,
			"certificate of \"%s\": none of Intel's for SGX and TDX or AMD's for "
			"SEV-SNP",
			cert->subject);
	return r < 0 ? error_prefix(err, r, "certificate of \"%s\"", cert->subject) : 0;
}

static int add_crl(struct collateral *c, struct span der, struct error *err)
{
	_cleanup_(crl_unref_p) struct crl *crl = NULL;
	int r = crl_parse(&crl, der, err);

	if (r < 0)
		return error_prefix(err, r, "revocation list");
	if (is_ark(crl->issuer))
		r = amd_crl_add(&c->amd, crl, err);
	else if (strncmp(crl->issuer, "Intel SGX ", 10) == 0)
		r = intel_crl_add(&c->intel, crl, err);
	else
		return error_set(err, -ENOMSG,
			"revocation list of \"%s\": none of Intel's or AMD's", crl->issuer);
	return r < 0 ? error_prefix(err, r, "revocation list of \"%s\"", crl->issuer) : 0;
}

/* Certificate and CertificateList differ in what their second SEQUENCE begins with: a version in
 * context tag 0 or a serial number of any length there, and here the version 1. */
static bool is_crl(struct span der)
{
	struct span all, tbs, version, rest;

	return der_take(&der, DER_SEQUENCE, &all) && der_take(&all, DER_SEQUENCE, &tbs) &&
	       der_take(&tbs, DER_INTEGER, &version) && der_take(&tbs, DER_SEQUENCE, &rest) &&
	       der_take(&tbs, DER_SEQUENCE, &rest) && tbs.len && tbs.p[0] != DER_SEQUENCE;
}

static int add_der(struct collateral *c, struct span der, struct error *err)
{
	return is_crl(der) ? add_crl(c, der, err) : add_cert(c, der, err);
}

static int add_pem(struct collateral *c, struct span text, struct error *err)
{
	_cleanup_buf_ struct buf der = BUF_INIT(CRL_DER_MAX);
	unsigned n = 0;
	int r;

	if (!pem_label_is(text, "CERTIFICATE") && !pem_label_is(text, "X509 CRL"))
		return error_set(err, -ENOMSG, "PEM, but neither CERTIFICATE nor X509 CRL");
	for (;;) {
		bool crl = pem_label_is(text, "X509 CRL");

		buf_reset(&der);
		r = pem_next(&text, crl ? "X509 CRL" : "CERTIFICATE", &der, err);
		if (r <= 0)
			break;
		r = crl ? add_crl(c, buf_view(&der), err) : add_cert(c, buf_view(&der), err);
		if (r < 0)
			break;
		n++;
	}
	return r < 0 ? error_prefix(err, r, "PEM block %u", n + 1) : 0;
}

static bool is_hex(struct span s)
{
	if (s.len < HEX_MIN || !span_starts(s, "30"))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (codec_hex_digit(s.p[i]) < 0)
			return false;
	}
	return true;
}

static int add_hex(struct collateral *c, struct span digits, struct error *err)
{
	_cleanup_buf_ struct buf der = BUF_INIT(CRL_DER_MAX);
	int r = codec_unhex(&der, digits);

	if (r == -ENOMEM)
		return error_oom(err);
	if (r < 0)
		return error_set(err, r, "hexadecimal digits: an odd number, or more than %d",
			2 * CRL_DER_MAX);
	return add_der(c, buf_view(&der), err);
}

/* The certificates of an extended SNP report. */
static int add_table(struct collateral *c, const struct snp_certs *certs, struct error *err)
{
	const struct span rows[] = {certs->ask, certs->vcek, certs->vlek, certs->crl, certs->ark};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++) {
		if (rows[i].p)
			r = pem_is(rows[i]) ? add_pem(c, rows[i], err) : add_der(c, rows[i], err);
	}
	return r < 0 ? error_prefix(err, r, "certificate table") : 0;
}

static bool is_table(struct span bytes, struct snp_certs *ret)
{
	if (bytes.len > SNP_CERTS_MAX || snp_certs_parse(ret, bytes, NULL) < 0)
		return false;
	return ret->vcek.p || ret->vlek.p || ret->ask.p || ret->ark.p || ret->crl.p;
}

int collateral_add_bytes(struct collateral *c, struct span bytes, struct error *err)
{
	struct span digits = bytes;
	struct snp_certs certs;

	if (pem_is(bytes))
		return add_pem(c, bytes, err);
	if (span_starts(bytes, "\x30\x82") || span_starts(bytes, "\x30\x81") ||
		span_starts(bytes, "\x30\x83"))
		return add_der(c, bytes, err);
	while (digits.len && strchr("\r\n \t", digits.p[digits.len - 1]))
		digits.len--;
	if (is_hex(digits))
		return add_hex(c, digits, err);
	if (is_table(bytes, &certs))
		return add_table(c, &certs, err);
	return error_set(err, -ENOMSG,
		"neither JSON, PEM, DER nor an SNP certificate table that Casemate knows");
}
