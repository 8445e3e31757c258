/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/snp_report.h"

#include "common/tee/le.h"

enum {
	CERT_ENTRY = 24, /* of a certificate table: GUID, offset, length */
	SIGNATURE_PART = 72,
	SIGNATURE_USED = 48, /* of a part: P-384 */
	CHIP_ID_TURIN = 8,
};

static bool all_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

bool snp_tcb_at_least(struct snp_tcb a, struct snp_tcb b)
{
	return a.fmc >= b.fmc && a.bootloader >= b.bootloader && a.tee >= b.tee && a.snp >= b.snp &&
	       a.microcode >= b.microcode;
}

bool snp_tcb_equal(struct snp_tcb a, struct snp_tcb b)
{
	return snp_tcb_at_least(a, b) && snp_tcb_at_least(b, a);
}

struct snp_tcb snp_tcb_read(const unsigned char raw[8], enum snp_product product)
{
	if (product == SNP_TURIN)
		return (struct snp_tcb){raw[0], raw[1], raw[2], raw[3], raw[7]};
	return (struct snp_tcb){0, raw[0], raw[1], raw[6], raw[7]};
}

bool snp_tcb_reserved_zero(const unsigned char raw[8], enum snp_product product)
{
	return product == SNP_TURIN ? all_zero(raw + 4, 3) : all_zero(raw + 2, 4);
}

static void read_fields(struct snp_report *r, const unsigned char *p)
{
	uint32_t key = le32(p + 0x48);

	r->version = le32(p);
	r->guest_svn = le32(p + 0x04);
	r->policy = le64(p + 0x08);
	r->family_id = p + 0x10;
	r->image_id = p + 0x20;
	r->vmpl = le32(p + 0x30);
	r->current_tcb = p + 0x38;
	r->platform_info = le64(p + 0x40);
	r->author_key = key & 1;
	r->mask_chip_key = key >> 1 & 1;
	r->signing_key = key >> 2 & 7;
	r->report_data = p + 0x50;
	r->measurement = p + 0x90;
	r->host_data = p + 0xC0;
	r->id_key_digest = p + 0xE0;
	r->author_key_digest = p + 0x110;
	r->report_id = p + 0x140;
	r->report_id_ma = p + 0x160;
	r->reported_tcb = p + 0x180;
	r->chip_id = p + 0x1A0;
	r->committed_tcb = p + 0x1E0;
	memcpy(r->current_version, p + 0x1E8, 3);
	memcpy(r->committed_version, p + 0x1EC, 3);
	r->launch_tcb = p + 0x1F0;
	if (r->version >= 3) {
		r->family = p[0x188];
		r->model = p[0x189];
		r->stepping = p[0x18A];
	}
	if (r->version >= 5) {
		r->launch_mit_vector = le64(p + 0x1F8);
		r->current_mit_vector = le64(p + 0x200);
	}
	for (size_t i = 0; i < SIGNATURE_USED; i++) {
		const unsigned char *sig = p + SNP_REPORT_SIGNED;

		r->signature[i] = sig[SIGNATURE_USED - 1 - i];
		r->signature[SIGNATURE_USED + i] = sig[SIGNATURE_PART + SIGNATURE_USED - 1 - i];
	}
}

/* What must be zero, from one report version to another. */
static const struct {
	unsigned from, to, offset, len;
} reserved[] = {
	{2, 5, 0x4C, 4},
	{2, 2, 0x188, 24},
	{3, 5, 0x18B, 21},
	{2, 5, 0x1EB, 1},
	{2, 5, 0x1EF, 1},
	{2, 4, 0x1F8, 168},
	{5, 5, 0x208, 152},
	{2, 5, SNP_REPORT_SIGNED + SIGNATURE_USED, SIGNATURE_PART - SIGNATURE_USED},
	{2, 5, SNP_REPORT_SIGNED + SIGNATURE_PART + SIGNATURE_USED,
		SIGNATURE_PART - SIGNATURE_USED},
	{2, 5, SNP_REPORT_SIGNED + 2 * SIGNATURE_PART, 368},
};

