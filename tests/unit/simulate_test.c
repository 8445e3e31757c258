/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/platform/simulate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

#define MI (UINT64_C(1) << 20)

static const struct {
	const char *text;
	const char *message; /* NULL: accepted, as this: */
	struct simulation want;
} texts[] = {
	{"sgx", NULL,
		{.sgx = true, .epc_bytes = 128 * MI, .numa = 1, .tdx_slots = 16, .snp_slots = 16}},
	{"sgx:epc=1Gi,numa=2,aesm", NULL,
		{.sgx = true,
			.epc_bytes = 1024 * MI,
			.numa = 2,
			.tdx_slots = 16,
			.snp_slots = 16,
			.aesm = true}},
	{"sgx,aesm,epc=4096", NULL,
		{.sgx = true,
			.epc_bytes = 4096,
			.numa = 1,
			.tdx_slots = 16,
			.snp_slots = 16,
			.aesm = true}},
	{"tdx-host:slots=4+snp-host+tdx-guest+snp-guest", NULL,
		{.tdx_host = true,
			.snp_host = true,
			.tdx_guest = true,
			.snp_guest = true,
			.epc_bytes = 128 * MI,
			.numa = 1,
			.tdx_slots = 4,
			.snp_slots = 16}},
	{"snp-host:slots=4096+sgx:numa=64", NULL,
		{.sgx = true,
			.snp_host = true,
			.epc_bytes = 128 * MI,
			.numa = 64,
			.tdx_slots = 16,
			.snp_slots = 4096}},
	{"", "nothing is named", {0}},
	{"sev", "'sev' is no platform: \"sgx:epc=128Mi", {0}},
	{"SGX", "'SGX' is no platform", {0}},
	{"sgx+", "ends where a platform", {0}},
	{"+sgx", "'' is no platform", {0}},
	{"sgx++tdx-host", "'' is no platform", {0}},
	{"sgx+sgx", "'sgx' is given twice", {0}},
	{"sgx:", "ends where an option", {0}},
	{"sgx:epc=1Gi,", "ends with a comma", {0}},
	{"sgx:,aesm", "'' is no option of sgx", {0}},
	{"sgx:epc=1Gi,epc=2Gi", "'epc=2Gi' is given twice", {0}},
	{"sgx:aesm,aesm", "'aesm' is given twice", {0}},
	{"sgx:numa=2,numa=2", "is given twice", {0}},
	{"sgx:epc=", "is no amount of EPC", {0}},
	{"sgx:epc=0", "is no amount of EPC", {0}},
	{"sgx:epc=-4Ki", "is no amount of EPC", {0}},
	{"sgx:epc=5000", "whole pages of 4Ki", {0}},
	{"sgx:epc=100000Pi", "is no amount of EPC", {0}},
	{"sgx:epc=4Ki,numa=2", "less than a page of EPC for each of 2", {0}},
	{"sgx:numa=0", "1 to 64", {0}},
	{"sgx:numa=65", "1 to 64", {0}},
	{"sgx:numa=two", "1 to 64", {0}},
	{"sgx:slots=3", "'slots=3' is no option of sgx: epc=128Mi, numa=2, aesm", {0}},
	{"tdx-host:slots=0", "1 to 4096", {0}},
	{"tdx-host:slots=4097", "1 to 4096", {0}},
	{"tdx-host:slots=4,slots=5", "is given twice", {0}},
	{"snp-host:epc=1Gi", "is no option of a host: slots=16", {0}},
	{"tdx-guest:slots=3", "which has no options", {0}},
};

static bool same(const struct simulation *a, const struct simulation *b)
{
	return a->sgx == b->sgx && a->tdx_host == b->tdx_host && a->snp_host == b->snp_host &&
	       a->tdx_guest == b->tdx_guest && a->snp_guest == b->snp_guest &&
	       a->epc_bytes == b->epc_bytes && a->numa == b->numa && a->tdx_slots == b->tdx_slots &&
	       a->snp_slots == b->snp_slots && a->aesm == b->aesm;
}

