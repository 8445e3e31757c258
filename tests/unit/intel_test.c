/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/intel.h"

#include <openssl/sha.h>
#include <stdlib.h>

#include "tests/tee/intel_world.h"
#include "tests/unit/intel_fixture.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define CHECK_REASON(row, v, want)                                                                 \
	CHECK_ROW(row, (v)->reason == (want), "got %s (%s), want %s", reason_name((v)->reason),    \
		(v)->message, reason_name(want))

static void test_golden(void)
{
	static const struct verify_policy by_default;

	for (const struct golden *g = golden; g < golden + GOLDEN_N; g++) {
		_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
		struct verdict v;

		golden_verify(&v, vector(g->quote), c, &by_default, g->time, NULL);
		CHECK_REASON(g->quote, &v, g->by_default);
		golden_verify(&v, vector(g->quote), c, NULL, g->time, NULL);
		CHECK_REASON(g->quote, &v, REASON_Ok);
		CHECK_ROW(g->quote, v.message[0] == '\0', "said '%s'", v.message);
		CHECK_ROW(g->quote, v.tcb == g->status, "got %s", tcb_status_name(v.tcb));
		CHECK_ROW(g->quote, v.crl == CRL_CHECKED, "CRLs");
		CHECK_ROW(g->quote, v.valid_until == g->until, "until %lld",
			(long long)v.valid_until);
		CHECK_ROW(g->quote, v.platform_id_len == 16 && v.has_pck, "platform");
	}
}

/* What the verdict says about golden[GOLDEN_SGX], against the documents read by hand. */
static void test_details(void)
{
	static const unsigned char fmspc[6] = {0x00, 0xa0, 0x67, 0x11, 0x00, 0x00};
	const struct golden *g = &golden[GOLDEN_SGX];
	_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
	struct verify_policy policy = golden_policy();
	struct verdict v;

	golden_verify(&v, vector(g->quote), c, NULL, g->time, NULL);
	CU_ASSERT_EQUAL(v.evaluation_number, 17);
	CU_ASSERT_EQUAL(v.n_advisories, 2);
	for (size_t i = 0; i < v.n_advisories; i++)
		CU_ASSERT(span_equal(v.advisories[i], golden_advisories[i]));
	CU_ASSERT_EQUAL(v.platform_tcb, TCB_ConfigurationAndSWHardeningNeeded);
	CU_ASSERT_EQUAL(v.qe_tcb, TCB_UpToDate);
	CU_ASSERT_EQUAL(v.module_tcb, TCB_STATUS_N);
	CU_ASSERT_EQUAL(v.qe_svn, 10);
	CU_ASSERT_EQUAL(v.pck.pcesvn, 13);
	CU_ASSERT_EQUAL(memcmp(v.pck.fmspc, fmspc, sizeof(fmspc)), 0);
	CU_ASSERT_EQUAL(memcmp(v.platform_id, v.pck.ppid, 16), 0);
	CU_ASSERT(v.leaf_serial_len > 0);

	policy.n_accepted_advisories = 1;
	golden_verify(&v, vector(g->quote), c, &policy, g->time, NULL);
	CHECK_REASON("an advisory is missing", &v, REASON_AdvisoryNotAccepted);
	policy = golden_policy();
	policy.min_evaluation_number = 17;
	golden_verify(&v, vector(g->quote), c, &policy, g->time, NULL);
	CHECK_REASON("evaluation number 17", &v, REASON_Ok);
	policy.min_evaluation_number = 18;
	golden_verify(&v, vector(g->quote), c, &policy, g->time, NULL);
	CHECK_REASON("evaluation number 18", &v, REASON_CollateralRolledBack);
}

