/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/codec.h"
#include "common/tee/intel_collateral.h"
#include "common/tee/intel_document.h"
#include "tests/unit/intel_sign.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define SGX_SET  "dcap-qvl/sgx_quote_collateral.json"
#define TDX_SET  "dcap-qvl/tdx_quote_collateral.json"
#define TDX_SET2 "dcap-qvl/tdx_quote_outdated_collateral.json"

/* A real document with the chain that belongs to it; SPAN_NONE members fail the suite. */
static struct tcb_info *real(const char *path, const struct roots *roots)
{
	struct tcb_info *t = NULL;
	unsigned char raw[64];
	struct span body, chain;
	bool set = strstr(path, "_collateral.json") != NULL;

	if (set) {
		body = intel_set_vector(path, "tcb_info");
		chain = intel_set_vector(path, "tcb_info_issuer_chain");
		CU_ASSERT(codec_hex_exact(raw, 64, intel_set_vector(path, "tcb_info_signature")) ==
			  0);
	} else {
		body = intel_vector(path, "tcbInfo", raw);
		if (strcmp(path, "go-tdx-guest/sample_tcbInfo_response") == 0)
			chain = vector("go-tdx-guest/tcb_info_issuer_chain.pem");
		else if (strcmp(path, "intel-qvl/tcbInfo.json") == 0)
			chain = vector("intel-qvl/tcbSignChain.pem");
		else if (strcmp(path, "intel-qvl/tdx/tcbInfo.json") == 0)
			chain = vector("intel-qvl/tdx/tcbSignChain.pem");
		else
			chain = intel_set_vector(TDX_SET, "tcb_info_issuer_chain");
	}
	CU_ASSERT(tcb_info_new(
			  &t, body, (struct span){(char *)raw, 64}, chain, roots, NULL, NULL) == 0);
	return t;
}

static void test_real(void)
{
	static const struct {
		const char *path;
		bool tdx;
		const char *fmspc;
		int64_t issue, next;
		unsigned number, levels, modules;
	} rows[] = {
		{SGX_SET, false, "00a067110000", 1750330571, 1752922571, 17, 11, 0},
		{TDX_SET, true, "b0c06f000000", 1750328163, 1752920163, 17, 2, 3},
		{TDX_SET2, true, "90c06f000000", 1771412331, 1774004331, 18, 3, 3},
		{"go-tdx-guest/sample_tcbInfo_response", true, "50806f000000", 1687077778,
			1689669778, 15, 2, 1},
		{"go-tdx-guest/sample_tcbinfo_response_v5", true, "90c06f000000", 1769957366,
			1772549366, 18, 3, 3},
		{"trustee/tcbInfo.json", true, "00a06d080000", 1761570437, 1764162437, 17, 2, 3},
	};
	_cleanup_roots_ struct roots roots = {0};

	CU_ASSERT(roots_builtin(&roots, NULL) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(tcb_info_free_p) struct tcb_info *t = real(rows[i].path, &roots);
		const char *name = rows[i].path;
		unsigned char fmspc[6];

		if (!t || !CHECK_ROW(name, t->problem == REASON_Ok && !t->message[0], "%s: %s",
				  reason_name(t->problem), t->message))
			continue;
		CU_ASSERT(codec_hex_exact(fmspc, 6, span_str(rows[i].fmspc)) == 0);
		CHECK_ROW(name, t->named && t->tdx == rows[i].tdx, "tdx %d", t->tdx);
		CHECK_ROW(name, memcmp(t->fmspc, fmspc, 6) == 0, "fmspc");
		CHECK_ROW(name, t->pceid[0] == 0 && t->pceid[1] == 0, "pceId");
		CHECK_ROW(name, t->issue_date == rows[i].issue && t->next_update == rows[i].next,
			"%lld %lld", (long long)t->issue_date, (long long)t->next_update);
		CHECK_ROW(name, t->evaluation_number == rows[i].number, "%u", t->evaluation_number);
		CHECK_ROW(name, t->n_levels == rows[i].levels, "%zu levels", t->n_levels);
		CHECK_ROW(name, t->n_modules == rows[i].modules, "%zu modules", t->n_modules);
	}
}