static void test_parse(void)
{
	char cut[128];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct simulation s = {0};
		struct error err = {0};
		int r = simulation_parse(&s, texts[i].text, &err);

		if (texts[i].message)
			CHECK_ROW(texts[i].text,
				r == -EINVAL && strstr(err.message, texts[i].message) &&
					same(&s, &(struct simulation){0}),
				"got %d: %s", r, err.message);
		else
			CHECK_ROW(texts[i].text, r == 0 && same(&s, &texts[i].want), "got %d: %s",
				r, err.message);
		for (size_t len = 0; len < strlen(texts[i].text); len++) {
			snprintf(cut, sizeof(cut), "%.*s", (int)len, texts[i].text);
			r = simulation_parse(&s, cut, NULL);
			CHECK_ROW(cut, r == 0 || r == -EINVAL, "got %d", r);
		}
	}
}

static void test_too_long(void)
{
	struct simulation s;
	struct error err = {0};
	char text[400];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	CU_ASSERT_EQUAL(simulation_parse(&s, text, &err), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "too long"));
}

static void check_node(const char *path)
{
	struct stat st;

	CHECK_ROW(path,
		lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) &&
			(st.st_mode & 07777) == 0666,
		"not the node");
}

/* Makes, makes again, and replaces what is something else. */
static void test_devices(void)
{
	static const char *const before[][3] = {
		{NULL}, /* nothing */
		{NULL}, /* what the first made */
		{"- /sim/dev/sgx_enclave", "f /sim/dev/sgx_enclave x", NULL},
		{"- /sim/dev/sgx_enclave", "l /sim/dev/sgx_enclave /etc/passwd", NULL},
		{"- /sim/dev/sgx_provision", "c /sim/dev/sgx_provision 0600", NULL},
		{"f /sim/dev/.sgx_provision.new x", "- /sim/dev/sgx_provision", NULL},
	};
	struct simulation s;
	struct platform p = {0};
	struct error err = {0};
	struct tree t;
	char dir[128];
	mode_t umask_before = umask(077);

	if (geteuid() != 0 || !tree_new(&t)) {
		umask(umask_before);
		return;
	}
	snprintf(dir, sizeof(dir), "%s/sim", t.root);
	CU_ASSERT_EQUAL(simulation_parse(&s, "sgx:numa=3,epc=28Ki,aesm", &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		int r;

		tree_steps(&t, before[i]);
		r = simulation_make(&s, dir, &err);
		if (!CHECK_ROW("devices", r == 0, "%zu: %d: %s", i, r, err.message))
			break;
		simulation_discover(&s, dir, &p);
		check_node(p.enclave_device);
		check_node(p.provision_device);
	}
	umask(umask_before);
	CU_ASSERT(p.simulated && p.enclave_ok && p.provision_ok && p.aesm_ok && !p.epc_cgroup);
	CU_ASSERT_EQUAL(p.epc_bytes, 28 << 10);
	CU_ASSERT_EQUAL(p.n_epc, 3);
	CU_ASSERT(p.epc[0].bytes == 12 << 10 && p.epc[1].bytes == 8 << 10 &&
		  p.epc[2].bytes == 8 << 10);
	CU_ASSERT(p.epc[0].numa == 0 && p.epc[2].numa == 2);
	CU_ASSERT_NSTRING_EQUAL(p.enclave_device, dir, strlen(dir));
	CU_ASSERT_STRING_EQUAL(p.aesm_socket + strlen(dir), "/aesmd/aesm.socket");
	tree_free(&t);
}

static void test_refusals(void)
{
	static const char *const steps[] = {"d /a/dev/sgx_enclave", "f /b/dev x", "f /c x", NULL};
	static const struct {
		const char *dir, *message;
	} refusals[] = {
		{"/a", "sgx_enclave: cannot be put in place: Is a directory; remove it"},
		{"/b", "/b/dev: cannot be opened as a folder"},
		{"/c", "/c/dev: cannot make this folder"},
	};
	struct simulation s;
	struct error err = {0};
	struct tree t;
	char dir[400];

	CU_ASSERT_EQUAL(simulation_parse(&s, "sgx", &err), 0);
	CU_ASSERT_EQUAL(simulation_make(&s, "relative", &err), -EINVAL);
	memset(dir, '/', sizeof(dir) - 1);
	dir[sizeof(dir) - 1] = '\0';
	CU_ASSERT_EQUAL(simulation_make(&s, dir, &err), -EINVAL);
	if (geteuid() != 0 || !tree_new(&t))
		return;
	tree_steps(&t, steps);
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		int r;

		snprintf(dir, sizeof(dir), "%s%s", t.root, refusals[i].dir);
		r = simulation_make(&s, dir, &err);
		CHECK_ROW(refusals[i].dir, r < 0 && strstr(err.message, refusals[i].message),
			"got %d: %s", r, err.message);
	}
	tree_free(&t);
}

