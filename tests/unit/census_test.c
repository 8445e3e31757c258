/* SPDX-License-Identifier: Apache-2.0
 *
 * Nodes and their records are handed over as an answer of the API server would be; its watches
 * bring nothing. */
#include "webhook/verifier/census.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

enum { NOW_SEC = 1800000000, HOUR = 3600, TEXT_MAX = 1024 };

static const struct json_limits limits = {TEXT_MAX, 200, 16};

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	(void)ctx;
	(void)n;
	(void)request;
	fake_respond(reply, 500, NULL, "{}");
}

static void changed(void *ctx, struct node *n)
{
	(void)ctx;
	(void)n;
}

static void take(struct nodes *nodes, const char *text, bool record)
{
	_cleanup_json_ struct json doc = {0};

	CHECK_ROW(text, json_parse(&doc, span_str(text), &limits, NULL) == 0, "no JSON");
	if (record)
		nodes_take_record(nodes, json_root(&doc));
	else
		nodes_take_node(nodes, json_root(&doc));
}

struct row {
	const char *uid, *platform, *verdict, *reason, *tcb;
	int judged, ends; /* hours from now */
};

static void add(struct nodes *nodes, size_t i, const struct row *row)
{
	char judged[CLOCK_RFC3339_MAX], until[CLOCK_RFC3339_MAX], text[TEXT_MAX];

	clock_format(judged, NOW_SEC + row->judged * HOUR);
	clock_format(until, NOW_SEC + row->ends * HOUR);
	snprintf(text, sizeof(text),
		"{\"metadata\":{\"name\":\"n%zu\",\"uid\":\"u\",\"resourceVersion\":\"1\"}}", i);
	take(nodes, text, false);
	snprintf(text, sizeof(text),
		"{\"metadata\":{\"name\":\"n%zu\",\"uid\":\"r\",\"resourceVersion\":\"1\"},"
		"\"status\":{"
		"\"nodeUID\":\"%s\",\"platform\":\"%s\",\"verdict\":\"%s\",\"reason\":\"%s\","
		"\"tcb\":{\"date\":\"%s\"},\"judgedAt\":\"%s\",\"validUntil\":\"%s\"}}",
		i, row->uid, row->platform, row->verdict, row->reason, row->tcb, judged, until);
	take(nodes, text, true);
}

static void shows(struct metrics *m, const char *line, bool want)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

	metrics_expose(m, METRICS_TEXT, &b);
	CHECK_ROW(line, b.p && !!strstr(b.p, line) == want, "%s", b.p ? b.p : "");
}

#define M "\ncasemate_webhook_"

static void test_counted(void)
{
	static const struct row rows[] = {
		{"u", "sgx", "Attested", "Ok", "2026-01-02T00:00:00Z", -3, 9},
		{"u", "sgx", "Attested", "Ok", "2025-01-02T00:00:00Z", -1, 11},
		{"u", "sgx", "Attested", "Ok", "", -11, 1},                      /* lapses */
		{"u", "sgx", "Attested", "Ok", "2020-01-02T00:00:00Z", -20, -1}, /* is over */
		{"u", "sgx", "Refused", "TcbOutOfDate", "2019-01-02T00:00:00Z", -30, 1},
		{"v", "sgx", "Attested", "Ok", "2018-01-02T00:00:00Z", -40,
			9}, /* of a node before */
		{"u", "tdx", "Waived", "Waived", "", -50, 1},
		{"u", "simulated", "Simulated", "Simulated", "", -2, 10},
	};
	static const char *const lines[] = {
		M "nodes{verdict=\"Attested\",platform=\"sgx\"} 3\n",
		M "nodes{verdict=\"Expired\",platform=\"sgx\"} 1\n",
		M "nodes{verdict=\"Refused\",platform=\"sgx\"} 1\n",
		M "nodes{verdict=\"Waived\",platform=\"tdx\"} 1\n",
		M "nodes{verdict=\"Attested\",platform=\"snp\"} 0\n",
		M "nodes_by_reason{reason=\"Ok\"} 3\n",
		M "nodes_by_reason{reason=\"TcbOutOfDate\"} 1\n",
		M "nodes_by_reason{reason=\"VerdictExpired\"} 1\n",
		M "verdicts_lapsing{platform=\"sgx\"} 1\n",
		M "verdicts_lapsing{platform=\"tdx\"} 0\n",
		M "verdict_timestamp_seconds{platform=\"sgx\"} 1799960400\n",
		M "verdict_expiry_timestamp_seconds{platform=\"sgx\"} 1800003600\n",
		M "verdict_expiry_timestamp_seconds{platform=\"simulated\"} 1800036000\n",
		M "tcb_timestamp_seconds{platform=\"sgx\"} 1735776000\n",
	};
	static const char *const absent[] = {
		M "verdict_timestamp_seconds{platform=\"snp\"}",
		M "tcb_timestamp_seconds{platform=\"simulated\"}",
		M "nodes_by_reason{reason=\"Malformed\"}",
	};
	const struct judge_rules rules = {.validity_sec = 12 * HOUR};
	struct census *c = NULL;
	struct nodes *nodes = NULL;
	struct error err = {0};
	struct kube_fix f;

	if (!kube_fix_begin(&f, answer, NULL))
		return;
	if (CHECK_ROW("new",
		    census_new(&c, f.metrics, &err) == 0 &&
			    nodes_new(&nodes,
				    &(struct nodes_options){.kube = f.client, .changed = changed},
				    &err) == 0,
		    "%s", err.message)) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			add(nodes, i, &rows[i]);
		census_take(c, nodes, &rules, NOW_SEC);
		for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
			shows(f.metrics, lines[i], true);
		for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
			shows(f.metrics, absent[i], false);
		/* What nobody has any more is shown as that. */
		census_take(c, nodes, &rules, NOW_SEC + 1000 * HOUR);
		shows(f.metrics, M "nodes_by_reason{reason=\"Ok\"} 0\n", true);
		shows(f.metrics, M "verdict_timestamp_seconds{platform=\"sgx\"}", false);
	}
	nodes_free(nodes);
	census_free(c);
	kube_fix_end(&f);
}

const CU_TestInfo census_tests[] = {
	{"the fleet is counted", test_counted},
	CU_TEST_INFO_NULL,
};
