/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "common/tee/evidence.h"
#include "common/tee/policy.h"
#include "tests/unit/test.h"

#define HEX32 "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define HEX48 HEX32 "00112233445566778899aabbccddeeff"

static const char full[] =
	"acceptedTcbStatuses: [SWHardeningNeeded, TDRelaunchAdvised]\n"
	"acceptedAdvisories: [INTEL-SA-00289, INTEL-SA-00615]\n"
	"allowDebug: true\n"
	"allowSimulated: true\n"
	"allowMigration: true\n"
	"requireCrl: true\n"
	"requireMeasurements: true\n"
	"minTcbEvaluationDataNumber: 17\n"
	"tdx: {requireSeptVeDisable: false, allowedAttributes: \"0x10000000\", allowedXfam: 0xe7}\n"
	"snp:\n"
	"  vmpl: 2\n"
	"  minTcb: {fmc: 1, bootloader: 2, tee: 3, snp: 4, microcode: 5}\n"
	"  requiredPolicy: 0x10000\n"
	"  forbiddenPolicy: \"0xFFFFFFFFFFFFFFFF\"\n"
	"  requiredPlatformInfo: 32\n"
	"  allowProvisional: false\n"
	"measurements:\n"
	"- name: enclave\n"
	"  sgx: {mrsigner: " HEX32 ", isvProdId: 3, minIsvSvn: 7}\n"
	"- name: guest\n"
	"  tdx: {mrtd: " HEX48 ", rtmrs: {\"1\": " HEX48 ", \"3\": " HEX48 "}, mrseam: " HEX48
	", mrconfigid: " HEX48 ", mrowner: " HEX48 ", mrownerconfig: " HEX48 "}\n"
	"- name: vm\n"
	"  snp: {measurement: " HEX48 ", hostData: " HEX32 ", idKeyDigest: " HEX48
	", authorKeyDigest: " HEX48 ", minGuestSvn: 9}\n"
	"- name: dev\n"
	"  simulated: {}\n"
	"- name: dev2\n"
	"  simulated: {pcr7: \"00ff\"}\n"
	"trustedRoots:\n"
	"- |\n"
	"  -----BEGIN CERTIFICATE-----\n"
	"reportData: \"abcdef\"\n"
	"time: 2025-06-27T04:53:20Z\n";

static bool has(const struct accepted *a, const char *name, size_t len)
{
	for (size_t i = 0; i < a->n_measurements; i++) {
		const struct measurement *m = &a->measurements[i];

		if (strcmp(m->name, name) == 0)
			return m->len == len &&
			       (len == 2 || (m->value[1] == 0x11 && m->value[len - 1] == 0xff));
	}
	return false;
}

static void check_measurements(const struct verify_policy *p)
{
	static const char *const td[] = {
		"mrtd", "rtmr1", "rtmr3", "mrseam", "mrconfigid", "mrowner", "mrownerconfig"};
	const struct accepted *a = p->accepted;

	CU_ASSERT(p->n_accepted == 5);
	CHECK_STR("name", span_str(a[0].name), "enclave");
	CU_ASSERT(a[0].tees == 1u << TEE_TYPE_SGX && a[0].n_measurements == 1);
	CU_ASSERT(has(&a[0], "mrsigner", 32) && a[0].isv_prod_id == 3 && a[0].min_isv_svn == 7);
	CU_ASSERT(a[1].tees == 1u << TEE_TYPE_TDX && a[1].n_measurements == ARRAY_SIZE(td));
	for (size_t i = 0; i < ARRAY_SIZE(td); i++)
		CHECK_ROW(td[i], has(&a[1], td[i], 48), "is not there");
	CU_ASSERT(a[1].isv_prod_id == -1 && a[1].min_isv_svn == 0 && a[1].min_guest_svn == 0);
	CU_ASSERT(a[2].tees == 1u << TEE_TYPE_SNP && a[2].n_measurements == 4);
	CU_ASSERT(has(&a[2], "measurement", 48) && has(&a[2], "hostData", 32));
	CU_ASSERT(has(&a[2], "idKeyDigest", 48) && has(&a[2], "authorKeyDigest", 48));
	CU_ASSERT(a[2].min_guest_svn == 9);
	CU_ASSERT(a[3].tees == 1u << TEE_TYPE_SIMULATED && a[3].n_measurements == 0);
	CU_ASSERT(a[4].tees == 1u << TEE_TYPE_SIMULATED && has(&a[4], "pcr7", 2));
}

