/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/codec.h"
#include "common/tee/intel_collateral.h"
#include "tests/unit/intel_sign.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define SGX_SET "dcap-qvl/sgx_quote_collateral.json"
#define TDX_SET "dcap-qvl/tdx_quote_collateral.json"

static struct qe_identity *real(const char *path, const char *chain_path, const struct roots *roots)
{
	struct qe_identity *q = NULL;
	unsigned char raw[64];
	struct span body, chain;

	if (strstr(path, "_collateral.json")) {
		body = intel_set_vector(path, "qe_identity");
		CU_ASSERT(codec_hex_exact(
				  raw, 64, intel_set_vector(path, "qe_identity_signature")) == 0);
	} else {
		body = intel_vector(path, "enclaveIdentity", raw);
	}
	chain = strstr(chain_path, "_collateral.json")
			? intel_set_vector(chain_path, "qe_identity_issuer_chain")
			: vector(chain_path);
	CU_ASSERT(qe_identity_new(
			  &q, body, (struct span){(char *)raw, 64}, chain, roots, NULL, NULL) == 0);
	return q;
}

static void test_real(void)
{
	static const struct {
		const char *path, *chain, *root; /* a root trusted besides; NULL: none */
		enum reason want;
		enum qe_kind kind;
		int64_t issue, next;
		unsigned number, isvprodid, levels;
	} rows[] = {
		{SGX_SET, SGX_SET, NULL, REASON_Ok, QE_SGX, 1750327278, 1752919278, 17, 1, 6},
		{TDX_SET, TDX_SET, NULL, REASON_Ok, QE_TDX, 1750329147, 1752921147, 17, 2, 1},
		{"go-tdx-guest/sample_qeIdentity_response",
			"go-tdx-guest/qe_identity_issuer_chain.pem", NULL, REASON_Ok, QE_TDX,
			1686209099, 1688801099, 15, 2, 1},
		{"trustee/enclaveIdentity.json", TDX_SET, NULL, REASON_Ok, QE_TDX, 1761633909,
			1764225909, 17, 2, 1},
		{"intel-qvl/qeIdentity.json", "intel-qvl/tcbSignChain.pem",
			"intel-qvl/trustedRootCaCert.pem", REASON_Ok, QE_SGX, 1567669628,
			1883288828, 0, 1, 1},
		{"intel-qvl/tdx/qeIdentity.json", "intel-qvl/tdx/tcbSignChain.pem",
			"intel-qvl/tdx/trustedRootCaCert.pem", REASON_Ok, QE_TDX, 1628258115,
			2259410115, 0, 29854, 1},
		{"intel-qvl/qeIdentity.json", "intel-qvl/tcbSignChain.pem", NULL,
			REASON_UnknownRoot, QE_SGX, 1567669628, 1883288828, 0, 1, 1},
		/* signed by another */
		{"trustee/enclaveIdentity.json", "intel-qvl/tcbSignChain.pem",
			"intel-qvl/trustedRootCaCert.pem", REASON_CollateralSignatureInvalid,
			QE_TDX, 1761633909, 1764225909, 17, 2, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_roots_ struct roots roots = {0};
		_cleanup_(qe_identity_free_p) struct qe_identity *q = NULL;
		const char *name = rows[i].path;

		CU_ASSERT(roots_builtin(&roots, NULL) == 0);
		if (rows[i].root)
			CU_ASSERT(roots_add(&roots, vector(rows[i].root), NULL) == 0);
		q = real(name, rows[i].chain, &roots);
		if (!q || !CHECK_ROW(name, q->problem == rows[i].want, "%s: %s",
				  reason_name(q->problem), q->message))
			continue;
		CHECK_ROW(name, (q->message[0] == '\0') == (rows[i].want == REASON_Ok), "%s",
			q->message);
		CHECK_ROW(name, q->named && q->kind == rows[i].kind, "kind %d", q->kind);
		CHECK_ROW(name, q->issue_date == rows[i].issue && q->next_update == rows[i].next,
			"%lld %lld", (long long)q->issue_date, (long long)q->next_update);
		CHECK_ROW(name, q->evaluation_number == rows[i].number, "%u", q->evaluation_number);
		CHECK_ROW(name, q->isvprodid == rows[i].isvprodid, "%u", q->isvprodid);
		CHECK_ROW(name, q->n_levels == rows[i].levels, "%zu levels", q->n_levels);
	}
}

/* A document that differs in one place, well signed. */
static void test_shapes(void)
{
	static const struct {
		const char *find, *put, *message; /* NULL: it is good */
	} rows[] = {
		{"\"version\":2", "\"version\":2", NULL},
		{"\"version\":2", "\"version\":2,\"new\":null", NULL},
		{"\"isvsvn\":4", "\"isvsvn\":65535", NULL},
		{"\"isvsvn\":4", "\"isvsvn\":0", NULL},
		{"\"TD_QE\"", "\"QE\"", NULL},
		{"\"UpToDate\"", "\"Revoked\",\"advisoryIDs\":[\"INTEL-SA-1\",\"\\u0041\"]", NULL},
		{"DC9E2A7C", "dc9E2a7c", NULL},

		{"\"version\":2", "\"version\":1", "version: 1; Casemate reads version 2"},
		{"\"version\":2", "\"version\":2,\"version\":2", "not JSON: "},
		{"\"TD_QE\"", "\"QVE\"", "id: neither \"QE\" nor \"TD_QE\""},
		{"\"TD_QE\"", "7", "id: neither \"QE\" nor \"TD_QE\""},
		{"\"isvsvn\":4", "\"isvsvn\":65536", "isvsvn: not an integer from 0 to 65535"},
		{"\"isvsvn\":4", "\"isvsvn\":-1", "isvsvn: not an integer from 0 to 65535"},
		{"\"isvsvn\":4", "\"isvsvn\":4.5", "isvsvn: not an integer from 0 to 65535"},
		{"\"isvsvn\":4", "\"isvsv\":4", "tcb: isvsvn: it is missing"},
		{"\"UpToDate\"", "\"ConfigurationNeeded\"", "is no status that Casemate knows"},
		{"\"UpToDate\"", "\"Fine\"", "tcbStatus: \"Fine\" is no status"},
		{"\"UpToDate\"", "null", "tcbStatus: null is no status"},
		{"\"tcbLevels\":[", "\"tcbLevels\":[],\"x\":[", "tcbLevels: not a list of 1 to"},
		{"\"isvprodid\":2", "\"isvprodid\":65536", "isvprodid: not an integer"},
		{"\"mrsigner\":\"DC", "\"mrsigner\":\"D", "mrsigner: not 64 hexadecimal digits"},
		{"\"miscselect\":\"0", "\"miscselect\":\"00", "miscselect: not 8 hexadecimal"},
		{"\"attributes\":\"1", "\"attributes\":\"g", "attributes: not 32 hexadecimal"},
		{"\"attributesMask\"", "\"x\"", "attributesMask: it is missing"},
		{"\"issueDate\":\"2025", "\"issueDate\":\"2025-", "issueDate: not a time"},
		{"\"nextUpdate\":\"2025", "\"nextUpdate\":\"2024", "nextUpdate: it is before"},
	};
	_cleanup_intel_sign_ struct intel_sign s;
	struct span body = intel_vector("trustee/enclaveIdentity.json", "enclaveIdentity", NULL);

	if (!intel_sign_begin(&s))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);
		_cleanup_(qe_identity_free_p) struct qe_identity *q = NULL;
		const char *want = rows[i].message;

		intel_edit(&text, body, rows[i].find, rows[i].put);
		q = intel_sign_qe_identity(&s, buf_view(&text));
		if (!q)
			return;
		CHECK_ROW(rows[i].put, q->problem == (want ? REASON_CollateralInvalid : REASON_Ok),
			"%s: %s", reason_name(q->problem), q->message);
		CHECK_ROW(rows[i].put, strstr(q->message, want ? want : ""), "%s", q->message);
	}
}

