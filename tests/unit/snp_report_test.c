/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "common/base/buf.h"
#include "common/tee/snp_report.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

static int parse(struct snp_report *r, const void *p, size_t n, enum reason *reason)
{
	struct error err = {0};
	int ret = snp_report_parse(r, (struct span){p, n}, reason, &err);

	if (ret < 0 && err.message[0] == '\0')
		CU_FAIL("a refusal says why");
	return ret;
}

static void real_reports(void)
{
	static const struct {
		const char *path;
		bool hex;
		size_t offset;
		unsigned version;
		uint64_t policy;
		unsigned char reported[5],
			current[5]; /* of Milan: FMC, bootloader, TEE, SNP, microcode */
	} rows[] = {
		{"trustee/test-report.bin", false, 0, 2, 0x3001f, {0, 3, 0, 8, 0x73},
			{0, 3, 0, 8, 0xce}},
		{"virtee-sev/report_milan.hex", true, 0, 2, 0x30000, {0, 3, 0, 8, 0x73},
			{0, 3, 0, 8, 0x73}},
		{"trustee/az-snp-hcl-report.bin", false, 32, 2, 0x3001f, {0, 3, 0, 8, 0x73},
			{0, 3, 0, 8, 0xd2}},
		{"go-sev-guest/attestation.bin", false, 0, 2, 0xb0000, {0, 2, 0, 5, 0x44},
			{0, 2, 0, 5, 0x44}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span s = rows[i].hex ? vector_hex(rows[i].path) : vector(rows[i].path);
		struct snp_tcb reported, current;
		struct snp_report r = {0};
		enum reason reason;
		enum snp_product product;
		bool known;

		if (!CHECK_ROW(rows[i].path,
			    parse(&r, s.p + rows[i].offset, SNP_REPORT, &reason) == 0, "refused"))
			continue;
		reported = snp_tcb_read(r.reported_tcb, SNP_MILAN);
		current = snp_tcb_read(r.current_tcb, SNP_MILAN);
		CHECK_ROW(rows[i].path, r.version == rows[i].version && r.policy == rows[i].policy,
			"version %u, policy 0x%llx", r.version, (unsigned long long)r.policy);
		CU_ASSERT(r.vmpl == 0 && r.signing_key == SNP_KEY_VCEK && !r.mask_chip_key);
		CHECK_ROW(
			rows[i].path, memcmp(&reported, rows[i].reported, 5) == 0, "reported TCB");
		CHECK_ROW(rows[i].path, memcmp(&current, rows[i].current, 5) == 0, "current TCB");
		CU_ASSERT(snp_tcb_reserved_zero(r.reported_tcb, SNP_MILAN));
		CU_ASSERT(!snp_chip_id_masked(&r));
		CU_ASSERT(r.signed_part.len == SNP_REPORT_SIGNED);
		known = snp_report_product(&r, &product);
		CU_ASSERT(known == (r.version > 2) && (!known || product == SNP_MILAN));
	}
}

/* A report of any version: what is not set is zero. */
static void make(unsigned char p[SNP_REPORT], unsigned version)
{
	memset(p, 0, SNP_REPORT);
	p[0] = (unsigned char)version;
	p[0x34] = 1;
}

static void fields(void)
{
	unsigned char p[SNP_REPORT];
	struct snp_report r;
	enum reason reason;

	make(p, 5);
	p[4] = 7;
	p[0x30] = 3;
	p[0x48] = 1 | 2 | 1 << 2;
	p[0x188] = 0x1a;
	p[0x189] = 0x02;
	p[0x18a] = 0x01;
	p[0x1e8] = 40;
	p[0x1e9] = 55;
	p[0x1ea] = 1;
	p[0x1ff] = 0x80;
	p[0x200] = 5;
	for (size_t i = 0; i < 48; i++) {
		p[0x2a0 + i] = (unsigned char)i;
		p[0x2a0 + 72 + i] = (unsigned char)(100 + i);
	}
	CU_ASSERT_EQUAL(parse(&r, p, sizeof(p), &reason), 0);
	CU_ASSERT(r.version == 5 && r.guest_svn == 7 && r.vmpl == 3);
	CU_ASSERT(r.author_key && r.mask_chip_key && r.signing_key == SNP_KEY_VLEK);
	CU_ASSERT(r.family == 0x1a && r.model == 2 && r.stepping == 1);
	CU_ASSERT(r.current_version[0] == 40 && r.current_version[1] == 55 &&
		  r.current_version[2] == 1);
	CU_ASSERT(r.launch_mit_vector == 1ull << 63 && r.current_mit_vector == 5);
	CU_ASSERT(r.signature[0] == 47 && r.signature[47] == 0);
	CU_ASSERT(r.signature[48] == 147 && r.signature[95] == 100);
	CU_ASSERT(snp_chip_id_masked(&r));
	p[0x1a0 + 63] = 1;
	CU_ASSERT(!snp_chip_id_masked(&r));
}

static void products(void)
{
	static const struct {
		unsigned version;
		unsigned char family, model;
		int want; /* -1: none */
	} rows[] = {
		{3, 0x19, 0x00, SNP_MILAN},
		{3, 0x19, 0x0f, SNP_MILAN},
		{3, 0x19, 0x10, SNP_GENOA},
		{3, 0x19, 0x1f, SNP_GENOA},
		{3, 0x19, 0x20, -1},
		{3, 0x19, 0x9f, -1},
		{4, 0x19, 0xa0, SNP_GENOA},
		{4, 0x19, 0xaf, SNP_GENOA},
		{4, 0x19, 0xb0, -1},
		{5, 0x1a, 0x00, SNP_TURIN},
		{5, 0x1a, 0x11, SNP_TURIN},
		{5, 0x1a, 0x12, -1},
		{5, 0x18, 0x00, -1},
		{5, 0x1b, 0x00, -1},
		{2, 0x00, 0x00, -1},
	};
	unsigned char p[SNP_REPORT];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum snp_product product = SNP_PRODUCT_N;
		struct snp_report r;
		enum reason reason;
		char name[16];
		bool known;

		make(p, rows[i].version);
		p[0x188] = rows[i].family;
		p[0x189] = rows[i].model;
		CU_ASSERT_EQUAL(parse(&r, p, sizeof(p), &reason), 0);
		known = snp_report_product(&r, &product);
		snprintf(name, sizeof(name), "%x-%x", rows[i].family, rows[i].model);
		CHECK_ROW(
			name, (known ? (int)product : -1) == rows[i].want, "got %d", (int)product);
	}
}

