/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/config.h"

#include <errno.h>

#include "tests/unit/test.h"

/* "key=value key=value" */
static const char *selector_of(const struct tee_class *class, struct arena *a)
{
	const char *text = "";

	for (size_t i = 0; i < class->n_node_selector; i++) {
		struct span key = span_after(span_str(class->node_selector[i].key), LABEL_PREFIX);

		text = arena_printf(a, "%s%s" SPAN_FMT "=%s", text, i ? " " : "", SPAN_ARG(key),
			class->node_selector[i].value);
	}
	return text;
}

static int configure(struct policy_config *c, const char *yaml, struct arena *a, struct error *err)
{
	struct settings_input in = {
		.table = policy_settings,
		.n = n_policy_settings,
		.file = "webhook.yaml",
		.text = span_str(yaml),
	};
	int r;

	*c = (struct policy_config){0};
	r = settings_read(&in, c, a, NULL, err);
	return r < 0 ? r : policy_config_finish(c, a, err);
}

static const struct {
	enum tee tee;
	const char *name, *selector, *waived;
} classes[] = {
	{TEE_SGX, "casemate-sgx", "attested=true tee=sgx", ""},
	{TEE_TDX, "casemate-tdx", "cvm-host=tdx", "cvm-host=tdx"},
	{TEE_SNP, "casemate-snp", "cvm-host=snp", "cvm-host=snp"},
	{TEE_CVM, "", "", ""},
	{TEE_NODE, "casemate-node", "attested=true node=confidential", ""},
	{TEE_NODE_TDX, "casemate-node-tdx", "attested=true node=confidential tee=tdx", ""},
	{TEE_NODE_SNP, "casemate-node-snp", "attested=true node=confidential tee=snp", ""},
};

