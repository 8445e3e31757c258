/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole verifications of Intel's evidence: the first byte says against which real collateral and
 * how, the rest is the quote. Signatures are taken for right (the linker puts __wrap_… in the place
 * of what checks them), so that what lies behind them is reached; with CASEMATE_FUZZ_REAL set they
 * are checked, and then nothing but the real quotes may be accepted. Run from the top of the tree.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/signature.h"
#include "common/tee/verify.h"

#define VECTORS "tests/vectors/"

enum { SETS = 3, FILE_MAX = 1 << 20, CACHE = 64 };

static const struct set {
	const char *quote, *collateral;
	int64_t time;
} sets[SETS] = {
	{"dcap-qvl/sgx_quote", "dcap-qvl/sgx_quote_collateral.json", 1751000000},
	{"dcap-qvl/tdx_quote", "dcap-qvl/tdx_quote_collateral.json", 1751000000},
	{"go-tdx-guest/quote_v5_sample.dat", "dcap-qvl/tdx_quote_outdated_collateral.json",
		1772000000},
};

static struct buf quotes[SETS];
static struct collateral *collateral[SETS];
static struct verify_cache *cache;
static bool real;

static void must(bool ok)
{
	if (!ok)
		abort();
}

int __real_signature_p256(EVP_PKEY *key, const unsigned char rs[64], struct span message);
int __wrap_signature_p256(EVP_PKEY *key, const unsigned char rs[64], struct span message);
int __wrap_signature_p256(EVP_PKEY *key, const unsigned char rs[64], struct span message)
{
	return real ? __real_signature_p256(key, rs, message) : 0;
}

int __real_x509_frame_verify(
	const struct x509_frame *f, enum x509_key kind, EVP_PKEY *key, struct error *err);
int __wrap_x509_frame_verify(
	const struct x509_frame *f, enum x509_key kind, EVP_PKEY *key, struct error *err);
int __wrap_x509_frame_verify(
	const struct x509_frame *f, enum x509_key kind, EVP_PKEY *key, struct error *err)
{
	return real ? __real_x509_frame_verify(f, kind, key, err) : 0;
}

static void read_file(struct buf *b, const char *name)
{
	char path[256], block[4096];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), VECTORS "%s", name);
	*b = BUF_INIT(FILE_MAX);
	f = fopen(path, "re");
	must(f != NULL);
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(b, block, n);
	fclose(f);
	must(b->err == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	real = getenv("CASEMATE_FUZZ_REAL") != NULL;
	for (int i = 0; i < SETS; i++) {
		struct buf text;

		read_file(&quotes[i], sets[i].quote);
		read_file(&text, sets[i].collateral);
		must(collateral_new(&collateral[i], NULL) == 0);
		must(collateral_add(collateral[i], buf_view(&text), sets[i].collateral, NULL) == 0);
		buf_free(&text);
	}
	must(verify_cache_new(&cache, CACHE, NULL) == 0);
	return 0;
}

/* Zeros behind a quote, and white space for the NUL at its end, are no part of what is signed. */
static bool is_real(const struct quote *q)
{
	for (int i = 0; i < SETS; i++)
		if (q->bytes.len <= quotes[i].len &&
			memcmp(q->bytes.p, quotes[i].p, q->bytes.len - 1) == 0)
			return true;
	return false;
}

static void check_verdict(const struct verdict *v, int64_t time)
{
	must(v->reason < REASON_N);
	must(verdict_accepted(v) == (v->message[0] == '\0'));
	must(v->n_advisories <= VERDICT_ADVISORIES_MAX);
	must(v->n_mismatches <= VERDICT_MISMATCHES_MAX);
	if (verdict_accepted(v)) {
		must(v->has_pck && v->crl == CRL_CHECKED && v->platform_id_len == 16);
		must(v->valid_until >= time);
		must(v->tcb < TCB_Revoked);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char report_data[64];
	struct evidence e = {0};
	struct verify_policy policy = {0};
	const struct set *set;
	struct verify_input in = {.evidence = &e, .policy = &policy};
	struct verdict cold, warm;
	enum reason reason;

	if (size < 1)
		return 0;
	set = &sets[data[0] % SETS];
	in.collateral = collateral[data[0] % SETS];
	in.time = set->time;
	policy.accepted_tcb = data[0] & 0x80 ? 0 : (1u << TCB_Revoked) - 1;
	policy.allow_debug = data[0] & 0x40;
	policy.allow_migration = data[0] & 0x20;
	policy.report_data = data[0] & 0x10 ? report_data : NULL;
	if (quote_parse(&e.quote, (struct span){(const char *)data + 1, size - 1}, &reason, NULL) <
		0)
		return 0;
	e.tee = e.quote.tdx ? TEE_TYPE_TDX : TEE_TYPE_SGX;
	verify(&in, NULL, &cold);
	check_verdict(&cold, in.time);
	for (int round = 0; round < 2; round++) {
		verify(&in, cache, &warm);
		must(cold.reason == warm.reason && strcmp(cold.message, warm.message) == 0 &&
			cold.tcb == warm.tcb && cold.valid_until == warm.valid_until);
	}
	must(!real || !verdict_accepted(&cold) || is_real(&e.quote));
	return 0;
}
