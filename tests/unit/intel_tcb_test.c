/* SPDX-License-Identifier: Apache-2.0
 *
 * Statuses out of documents made by hand: signatures are no matter here. */
#include "common/tee/intel_tcb.h"

#include "tests/unit/intel_fixture.h"
#include "tests/unit/intel_sign.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

static struct span advisory_new[] = {{"INTEL-SA-00001", 14}};
static struct span advisory_old[] = {{"INTEL-SA-00002", 14}, {"INTEL-SA-00001", 14}};

/* A TDX platform whose levels ask for microcode 5 and late microcode 3; modules TDX_01 and TDX_02
 * are up to date from SVN 6 on, out of date from 4 on, and revoked from 2 on. */
struct world {
	struct tcb_level levels[2];
	struct isv_level module_levels[3], qe_levels[3];
	struct tdx_module modules[3];
	struct tcb_info tcb;
	struct qe_identity qe;
	struct pck pck;
	unsigned char svn[16], svn2[16], mrsigner[48];
	struct td_report td;
};

static struct isv_level level(uint16_t svn, enum tcb_status status)
{
	return (struct isv_level){.isvsvn = svn, .status = status, .date = "2025-01-01T00:00:00Z"};
}

static void make(struct world *w, bool tdx)
{
	*w = (struct world){
		.levels =
			{
				{.sgx = {5},
					.tdx = {6, 0, 3},
					.pcesvn = 11,
					.status = TCB_UpToDate,
					.date = "2025-05-14T00:00:00Z"},
				{.sgx = {2},
					.tdx = {4, 0, 1},
					.pcesvn = 5,
					.status = TCB_OutOfDate,
					.date = "2023-08-09T00:00:00Z",
					.advisories = advisory_old,
					.n_advisories = 2},
			},
		.module_levels = {level(6, TCB_UpToDate), level(4, TCB_OutOfDate),
			level(2, TCB_Revoked)},
		.qe_levels = {level(8, TCB_UpToDate), level(6, TCB_OutOfDate),
			level(5, TCB_Revoked)},
		.pck = {.components = {5}, .pcesvn = 11},
		.svn = {6, 1, 3},
	};
	for (size_t i = 0; i < 3; i++) {
		struct tdx_module *m = &w->modules[i];

		if (i)
			snprintf(m->id, sizeof(m->id), "TDX_0%zu", i);
		memset(m->attributes_mask, 0xff, sizeof(m->attributes_mask));
		m->levels = i ? w->module_levels : NULL;
		m->n_levels = i ? 3 : 0;
	}
	w->tcb = (struct tcb_info){.tdx = tdx,
		.levels = w->levels,
		.n_levels = 2,
		.modules = w->modules,
		.n_modules = 3};
	w->qe = (struct qe_identity){.levels = w->qe_levels, .n_levels = 3};
	w->td = (struct td_report){.tee_tcb_svn = w->svn, .mrsignerseam = w->mrsigner};
}

static struct verdict judge(struct world *w, uint16_t qe_svn)
{
	struct verdict v = {.tcb = TCB_STATUS_N, .module_tcb = TCB_STATUS_N};

	if (intel_tcb_judge(&v, &w->tcb, &w->qe, &w->pck, qe_svn, w->tcb.tdx ? &w->td : NULL) < 0)
		CU_ASSERT_NOT_EQUAL(v.reason, REASON_Ok);
	return v;
}

static void test_sgx(void)
{
	static const struct row {
		const char *name;
		unsigned char component;
		uint16_t pcesvn, qe;
		enum tcb_status platform, merged;
	} rows[] = {
		{"newest", 5, 11, 8, TCB_UpToDate, TCB_UpToDate},
		{"newer than newest", 255, 65535, 65535, TCB_UpToDate, TCB_UpToDate},
		{"an older component", 4, 11, 8, TCB_OutOfDate, TCB_OutOfDate},
		{"an older PCE", 5, 10, 8, TCB_OutOfDate, TCB_OutOfDate},
		{"no level's component", 1, 11, 8, TCB_NotSupported, TCB_NotSupported},
		{"no level's PCE", 5, 4, 8, TCB_NotSupported, TCB_NotSupported},
		{"an older quoting enclave", 5, 11, 7, TCB_UpToDate, TCB_OutOfDate},
		{"a revoked one", 5, 11, 5, TCB_UpToDate, TCB_Revoked},
		{"one without a level", 5, 11, 4, TCB_UpToDate, TCB_NotSupported},
	};

	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		struct world w;
		struct verdict v;

		make(&w, false);
		w.pck.components[0] = row->component;
		w.pck.pcesvn = row->pcesvn;
		v = judge(&w, row->qe);
		CHECK_ROW(row->name, v.platform_tcb == row->platform, "platform %s",
			tcb_status_name(v.platform_tcb));
		CHECK_ROW(row->name, v.tcb == row->merged, "merged %s", tcb_status_name(v.tcb));
		CHECK_ROW(row->name, v.module_tcb == TCB_STATUS_N, "a module");
		CHECK_ROW(row->name, v.qe_svn == row->qe, "SVN");
	}
}

