/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/ratio/ratio.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 100000, FILE_MAX = 1 << 20, REFERENCE_MAX = 128 };

/* A signature of OpenSSL's own making. */
struct reference {
	EVP_PKEY_CTX *ctx;
	unsigned char digest[48], signature[REFERENCE_MAX];
	size_t digest_len, signature_len;
};

void ratio_fail(const char *program, const char *what)
{
	fprintf(stderr, "%s: %s\n", program, what);
	exit(1);
}

void ratio_read_file(struct buf *ret, const char *program, const char *path)
{
	FILE *f = fopen(path, "re");
	char block[4096];
	size_t n;

	*ret = BUF_INIT(FILE_MAX);
	if (!f)
		ratio_fail(program, path);
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(ret, block, n);
	fclose(f);
	if (ret->err)
		ratio_fail(program, path);
}

static void make_reference(struct reference *ref, const struct ratio *r)
{
	EVP_PKEY *key = EVP_EC_gen(r->curve);
	EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(key, NULL);

	memset(ref->digest, 0x5a, sizeof(ref->digest));
	ref->digest_len = strcmp(r->curve, "P-256") == 0 ? 32 : 48;
	ref->signature_len = sizeof(ref->signature);
	ref->ctx = EVP_PKEY_CTX_new(key, NULL);
	if (!key || !sign || !ref->ctx || EVP_PKEY_sign_init(sign) != 1 ||
		EVP_PKEY_sign(sign, ref->signature, &ref->signature_len, ref->digest,
			ref->digest_len) != 1 ||
		EVP_PKEY_verify_init(ref->ctx) != 1)
		ratio_fail(r->program, "OpenSSL makes no signature");
	EVP_PKEY_CTX_free(sign);
	EVP_PKEY_free(key);
}

static void run_reference(const struct reference *ref, const struct ratio *r)
{
	if (EVP_PKEY_verify(ref->ctx, ref->signature, ref->signature_len, ref->digest,
		    ref->digest_len) != 1)
		ratio_fail(r->program, "the reference's signature is wrong");
}

static double cpu_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* kind NULL: the reference. Microseconds of one run. */
static double measure(
	const struct ratio *r, const struct reference *ref, const struct ratio_kind *kind)
{
	double began = cpu_usec();

	for (int i = 0; i < r->batch; i++) {
		if (kind)
			kind->run(r->ctx, i);
		else
			run_reference(ref, r);
	}
	return (cpu_usec() - began) / r->batch;
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

/* times: of the reference, then of each kind. */
static int report(const struct ratio *r, double *times, size_t rounds)
{
	double one = median(times, rounds);
	char name[64];
	int missed = 0;

	snprintf(name, sizeof(name), "OpenSSL %s verification", r->curve);
	printf("%-36s %8.1f us\n", name, one);
	for (size_t k = 0; k < r->n_kinds; k++) {
		double t = median(times + (k + 1) * rounds, rounds), ratio = t / one;
		bool held = ratio <= r->kinds[k].bound;

		printf("%-36s %8.1f us %6.2f (at most %.1f) %s\n", r->kinds[k].name, t, ratio,
			r->kinds[k].bound, held ? "ok" : "MISSED");
		missed += !held;
	}
	return missed ? 1 : 0;
}

int ratio_main(const struct ratio *r, int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : r->rounds;
	double *times;
	struct reference ref = {0};
	int code;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		ratio_fail(r->program, "a number of rounds from 1 to 100000");
	times = calloc((r->n_kinds + 1) * rounds, sizeof(*times));
	if (!times)
		ratio_fail(r->program, "out of memory");
	make_reference(&ref, r);
	for (size_t n = 0; n < rounds; n++) {
		if (r->prepare)
			r->prepare(r->ctx);
		times[n] = measure(r, &ref, NULL);
		for (size_t k = 0; k < r->n_kinds; k++)
			times[(k + 1) * rounds + n] = measure(r, &ref, &r->kinds[k]);
	}
	code = report(r, times, rounds);
	EVP_PKEY_CTX_free(ref.ctx);
	free(times);
	return code;
}
