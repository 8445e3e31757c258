/* SPDX-License-Identifier: Apache-2.0
 *
 * verify [ROUNDS]: what verifying a real SGX quote costs, beside one P-256 verification of OpenSSL
 * in the same run: with attestation key and chain cached, with the chain alone, and cold (all
 * parsing, and every signature but the roots', which are there from the start). CPU time, medians
 * of rounds taken in turn. Fails beyond the bounds. Run from the top of the tree. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/verify.h"
#include "tests/bench/ratio/ratio.h"

#define QUOTE      "tests/vectors/dcap-qvl/sgx_quote"
#define COLLATERAL "tests/vectors/dcap-qvl/sgx_quote_collateral.json"

enum { AT = 1751000000, BATCH = 8 };

struct bench {
	struct buf quote, text;
	struct span changed; /* the quote with another signature of the quoting enclave */
	struct verify_policy policy;
	struct collateral *collateral;
	struct verify_cache *hot;
	/* For each verification of a round: a cache that holds the chain alone, and roots alone. */
	struct verify_cache *chain[BATCH];
	struct collateral *roots[BATCH];
};

static void fail(const char *what)
{
	ratio_fail("verify", what);
}

static void judge(const struct bench *b, struct span quote, const struct collateral *c,
	struct verify_cache *cache, enum reason want)
{
	struct evidence e = {.tee = TEE_TYPE_SGX};
	struct verdict v;
	struct verify_input in = {
		.evidence = &e, .collateral = c, .policy = &b->policy, .time = AT};
	enum reason reason;

	if (quote_parse(&e.quote, quote, &reason, NULL) < 0)
		fail("the quote cannot be read");
	verify(&in, cache, &v);
	if (v.reason != want)
		fail(v.message);
}

static struct collateral *new_collateral(void)
{
	struct collateral *c = NULL;
	struct error err = {0};

	if (collateral_new(&c, &err) < 0)
		fail(err.message);
	return c;
}

static void add_collateral(const struct bench *b, struct collateral *c)
{
	struct error err = {0};

	if (collateral_add(c, buf_view(&b->text), COLLATERAL, &err) < 0)
		fail(err.message);
}

/* Fresh state for each verification of a round that must not find what the last one left. */
static void prepare(void *ctx)
{
	struct bench *b = ctx;

	for (int i = 0; i < BATCH; i++) {
		verify_cache_free(b->chain[i]);
		if (verify_cache_new(&b->chain[i], 4, NULL) < 0)
			fail("out of memory");
		judge(b, b->changed, b->collateral, b->chain[i], REASON_QeReportInvalid);
		collateral_free(b->roots[i]);
		b->roots[i] = new_collateral();
		cert_key(b->roots[i]->roots.intel);
	}
}

static void run_hot(void *ctx, int i)
{
	struct bench *b = ctx;

	(void)i;
	judge(b, buf_view(&b->quote), b->collateral, b->hot, REASON_Ok);
}

static void run_chain(void *ctx, int i)
{
	struct bench *b = ctx;

	judge(b, buf_view(&b->quote), b->collateral, b->chain[i], REASON_Ok);
}

static void run_cold(void *ctx, int i)
{
	struct bench *b = ctx;

	add_collateral(b, b->roots[i]);
	judge(b, buf_view(&b->quote), b->roots[i], NULL, REASON_Ok);
}

static const struct ratio_kind kinds[] = {
	{"SGX quote, attestation key cached", run_hot, 1.3},
	{"SGX quote, chain cached", run_chain, 2.6},
	{"SGX quote, cold", run_cold, 16},
};

static void set_up(struct bench *b, char *changed)
{
	enum { QE_SIGNATURE = 948 };
	static const struct span advisories[] = {{"INTEL-SA-00289", 14}, {"INTEL-SA-00615", 14}};

	b->policy = (struct verify_policy){
		.accepted_tcb = 1u << TCB_ConfigurationAndSWHardeningNeeded,
		.accepted_advisories = advisories,
		.n_accepted_advisories = 2,
	};
	memcpy(changed, b->quote.p, b->quote.len);
	changed[QE_SIGNATURE] ^= 1;
	b->changed = (struct span){changed, b->quote.len};
	b->collateral = new_collateral();
	add_collateral(b, b->collateral);
	if (verify_cache_new(&b->hot, 64, NULL) < 0)
		fail("out of memory");
	run_hot(b, 0);
}

static void tear_down(struct bench *b)
{
	for (int i = 0; i < BATCH; i++) {
		verify_cache_free(b->chain[i]);
		collateral_free(b->roots[i]);
	}
	verify_cache_free(b->hot);
	collateral_free(b->collateral);
	buf_free(&b->quote);
	buf_free(&b->text);
}

int main(int argc, char **argv)
{
	struct bench b = {0};
	const struct ratio ratio = {
		.program = "verify",
		.curve = "P-256",
		.kinds = kinds,
		.n_kinds = ARRAY_SIZE(kinds),
		.rounds = 300,
		.batch = BATCH,
		.prepare = prepare,
		.ctx = &b,
	};
	char *changed;
	int code;

	ratio_read_file(&b.quote, "verify", QUOTE);
	ratio_read_file(&b.text, "verify", COLLATERAL);
	changed = malloc(b.quote.len);
	if (!changed)
		fail("out of memory");
	set_up(&b, changed);
	code = ratio_main(&ratio, argc, argv);
	tear_down(&b);
	free(changed);
	return code;
}