static void test_defaults(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	struct policy_config c, waived;
	struct error err = {0};

	if (!CHECK_ROW("default", policy_config_default(&c, &a, &err) == 0, "%s", err.message))
		return;
	CU_ASSERT_EQUAL(
		configure(&waived, "runtimeClasses: {requireAttestation: false}", &a, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		const struct tee_class *class = &c.classes[classes[i].tee];
		const struct tee_class *simulated = &c.simulated[classes[i].tee];
		const char *name = tee_name(classes[i].tee);

		CHECK_STR(name, span_str(class->name), classes[i].name);
		CHECK_STR(name, span_str(selector_of(class, &a)), classes[i].selector);
		CHECK_STR(name, span_str(selector_of(&waived.classes[classes[i].tee], &a)),
			classes[i].waived);
		CHECK_STR(name, span_after(span_str(simulated->name), "casemate-simulated-"), name);
		CHECK_STR(name, span_str(selector_of(simulated, &a)), "attested=simulated");
		CHECK_STR(name, span_str(selector_of(&waived.simulated[classes[i].tee], &a)), "");
		CU_ASSERT_EQUAL(class->accepted.n, 0);
	}
	CU_ASSERT_FALSE(c.allow_simulated);
	CU_ASSERT_TRUE(c.require_attestation);
	CU_ASSERT_EQUAL(c.class_conflict, CLASS_REPLACE);
	CU_ASSERT_EQUAL(c.in_process, IN_PROCESS_PROFILE);
	CU_ASSERT_EQUAL(c.vendor_mode, VENDOR_FULL);
	CU_ASSERT_TRUE(c.vendor_in_process);
	CU_ASSERT_EQUAL(c.aesm_mount, AESM_RESOURCE);
	CU_ASSERT_EQUAL(c.epc_max, 0);
	CU_ASSERT_EQUAL(c.break_glass_groups.n, 0);
}

static void test_file(void)
{
	static const char yaml[] =
		"allowSimulated: true\n"
		"runtimeClasses:\n"
		"  onOther: refuse\n"
		"  requireAttestation: false\n"
		"  sgx:\n"
		"    name: my-sgx\n"
		"    accepted: [enclave-cc, other]\n"
		"    nodeSelector: {casemate.dev.node-restriction.kubernetes.io/pool: a}\n"
		"  tdx:\n"
		"    nodeSelector: {}\n"
		"  cvm: {name: kata-cvm}\n"
		"epc:\n"
		"  max: 1Gi\n"
		"  namespaces: {shop: 64Mi, bank: 128}\n"
		"quote: {inProcess: always}\n"
		"vendorPods: {mode: devicesOnly, allowInProcess: false}\n"
		"aesm: {mount: hostPath}\n"
		"access: {breakGlassGroups: [oncall]}\n";
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	struct policy_config c;
	struct error err = {0};

	if (!CHECK_ROW("file", configure(&c, yaml, &a, &err) == 0, "%s", err.message))
		return;
	CU_ASSERT_TRUE(c.allow_simulated);
	CHECK_STR("class", span_str(policy_class(&c, TEE_SGX)->name), "casemate-simulated-sgx");
	CHECK_STR("sgx", span_str(c.classes[TEE_SGX].name), "my-sgx");
	CU_ASSERT_EQUAL(c.classes[TEE_SGX].accepted.n, 2);
	CHECK_STR("sgx", span_str(selector_of(&c.classes[TEE_SGX], &a)), "pool=a");
	CHECK_STR("tdx", span_str(selector_of(&c.classes[TEE_TDX], &a)), "");
	CHECK_STR("snp", span_str(selector_of(&c.classes[TEE_SNP], &a)), "cvm-host=snp");
	CHECK_STR("cvm", span_str(c.classes[TEE_CVM].name), "kata-cvm");
	CU_ASSERT_EQUAL(c.class_conflict, CLASS_REFUSE);
	CU_ASSERT_EQUAL(c.epc_max, 1 << 30);
	CU_ASSERT_EQUAL(c.namespace_limits.n, 2);
	CHECK_STR("namespace", span_str(c.namespace_limits.v[1].namespace_), "bank");
	CU_ASSERT_EQUAL(c.namespace_limits.v[1].epc_max, 128);
	CU_ASSERT_EQUAL(c.in_process, IN_PROCESS_ALWAYS);
	CU_ASSERT_EQUAL(c.vendor_mode, VENDOR_DEVICES_ONLY);
	CU_ASSERT_FALSE(c.vendor_in_process);
	CU_ASSERT_EQUAL(c.aesm_mount, AESM_HOST_PATH);
	CHECK_STR("group", span_str(c.break_glass_groups.v[0]), "oncall");
}

static void test_refusals(void)
{
	static const struct {
		const char *yaml, *message; /* a part of it */
	} table[] = {
		{"runtimeClasses: {sgx: {name: casemate-node}}",
			"runtimeClasses.sgx.name: casemate-node is the class of tee node already"},
		{"runtimeClasses: {sgx: {accepted: [casemate-node]}}",
			"runtimeClasses.sgx.accepted: casemate-node is the class of tee node"},
		{"runtimeClasses: {sgx: {name: Casemate}}",
			"runtimeClasses.sgx.name: \"Casemate\" is no name of a RuntimeClass"},
		{"runtimeClasses: {snp: {accepted: [a, 'b c']}}",
			"runtimeClasses.snp.accepted: \"b c\" is no name of a RuntimeClass"},
		{"runtimeClasses: {cvm: {name: casemate-simulated-cvm}}",
			"names that begin with casemate-simulated- are for simulated TEEs"},
		{"runtimeClasses: {cvm: {accepted: [casemate-simulated-x]}}",
			"names that begin with casemate-simulated- are for simulated TEEs"},
		{"runtimeClasses:\n  sgx:\n    nodeSelector: []", "webhook.yaml:3:"},
		{"runtimeClasses: {sgx: {nodeSelector: {'a b': c}}}", "a b is no label key"},
		{"runtimeClasses: {sgx: {nodeSelector: {a: 'b c'}}}", "b c is no label value"},
		{"runtimeClasses: {sgx: {nodeSelector: {a: true}}}", "a label's value must be a string"},
		{"epc: {max: 1.5}", "epc.max: expected a whole quantity such as 64Mi"},
		{"epc: {max: 0.3Ki}", "expected a whole quantity such as 64Mi"},
		{"epc:\n  namespaces:\n    shop: 0", "webhook.yaml:3:"},
		{"epc: {namespaces: {Shop: 1Mi}}", "Shop is no namespace's name"},
		{"epc: {namespaces: 1Mi}", "must be a map from namespace to quantity"},
		{"runtimeClasses: {onOther: keep}", "runtimeClasses.onOther"},
	};
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct policy_config c;
		struct error err = {0};
		int r = configure(&c, table[i].yaml, &a, &err);

		CHECK_ROW(table[i].yaml, r == -EINVAL && strstr(err.message, table[i].message),
			"%d %s", r, err.message);
	}
}

static void test_selector_maximum(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	struct policy_config c;
	const char *labels = "";

	for (int n = 1; n <= 17; n++) {
		const char *yaml;

		labels = arena_printf(&a, "%s%sl%d: v", labels, n > 1 ? ", " : "", n);
		yaml = arena_printf(&a, "runtimeClasses: {sgx: {nodeSelector: {%s}}}", labels);
		CHECK_ROW("labels", (configure(&c, yaml, &a, NULL) == 0) == (n <= 16), "%d", n);
	}
}

/* One class may be accepted for several TEEs: another source then decides. */
static void test_shared_class(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	struct policy_config c;

	CU_ASSERT_EQUAL(configure(&c, "runtimeClasses: {tdx: {accepted: [kata]}, snp: {accepted: [kata]}}",
				&a, NULL),
		0);
}

CU_TestInfo config_tests[] = {
	{"defaults", test_defaults},
	{"a whole file", test_file},
	{"refusals", test_refusals},
	{"most labels of a selector", test_selector_maximum},
	{"a class of several TEEs", test_shared_class},
	CU_TEST_INFO_NULL,
};
