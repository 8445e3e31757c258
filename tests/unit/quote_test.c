/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/quote.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define SGX_V3 "dcap-qvl/sgx_quote"
#define TDX_V4 "dcap-qvl/tdx_quote"
#define TDX_V5 "go-tdx-guest/quote_v5_sample.dat"

static const struct sample {
	const char *path;
	unsigned version;
	bool tdx, td15;
	size_t zeros; /* behind the signature */
	unsigned cert_type;
	size_t auth, cert_data;
	uint16_t prod, svn; /* of the quoting enclave */
} samples[] = {
	{SGX_V3, 3, false, false, 0, 5, 32, 3548, 1, 10},
	{TDX_V4, 4, true, false, 70, 5, 32, 3678, 2, 6},
	{TDX_V5, 5, true, true, 0, 5, 32, 3678, 2, 7},
	{"dcap-qvl/tdx_quote_outdated", 5, true, true, 0, 5, 32, 3678, 2, 7},
	{"trustee/tdx_quote_4.dat", 4, true, false, 0, 5, 32, 3678, 2, 4},
	{"trustee/tdx_quote_6.dat", 4, true, false, 70, 5, 32, 3678, 2, 7},
	{"trustee/occlum_quote.dat", 3, false, false, 0, 5, 32, 3681, 1, 8},
	{"go-tdx-guest/cos-113-tdx-quote.dat", 4, true, false, 3065, 5, 32, 3677, 2, 6},
	{"intel-qvl/quote.dat", 3, false, false, 0, 1, 0, 34, 1, 1},
	{"intel-qvl/tdx/quote.dat", 4, true, false, 0, 5, 0, 2470, 0x749e, 0x3185},
};

static void test_samples(void)
{
	for (const struct sample *s = samples; s < samples + ARRAY_SIZE(samples); s++) {
		struct span bytes = vector(s->path);
		struct error err = {0};
		enum reason reason = REASON_Ok;
		struct quote q;
		int r = quote_parse(&q, bytes, &reason, &err);

		if (!CHECK_ROW(s->path, r == 0, "%s", err.message))
			continue;
		CHECK_ROW(s->path, q.version == s->version && q.tdx == s->tdx, "version %u",
			q.version);
		CHECK_ROW(s->path, q.bytes.p == bytes.p && q.bytes.len == bytes.len - s->zeros,
			"%zu bytes", q.bytes.len);
		CHECK_ROW(s->path, q.cert_type == s->cert_type, "type %u", q.cert_type);
		CHECK_ROW(s->path, q.qe_auth.len == s->auth, "%zu bytes", q.qe_auth.len);
		CHECK_ROW(s->path, q.cert_data.len == s->cert_data, "%zu bytes", q.cert_data.len);
		CHECK_ROW(s->path, q.cert_data.p + q.cert_data.len == q.bytes.p + q.bytes.len,
			"the certification data is not last");
		CHECK_ROW(s->path, q.qe.isvprodid == s->prod && q.qe.isvsvn == s->svn,
			"quoting enclave %u, SVN %u", q.qe.isvprodid, q.qe.isvsvn);
		if (s->tdx)
			CHECK_ROW(s->path, (q.td.mrservicetd != NULL) == s->td15, "TD version");
	}
}