/* A second outside of the window, and what ends or begins there. */
static void test_window(void)
{
	static const struct row {
		int golden;
		enum reason before, after;
	} rows[] = {
		{GOLDEN_SGX, REASON_CollateralExpired, REASON_CollateralExpired},
		{GOLDEN_TDX, REASON_CollateralExpired, REASON_CrlExpired},
		{GOLDEN_TDX15, REASON_CollateralExpired, REASON_CrlExpired},
	};

	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		const struct golden *g = &golden[row->golden];
		_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
		struct verify_policy policy = golden_policy();
		struct verify_cache *cache = NULL;
		struct verdict v;

		CU_ASSERT_EQUAL(verify_cache_new(&cache, 16, NULL), 0);
		/* The second round meets a warm cache. */
		for (int round = 0; round < 2; round++) {
			golden_verify(&v, vector(g->quote), c, NULL, g->from, cache);
			CHECK_REASON(g->quote, &v, REASON_Ok);
			golden_verify(&v, vector(g->quote), c, NULL, g->until, cache);
			CHECK_REASON(g->quote, &v, REASON_Ok);
			golden_verify(&v, vector(g->quote), c, NULL, g->from - 1, cache);
			CHECK_REASON(g->quote, &v, row->before);
			golden_verify(&v, vector(g->quote), c, NULL, g->until + 1, cache);
			CHECK_REASON(g->quote, &v, row->after);
			/* 2026-11-28 */
			golden_verify(&v, vector(g->quote), c, NULL, 1795824000, cache);
			CHECK_REASON(g->quote, &v, REASON_CrlExpired);
		}
		policy.skew_sec = 300;
		golden_verify(&v, vector(g->quote), c, &policy, g->from - 300, cache);
		CHECK_REASON("within the skew", &v, REASON_Ok);
		policy.skew_sec = 300;
		golden_verify(&v, vector(g->quote), c, &policy, g->from - 301, cache);
		CHECK_REASON("beyond the skew", &v, row->before);
		verify_cache_free(cache);
	}
}

static void test_clock(void)
{
	static const int64_t times[] = {
		INT64_MIN, -1, 0, VERIFY_TIME_MIN - 1, VERIFY_TIME_END, INT64_MAX};
	const struct golden *g = &golden[GOLDEN_SGX];
	_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
	struct verdict v;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		golden_verify(&v, vector(g->quote), c, NULL, times[i], NULL);
		CHECK_REASON("clock", &v, REASON_CertificateExpired);
		CU_ASSERT_PTR_NOT_NULL(strstr(v.message, "clock"));
	}
	golden_verify(&v, vector(g->quote), c, NULL, VERIFY_TIME_MIN, NULL);
	CHECK_REASON("before its certificate", &v, REASON_CertificateExpired);
	golden_verify(&v, vector(g->quote), c, NULL, VERIFY_TIME_END - 1, NULL);
	CHECK_REASON("after it", &v, REASON_CertificateExpired);
}

/* Real quotes that are refused, each with some golden collateral. */
static void test_refused(void)
{
	static const struct row {
		const char *quote;
		int golden;
		enum reason want;
	} rows[] = {
		{"dcap-qvl/tdx_quote_outdated", GOLDEN_TDX15, REASON_TcbNotSupported},
		{"dcap-qvl/sgx_quote", GOLDEN_TDX, REASON_CrlMissing},
		{"dcap-qvl/tdx_quote", GOLDEN_SGX, REASON_CrlMissing},
		{"dcap-qvl/tdx_quote", GOLDEN_TDX15, REASON_FmspcMismatch},
		{"trustee/tdx_quote_4.dat", GOLDEN_TDX, REASON_FmspcMismatch},
		{"trustee/tdx_quote_6.dat", GOLDEN_TDX, REASON_FmspcMismatch},
		{"trustee/occlum_quote.dat", GOLDEN_SGX, REASON_CrlMissing},
		{"trustee/occlum_quote.dat", GOLDEN_TDX, REASON_CollateralMissing},
		{"go-tdx-guest/tdx_prod_quote_SPR_E4.dat", GOLDEN_TDX, REASON_Malformed},
		{"go-tdx-guest/cos-113-tdx-quote.dat", GOLDEN_TDX15, REASON_FmspcMismatch},
		{"go-tdx-guest/report.dat", GOLDEN_TDX, REASON_UnsupportedVersion},
		{"intel-qvl/quote.dat", GOLDEN_SGX, REASON_CollateralMissing},
		{"intel-qvl/tdx/quote.dat", GOLDEN_TDX, REASON_ChainInvalid},
	};

	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		const struct golden *g = &golden[row->golden];
		_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
		struct verdict v;

		golden_verify(&v, vector(row->quote), c, NULL, g->time, NULL);
		CHECK_REASON(row->quote, &v, row->want);
	}
}