/* As on a real platform. */
static void test_gone(void)
{
	static const struct {
		const char *node;
		bool enclave, provision;
		enum platform_check check;
	} rows[] = {
		{"sgx_enclave", false, false, CHECK_SGX_ENCLAVE_DEVICE},
		{"sgx_provision", true, false, CHECK_SGX_PROVISION_DEVICE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *steps[] = {NULL, NULL};
		struct simulation s;
		struct platform p = {0};
		struct tree t;
		char dir[128], step[64];

		if (geteuid() != 0 || !tree_new(&t))
			return;
		snprintf(dir, sizeof(dir), "%s/sim", t.root);
		snprintf(step, sizeof(step), "- /sim/dev/%s", rows[i].node);
		steps[0] = step;
		CU_ASSERT_EQUAL(simulation_parse(&s, "sgx", NULL), 0);
		CU_ASSERT_EQUAL(simulation_make(&s, dir, NULL), 0);
		tree_steps(&t, steps);
		simulation_discover(&s, dir, &p);
		CHECK_ROW(rows[i].node,
			p.enclave_ok == rows[i].enclave && p.provision_ok == rows[i].provision &&
				p.findings[rows[i].check].state == FINDING_MISSING,
			"%s", p.findings[rows[i].check].message);
		tree_free(&t);
	}
}

/* What is simulated says so, and what is not is missing. */
static void test_findings(void)
{
	static const struct {
		const char *text;
		unsigned ready; /* checks that are */
	} rows[] = {
		{"tdx-host", 1 << CHECK_TDX_HOST | 1 << CHECK_KATA_TDX},
		{"snp-host", 1 << CHECK_SNP_HOST | 1 << CHECK_KATA_SNP},
		{"tdx-guest", 1 << CHECK_TDX_GUEST},
		{"snp-guest+tdx-host:slots=3",
			1 << CHECK_SNP_GUEST | 1 << CHECK_TDX_HOST | 1 << CHECK_KATA_TDX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct simulation s;
		struct platform p;

		CU_ASSERT_EQUAL(simulation_parse(&s, rows[i].text, NULL), 0);
		CU_ASSERT_EQUAL(simulation_make(&s, "/nonexistent", NULL), 0);
		simulation_discover(&s, "/nonexistent", &p);
		CU_ASSERT(p.simulated && !p.enclave_ok && p.epc_bytes == 0 && p.n_epc == 0);
		CU_ASSERT_EQUAL(p.tdx_keys, s.tdx_host ? s.tdx_slots : 0);
		CU_ASSERT_EQUAL(p.snp_asids, s.snp_host ? s.snp_slots : 0);
		CU_ASSERT(p.tdx_host == s.tdx_host && p.snp_host == s.snp_host &&
			  p.tdx_guest == s.tdx_guest && p.snp_guest == s.snp_guest);
		for (unsigned c = 0; c < PLATFORM_CHECK_N; c++) {
			bool ready = p.findings[c].state == FINDING_READY;

			CHECK_ROW(rows[i].text, ready == !!(rows[i].ready & 1u << c), "%s: %s",
				platform_check_name((enum platform_check)c), p.findings[c].message);
			CHECK_ROW(rows[i].text, strstr(p.findings[c].message, "simulated"), "%s",
				p.findings[c].message);
		}
	}
}

CU_TestInfo simulate_tests[] = {
	{"a device that is gone", test_gone},
	{"parse", test_parse},
	{"too long", test_too_long},
	{"devices", test_devices},
	{"refusals", test_refusals},
	{"findings", test_findings},
	CU_TEST_INFO_NULL,
};
