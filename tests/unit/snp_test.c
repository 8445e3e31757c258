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

CU_TestInfo snp_tests[] = {
	{"real reports", real_reports},
	CU_TEST_INFO_NULL,
};
