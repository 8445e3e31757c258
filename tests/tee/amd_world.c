/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tee/amd_world.h"

#include <stdio.h>
#include <string.h>

#include "common/tee/der.h"
#include "tests/tee/der_write.h"

enum {
	AT_TCB_CURRENT = 0x38,
	AT_TCB_REPORTED = 0x180,
	AT_TCB_COMMITTED = 0x1e0,
	AT_TCB_LAUNCH = 0x1f0
};

static const struct product {
	const char *ark, *ask, *asvk, *name, *vlek_name;
	unsigned char family, model, stepping;
} products[SNP_PRODUCT_N] = {
	[SNP_MILAN] = {"ARK-Milan", "SEV-Milan", "SEV-VLEK-Milan", "Milan-B0", "Milan", 0x19, 0x01,
		0x01},
	[SNP_GENOA] = {"ARK-Genoa", "SEV-Genoa", "SEV-VLEK-Genoa", "Genoa", "Genoa", 0x19, 0x11,
		0x01},
	[SNP_TURIN] = {"ARK-Turin", "SEV-Turin", "SEV-VLEK-Turin", "Turin", "Turin", 0x1a, 0x02,
		0x01},
};

static struct tee_cert authority(const char *subject, enum tee_key key, const char *issuer)
{
	return (struct tee_cert){
		.vendor = TEE_AMD,
		.subject = subject,
		.issuer = issuer,
		.serial = 0x10000u + key,
		.not_before = TEE_NOW - 2000 * TEE_DAY,
		.not_after = TEE_NOW + 2000 * TEE_DAY,
		.ca = true,
		.path_len = -1,
		.usage = "critical,keyCertSign,cRLSign",
		.key = key,
		.signer = TEE_KEY_ARK,
	};
}

static void set_certificates(struct tee_amd *w)
{
	const struct product *p = &products[w->product];

	w->ark = authority(p->ark, TEE_KEY_ARK, p->ark);
	w->intermediate =
		authority(w->vlek ? p->asvk : p->ask, w->vlek ? TEE_KEY_ASVK : TEE_KEY_ASK, p->ark);
	w->intermediate.path_len = 0;
	w->intermediate.usage = "critical,keyCertSign";
	w->leaf = authority(w->vlek ? "SEV-VLEK" : "SEV-VCEK",
		w->vlek ? TEE_KEY_VLEK : TEE_KEY_VCEK, w->intermediate.subject);
	w->leaf.serial = 0;
	w->leaf.ca = false;
	w->leaf.usage = NULL;
	w->leaf.signer = w->intermediate.key;
	w->crl = (struct tee_crl){
		.vendor = TEE_AMD,
		.issuer = p->ark,
		.this_update = TEE_NOW - TEE_DAY,
		.next_update = TEE_NOW + 364 * TEE_DAY,
		.number = 4,
		.revoked = {0xbad},
		.n_revoked = 1,
		.signer = TEE_KEY_ARK,
	};
}

void tee_amd_at(struct tee_amd *w, int64_t now)
{
	w->crl.this_update = now - TEE_DAY;
	w->crl.next_update = now + 364 * TEE_DAY;
}

static void set_leaf_values(struct tee_amd *w)
{
	bool turin = w->product == SNP_TURIN;

	w->structure = turin;
	w->product_name = w->vlek ? products[w->product].vlek_name : products[w->product].name;
	for (int i = 0; i < TEE_SPL_N; i++)
		w->spl[i] = i >= TEE_SPL_4 && i < TEE_SPL_MICROCODE ? 0 : -1;
	if (turin)
		w->spl[TEE_SPL_4] = -1;
	w->csp_id = w->vlek ? "CN=cc-us-east-1.example.com" : NULL;
	w->hwid_len = w->vlek ? 0 : turin ? 8 : SNP_CHIP_ID;
	for (size_t i = 0; i < w->hwid_len; i++)
		w->hwid[i] = (unsigned char)(0xc0 + i);
}

void tee_amd_put_tcb(const struct tee_amd *w, unsigned char raw[8], struct snp_tcb tcb)
{
	memset(raw, 0, 8);
	if (w->product == SNP_TURIN) {
		raw[0] = tcb.fmc;
		raw[1] = tcb.bootloader;
		raw[2] = tcb.tee;
		raw[3] = tcb.snp;
	} else {
		raw[0] = tcb.bootloader;
		raw[1] = tcb.tee;
		raw[6] = tcb.snp;
	}
	raw[7] = tcb.microcode;
}

