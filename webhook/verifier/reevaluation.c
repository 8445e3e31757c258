/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/reevaluation.h"

#include <inttypes.h>

#include "common/base/codec.h"

enum { ARENA_MAX = 4096, TCB_BYTES = 5 };

static const char *const cas[PCK_CA_N] = {"processor", "platform"};

/*
 * Reading
 */

static bool read_hex(unsigned char *ret, size_t n, struct json_val v, struct arena *a)
{
	return codec_hex_exact(ret, n, json_str(v, a)) == 0;
}

static bool read_serial(
	unsigned char ret[CERT_SERIAL_MAX], size_t *ret_len, struct json_val v, struct arena *a)
{
	struct span text = json_str(v, a);

	*ret_len = text.len / 2;
	return *ret_len <= CERT_SERIAL_MAX && codec_hex_exact(ret, *ret_len, text) == 0;
}

static bool read_number(uint32_t *ret, uint32_t max, struct json_val v)
{
	int64_t n;

	if (!json_int(v, &n) || n < 0 || n > max)
		return false;
	*ret = (uint32_t)n;
	return true;
}

/* That of a list; without one it is 0. */
static bool read_list(int64_t *ret, struct json_val v)
{
	*ret = 0;
	return !json_exists(v) || (json_int(v, ret) && *ret >= 0);
}

static bool read_flag(bool *ret, struct json_val v)
{
	*ret = span_is(json_raw(v), "true");
	return *ret || span_is(json_raw(v), "false");
}

static bool read_word(unsigned *ret, const char *const *words, unsigned n, struct json_val v)
{
	for (unsigned i = 0; i < n; i++)
		if (json_str_is(v, words[i])) {
			*ret = i;
			return true;
		}
	return false;
}

static bool read_td(struct basis *b, struct json_val v, struct arena *a)
{
	struct json_val now = json_get(v, "tdSvnsNow");
	unsigned char attributes[8];

	if (!read_hex(b->tee_tcb_svn, 16, json_get(v, "tdSvns"), a) ||
		!read_hex(b->mrsignerseam, 48, json_get(v, "moduleSigner"), a) ||
		!read_hex(attributes, 8, json_get(v, "moduleAttributes"), a))
		return false;
	for (size_t i = 0; i < 8; i++)
		b->seam_attributes = b->seam_attributes << 8 | attributes[i];
	b->has_tee_tcb_svn2 = json_is_string(now);
	return !b->has_tee_tcb_svn2 || read_hex(b->tee_tcb_svn2, 16, now, a);
}

static bool read_intel(struct basis *b, struct json_val v, struct arena *a)
{
	uint32_t pcesvn, qe_svn;
	unsigned ca;

	if (!read_word(&ca, cas, PCK_CA_N, json_get(v, "pckCa")) ||
		!read_number(&pcesvn, UINT16_MAX, json_get(v, "pceSvn")) ||
		!read_number(&qe_svn, UINT16_MAX, json_get(v, "qeSvn")) ||
		!read_number(
			&b->evaluation_number, INT32_MAX, json_get(v, "evaluationDataNumber")) ||
		!read_hex(b->pck.fmspc, 6, json_get(v, "fmspc"), a) ||
		!read_hex(b->pck.pceid, 2, json_get(v, "pceId"), a) ||
		!read_hex(b->pck.components, 16, json_get(v, "platformSvns"), a))
		return false;
	b->pck.ca = (enum pck_ca)ca;
	b->pck.pcesvn = (uint16_t)pcesvn;
	b->qe_svn = (uint16_t)qe_svn;
	return b->tee == TEE_TYPE_SGX || read_td(b, v, a);
}

static bool read_tcb(struct snp_tcb *ret, struct json_val v, struct arena *a)
{
	unsigned char raw[TCB_BYTES];

	if (!read_hex(raw, sizeof(raw), v, a))
		return false;
	*ret = (struct snp_tcb){.fmc = raw[0],
		.bootloader = raw[1],
		.tee = raw[2],
		.snp = raw[3],
		.microcode = raw[4]};
	return true;
}