static void check_full(const char *name, const struct policy_document *d)
{
	const struct verify_policy *p = &d->policy;
	static const unsigned char data[64] = {0xab, 0xcd, 0xef};

	CHECK_ROW(name,
		p->accepted_tcb == (1u << TCB_SWHardeningNeeded | 1u << TCB_TDRelaunchAdvised),
		"%x", p->accepted_tcb);
	CU_ASSERT(p->n_accepted_advisories == 2 &&
		  span_is(p->accepted_advisories[1], "INTEL-SA-00615"));
	CU_ASSERT(p->allow_debug && p->allow_simulated && p->allow_migration && p->require_crl &&
		  p->measurements_required);
	CU_ASSERT(p->min_evaluation_number == 17);
	CU_ASSERT(p->allow_sept_ve && p->td_attributes_allowed == 0x10000000 &&
		  p->xfam_allowed == 0xe7);
	CU_ASSERT(p->vmpl == 2 && p->min_tcb.fmc == 1 && p->min_tcb.bootloader == 2 &&
		  p->min_tcb.tee == 3 && p->min_tcb.snp == 4 && p->min_tcb.microcode == 5);
	CU_ASSERT(p->snp_required == 0x10000 && p->snp_forbidden == UINT64_MAX &&
		  p->platform_required == 32 && p->refuse_provisional);
	CU_ASSERT(p->report_data && memcmp(p->report_data, data, 64) == 0);
	CU_ASSERT(d->n_trusted_roots == 1 &&
		  span_is(d->trusted_roots[0], "-----BEGIN CERTIFICATE-----\n"));
	CU_ASSERT(d->time == 1751000000);
	check_measurements(p);
}

static bool parse(struct policy_document *d, const char *text, const char *row)
{
	struct error err = {0};

	*d = POLICY_DOCUMENT_INIT;
	return CHECK_ROW(row, policy_document_parse(d, span_str(text), "policy.yaml", &err) == 0,
		"%s", err.message);
}

/* The document alone, as `attestation`, and in a profile. */
static void test_full(void)
{
	static const struct {
		const char *name, *head, *indent;
	} rows[] = {
		{"alone", "", ""},
		{"attestation", "attestation:\n", "  "},
		{"profile",
			"apiVersion: casemate.dev/v1alpha1\nkind: EnclaveProfile\nmetadata: {name: "
			"a}\n"
			"spec:\n  tee: sgx\n  attestation:\n",
			"    "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_policy_document_ struct policy_document d;
		_cleanup_buf_ struct buf text = BUF_INIT(65536);
		const char *line = full;

		buf_puts(&text, rows[i].head);
		while (*line) {
			size_t n = strcspn(line, "\n") + 1;

			buf_puts(&text, rows[i].indent);
			buf_add(&text, line, n);
			line += n;
		}
		if (parse(&d, text.p, rows[i].name))
			check_full(rows[i].name, &d);
	}
}

static void test_defaults(void)
{
	static const char *const rows[] = {"{}", "attestation: {}",
		"kind: EnclaveProfile\nspec: {tee: sgx}\n",
		"kind: EnclaveProfile\nspec: {attestation: {}}\n"};
	static const struct verify_policy none;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_policy_document_ struct policy_document d;

		if (!parse(&d, rows[i], rows[i]))
			continue;
		CU_ASSERT(memcmp(&d.policy, &none, sizeof(none)) == 0);
		CU_ASSERT(d.time == -1 && d.n_trusted_roots == 0);
	}
}