/* A bit of each part of a quote. */
static void test_parts(void)
{
	static const struct row {
		const char *name;
		int golden;
		size_t at;
		unsigned char bit;
		enum reason want;
	} rows[] = {
		{"QE SVN of the header", GOLDEN_SGX, 8, 1, REASON_QuoteSignatureInvalid},
		{"PCE SVN of the header", GOLDEN_SGX, 10, 1, REASON_QuoteSignatureInvalid},
		{"vendor of the quoting enclave", GOLDEN_SGX, 12, 1, REASON_QeIdentityMismatch},
		{"user data", GOLDEN_SGX, 28, 1, REASON_QuoteSignatureInvalid},
		{"CPUSVN", GOLDEN_SGX, 48, 1, REASON_QuoteSignatureInvalid},
		{"reserved bytes", GOLDEN_SGX, 48 + 20, 1, REASON_UnsupportedVersion},
		{"last reserved byte", GOLDEN_SGX, 48 + 303, 1, REASON_UnsupportedVersion},
		{"debug", GOLDEN_SGX, 48 + 48, 2, REASON_QuoteSignatureInvalid},
		{"measurement", GOLDEN_SGX, 48 + 64, 1, REASON_QuoteSignatureInvalid},
		{"report data", GOLDEN_SGX, 48 + 383, 0x80, REASON_QuoteSignatureInvalid},
		{"signature", GOLDEN_SGX, 436, 1, REASON_QuoteSignatureInvalid},
		{"attestation key", GOLDEN_SGX, 500, 1, REASON_QeReportInvalid},
		{"quoting enclave's report", GOLDEN_SGX, 564 + 64, 1, REASON_QeReportInvalid},
		{"its SVN", GOLDEN_SGX, 564 + 258, 1, REASON_QeReportInvalid},
		{"its report data", GOLDEN_SGX, 564 + 320, 1, REASON_QeReportInvalid},
		{"the tail of its report data", GOLDEN_SGX, 564 + 383, 1, REASON_QeReportInvalid},
		{"its reserved bytes", GOLDEN_SGX, 564 + 20, 1, REASON_UnsupportedVersion},
		{"its signature", GOLDEN_SGX, 948, 1, REASON_QeReportInvalid},
		{"authentication data", GOLDEN_SGX, 1014, 1, REASON_QeReportInvalid},
		{"TD's SVN", GOLDEN_TDX, 48, 1, REASON_QuoteSignatureInvalid},
		{"TD's measurement", GOLDEN_TDX, 48 + 136, 1, REASON_QuoteSignatureInvalid},
		{"last byte of the newer SVN", GOLDEN_TDX15, 54 + 599, 1,
			REASON_QuoteSignatureInvalid},
		{"service TD", GOLDEN_TDX15, 54 + 600, 1, REASON_QuoteSignatureInvalid},
	};

	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		const struct golden *g = &golden[row->golden];
		_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
		struct span bytes = vector(g->quote);
		_cleanup_free_ char *copy = malloc(bytes.len);
		struct verify_policy all = golden_policy();
		struct verdict v;

		if (!copy)
			return;
		all.allow_debug = true;
		memcpy(copy, bytes.p, bytes.len);
		copy[row->at] ^= (char)row->bit;
		golden_verify(&v, (struct span){copy, bytes.len}, c, &all, g->time, NULL);
		CHECK_REASON(row->name, &v, row->want);
	}
}