static void test_tdx(void)
{
	static const struct row {
		const char *name;
		unsigned char svn[3]; /* module SVN, version, late microcode */
		enum reason reason;
		enum tcb_status platform, module, merged;
	} rows[] = {
		{"newest", {6, 1, 3}, REASON_Ok, TCB_UpToDate, TCB_UpToDate, TCB_UpToDate},
		{"a module of another version", {6, 2, 3}, REASON_Ok, TCB_UpToDate, TCB_UpToDate,
			TCB_UpToDate},
		{"an older module", {5, 1, 3}, REASON_Ok, TCB_UpToDate, TCB_OutOfDate,
			TCB_OutOfDate},
		{"a revoked module", {3, 1, 3}, REASON_Ok, TCB_UpToDate, TCB_Revoked, TCB_Revoked},
		{"a module without a level", {1, 1, 3}, REASON_Ok, TCB_UpToDate, TCB_NotSupported,
			TCB_NotSupported},
		/* As trustee/tdx_quote_6.dat: the module is new, the platform is not. */
		{"older microcode", {6, 1, 1}, REASON_Ok, TCB_OutOfDate, TCB_UpToDate,
			TCB_OutOfDate},
		{"older microcode and module", {5, 1, 1}, REASON_Ok, TCB_OutOfDate, TCB_OutOfDate,
			TCB_OutOfDate},
		{"no level's microcode", {6, 1, 0}, REASON_Ok, TCB_NotSupported, TCB_UpToDate,
			TCB_NotSupported},
		{"version 0", {6, 0, 3}, REASON_Ok, TCB_UpToDate, TCB_STATUS_N, TCB_UpToDate},
		{"version 0, older", {5, 0, 3}, REASON_Ok, TCB_OutOfDate, TCB_STATUS_N,
			TCB_OutOfDate},
		{"an unknown version", {6, 3, 3}, REASON_TdxModuleMismatch, 0, 0, 0},
	};

	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		struct world w;
		struct verdict v;

		make(&w, true);
		memcpy(w.svn, row->svn, sizeof(row->svn));
		v = judge(&w, 8);
		CHECK_ROW(row->name, v.reason == row->reason, "%s: %s", reason_name(v.reason),
			v.message);
		if (row->reason != REASON_Ok)
			continue;
		CHECK_ROW(row->name, v.platform_tcb == row->platform, "platform %s",
			tcb_status_name(v.platform_tcb));
		CHECK_ROW(row->name, v.module_tcb == row->module, "module %s",
			tcb_status_name(v.module_tcb));
		CHECK_ROW(row->name, v.tcb == row->merged, "merged %s", tcb_status_name(v.tcb));
	}
}

static void test_module_identity(void)
{
	struct verdict v;
	struct world w;

	make(&w, true);
	w.mrsigner[47] = 1;
	v = judge(&w, 8);
	CU_ASSERT_EQUAL(v.reason, REASON_TdxModuleMismatch);
	make(&w, true);
	w.td.seam_attributes = 1ull << 63;
	v = judge(&w, 8);
	CU_ASSERT_EQUAL(v.reason, REASON_TdxModuleMismatch);
	/* What the mask leaves open must be 0 as well. */
	memset(w.modules[1].attributes_mask, 0, sizeof(w.modules[1].attributes_mask));
	v = judge(&w, 8);
	CU_ASSERT_EQUAL(v.reason, REASON_TdxModuleMismatch);
	make(&w, true);
	w.modules[1].attributes[7] = 0x80;
	v = judge(&w, 8);
	CU_ASSERT_EQUAL(v.reason, REASON_TdxModuleMismatch);
	w.td.seam_attributes = 1ull << 63;
	v = judge(&w, 8);
	CU_ASSERT_EQUAL(v.reason, REASON_Ok);
	/* Version 0 has an identity, too. */
	make(&w, true);
	w.svn[1] = 0;
	w.mrsigner[0] = 1;
	v = judge(&w, 8);
	CU_ASSERT_EQUAL(v.reason, REASON_TdxModuleMismatch);
	w.tcb.n_modules = 0;
	v = judge(&w, 8);
	CU_ASSERT_EQUAL(v.reason, REASON_TdxModuleMismatch);
}