/* Whoever signed, and whoever vouches for that. */
static void test_issuers(void)
{
	static const struct {
		const char *name, *subject; /* of a signer under the tests' root; NULL: see which */
		const char *which;
		enum reason want;
		const char *message;
	} rows[] = {
		{"signer", "Intel SGX TCB Signing", NULL, REASON_Ok, ""},
		{"PCK CA as signer", "Intel SGX PCK Platform CA", NULL, REASON_ChainInvalid,
			"begins with \"Intel SGX PCK Platform CA\""},
		{"PCK as signer", "Intel SGX PCK Certificate", NULL, REASON_ChainInvalid,
			"begins with \"Intel SGX PCK Certificate\""},
		{"root as signer", "Intel SGX Root CA", NULL, REASON_UnknownRoot, "is not trusted"},
		{"no chain", NULL, "", REASON_ChainInvalid, "there is no issuer chain"},
		{"signer alone", NULL, "s", REASON_ChainInvalid, "signer and root are needed"},
		{"signer and root turned", NULL, "rs", REASON_Ok, ""},
		{"two signers", NULL, "ss", REASON_UnknownRoot, "is not trusted"},
		{"two roots", NULL, "rr", REASON_ChainInvalid, "begins with"},
		{"three", NULL, "srr", REASON_ChainInvalid, "issuer chain: "},
		{"text behind", NULL, "sr#", REASON_ChainInvalid, "issuer chain: "},
		{"no PEM", NULL, "#", REASON_ChainInvalid, "issuer chain: "},
	};
	_cleanup_intel_sign_ struct intel_sign s;
	struct span body = intel_vector("trustee/tcbInfo.json", "tcbInfo", NULL);

	if (!intel_sign_begin(&s))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(tcb_info_free_p) struct tcb_info *t = NULL;
		struct peer_cert signer = {0};
		unsigned char raw[64];

		buf_reset(&s.chain);
		if (rows[i].subject) {
			CU_ASSERT(peer_cert_make(&signer, rows[i].subject, &s.root, false));
			buf_span(&s.chain, buf_view(&signer.cert_pem));
			buf_span(&s.chain, buf_view(&s.root.cert_pem));
		}
		for (const char *p = rows[i].which; p && *p; p++)
			buf_span(&s.chain, *p == 's'   ? buf_view(&s.signer.cert_pem)
					   : *p == 'r' ? buf_view(&s.root.cert_pem)
						       : SPAN_LIT("#"));
		intel_sign(raw, &(struct intel_sign){.signer = rows[i].subject ? signer : s.signer},
			body);
		CU_ASSERT(tcb_info_new(&t, body, (struct span){(char *)raw, 64}, buf_view(&s.chain),
				  &s.roots, NULL, NULL) == 0);
		CHECK_ROW(rows[i].name, t && t->problem == rows[i].want, "%s: %s",
			t ? reason_name(t->problem) : "none", t ? t->message : "");
		CHECK_ROW(rows[i].name, t && strstr(t->message, rows[i].message), "%s",
			t ? t->message : "");
		/* it can be named and read, whoever signed */
		CHECK_ROW(rows[i].name, t && t->named && t->n_levels == 2, "not read");
		peer_cert_free(&signer);
	}
}