/* Which bytes may be anything, as the specification's table has it, and not by the parser's. */
static bool free_byte(unsigned version, size_t at)
{
	if (at < 0x4c)
		return true;
	if (at < 0x50)
		return false;
	if (at < 0x188)
		return true;
	if (at < 0x1a0)
		return version >= 3 && at < 0x18b;
	if (at == 0x1eb || at == 0x1ef)
		return false;
	if (at < 0x1f8)
		return true;
	if (at < 0x2a0)
		return version == 5 && at < 0x208;
	at -= 0x2a0;
	return at < 144 && at % 72 < 48;
}

static void reserved_bytes(void)
{
	unsigned char p[SNP_REPORT];

	for (unsigned version = 2; version <= 5; version++) {
		make(p, version);
		for (size_t i = 0x4c; i < SNP_REPORT; i++) {
			struct snp_report r;
			enum reason reason;
			int ret;

			p[i] = 0x80;
			ret = parse(&r, p, sizeof(p), &reason);
			p[i] = 0;
			CHECK_ROW("reserved",
				(ret == 0) == free_byte(version, i) &&
					(ret == 0 || reason == REASON_Malformed),
				"version %u, byte 0x%zx: got %d", version, i, ret);
		}
	}
}

static void refused_reports(void)
{
	static const struct {
		const char *name;
		size_t at;
		unsigned char value;
		enum reason want;
	} rows[] = {
		{"version 0", 0, 0, REASON_UnsupportedVersion},
		{"version 1", 0, 1, REASON_UnsupportedVersion},
		{"version 6", 0, 6, REASON_UnsupportedVersion},
		{"version 2 + 2^24", 3, 1, REASON_UnsupportedVersion},
		{"no algorithm", 0x34, 0, REASON_UnsupportedVersion},
		{"another algorithm", 0x34, 2, REASON_UnsupportedVersion},
		{"bit 5 of the key information", 0x48, 0x20, REASON_UnsupportedVersion},
		{"bit 31 of the key information", 0x4b, 0x80, REASON_UnsupportedVersion},
	};
	struct span real = vector("trustee/test-report.bin");
	unsigned char p[SNP_REPORT + 1] = {0};
	struct snp_report r;
	enum reason reason;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(p, 2);
		p[rows[i].at] = rows[i].value;
		CHECK_ROW(rows[i].name,
			parse(&r, p, SNP_REPORT, &reason) == -EBADMSG && reason == rows[i].want,
			"got %s", reason_name(reason));
	}
	for (size_t n = 0; n < SNP_REPORT; n++) {
		char *cut = malloc(n ? n : 1); /* the sanitizer sees reads behind it */

		if (!cut)
			return;
		memcpy(cut, real.p, n);
		CU_ASSERT(parse(&r, cut, n, &reason) == -EBADMSG && reason == REASON_Malformed);
		free(cut);
	}
	make(p, 2);
	CU_ASSERT_EQUAL(parse(&r, p, SNP_REPORT + 1, &reason), -EBADMSG);
}

