/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder with what AMD's service says, as a source of collateral: synthetic chips, whose
 * certificates and lists are laid into it. */
#include "webhook/trust/vcek_store.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "tests/unit/fake_server.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"
#include "tests/unit/trust_fix.h"
#include "tests/unit/verify_world.h"
#include "webhook/trust/trust.h"

enum { PATIENCE_SEC = 60, CHIP_DIGITS = 2 * SNP_CHIP_ID, SEEN_NUMBER = 4 };

struct fix {
	sd_event *event;
	struct trust *trust;
	struct tree tree;
	struct fake_server
		*server; /* AMD's service, which has nothing; counts questions for chips */
	_Atomic unsigned asked;
	char url[64], store[80], files[80];
	const char *path_list[1];
	struct collateral_sources sources;
	struct buf policy, report;
	struct tee_amd w;
	char chip[CHIP_DIGITS + 1];
	struct examination e;
};

static int64_t test_time;

static int64_t test_clock(void)
{
	return test_time;
}

static void serve(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct fix *f = ctx;

	(void)n;
	if (strstr(request, f->chip))
		f->asked++;
	fake_respond(reply, 404, NULL, "no");
}

static void describe(struct fix *f, enum snp_product product)
{
	_cleanup_buf_ struct buf chip = BUF_INIT(CHIP_DIGITS + 1), ark = BUF_INIT(TEE_PEM_MAX);

	tee_amd(&f->w, product, product == SNP_TURIN ? 5 : 3, false);
	tee_amd_report(&f->w, &f->report);
	tee_cert_pem(&f->w.ark, &ark);
	CU_ASSERT_EQUAL(codec_hex(&chip, f->w.hwid, f->w.hwid_len), 0);
	snprintf(f->chip, sizeof(f->chip), "%s", chip.p);
	trust_root_policy(&f->policy, buf_view(&ark));
}

static bool fix_begin(struct fix *f, enum snp_product product)
{
	struct trust_options o = {.sources = &f->sources,
		.where = "policy",
		.measurements_elsewhere = true,
		.clock = test_clock};
	struct error err = {0};

	*f = (struct fix){.policy = BUF_INIT(TEE_PEM_MAX), .report = BUF_INIT(TEE_QUOTE_MAX)};
	test_time = TEE_NOW;
	describe(f, product);
	f->server = fake_server_start(serve, f);
	if (!tree_new(&f->tree) || !f->server || sd_event_new(&f->event) < 0)
		return CHECK_ROW("begin", false, "none");
	tree_step(&f->tree, "d /store");
	tree_step(&f->tree, "d /files");
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", fake_server_port(f->server));
	snprintf(f->store, sizeof(f->store), "%s/store", f->tree.root);
	snprintf(f->files, sizeof(f->files), "%s/files", f->tree.root);
	f->path_list[0] = f->files;
	f->sources = sources_none();
	f->sources.vcek_store = f->store;
	o.event = f->event;
	o.policy = buf_view(&f->policy);
	return CHECK_ROW("trust", trust_new(&f->trust, &o, &err) == 0, "%s", err.message);
}

static void fix_end(struct fix *f)
{
	examination_free(&f->e);
	trust_free(f->trust);
	fake_server_stop(f->server);
	sd_event_unref(f->event);
	tree_free(&f->tree);
	buf_free(&f->policy);
	buf_free(&f->report);
}

typedef void (*tee_writer)(const struct tee_amd *w, struct buf *out);

/* A file of the tree with what write makes of w; label: as PEM. %s in path is the chip. */
static void lay(struct fix *f, const char *path, const struct tee_amd *w, tee_writer write,
	const char *label)
{
	_cleanup_buf_ struct buf der = BUF_INIT(TEE_DER_MAX), pem = BUF_INIT(TEE_PEM_MAX);
	_cleanup_buf_ struct buf step = BUF_INIT(8 * TEE_DER_MAX);
	struct span chip = span_str(path), rest = {strstr(path, "%s"), 0};

	write(w, &der);
	buf_puts(&step, "x ");
	if (rest.p) {
		chip.len = (size_t)(rest.p - path);
		buf_span(&step, chip);
		buf_puts(&step, f->chip);
		buf_puts(&step, rest.p + 2);
	} else {
		buf_puts(&step, path);
	}
	buf_putc(&step, ' ');
	if (label)
		tee_pem(&pem, label, buf_view(&der));
	codec_hex(&step, label ? pem.p : der.p, label ? pem.len : der.len);
	if (CHECK_ROW(path, step.err == 0, "%d", step.err))
		tree_step(&f->tree, step.p);
}

