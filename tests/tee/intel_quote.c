/* SPDX-License-Identifier: Apache-2.0
 *
 * A synthetic platform's PCK certificate and quotes. */
#include <openssl/sha.h>
#include <string.h>

#include "common/tee/der.h"
#include "common/tee/quote.h"
#include "tests/tee/der_write.h"
#include "tests/tee/intel_world.h"

enum { SIGNED_MAX = QUOTE_HEADER + 6 + TD15_REPORT_BODY };

/* The order of P-256, big endian. */
static const unsigned char order[32] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca,
	0xc2, 0xfc, 0x63, 0x25, 0x51};

/* SEQUENCE {1.2.840.113741.1.13.1.a[.b], value} */
static void item(struct buf *b, unsigned a, unsigned second, const struct buf *value)
{
	_cleanup_buf_ struct buf pair = BUF_INIT(TEE_DER_MAX), oid = BUF_INIT(32);

	buf_add(&oid, "\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01", 9);
	buf_putc(&oid, (char)a);
	if (second)
		buf_putc(&oid, (char)second);
	der_write(&pair, DER_OID, buf_view(&oid));
	buf_span(&pair, buf_view(value));
	der_write(b, DER_SEQUENCE, buf_view(&pair));
}

static void octets(struct buf *b, unsigned a, unsigned second, const void *p, size_t len)
{
	_cleanup_buf_ struct buf value = BUF_INIT(64);

	der_write(&value, DER_OCTET_STRING, (struct span){p, len});
	item(b, a, second, &value);
}

static void number(struct buf *b, unsigned a, unsigned second, unsigned tag, unsigned n)
{
	_cleanup_buf_ struct buf value = BUF_INIT(64);

	der_write_number(&value, tag, n);
	item(b, a, second, &value);
}

static void tcb(struct buf *b, const struct pck *p)
{
	_cleanup_buf_ struct buf list = BUF_INIT(TEE_DER_MAX), value = BUF_INIT(TEE_DER_MAX);

	for (unsigned i = 0; i < 16; i++)
		number(&list, 2, i + 1, DER_INTEGER, p->components[i]);
	number(&list, 2, 17, DER_INTEGER, p->pcesvn);
	octets(&list, 2, 18, p->cpusvn, sizeof(p->cpusvn));
	der_write(&value, DER_SEQUENCE, buf_view(&list));
	item(b, 2, 0, &value);
}

static void configuration(struct buf *b, const struct pck *p)
{
	const signed char flags[] = {p->dynamic_platform, p->cached_keys, p->smt_enabled};
	_cleanup_buf_ struct buf list = BUF_INIT(TEE_DER_MAX), value = BUF_INIT(TEE_DER_MAX);

	for (unsigned i = 0; i < 3; i++) {
		_cleanup_buf_ struct buf flag = BUF_INIT(8);
		const char byte = (char)(flags[i] ? 0xff : 0);

		if (flags[i] < 0)
			continue;
		der_write(&flag, DER_BOOLEAN, (struct span){&byte, 1});
		item(&list, 7, i + 1, &flag);
	}
	der_write(&value, DER_SEQUENCE, buf_view(&list));
	item(b, 7, 0, &value);
}

static void sgx_extension(struct buf *out, const struct pck *p)
{
	_cleanup_buf_ struct buf list = BUF_INIT(TEE_DER_MAX);

	octets(&list, 1, 0, p->ppid, sizeof(p->ppid));
	tcb(&list, p);
	octets(&list, 3, 0, p->pceid, sizeof(p->pceid));
	octets(&list, 4, 0, p->fmspc, sizeof(p->fmspc));
	number(&list, 5, 0, DER_ENUMERATED, p->sgx_type);
	if (p->has_platform_instance_id)
		octets(&list, 6, 0, p->platform_instance_id, sizeof(p->platform_instance_id));
	if (p->dynamic_platform >= 0 || p->cached_keys >= 0 || p->smt_enabled >= 0)
		configuration(&list, p);
	der_write(out, DER_SEQUENCE, buf_view(&list));
}

static void leaf_pem(const struct tee_intel *w, struct buf *out)
{
	_cleanup_buf_ struct buf extension = BUF_INIT(TEE_DER_MAX);
	struct tee_cert c = w->leaf;
	size_t n = 0;

	sgx_extension(&extension, &w->pck);
	while (c.extensions[n].oid)
		n++;
	if (w->pck_extension.oid)
		c.extensions[n] = w->pck_extension;
	else if (!w->no_pck_extension)
		c.extensions[n] = (struct tee_extension){
			"1.2.840.113741.1.13.1", buf_view(&extension), w->pck_extension_critical};
	tee_cert_pem(&c, out);
}

static void chain(const struct tee_intel *w, struct buf *out)
{
	const struct tee_quote *q = &w->quote;

	for (size_t i = 0; i < q->n_chain; i++) {
		if (q->chain[i] == TEE_LEAF)
			leaf_pem(w, out);
		else
			tee_cert_pem(q->chain[i] == TEE_CA ? &w->ca[w->pck.ca] : &w->root, out);
	}
	buf_add(out, q->behind_chain ? q->behind_chain : "", q->behind_chain_len);
}

