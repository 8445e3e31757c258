/* SPDX-License-Identifier: Apache-2.0
 *
 * verify [ROUNDS]: what verifying a real SGX quote costs, beside one P-256 verification of OpenSSL
 * in the same run: with attestation key and chain cached, with the chain alone, and cold (all
 * parsing, and every signature but the roots', which are there from the start). CPU time, medians
 * of rounds taken in turn. Fails beyond the bounds. Run from the top of the tree. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/buf.h"
#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/verify.h"

#define QUOTE      "tests/vectors/dcap-qvl/sgx_quote"
#define COLLATERAL "tests/vectors/dcap-qvl/sgx_quote_collateral.json"

enum { AT = 1751000000, ROUNDS = 300, ROUNDS_MAX = 100000, BATCH = 8, FILE_MAX = 1 << 20 };

struct bench {
	struct buf quote, text;
	struct span changed; /* the quote with another signature of the quoting enclave */
	struct verify_policy policy;
	struct collateral *collateral;
	struct verify_cache *hot;
	/* For each verification of a round: a cache that holds the chain alone, and roots alone. */
	struct verify_cache *chain[BATCH];
	struct collateral *roots[BATCH];
	EVP_PKEY_CTX *ctx;
	unsigned char digest[32], signature[80];
	size_t signature_len;
};

static void fail(const char *what)
{
	fprintf(stderr, "verify: %s\n", what);
	exit(1);
}

static void read_file(struct buf *b, const char *path)
{
	FILE *f = fopen(path, "re");
	char block[4096];
	size_t n;

	*b = BUF_INIT(FILE_MAX);
	if (!f)
		fail(path);
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(b, block, n);
	fclose(f);
	if (b->err)
		fail(path);
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
static void prepare(struct bench *b)
{
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

static void run_reference(struct bench *b, int i)
{
	(void)i;
	if (EVP_PKEY_verify(b->ctx, b->signature, b->signature_len, b->digest, 32) != 1)
		fail("the reference's signature is wrong");
}

static void run_hot(struct bench *b, int i)
{
	(void)i;
	judge(b, buf_view(&b->quote), b->collateral, b->hot, REASON_Ok);
}

static void run_chain(struct bench *b, int i)
{
	judge(b, buf_view(&b->quote), b->collateral, b->chain[i], REASON_Ok);
}

static void run_cold(struct bench *b, int i)
{
	add_collateral(b, b->roots[i]);
	judge(b, buf_view(&b->quote), b->roots[i], NULL, REASON_Ok);
}

enum { REFERENCE, KINDS = 4 };

static const struct kind {
	const char *name;
	void (*run)(struct bench *b, int i);
	double bound; /* times the reference */
} kinds[KINDS] = {
	{"OpenSSL P-256 verification", run_reference, 1},
	{"SGX quote, attestation key cached", run_hot, 1.3},
	{"SGX quote, chain cached", run_chain, 2.6},
	{"SGX quote, cold", run_cold, 16},
};

static double cpu_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* A key and a signature of OpenSSL's own making. */
static void make_reference(struct bench *b)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(key, NULL);

	memset(b->digest, 0x5a, sizeof(b->digest));
	b->signature_len = sizeof(b->signature);
	b->ctx = EVP_PKEY_CTX_new(key, NULL);
	if (!key || !sign || !b->ctx || EVP_PKEY_sign_init(sign) != 1 ||
		EVP_PKEY_sign(sign, b->signature, &b->signature_len, b->digest, 32) != 1 ||
		EVP_PKEY_verify_init(b->ctx) != 1)
		fail("OpenSSL makes no signature");
	EVP_PKEY_CTX_free(sign);
	EVP_PKEY_free(key);
}

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
	make_reference(b);
	run_hot(b, 0);
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *t, size_t n)
{
	qsort(t, n, sizeof(*t), compare);
	return t[n / 2];
}

static int report(double *took[KINDS], size_t rounds)
{
	double reference = median(took[REFERENCE], rounds);
	int missed = 0;

	for (int k = 0; k < KINDS; k++) {
		double t = median(took[k], rounds), ratio = t / reference;

		printf("%-36s %8.1f us %6.2f", kinds[k].name, t, ratio);
		if (k == REFERENCE) {
			putchar('\n');
			continue;
		}
		printf(" (at most %.1f) %s\n", kinds[k].bound,
			ratio <= kinds[k].bound ? "ok" : "MISSED");
		missed += ratio > kinds[k].bound;
	}
	return missed ? 1 : 0;
}

static void tear_down(struct bench *b)
{
	for (int i = 0; i < BATCH; i++) {
		verify_cache_free(b->chain[i]);
		collateral_free(b->roots[i]);
	}
	verify_cache_free(b->hot);
	collateral_free(b->collateral);
	EVP_PKEY_CTX_free(b->ctx);
	buf_free(&b->quote);
	buf_free(&b->text);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	struct bench b = {0};
	double *took[KINDS];
	char *changed;
	int r;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		fail("a number of rounds from 1 to 100000");
	read_file(&b.quote, QUOTE);
	read_file(&b.text, COLLATERAL);
	changed = malloc(b.quote.len);
	for (int k = 0; k < KINDS; k++)
		took[k] = calloc(rounds, sizeof(double));
	if (!changed || !took[0] || !took[1] || !took[2] || !took[3])
		fail("out of memory");
	set_up(&b, changed);
	for (size_t n = 0; n < rounds; n++) {
		prepare(&b);
		for (int k = 0; k < KINDS; k++) {
			double began = cpu_usec();

			for (int i = 0; i < BATCH; i++)
				kinds[k].run(&b, i);
			took[k][n] = (cpu_usec() - began) / BATCH;
		}
	}
	r = report(took, rounds);
	tear_down(&b);
	for (int k = 0; k < KINDS; k++)
		free(took[k]);
	free(changed);
	return r;
}