void tee_amd_tcb(struct tee_amd *w, struct snp_tcb tcb)
{
	tee_amd_put_tcb(w, w->report + AT_TCB_CURRENT, tcb);
	tee_amd_put_tcb(w, w->report + AT_TCB_REPORTED, tcb);
	tee_amd_put_tcb(w, w->report + AT_TCB_COMMITTED, tcb);
	tee_amd_put_tcb(w, w->report + AT_TCB_LAUNCH, tcb);
	w->spl[TEE_SPL_BOOTLOADER] = tcb.bootloader;
	w->spl[TEE_SPL_TEE] = tcb.tee;
	w->spl[TEE_SPL_SNP] = tcb.snp;
	w->spl[TEE_SPL_MICROCODE] = tcb.microcode;
	w->spl[TEE_SPL_FMC] = w->product == SNP_TURIN ? tcb.fmc : -1;
}

static void set_report(struct tee_amd *w, unsigned version)
{
	const struct product *p = &products[w->product];
	unsigned char *r = w->report;

	tee_put(r, 4, version);
	tee_put(r + 0x04, 4, 1); /* guest SVN */
	tee_put(r + 0x08, 8, SNP_POLICY_RESERVED_ONE | SNP_POLICY_SMT);
	tee_put(r + 0x34, 4, 1);    /* ECDSA P-384 with SHA-384 */
	tee_put(r + 0x40, 8, 0x21); /* SMT, ALIAS_CHECK_COMPLETE */
	tee_put(r + 0x48, 4, w->vlek ? SNP_KEY_VLEK << 2 : SNP_KEY_VCEK << 2);
	memset(r + 0x50, 0x33, 64);
	memset(r + 0x90, 0x44, 48);
	memset(r + 0xc0, 0x55, 32);
	memset(r + 0x140, 0x66, 32);
	memset(r + 0x160, 0xff, 32);
	if (version >= 3) {
		r[0x188] = p->family;
		r[0x189] = p->model;
		r[0x18a] = p->stepping;
	}
	memcpy(r + 0x1a0, w->hwid, w->hwid_len);
	memcpy(r + 0x1e8, "\x15\x37\x01\x00\x15\x37\x01\x00", 8);
	if (version >= 5) {
		tee_put(r + 0x1f8, 8, 1);
		tee_put(r + 0x200, 8, 3);
	}
}

void tee_amd(struct tee_amd *w, enum snp_product product, unsigned version, bool vlek)
{
	*w = (struct tee_amd){.product = product, .vlek = vlek};
	set_certificates(w);
	set_leaf_values(w);
	set_report(w, version);
	tee_amd_tcb(w, (struct snp_tcb){product == SNP_TURIN ? 1 : 0, 4, 1, 22, 213});
}

/* The values live in bufs until the certificate is written. */
struct values {
	struct tee_cert *c;
	struct buf bufs[TEE_EXTENSIONS_MAX];
	char oids[TEE_EXTENSIONS_MAX][32];
	size_t n;
};

static struct buf *add(struct values *v, const char *suffix)
{
	struct buf *b = &v->bufs[v->n];

	*b = BUF_INIT(256);
	snprintf(v->oids[v->n++], sizeof(v->oids[0]), "1.3.6.1.4.1.3704.1.%s", suffix);
	return b;
}

static void add_spls(struct values *v, const struct tee_amd *w)
{
	char suffix[8];

	for (int i = TEE_SPL_BOOTLOADER; i < TEE_SPL_N; i++) {
		if (w->spl[i] < 0)
			continue;
		snprintf(suffix, sizeof(suffix), "3.%d", i);
		der_write_number(add(v, suffix), DER_INTEGER, (unsigned)w->spl[i]);
	}
}

static void add_values(struct values *v, const struct tee_amd *w)
{
	struct span hwid = {(const char *)w->hwid, w->hwid_len};

	der_write_number(add(v, "1"), DER_INTEGER, w->structure);
	if (w->product_name)
		der_write(add(v, "2"), DER_IA5_STRING, span_str(w->product_name));
	add_spls(v, w);
	if (w->hwid_der)
		der_write(add(v, "4"), DER_OCTET_STRING, hwid);
	else if (hwid.len)
		buf_span(add(v, "4"), hwid);
	if (w->csp_id)
		der_write(add(v, "5"), DER_IA5_STRING, span_str(w->csp_id));
}

