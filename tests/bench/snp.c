/* SPDX-License-Identifier: Apache-2.0
 *
 * snp [ROUNDS]: what verifying a real SNP report costs, beside one P-384 verification of OpenSSL in
 * the same run: with the chain cached, the VCEK from collateral or from the evidence itself, and
 * without a cache. CPU time, medians of rounds taken in turn. Fails beyond the bounds. Run from the
 * top of the tree. */
#include "common/base/buf.h"
#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "tests/bench/ratio/ratio.h"

#define VECTORS "tests/vectors/"

enum { AT = 1751000000 };

struct bench {
	struct buf report, vcek;
	struct evidence bare, with_certs;
	struct collateral *collateral;
	struct verify_cache *cache;
	struct verify_policy policy;
};

static void fail(const char *what)
{
	ratio_fail("snp", what);
}

static void judge(const struct bench *b, const struct evidence *e, struct verify_cache *cache)
{
	struct verify_input in = {
		.evidence = e, .collateral = b->collateral, .policy = &b->policy, .time = AT};
	struct verdict v;

	verify(&in, cache, &v);
	if (v.reason != REASON_Ok)
		fail(v.message);
}

static void run_collateral(void *ctx, int i)
{
	struct bench *b = ctx;

	(void)i;
	judge(b, &b->bare, b->cache);
}

static void run_evidence(void *ctx, int i)
{
	struct bench *b = ctx;

	(void)i;
	judge(b, &b->with_certs, b->cache);
}

static void run_cold(void *ctx, int i)
{
	struct bench *b = ctx;

	(void)i;
	judge(b, &b->with_certs, NULL);
}

static const struct ratio_kind kinds[] = {
	{"SNP report, VCEK of the collateral", run_collateral, 1.1},
	{"SNP report, VCEK in the evidence", run_evidence, 1.1},
	{"SNP report, no cache", run_cold, 2},
};

static void add(struct bench *b, const char *path)
{
	struct error err = {0};

	if (collateral_add_path(b->collateral, path, &err) < 0)
		fail(err.message);
}

static void set_up(struct bench *b)
{
	struct error err = {0};
	enum reason reason;

	ratio_read_file(&b->report, "snp", VECTORS "trustee/test-report.bin");
	ratio_read_file(&b->vcek, "snp", VECTORS "trustee/test-vcek.der");
	if (collateral_new(&b->collateral, &err) < 0 ||
		evidence_open(&b->bare, buf_view(&b->report), &reason, &err) < 0 ||
		evidence_open(&b->with_certs, buf_view(&b->report), &reason, &err) < 0 ||
		verify_cache_new(&b->cache, 64, &err) < 0)
		fail(err.message);
	b->with_certs.certs.vcek = buf_view(&b->vcek);
	add(b, VECTORS "trustee/test-vcek.der");
	add(b, VECTORS "amd-roots/ask_ark_milan.pem");
	run_collateral(b, 0);
	run_evidence(b, 0);
}

static void tear_down(struct bench *b)
{
	evidence_free(&b->bare);
	evidence_free(&b->with_certs);
	collateral_free(b->collateral);
	verify_cache_free(b->cache);
	buf_free(&b->report);
	buf_free(&b->vcek);
}

int main(int argc, char **argv)
{
	struct bench b = {0};
	const struct ratio ratio = {
		.program = "snp",
		.curve = "P-384",
		.kinds = kinds,
		.n_kinds = ARRAY_SIZE(kinds),
		.rounds = 60,
		.batch = 4,
		.ctx = &b,
	};
	int code;

	set_up(&b);
	code = ratio_main(&ratio, argc, argv);
	tear_down(&b);
	return code;
}