/* The TD was launched on module 5 (out of date) with late microcode 1 or 3; what runs now is svn2.
 */
static void test_relaunch(void)
{
	static const struct row {
		const char *name;
		unsigned char svn[3], svn2[3];
		bool td15;
		enum tcb_status newest; /* of the platform's first level */
		uint16_t qe;
		enum reason reason;
		enum tcb_status want;
	} rows[] = {
		{"updated since", {5, 1, 1}, {6, 1, 3}, true, TCB_UpToDate, 8, REASON_Ok,
			TCB_TDRelaunchAdvised},
		{"a newer version since", {5, 1, 1}, {7, 2, 9}, true, TCB_UpToDate, 8, REASON_Ok,
			TCB_TDRelaunchAdvised},
		{"version 0 since", {5, 1, 1}, {6, 0, 3}, true, TCB_UpToDate, 8, REASON_Ok,
			TCB_TDRelaunchAdvised},
		{"version 0 since, older", {5, 1, 1}, {5, 0, 3}, true, TCB_UpToDate, 8, REASON_Ok,
			TCB_OutOfDate},
		{"the module alone was old", {5, 1, 3}, {6, 1, 3}, true, TCB_UpToDate, 8, REASON_Ok,
			TCB_TDRelaunchAdvised},
		{"settings", {5, 1, 3}, {6, 1, 3}, true, TCB_ConfigurationNeeded, 8, REASON_Ok,
			TCB_TDRelaunchAdvisedConfigurationNeeded},
		{"hardening", {5, 1, 3}, {6, 1, 3}, true, TCB_SWHardeningNeeded, 8, REASON_Ok,
			TCB_TDRelaunchAdvised},
		{"settings of the platform, TDX part old", {5, 1, 1}, {6, 1, 3}, true,
			TCB_ConfigurationAndSWHardeningNeeded, 8, REASON_Ok,
			TCB_TDRelaunchAdvisedConfigurationNeeded},
		{"the platform itself is old", {5, 1, 3}, {6, 1, 3}, true, TCB_OutOfDate, 8,
			REASON_Ok, TCB_OutOfDate},
		{"the quoting enclave is old", {5, 1, 1}, {6, 1, 3}, true, TCB_UpToDate, 7,
			REASON_Ok, TCB_OutOfDate},
		{"the quoting enclave is revoked", {5, 1, 1}, {6, 1, 3}, true, TCB_UpToDate, 5,
			REASON_Ok, TCB_Revoked},
		{"the module is still old", {5, 1, 1}, {5, 1, 3}, true, TCB_UpToDate, 8, REASON_Ok,
			TCB_OutOfDate},
		{"late microcode is still old", {5, 1, 1}, {6, 1, 2}, true, TCB_UpToDate, 8,
			REASON_Ok, TCB_OutOfDate},
		{"launched on a new module", {6, 1, 1}, {6, 1, 3}, true, TCB_UpToDate, 8, REASON_Ok,
			TCB_OutOfDate},
		{"launched on a revoked module", {3, 1, 1}, {6, 1, 3}, true, TCB_UpToDate, 8,
			REASON_Ok, TCB_Revoked},
		{"an unknown module since", {5, 1, 1}, {6, 3, 3}, true, TCB_UpToDate, 8,
			REASON_TdxModuleMismatch, 0},
		{"TD 1.0", {5, 1, 1}, {6, 1, 3}, false, TCB_UpToDate, 8, REASON_Ok, TCB_OutOfDate},
	};

	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		struct world w;
		struct verdict v;

		make(&w, true);
		w.levels[0].status = row->newest;
		memcpy(w.svn, row->svn, sizeof(row->svn));
		memcpy(w.svn2, row->svn2, sizeof(row->svn2));
		w.td.tee_tcb_svn2 = row->td15 ? w.svn2 : NULL;
		v = judge(&w, row->qe);
		CHECK_ROW(row->name, v.reason == row->reason, "%s: %s", reason_name(v.reason),
			v.message);
		if (row->reason == REASON_Ok)
			CHECK_ROW(row->name, v.tcb == row->want, "%s", tcb_status_name(v.tcb));
	}
}