/* r and s of 0, of the order, beyond it; an attestation key off the curve. */
static void test_numbers(void)
{
	static const unsigned char order[32] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
		0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
	static const unsigned char zero[32];
	static const size_t places[] = {436, 468, 948, 980}; /* r, s; of the quoting enclave's */
	const struct golden *g = &golden[GOLDEN_SGX];
	_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
	struct span bytes = vector(g->quote);
	_cleanup_free_ char *copy = malloc(bytes.len);
	struct verdict v;

	if (!copy)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		enum reason want =
			places[i] < 500 ? REASON_QuoteSignatureInvalid : REASON_QeReportInvalid;

		for (int value = 0; value < 3; value++) {
			memcpy(copy, bytes.p, bytes.len);
			memcpy(copy + places[i], value == 0 ? zero : order, 32);
			if (value == 2)
				memset(copy + places[i], 0xff, 32);
			golden_verify(&v, (struct span){copy, bytes.len}, c, NULL, g->time, NULL);
			CHECK_REASON("r or s", &v, want);
		}
	}
}

/* All that a verdict says, except where it points. */
static bool same_verdict(const struct verdict *a, const struct verdict *b)
{
	return a->reason == b->reason && strcmp(a->message, b->message) == 0 && a->tcb == b->tcb &&
	       a->platform_tcb == b->platform_tcb && a->module_tcb == b->module_tcb &&
	       a->qe_tcb == b->qe_tcb && strcmp(a->tcb_date, b->tcb_date) == 0 &&
	       a->evaluation_number == b->evaluation_number && a->n_advisories == b->n_advisories &&
	       a->crl == b->crl && a->valid_until == b->valid_until && a->has_pck == b->has_pck &&
	       a->platform_id_len == b->platform_id_len &&
	       memcmp(a->platform_id, b->platform_id, sizeof(a->platform_id)) == 0 &&
	       memcmp(a->leaf_serial, b->leaf_serial, sizeof(a->leaf_serial)) == 0 &&
	       a->qe_svn == b->qe_svn;
}

static const char *const quotes[] = {"dcap-qvl/sgx_quote", "dcap-qvl/tdx_quote",
	"dcap-qvl/tdx_quote_outdated", "go-tdx-guest/quote_v5_sample.dat",
	"trustee/tdx_quote_4.dat", "trustee/tdx_quote_6.dat", "trustee/occlum_quote.dat",
	"go-tdx-guest/cos-113-tdx-quote.dat", "intel-qvl/quote.dat", "intel-qvl/tdx/quote.dat"};

/* One cache for every quote under every collateral at several times, against none. */
static void check_caches(size_t entries)
{
	struct collateral *c[GOLDEN_N];
	struct verify_cache *cache = NULL;
	struct verdict cold, warm;

	CU_ASSERT_EQUAL(verify_cache_new(&cache, entries, NULL), 0);
	for (int i = 0; i < GOLDEN_N; i++)
		c[i] = golden_collateral(&golden[i]);
	for (int round = 0; round < 3; round++)
		for (size_t q = 0; q < ARRAY_SIZE(quotes); q++)
			for (int i = 0; i < GOLDEN_N * 3; i++) {
				const struct golden *g = &golden[i / 3];
				int64_t times[] = {g->time, g->until + 1, g->from - 1};

				golden_verify(&cold, vector(quotes[q]), c[i / 3], NULL,
					times[i % 3], NULL);
				golden_verify(&warm, vector(quotes[q]), c[i / 3], NULL,
					times[i % 3], cache);
				CHECK_ROW(quotes[q], same_verdict(&cold, &warm),
					"round %d: cold %s, warm %s", round,
					reason_name(cold.reason), reason_name(warm.reason));
			}
	for (int i = 0; i < GOLDEN_N; i++)
		collateral_free(c[i]);
	verify_cache_free(cache);
}

static void test_cache(void)
{
	check_caches(64);
	check_caches(1);
}

