/* SPDX-License-Identifier: Apache-2.0
 *
 * Every case of tests/tee, and what every bit and every length of evidence is worth. */
#include "tests/unit/test.h"
#include "tests/unit/verify_world.h"

/* Cold, then twice with a cache that has seen good evidence of the same vendor. */
enum { ROUNDS = 3, CACHE = 64 };

static void check(const char *row, enum reason want, const struct verdict *v)
{
	CHECK_ROW(row, v->reason == want, "%s, not %s: %s", reason_name(v->reason),
		reason_name(want), v->message);
	CHECK_ROW(row, (v->reason == REASON_Ok) == (v->message[0] == '\0'), "message '%s'",
		v->message);
}

static void warm(struct span good, const struct collateral *c, struct verify_cache *cache)
{
	const struct tee_setup s = {.time = TEE_NOW};
	struct evidence e;
	struct verdict v;

	world_judge(&v, &e, good, c, &s, cache);
	evidence_free(&e);
}

/* bytes, and those of what is right. */
static void check_rounds(const char *row, enum reason want, struct span bytes, struct span good,
	const struct collateral *c, const struct tee_setup *s)
{
	_cleanup_(verify_cache_free_p) struct verify_cache *cache = NULL;

	for (int round = 0; round < ROUNDS; round++) {
		struct evidence e;
		struct verdict v;

		world_judge(&v, &e, bytes, c, s, cache);
		check(row, want, &v);
		evidence_free(&e);
		if (round == 0) {
			CU_ASSERT_EQUAL(verify_cache_new(&cache, CACHE, NULL), 0);
			warm(good, c, cache);
		}
	}
}

static void as_it_is(struct tee_intel *w, struct tee_setup *s)
{
	(void)w;
	(void)s;
}

static void as_it_is_amd(struct tee_amd *w, struct tee_setup *s)
{
	(void)w;
	(void)s;
}

static void test_intel(void)
{
	for (size_t i = 0; i < tee_n_intel_cases; i++) {
		const struct tee_intel_case *row = &tee_intel_cases[i];
		const struct tee_intel_case right = {"", row->base, REASON_Ok, as_it_is};
		_cleanup_buf_ struct buf quote = BUF_INIT(TEE_QUOTE_MAX),
					 good = BUF_INIT(TEE_QUOTE_MAX);
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		struct tee_intel w;
		struct tee_setup s;

		tee_intel_case(&right, &w, &s);
		tee_intel_quote(&w, &good);
		tee_intel_case(row, &w, &s);
		tee_intel_quote(&w, &quote);
		c = world_collateral(&w, &s);
		if (c)
			check_rounds(
				row->name, row->reason, buf_view(&quote), buf_view(&good), c, &s);
	}
}

static void test_amd(void)
{
	for (size_t i = 0; i < tee_n_amd_cases; i++) {
		const struct tee_amd_case *row = &tee_amd_cases[i];
		const struct tee_amd_case right = {"", row->base, REASON_Ok, as_it_is_amd};
		_cleanup_buf_ struct buf report = BUF_INIT(TEE_QUOTE_MAX),
					 good = BUF_INIT(TEE_QUOTE_MAX);
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		struct tee_amd w;
		struct tee_setup s;

		tee_amd_case(&right, &w, &s);
		tee_amd_extended(&w, &good);
		tee_amd_case(row, &w, &s);
		tee_amd_extended(&w, &report);
		c = world_amd_collateral(&w, &s, false);
		if (c)
			check_rounds(
				row->name, row->reason, buf_view(&report), buf_view(&good), c, &s);
	}
}

/* The same certificates from the collateral: as little is accepted. Leaves that cannot be read
 * cannot be taken up either. */