/* Intel's own samples are of another root, in an old form or with SVNs out of range. */
static void test_samples(void)
{
	static const struct {
		const char *path, *root;
		enum reason want;
		const char *message;
	} rows[] = {
		{"intel-qvl/tcbInfo.json", NULL, REASON_UnknownRoot, "is not trusted"},
		{"intel-qvl/tcbInfo.json", "intel-qvl/trustedRootCaCert.pem",
			REASON_CollateralInvalid, "version: 2; Casemate reads version 3"},
		{"intel-qvl/tdx/tcbInfo.json", NULL, REASON_UnknownRoot, "is not trusted"},
		{"intel-qvl/tdx/tcbInfo.json", "intel-qvl/tdx/trustedRootCaCert.pem",
			REASON_CollateralInvalid,
			"tcbLevels[0]: tcb: sgxtcbcomponents[1]: svn: not an integer from 0 to "
			"255"},
		{"intel-qvl/tdx/tcbInfo.json", "intel-qvl/trustedRootCaCert.pem",
			REASON_UnknownRoot, "is not trusted"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_roots_ struct roots roots = {0};
		_cleanup_(tcb_info_free_p) struct tcb_info *t = NULL;

		CU_ASSERT(roots_builtin(&roots, NULL) == 0);
		if (rows[i].root)
			CU_ASSERT(roots_add(&roots, vector(rows[i].root), NULL) == 0);
		t = real(rows[i].path, &roots);
		if (!t)
			return;
		CHECK_ROW(rows[i].path,
			t->problem == rows[i].want && strstr(t->message, rows[i].message), "%s: %s",
			reason_name(t->problem), t->message);
	}
}

#define OTHER_MODULE                                                                               \
	"{\"id\":\"tdx_01\",\"mrsigner\":\"\",\"attributes\":\"\",\"attributesMask\":\"\","        \
	"\"tcbLevels\":[]},"

/* A document that differs in one place, well signed. */
static void test_shapes(void)
{
	static const struct {
		const char *find, *put, *message; /* NULL: it is good */
	} rows[] = {
		{"\"version\":3", "\"version\":3", NULL},
		{"\"version\":3", "\"version\":3,\"new\":{\"a\":[1]}", NULL},
		{"00A06D080000", "00a06d08000F", NULL},
		{"\"svn\":4,", "\"svn\":255,", NULL},
		{"\"pcesvn\":13", "\"pcesvn\":65535", NULL},
		{"\"isvsvn\":4}", "\"isvsvn\":255}", NULL},
		{"\"2025-11-26T13:07:17Z\"", "\"9999-11-26T13:07:17Z\"", NULL},
		{"\"2025-10-27T13:07:17Z\"", "\"1970-01-01T00:00:00Z\"", NULL},
		{"\"TDX_03\"", "\"TDX_FOO\"", NULL},
		{"\"tcbStatus\":\"UpToDate\"}]}", "\"tcbStatus\":\"Revoked\"}]}", NULL},

		{"\"version\":3", "\"version\":4", "version: 4; Casemate reads version 3"},
		{"\"version\":3", "\"version\":\"3\"", "version: not an integer"},
		{"\"version\":3", "\"version\":3.0", "version: not an integer"},
		{"\"version\":3", "\"version\":3,\"version\":3", "not JSON: "},
		{"\"version\":3", "\"version\":3,\"\\u0069d\":\"SGX\"", "not JSON: "},
		{"\"version\":3,", "", "version: it is missing"},
		{"\"id\":\"TDX\"", "\"id\":\"SGX2\"", "id: neither"},
		{"\"id\":\"TDX\",", "", "id: it is missing"},
		{"00A06D080000", "00A06D08000", "fmspc: not 12 hexadecimal digits"},
		{"00A06D080000", "00A06D08000G", "fmspc: not 12 hexadecimal digits"},
		{"00A06D080000", "00A06D0800000", "fmspc: not 12 hexadecimal digits"},
		{"\"pceId\":\"0000\"", "\"pceId\":0", "pceId: not 4 hexadecimal digits"},
		{"\"tcbType\":0", "\"tcbType\":1", "tcbType: 1; "},
		{"\"tcbType\":0,", "", "tcbType: it is missing"},
		{"\"tcbEvaluationDataNumber\":17", "\"tcbEvaluationDataNumber\":-1",
			"tcbEvaluationDataNumber: not an integer"},
		{"\"tcbEvaluationDataNumber\":17", "\"tcbEvaluationDataNumber\":4294967296",
			"tcbEvaluationDataNumber: not an integer"},
		{"2025-10-27T13:07:17Z", "2025-10-27T13:07:17+00:00", "issueDate: not a time"},
		{"2025-10-27T13:07:17Z", "2025-02-30T13:07:17Z", "issueDate: not a time"},
		{"2025-11-26T13:07:17Z", "2025-10-27T13:07:16Z", "nextUpdate: it is before"},
		{"\"svn\":4,", "\"svn\":256,", "tcb: sgxtcbcomponents[4]: svn: not an integer"},
		{"\"svn\":4,", "\"svn\":-1,", "tcb: sgxtcbcomponents[4]: svn: not an integer"},
		{"\"svn\":4,", "\"svN\":4,", "tcb: sgxtcbcomponents[4]: svn: it is missing"},
		{"\"sgxtcbcomponents\":[{", "\"sgxtcbcomponents\":[{\"svn\":1},{",
			"sgxtcbcomponents: not a list of 16"},
		{"\"tdxtcbcomponents\":[{", "\"tdxtcbcomponents\":[{\"svn\":1},{",
			"tdxtcbcomponents: not a list of 16"},
		{"\"tdxtcbcomponents\"", "\"x\"", "tdxtcbcomponents: not a list of 16"},
		{"\"pcesvn\":13", "\"pcesvn\":65536", "pcesvn: not an integer from 0 to 65535"},
		/* the second level is the first with the PCESVN 5 */
		{"\"pcesvn\":13", "\"pcesvn\":5", "tcbLevels: two are equal"},
		{"\"tcbLevels\":[{\"tcb\":{\"sgx", "\"tcbLevels\":[],\"x\":[{\"tcb\":{\"sgx",
			"tcbLevels: not a list of 1 to 256"},
		{"\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":\"UpToDat\"",
			"tcbStatus: \"UpToDat\" is no status"},
		{"\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"SWHardeningNeeded\"",
			"tdxModuleIdentities[0]: tcbLevels[0]: tcbStatus: \"SWHardeningNeeded\""},
		{"\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"NotSupported\"", "tcbStatus: "},
		{"\"isvsvn\":4}", "\"isvsvn\":256}", "isvsvn: not an integer from 0 to 255"},
		{"\"isvsvn\":4}", "\"isvsvn\":2}", "tcbLevels: two with isvsvn 2"},
		{"\"TDX_03\"", "\"tdx_01\"", "tdxModuleIdentities[1]: id: TDX_01 is there twice"},
		{"\"TDX_03\"", "\"TDX_0003\"", "id: not a string like"},
		{"\"TDX_03\"", "3", "id: not a string like"},
		{"\"tdxModule\"", "\"tdxModul\"", "tdxModule: mrsigner: it is missing"},
		{"\"attributesMask\":\"FF", "\"attributesMask\":\"F",
			"tdxModule: attributesMask: not 16 hexadecimal digits"},
		{"\"tdxModuleIdentities\":[", "\"tdxModuleIdentities\":[" OTHER_MODULE,
			"tdxModuleIdentities[0]: mrsigner: not 96 hexadecimal digits"},
		{"\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[1]",
			"advisoryIDs[0]: not a string"},
		{"\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":\"A\"",
			"advisoryIDs: not a list"},
	};
	_cleanup_intel_sign_ struct intel_sign s;
	struct span body = intel_vector("trustee/tcbInfo.json", "tcbInfo", NULL);

	if (!intel_sign_begin(&s))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);
		_cleanup_(tcb_info_free_p) struct tcb_info *t = NULL;
		const char *want = rows[i].message;

		intel_edit(&text, body, rows[i].find, rows[i].put);
		t = intel_sign_tcb_info(&s, buf_view(&text));
		if (!t)
			return;
		CHECK_ROW(rows[i].put, t->problem == (want ? REASON_CollateralInvalid : REASON_Ok),
			"%s: %s", reason_name(t->problem), t->message);
		CHECK_ROW(rows[i].put, strstr(t->message, want ? want : ""), "%s", t->message);
	}
}