/* What was verified under other roots and lists counts no more. */
static void test_cache_epoch(void)
{
	const struct golden *g = &golden[GOLDEN_SGX];
	_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
	_cleanup_(collateral_free_p) struct collateral *other =
		golden_collateral(&golden[GOLDEN_TDX]);
	struct verify_cache *cache = NULL;
	struct crl *root_crl = c->intel.root_crl, *pck_crl = c->intel.pck_crl[PCK_CA_PROCESSOR];
	struct cert *root = c->roots.intel;
	struct verdict v;

	CU_ASSERT_EQUAL(verify_cache_new(&cache, 16, NULL), 0);
	golden_verify(&v, vector(g->quote), c, NULL, g->time, cache);
	CHECK_REASON("cold", &v, REASON_Ok);
	c->roots.intel = NULL;
	golden_verify(&v, vector(g->quote), c, NULL, g->time, cache);
	CHECK_REASON("the root is trusted no more", &v, REASON_UnknownRoot);
	c->roots.intel = root;
	c->intel.root_crl = NULL;
	golden_verify(&v, vector(g->quote), c, NULL, g->time, cache);
	CHECK_REASON("no CRL of the root", &v, REASON_CrlMissing);
	c->intel.root_crl = pck_crl;
	golden_verify(&v, vector(g->quote), c, NULL, g->time, cache);
	CHECK_REASON("another's CRL", &v, REASON_CollateralSignatureInvalid);
	c->intel.root_crl = root_crl;
	c->intel.pck_crl[PCK_CA_PROCESSOR] = NULL;
	golden_verify(&v, vector(g->quote), c, NULL, g->time, cache);
	CHECK_REASON("no CRL of the CA", &v, REASON_CrlMissing);
	c->intel.pck_crl[PCK_CA_PROCESSOR] = other->intel.pck_crl[PCK_CA_PLATFORM];
	golden_verify(&v, vector(g->quote), c, NULL, g->time, cache);
	CHECK_REASON("the CRL of the other CA", &v, REASON_CollateralSignatureInvalid);
	c->intel.pck_crl[PCK_CA_PROCESSOR] = pck_crl;
	golden_verify(&v, vector(g->quote), c, NULL, g->time, cache);
	CHECK_REASON("all as before", &v, REASON_Ok);
	verify_cache_free(cache);
}

/* The SGX quote with what a platform without its certificates sends: type, PPID, CPUSVN, PCESVN,
 * PCE-ID. */
static size_t without_chain(
	unsigned char *out, struct span quote, unsigned type, size_t ppid, const struct pck *pck)
{
	uint32_t len = (uint32_t)ppid + 20, all = 1052 - 436 + len;
	unsigned char *p = out + 1052;

	memcpy(out, quote.p, 1052);
	memcpy(out + 432, &all, 4);
	out[1046] = (unsigned char)type;
	memcpy(out + 1048, &len, 4);
	memset(p, 0x5a, ppid);
	if (type == 1)
		memcpy(p, pck->ppid, ppid);
	memcpy(p + ppid, pck->cpusvn, 16);
	p[ppid + 16] = (unsigned char)pck->pcesvn;
	p[ppid + 17] = (unsigned char)(pck->pcesvn >> 8);
	memcpy(p + ppid + 18, pck->pceid, 2);
	return 1052 + len;
}

static void test_chain_from_collateral(void)
{
	static const struct row {
		const char *name;
		unsigned type;
		size_t ppid, flip; /* flip: at which byte of the data; SIZE_MAX: none */
		enum reason want;
	} rows[] = {
		{"clear PPID", 1, 16, SIZE_MAX, REASON_Ok},
		{"PPID for RSA-2048", 2, 256, SIZE_MAX, REASON_Ok},
		{"PPID for RSA-3072", 3, 384, SIZE_MAX, REASON_Ok},
		{"another PPID", 1, 16, 0, REASON_ChainInvalid},
		{"another CPUSVN", 3, 384, 384, REASON_ChainInvalid},
		{"another PCESVN", 3, 384, 400, REASON_ChainInvalid},
		{"another PCE-ID", 3, 384, 403, REASON_ChainInvalid},
		{"a leaf alone", 4, 16, SIZE_MAX, REASON_UnsupportedVersion},
		{"a short PPID", 3, 256, SIZE_MAX, REASON_Malformed},
		{"a long PPID", 2, 384, SIZE_MAX, REASON_Malformed},
	};
	const struct golden *g = &golden[GOLDEN_SGX];
	struct span quote = vector(g->quote);
	struct verify_cache *cache = NULL;
	struct verdict v, first;
	unsigned char copy[2048];

	CU_ASSERT_EQUAL(verify_cache_new(&cache, 16, NULL), 0);
	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
		struct intel_collateral *known = &c->intel;
		struct error err = {0};
		size_t n;

		golden_verify(&first, quote, c, NULL, g->time, NULL);
		n = without_chain(copy, quote, row->type, row->ppid, &first.pck);
		if (row->flip != SIZE_MAX)
			copy[1052 + row->flip] ^= 1;
		golden_verify(&v, (struct span){(char *)copy, n}, c, NULL, g->time, cache);
		CHECK_REASON(row->name, &v,
			row->type > 3 ? REASON_UnsupportedVersion : REASON_CollateralMissing);
		CHECK_ROW(row->name,
			cert_parse_pem(known->pck_chain, 3,
				(struct span){quote.p + 1052, quote.len - 1052}, &err) == 3,
			"%s", err.message);
		known->n_pck_chain = 3;
		for (int round = 0; round < 2; round++) {
			golden_verify(&v, (struct span){(char *)copy, n}, c, NULL, g->time, cache);
			CHECK_REASON(row->name, &v, row->want);
		}
	}
	verify_cache_free(cache);
}

