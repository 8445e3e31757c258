/* SPDX-License-Identifier: Apache-2.0
 *
 * AMD 57230, section 3.1, table "VCEK Certificate Extensions" (and VLEK's). */
#include <stdio.h>

#include "common/tee/der.h"
#include "common/tee/snp.h"

#define OID "1.3.6.1.4.1.3704.1."

bool amd_intermediate_name(const char *name, enum snp_product *ret_product, bool *ret_vlek)
{
	struct span rest = span_after(span_str(name), "SEV-"), vlek = span_after(rest, "VLEK-");

	*ret_vlek = vlek.p != NULL;
	if (vlek.p)
		rest = vlek;
	for (enum snp_product p = 0; rest.p && p < SNP_PRODUCT_N; p++)
		if (span_is(rest, snp_product_name(p))) {
			*ret_product = p;
			return true;
		}
	return false;
}

/* Extension OID.suffix, an INTEGER up to max. 1; 0: there is none; -EBADMSG. */
static int read_number(
	const struct cert *c, const char *suffix, uint32_t max, uint32_t *ret, struct error *err)
{
	struct span value, content;
	char oid[32];

	snprintf(oid, sizeof(oid), OID "%s", suffix);
	value = cert_extension(c, oid);
	if (!value.p)
		return 0;
	if (!der_take(&value, DER_INTEGER, &content) || value.len > 0 ||
		!der_unsigned(content, max, ret))
		return error_set(err, -EBADMSG,
			"its extension %s is no INTEGER from 0 to %u in DER", oid, max);
	return 1;
}

/* The components of the TCB; those without a meaning must be 0 if they are there. */
static int read_tcb(struct vcek *v, const struct cert *c, struct error *err)
{
	const bool turin = v->product == SNP_TURIN;
	const struct {
		const char *suffix;
		unsigned char *to; /* NULL: reserved */
	} parts[] = {
		{"3.1", &v->tcb.bootloader},
		{"3.2", &v->tcb.tee},
		{"3.3", &v->tcb.snp},
		{"3.4", NULL},
		{"3.5", NULL},
		{"3.6", NULL},
		{"3.7", NULL},
		{"3.8", &v->tcb.microcode},
		{"3.9", turin ? &v->tcb.fmc : NULL},
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint32_t n = 0;
		int r = read_number(c, parts[i].suffix, 255, &n, err);

		if (r < 0)
			return r;
		if (r == 0 && parts[i].to)
			return error_set(
				err, -EBADMSG, "it lacks the extension " OID "%s", parts[i].suffix);
		if (n && !parts[i].to)
			return error_set(err, -EBADMSG,
				"its extension " OID "%s is %u and has no meaning that Casemate "
				"knows for %s",
				parts[i].suffix, n, snp_product_name(v->product));
		if (parts[i].to)
			*parts[i].to = (unsigned char)n;
	}
	return 0;
}

/* "Milan-B0" is Milan, stepping B0. */
static int read_product(const struct vcek *v, const struct cert *c, struct error *err)
{
	struct span value = cert_extension(c, OID "2"), name, rest;

	if (!value.p || !der_take(&value, DER_IA5_STRING, &name) || value.len > 0)
		return error_set(err, -EBADMSG, "its extension " OID "2 is no IA5String");
	rest = span_after(name, snp_product_name(v->product));
	if (!rest.p || (rest.len > 0 && rest.p[0] != '-'))
		return error_set(err, -EBADMSG,
			"its product is \"" SPAN_FMT "\", but it is issued by that of %s",
			SPAN_ARG(name), snp_product_name(v->product));
	return 0;
}

/* AMD wrote the bytes themselves at first, and an OCTET STRING of them since. */
static int read_hwid(struct vcek *v, const struct cert *c, struct error *err)
{
	struct span value = cert_extension(c, OID "4"), content;
	size_t want = snp_chip_id_len(v->product);

	if (v->vlek)
		return value.p ? error_set(err, -EBADMSG,
					 "it is a VLEK and names a chip (extension " OID "4)")
			       : 0;
	if (!value.p)
		return error_set(err, -EBADMSG, "it names no chip (extension " OID "4 is missing)");
	if (value.len != want && (!der_take(&value, DER_OCTET_STRING, &content) || value.len > 0 ||
					 content.len != want))
		return error_set(err, -EBADMSG,
			"its extension " OID "4 does not hold the %zu bytes of a chip's id", want);
	memcpy(v->hwid, value.len == want ? value.p : content.p, want);
	v->hwid_len = want;
	return 0;
}

static int read_all(struct vcek *v, const struct cert *c, struct error *err)
{
	bool asvk;
	uint32_t version;
	int r;

	v->vlek = strcmp(c->subject, "SEV-VLEK") == 0;
	if (!v->vlek && strcmp(c->subject, "SEV-VCEK") != 0)
		return error_set(err, -EBADMSG, "it is neither SEV-VCEK nor SEV-VLEK");
	if (!amd_intermediate_name(c->issuer, &v->product, &asvk) || asvk != v->vlek)
		return error_set(err, -EBADMSG,
			"its issuer \"%s\" is not one of such certificates (%s)", c->issuer,
			v->vlek ? "SEV-VLEK-Milan, …" : "SEV-Milan, …");
	if (c->ca || c->key_kind != X509_KEY_P384)
		return error_set(err, -EBADMSG, "it is no certificate of a P-384 key for reports");
	r = read_number(c, "1", 1, &version, err);
	if (r == 0)
		r = error_set(err, -EBADMSG, "it lacks the extension " OID "1");
	if (r > 0)
		r = read_product(v, c, err);
	if (r == 0)
		r = read_tcb(v, c, err);
	if (r == 0)
		r = read_hwid(v, c, err);
	return r;
}

int vcek_read(struct vcek *ret, const struct cert *leaf, struct error *err)
{
	struct vcek v = {0};
	int r = read_all(&v, leaf, err);

	if (r < 0)
		return error_prefix(err, r, "certificate \"%s\"", leaf->subject);
	*ret = v;
	return 0;
}
