/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/sha.h>

#include "common/base/codec.h"
#include "tests/unit/oom.h"
#include "tests/unit/snp_world.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define EVIDENCE_TEXT_MAX (1 << 20)

static int open_it(struct evidence *e, struct span in, enum reason *reason, struct error *err)
{
	/* The sanitizer sees reads behind it, and what still points into it once it is gone. */
	char *copy = malloc(in.len ? in.len : 1);
	int r;

	if (!copy)
		return -ENOMEM;
	if (in.len)
		memcpy(copy, in.p, in.len);
	r = evidence_open(e, (struct span){copy, in.len}, reason, err);
	free(copy);
	return r;
}

static void real_evidence(void)
{
	static const struct {
		const char *path;
		int want; /* enum tee_type; or -1, and why */
		enum reason reason;
		const char *digest_of; /* a file: the evidence proper */
		size_t from;
	} rows[] = {
		{"dcap-qvl/sgx_quote", TEE_TYPE_SGX, 0, "dcap-qvl/sgx_quote", 0},
		{"dcap-qvl/tdx_quote", TEE_TYPE_TDX, 0, NULL, 0},
		{"go-tdx-guest/quote_v5_sample.dat", TEE_TYPE_TDX, 0, NULL, 0},
		{"trustee/tdx_quote_4.dat", TEE_TYPE_TDX, 0, NULL, 0},
		{"trustee/occlum_quote.dat", TEE_TYPE_SGX, 0, NULL, 0},
		{"trustee/test-report.bin", TEE_TYPE_SNP, 0, "trustee/test-report.bin", 0},
		{"go-sev-guest/attestation.bin", TEE_TYPE_SNP, 0, "go-sev-guest/attestation.bin",
			0},
		{"virtee-sev/report_milan.hex", TEE_TYPE_SNP, 0, NULL, 0},
		{"trustee/az-snp-hcl-report.bin", TEE_TYPE_SNP, 0, "trustee/az-snp-hcl-report.bin",
			32},
		{"trustee/e2e-snp-evidence.json", TEE_TYPE_SNP, 0, NULL, 0},
		{"az-snp/evidence-v2.json", TEE_TYPE_SNP, 0, NULL, 0},
		{"go-tdx-guest/report.dat", -1, REASON_UnsupportedVersion, NULL, 0},
		{"sgx-dcap/tdreport_for_test.dat", -1, REASON_UnsupportedVersion, NULL, 0},
		{"dcap-qvl/sgx_quote_collateral.json", -1, REASON_UnsupportedVersion, NULL, 0},
		{"trustee/test-vcek.der", -1, REASON_UnsupportedVersion, NULL, 0},
		{"amd-roots/ask_ark_milan.pem", -1, REASON_Malformed, NULL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_evidence_ struct evidence e = {0};
		struct error err = {0};
		enum reason reason = REASON_Ok;
		int r = open_it(&e, vector(rows[i].path), &reason, &err);
		unsigned char sum[32];

		if (rows[i].want < 0) {
			CHECK_ROW(rows[i].path, r == -EBADMSG && reason == rows[i].reason,
				"%d %s: %s", r, reason_name(reason), err.message);
			continue;
		}
		if (!CHECK_ROW(rows[i].path, r == 0, "%d %s", r, err.message))
			continue;
		CHECK_ROW(rows[i].path, (int)e.tee == rows[i].want, "%s", tee_type_name(e.tee));
		if (rows[i].digest_of) {
			struct span all = vector(rows[i].digest_of);
			size_t n = e.tee == TEE_TYPE_SNP ? SNP_REPORT : all.len;

			SHA256((const unsigned char *)all.p + rows[i].from, n, sum);
			CHECK_ROW(rows[i].path, memcmp(sum, e.digest, 32) == 0, "digest");
		}
	}
}

enum encoding { RAW, HEX, HEX_UPPER, HEX_LINES, BASE64, BASE64_LINES, BASE64_URL, JSON_QUOTE };

static void encode(struct buf *b, enum encoding how, struct span in)
{
	_cleanup_buf_ struct buf t = BUF_INIT(EVIDENCE_TEXT_MAX);
	bool hex = how == HEX || how == HEX_UPPER || how == HEX_LINES;
	size_t n;

	if (how == RAW) {
		buf_span(b, in);
		return;
	}
	if (how == JSON_QUOTE)
		buf_puts(b, " {\"cc_eventlog\": null, \"quote\": \"");
	if (hex)
		codec_hex(&t, in.p, in.len);
	else
		buf_base64(&t, in.p, in.len);
	n = t.len;
	while (how == BASE64_URL && n && t.p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		char c = t.p[i];

		if (how == HEX_UPPER && c >= 'a')
			c = (char)(c - 'a' + 'A');
		if (how == BASE64_URL && (c == '+' || c == '/'))
			c = c == '+' ? '-' : '_';
		buf_putc(b, c);
		if ((how == HEX_LINES || how == BASE64_LINES) && i % 64 == 63)
			buf_puts(b, "\r\n");
	}
	if (how == JSON_QUOTE)
		buf_puts(b, "\"}");
	else
		buf_puts(b, "\n");
}

/* However it is written, it is the same evidence. */
static void encodings(void)
{
	static const char *const paths[] = {"dcap-qvl/sgx_quote", "dcap-qvl/tdx_quote",
		"trustee/test-report.bin", "trustee/az-snp-hcl-report.bin"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		for (enum encoding how = RAW; how <= JSON_QUOTE; how++) {
			_cleanup_evidence_ struct evidence a = {0}, b = {0};
			_cleanup_buf_ struct buf text = BUF_INIT(EVIDENCE_TEXT_MAX);
			struct error err = {0};
			enum reason reason = REASON_Ok;
			int r;

			if (how == JSON_QUOTE && i > 1)
				continue;
			encode(&text, how, vector(paths[i]));
			CU_ASSERT_EQUAL(open_it(&a, vector(paths[i]), &reason, NULL), 0);
			r = open_it(&b, buf_view(&text), &reason, &err);
			CHECK_ROW(paths[i], r == 0, "encoding %d: %s", (int)how, err.message);
			CHECK_ROW(paths[i],
				r < 0 || (a.tee == b.tee && memcmp(a.digest, b.digest, 32) == 0 &&
						 memcmp(evidence_report_data(&a),
							 evidence_report_data(&b), 64) == 0),
				"encoding %d", (int)how);
		}
}

static void refused(void)
{
	static const struct {
		const char *name;
		struct span in;
		enum reason want;
	} rows[] = {
		{"nothing", SPAN_LIT(""), REASON_Malformed},
		{"a blank", SPAN_LIT(" "), REASON_Malformed},
		{"a NUL", SPAN_LIT("\0"), REASON_Malformed},
		{"{", SPAN_LIT("{"), REASON_Malformed},
		{"an empty object", SPAN_LIT("{}"), REASON_UnsupportedVersion},
		{"an odd number of digits", SPAN_LIT("030"), REASON_Malformed},
		{"base64 of two alphabets", SPAN_LIT("+++-"), REASON_Malformed},
		{"no base64", SPAN_LIT("hello, world"), REASON_Malformed},
		{"sample", SPAN_LIT("{\"svn\":\"1\",\"report_data\":\"AAAA\"}"),
			REASON_SampleNotAllowed},
		{"a quote that is no string", SPAN_LIT("{\"quote\":{}}"),
			REASON_UnsupportedVersion},
		{"a quote that is empty", SPAN_LIT("{\"quote\":\"\"}"), REASON_Malformed},
		{"the same member twice", SPAN_LIT("{\"quote\":\"AAAA\",\"quote\":\"AAAA\"}"),
			REASON_Malformed},
		{"a report that is no object", SPAN_LIT("{\"attestation_report\":1}"),
			REASON_Malformed},
		{"HCLA alone", SPAN_LIT("HCLA"), REASON_Malformed},
		{"a report cut off", SPAN_LIT("\2\0\0\0\0\0\0\0"), REASON_Malformed},
		{"version 9 of something short", SPAN_LIT("\11\0\0\0\0\0\0\0"), REASON_Malformed},
		{"vTPM evidence without a version", SPAN_LIT("{\"hcl_report\":\"AAAA\"}"),
			REASON_UnsupportedVersion},
		{"vTPM evidence of version 3", SPAN_LIT("{\"version\":3,\"hcl_report\":\"AAAA\"}"),
			REASON_UnsupportedVersion},
		{"vTPM evidence without HCLA", SPAN_LIT("{\"version\":2,\"hcl_report\":\"AAAA\"}"),
			REASON_Malformed},
		{"a simulated document that is none", SPAN_LIT("{\"casemateSimulated\":1}"),
			REASON_Malformed},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evidence e = {0};
		struct error err = {0};
		enum reason reason = REASON_Ok;
		int r = open_it(&e, rows[i].in, &reason, &err);

		CHECK_ROW(rows[i].name, r == -EBADMSG && reason == rows[i].want, "%d %s: %s", r,
			reason_name(reason), err.message);
		CHECK_ROW(rows[i].name, err.message[0] != '\0', "no message");
		CU_ASSERT(!e.raw);
	}
}

static void too_long(void)
{
	static char zeros[EVIDENCE_MAX + 1];
	struct evidence e = {0};
	enum reason reason = REASON_Ok;

	CU_ASSERT_EQUAL(
		evidence_open(&e, (struct span){zeros, sizeof(zeros)}, &reason, NULL), -EBADMSG);
	memset(zeros, '[', sizeof(zeros));
	zeros[0] = '{';
	CU_ASSERT_EQUAL(
		evidence_open(&e, (struct span){zeros, EVIDENCE_MAX}, &reason, NULL), -EBADMSG);
	memset(zeros, '0', sizeof(zeros));
	CU_ASSERT_EQUAL(
		evidence_open(&e, (struct span){zeros, EVIDENCE_MAX}, &reason, NULL), -EBADMSG);
}

static void certificates_inside(void)
{
	_cleanup_evidence_ struct evidence e = {0};
	_cleanup_buf_ struct buf b = BUF_INIT(EVIDENCE_TEXT_MAX);
	struct span vcek = vector("trustee/test-vcek.der");
	unsigned char head[48] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4,
		0xb9, 0x3b, 0xe8, 0xac, 0xcd, 48, 0, 0, 0};
	enum reason reason = REASON_Ok;

	head[20] = (unsigned char)vcek.len;
	head[21] = (unsigned char)(vcek.len >> 8);
	buf_span(&b, vector("trustee/test-report.bin"));
	buf_add(&b, head, sizeof(head));
	buf_span(&b, vcek);
	CU_ASSERT_EQUAL(open_it(&e, buf_view(&b), &reason, NULL), 0);
	CU_ASSERT(span_equal(e.certs.vcek, vcek) && !e.certs.ask.p);
	evidence_free(&e);
	b.p[SNP_REPORT + 20]++; /* the table says more than there is */
	CU_ASSERT_EQUAL(open_it(&e, buf_view(&b), &reason, NULL), -EBADMSG);
	CU_ASSERT_EQUAL(reason, REASON_Malformed);
}

static void json_report(void)
{
	_cleanup_evidence_ struct evidence e = {0};
	enum snp_product product;
	enum reason reason = REASON_Ok;

	CU_ASSERT_EQUAL(open_it(&e, vector("trustee/e2e-snp-evidence.json"), &reason, NULL), 0);
	CU_ASSERT(e.tee == TEE_TYPE_SNP && e.snp.version == 3 && e.snp.policy == 0x30000);
	CU_ASSERT(snp_report_product(&e.snp, &product) && product == SNP_GENOA);
	CU_ASSERT_EQUAL(e.certs.vcek.len, 1347);
	CU_ASSERT(snp_tcb_equal(
		snp_tcb_read(e.snp.reported_tcb, product), (struct snp_tcb){0, 10, 0, 23, 25}));
	CU_ASSERT(e.snp.current_version[0] == 40 && e.snp.current_version[1] == 55 &&
		  e.snp.current_version[2] == 1);
}

/* The first occurrence of one text in a file by another. */
static void replace(struct buf *b, const char *path, const char *from, const char *to)
{
	struct span in = vector(path);
	const char *at = memmem(in.p, in.len, from, strlen(from));

	if (!CHECK_ROW(from, at, "is not in %s", path))
		return;
	buf_add(b, in.p, (size_t)(at - in.p));
	buf_puts(b, to);
	buf_add(b, at + strlen(from), in.len - (size_t)(at - in.p) - strlen(from));
}

static void json_changed(void)
{
	static const struct {
		const char *name, *from, *to;
		int want;
	} rows[] = {
		{"nothing", "\"version\":3", "\"version\":3", 0},
		{"an unknown member", "\"version\":3", "\"version\":3,\"more\":{}", 0},
		{"no mitigation vector", "\"version\":3",
			"\"version\":3,\"launch_mit_vector\":null", 0},
		{"a mitigation vector in version 3", "\"version\":3",
			"\"version\":3,\"launch_mit_vector\":1", -EBADMSG},
		{"mitigation vectors in version 5", "\"version\":3",
			"\"version\":5,\"launch_mit_vector\":18446744073709551615", 0},
		{"beyond 64 bits", "\"version\":3",
			"\"version\":5,\"launch_mit_vector\":18446744073709551616", -EBADMSG},
		{"beyond 32 bits", "\"guest_svn\":0", "\"guest_svn\":4294967296", -EBADMSG},
		{"all 32 bits", "\"guest_svn\":0", "\"guest_svn\":4294967295", 0},
		{"a negative number", "\"guest_svn\":0", "\"guest_svn\":-1", -EBADMSG},
		{"a fraction", "\"guest_svn\":0", "\"guest_svn\":1.5", -EBADMSG},
		{"a string", "\"guest_svn\":0", "\"guest_svn\":\"0\"", -EBADMSG},
		{"null", "\"guest_svn\":0", "\"guest_svn\":null", -EBADMSG},
		{"missing", "\"guest_svn\":0,", "", -EBADMSG},
		{"twice", "\"guest_svn\":0", "\"guest_svn\":0,\"guest_svn\":0", -EBADMSG},
		{"a byte of 256", "\"family_id\":[0,", "\"family_id\":[256,", -EBADMSG},
		{"a byte too many", "\"family_id\":[0,", "\"family_id\":[0,0,", -EBADMSG},
		{"a byte too few", "\"family_id\":[0,", "\"family_id\":[", -EBADMSG},
		{"an SVN of 256", "\"bootloader\":10", "\"bootloader\":256", -EBADMSG},
		{"a TCB without an SVN", "\"bootloader\":10,", "", -EBADMSG},
		{"a TCB of Turin's", "\"fmc\":null", "\"fmc\":1", 0},
		{"a certificate that is unknown", "\"VCEK\"", "{\"OTHER\":\"x\"}", 0},
		{"a certificate without bytes", "\"data\":[48,", "\"data\":[],\"was\":[48,",
			-EBADMSG},
		{"a chain that is no array", "\"cert_chain\":[{", "\"cert_chain\":1,\"was\":[{",
			-EBADMSG},
		{"no chain", "\"cert_chain\":[{", "\"was\":[{", 0},
		{"no signature", "\"signature\":", "\"was\":", -EBADMSG},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_evidence_ struct evidence e = {0};
		_cleanup_buf_ struct buf b = BUF_INIT(EVIDENCE_TEXT_MAX);
		struct error err = {0};
		enum reason reason = REASON_Ok;
		int r;

		replace(&b, "trustee/e2e-snp-evidence.json", rows[i].from, rows[i].to);
		r = open_it(&e, buf_view(&b), &reason, &err);
		CHECK_ROW(rows[i].name, r == rows[i].want, "%d: %s", r, err.message);
	}
}

static void vtpm(void)
{
	_cleanup_evidence_ struct evidence e = {0};
	struct error err = {0};
	unsigned char sum[32];
	enum reason reason = REASON_Ok;
	int r = open_it(&e, vector("az-snp/evidence-v2.json"), &reason, &err);

	if (!CHECK_ROW("evidence-v2", r == 0, "%s", err.message))
		return;
	CU_ASSERT(e.tee == TEE_TYPE_SNP && e.snp.version == 3 && e.has_vtpm && e.certs.vcek.p);
	CU_ASSERT(e.qualifying_data[0] == 0x98 && e.qualifying_data[47] == 0xef);
	for (size_t i = 48; i < 64; i++)
		CU_ASSERT_EQUAL(e.qualifying_data[i], 0);
	CU_ASSERT_PTR_EQUAL(evidence_report_data(&e), e.qualifying_data);
	CU_ASSERT_EQUAL(e.pcrs[0], 0x84);
	SHA256((const unsigned char *)e.runtime_data.p, e.runtime_data.len, sum);
	CU_ASSERT_EQUAL(memcmp(sum, e.snp.report_data, 32), 0);
	evidence_free(&e);

	CU_ASSERT_EQUAL(open_it(&e, vector("trustee/az-snp-hcl-report.bin"), &reason, NULL), 0);
	CU_ASSERT(!e.has_vtpm && e.runtime_data.p);
	CU_ASSERT_PTR_EQUAL(evidence_report_data(&e), e.snp.report_data);
}

static void vtpm_changed(void)
{
	static const struct {
		const char *name, *from, *to;
		enum reason want; /* Ok: accepted */
	} rows[] = {
		{"version 1", "\"version\": 2", "\"version\": 1", REASON_Ok},
		{"no version", "\"version\": 2,", "", REASON_UnsupportedVersion},
		{"a PCR", "\"84275b2f", "\"84275b2e", REASON_QuoteSignatureInvalid},
		{"a PCR too short", "\"84275b2f", "\"84275b", REASON_Malformed},
		{"one PCR less",
			"\"84275b2f4312cd4fc6cbe6b152ad3c3683e513d9f1e23c34fca160c8cca7a6a7\",", "",
			REASON_Malformed},
		{"the signature", "\"0ca0ab25", "\"0ca0ab24", REASON_QuoteSignatureInvalid},
		{"the signature's length", "\"0ca0ab25", "\"0ca0ab", REASON_QuoteSignatureInvalid},
		{"the qualifying data", "0030982f5c6e", "0030982f5c6f",
			REASON_QuoteSignatureInvalid},
		{"the magic", "\"ff544347", "\"ff544346", REASON_Malformed},
		{"another structure", "\"ff5443478018", "\"ff5443478017", REASON_Malformed},
		{"another bank of PCRs", "00000001000b03ffffff", "00000001000403ffffff",
			REASON_Malformed},
		{"fewer PCRs are signed", "00000001000b03ffffff", "00000001000b03ffff7f",
			REASON_Malformed},
		{"bytes behind the quote", "e552cb004\"", "e552cb00400\"", REASON_Malformed},
		{"a TDX evidence", "\"version\": 2", "\"version\":2,\"td_quote\":\"AAAA\"",
			REASON_Malformed},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_evidence_ struct evidence e = {0};
		_cleanup_buf_ struct buf b = BUF_INIT(EVIDENCE_TEXT_MAX);
		struct error err = {0};
		enum reason reason = REASON_Ok;
		int r;

		replace(&b, "az-snp/evidence-v2.json", rows[i].from, rows[i].to);
		r = open_it(&e, buf_view(&b), &reason, &err);
		CHECK_ROW(rows[i].name,
			rows[i].want == REASON_Ok ? r == 0
						  : r == -EBADMSG && reason == rows[i].want,
			"%d %s: %s", r, reason_name(reason), err.message);
	}
}

/* Every bit of the HCLA report: what is refused here, and what only the report's signature can see.
 */
static void hcl_bits(void)
{
	struct span real = vector("trustee/az-snp-hcl-report.bin");
	size_t end = 32 + SNP_REPORT + 20, refused_behind = 0, bits_behind = 0;
	_cleanup_free_ char *p = malloc(real.len);

	if (!p)
		return;
	memcpy(p, real.p, real.len);
	for (size_t bit = 8 * (32 + (size_t)SNP_REPORT); bit < 8 * real.len; bit++) {
		struct evidence e = {0};
		enum reason reason = REASON_Ok;

		p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
		bits_behind++;
		if (evidence_open(&e, (struct span){p, real.len}, &reason, NULL) == 0)
			evidence_free(&e);
		else
			refused_behind++;
		p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
	}
	CU_ASSERT_EQUAL(refused_behind, bits_behind);
	for (size_t n = 0; n < real.len; n++) {
		struct evidence e = {0};
		enum reason reason = REASON_Ok;
		int r = evidence_open(&e, (struct span){real.p, n}, &reason, NULL);

		/* The zeros behind the runtime data say nothing. */
		CHECK_ROW("cut", (r == 0) == (n >= end + 1110), "at %zu: %d", n, r);
		if (r == 0)
			evidence_free(&e);
	}
}

static void truncated(void)
{
	static const char *const paths[] = {"trustee/test-report.bin",
		"trustee/e2e-snp-evidence.json", "az-snp/evidence-v2.json",
		"virtee-sev/report_milan.hex"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct span all = vector(paths[i]);

		while (all.len && strchr("\r\n ", all.p[all.len - 1]))
			all.len--;
		for (size_t n = 0; n < all.len; n++) {
			struct evidence e = {0};
			enum reason reason = REASON_Ok;
			int r = evidence_open(&e, (struct span){all.p, n}, &reason, NULL);

			if (!CHECK_ROW(paths[i], r == -EBADMSG, "cut at %zu: %d", n, r))
				evidence_free(&e);
		}
	}
}

/* Also where nothing can be hashed. */
static void no_memory(void)
{
	static const char *const paths[] = {"dcap-qvl/sgx_quote", "trustee/test-report.bin",
		"trustee/az-snp-hcl-report.bin", "az-snp/evidence-v2.json"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct span in = vector(paths[i]);
		struct oom o = {0};

		while (oom_next(&o)) {
			struct evidence e = {0};
			enum reason reason = REASON_Ok;
			int r;

			oom_begin(&o);
			r = evidence_open(&e, in, &reason, NULL);
			oom_end(&o);
			CHECK_ROW(paths[i], (r < 0) == (o.failed > 0), "%s: %d", o.row, r);
			if (r == 0)
				evidence_free(&e);
		}
	}
}

CU_TestInfo evidence_tests[] = {
	{"real evidence", real_evidence},
	{"encodings", encodings},
	{"refused", refused},
	{"too long", too_long},
	{"certificates inside", certificates_inside},
	{"a report as JSON", json_report},
	{"a report as JSON, changed", json_changed},
	{"a vTPM's quote", vtpm},
	{"a vTPM's quote, changed", vtpm_changed},
	{"an HCLA report's bits", hcl_bits},
	{"truncated", truncated},
	{"no memory", no_memory},
	CU_TEST_INFO_NULL,
};
