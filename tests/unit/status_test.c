/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/status/status.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/status_fixture.h"
#include "tests/unit/test.h"

enum { OUTPUT_MAX = 4 << 20 };

/* "what state; " of each problem */
static void list_problems(const struct status *s, struct buf *b)
{
	struct status_problem v[STATUS_PROBLEMS_MAX];
	size_t n = status_problems(s, v);

	for (size_t i = 0; i < n; i++) {
		CHECK_ROW(v[i].what, *v[i].message, "says nothing");
		buf_printf(b, "%s %s; ", v[i].what, v[i].state);
	}
}

#define CHANGES(X)                                                                                 \
	X(nothing, , "")                                                                           \
	X(missing, f->platform.findings[CHECK_SGX_AESM].state = FINDING_MISSING, "")               \
	X(misconfigured, f->platform.findings[CHECK_SGX_AESM].state = FINDING_MISCONFIGURED,       \
		"sgx-aesm Misconfigured; ")                                                        \
	X(standalone,                                                                              \
		f->status.kubelet.state = f->status.api_server.state = STATUS_NOT_CONFIGURED;      \
		f->plugins[0].state = PLUGIN_WAITING;                                              \
		f->status.capacity_state = CAPACITY_UNKNOWN, "")                                   \
	X(no_kubelet, f->status.kubelet.state = STATUS_DISCONNECTED;                               \
		f->plugins[0].state = PLUGIN_WAITING, "kubelet Disconnected; ")                    \
	X(no_api_server, f->status.api_server.state = STATUS_DISCONNECTED;                         \
		f->status.capacity_state = CAPACITY_PENDING;                                       \
		f->status.capacity_problem = "no", "api-server Disconnected; ")                    \
	X(foreign, f->plugins[1].state = PLUGIN_FOREIGN, "sgx.intel.com/provision Foreign; ")      \
	X(waiting, f->plugins[1].state = PLUGIN_WAITING, "sgx.intel.com/provision Waiting; ")      \
	X(idle, f->plugins[1].state = PLUGIN_IDLE; f->plugins[1].devices = 0;                      \
		f->plugins[1].healthy = 0, "")                                                     \
	X(unhealthy, f->plugins[0].healthy = 109, "sgx.intel.com/enclave Unhealthy; ")             \
	X(contested, f->status.capacity_state = CAPACITY_CONTESTED, "capacity Contested; ")        \
	X(pending, f->status.capacity_state = CAPACITY_PENDING, "")                                \
	X(stuck, f->status.capacity_state = CAPACITY_PENDING;                                      \
		f->status.capacity_problem = "forbidden", "capacity Pending; ")                    \
	X(full, f->status.epc.requested = (int64_t)120 << 20, "")                                  \
	X(overcommitted, f->status.epc.requested = ((int64_t)120 << 20) + 1,                       \
		"epc Overcommitted; ")                                                             \
	X(simulated, f->platform.simulated = true, "")                                             \
	X(refused, f->status.attestation.state = ATTEST_REFUSED;                              \
		f->status.attestation.reason = "TcbRevoked", "attestation Refused; ")              \
	X(expired, f->status.attestation.state = ATTEST_EXPIRED;                              \
		f->status.attestation.message = "renew", "attestation Expired; ")                  \
	X(unproven, f->status.attestation.state = ATTEST_UNPROVEN, "")                             \
	X(unjudged, f->status.attestation.state = ATTEST_PENDING, "")                              \
	X(unheard, f->status.attestation.state = ATTEST_PENDING;                                   \
		f->status.attestation.problem = "no verifier", "attestation Pending; ")            \
	X(delayed, f->status.attestation.state = ATTEST_ATTESTED;                                  \
		f->status.attestation.problem = "no verifier", "attestation Delayed; ")            \
	X(discovery, f->status.source = STATUS_DISCOVERY;                                          \
		f->status.kubelet.state = STATUS_DISCONNECTED, "")

