/* SPDX-License-Identifier: Apache-2.0
 *
 * snp [ROUNDS]: what verifying a real SNP report costs, beside one P-384 verification of OpenSSL in
 * the same run: with the chain cached, the VCEK from collateral or from the evidence itself, and
 * without a cache. CPU time, medians of rounds taken in turn. Fails beyond the bounds. Run from the
 * top of the tree. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/buf.h"
#include "common/tee/collateral.h"
#include "common/tee/evidence.h"

#define VECTORS "tests/vectors/"

enum { AT = 1751000000, ROUNDS = 60, ROUNDS_MAX = 10000, BATCH = 4, FILE_MAX = 1 << 20 };

struct bench {
	struct buf report, vcek;
	struct evidence bare, with_certs;
	struct collateral *collateral;
	struct verify_cache *cache;
	struct verify_policy policy;
	EVP_PKEY_CTX *ctx;
	unsigned char digest[48], signature[120];
	size_t signature_len;
};

static void fail(const char *what)
{
	fprintf(stderr, "snp: %s\n", what);
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

static void judge(const struct bench *b, const struct evidence *e, struct verify_cache *cache)
{
	struct verify_input in = {
		.evidence = e, .collateral = b->collateral, .policy = &b->policy, .time = AT};
	struct verdict v;

	verify(&in, cache, &v);
	if (v.reason != REASON_Ok)
		fail(v.message);
}

static void run_reference(struct bench *b)
{
	if (EVP_PKEY_verify(b->ctx, b->signature, b->signature_len, b->digest, 48) != 1)
		fail("the reference's signature is wrong");
}

static void run_collateral(struct bench *b)
{
	judge(b, &b->bare, b->cache);
}

static void run_evidence(struct bench *b)
{
	judge(b, &b->with_certs, b->cache);
}

static void run_cold(struct bench *b)
{
	judge(b, &b->with_certs, NULL);
}

enum { REFERENCE, KINDS = 4 };

static const struct kind {
	const char *name;
	void (*run)(struct bench *b);
	double bound; /* times the reference */
} kinds[KINDS] = {
	{"OpenSSL P-384 verification", run_reference, 1},
	{"SNP report, VCEK of the collateral", run_collateral, 1.1},
	{"SNP report, VCEK in the evidence", run_evidence, 1.1},
	{"SNP report, no cache", run_cold, 2},
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
	EVP_PKEY *key = EVP_EC_gen("P-384");
	EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(key, NULL);

	memset(b->digest, 0x5a, sizeof(b->digest));
	b->signature_len = sizeof(b->signature);
	b->ctx = EVP_PKEY_CTX_new(key, NULL);
	if (!key || !sign || !b->ctx || EVP_PKEY_sign_init(sign) != 1 ||
		EVP_PKEY_sign(sign, b->signature, &b->signature_len, b->digest, 48) != 1 ||
		EVP_PKEY_verify_init(b->ctx) != 1)
		fail("OpenSSL makes no signature");
	EVP_PKEY_CTX_free(sign);
	EVP_PKEY_free(key);
}

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

	read_file(&b->report, VECTORS "trustee/test-report.bin");
	read_file(&b->vcek, VECTORS "trustee/test-vcek.der");
	if (collateral_new(&b->collateral, &err) < 0 ||
		evidence_open(&b->bare, buf_view(&b->report), &reason, &err) < 0 ||
		evidence_open(&b->with_certs, buf_view(&b->report), &reason, &err) < 0 ||
		verify_cache_new(&b->cache, 64, &err) < 0)
		fail(err.message);
	b->with_certs.certs.vcek = buf_view(&b->vcek);
	add(b, VECTORS "trustee/test-vcek.der");
	add(b, VECTORS "amd-roots/ask_ark_milan.pem");
	make_reference(b);
	run_collateral(b);
	run_evidence(b);
}

static void tear_down(struct bench *b)
{
	evidence_free(&b->bare);
	evidence_free(&b->with_certs);
	collateral_free(b->collateral);
	verify_cache_free(b->cache);
	EVP_PKEY_CTX_free(b->ctx);
	buf_free(&b->report);
	buf_free(&b->vcek);
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

static int report(double took[KINDS][ROUNDS_MAX], size_t rounds)
{
	double reference = median(took[REFERENCE], rounds);
	int missed = 0;

	printf("%-36s %8.1f us\n", kinds[REFERENCE].name, reference);
	for (int k = 1; k < KINDS; k++) {
		double t = median(took[k], rounds), ratio = t / reference;

		printf("%-36s %8.1f us %6.2f (at most %.1f) %s\n", kinds[k].name, t, ratio,
			kinds[k].bound, ratio <= kinds[k].bound ? "ok" : "MISSED");
		missed += ratio > kinds[k].bound;
	}
	return missed ? 1 : 0;
}

int main(int argc, char **argv)
{
	static double took[KINDS][ROUNDS_MAX];
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	struct bench b = {0};

	if (rounds < 1 || rounds > ROUNDS_MAX)
		fail("a number of rounds from 1 to 10000");
	set_up(&b);
	for (size_t n = 0; n < rounds; n++)
		for (int k = 0; k < KINDS; k++) {
			double began = cpu_usec();

			for (int i = 0; i < BATCH; i++)
				kinds[k].run(&b);
			took[k][n] = (cpu_usec() - began) / BATCH;
		}
	tear_down(&b);
	return report(took, rounds);
}
