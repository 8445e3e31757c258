/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows are JSON with ' for ". */
#include "tests/unit/test.h"
#include "webhook/policy/policy.h"

static const struct json_limits limits = {1 << 16, 1 << 12, 40};

static struct json_val parsed(struct json *doc, struct arena *a, const char *text)
{
	char *json = arena_strdup(a, span_str(text));

	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	CHECK_ROW(text, json_parse(doc, span_str(json), &limits, NULL) == 0, "no JSON");
	return json_root(doc);
}

#define L LABEL_PREFIX
#define LIMIT(name) "'containers':[{},{'resources':{'limits':{'" name "':1}}}]"

static void test_confidential(void)
{
	static const char *const shared[] = {"kata"}, *const own[] = {"enclave-cc"};
	static const struct {
		const char *spec;
		enum tee want;
	} table[] = {
		{"", TEE_NONE},
		{"'runtimeClassName':''", TEE_NONE},
		{"'runtimeClassName':null", TEE_NONE},
		{"'runtimeClassName':'runc'", TEE_NONE},
		{"'runtimeClassName':'casemate-sgx'", TEE_SGX},
		{"'runtimeClassName':'c\\u0061semate-sgx'", TEE_SGX},
		{"'runtimeClassName':'enclave-cc'", TEE_SGX},
		{"'runtimeClassName':'kata'", TEE_TDX},
		{"'runtimeClassName':'casemate-simulated-node-snp'", TEE_NODE_SNP},
		{"'runtimeClassName':'casemate-simulated-x'", TEE_NONE},
		{LIMIT(RESOURCE_EPC), TEE_SGX},
		{LIMIT(RESOURCE_ENCLAVE), TEE_SGX},
		{LIMIT(RESOURCE_PROVISION), TEE_SGX},
		{LIMIT(RESOURCE_AESM), TEE_SGX},
		{LIMIT(RESOURCE_KEYS), TEE_NODE},
		{LIMIT(RESOURCE_TDX_SLOT), TEE_TDX},
		{LIMIT(RESOURCE_SNP_SLOT), TEE_SNP},
		{LIMIT("cpu"), TEE_NONE},
		{LIMIT("google.com/cc"), TEE_NONE},
		{"'containers':[{'resources':{'requests':{'" RESOURCE_KEYS "':1}}}]", TEE_NODE},
		{"'initContainers':[{'resources':{'limits':{'" RESOURCE_EPC "':1}}}]", TEE_SGX},
		{"'ephemeralContainers':[{'resources':{'limits':{'" RESOURCE_EPC "':1}}}]", TEE_SGX},
		{"'nodeSelector':{'" L "tee':'sgx'}", TEE_NONE},
		{"'nodeSelector':{'" L "cvm-host':'tdx'}", TEE_NONE},
		{"'nodeSelector':{'" L "attested':'true','" L "tee':'sgx'}", TEE_SGX},
		{"'nodeSelector':{'" L "attested':'true','" L "node':'confidential'}", TEE_NODE},
		{"'nodeSelector':{'" L "attested':'true','" L "node':'confidential','" L "tee':'tdx'}",
			TEE_NODE_TDX},
		{"'nodeSelector':{'" L "attested':'simulated'}", TEE_NODE},
		{"'runtimeClassName':'casemate-tdx'," LIMIT(RESOURCE_EPC), TEE_TDX},
		{"'containers':{}", TEE_NONE},
	};
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	struct policy_config config = {.classes = {[TEE_SGX] = {.name = "casemate-sgx",
							   .accepted = {own, 1}},
					       [TEE_TDX] = {.name = "casemate-tdx",
						       .accepted = {shared, 1}},
					       [TEE_SNP] = {.name = "", .accepted = {shared, 1}}}};

	for (enum tee t = 0; t < TEE_N; t++) {
		if (!config.classes[t].name)
			config.classes[t].name = "";
		config.simulated[t].name = arena_printf(&a, "casemate-simulated-%s", tee_name(t));
	}
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_json_ struct json doc = {0};
		struct json_val pod = parsed(
			&doc, &a, arena_printf(&a, "{'spec':{%s}}", table[i].spec));
		enum tee got = policy_confidential(&config, pod);

		CHECK_ROW(table[i].spec, got == table[i].want, "got %s, want %s", tee_name(got),
			tee_name(table[i].want));
	}
}