/* Fields against their offsets, read out of the file by hand. */
static void test_fields(void)
{
	struct span sgx = vector(SGX_V3), td = vector(TDX_V4), td15 = vector(TDX_V5);
	const unsigned char *s = (const unsigned char *)sgx.p, *t = (const unsigned char *)td.p;
	const unsigned char *t15 = (const unsigned char *)td15.p;
	enum reason reason;
	struct quote q;

	CU_ASSERT_EQUAL(quote_parse(&q, sgx, &reason, NULL), 0);
	CU_ASSERT_EQUAL(q.qe_svn, 10);
	CU_ASSERT_EQUAL(q.pce_svn, 15);
	CU_ASSERT_EQUAL(q.sgx.flags, 5);
	CU_ASSERT_EQUAL(q.sgx.xfrm, 0xe7);
	CU_ASSERT_PTR_EQUAL(q.sgx.mrenclave, s + 48 + 64);
	CU_ASSERT_PTR_EQUAL(q.sgx.mrsigner, s + 48 + 128);
	CU_ASSERT_PTR_EQUAL(q.sgx.report_data, s + 48 + 320);
	CU_ASSERT_EQUAL(q.signed_part.len, 432);
	CU_ASSERT_PTR_EQUAL(q.signature, s + 436);
	CU_ASSERT_PTR_EQUAL(q.attestation_key, s + 500);
	CU_ASSERT_PTR_EQUAL(q.qe_report.p, sgx.p + 564);
	CU_ASSERT_PTR_EQUAL(q.qe_signature, s + 948);
	CU_ASSERT_EQUAL(q.qe.flags, 0x15);

	CU_ASSERT_EQUAL(quote_parse(&q, td, &reason, NULL), 0);
	CU_ASSERT_EQUAL(q.signed_part.len, 632);
	CU_ASSERT_PTR_EQUAL(q.td.rtmr[3], t + 48 + 472);
	CU_ASSERT_PTR_EQUAL(q.td.report_data, t + 48 + 520);
	CU_ASSERT_EQUAL(q.td.td_attributes, TD_ATTRIBUTE_SEPT_VE_DISABLE);
	CU_ASSERT_EQUAL(q.td.xfam, 0x602e7);
	CU_ASSERT_EQUAL(q.td.seam_attributes, 0);
	CU_ASSERT_PTR_NULL(q.td.tee_tcb_svn2);
	CU_ASSERT_PTR_EQUAL(q.qe_report.p, td.p + 636 + 128 + 6);

	CU_ASSERT_EQUAL(quote_parse(&q, td15, &reason, NULL), 0);
	CU_ASSERT_EQUAL(q.signed_part.len, 54 + 648);
	CU_ASSERT_PTR_EQUAL(q.td.tee_tcb_svn, t15 + 54);
	CU_ASSERT_PTR_EQUAL(q.td.tee_tcb_svn2, t15 + 54 + 584);
	CU_ASSERT_PTR_EQUAL(q.td.mrservicetd, t15 + 54 + 600);
}

/* A copy of exactly n bytes, so that a sanitizer sees each byte read behind them. */
static int parse_copy(struct span bytes, size_t n, enum reason *ret_reason)
{
	_cleanup_free_ char *copy = malloc(n ? n : 1);
	struct error err = {0};
	struct quote q;
	int r;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes.p, n);
	r = quote_parse(&q, (struct span){copy, n}, ret_reason, &err);
	if (r < 0 && err.message[0] == '\0')
		CU_FAIL("a refusal without a message");
	return r;
}

static void test_truncations(void)
{
	for (const struct sample *s = samples; s < samples + ARRAY_SIZE(samples); s++) {
		struct span bytes = vector(s->path);

		for (size_t n = 0; n <= bytes.len; n++) {
			enum reason reason = REASON_Ok;
			int r = parse_copy(bytes, n, &reason);
			bool whole = n >= bytes.len - s->zeros;

			CHECK_ROW(s->path, (r == 0) == whole, "%zu bytes: %d", n, r);
			CHECK_ROW(s->path, whole || reason == REASON_Malformed, "%zu bytes: %s", n,
				reason_name(reason));
		}
	}
}

