/* SPDX-License-Identifier: Apache-2.0
 *
 * make-evidence KIND FOLDER [REPORT-DATA [TIME]]: writes synthetic evidence (evidence.bin) with
 * that report data (128 digits), what it is judged against (collateral.json, crl.der), and the root
 * to trust (root.pem), which hold around the time that it prints, TIME (Unix seconds) if given. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/cleanup.h"
#include "common/base/codec.h"
#include "common/tee/quote.h"
#include "tests/tee/amd_world.h"

static const struct kind {
	const char *name;
	unsigned version;
	bool tdx, td15, snp, vlek, debug, outdated;
	enum snp_product product;
} kinds[] = {
	{"sgx3", .version = 3},
	{"sgx3-debug", .version = 3, .debug = true},
	{"sgx3-outdated", .version = 3, .outdated = true},
	{"sgx4", .version = 4},
	{"sgx5", .version = 5},
	{"tdx4", .version = 4, .tdx = true},
	{"tdx5", .version = 5, .tdx = true},
	{"tdx15", .version = 5, .tdx = true, .td15 = true},
	{"milan", .version = 2, .snp = true, .product = SNP_MILAN},
	{"milan-vlek", .version = 2, .snp = true, .product = SNP_MILAN, .vlek = true},
	{"genoa", .version = 3, .snp = true, .product = SNP_GENOA},
	{"genoa-vlek", .version = 3, .snp = true, .product = SNP_GENOA, .vlek = true},
	{"turin", .version = 5, .snp = true, .product = SNP_TURIN},
	{"turin-vlek", .version = 5, .snp = true, .product = SNP_TURIN, .vlek = true},
};

static void write_file(const char *folder, const char *name, struct span bytes)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	tee_must(f && fwrite(bytes.p, 1, bytes.len, f) == bytes.len, path);
	tee_must(fclose(f) == 0, path);
}

/* Where a quote's body and a report have it. */
enum { SGX_ATTRIBUTES = 48, SGX_REPORT_DATA = 320, TD_REPORT_DATA = 520, SNP_REPORT_DATA = 0x50, REPORT_DATA = 64 };

static void bind(unsigned char *at, const char *report_data)
{
	if (report_data)
		tee_must(codec_hex_exact(at, REPORT_DATA, span_str(report_data)) == 0, report_data);
}

static void make_snp(const struct kind *k, const char *folder, const char *report_data, int64_t now)
{
	_cleanup_buf_ struct buf report = BUF_INIT(1 << 16), root = BUF_INIT(TEE_PEM_MAX);
	_cleanup_buf_ struct buf crl = BUF_INIT(TEE_DER_MAX);
	struct tee_amd w;

	tee_amd(&w, k->product, k->version, k->vlek);
	tee_amd_at(&w, now);
	bind(w.report + SNP_REPORT_DATA, report_data);
	tee_amd_extended(&w, &report);
	tee_cert_pem(&w.ark, &root);
	tee_amd_crl(&w, &crl);
	write_file(folder, "evidence.bin", buf_view(&report));
	write_file(folder, "crl.der", buf_view(&crl));
	write_file(folder, "root.pem", buf_view(&root));
}

static void make_intel(
	const struct kind *k, const char *folder, const char *report_data, int64_t now)
{
	_cleanup_buf_ struct buf quote = BUF_INIT(TEE_QUOTE_MAX), root = BUF_INIT(TEE_PEM_MAX);
	_cleanup_buf_ struct buf collateral = BUF_INIT(TEE_JSON_MAX);
	struct tee_intel w;

	if (k->tdx)
		tee_intel_tdx(&w, k->version, k->td15);
	else
		tee_intel_sgx_version(&w, k->version);
	tee_intel_at(&w, now);
	if (k->debug)
		w.quote.body[SGX_ATTRIBUTES] |= SGX_FLAG_DEBUG;
	if (k->outdated)
		w.pck.pcesvn = w.tcb_info.d.levels[1].pcesvn;
	bind(w.quote.body + (k->tdx ? TD_REPORT_DATA : SGX_REPORT_DATA), report_data);
	tee_intel_quote(&w, &quote);
	tee_intel_collateral(&w, &collateral);
	tee_intel_root(&w, &root);
	write_file(folder, "evidence.bin", buf_view(&quote));
	write_file(folder, "collateral.json", buf_view(&collateral));
	write_file(folder, "root.pem", buf_view(&root));
}

int main(int argc, char **argv)
{
	const char *report_data = argc > 3 ? argv[3] : NULL;
	int64_t now = argc > 4 ? strtoll(argv[4], NULL, 10) : TEE_NOW;

	for (size_t i = 0; argc >= 3 && argc <= 5 && i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(argv[1], kinds[i].name) != 0)
			continue;
		if (kinds[i].snp)
			make_snp(&kinds[i], argv[2], report_data, now);
		else
			make_intel(&kinds[i], argv[2], report_data, now);
		printf("%lld\n", (long long)now);
		return EXIT_SUCCESS;
	}
	fputs("usage: make-evidence KIND FOLDER [REPORT-DATA [TIME]]\nkinds:", stderr);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		fprintf(stderr, " %s", kinds[i].name);
	fputc('\n', stderr);
	return 2;
}