#define MIRROR "'annotations':{'kubernetes.io/config.mirror':'x'}"
#define USER(name, groups) "{'username':'" name "','groups':[" groups "]}"
#define NODES "'system:authenticated','system:nodes'"

static void test_mirror(void)
{
	static const struct {
		const char *metadata, *spec, *user;
		bool want;
	} table[] = {
		{MIRROR, "'nodeName':'n1'", USER("system:node:n1", NODES), true},
		{"", "'nodeName':'n1'", USER("system:node:n1", NODES), false},
		{MIRROR, "'nodeName':'n2'", USER("system:node:n1", NODES), false},
		{MIRROR, "'nodeName':'n11'", USER("system:node:n1", NODES), false},
		{MIRROR, "'nodeName':'n1'", USER("system:node:n1", "'system:masters'"), false},
		{MIRROR, "'nodeName':'n1'", USER("xystem:node:n1", NODES), false},
		{MIRROR, "'nodeName':''", USER("system:node:", NODES), false},
		{MIRROR, "", USER("system:node:", NODES), false},
		{MIRROR, "'nodeName':['n1']", USER("system:node:n1__", NODES), false},
		{MIRROR, "'nodeName':'n1'", "{}", false},
		{MIRROR, "'nodeName':'n1'", "[]", false},
	};
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_json_ struct json pod = {0}, user = {0};
		struct policy_request rq = {
			.object = parsed(&pod, &a,
				arena_printf(&a, "{'metadata':{%s},'spec':{%s}}",
					table[i].metadata, table[i].spec)),
			.user = parsed(&user, &a, table[i].user),
		};

		CHECK_ROW(table[i].user, policy_is_mirror(&rq) == table[i].want, "row %zu", i);
	}
}

static void test_templates(void)
{
	static const struct {
		const char *kind, *prefix, *object;
	} table[] = {
		{"Pod", "", "{'found':1}"},
		{"Deployment", "/spec/template", "{'spec':{'template':{'found':1}}}"},
		{"ReplicaSet", "/spec/template", "{'spec':{'template':{'found':1}}}"},
		{"StatefulSet", "/spec/template", "{'spec':{'template':{'found':1}}}"},
		{"DaemonSet", "/spec/template", "{'spec':{'template':{'found':1}}}"},
		{"Job", "/spec/template", "{'spec':{'template':{'found':1}}}"},
		{"ReplicationController", "/spec/template", "{'spec':{'template':{'found':1}}}"},
		{"CronJob", "/spec/jobTemplate/spec/template",
			"{'spec':{'jobTemplate':{'spec':{'template':{'found':1}}}}}"},
		{"PodTemplate", "/template", "{'template':{'found':1}}"},
		{"Service", NULL, "{'spec':{'template':{'found':1}}}"},
		{"", NULL, "{}"},
	};
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_json_ struct json doc = {0};
		struct span kind = span_str(table[i].kind);
		const char *prefix = policy_template_prefix(kind);
		struct json_val t = policy_template(kind, parsed(&doc, &a, table[i].object));

		CHECK_ROW(table[i].kind, !prefix == !table[i].prefix, "%s", prefix);
		CHECK_STR(table[i].kind, span_str(prefix ? prefix : ""),
			table[i].prefix ? table[i].prefix : "");
		CHECK_ROW(table[i].kind, json_exists(json_get(t, "found")) == (prefix != NULL), "t");
	}
}

CU_TestInfo confidential_tests[] = {
	{"what makes a pod confidential", test_confidential},
	{"mirror pods", test_mirror},
	{"templates", test_templates},
	CU_TEST_INFO_NULL,
};
