/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/node/node_view.h"

#include <errno.h>

#include "tests/unit/test.h"

static const struct json_limits limits = {1 << 20, 1 << 14, 64};

static int view(struct node_view *v, const char *text)
{
	_cleanup_json_ struct json doc = {0};
	char quoted[4096];
	size_t n = 0;

	for (; text[n] && n + 1 < sizeof(quoted); n++)
		quoted[n] = text[n] == '\'' ? '"' : text[n];
	quoted[n] = '\0';
	CHECK_ROW(text, json_parse(&doc, span_str(quoted), &limits, NULL) == 0, "not JSON");
	return node_view_read(v, json_root(&doc));
}

static void test_amounts(void)
{
	static const struct {
		const char *status;
		int64_t epc, keys, allocatable;
	} rows[] = {
		{"{}", NODE_ABSENT, NODE_ABSENT, NODE_ABSENT},
		{"null", NODE_ABSENT, NODE_ABSENT, NODE_ABSENT},
		{"{'capacity':{'cpu':'2','sgx.intel.com/epc':'128Mi'}}", 134217728, NODE_ABSENT,
			NODE_ABSENT},
		{"{'capacity':{'sgx.intel.com/epc':'134217728','tdx.intel.com/keys':'31'},"
		 "'allocatable':{'sgx.intel.com/epc':'1e6','cpu':'1'}}",
			134217728, 31, 1000000},
		{"{'capacity':{'sgx.intel.com/epc':7}}", 7, NODE_ABSENT, NODE_ABSENT},
		{"{'capacity':{'sgx.intel.com/epc':'0'}}", 0, NODE_ABSENT, NODE_ABSENT},
		{"{'capacity':{'sgx.intel.com/epc':'1500m'}}", NODE_UNREADABLE, NODE_ABSENT,
			NODE_ABSENT},
		{"{'capacity':{'sgx.intel.com/epc':null}}", NODE_UNREADABLE, NODE_ABSENT,
			NODE_ABSENT},
		{"{'capacity':{'sgx.intel.com/epc':'-1'}}", NODE_UNREADABLE, NODE_ABSENT,
			NODE_ABSENT},
		{"{'capacity':[]}", NODE_ABSENT, NODE_ABSENT, NODE_ABSENT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct node_view v = {0};
		char text[1024];

		snprintf(text, sizeof(text),
			"{'metadata':{'uid':'u-1','resourceVersion':'12'},'status':%s}",
			rows[i].status);
		CU_ASSERT_EQUAL(view(&v, text), 0);
		CHECK_ROW(rows[i].status, v.capacity[CAPACITY_EPC].n == rows[i].epc, "got %lld",
			(long long)v.capacity[CAPACITY_EPC].n);
		CHECK_ROW(rows[i].status, v.capacity[CAPACITY_TDX_KEYS].n == rows[i].keys,
			"got %lld", (long long)v.capacity[CAPACITY_TDX_KEYS].n);
		CHECK_ROW(rows[i].status, v.allocatable[CAPACITY_EPC] == rows[i].allocatable,
			"got %lld", (long long)v.allocatable[CAPACITY_EPC]);
		CU_ASSERT_STRING_EQUAL(v.uid, "u-1");
		CU_ASSERT_EQUAL(v.version, 12);
	}
}

static void test_identity(void)
{
	static const struct {
		const char *metadata, *uid; /* NULL: refused */
		uint64_t version;
	} rows[] = {
		{"{'uid':'0b9e','resourceVersion':'9223372036854775807'}", "0b9e", INT64_MAX},
		{"{'uid':'0b9e'}", "0b9e", 0},
		{"{'uid':'0b9e','resourceVersion':'abc'}", "0b9e", 0},
		{"{'uid':'0b9e','resourceVersion':'12x'}", "0b9e", 0},
		{"{'uid':'0b9e','resourceVersion':'99999999999999999999'}", "0b9e", 0},
		{"{'uid':'0b9e','resourceVersion':7}", "0b9e", 0},
		{"{'uid':'a\\nb'}", "a", 0},
		{"{'uid':'0123456789012345678901234567890123456789012345678901234567890123456789'}",
			"012345678901234567890123456789012345678901234567890123456789012", 0},
		{"{'uid':''}", NULL, 0},
		{"{'uid':5}", NULL, 0},
		{"{}", NULL, 0},
		{"null", NULL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct node_view v = {.version = 1};
		char text[512];
		int r;

		snprintf(text, sizeof(text), "{'metadata':%s}", rows[i].metadata);
		r = view(&v, text);
		CHECK_ROW(rows[i].metadata, r == (rows[i].uid ? 0 : -EBADMSG), "got %d", r);
		if (!rows[i].uid)
			continue;
		CHECK_STR(rows[i].metadata, span_str(v.uid), rows[i].uid);
		CHECK_ROW(rows[i].metadata, v.version == rows[i].version, "got %llu",
			(unsigned long long)v.version);
	}
}

#define FIELDS(key) "'fieldsV1':{'f:status':{'f:capacity':{'f:" key "':{}}}}"

static void test_managers(void)
{
	static const struct {
		const char *managed;
		bool ours;
		const char *other;
	} rows[] = {
		{"[]", false, ""},
		{"[{'manager':'casemate-nodeagent'," FIELDS("sgx.intel.com/epc") "}]", true, ""},
		{"[{'manager':'casemate-nodeagent'," FIELDS("cpu") "}]", false, ""},
		{"[{'manager':'nfd-master'," FIELDS("sgx.intel.com/epc") "}]", false, "nfd-master"},
		{"[{'manager':'kubelet','fieldsV1':{'f:status':{'f:capacity':{'f:cpu':{}}}}},"
		 "{'manager':'a'," FIELDS(
			 "sgx.intel.com/epc") "},"
					      "{'manager':'casemate-nodeagent'," FIELDS(
						      "sgx.intel.com/epc") "}]",
			true, "a"},
		{"[{'manager':5," FIELDS("sgx.intel.com/epc") "}]", false, ""},
		{"[{'manager':'a b'," FIELDS("sgx.intel.com/epc") "}]", false, "a"},
		{"[{'manager':'a','fieldsV1':null},7]", false, ""},
		{"{}", false, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct node_view v = {0};
		char text[1024];

		snprintf(text, sizeof(text), "{'metadata':{'uid':'u','managedFields':%s}}",
			rows[i].managed);
		CU_ASSERT_EQUAL(view(&v, text), 0);
		CHECK_ROW(rows[i].managed, v.capacity[CAPACITY_EPC].ours == rows[i].ours,
			"ours: %d", v.capacity[CAPACITY_EPC].ours);
		CHECK_STR(rows[i].managed, span_str(v.capacity[CAPACITY_EPC].other), rows[i].other);
		CU_ASSERT_FALSE(v.capacity[CAPACITY_TDX_KEYS].ours);
	}
}

static void test_asked(void)
{
	static const struct {
		const char *annotations, *asked;
	} rows[] = {
		{"{}", ""},
		{"{'other':'a'}", ""},
		{"{'casemate.dev/attest':'a b'}", "\"a b\""},
		{"{'casemate.dev/attest':''}", "\"\""},
		{"[]", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct node_view v = {0};
		char text[1024];

		snprintf(text, sizeof(text), "{'metadata':{'uid':'u','annotations':%s}}",
			rows[i].annotations);
		CU_ASSERT_EQUAL(view(&v, text), 0);
		CHECK_STR(rows[i].annotations, span_str(v.asked), rows[i].asked);
	}
}

static void test_asked_at_length(void)
{
	struct node_view v = {0};
	char text[1024];

	snprintf(text, sizeof(text),
		"{'metadata':{'uid':'u','annotations':{'casemate.dev/attest':'%0*d'}}}",
		2 * NODE_ASKED_MAX, 7);
	CU_ASSERT_EQUAL(view(&v, text), 0);
	CU_ASSERT_EQUAL(strlen(v.asked), NODE_ASKED_MAX);
}

CU_TestInfo node_view_tests[] = {
	{"amounts", test_amounts},
	{"which Node", test_identity},
	{"who wrote", test_managers},
	{"a person asks", test_asked},
	{"and at length", test_asked_at_length},
	CU_TEST_INFO_NULL,
};