/* Bytes changed at one place of a real quote. */
static void test_changes(void)
{
	static const struct row {
		const char *name, *path;
		size_t at;
		unsigned char bytes[6];
		size_t n;
		enum reason want;
	} rows[] = {
		{"version 2", SGX_V3, 0, {2}, 1, REASON_UnsupportedVersion},
		{"version 6", SGX_V3, 0, {6}, 1, REASON_UnsupportedVersion},
		{"version 259", SGX_V3, 1, {1}, 1, REASON_UnsupportedVersion},
		{"P-384", SGX_V3, 2, {3}, 1, REASON_UnsupportedVersion},
		{"EPID", SGX_V3, 2, {0}, 1, REASON_UnsupportedVersion},
		{"TDX in version 3", SGX_V3, 4, {0x81}, 1, REASON_Malformed},
		{"another TEE", TDX_V4, 4, {0x82}, 1, REASON_UnsupportedVersion},
		{"another TEE, high byte", TDX_V4, 7, {1}, 1, REASON_UnsupportedVersion},
		{"TDX called SGX", TDX_V4, 4, {0}, 1, REASON_Malformed},
		{"TDX 1.5 called SGX", TDX_V5, 4, {0}, 1, REASON_Malformed},
		{"version 4 called 3", TDX_V4, 0, {3}, 1, REASON_Malformed},
		{"version 5 called 4", TDX_V5, 0, {4}, 1, REASON_Malformed},
		{"version 4 called 5", TDX_V4, 0, {5}, 1, REASON_UnsupportedVersion},
		{"body type 0", TDX_V5, 48, {0}, 1, REASON_UnsupportedVersion},
		{"body type 4", TDX_V5, 48, {4}, 1, REASON_UnsupportedVersion},
		{"a TD of type SGX", TDX_V5, 48, {1}, 1, REASON_Malformed},
		{"TD 1.5 called 1.0", TDX_V5, 48, {2}, 1, REASON_Malformed},
		{"TD 1.5 called 1.0, with its size", TDX_V5, 48, {2, 0, 0x48, 2}, 4,
			REASON_Malformed},
		{"a larger body", TDX_V5, 50, {0x89}, 1, REASON_Malformed},
		{"a huge body", TDX_V5, 53, {0xff}, 1, REASON_Malformed},
		{"a shorter signature", SGX_V3, 432, {0x43, 0x10}, 2, REASON_Malformed},
		{"a longer signature", SGX_V3, 432, {0x45, 0x10}, 2, REASON_Malformed},
		{"a huge signature", SGX_V3, 432, {0xff, 0xff, 0xff, 0xff}, 4, REASON_Malformed},
		{"no signature", SGX_V3, 432, {0, 0, 0, 0}, 4, REASON_Malformed},
		{"a shorter signature of a TD", TDX_V4, 632, {0xcb, 0x10}, 2, REASON_Malformed},
		{"a longer signature of a TD", TDX_V4, 632, {0xcd, 0x10}, 2, REASON_Malformed},
		{"less authentication data", SGX_V3, 1012, {31, 0}, 2, REASON_UnsupportedVersion},
		{"more authentication data", SGX_V3, 1012, {33, 0}, 2, REASON_UnsupportedVersion},
		{"too much authentication data", SGX_V3, 1012, {1, 4}, 2, REASON_Malformed},
		{"endless authentication data", SGX_V3, 1012, {0xff, 0xff}, 2, REASON_Malformed},
		{"type 0", SGX_V3, 1046, {0}, 1, REASON_UnsupportedVersion},
		{"type 6 in version 3", SGX_V3, 1046, {6}, 1, REASON_UnsupportedVersion},
		{"type 7", SGX_V3, 1046, {7}, 1, REASON_UnsupportedVersion},
		{"type 261", SGX_V3, 1047, {1}, 1, REASON_UnsupportedVersion},
		{"fewer certificates", SGX_V3, 1048, {0xdb}, 1, REASON_Malformed},
		{"more certificates", SGX_V3, 1048, {0xdd}, 1, REASON_Malformed},
		{"a huge size of certificates", SGX_V3, 1051, {0xff}, 1, REASON_Malformed},
		{"outer type 5", TDX_V4, 764, {5}, 1, REASON_UnsupportedVersion},
		{"outer type 7", TDX_V4, 764, {7}, 1, REASON_UnsupportedVersion},
		{"a shorter outer size", TDX_V4, 766, {0x45}, 1, REASON_Malformed},
		{"a longer outer size", TDX_V4, 766, {0x47}, 1, REASON_Malformed},
		{"inner type 6", TDX_V4, 1252, {6}, 1, REASON_UnsupportedVersion},
		{"inner type 7", TDX_V4, 1252, {7}, 1, REASON_UnsupportedVersion},
		{"a shorter inner size", TDX_V4, 1254, {0x5d}, 1, REASON_Malformed},
		{"a longer inner size", TDX_V4, 1254, {0x5f}, 1, REASON_Malformed},
		{"first byte behind", TDX_V4, 4936, {1}, 1, REASON_Malformed},
		{"last byte behind", TDX_V4, 5005, {1}, 1, REASON_Malformed},
	};

	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		struct span bytes = vector(row->path);
		_cleanup_free_ char *copy = malloc(bytes.len);
		enum reason reason = REASON_Ok;

		if (!copy)
			return;
		memcpy(copy, bytes.p, bytes.len);
		memcpy(copy + row->at, row->bytes, row->n);
		CHECK_ROW(row->name,
			parse_copy((struct span){copy, bytes.len}, bytes.len, &reason) == -EBADMSG,
			"was read");
		CHECK_ROW(row->name, reason == row->want, "%s", reason_name(reason));
	}
}

