/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/status/agent_metrics.h"

#include <string.h>

#include "tests/unit/status_fixture.h"
#include "tests/unit/test.h"

enum { OUTPUT_MAX = 1 << 20 };

static void expose(struct metrics *m, struct buf *b)
{
	buf_reset(b);
	CU_ASSERT_EQUAL(metrics_expose(m, METRICS_TEXT, b), 0);
}

static void check_lines(const char *node, const struct buf *b, const char *const *lines, bool there)
{
	for (; *lines; lines++)
		CHECK_ROW(node, !strstr(b->p, *lines) == !there, "%s %s in:\n%s",
			there ? "no" : "there is", *lines, b->p);
}

static unsigned count_lines(const struct buf *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->p[i] == '\n';
	return n;
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_values(void)
{
	static struct status_fixture f;
	_cleanup_(metrics_free_p) struct metrics *m = metrics_new();
	_cleanup_(agent_metrics_free_p) struct agent_metrics *a = agent_metrics_new(m);
	_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);

	status_fixture(&f, "sgx");
	agent_metrics_set(a, &f.status);
	expose(m, &b);
	check_lines("sgx", &b,
		LINES("casemate_agent_epc_bytes{kind=\"total\",numa=\"0\"} 100663296\n",
			"casemate_agent_epc_bytes{kind=\"total\",numa=\"1\"} 33554432\n",
			"casemate_agent_epc_bytes{kind=\"reserved\",numa=\"\"} 8388608\n",
			"casemate_agent_epc_bytes{kind=\"requested\",numa=\"\"} 69730304\n",
			"casemate_agent_epc_bytes{kind=\"free\",numa=\"\"} 56098816\n",
			"platform_finding{check=\"sgx-cpu\",state=\"Ready\"} 1\n",
			"platform_finding{check=\"sgx-cpu\",state=\"Missing\"} 0\n",
			"platform_finding{check=\"sgx-cpu\",state=\"Misconfigured\"} 0\n",
			"platform_finding{check=\"snp-guest\",state=\"Missing\"} 1\n",
			"casemate_agent_simulated 0\n",
			"casemate_agent_attestation_state{state=\"NotConfigured\"} 1\n",
			"casemate_agent_attestation_state{state=\"Attested\"} 0\n",
			"casemate_agent_attestation_valid_until_timestamp_seconds 0\n"),
		true);
	status_fixture(&f, "simulated");
	agent_metrics_set(a, &f.status);
	expose(m, &b);
	check_lines("simulated", &b,
		LINES("casemate_agent_simulated 1\n",
			"casemate_agent_attestation_state{state=\"NotConfigured\"} 0\n",
			"casemate_agent_attestation_state{state=\"Simulated\"} 1\n",
			"attestation_valid_until_timestamp_seconds 1777640403\n"),
		true);
}

/* Series of NUMA nodes that are gone, and of what is unknown, end. */
static void test_series_end(void)
{
	static struct status_fixture f;
	_cleanup_(metrics_free_p) struct metrics *m = metrics_new();
	_cleanup_(agent_metrics_free_p) struct agent_metrics *a = agent_metrics_new(m);
	_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);
	unsigned sgx;

	status_fixture(&f, "sgx");
	agent_metrics_set(a, &f.status);
	expose(m, &b);
	sgx = count_lines(&b);
	status_fixture(&f, "many");
	agent_metrics_set(a, &f.status);
	expose(m, &b);
	CU_ASSERT_EQUAL(count_lines(&b), sgx + 6); /* NUMA nodes, whatever the pods */
	status_fixture(&f, "discovered");
	agent_metrics_set(a, &f.status);
	expose(m, &b);
	check_lines("discovered", &b,
		LINES("numa=\"2\"", "numa=\"7\"", "\"requested\"", "\"free\""), false);
	check_lines("discovered", &b, LINES("numa=\"1\"", "kind=\"reserved\""), true);
	status_fixture(&f, "bare");
	agent_metrics_set(a, &f.status);
	expose(m, &b);
	check_lines("bare", &b, LINES("epc_bytes"), false);
	status_fixture(&f, "sgx");
	agent_metrics_set(a, &f.status);
	expose(m, &b);
	CU_ASSERT_EQUAL(count_lines(&b), sgx);
}

CU_TestInfo agent_metrics_tests[] = {
	{"values", test_values},
	{"series end", test_series_end},
	CU_TEST_INFO_NULL,
};