/* SVNs are compared by component and never as one number. */
static void tcb_order(void)
{
	static const struct {
		struct snp_tcb a, b;
		bool at_least, equal;
	} rows[] = {
		{{0, 3, 0, 8, 0x73}, {0, 3, 0, 8, 0x73}, true, true},
		{{0, 3, 0, 8, 0x74}, {0, 3, 0, 8, 0x73}, true, false},
		{{0, 2, 9, 9, 0xff}, {0, 3, 0, 0, 0}, false, false},
		{{0, 3, 0, 7, 0xff}, {0, 3, 0, 8, 0x73}, false, false},
		{{0, 4, 0, 8, 0x72}, {0, 3, 0, 8, 0x73}, false, false},
		{{0, 4, 0, 8, 0x73}, {0, 3, 1, 8, 0x73}, false, false},
		{{0, 9, 9, 9, 9}, {1, 0, 0, 0, 0}, false, false},
		{{1, 9, 9, 9, 9}, {1, 0, 0, 0, 0}, true, false},
	};
	static const unsigned char raw[8] = {1, 2, 3, 4, 0, 0, 7, 8};
	struct snp_tcb milan = snp_tcb_read(raw, SNP_MILAN), genoa = snp_tcb_read(raw, SNP_GENOA);
	struct snp_tcb turin = snp_tcb_read(raw, SNP_TURIN);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK_ROW("order",
			snp_tcb_at_least(rows[i].a, rows[i].b) == rows[i].at_least &&
				snp_tcb_equal(rows[i].a, rows[i].b) == rows[i].equal,
			"row %zu", i);
	CU_ASSERT(snp_tcb_equal(milan, (struct snp_tcb){0, 1, 2, 7, 8}));
	CU_ASSERT(snp_tcb_equal(genoa, milan));
	CU_ASSERT(snp_tcb_equal(turin, (struct snp_tcb){1, 2, 3, 4, 8}));
	for (size_t i = 0; i < 8; i++) {
		unsigned char one[8] = {0};

		one[i] = 1;
		CU_ASSERT_EQUAL(snp_tcb_reserved_zero(one, SNP_MILAN), i < 2 || i > 5);
		CU_ASSERT_EQUAL(snp_tcb_reserved_zero(one, SNP_TURIN), i < 4 || i > 6);
	}
}

static void entry(struct buf *b, const char *guid, uint32_t offset, uint32_t len)
{
	unsigned char e[24] = {0};

	for (size_t i = 0; i < 16; i++) {
		unsigned byte = 0;

		sscanf(guid + 2 * i, "%2x", &byte);
		e[i] = (unsigned char)byte;
	}
	for (size_t i = 0; i < 4; i++) {
		e[16 + i] = (unsigned char)(offset >> 8 * i);
		e[20 + i] = (unsigned char)(len >> 8 * i);
	}
	buf_add(b, e, sizeof(e));
}