#define X(name, code, want)                                                                        \
	static void change_##name(struct status_fixture *f)                                        \
	{                                                                                          \
		(void)f;                                                                           \
		code;                                                                              \
	}
CHANGES(X)
#undef X

static void test_problems(void)
{
	static const struct {
		const char *name;
		void (*change)(struct status_fixture *f);
		const char *want;
	} rows[] = {
#define X(name, code, want) {#name, change_##name, want},
		CHANGES(X)
#undef X
	};
	static struct status_fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);

		status_fixture(&f, "sgx");
		rows[i].change(&f);
		list_problems(&f.status, &b);
		CHECK_STR(rows[i].name, buf_view(&b), rows[i].want);
	}
}

/* More problems than anybody reads do not overflow. */
static void test_problems_max(void)
{
	static struct plugin_info plugins[STATUS_PROBLEMS_MAX];
	static struct status_fixture f;
	struct status_problem v[STATUS_PROBLEMS_MAX];

	status_fixture(&f, "hostile");
	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++)
		plugins[i] = (struct plugin_info){"r", PLUGIN_FOREIGN, "", 2, 1};
	f.status.plugins = plugins;
	f.status.n_plugins = ARRAY_SIZE(plugins);
	CU_ASSERT_EQUAL(status_problems(&f.status, v), STATUS_PROBLEMS_MAX);
}

static void test_tees(void)
{
	static const struct {
		const char *node, *present, *absent, *states, *headline;
	} rows[] = {
		{"bare", "", "SGX, TDX host, SEV-SNP host, TDX guest, SEV-SNP guest", "MMMMM",
			"nothing confidential here"},
		{"sgx", "SGX", "TDX host, SEV-SNP host, TDX guest, SEV-SNP guest", "RMMMM",
			"all is well"},
		{"simulated", "SGX", "TDX host, SEV-SNP host, TDX guest, SEV-SNP guest", "RMMMM",
			"works, but simulated"},
		{"broken", "SGX, TDX host", "SEV-SNP host, TDX guest, SEV-SNP guest", "XMMMM",
			"8 things to fix"},
	};
	static struct status_fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf present = BUF_INIT(1000), absent = BUF_INIT(1000);
		_cleanup_buf_ struct buf states = BUF_INIT(1000), headline = BUF_INIT(1000);
		struct status_problem v[STATUS_PROBLEMS_MAX];

		status_fixture(&f, rows[i].node);
		status_tees(&f.platform, true, &present);
		status_tees(&f.platform, false, &absent);
		for (size_t t = 0; t < STATUS_TEE_N; t++)
			buf_putc(&states, "RMX"[status_tee_state(&f.platform, t)]);
		status_headline(&f.status, status_problems(&f.status, v), &headline);
		CHECK_STR(rows[i].node, buf_view(&present), rows[i].present);
		CHECK_STR(rows[i].node, buf_view(&absent), rows[i].absent);
		CHECK_STR(rows[i].node, buf_view(&states), rows[i].states);
		CHECK_STR(rows[i].node, buf_view(&headline), rows[i].headline);
	}
}

