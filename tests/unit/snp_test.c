/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/snp_world.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define MILAN "amd-roots/ask_ark_milan.pem"

static void real_reports(void)
{
	static const struct {
		const char *name, *evidence, *certs[2];
		int64_t time;
		bool allow_debug;
		enum reason want;
	} rows[] = {
		{"test-report", "trustee/test-report.bin", {"trustee/test-vcek.der", MILAN},
			SNP_TIME, false, REASON_Ok},
		{"report_milan", "virtee-sev/report_milan.hex",
			{"virtee-sev/vcek_milan.der", "virtee-sev/cert_chain_milan"}, SNP_TIME,
			false, REASON_Ok},
		{"HCLA", "trustee/az-snp-hcl-report.bin", {"trustee/az-snp-vcek-chain.pem", NULL},
			SNP_TIME, false, REASON_Ok},
		{"HCLA, its copy", "az-snp/hcl-report.bin", {"az-snp/vcek.pem", NULL}, SNP_TIME,
			false, REASON_Ok},
		{"debug", "go-sev-guest/attestation.bin",
			{"go-sev-guest/vcek.testcer", "go-sev-guest/milan.testcer"}, SNP_TIME,
			false, REASON_DebugNotAllowed},
		{"debug, allowed", "go-sev-guest/attestation.bin",
			{"go-sev-guest/vcek.testcer", "go-sev-guest/milan.testcer"}, SNP_TIME, true,
			REASON_Ok},
		{"Genoa, as JSON", "trustee/e2e-snp-evidence.json",
			{"amd-roots/ask_ark_genoa.pem", NULL}, SNP_TIME, false, REASON_Ok},
		{"vTPM", "az-snp/evidence-v2.json", {MILAN, NULL}, SNP_TIME, false, REASON_Ok},
		{"bogus VCEK, old", "trustee/test-report.bin",
			{"trustee/test-vcek-invalid-legacy.der", MILAN}, SNP_TIME, false,
			REASON_CollateralMissing},
		{"no VCEK", "trustee/test-report.bin", {MILAN, NULL}, SNP_TIME, false,
			REASON_CollateralMissing},
		{"another chip's VCEK", "trustee/test-report.bin",
			{"virtee-sev/vcek_milan.der", MILAN}, SNP_TIME, false,
			REASON_CollateralMissing},
		{"no ASK", "trustee/test-report.bin", {"trustee/test-vcek.der", NULL}, SNP_TIME,
			false, REASON_CollateralMissing},
		{"another product's ASK", "trustee/test-report.bin",
			{"trustee/test-vcek.der", "amd-roots/ask_ark_genoa.pem"}, SNP_TIME, false,
			REASON_CollateralMissing},
		{"the ASVK", "trustee/test-report.bin",
			{"trustee/test-vcek.der", "amd-roots/ask_ark_milan_vlek.pem"}, SNP_TIME,
			false, REASON_CollateralMissing},
		{"the first second", "trustee/test-report.bin", {"trustee/test-vcek.der", MILAN},
			1674583106, false, REASON_Ok},
		{"a second before", "trustee/test-report.bin", {"trustee/test-vcek.der", MILAN},
			1674583105, false, REASON_CertificateExpired},
		{"the last second", "trustee/test-report.bin", {"trustee/test-vcek.der", MILAN},
			1895507906, false, REASON_Ok},
		{"a second after", "trustee/test-report.bin", {"trustee/test-vcek.der", MILAN},
			1895507907, false, REASON_CertificateExpired},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_snp_world_ struct snp_world w;
		struct span s = vector(rows[i].evidence);

		if (!snp_world_init(&w))
			return;
		for (size_t k = 0; k < 2; k++)
			if (rows[i].certs[k])
				CHECK_ROW(rows[i].name,
					snp_world_certs(&w, vector(rows[i].certs[k])) == 0, "%s",
					rows[i].certs[k]);
		w.time = rows[i].time;
		w.policy.allow_debug = rows[i].allow_debug;
		CHECK_ROW(rows[i].name, snp_world_open(&w, s) == 0, "not opened");
		CHECK_ROW(rows[i].name, snp_world_verify(&w, NULL) == rows[i].want, "%s: %s",
			reason_name(w.verdict.reason), w.verdict.message);
		if (rows[i].want != REASON_Ok)
			CHECK_ROW(rows[i].name, w.verdict.message[0], "no message");
	}
}

/* One bit of each byte, another one each time; with CASEMATE_EVERY_BIT all of them. */
static size_t step(void)
{
	return getenv("CASEMATE_EVERY_BIT") ? 1 : 9;
}