static void test_amd_collateral(void)
{
	for (size_t i = 0; i < tee_n_amd_cases; i++) {
		const struct tee_amd_case *row = &tee_amd_cases[i];
		_cleanup_buf_ struct buf report = BUF_INIT(TEE_QUOTE_MAX);
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		struct evidence e;
		struct tee_amd w;
		struct tee_setup s;
		struct verdict v;

		if (row->reason == REASON_ChainInvalid)
			continue;
		tee_amd_case(row, &w, &s);
		tee_amd_report(&w, &report);
		c = world_amd_collateral(&w, &s, true);
		if (!c)
			continue;
		world_judge(&v, &e, buf_view(&report), c, &s, NULL);
		if (row->reason == REASON_ChipMismatch)
			CHECK_ROW(row->name,
				v.reason == REASON_ChipMismatch ||
					v.reason == REASON_CollateralMissing,
				"%s: %s", reason_name(v.reason), v.message);
		else
			check(row->name, row->reason, &v);
		evidence_free(&e);
	}
}

/* No bit of evidence can be turned. Of bytes in some, one bit each: where others turn all, or where
 * it takes long. */
static void check_flips(
	const char *row, struct span good, const struct collateral *c, struct span some)
{
	_cleanup_(verify_cache_free_p) struct verify_cache *cache = NULL;
	_cleanup_free_ char *copy = malloc(good.len);
	const struct tee_setup s = {.time = TEE_NOW};

	CU_ASSERT_EQUAL(verify_cache_new(&cache, CACHE, NULL), 0);
	warm(good, c, cache);
	memcpy(copy, good.p, good.len);
	for (size_t bit = 0; bit < 8 * good.len; bit++) {
		struct evidence e;
		struct verdict v;
		size_t at = bit / 8;

		if (good.p + at >= some.p && good.p + at < some.p + some.len && bit % 8 != at % 8)
			continue;
		copy[at] ^= (char)(1 << bit % 8);
		world_judge(&v, &e, (struct span){copy, good.len}, c, &s, cache);
		CHECK_ROW(row, !verdict_accepted(&v), "bit %zu of byte %zu may be turned", bit % 8,
			at);
		evidence_free(&e);
		copy[at] ^= (char)(1 << bit % 8);
	}
}

static void check_cuts(const char *row, struct span good, const struct collateral *c)
{
	const struct tee_setup s = {.time = TEE_NOW};

	for (size_t n = 0; n < good.len; n++) {
		_cleanup_free_ char *copy = malloc(n + 1);
		struct evidence e;
		struct verdict v;

		memcpy(copy, good.p, n);
		world_judge(&v, &e, (struct span){copy, n}, c, &s, NULL);
		CHECK_ROW(row, !verdict_accepted(&v), "cut at %zu", n);
		evidence_free(&e);
	}
}

static void test_bits_of_quotes(void)
{
	for (int tdx = 0; tdx < 2; tdx++) {
		const struct tee_setup s = {.time = TEE_NOW};
		_cleanup_buf_ struct buf quote = BUF_INIT(TEE_QUOTE_MAX);
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		struct tee_intel w;
		const char *pem;

		if (tdx)
			tee_intel_tdx(&w, 5, true);
		else
			tee_intel_sgx(&w);
		tee_intel_quote(&w, &quote);
		c = world_collateral(&w, &s);
		pem = memmem(quote.p, quote.len, "-----BEGIN", 10);
		if (!c || !pem)
			continue;
		check_flips(tdx ? "TDX" : "SGX", buf_view(&quote), c,
			(struct span){pem, (size_t)(quote.p + quote.len - pem)});
		check_cuts(tdx ? "TDX" : "SGX", buf_view(&quote), c);
	}
}

static void test_bits_of_reports(void)
{
	const struct tee_setup s = {.time = TEE_NOW};
	_cleanup_buf_ struct buf report = BUF_INIT(TEE_QUOTE_MAX);
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	struct tee_amd w;

	tee_amd(&w, SNP_TURIN, 5, false);
	tee_amd_report(&w, &report);
	c = world_amd_collateral(&w, &s, true);
	if (!c)
		return;
	check_flips("SNP", buf_view(&report), c, buf_view(&report));
	check_cuts("SNP", buf_view(&report), c);
}

const CU_TestInfo verify_cases_tests[] = {
	{"Intel: one thing wrong, one reason", test_intel},
	{"AMD: one thing wrong, one reason", test_amd},
	{"AMD: certificates from the collateral", test_amd_collateral},
	{"no bit of a quote can be turned, no part is one", test_bits_of_quotes},
	{"no bit of a report can be turned, no part is one", test_bits_of_reports},
	CU_TEST_INFO_NULL,
};