static void test_epc_free(void)
{
	static const struct {
		const char *name;
		uint64_t total;
		int64_t reserved, requested, want;
	} rows[] = {
		{"none", 0, 0, 0, 0},
		{"some", 100, 10, 50, 40},
		{"all", 100, 10, 90, 0},
		{"too much", 100, 10, 91, 0},
		{"reserve above total", 100, 200, 0, 0},
		{"unknown", 100, 0, -1, -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct platform p = {.epc_bytes = rows[i].total};
		const struct status s = {
			.platform = &p,
			.epc = {rows[i].reserved, -1, rows[i].requested},
		};
		int64_t got = status_epc_free(&s);

		CHECK_ROW(rows[i].name, got == rows[i].want, "got %lld, want %lld", (long long)got,
			(long long)rows[i].want);
	}
}

static void test_containers(void)
{
	static const char *const ids[] = {"a", "b", "c"};
	static const struct holding v[] = {
		{"shop", "b", "main", "r/2", ids + 2, 1},
		{"shop", "b", "main", "r/1", ids, 2},
		{"shop", "b", "init", "r/1", ids, 1},
		{"shop", "a", "main", "r/1", ids, 1},
		{"bank", "b", "main", "r/1", ids, 1},
	};
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	struct arena none = ARENA_INIT(8);
	_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);
	struct status_container *c = NULL;
	size_t n = 0;

	CU_ASSERT_EQUAL(status_containers(&(struct holdings){v, 5, false}, &a, &c, &n), 0);
	for (size_t i = 0; i < n; i++) {
		buf_printf(&b, "%s/%s/%s:", c[i].namespace_, c[i].pod, c[i].container);
		for (size_t k = 0; k < c[i].n_devices; k++)
			buf_printf(&b, " %s=%s+%zu", c[i].devices[k].resource,
				c[i].devices[k].ids[0], c[i].devices[k].n_ids);
		buf_printf(&b, " %d %d\n", (int)c[i].epc_bytes, (int)c[i].epc_used_bytes);
	}
	CHECK_STR("joined", buf_view(&b),
		"bank/b/main: r/1=a+1 -1 -1\n"
		"shop/a/main: r/1=a+1 -1 -1\n"
		"shop/b/init: r/1=a+1 -1 -1\n"
		"shop/b/main: r/1=a+2 r/2=c+1 -1 -1\n");
	CU_ASSERT_EQUAL(status_containers(&(struct holdings){NULL, 0, false}, &a, &c, &n), 0);
	CU_ASSERT_EQUAL(n, 0);
	CU_ASSERT_EQUAL(status_containers(&(struct holdings){v, 5, false}, &none, &c, &n), -ENOMEM);
	arena_free(&none);
}

static void test_answers(void)
{
	static const struct {
		const char *path;
		int status;
		const char *type, *start;
	} rows[] = {
		{"/", 200, "text/html; charset=utf-8", "<!DOCTYPE html>"},
		{"/api/v1/status", 200, "application/json", "{\"node\":\"worker-1\""},
		{"/api/v1/status.txt", 200, "text/plain; charset=utf-8",
			"worker-1: all is well (SGX)\n"},
		{"/api/v1/status/", 404, "text/plain; charset=utf-8", "no such path"},
		{"", 404, "text/plain; charset=utf-8", "no such path"},
	};
	static struct status_fixture f;

	status_fixture(&f, "sgx");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);
		const char *type = NULL;
		int status = status_answer(&f.status, rows[i].path, &b, &type);

		CHECK_ROW(rows[i].path, status == rows[i].status, "got %d", status);
		CHECK_STR(rows[i].path, span_str(type), rows[i].type);
		CHECK_ROW(
			rows[i].path, span_starts(buf_view(&b), rows[i].start), "got %.100s", b.p);
	}
}

/* No output is larger than its maximum, and each says when it is. */
static void test_full(void)
{
	static struct status_fixture f;

	status_fixture(&f, "many");
	for (size_t max = 1; max < 30000; max = max * 3 / 2 + 1) {
		_cleanup_buf_ struct buf page = BUF_INIT(max), json = BUF_INIT(max);
		_cleanup_buf_ struct buf text = BUF_INIT(max);

		CU_ASSERT_EQUAL(status_page(&f.status, &page), -E2BIG);
		CU_ASSERT_EQUAL(status_json(&f.status, &json), -E2BIG);
		CU_ASSERT_EQUAL(status_text(&f.status, &text), -E2BIG);
	}
}

CU_TestInfo status_tests[] = {
	{"what is a problem", test_problems},
	{"not more problems than there is room for", test_problems_max},
	{"what a node is", test_tees},
	{"free EPC", test_epc_free},
	{"one entry a container", test_containers},
	{"paths and types", test_answers},
	{"outputs have a maximum", test_full},
	CU_TEST_INFO_NULL,
};
