/* SPDX-License-Identifier: Apache-2.0
 *
 * make-evidence KIND FOLDER [REPORT-DATA [TIME [INIT-DATA]]]: writes synthetic evidence
 * (evidence.bin) with that report data (128 digits), what it is judged against (collateral.json,
 * crl.der), and the root to trust (root.pem), which hold around the time that it prints, TIME (Unix
 * seconds) if given. INIT-DATA (64 digits) is the digest of the init-data that a guest was started
 * with. */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/cleanup.h"
#include "common/base/codec.h"
#include "common/tee/quote.h"
#include "tests/tee/amd_world.h"
#include "tests/tee/vtpm.h"

static const struct kind {
	const char *name;
	unsigned version;
	bool tdx, td15, vtpm, snp, vlek, debug, outdated;
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
	{"az-tdx", .version = 4, .tdx = true, .vtpm = true},
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
enum {
	SGX_ATTRIBUTES = 48,
	SGX_REPORT_DATA = 320,
	TD_REPORT_DATA = 520,
	SNP_REPORT_DATA = 0x50,
	REPORT_DATA = 64
};
enum { TD_MRCONFIGID = 184, SNP_HOST_DATA = 0xc0, INIT_DATA_PCR = 8, INIT_DATA = 32 };

/* What evidence is to be made. */
struct order {
	const struct kind *k;
	const char *folder, *report_data, *init_data; /* digits; NULL: as the world has them */
	int64_t now;
};

static void put(unsigned char *at, size_t len, const char *digits)
{
	if (digits)
		tee_must(codec_hex_exact(at, len, span_str(digits)) == 0, digits);
}

static void make_snp(const struct order *o)
{
	const struct kind *k = o->k;
	_cleanup_buf_ struct buf report = BUF_INIT(1 << 16), root = BUF_INIT(TEE_PEM_MAX);
	_cleanup_buf_ struct buf crl = BUF_INIT(TEE_DER_MAX);
	struct tee_amd w;

	tee_amd(&w, k->product, k->version, k->vlek);
	tee_amd_at(&w, o->now);
	put(w.report + SNP_REPORT_DATA, REPORT_DATA, o->report_data);
	put(w.report + SNP_HOST_DATA, INIT_DATA, o->init_data);
	tee_amd_extended(&w, &report);
	tee_cert_pem(&w.ark, &root);
	tee_amd_crl(&w, &crl);
	write_file(o->folder, "evidence.bin", buf_view(&report));
	write_file(o->folder, "crl.der", buf_view(&crl));
	write_file(o->folder, "root.pem", buf_view(&root));
}

/* The quote's bytes in a document around them, as a paravisor's guest has it. */
static void make_vtpm(const struct order *o, struct tee_intel *w, struct buf *out)
{
	_cleanup_buf_ struct buf hcl = BUF_INIT(TEE_VTPM_MAX), quote = BUF_INIT(TEE_QUOTE_MAX);
	_cleanup_buf_ struct buf message = BUF_INIT(TEE_VTPM_MAX),
				 signature = BUF_INIT(TEE_VTPM_MAX);
	unsigned char extended[2 * INIT_DATA] = {0};
	struct tee_vtpm t;

	tee_vtpm(&t, 0);
	put(t.bound, REPORT_DATA, o->report_data);
	put(t.user_data, REPORT_DATA, o->report_data);
	put(extended + INIT_DATA, INIT_DATA, o->init_data);
	if (o->init_data)
		SHA256(extended, sizeof(extended), t.pcrs[INIT_DATA_PCR]);
	tee_vtpm_bind(&t, w);
	tee_vtpm_hcl(&t, &hcl);
	tee_intel_quote(w, &quote);
	tee_vtpm_message(&t, &message);
	tee_vtpm_signature(&t, buf_view(&message), &signature);
	tee_vtpm_evidence(&t,
		&(struct tee_vtpm_parts){
			buf_view(&hcl), buf_view(&quote), buf_view(&message), buf_view(&signature)},
		out);
}

static void make_intel(const struct order *o)
{
	_cleanup_buf_ struct buf evidence = BUF_INIT(4 * TEE_VTPM_MAX),
				 root = BUF_INIT(TEE_PEM_MAX);
	_cleanup_buf_ struct buf collateral = BUF_INIT(TEE_JSON_MAX);
	const struct kind *k = o->k;
	struct tee_intel w;

	if (k->tdx)
		tee_intel_tdx(&w, k->version, k->td15);
	else
		tee_intel_sgx_version(&w, k->version);
	tee_intel_at(&w, o->now);
	if (k->debug)
		w.quote.body[SGX_ATTRIBUTES] |= SGX_FLAG_DEBUG;
	if (k->outdated)
		w.pck.pcesvn = w.tcb_info.d.levels[1].pcesvn;
	put(w.quote.body + (k->tdx ? TD_REPORT_DATA : SGX_REPORT_DATA), REPORT_DATA,
		o->report_data);
	if (k->tdx)
		put(w.quote.body + TD_MRCONFIGID, INIT_DATA, k->vtpm ? NULL : o->init_data);
	if (k->vtpm)
		make_vtpm(o, &w, &evidence);
	else
		tee_intel_quote(&w, &evidence);
	tee_intel_collateral(&w, &collateral);
	tee_intel_root(&w, &root);
	write_file(o->folder, "evidence.bin", buf_view(&evidence));
	write_file(o->folder, "collateral.json", buf_view(&collateral));
	write_file(o->folder, "root.pem", buf_view(&root));
}

int main(int argc, char **argv)
{
	struct order o = {.report_data = argc > 3 ? argv[3] : NULL,
		.now = argc > 4 ? strtoll(argv[4], NULL, 10) : TEE_NOW,
		.init_data = argc > 5 ? argv[5] : NULL};

	for (size_t i = 0; argc >= 3 && argc <= 6 && i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(argv[1], kinds[i].name) != 0)
			continue;
		o.k = &kinds[i];
		o.folder = argv[2];
		if (o.k->snp)
			make_snp(&o);
		else
			make_intel(&o);
		printf("%lld\n", (long long)o.now);
		return EXIT_SUCCESS;
	}
	fputs("usage: make-evidence KIND FOLDER [REPORT-DATA [TIME [INIT-DATA]]]\nkinds:", stderr);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		fprintf(stderr, " %s", kinds[i].name);
	fputc('\n', stderr);
	return 2;
}