/* Version 4 and 5 of an SGX quote: the parts of version 3 in their frames. */
static void wrap_sgx(struct buf *b, unsigned version)
{
	struct span v3 = vector(SGX_V3);
	unsigned char header[] = {(unsigned char)version, 0, 2, 0, 0, 0, 0, 0};
	unsigned char descriptor[] = {1, 0, 0x80, 1, 0, 0}, outer[] = {6, 0, 0, 0, 0, 0};
	uint32_t inner_len = (uint32_t)(v3.len - 564), sig_len = inner_len + 128 + 6;

	memcpy(outer + 2, &inner_len, 4);
	buf_add(b, header, sizeof(header));
	buf_add(b, v3.p + 8, 40);
	if (version == 5)
		buf_add(b, descriptor, sizeof(descriptor));
	buf_add(b, v3.p + 48, 384);
	buf_add(b, &sig_len, 4);
	buf_add(b, v3.p + 436, 128);
	buf_add(b, outer, sizeof(outer));
	buf_add(b, v3.p + 564, inner_len);
}

static void test_sgx_of_later_versions(void)
{
	for (unsigned version = 4; version <= 5; version++) {
		_cleanup_buf_ struct buf b = BUF_INIT(QUOTE_MAX);
		struct error err = {0};
		enum reason reason;
		struct quote q = {0};
		char name[16];

		snprintf(name, sizeof(name), "version %u", version);
		wrap_sgx(&b, version);
		if (!CHECK_ROW(name, quote_parse(&q, buf_view(&b), &reason, &err) == 0, "%s",
			    err.message))
			continue;
		CHECK_ROW(name, !q.tdx && q.version == version, "another kind");
		CHECK_ROW(name, q.signed_part.len == (version == 5 ? 438 : 432), "%zu signed",
			q.signed_part.len);
		CHECK_ROW(name, q.sgx.flags == 5 && q.qe.isvsvn == 10, "fields");
		for (size_t n = 0; n < b.len; n++)
			CHECK_ROW(name, parse_copy(buf_view(&b), n, &reason) == -EBADMSG,
				"%zu bytes", n);
	}
}

/* "extra bytes(only for testing purpose)" follow this one: refused as it is, read without them. */
static void test_text_behind(void)
{
	struct span bytes = vector("go-tdx-guest/tdx_prod_quote_SPR_E4.dat");
	enum reason reason = REASON_Ok;

	CU_ASSERT_EQUAL(parse_copy(bytes, bytes.len, &reason), -EBADMSG);
	CU_ASSERT_EQUAL(reason, REASON_Malformed);
	CU_ASSERT_EQUAL(parse_copy(bytes, bytes.len - 38, &reason), -EBADMSG);
	CU_ASSERT_EQUAL(parse_copy(bytes, bytes.len - 39, &reason), 0);
}

static void test_no_quotes(void)
{
	static const char *const paths[] = {"go-tdx-guest/report.dat",
		"sgx-dcap/tdreport_for_test.dat", "trustee/test-report.bin",
		"dcap-qvl/sgx_quote_collateral.json", "dcap-qvl/TrustedRootCA.der"};
	_cleanup_free_ char *large = calloc(1, QUOTE_MAX + 1);
	struct span v3 = vector(SGX_V3);
	enum reason reason;
	struct quote q;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		CHECK_ROW(paths[i], quote_parse(&q, vector(paths[i]), &reason, NULL) == -EBADMSG,
			"was read as a quote");
	CU_ASSERT_EQUAL(quote_parse(&q, SPAN_NONE, &reason, NULL), -EBADMSG);
	if (!large)
		return;
	memcpy(large, v3.p, v3.len);
	CU_ASSERT_EQUAL(quote_parse(&q, (struct span){large, QUOTE_MAX}, &reason, NULL), 0);
	CU_ASSERT_EQUAL(
		quote_parse(&q, (struct span){large, QUOTE_MAX + 1}, &reason, NULL), -EBADMSG);
	CU_ASSERT_EQUAL(reason, REASON_Malformed);
}

CU_TestInfo quote_tests[] = {
	{"real and synthetic quotes", test_samples},
	{"fields", test_fields},
	{"every truncation", test_truncations},
	{"versions, types and lengths that lie", test_changes},
	{"SGX in versions 4 and 5", test_sgx_of_later_versions},
	{"text behind a quote", test_text_behind},
	{"what is no quote", test_no_quotes},
	CU_TEST_INFO_NULL,
};