/* A quote whose chain is the digests by which the collateral's chain is cached. */
static void test_digests_for_a_chain(void)
{
	const struct golden *g = &golden[GOLDEN_SGX];
	_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
	struct span quote = vector(g->quote);
	struct verify_cache *cache = NULL;
	unsigned char copy[2048];
	struct verdict v;
	uint32_t len = 96, all = 1052 - 436 + len;
	size_t n;

	CU_ASSERT_EQUAL(verify_cache_new(&cache, 16, NULL), 0);
	golden_verify(&v, quote, c, NULL, g->time, NULL);
	n = without_chain(copy, quote, 3, 384, &v.pck);
	CU_ASSERT_EQUAL(cert_parse_pem(c->intel.pck_chain, 3,
				(struct span){quote.p + 1052, quote.len - 1052}, NULL),
		3);
	c->intel.n_pck_chain = 3;
	golden_verify(&v, (struct span){(char *)copy, n}, c, NULL, g->time, cache);
	CHECK_REASON("type 3", &v, REASON_Ok);
	copy[1046] = 5;
	memcpy(copy + 432, &all, 4);
	memcpy(copy + 1048, &len, 4);
	for (int i = 0; i < 3; i++)
		memcpy(copy + 1052 + 32 * i, c->intel.pck_chain[i]->digest, 32);
	golden_verify(&v, (struct span){(char *)copy, 1052 + 96}, c, NULL, g->time, cache);
	CHECK_REASON("digests", &v, REASON_ChainInvalid);
	verify_cache_free(cache);
}

static struct collateral *synthetic_collateral(const struct tee_intel *w)
{
	_cleanup_buf_ struct buf json = BUF_INIT(TEE_JSON_MAX), root = BUF_INIT(TEE_PEM_MAX);
	struct collateral *c = NULL;
	struct error err = {0};
	int r = collateral_new(&c, &err);

	tee_intel_collateral(w, &json);
	tee_intel_root(w, &root);
	if (r == 0)
		r = roots_add(&c->roots, buf_view(&root), &err);
	if (r == 0)
		r = collateral_add(c, buf_view(&json), "synthetic", &err);
	CHECK_ROW("synthetic", r == 0, "%s", err.message);
	return c;
}

/* The quote with another chain in its certification data (version 3). */
static void with_chain(struct buf *out, struct span quote, struct span chain)
{
	enum { SIGNED = 432 };
	struct quote q;
	enum reason reason;
	uint32_t len = (uint32_t)chain.len, all;
	size_t head;

	if (quote_parse(&q, quote, &reason, NULL) < 0)
		return;
	head = (size_t)(q.cert_data.p - quote.p);
	all = (uint32_t)(head - SIGNED - 4) + len;
	buf_add(out, quote.p, SIGNED);
	buf_add(out, &all, 4);
	buf_add(out, quote.p + SIGNED + 4, head - SIGNED - 8);
	buf_add(out, &len, 4);
	buf_span(out, chain);
}