/* Sorted, and each once. */
static void test_levels(void)
{
	static const unsigned svns[] = {8, 6, 5, 4, 2, 1};
	_cleanup_roots_ struct roots roots = {0};
	_cleanup_(qe_identity_free_p) struct qe_identity *q = NULL, *turned = NULL;
	_cleanup_intel_sign_ struct intel_sign s;
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16), twice = BUF_INIT(1 << 16);

	if (!intel_sign_begin(&s))
		return;
	CU_ASSERT(roots_builtin(&roots, NULL) == 0);
	q = real(SGX_SET, SGX_SET, &roots);
	if (!q || q->n_levels != ARRAY_SIZE(svns))
		return;
	for (size_t i = 0; i < q->n_levels; i++)
		CU_ASSERT_EQUAL(q->levels[i].isvsvn, svns[i]);
	CU_ASSERT(isv_level_match(q->levels, q->n_levels, 0) == NULL);
	CU_ASSERT(isv_level_match(q->levels, q->n_levels, 1) == &q->levels[5]);
	CU_ASSERT(isv_level_match(q->levels, q->n_levels, 3) == &q->levels[4]);
	CU_ASSERT(isv_level_match(q->levels, q->n_levels, 7) == &q->levels[1]);
	CU_ASSERT(isv_level_match(q->levels, q->n_levels, 65535) == &q->levels[0]);

	intel_edit(&text, q->body, "\"isvsvn\":8", "\"isvsvn\":3");
	turned = intel_sign_qe_identity(&s, buf_view(&text));
	CU_ASSERT(turned && turned->problem == REASON_Ok && turned->levels[0].isvsvn == 6 &&
		  turned->levels[3].isvsvn == 3 && turned->levels[3].status == TCB_UpToDate);
	qe_identity_free(turned);
	intel_edit(&twice, q->body, "\"isvsvn\":8", "\"isvsvn\":6");
	turned = intel_sign_qe_identity(&s, buf_view(&twice));
	CU_ASSERT(turned && turned->problem == REASON_CollateralInvalid);
}