static bool read_snp(struct basis *b, struct json_val v, struct arena *a)
{
	for (enum snp_product p = 0; p < SNP_PRODUCT_N; p++) {
		if (!json_str_is(json_get(v, "product"), snp_product_name(p)))
			continue;
		b->product = p;
		return read_flag(&b->vlek, json_get(v, "vlek")) &&
		       read_tcb(&b->reported_tcb, json_get(v, "reportedTcb"), a) &&
		       read_tcb(&b->launch_tcb, json_get(v, "launchTcb"), a);
	}
	return false;
}

void reevaluation_read(struct basis *ret, struct json_val v)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(ARENA_MAX);
	const char *const tees[] = {tee_type_name(TEE_TYPE_SGX), tee_type_name(TEE_TYPE_TDX),
		tee_type_name(TEE_TYPE_SNP)};
	struct basis b = {.known = true};
	unsigned tee;

	*ret = (struct basis){0};
	if (!read_word(&tee, tees, 3, json_get(v, "tee")) ||
		!read_flag(&b.accepted, json_get(v, "accepted")) ||
		!read_serial(b.leaf_serial, &b.leaf_serial_len, json_get(v, "certSerial"), &a) ||
		!read_serial(
			b.issuer_serial, &b.issuer_serial_len, json_get(v, "issuerSerial"), &a) ||
		!read_list(&b.lists.root, json_get(v, "rootCrlNumber")) ||
		!read_list(&b.lists.issuer, json_get(v, "crlNumber")))
		return;
	b.tee = (enum tee_type)tee;
	if (b.tee == TEE_TYPE_SNP ? read_snp(&b, v, &a) : read_intel(&b, v, &a))
		*ret = b;
}

/*
 * Writing
 */

static void add_hex(struct buf *out, const char *name, const void *p, size_t n)
{
	buf_printf(out, ",\"%s\":\"", name);
	codec_hex(out, p, n);
	buf_putc(out, '"');
}

static void add_list(struct buf *out, const char *name, int64_t number)
{
	if (number)
		buf_printf(out, ",\"%s\":%" PRId64, name, number);
}

static void add_tcb(struct buf *out, const char *name, struct snp_tcb t)
{
	const unsigned char raw[TCB_BYTES] = {t.fmc, t.bootloader, t.tee, t.snp, t.microcode};

	add_hex(out, name, raw, sizeof(raw));
}

static void write_intel(struct buf *out, const struct basis *b)
{
	buf_printf(out,
		",\"evaluationDataNumber\":%" PRIu32 ",\"pckCa\":\"%s\",\"pceSvn\":%u,"
		"\"qeSvn\":%u",
		b->evaluation_number, cas[b->pck.ca], b->pck.pcesvn, b->qe_svn);
	add_hex(out, "fmspc", b->pck.fmspc, 6);
	add_hex(out, "pceId", b->pck.pceid, 2);
	add_hex(out, "platformSvns", b->pck.components, 16);
	if (b->tee != TEE_TYPE_TDX)
		return;
	add_hex(out, "tdSvns", b->tee_tcb_svn, 16);
	if (b->has_tee_tcb_svn2)
		add_hex(out, "tdSvnsNow", b->tee_tcb_svn2, 16);
	add_hex(out, "moduleSigner", b->mrsignerseam, 48);
	buf_printf(out, ",\"moduleAttributes\":\"%016" PRIx64 "\"", b->seam_attributes);
}

int reevaluation_write(struct buf *out, const struct basis *b)
{
	if (!b->known)
		return out->err;
	buf_printf(out, ",\"reevaluation\":{\"tee\":\"%s\",\"accepted\":%s", tee_type_name(b->tee),
		b->accepted ? "true" : "false");
	add_hex(out, "certSerial", b->leaf_serial, b->leaf_serial_len);
	add_hex(out, "issuerSerial", b->issuer_serial, b->issuer_serial_len);
	add_list(out, "rootCrlNumber", b->lists.root);
	add_list(out, "crlNumber", b->lists.issuer);
	if (b->tee == TEE_TYPE_SNP) {
		buf_printf(out, ",\"product\":\"%s\",\"vlek\":%s", snp_product_name(b->product),
			b->vlek ? "true" : "false");
		add_tcb(out, "reportedTcb", b->reported_tcb);
		add_tcb(out, "launchTcb", b->launch_tcb);
	} else {
		write_intel(out, b);
	}
	return buf_putc(out, '}');
}