static void test_advisories(void)
{
	_cleanup_(tcb_info_free_p) struct tcb_info *t = NULL;
	_cleanup_roots_ struct roots roots = {0};

	CU_ASSERT(roots_builtin(&roots, NULL) == 0);
	t = real(SGX_SET, &roots);
	if (!t || t->n_levels != 11)
		return;
	CHECK_STR("date", span_str(t->levels[1].date), "2024-03-13T00:00:00Z");
	CU_ASSERT_EQUAL(t->levels[1].status, TCB_ConfigurationAndSWHardeningNeeded);
	if (!CHECK_ROW(
		    "advisories", t->levels[1].n_advisories == 2, "%zu", t->levels[1].n_advisories))
		return;
	CHECK_STR("first", t->levels[1].advisories[0], "INTEL-SA-00289");
	CHECK_STR("second", t->levels[1].advisories[1], "INTEL-SA-00615");
}

/* Levels come in any order, and count in one. */
static void test_order(void)
{
	_cleanup_intel_sign_ struct intel_sign s;
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);
	_cleanup_(tcb_info_free_p) struct tcb_info *t = NULL;
	struct span body = intel_vector("trustee/tcbInfo.json", "tcbInfo", NULL);

	if (!intel_sign_begin(&s))
		return;
	/* the first becomes lower than the second in its last component of SGX */
	intel_edit(&text, body, "\"pcesvn\":13", "\"pcesvn\":4");
	t = intel_sign_tcb_info(&s, buf_view(&text));
	if (!t || !CHECK_ROW("order", t->problem == REASON_Ok, "%s", t->message))
		return;
	CU_ASSERT(t->levels[0].pcesvn == 5 && t->levels[0].status == TCB_OutOfDate);
	CU_ASSERT(t->levels[1].pcesvn == 4 && t->levels[1].status == TCB_UpToDate);
}