void tee_amd_leaf(const struct tee_amd *w, struct buf *out)
{
	struct values v = {0};
	struct tee_cert c = w->leaf;
	size_t n = 0;

	add_values(&v, w);
	while (c.extensions[n].oid)
		n++;
	tee_must(n + v.n < TEE_EXTENSIONS_MAX, "a leaf with so many extensions");
	for (size_t i = 0; i < v.n; i++)
		c.extensions[n + i] =
			(struct tee_extension){.oid = v.oids[i], .value = buf_view(&v.bufs[i])};
	tee_cert_der(&c, out);
	for (size_t i = 0; i < v.n; i++)
		buf_free(&v.bufs[i]);
}

void tee_amd_intermediate(const struct tee_amd *w, struct buf *out)
{
	tee_cert_der(&w->intermediate, out);
}

void tee_amd_ark(const struct tee_amd *w, struct buf *out)
{
	tee_cert_der(&w->ark, out);
}

void tee_amd_crl(const struct tee_amd *w, struct buf *out)
{
	tee_crl_der(&w->crl, out);
}

/* The order of P-384, big endian. */
static const unsigned char order[48] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7,
	0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a,
	0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73};

static void sign(const struct tee_amd *w, unsigned char rs[96], const unsigned char *report)
{
	enum tee_key key = w->signature == TEE_OTHER_KEY ? TEE_KEY_OTHER_P384 : w->leaf.key;

	tee_sign(key, rs, report, SNP_REPORT_SIGNED);
	if (w->signature == TEE_BIT_TURNED)
		rs[10] ^= 4;
	if (w->signature == TEE_R_ZERO)
		memset(rs, 0, 48);
	if (w->signature == TEE_S_ZERO)
		memset(rs + 48, 0, 48);
	if (w->signature == TEE_R_ORDER)
		memcpy(rs, order, 48);
	if (w->signature == TEE_S_ORDER)
		memcpy(rs + 48, order, 48);
}

void tee_amd_report(const struct tee_amd *w, struct buf *out)
{
	unsigned char report[SNP_REPORT], rs[96], *sig = report + SNP_REPORT_SIGNED;

	memcpy(report, w->report, sizeof(report));
	sign(w, rs, report);
	for (size_t i = 0; i < 48; i++) {
		sig[i] = rs[47 - i];
		sig[72 + i] = rs[95 - i];
	}
	sig[48] = (unsigned char)w->behind_r;
	sig[72 + 48] = (unsigned char)w->behind_s;
	sig[144] = (unsigned char)w->behind;
	buf_add(out, report, sizeof(report));
}

static void put_entry(struct buf *out, const char *guid, size_t offset, size_t len)
{
	unsigned char numbers[8];

	tee_put(numbers, 4, offset);
	tee_put(numbers + 4, 4, len);
	buf_add(out, guid, 16);
	buf_add(out, numbers, sizeof(numbers));
}

void tee_amd_extended(const struct tee_amd *w, struct buf *out)
{
	static const char vcek[] =
		"\x63\xda\x75\x8d\xe6\x64\x45\x64\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd";
	static const char vlek[] =
		"\xa8\x07\x4b\xc2\xa2\x5a\x48\x3e\xaa\xe6\x39\xc0\x45\xa0\xb8\xa1";
	static const char ask[] =
		"\x4a\xb7\xb3\x79\xbb\xac\x4f\xe4\xa0\x2f\x05\xae\xf3\x27\xc7\x82";
	static const char zero[24];
	_cleanup_buf_ struct buf leaf = BUF_INIT(TEE_DER_MAX), between = BUF_INIT(TEE_DER_MAX);
	size_t at = (3 - (size_t)w->no_leaf - (size_t)w->no_intermediate) * sizeof(zero);

	tee_amd_report(w, out);
	if (!w->no_leaf) {
		tee_amd_leaf(w, &leaf);
		put_entry(out, w->vlek != w->other_guid ? vlek : vcek, at, leaf.len);
	}
	if (!w->no_intermediate) {
		tee_amd_intermediate(w, &between);
		put_entry(out, ask, at + leaf.len, between.len);
	}
	buf_add(out, zero, sizeof(zero));
	buf_span(out, buf_view(&leaf));
	buf_span(out, buf_view(&between));
}