#define VCEK       "63da758de6644564adc5f4b93be8accd"
#define VCEK_MIXED "8d75da6364e66445adc5f4b93be8accd"
#define VLEK       "a8074bc2a25a483eaae639c045a0b8a1"
#define ASK        "4ab7b379bbac4fe4a02f05aef327c782"
#define ARK        "c0b406a4a803495297433fb6014cd0ae"
#define CRL        "92f81bc358114d3d97ffd19f88dc67ea"
#define OTHER      "00000000000000000000000000000001"
#define NONE       "00000000000000000000000000000000"

/* The index of two entries and its end take 72 bytes; "0123456789" follows. */
static void tables(void)
{
	static const struct {
		const char *name, *first, *second;
		uint32_t offset, len;
		int want;
	} rows[] = {
		{"two", VCEK, ASK, 72, 10, 0},
		{"a GUID in UEFI's order", VCEK_MIXED, ASK, 72, 10, 0},
		{"one unknown", VCEK, OTHER, 72, 10, 0},
		{"the same twice", VCEK, VCEK, 72, 10, -EBADMSG},
		{"the same twice, in both orders", VCEK, VCEK_MIXED, 72, 10, -EBADMSG},
		{"in the index", VCEK, ASK, 71, 10, -EBADMSG},
		{"at 0", VCEK, ASK, 0, 10, -EBADMSG},
		{"a byte too long", VCEK, ASK, 72, 11, -EBADMSG},
		{"behind the end", VCEK, ASK, 82, 1, -EBADMSG},
		{"empty", VCEK, ASK, 72, 0, -EBADMSG},
		{"offset and length beyond 32 bits", VCEK, ASK, 0xffffffff, 0x49, -EBADMSG},
		{"length beyond 32 bits", VCEK, ASK, 72, 0xffffffff, -EBADMSG},
		{"unknown and outside", VCEK, OTHER, 72, 11, -EBADMSG},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(1000);
		struct snp_certs c = {0};
		int r;

		entry(&b, rows[i].first, 72, 4);
		entry(&b, rows[i].second, rows[i].offset, rows[i].len);
		entry(&b, NONE, 0, 0);
		buf_puts(&b, "0123456789");
		r = snp_certs_parse(&c, buf_view(&b), NULL);
		CHECK_ROW(rows[i].name, r == rows[i].want, "got %d", r);
		if (r < 0)
			continue;
		CHECK_STR(rows[i].name, c.vcek, "0123");
		if (rows[i].second[0] == '4')
			CHECK_STR(rows[i].name, c.ask, "0123456789");
	}
}

static void whole_table(void)
{
	static const char *const kinds[] = {VCEK, VLEK, ASK, ARK, CRL};
	_cleanup_buf_ struct buf b = BUF_INIT(1000);
	struct snp_certs c;
	size_t full;

	for (size_t i = 0; i < 5; i++)
		entry(&b, kinds[i], (uint32_t)(144 + 2 * i), 2);
	entry(&b, NONE, 0, 0);
	buf_puts(&b, "aabbccddee");
	full = b.len;
	buf_puts(&b, "padding of the page");
	CU_ASSERT_EQUAL(snp_certs_parse(&c, buf_view(&b), NULL), 0);
	CU_ASSERT(span_is(c.vcek, "aa") && span_is(c.vlek, "bb") && span_is(c.ask, "cc") &&
		  span_is(c.ark, "dd") && span_is(c.crl, "ee"));
	for (size_t n = 0; n < full; n++) {
		char *cut = malloc(n ? n : 1);

		if (!cut)
			return;
		memcpy(cut, b.p, n);
		CU_ASSERT_EQUAL(snp_certs_parse(&c, (struct span){cut, n}, NULL), -EBADMSG);
		free(cut);
	}
}

CU_TestInfo snp_report_tests[] = {
	{"real reports", real_reports},
	{"fields", fields},
	{"products", products},
	{"reserved bytes", reserved_bytes},
	{"refused reports, truncations", refused_reports},
	{"order of TCBs", tcb_order},
	{"certificate tables", tables},
	{"a whole certificate table, truncations", whole_table},
	CU_TEST_INFO_NULL,
};