/* A PCK and TEE_TCB_SVN, changed in one place, against levels {2,2,2,2,4,1,0,2,0…} with PCESVN 13
 * (UpToDate) and 5 (OutOfDate), TDX {5,0,2,0…}. */
static void test_match(void)
{
	static const struct {
		const char *name;
		int component, sgx_svn; /* -1: none */
		unsigned pcesvn;
		int tdx_component, tdx_svn; /* -1: none */
		unsigned module;            /* version: byte 1 */
		int want;                   /* level; -1: none */
	} rows[] = {
		{"exactly the first", -1, 0, 13, -1, 0, 0, 0},
		{"one component higher", 0, 255, 13, -1, 0, 0, 0},
		{"PCESVN higher", -1, 0, 65535, -1, 0, 0, 0},
		{"PCESVN lower", -1, 0, 12, -1, 0, 0, 1},
		{"PCESVN lowest", -1, 0, 5, -1, 0, 0, 1},
		{"PCESVN too low", -1, 0, 4, -1, 0, 0, -1},
		{"first component lower", 0, 1, 13, -1, 0, 0, -1},
		{"last that counts lower", 7, 1, 13, -1, 0, 0, -1},
		{"first higher does not make up", 4, 3, 13, -1, 0, 0, -1},
		{"module SVN lower, version 0", -1, 0, 13, 0, 4, 0, -1},
		{"module SVN lower, version 1", -1, 0, 13, 0, 4, 1, 0},
		{"third lower, version 0", -1, 0, 13, 2, 1, 0, -1},
		{"third lower, version 1", -1, 0, 13, 2, 1, 1, -1},
	};
	_cleanup_(tcb_info_free_p) struct tcb_info *t = NULL;
	_cleanup_roots_ struct roots roots = {0};

	CU_ASSERT(roots_builtin(&roots, NULL) == 0);
	t = real("trustee/tcbInfo.json", &roots);
	if (!t || t->n_levels != 2)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pck pck = {
			.pcesvn = (uint16_t)rows[i].pcesvn, .components = {2, 2, 2, 2, 4, 1, 0, 2}};
		unsigned char svn[16] = {5, (unsigned char)rows[i].module, 2};
		const struct tcb_level *l;

		if (rows[i].component >= 0)
			pck.components[rows[i].component] = (unsigned char)rows[i].sgx_svn;
		if (rows[i].tdx_component >= 0)
			svn[rows[i].tdx_component] = (unsigned char)rows[i].tdx_svn;
		l = tcb_info_match(t, &pck, svn);
		CHECK_ROW(rows[i].name, l == (rows[i].want < 0 ? NULL : &t->levels[rows[i].want]),
			"level %td", l ? l - t->levels : -1);
		CHECK_ROW(rows[i].name, !tcb_info_match(t, &pck, NULL), "as SGX");
	}
}

