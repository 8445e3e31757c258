/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/pem.h"
#include "common/tee/snp.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define MAKE_CERT(name) _cleanup_(cert_unref_p) struct cert *name = NULL

static void real_leaves(void)
{
	static const struct {
		const char *path;
		enum snp_product product;
		struct snp_tcb tcb;
		size_t hwid_len;
		unsigned char hwid[4];
	} rows[] = {
		{"trustee/test-vcek.der", SNP_MILAN, {0, 3, 0, 8, 0x73}, 64,
			{0xC3, 0x84, 0x27, 0xA3}},
		{"virtee-sev/vcek_milan.der", SNP_MILAN, {0, 3, 0, 8, 0x73}, 64,
			{0xD4, 0x95, 0x54, 0xEC}},
		{"go-sev-guest/vcek.testcer", SNP_MILAN, {0, 2, 0, 5, 0x44}, 64,
			{0x3A, 0xC3, 0xFE, 0x21}},
		{"virtee-sev/vcek_turin.der", SNP_TURIN, {0, 0, 0, 0, 9}, 8,
			{0x1E, 0x55, 0x0A, 0x8E}},
		/* a HWID as its bytes, and as an OCTET STRING of them; an SPL above 127 */
		{"trustee/test-vcek-invalid-legacy.der", SNP_MILAN, {0, 3, 0, 10, 0xa9}, 64,
			{0, 1, 2, 3}},
		{"trustee/test-vcek-invalid-new.der", SNP_MILAN, {0, 0, 0, 0, 0x1e}, 64,
			{0, 1, 2, 3}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = {0};
		struct vcek v = {0};
		MAKE_CERT(c);
		int r = cert_parse_der(&c, vector(rows[i].path), &err);

		if (r == 0)
			r = vcek_read(&v, c, &err);
		if (!CHECK_ROW(rows[i].path, r == 0, "%d %s", r, err.message))
			continue;
		CHECK_ROW(rows[i].path, !v.vlek && v.product == rows[i].product, "product %d",
			(int)v.product);
		CHECK_ROW(rows[i].path, snp_tcb_equal(v.tcb, rows[i].tcb),
			"fmc %u bootloader %u TEE %u SNP %u microcode %u", v.tcb.fmc,
			v.tcb.bootloader, v.tcb.tee, v.tcb.snp, v.tcb.microcode);
		CHECK_ROW(rows[i].path,
			v.hwid_len == rows[i].hwid_len && memcmp(v.hwid, rows[i].hwid, 4) == 0,
			"%zu bytes of HWID", v.hwid_len);
		for (size_t k = v.hwid_len; k < SNP_CHIP_ID; k++)
			CU_ASSERT_EQUAL(v.hwid[k], 0);
	}
}

/* A certificate in which one run of bytes was replaced by another of the same length: nothing here
 * asks who signed it. */
static int changed(struct vcek *v, const char *path, struct span from, struct span to, size_t nth,
	struct error *err)
{
	struct span der = vector(path);
	_cleanup_free_ char *p = malloc(der.len);
	MAKE_CERT(c);
	char *at = p;
	int r;

	if (!p || from.len != to.len)
		return -EINVAL;
	memcpy(p, der.p, der.len);
	for (;; nth--, at++) {
		at = memmem(at, der.len - (size_t)(at - p), from.p, from.len);
		if (!at)
			return -ENOENT;
		if (nth == 0)
			break;
	}
	memcpy(at, to.p, to.len);
	r = cert_parse_der(&c, (struct span){p, der.len}, err);
	return r < 0 ? r : vcek_read(v, c, err);
}

#define MILAN  "trustee/test-vcek.der"
#define LEGACY "trustee/test-vcek-invalid-legacy.der"
#define NEW    "trustee/test-vcek-invalid-new.der"
#define TURIN  "virtee-sev/vcek_turin.der"
/* The object identifier's bytes up to .1, then a suffix and the start of its value. */
#define OID "\x2b\x06\x01\x04\x01\x9c\x78\x01"

static void changed_leaves(void)
{
	static const struct {
		const char *name, *path;
		struct span from, to;
		size_t nth;
		const char *want; /* in the message; NULL: accepted */
	} rows[] = {
		{"nothing", MILAN, SPAN_LIT("SEV-VCEK"), SPAN_LIT("SEV-VCEK"), 0, NULL},
		{"another subject", MILAN, SPAN_LIT("SEV-VCEK"), SPAN_LIT("SEV-VCEX"), 0,
			"neither SEV-VCEK nor SEV-VLEK"},
		{"a VLEK of an ASK", MILAN, SPAN_LIT("SEV-VCEK"), SPAN_LIT("SEV-VLEK"), 0,
			"its issuer \"SEV-Milan\""},
		{"of an unknown product", MILAN, SPAN_LIT("SEV-Milan"), SPAN_LIT("SEV-Venic"), 0,
			"its issuer \"SEV-Venic\""},
		{"of another product", MILAN, SPAN_LIT("SEV-Milan"), SPAN_LIT("SEV-Genoa"), 0,
			"its product is \"Milan-B0\""},
		{"Turin as Milan", TURIN, SPAN_LIT("SEV-Turin"), SPAN_LIT("SEV-Milan"), 0,
			"its product is \"Turin\""},
		{"a longer product name", MILAN, SPAN_LIT("Milan-B0"), SPAN_LIT("MilanXB0"), 0,
			"its product is \"MilanXB0\""},
		{"another stepping", MILAN, SPAN_LIT("Milan-B0"), SPAN_LIT("Milan-B1"), 0, NULL},
		{"no IA5String", MILAN, SPAN_LIT("\x16\x08Milan"), SPAN_LIT("\x0c\x08Milan"), 0,
			"is no IA5String"},
		{"structure version 1", MILAN, SPAN_LIT(OID "\x01\x04\x03\x02\x01\x00"),
			SPAN_LIT(OID "\x01\x04\x03\x02\x01\x01"), 0, NULL},
		{"structure version 2", MILAN, SPAN_LIT(OID "\x01\x04\x03\x02\x01\x00"),
			SPAN_LIT(OID "\x01\x04\x03\x02\x01\x02"), 0, "0 to 1"},
		{"another SPL", MILAN, SPAN_LIT(OID "\x03\x08\x04\x03\x02\x01\x73"),
			SPAN_LIT(OID "\x03\x08\x04\x03\x02\x01\x7f"), 0, NULL},
		{"a negative SPL", MILAN, SPAN_LIT(OID "\x03\x08\x04\x03\x02\x01\x73"),
			SPAN_LIT(OID "\x03\x08\x04\x03\x02\x01\x80"), 0, "3.8 is no INTEGER"},
		{"an SPL of 256", LEGACY, SPAN_LIT(OID "\x03\x08\x04\x04\x02\x02\x00\xa9"),
			SPAN_LIT(OID "\x03\x08\x04\x04\x02\x02\x01\x00"), 0, "3.8 is no INTEGER"},
		{"an SPL with a zero too many", LEGACY,
			SPAN_LIT(OID "\x03\x08\x04\x04\x02\x02\x00\xa9"),
			SPAN_LIT(OID "\x03\x08\x04\x04\x02\x02\x00\x29"), 0, "3.8 is no INTEGER"},
		{"an SPL and a byte behind", LEGACY,
			SPAN_LIT(OID "\x03\x08\x04\x04\x02\x02\x00\xa9"),
			SPAN_LIT(OID "\x03\x08\x04\x04\x02\x01\x00\xa9"), 0, "3.8 is no INTEGER"},
		{"an SPL that is an ENUMERATED", MILAN, SPAN_LIT(OID "\x03\x01\x04\x03\x02"),
			SPAN_LIT(OID "\x03\x01\x04\x03\x0a"), 0, "3.1 is no INTEGER"},
		{"no bootloader SPL", MILAN, SPAN_LIT(OID "\x03\x01"), SPAN_LIT(OID "\x03\x0a"), 0,
			"lacks the extension 1.3.6.1.4.1.3704.1.3.1"},
		{"no microcode SPL", MILAN, SPAN_LIT(OID "\x03\x08"), SPAN_LIT(OID "\x03\x0a"), 0,
			"lacks the extension 1.3.6.1.4.1.3704.1.3.8"},
		{"no structure version", MILAN, SPAN_LIT(OID "\x01\x04"), SPAN_LIT(OID "\x09\x04"),
			0, "lacks the extension 1.3.6.1.4.1.3704.1.1"},
		{"a reserved SPL", MILAN, SPAN_LIT(OID "\x03\x06\x04\x03\x02\x01\x00"),
			SPAN_LIT(OID "\x03\x06\x04\x03\x02\x01\x01"), 0, "3.6 is 1 and has no"},
		{"an FMC of Milan's", MILAN, SPAN_LIT(OID "\x03\x04\x04\x03\x02\x01\x00"),
			SPAN_LIT(OID "\x03\x09\x04\x03\x02\x01\x01"), 0, "3.9 is 1 and has no"},
		{"an FMC of Turin's", TURIN, SPAN_LIT(OID "\x03\x09\x04\x03\x02\x01\x00"),
			SPAN_LIT(OID "\x03\x09\x04\x03\x02\x01\x05"), 0, NULL},
		{"no FMC of Turin's", TURIN, SPAN_LIT(OID "\x03\x09"), SPAN_LIT(OID "\x03\x04"), 0,
			"lacks the extension 1.3.6.1.4.1.3704.1.3.9"},
		{"no HWID", MILAN, SPAN_LIT(OID "\x04\x04\x40"), SPAN_LIT(OID "\x0a\x04\x40"), 0,
			"names no chip"},
		{"a HWID in another type", NEW, SPAN_LIT(OID "\x04\x04\x42\x04\x40"),
			SPAN_LIT(OID "\x04\x04\x42\x03\x40"), 0, "64 bytes of a chip"},
		{"a HWID and bytes behind", NEW, SPAN_LIT(OID "\x04\x04\x42\x04\x40"),
			SPAN_LIT(OID "\x04\x04\x42\x04\x3f"), 0, "64 bytes of a chip"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = {0};
		struct vcek v;
		int r = changed(&v, rows[i].path, rows[i].from, rows[i].to, rows[i].nth, &err);

		if (rows[i].want)
			CHECK_ROW(rows[i].name, r == -EBADMSG && strstr(err.message, rows[i].want),
				"%d %s", r, err.message);
		else
			CHECK_ROW(rows[i].name, r == 0, "%d %s", r, err.message);
	}
}

static void other_certificates(void)
{
	static const char *const paths[] = {
		"dcap-qvl/TrustedRootCA.der", "amd-roots/ask_ark_milan.pem"};

	for (size_t i = 0; i < 2; i++) {
		struct span s = vector(paths[i]);
		struct error err = {0};
		struct cert *c[2] = {0};
		struct vcek v;
		int r = pem_is(s) ? cert_parse_pem(c, 2, s, &err) : cert_parse_der(&c[0], s, &err);

		CHECK_ROW(paths[i], r >= 0 && vcek_read(&v, c[0], &err) == -EBADMSG, "%s",
			err.message);
		cert_unref(c[0]);
		cert_unref(c[1]);
	}
}

static void intermediate_names(void)
{
	static const struct {
		const char *name;
		bool want, vlek;
		enum snp_product product;
	} rows[] = {
		{"SEV-Milan", true, false, SNP_MILAN},
		{"SEV-Genoa", true, false, SNP_GENOA},
		{"SEV-VLEK-Turin", true, true, SNP_TURIN},
		{"SEV-", false, false, 0},
		{"SEV-VLEK-", false, false, 0},
		{"SEV-VLEK", false, false, 0},
		{"SEV-VCEK", false, false, 0},
		{"SEV-Milan2", false, false, 0},
		{"SEV-milan", false, false, 0},
		{"ARK-Milan", false, false, 0},
		{"SEV-VLEK-VLEK-Milan", false, false, 0},
		{"", false, false, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum snp_product product = SNP_PRODUCT_N;
		bool vlek = false, got = amd_intermediate_name(rows[i].name, &product, &vlek);

		CHECK_ROW(rows[i].name,
			got == rows[i].want &&
				(!got || (vlek == rows[i].vlek && product == rows[i].product)),
			"%d %d %d", got, vlek, (int)product);
	}
}

static struct cert *leaf(const char *path)
{
	struct cert *c = NULL;

	CU_ASSERT_EQUAL(cert_parse_der(&c, vector(path), NULL), 0);
	return c;
}

static void found_by_report(void)
{
	static const char *const paths[] = {MILAN, "virtee-sev/vcek_milan.der",
		"go-sev-guest/vcek.testcer", TURIN, LEGACY, NEW};
	unsigned char report[SNP_REPORT];
	struct amd_collateral c = {0};
	const struct amd_leaf *found;
	struct snp_report r;
	enum reason reason;

	for (size_t round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
			MAKE_CERT(one);

			one = leaf(paths[i]);
			CU_ASSERT(one && amd_leaf_add(&c, one, NULL) == 0);
		}
	CU_ASSERT_EQUAL(c.n_leaves, 6);
	for (size_t i = 1; i < c.n_leaves; i++)
		CU_ASSERT(memcmp(c.leaves[i - 1].vcek.hwid, c.leaves[i].vcek.hwid, 64) <= 0);

	memcpy(report, vector("trustee/test-report.bin").p, SNP_REPORT);
	CU_ASSERT_EQUAL(
		snp_report_parse(&r, (struct span){(char *)report, SNP_REPORT}, &reason, NULL), 0);
	found = amd_leaf_next(&c, &r, NULL);
	CU_ASSERT(found && memcmp(found->vcek.hwid, r.chip_id, 64) == 0);
	CU_ASSERT_PTR_NULL(amd_leaf_next(&c, &r, found));
	report[0x187]++; /* another TCB was reported */
	CU_ASSERT_PTR_NULL(amd_leaf_next(&c, &r, NULL));
	report[0x187]--;
	report[0x1a0] ^= 1; /* another chip */
	CU_ASSERT_PTR_NULL(amd_leaf_next(&c, &r, NULL));
	report[0x1a0] ^= 1;
	r.signing_key = SNP_KEY_VLEK; /* there are none */
	CU_ASSERT_PTR_NULL(amd_leaf_next(&c, &r, NULL));
	amd_collateral_free(&c);
	CU_ASSERT(c.n_leaves == 0 && !c.leaves);
}

static void intermediates(void)
{
	static const char *const paths[] = {"amd-roots/milan_ask_ark_asvk.pem",
		"amd-roots/genoa_ask_ark_asvk.pem", "amd-roots/turin_ask_ark_asvk.pem"};
	struct amd_collateral c = {0};

	for (size_t i = 0; i < 3; i++) {
		struct cert *all[3] = {0};
		int n = cert_parse_pem(all, 3, vector(paths[i]), NULL);

		CU_ASSERT_EQUAL(n, 3);
		for (int k = 0; k < n; k++) {
			bool ark = strncmp(all[k]->subject, "ARK-", 4) == 0;

			for (int twice = 0; twice < 2; twice++)
				CHECK_ROW(all[k]->subject,
					amd_intermediate_add(&c, all[k], NULL) ==
						(ark ? -EBADMSG : 0),
					"taken up or not");
			CU_ASSERT_EQUAL(amd_leaf_add(&c, all[k], NULL), -EBADMSG);
			cert_unref(all[k]);
		}
	}
	CU_ASSERT_EQUAL(c.n_intermediates, 6);
	amd_collateral_free(&c);
}

CU_TestInfo vcek_tests[] = {
	{"real leaves", real_leaves},
	{"changed leaves", changed_leaves},
	{"other certificates", other_certificates},
	{"names of intermediates", intermediate_names},
	{"found by report", found_by_report},
	{"intermediates", intermediates},
	CU_TEST_INFO_NULL,
};