/* Everything in a report is signed, or must be zero. */
static void report_bits(void)
{
	_cleanup_(verify_cache_free_p) struct verify_cache *cache = NULL;
	_cleanup_snp_world_ struct snp_world w;
	unsigned char p[SNP_REPORT];
	size_t n = 0;

	if (!snp_world_init(&w) || verify_cache_new(&cache, 4, NULL) < 0)
		return;
	memcpy(p, vector("trustee/test-report.bin").p, sizeof(p));
	CU_ASSERT_EQUAL(snp_world_certs(&w, vector("trustee/test-vcek.der")), 0);
	CU_ASSERT_EQUAL(snp_world_certs(&w, vector(MILAN)), 0);
	for (size_t bit = 0; bit < 8 * sizeof(p); bit += step(), n++) {
		p[bit / 8] ^= (unsigned char)(1 << bit % 8);
		if (snp_world_open(&w, (struct span){(char *)p, sizeof(p)}) == 0)
			CHECK_ROW(
				"report", snp_world_verify(&w, cache) != REASON_Ok, "bit %zu", bit);
		p[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	CU_ASSERT_EQUAL(snp_world_open(&w, (struct span){(char *)p, sizeof(p)}), 0);
	CU_ASSERT_EQUAL(snp_world_verify(&w, cache), REASON_Ok);
	CU_ASSERT(n >= 1000);
}

/* The evidence with a certificate of its own, of which one bit is turned. */
static bool accepts(struct snp_world *w, struct span *slot, struct span cert)
{
	*slot = cert;
	return snp_world_verify(w, NULL) == REASON_Ok;
}

/* Everything in VCEK and ASK is signed. What is cut off is no certificate. */
static void certificate_bits(void)
{
	_cleanup_snp_world_ struct snp_world w;
	struct cert *chain[2] = {0};

	if (!snp_world_init(&w))
		return;
	CU_ASSERT_EQUAL(snp_world_open(&w, vector("trustee/test-report.bin")), 0);
	CU_ASSERT_EQUAL(cert_parse_pem(chain, 2, vector(MILAN), NULL), 2);
	for (int k = 0; k < 2 && chain[0]; k++) {
		struct span all[2] = {vector("trustee/test-vcek.der"), cert_der(chain[0])};
		struct span *slots[2] = {&w.evidence.certs.vcek, &w.evidence.certs.ask};
		_cleanup_free_ char *p = malloc(all[k].len);

		if (!p)
			break;
		memcpy(p, all[k].p, all[k].len);
		*slots[!k] = all[!k];
		for (size_t bit = 0; bit < 8 * all[k].len; bit += step()) {
			p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
			CHECK_ROW("certificate",
				!accepts(&w, slots[k], (struct span){p, all[k].len}), "%d, bit %zu",
				k, bit);
			p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
		}
		for (size_t n = 0; n < all[k].len; n += step())
			CHECK_ROW("certificate", !accepts(&w, slots[k], (struct span){p, n}),
				"%d, cut at %zu", k, n);
		CU_ASSERT(accepts(&w, slots[k], (struct span){p, all[k].len}));
	}
	cert_unref(chain[0]);
	cert_unref(chain[1]);
}

/* Bogus VCEKs that somebody signed: with them in the evidence. */
static void bogus_leaves(void)
{
	static const char *const paths[] = {
		"trustee/test-vcek-invalid-legacy.der", "trustee/test-vcek-invalid-new.der"};

	for (size_t i = 0; i < 2; i++) {
		_cleanup_snp_world_ struct snp_world w;

		if (!snp_world_init(&w))
			return;
		CU_ASSERT_EQUAL(snp_world_certs(&w, vector(MILAN)), 0);
		CU_ASSERT_EQUAL(snp_world_open(&w, vector("trustee/test-report.bin")), 0);
		w.evidence.certs.vcek = vector(paths[i]);
		CHECK_ROW(paths[i], snp_world_verify(&w, NULL) == REASON_ChainInvalid, "%s: %s",
			reason_name(w.verdict.reason), w.verdict.message);
	}
}

/* What a vTPM's quote is bound to is compared, and not the report's own report data. */
static void vtpm_binding(void)
{
	_cleanup_snp_world_ struct snp_world w;
	unsigned char want[64];

	if (!snp_world_init(&w))
		return;
	CU_ASSERT_EQUAL(snp_world_certs(&w, vector(MILAN)), 0);
	CU_ASSERT_EQUAL(snp_world_open(&w, vector("az-snp/evidence-v2.json")), 0);
	memcpy(want, w.evidence.qualifying_data, sizeof(want));
	w.policy.report_data = want;
	CU_ASSERT_EQUAL(snp_world_verify(&w, NULL), REASON_Ok);
	want[63] ^= 1;
	CU_ASSERT_EQUAL(snp_world_verify(&w, NULL), REASON_ReportDataMismatch);
	memcpy(want, w.evidence.snp.report_data, sizeof(want));
	CU_ASSERT_EQUAL(snp_world_verify(&w, NULL), REASON_ReportDataMismatch);
}

CU_TestInfo snp_tests[] = {
	{"real reports", real_reports},
	{"each bit of a report", report_bits},
	{"each bit of a certificate", certificate_bits},
	{"bogus leaves", bogus_leaves},
	{"what a vTPM is bound to", vtpm_binding},
	CU_TEST_INFO_NULL,
};