/* The platforms of real quotes. */
static void test_match_real(void)
{
	static const struct {
		const char *quote, *tcb_info;
		int want;
		enum tcb_status status, module;
	} rows[] = {
		{"dcap-qvl/sgx_quote", SGX_SET, 1, TCB_ConfigurationAndSWHardeningNeeded,
			TCB_STATUS_N},
		{"dcap-qvl/tdx_quote", TDX_SET, 0, TCB_UpToDate, TCB_UpToDate},
		{"go-tdx-guest/quote_v5_sample.dat", TDX_SET2, 0, TCB_UpToDate, TCB_UpToDate},
		{"dcap-qvl/tdx_quote_outdated", TDX_SET2, -1, TCB_STATUS_N, TCB_UpToDate},
		/* a module that is up to date saves no platform */
		{"trustee/tdx_quote_6.dat", "trustee/tcbInfo.json", 1, TCB_OutOfDate, TCB_UpToDate},
	};
	_cleanup_roots_ struct roots roots = {0};

	CU_ASSERT(roots_builtin(&roots, NULL) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(tcb_info_free_p) struct tcb_info *t = real(rows[i].tcb_info, &roots);
		const char *name = rows[i].quote;
		const struct tdx_module *m = NULL;
		const struct isv_level *ml = NULL;
		const struct tcb_level *l;
		const unsigned char *svn;
		struct cert *chain[3] = {0};
		struct error err = {0};
		enum reason reason;
		struct quote q;
		struct pck pck;

		if (!t || quote_parse(&q, vector(name), &reason, &err) < 0 ||
			cert_parse_pem(chain, 3, q.cert_data, &err) != 3 ||
			pck_read(&pck, chain[0], &err) < 0) {
			CHECK_ROW(name, false, "cannot be read: %s", err.message);
			continue;
		}
		svn = q.tdx ? q.td.tee_tcb_svn : NULL;
		l = tcb_info_match(t, &pck, svn);
		CHECK_ROW(name, memcmp(pck.fmspc, t->fmspc, 6) == 0, "FMSPC");
		CHECK_ROW(name, l == (rows[i].want < 0 ? NULL : &t->levels[rows[i].want]),
			"level %td", l ? l - t->levels : -1);
		CHECK_ROW(
			name, !l || l->status == rows[i].status, "%s", tcb_status_name(l->status));
		if (svn)
			m = tcb_info_module(t, svn[1]);
		if (m)
			ml = isv_level_match(m->levels, m->n_levels, svn[0]);
		CHECK_ROW(name, (ml ? ml->status : TCB_STATUS_N) == rows[i].module, "module %s",
			ml ? tcb_status_name(ml->status) : "none");
		for (size_t k = 0; k < 3; k++)
			cert_unref(chain[k]);
	}
}

static void test_modules(void)
{
	_cleanup_intel_sign_ struct intel_sign s;
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);
	_cleanup_(tcb_info_free_p) struct tcb_info *t = NULL, *sgx = NULL;
	struct span body = intel_vector("trustee/tcbInfo.json", "tcbInfo", NULL);
	const struct isv_level *l;

	if (!intel_sign_begin(&s))
		return;
	intel_edit(&text, body, "TDX_03", "tdx_aB");
	t = intel_sign_tcb_info(&s, buf_view(&text));
	sgx = real(SGX_SET, &s.roots);
	if (!t || !sgx || t->n_modules != 3)
		return;
	CU_ASSERT(tcb_info_module(t, 0) == &t->modules[0] && t->modules[0].n_levels == 0);
	CU_ASSERT(tcb_info_module(t, 0xab) == &t->modules[1]);
	CU_ASSERT(tcb_info_module(t, 1) == &t->modules[2]);
	CU_ASSERT(tcb_info_module(t, 2) == NULL && tcb_info_module(t, 3) == NULL);
	CU_ASSERT(tcb_info_module(sgx, 0) == NULL && tcb_info_module(sgx, 1) == NULL);
	for (unsigned svn = 0; svn < 6; svn++) {
		l = isv_level_match(t->modules[2].levels, t->modules[2].n_levels, svn);
		CU_ASSERT(svn < 2 ? l == NULL : l == &t->modules[2].levels[svn < 4 ? 1 : 0]);
	}
}