/* The quoting enclaves of real quotes, and what differs in one place. */
static void test_fits(void)
{
	static const struct {
		const char *name;
		size_t offset; /* into the report body, of a byte that is changed */
		unsigned char bits;
		const char *message; /* NULL: it fits */
	} rows[] = {
		{"as it is", 0, 0, NULL},
		{"CPUSVN", 0, 1, NULL},
		{"miscselect", 16, 1, "miscselect is 01000000; wanted is 00000000"},
		{"miscselect's last", 19, 0x80, "miscselect is 00000080; wanted is 00000000"},
		{"INIT", 48, 1, "attributes is 14"},
		{"DEBUG", 48, 2, "attributes is 17"},
		{"MODE64BIT, masked", 48, 4, NULL},
		{"provisioning", 48, 0x10, "attributes is 05"},
		{"a reserved flag", 55, 0x80, "attributes is "},
		{"XFRM, masked", 56, 4, NULL},
		{"mrsigner's first", 128, 1, "mrsigner is "},
		{"mrsigner's last", 159, 0x80, "mrsigner is "},
		{"mrenclave", 64, 1, NULL},
		{"isvprodid", 256, 1, "isvprodid is 3; wanted is 2"},
		{"isvprodid, high", 257, 1, "isvprodid is 258; wanted is 2"},
		{"isvsvn", 258, 1, NULL},
	};
	_cleanup_roots_ struct roots roots = {0};
	_cleanup_(qe_identity_free_p) struct qe_identity *td = NULL, *sgx = NULL;
	struct quote tdx_quote, sgx_quote;
	enum reason reason;

	CU_ASSERT(roots_builtin(&roots, NULL) == 0);
	td = real(TDX_SET, TDX_SET, &roots);
	sgx = real(SGX_SET, SGX_SET, &roots);
	if (!td || !sgx ||
		quote_parse(&tdx_quote, vector("dcap-qvl/tdx_quote"), &reason, NULL) < 0 ||
		quote_parse(&sgx_quote, vector("dcap-qvl/sgx_quote"), &reason, NULL) < 0) {
		CU_FAIL("the vectors cannot be read");
		return;
	}
	CU_ASSERT(qe_identity_fits(sgx, &sgx_quote.qe, NULL));
	CU_ASSERT_FALSE(qe_identity_fits(sgx, &tdx_quote.qe, NULL));
	CU_ASSERT_FALSE(qe_identity_fits(td, &sgx_quote.qe, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned char body[SGX_REPORT_BODY];
		struct sgx_report report;
		struct error err = {0};
		bool fits;

		memcpy(body, tdx_quote.qe_report.p, sizeof(body));
		body[rows[i].offset] ^= rows[i].bits;
		sgx_report_parse(&report, body);
		fits = qe_identity_fits(td, &report, &err);
		CHECK_ROW(rows[i].name, fits == !rows[i].message, "%d: %s", fits, err.message);
		CHECK_ROW(rows[i].name, strstr(err.message, rows[i].message ? rows[i].message : ""),
			"%s", err.message);
	}
}

/* Only what was signed counts: each bit of text and signature, and each length of both. */
static void test_tampering(void)
{
	_cleanup_roots_ struct roots roots = {0};
	struct span chain = vector("go-tdx-guest/qe_identity_issuer_chain.pem"), body;
	unsigned char raw[64];
	char text[1024];
	size_t n;

	CU_ASSERT(roots_builtin(&roots, NULL) == 0);
	body = intel_vector("go-tdx-guest/sample_qeIdentity_response", "enclaveIdentity", raw);
	n = body.len;
	if (!CHECK_ROW("size", n > 0 && n <= sizeof(text), "%zu", n))
		return;
	memcpy(text, body.p, n);
	for (size_t bit = 0; bit < 8 * (n + 64); bit++) {
		_cleanup_(qe_identity_free_p) struct qe_identity *q = NULL;
		unsigned char *byte =
			bit / 8 < n ? (unsigned char *)&text[bit / 8] : &raw[bit / 8 - n];

		*byte ^= (unsigned char)(1u << bit % 8);
		CU_ASSERT(qe_identity_new(&q, (struct span){text, n},
				  (struct span){(char *)raw, 64}, chain, &roots, NULL, NULL) == 0);
		CHECK_ROW("bit", q->problem == REASON_CollateralSignatureInvalid && q->message[0],
			"%zu: %s", bit, reason_name(q->problem));
		*byte ^= (unsigned char)(1u << bit % 8);
	}
	for (size_t len = 0; len < n + 64; len++) {
		_cleanup_(qe_identity_free_p) struct qe_identity *q = NULL;

		CU_ASSERT(qe_identity_new(&q, (struct span){text, len < n ? len : n},
				  (struct span){(char *)raw, len < n ? 64 : len - n}, chain, &roots,
				  NULL, NULL) == 0);
		CHECK_ROW("length", q->problem == REASON_CollateralSignatureInvalid, "%zu: %s", len,
			reason_name(q->problem));
	}
}

CU_TestInfo qe_identity_tests[] = {
	{"real documents", test_real},
	{"shapes", test_shapes},
	{"levels", test_levels},
	{"quoting enclaves", test_fits},
	{"tampering", test_tampering},
	CU_TEST_INFO_NULL,
};