static void lay_product(struct fix *f)
{
	char path[64];

	snprintf(path, sizeof(path), "/store/%s/cert_chain", snp_product_name(f->w.product));
	lay(f, path, &f->w, tee_amd_intermediate, "CERTIFICATE");
	snprintf(path, sizeof(path), "/store/%s/crl", snp_product_name(f->w.product));
	lay(f, path, &f->w, tee_amd_crl, NULL);
}

/* The report, whose report data is as wanted. */
static void check(struct fix *f, const char *row, enum reason want, bool waits)
{
	const struct verdict *v = &f->e.verdict;

	examination_free(&f->e);
	trust_examine(f->trust, buf_view(&f->report), (const unsigned char *)f->report.p + 0x50,
		test_time, &f->e);
	CHECK_ROW(row, v->reason == want && waits == (f->e.wait_sec > 0), "%s, wait %lld: %s",
		reason_name(v->reason), (long long)f->e.wait_sec, v->message);
}

/* Asks until it is Ok, or for a short while where it never shall be. */
static void come_to(struct fix *f, const char *row, enum reason want)
{
	int64_t end = clock_monotonic_usec() +
		      (want == REASON_Ok ? PATIENCE_SEC : 1) * (int64_t)USEC_PER_SEC;

	do {
		sd_event_run(f->event, 10 * USEC_PER_MSEC);
		examination_free(&f->e);
		trust_examine(f->trust, buf_view(&f->report),
			(const unsigned char *)f->report.p + 0x50, test_time, &f->e);
	} while (f->e.verdict.reason != REASON_Ok && clock_monotonic_usec() < end);
	CHECK_ROW(row, f->e.verdict.reason == want, "%s: %s", reason_name(f->e.verdict.reason),
		f->e.verdict.message);
}

static void test_layouts(void)
{
	static const struct {
		const char *name, *file, *label;
		enum snp_product product;
	} rows[] = {
		{"DER", "/store/Milan/%s/bl03.der", NULL, SNP_MILAN},
		{"PEM", "/store/Milan/%s/bl03.pem", "CERTIFICATE", SNP_MILAN},
		{"any name", "/store/Milan/%s/x", NULL, SNP_MILAN},
		{"Trustee's", "/store/vcek/%s/bl03_tee00_snp20_ucode209_vcek.der", NULL, SNP_MILAN},
		{"Genoa", "/store/Genoa/%s/vcek.der", NULL, SNP_GENOA},
		{"Turin", "/store/Turin/%s/vcek.der", NULL, SNP_TURIN},
		{"Trustee's Turin", "/store/vcek/%s/vcek.der", "CERTIFICATE", SNP_TURIN},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f;

		if (fix_begin(&f, rows[i].product)) {
			lay_product(&f);
			lay(&f, rows[i].file, &f.w, tee_amd_leaf, rows[i].label);
			check(&f, rows[i].name, REASON_CollateralMissing, true);
			come_to(&f, rows[i].name, REASON_Ok);
			CHECK_ROW(rows[i].name, f.e.verdict.crl == CRL_CHECKED, "no list");
		}
		fix_end(&f);
	}
}

static void forge(struct tee_amd *w)
{
	w->leaf.break_signature = true;
}

static void other_tcb(struct tee_amd *w)
{
	w->spl[TEE_SPL_MICROCODE]--;
}

static void other_chip(struct tee_amd *w)
{
	w->hwid[0] ^= 1;
}

static void late(struct tee_amd *w)
{
	w->leaf.not_after = TEE_NOW - 1;
}

/* What is in the folder of a chip is believed no more than what anybody serves. */
static void test_judged(void)
{
	static const struct {
		const char *name, *file;
		void (*change)(struct tee_amd *w); /* NULL: as it should be */
		const char *beside;                /* a further file */
		enum reason want;
	} rows[] = {
		{"forged", "/store/Milan/%s/a.der", forge, NULL, REASON_CollateralMissing},
		{"of another TCB", "/store/Milan/%s/a.der", other_tcb, NULL,
			REASON_CollateralMissing},
		{"of another chip", "/store/Milan/%s/a.der", other_chip, NULL,
			REASON_CollateralMissing},
		{"over", "/store/Milan/%s/a.der", late, NULL, REASON_CollateralMissing},
		{"of another product's folder", "/store/Genoa/%s/a.der", NULL, NULL,
			REASON_CollateralMissing},
		{"deeper", "/store/Milan/%s/more/a.der", NULL, NULL, REASON_CollateralMissing},
		{"hidden", "/store/Milan/%s/.a.der", NULL, NULL, REASON_CollateralMissing},
		{"beside what is none", "/store/Milan/%s/b.der", NULL, "f /store/Milan/%s/a text",
			REASON_Ok},
		{"beside a broken one", "/store/Milan/%s/b.der", NULL,
			"x /store/Milan/%s/a 30820000", REASON_Ok},
		{"none", "/store/Milan/other/b.der", NULL, NULL, REASON_CollateralMissing},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf step = BUF_INIT(1024);
		struct fix f;

		if (fix_begin(&f, SNP_MILAN)) {
			struct tee_amd w = f.w;

			if (rows[i].change)
				rows[i].change(&w);
			if (rows[i].beside) {
				const char *at = strstr(rows[i].beside, "%s");

				buf_printf(&step, "%.*s%s%s", (int)(at - rows[i].beside),
					rows[i].beside, f.chip, at + 2);
				tree_step(&f.tree, step.p);
			}
			lay_product(&f);
			lay(&f, rows[i].file, &w, tee_amd_leaf, NULL);
			come_to(&f, rows[i].name, rows[i].want);
		}
		fix_end(&f);
	}
}