/* Only what was signed counts: each bit of text and signature, and each length of both. */
static void test_tampering(void)
{
	_cleanup_roots_ struct roots roots = {0};
	struct span chain = vector("go-tdx-guest/tcb_info_issuer_chain.pem"), body;
	unsigned char raw[64];
	char text[4096];
	size_t n;

	CU_ASSERT(roots_builtin(&roots, NULL) == 0);
	body = intel_vector("go-tdx-guest/sample_tcbInfo_response", "tcbInfo", raw);
	n = body.len;
	if (!CHECK_ROW("size", n > 0 && n <= sizeof(text), "%zu", n))
		return;
	memcpy(text, body.p, n);
	for (size_t bit = 0; bit < 8 * (n + 64); bit++) {
		_cleanup_(tcb_info_free_p) struct tcb_info *t = NULL;
		unsigned char *byte =
			bit / 8 < n ? (unsigned char *)&text[bit / 8] : &raw[bit / 8 - n];

		/* of the text one bit in each byte, another each time: each of all is a minute */
		if (bit / 8 < n && bit % 8 != bit / 8 % 8)
			continue;
		*byte ^= (unsigned char)(1u << bit % 8);
		CU_ASSERT(tcb_info_new(&t, (struct span){text, n}, (struct span){(char *)raw, 64},
				  chain, &roots, NULL, NULL) == 0);
		CHECK_ROW("bit", t->problem == REASON_CollateralSignatureInvalid && t->message[0],
			"%zu: %s", bit, reason_name(t->problem));
		*byte ^= (unsigned char)(1u << bit % 8);
	}
	for (size_t len = 0; len < n + 64; len++) {
		_cleanup_(tcb_info_free_p) struct tcb_info *t = NULL;

		CU_ASSERT(tcb_info_new(&t, (struct span){text, len < n ? len : n},
				  (struct span){(char *)raw, len < n ? 64 : len - n}, chain, &roots,
				  NULL, NULL) == 0);
		CHECK_ROW("length", t->problem == REASON_CollateralSignatureInvalid, "%zu: %s", len,
			reason_name(t->problem));
	}
}

/* Each length of a well signed document: cut JSON is none. */
static void test_cut(void)
{
	_cleanup_intel_sign_ struct intel_sign s;
	struct span body = intel_vector("trustee/tcbInfo.json", "tcbInfo", NULL);

	if (!intel_sign_begin(&s))
		return;
	for (size_t len = 0; len < body.len; len += 1 + len / 64) {
		_cleanup_(tcb_info_free_p) struct tcb_info *t =
			intel_sign_tcb_info(&s, (struct span){body.p, len});

		if (!t)
			return;
		CHECK_ROW("cut", t->problem == REASON_CollateralInvalid, "%zu: %s", len,
			reason_name(t->problem));
	}
}

static void test_answers(void)
{
	static const struct {
		const char *text, *name;
		const char *body; /* NULL: refused */
	} rows[] = {
		{"{\"a\":{\"b\":1},\"signature\":\"S\"}", "a", "{\"b\":1}"},
		{" {\"signature\":\"S\" , \"a\" : {\"b\": [ 1 ]} }\n", "a", "{\"b\": [ 1 ]}"},
		{"{\"a\":{\"b\":1},\"signature\":\"S\"}", "c", NULL},
		{"{\"a\":\"{}\",\"signature\":\"S\"}", "a", NULL},
		{"{\"a\":{}}", "a", NULL},
		{"{\"a\":{},\"signature\":\"SS\"}", "a", NULL},
		{"{\"a\":{},\"signature\":\"00\"}", "a", NULL},
		{"{\"a\":{},\"signature\":1}", "a", NULL},
		{"[]", "a", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct json_limits limits = {4096, 100, 18};
		_cleanup_buf_ struct buf text = BUF_INIT(4096);
		_cleanup_json_ struct json doc = {0};
		struct span body = SPAN_NONE;
		unsigned char raw[64] = {0}, want[64];
		struct error err = {0};
		int r;

		for (const char *p = rows[i].text; *p; p++) {
			for (int k = 0; *p == 'S' && k < 128; k++)
				buf_putc(&text, "aB"[k % 2]);
			if (*p != 'S')
				buf_putc(&text, *p);
		}
		CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&text), &limits, NULL), 0);
		r = intel_signed_value(json_root(&doc), rows[i].name, &body, raw, &err);
		memset(want, 0xab, sizeof(want));
		CHECK_ROW(rows[i].text, r == (rows[i].body ? 0 : -EBADMSG), "%d", r);
		if (rows[i].body && CHECK_STR(rows[i].text, body, rows[i].body))
			CU_ASSERT(memcmp(raw, want, sizeof(raw)) == 0);
		CHECK_ROW(rows[i].text, r == 0 || err.message[0], "no message");
	}
}

CU_TestInfo tcb_info_tests[] = {
	{"real documents", test_real},
	{"issuers", test_issuers},
	{"Intel's samples", test_samples},
	{"shapes", test_shapes},
	{"advisories", test_advisories},
	{"order of levels", test_order},
	{"levels", test_match},
	{"levels of real platforms", test_match_real},
	{"modules", test_modules},
	{"tampering", test_tampering},
	{"cut", test_cut},
	{"answers", test_answers},
	CU_TEST_INFO_NULL,
};