void tee_intel_pck_chain(const struct tee_intel *w, struct buf *out)
{
	leaf_pem(w, out);
	tee_cert_pem(&w->ca[w->pck.ca], out);
	tee_cert_pem(&w->root, out);
}

void tee_intel_root(const struct tee_intel *w, struct buf *out)
{
	tee_cert_pem(&w->root, out);
}

/* r || s over p, right or not. */
static void sign(
	unsigned char rs[64], enum tee_key key, enum tee_flaw flaw, const void *p, size_t len)
{
	tee_sign(flaw == TEE_OTHER_KEY ? TEE_KEY_OTHER : key, rs, p, len);
	if (flaw == TEE_BIT_TURNED)
		rs[10] ^= 4;
	if (flaw == TEE_R_ZERO)
		memset(rs, 0, 32);
	if (flaw == TEE_S_ZERO)
		memset(rs + 32, 0, 32);
	if (flaw == TEE_R_ORDER)
		memcpy(rs, order, 32);
	if (flaw == TEE_S_ORDER)
		memcpy(rs + 32, order, 32);
}

static void put_number(struct buf *b, unsigned bytes, uint64_t value)
{
	unsigned char raw[8];

	tee_put(raw, bytes, value);
	buf_add(b, raw, bytes);
}

static void header_and_body(const struct tee_quote *q, struct buf *out)
{
	put_number(out, 2, q->version);
	put_number(out, 2, q->key_type);
	put_number(out, 4, q->tee_type);
	put_number(out, 2, 10); /* QE and PCE SVN, as claimed */
	put_number(out, 2, 13);
	buf_add(out, q->vendor, sizeof(q->vendor));
	buf_add(out, q->user_data, sizeof(q->user_data));
	if (q->version == 5) {
		put_number(out, 2, q->body_type);
		put_number(out, 4, q->body_size);
	}
	buf_add(out, q->body, q->body_len);
}

static void bind(
	const struct tee_quote *q, const unsigned char ak[64], unsigned char report_data[64])
{
	unsigned char text[64 + TEE_AUTH_MAX];
	size_t auth_len = q->binding == TEE_HASH_WITHOUT_AUTH ? 0 : q->auth_len;

	memcpy(text, ak, 64);
	memcpy(text + 64, q->auth, auth_len);
	memset(report_data, 0, 64);
	SHA256(text, 64 + auth_len, report_data);
	if (q->binding == TEE_HASH_WRONG)
		report_data[0] ^= 1;
	if (q->binding == TEE_TAIL_NOT_ZERO)
		report_data[63] = 1;
}

/* QE report, its signature, authentication data, certification data. */
static void certification(const struct tee_intel *w, const unsigned char ak[64], struct buf *out)
{
	const struct tee_quote *q = &w->quote;
	_cleanup_buf_ struct buf data = BUF_INIT(TEE_PEM_MAX);
	unsigned char report[SGX_REPORT_BODY], rs[64];

	memcpy(report, q->qe, sizeof(report));
	bind(q, ak, report + 320);
	sign(rs, w->leaf.key, q->qe_signature, report, sizeof(report));
	buf_add(out, report, sizeof(report));
	buf_add(out, rs, sizeof(rs));
	put_number(out, 2, q->auth_len + (unsigned)q->auth_lie);
	buf_add(out, q->auth, q->auth_len);
	if (q->cert_type == 5) {
		chain(w, &data);
	} else {
		/* an encrypted PPID, CPUSVN, PCESVN, PCE-ID */
		for (int i = 0; i < 384; i++)
			buf_putc(&data, (char)i);
		buf_add(&data, w->pck.cpusvn, sizeof(w->pck.cpusvn));
		put_number(&data, 2, w->pck.pcesvn);
		buf_add(&data, w->pck.pceid, sizeof(w->pck.pceid));
	}
	put_number(out, 2, q->cert_type);
	put_number(out, 4, data.len + (uint64_t)(int64_t)q->cert_lie);
	buf_span(out, buf_view(&data));
}

void tee_intel_quote(const struct tee_intel *w, struct buf *out)
{
	const struct tee_quote *q = &w->quote;
	_cleanup_buf_ struct buf data = BUF_INIT(TEE_QUOTE_MAX), inner = BUF_INIT(TEE_QUOTE_MAX);
	unsigned char ak[64], rs[64];
	size_t from = out->len;

	tee_key_xy(TEE_KEY_ATTESTATION, ak);
	if (q->key_off_curve)
		ak[63] ^= 1;
	header_and_body(q, out);
	sign(rs, TEE_KEY_ATTESTATION, q->signature, out->p + from, out->len - from);
	buf_add(&data, rs, sizeof(rs));
	buf_add(&data, ak, sizeof(ak));
	certification(w, ak, &inner);
	if (q->version >= 4) {
		put_number(&data, 2, 6);
		put_number(&data, 4, inner.len + (uint64_t)(int64_t)q->outer_lie);
	}
	buf_span(&data, buf_view(&inner));
	put_number(out, 4, data.len + (uint64_t)(int64_t)q->signature_lie);
	buf_span(out, buf_view(&data));
	for (size_t i = 0; i < q->zeros_behind; i++)
		buf_putc(out, 0);
	if (q->behind)
		buf_putc(out, (char)q->behind);
	tee_must(!out->err && !data.err && !inner.err, "a quote");
}