/* An attestation key that one platform vouched for is not another's: everything is as it was but
 * the chain, whose PCK is genuine and did not sign. */
static void test_key_of_another_chain(void)
{
	_cleanup_buf_ struct buf good = BUF_INIT(TEE_QUOTE_MAX), chain = BUF_INIT(TEE_PEM_MAX),
				 other = BUF_INIT(TEE_QUOTE_MAX);
	_cleanup_(verify_cache_free_p) struct verify_cache *cache = NULL;
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	struct tee_intel w;
	struct verdict v;

	tee_intel_sgx(&w);
	c = synthetic_collateral(&w);
	tee_intel_quote(&w, &good);
	w.leaf.key = TEE_KEY_OTHER;
	w.leaf.serial++;
	tee_intel_pck_chain(&w, &chain);
	with_chain(&other, buf_view(&good), buf_view(&chain));
	CU_ASSERT_EQUAL(verify_cache_new(&cache, 16, NULL), 0);
	for (int round = 0; round < 2; round++) {
		golden_verify(&v, buf_view(&other), c, NULL, TEE_NOW, cache);
		CHECK_REASON("another chain", &v, REASON_QeReportInvalid);
		golden_verify(&v, buf_view(&good), c, NULL, TEE_NOW, cache);
		CHECK_REASON("its own chain", &v, REASON_Ok);
	}
}

/* A CA in the place of the PCK, properly signed. */
static void test_ca_as_leaf(void)
{
	_cleanup_buf_ struct buf quote = BUF_INIT(TEE_QUOTE_MAX);
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	struct tee_intel w;
	struct verdict v;

	tee_intel_sgx(&w);
	w.leaf.ca = true;
	w.leaf.usage = NULL;
	c = synthetic_collateral(&w);
	tee_intel_quote(&w, &quote);
	golden_verify(&v, buf_view(&quote), c, NULL, TEE_NOW, NULL);
	CHECK_REASON("a CA as leaf", &v, REASON_ChainInvalid);
}

/* Two roots are trusted, and one's collateral is offered for the other's platform. */
static void test_collateral_of_another_root(void)
{
	const struct golden *g = &golden[GOLDEN_SGX];
	_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
	_cleanup_buf_ struct buf json = BUF_INIT(TEE_JSON_MAX), root = BUF_INIT(TEE_PEM_MAX);
	static const unsigned char fmspc[6] = {0x00, 0xa0, 0x67, 0x11, 0x00, 0x00};
	struct error err = {0};
	struct tee_intel w;
	struct verdict v;

	tee_intel_sgx(&w);
	memcpy(w.tcb_info.fmspc, fmspc, sizeof(fmspc));
	w.qe.d.absent = w.root_crl.absent = true;
	w.pck_crl[PCK_CA_PROCESSOR].absent = w.pck_crl[PCK_CA_PLATFORM].absent = true;
	tee_intel_collateral(&w, &json);
	tee_intel_root(&w, &root);
	CU_ASSERT_EQUAL(roots_add(&c->roots, buf_view(&root), &err), 0);
	CHECK_ROW("added", collateral_add(c, buf_view(&json), "synthetic", &err) == 0, "%s",
		err.message);
	golden_verify(&v, vector(g->quote), c, NULL, g->time, NULL);
	CHECK_REASON("another root", &v, REASON_UnknownRoot);
}

CU_TestInfo intel_tests[] = {
	{"real quotes at their time", test_golden},
	{"what a verdict says", test_details},
	{"a second outside of the window", test_window},
	{"a clock that was never set", test_clock},
	{"real quotes that are refused", test_refused},
	{"a bit of each part", test_parts},
	{"numbers of signatures", test_numbers},
	{"caches change no verdict", test_cache},
	{"other roots and lists", test_cache_epoch},
	{"the collateral's PCK chain", test_chain_from_collateral},
	{"digests for a chain", test_digests_for_a_chain},
	{"the attestation key of another chain", test_key_of_another_chain},
	{"a CA in the place of the PCK", test_ca_as_leaf},
	{"the collateral of another root", test_collateral_of_another_root},
	CU_TEST_INFO_NULL,
};