/* Of platform, module and quoting enclave, each once. */
static void test_advisories(void)
{
	static struct span qe[] = {{"INTEL-SA-00003", 14}};
	struct world w;
	struct verdict v;

	make(&w, true);
	w.svn[2] = 1;
	w.svn[0] = 5;
	w.module_levels[1].advisories = advisory_new;
	w.module_levels[1].n_advisories = 1;
	w.qe_levels[1].advisories = qe;
	w.qe_levels[1].n_advisories = 1;
	v = judge(&w, 7);
	CU_ASSERT_EQUAL(v.n_advisories, 3);
	CU_ASSERT(span_is(v.advisories[0], "INTEL-SA-00002"));
	CU_ASSERT(span_is(v.advisories[1], "INTEL-SA-00001"));
	CU_ASSERT(span_is(v.advisories[2], "INTEL-SA-00003"));
	CU_ASSERT_STRING_EQUAL(v.tcb_date, "2023-08-09T00:00:00Z");
	v = judge(&w, 8);
	CU_ASSERT_EQUAL(v.n_advisories, 2);
}

/* A real TD of 2025 with its real documents, for which no lists were kept: the module is up to
 * date, the platform is not, and both count. */
static void test_module_status_alone(void)
{
	_cleanup_(tcb_info_free_p) struct tcb_info *tcb = NULL;
	_cleanup_(qe_identity_free_p) struct qe_identity *qe = NULL;
	struct cert *chain[3] = {NULL};
	unsigned char signature[64];
	struct span body;
	struct verdict v;
	struct evidence e;
	struct error err = {0};
	struct roots roots;
	struct pck pck;

	CU_ASSERT_EQUAL(roots_builtin(&roots, &err), 0);
	body = intel_vector("trustee/tcbInfo.json", "tcbInfo", signature);
	tcb_info_new(&tcb, body, (struct span){(char *)signature, 64},
		vector("go-tdx-guest/tcb_info_issuer_chain.pem"), &roots, NULL, &err);
	body = intel_vector("trustee/enclaveIdentity.json", "enclaveIdentity", signature);
	qe_identity_new(&qe, body, (struct span){(char *)signature, 64},
		vector("go-tdx-guest/tcb_info_issuer_chain.pem"), &roots, NULL, &err);
	CU_ASSERT(golden_evidence(&e, vector("trustee/tdx_quote_6.dat"), &v));
	CU_ASSERT_EQUAL(cert_parse_pem(chain, 3, e.quote.cert_data, &err), 3);
	if (tcb && qe && chain[0] && pck_read(&pck, chain[0], &err) == 0) {
		v = (struct verdict){.tcb = TCB_STATUS_N, .module_tcb = TCB_STATUS_N};
		CU_ASSERT_EQUAL(
			intel_tcb_judge(&v, tcb, qe, &pck, e.quote.qe.isvsvn, &e.quote.td), 0);
		CU_ASSERT_EQUAL(v.platform_tcb, TCB_OutOfDate);
		CU_ASSERT_EQUAL(v.module_tcb, TCB_UpToDate);
		CU_ASSERT_EQUAL(v.qe_tcb, TCB_UpToDate);
		CU_ASSERT_EQUAL(v.tcb, TCB_OutOfDate);
	}
	for (size_t i = 0; i < 3; i++)
		cert_unref(chain[i]);
	roots_free(&roots);
}

CU_TestInfo intel_tcb_tests[] = {
	{"SGX", test_sgx},
	{"TDX", test_tdx},
	{"the TDX module's identity", test_module_identity},
	{"a TD to be launched anew", test_relaunch},
	{"advisories", test_advisories},
	{"the module's status alone says nothing", test_module_status_alone},
	CU_TEST_INFO_NULL,
};