int snp_report_parse(
	struct snp_report *ret, struct span bytes, enum reason *ret_reason, struct error *err)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	unsigned version;

	*ret_reason = REASON_Malformed;
	if (bytes.len != SNP_REPORT)
		return error_set(err, -EBADMSG, "an SNP report has %d bytes, this has %zu",
			SNP_REPORT, bytes.len);
	*ret_reason = REASON_UnsupportedVersion;
	version = le32(p);
	if (version < 2 || version > 5)
		return error_set(err, -EBADMSG,
			"version %u of the SNP report is none of 2 to 5: update Casemate", version);
	if (le32(p + 0x34) != 1)
		return error_set(err, -EBADMSG,
			"signature algorithm %u of the SNP report is not 1 (ECDSA P-384 with "
			"SHA-384)",
			le32(p + 0x34));
	if (le32(p + 0x48) >> 5)
		return error_set(err, -EBADMSG,
			"the SNP report's key information 0x%x has bits that Casemate does not "
			"know: "
			"update Casemate",
			le32(p + 0x48));
	*ret_reason = REASON_Malformed;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (version >= reserved[i].from && version <= reserved[i].to &&
			!all_zero(p + reserved[i].offset, reserved[i].len))
			return error_set(err, -EBADMSG,
				"the %u bytes at 0x%x of an SNP report of version %u must be zero",
				reserved[i].len, reserved[i].offset, version);
	*ret = (struct snp_report){.bytes = bytes, .signed_part = {bytes.p, SNP_REPORT_SIGNED}};
	read_fields(ret, p);
	return 0;
}

bool snp_report_product(const struct snp_report *r, enum snp_product *ret)
{
	/* Families and models as CPUID has them, extended parts added. */
	static const struct {
		unsigned char family, first, last;
		enum snp_product product;
	} products[] = {
		{0x19, 0x00, 0x0F, SNP_MILAN},
		{0x19, 0x10, 0x1F, SNP_GENOA},
		{0x19, 0xA0, 0xAF, SNP_GENOA}, /* Bergamo, Siena */
		{0x1A, 0x00, 0x11, SNP_TURIN},
	};

	if (r->version < 3)
		return false;
	for (size_t i = 0; i < sizeof(products) / sizeof(products[0]); i++)
		if (r->family == products[i].family && r->model >= products[i].first &&
			r->model <= products[i].last) {
			*ret = products[i].product;
			return true;
		}
	return false;
}

bool snp_chip_id_masked(const struct snp_report *r)
{
	return all_zero(r->chip_id, SNP_CHIP_ID);
}

size_t snp_chip_id_len(enum snp_product product)
{
	return product == SNP_TURIN ? CHIP_ID_TURIN : SNP_CHIP_ID;
}

enum table_kind { TABLE_VCEK, TABLE_VLEK, TABLE_ASK, TABLE_ARK, TABLE_CRL, TABLE_KINDS };

/* GUIDs in the order of their text. */
static const unsigned char guids[TABLE_KINDS][16] = {
	{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
		0xcd},
	{0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
		0xa1},
	{0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
		0x82},
	{0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
		0xae},
	{0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67,
		0xea},
};

/* Hypervisors write GUIDs as text has them (RFC 9562) or with the first three fields little endian
 * (as UEFI does): both are known. */
static enum table_kind table_kind(const unsigned char guid[16])
{
	static const unsigned char mixed[16] = {
		3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	enum table_kind k;

	for (k = 0; k < TABLE_KINDS; k++) {
		size_t same = 0;

		while (same < 16 && guid[same] == guids[k][mixed[same]])
			same++;
		if (same == 16 || memcmp(guid, guids[k], 16) == 0)
			break;
	}
	return k;
}

int snp_certs_parse(struct snp_certs *ret, struct span table, struct error *err)
{
	const unsigned char *p = (const unsigned char *)table.p;
	struct span found[TABLE_KINDS] = {0};
	size_t index = 0; /* bytes of the entries, the closing one included */

	if (table.len > SNP_CERTS_MAX)
		return error_set(err, -EBADMSG, "the certificate table has more than %d bytes",
			SNP_CERTS_MAX);
	do {
		if (table.len - index < CERT_ENTRY)
			return error_set(err, -EBADMSG,
				"the certificate table ends without an entry of zeros");
		index += CERT_ENTRY;
	} while (!all_zero(p + index - CERT_ENTRY, CERT_ENTRY));
	for (size_t at = 0; at < index - CERT_ENTRY; at += CERT_ENTRY) {
		uint64_t offset = le32(p + at + 16), len = le32(p + at + 20);
		enum table_kind kind = table_kind(p + at);

		if (offset < index || len == 0 || offset + len > table.len)
			return error_set(err, -EBADMSG,
				"entry %zu of the certificate table (offset %llu, length %llu) "
				"lies "
				"outside of its %zu bytes",
				at / CERT_ENTRY, (unsigned long long)offset,
				(unsigned long long)len, table.len);
		if (kind == TABLE_KINDS)
			continue;
		if (found[kind].p)
			return error_set(err, -EBADMSG,
				"entry %zu of the certificate table repeats one before it",
				at / CERT_ENTRY);
		found[kind] = (struct span){table.p + offset, len};
	}
	*ret = (struct snp_certs){found[TABLE_VCEK], found[TABLE_VLEK], found[TABLE_ASK],
		found[TABLE_ARK], found[TABLE_CRL]};
	return 0;
}