/* It says what is missing, and takes it once somebody puts it there. */
static void test_added_later(void)
{
	struct fix f;

	if (fix_begin(&f, SNP_MILAN)) {
		lay_product(&f);
		come_to(&f, "nothing", REASON_CollateralMissing);
		CHECK_ROW("says so",
			strstr(f.e.verdict.message, "it is not in the store") && f.e.wait_sec > 0,
			"%s", f.e.verdict.message);
		lay(&f, "/store/Milan/%s/a.der", &f.w, tee_amd_leaf, NULL);
		test_time += 120;
		/* any new wish looks at the clock */
		f.sources.update = "standard";
		CU_ASSERT_EQUAL(trust_configure(f.trust, &f.sources, NULL), 0);
		come_to(&f, "then", REASON_Ok);
	}
	fix_end(&f);
}

/* Files, then the store, then the service. */
static void test_order(void)
{
	static const struct {
		const char *name, *file; /* the VCEK's; NULL: nobody has it */
		bool asks;
	} rows[] = {
		{"files", "/files/vcek.der", false},
		{"store", "/store/Milan/%s/a.der", false},
		{"service", NULL, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f;

		if (fix_begin(&f, SNP_MILAN)) {
			lay_product(&f);
			if (rows[i].file)
				lay(&f, rows[i].file, &f.w, tee_amd_leaf, NULL);
			lay(&f, "/files/ask.der", &f.w, tee_amd_intermediate, NULL);
			lay(&f, "/files/crl.der", &f.w, tee_amd_crl, NULL);
			f.sources.kds = f.url;
			f.sources.paths = (struct strings){f.path_list, 1};
			CU_ASSERT_EQUAL(trust_configure(f.trust, &f.sources, NULL), 0);
			if (i == 0)
				check(&f, "at once", REASON_Ok, false);
			come_to(&f, rows[i].name,
				rows[i].asks ? REASON_CollateralMissing : REASON_Ok);
			for (int64_t end = clock_monotonic_usec() +
					   PATIENCE_SEC * (int64_t)USEC_PER_SEC;
				rows[i].asks && !f.asked && clock_monotonic_usec() < end;)
				sd_event_run(f.event, 10 * USEC_PER_MSEC);
			CHECK_ROW(rows[i].name, (f.asked > 0) == rows[i].asks, "%u", f.asked);
		}
		fix_end(&f);
	}
}

/* A list that is older than was seen, until the store has the newer one. */
static void test_old_list(void)
{
	struct basis seen = {.known = true, .tee = TEE_TYPE_SNP, .product = SNP_MILAN};
	struct fix f;

	if (fix_begin(&f, SNP_MILAN)) {
		lay_product(&f);
		lay(&f, "/store/Milan/%s/a.der", &f.w, tee_amd_leaf, NULL);
		come_to(&f, "first", REASON_Ok);
		seen.lists.issuer = SEEN_NUMBER;
		trust_seen(f.trust, &seen);
		check(&f, "as high", REASON_Ok, false);
		seen.lists.issuer = SEEN_NUMBER + 1;
		trust_seen(f.trust, &seen);
		check(&f, "higher", REASON_CollateralRolledBack, true);
		CHECK_STR("why", span_str(f.e.verdict.message),
			"the revocation list of \"ARK-Milan\" has the CRLNumber 4, and 5 was seen: "
			"fetch it anew, and ask who served the old one");
		f.w.crl.number = SEEN_NUMBER + 1;
		lay_product(&f);
		test_time += 61;
		come_to(&f, "newer", REASON_Ok);
	}
	fix_end(&f);
}

CU_TestInfo vcek_store_tests[] = {
	{"layouts", test_layouts},
	{"judged", test_judged},
	{"added later", test_added_later},
	{"order", test_order},
	{"old list", test_old_list},
	CU_TEST_INFO_NULL,
};