static void test_refused(void)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"", "policy.yaml: says nothing"},
		{"# nothing\n", "policy.yaml: says nothing"},
		{"[]", "policy.yaml:1:1: must be an object"},
		{"{}\n---\n{}\n", "policy.yaml:"},
		{"allowDebug: true\nallowDebug: false\n", "policy.yaml:2:1: "},
		{"allowDebugs: true",
			"policy.yaml:1:1: there is no member 'allowDebugs'; there are acceptedTcb"},
		{"allowDebug: \"true\"", "policy.yaml:1:13: allowDebug: must be true or false"},
		{"{attestation: {}, allowDebug: true}", "there is no member 'attestation'"},
		{"attestation: {x: 1}", "policy.yaml:1:15: attestation: there is no member 'x'"},
		{"kind: EnclaveProfile\nspec: {attestation: {x: 1}}\n",
			"policy.yaml:2:22: spec.attestation: there is no member 'x'"},
		{"acceptedTcbStatuses: UpToDate", "acceptedTcbStatuses: must be a list"},
		{"acceptedTcbStatuses: [Revoked]",
			"acceptedTcbStatuses[0]: a revoked platform is never accepted"},
		{"acceptedTcbStatuses: [UpToDate, uptodate]",
			"acceptedTcbStatuses[1]: must be one"},
		{"acceptedTcbStatuses: [NotSupported]", "acceptedTcbStatuses[0]: must be one"},
		{"acceptedTcbStatuses: [1]", "acceptedTcbStatuses[0]: must be one"},
		{"acceptedTcbStatuses: [A, A, A, A, A, A, A, A, A, A, A]", "more than 10 elements"},
		{"acceptedAdvisories: [\"\"]", "acceptedAdvisories[0]: must be a string"},
		{"acceptedAdvisories: [1]", "acceptedAdvisories[0]: must be a string"},
		{"minTcbEvaluationDataNumber: -1", "must be a whole number from 0 to 2147483647"},
		{"minTcbEvaluationDataNumber: 2147483648", "must be a whole number"},
		{"minTcbEvaluationDataNumber: 1.5", "must be a whole number"},
		{"tdx: []", "tdx: must be an object"},
		{"tdx: {allowedXfam: \"0x\"}", "tdx.allowedXfam: must be a set of 64 bits"},
		{"tdx: {allowedXfam: \"e7\"}", "tdx.allowedXfam: must be a set of 64 bits"},
		{"tdx: {allowedXfam: \"0x1g\"}", "tdx.allowedXfam: must be a set of 64 bits"},
		{"tdx: {allowedXfam: -1}", "tdx.allowedXfam: must be a set of 64 bits"},
		{"tdx: {allowedXfam: \"0x10000000000000000\"}", "must be a set of 64 bits"},
		{"snp: {vmpl: 4}", "snp.vmpl: must be a privilege level from 0 to 3"},
		{"snp: {vmpl: 256}", "snp.vmpl: must be a whole number from 0 to 255"},
		{"snp: {minTcb: {uCode: 1}}", "snp.minTcb: there is no member 'uCode'"},
		{"snp: {minTcb: {snp: 256}}", "snp.minTcb.snp: must be a whole number"},
		{"measurements: {}", "measurements: must be a list"},
		{"measurements: [{name: a}]", "measurements[0]: needs a name and exactly one of"},
		{"measurements: [{sgx: {mrsigner: " HEX32 "}}]", "measurements[0]: needs a name"},
		{"measurements: [{name: a, simulated: {}, sgx: {mrsigner: " HEX32 "}}]",
			"measurements[0]: needs a name and exactly one"},
		{"measurements: [{name: a, cca: {}}]", "measurements[0]: there is no member 'cca'"},
		{"measurements: [{name: a, sgx: {}}]",
			"measurements[0].sgx: needs mrenclave or mrsigner"},
		{"measurements: [{name: a, sgx: {isvProdId: 1}}]", "needs mrenclave or mrsigner"},
		{"measurements: [{name: a, sgx: {mrenclave: " HEX48 "}}]",
			"measurements[0].sgx.mrenclave: must be a string of 64 hexadecimal digits"},
		{"measurements: [{name: a, sgx: {mrenclave: 12}}]", "in quotes"},
		{"measurements: [{name: a, sgx: {mrenclave: \"\"}}]", "sgx.mrenclave: must be"},
		{"measurements: [{name: a, sgx: {mrsigner: " HEX32 ", isvProdId: 65536}}]",
			"measurements[0].sgx.isvProdId: must be a whole number from 0 to 65535"},
		{"measurements: [{name: a, tdx: {mrseam: " HEX48 "}}]", "needs mrtd or rtmrs"},
		{"measurements: [{name: a, tdx: {rtmrs: {}}}]", "needs mrtd or rtmrs"},
		{"measurements: [{name: a, tdx: {rtmrs: {\"4\": " HEX48 "}}}]",
			"measurements[0].tdx.rtmrs: there is no member '4'; there are 0, 1, 2, 3"},
		{"measurements: [{name: a, tdx: {rtmrs: {\"0\": " HEX32 "}}}]",
			"measurements[0].tdx.rtmrs.0: must be a string of 96 hexadecimal digits"},
		{"measurements: [{name: a, snp: {hostData: " HEX32 "}}]",
			"needs measurement or idKeyDigest"},
		{"measurements: [{name: a, simulated: {a: \"" HEX48 "00\"}}]",
			"measurements[0].simulated.a: must be a string of up to 96"},
		{"measurements: [{name: a, simulated: []}]", "simulated: must be an object"},
		{"measurements: [{name: \"" HEX32 "\", simulated: {}}]",
			"name: must be at most 63"},
		{"trustedRoots: pem", "trustedRoots: must be a list"},
		{"trustedRoots: [a, a, a, a, a, a, a, a, a, a]", "more than 9 elements"},
		{"reportData: \"\"", "reportData: must be a string of up to 128"},
		{"reportData: \"" HEX48 HEX32 "\"", "reportData: must be a string of up to 128"},
		{"reportData: abc", "reportData: must be"},
		{"time: -1", "time: must be a time since 1970"},
		{"time: yesterday", "time: must be a time since 1970"},
		{"time: 1.5", "time: must be a time since 1970"},
		{"time: null", "time: must be a time since 1970"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_policy_document_ struct policy_document d = POLICY_DOCUMENT_INIT;
		struct error err = {0};
		int r = policy_document_parse(&d, span_str(rows[i].text), "policy.yaml", &err);

		CHECK_ROW(rows[i].text,
			r < 0 && strstr(err.message, rows[i].message) &&
				strstr(err.message, "policy.yaml"),
			"%d %s", r, err.message);
	}
}

static void test_no_memory(void)
{
	_cleanup_policy_document_ struct policy_document d = POLICY_DOCUMENT_INIT;
	struct error err = {0};
	int r = -ENOMEM;

	for (size_t max = 0; r == -ENOMEM && max < POLICY_MEMORY_MAX; max += 8) {
		policy_document_free(&d);
		d = POLICY_DOCUMENT_INIT;
		d.arena.max = max;
		err = (struct error){0};
		r = policy_document_parse(&d, span_str(full), "policy.yaml", &err);
	}
	CHECK_ROW("enough in the end", r == 0, "%d %s", r, err.message);
}

CU_TestInfo tee_policy_tests[] = {
	{"full", test_full},
	{"defaults", test_defaults},
	{"refused", test_refused},
	{"no memory", test_no_memory},
	CU_TEST_INFO_NULL,
};
