/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways to ask for a TEE, and that they must agree; seen through policy_mutate. */
#include "common/base/cleanup.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/policy_json.h"
#include "tests/unit/test.h"
#include "webhook/policy/pod.h"

static void configure_cvm(struct policy_config *c)
{
	c->classes[TEE_CVM].name = "kata-cvm";
}

/* Point 1 of the issue: the ways to ask. */
static void test_ways_to_ask(void)
{
	static const char *const none[] = {NULL};
	static const char *const shop[] = {
		PROFILE("payments", "'tee':'sgx','podSelector':{'matchLabels':{'app':'pay'}},"
				    "'epc':{'default':'32Mi'}"),
		PROFILE("vm", "'tee':'tdx'"), NULL};
	static const struct mutate_row rows[] = {
		{.name = "an ordinary pod",
			.pod = POD("", APPS(APP)),
			.reason = REASON_NotConfidential},
		{.name = "an ordinary pod with its own class and selector",
			.pod = POD("'a/b':'c'",
				"'runtimeClassName':'gvisor','nodeSelector':{'a':'b'}," APPS(APP)),
			.reason = REASON_NotConfidential},
		{.name = "an ordinary pod without metadata",
			.pod = "{'spec':{" APPS(APP) "}}",
			.reason = REASON_NotConfidential},
		{.name = "a mark alone asks for nothing",
			.pod = POD(INJECTED, APPS(APP)),
			.reason = REASON_NotConfidential},
		{.name = "quote-provider alone asks for nothing",
			.pod = POD("'sgx.intel.com/quote-provider':'aesmd'", APPS(APP)),
			.reason = REASON_NotConfidential},
		{.name = "EPC without a TEE has no effect, and says so",
			.pod = POD("'casemate.dev/epc':'1Mi'", APPS(APP)),
			.reason = REASON_NotConfidential,
			.warns = "not confidential"},
		{.name = "tee: sgx",
			.pod = POD(SGX_64, APPS(APP)),
			.reason = REASON_Injected,
			.want = DONE("," SGX_64, CLASS_SGX "," APPS(APP_64))},
		{.name = "tee: tdx",
			.pod = POD(TEE("tdx"), APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("tdx") "," INJECTED, CLASS_TDX "," APPS(APP))},
		{.name = "tee: snp",
			.pod = POD(TEE("snp"), APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("snp") "," INJECTED,
				CLASS("casemate-snp", SELECTOR_SNP) "," APPS(APP))},
		{.name = "tee: node",
			.pod = POD(TEE("node"), APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("node") "," INJECTED, CLASS_NODE "," APPS(APP))},
		{.name = "tee: node-tdx",
			.pod = POD(TEE("node-tdx"), APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("node-tdx") "," INJECTED,
				CLASS("casemate-node-tdx", SELECTOR_NODE_TDX) "," APPS(APP))},
		{.name = "tee: node-snp",
			.pod = POD(TEE("node-snp"), APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("node-snp") "," INJECTED,
				CLASS("casemate-node-snp", SELECTOR_NODE_SNP) "," APPS(APP))},
		{.name = "tee: cvm, configured",
			.tweak = configure_cvm,
			.pod = POD(TEE("cvm"), "'nodeSelector':{'x':'y'}," APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("cvm") "," INJECTED,
				"'runtimeClassName':'kata-cvm','nodeSelector':{'x':'y'}," APPS(
					APP))},
		{.name = "tee: cvm, not configured",
			.pod = POD(TEE("cvm"), APPS(APP)),
			.refused = true,
			.reason = REASON_TeeNotConfigured,
			.want = "set runtimeClasses.cvm.name"},
		{.name = "tee: none",
			.pod = POD(TEE("none"), APPS(APP)),
			.refused = true,
			.reason = REASON_TeeUnknown,
			.want = "\"none\" is no TEE; use one of sgx, tdx"},
		{.name = "tee: empty",
			.pod = POD(TEE(""), APPS(APP)),
			.refused = true,
			.reason = REASON_TeeUnknown,
			.want = "\"\" is no TEE"},
		{.name = "tee: SGX",
			.pod = POD(TEE("SGX"), APPS(APP)),
			.refused = true,
			.reason = REASON_TeeUnknown,
			.want = "\"SGX\" is no TEE"},
		{.name = "keys are escaped",
			.pod = POD("'casemate.dev\\u002ftee':'\\u0074dx'", APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("tdx") "," INJECTED, CLASS_TDX "," APPS(APP))},
		{.name = "a profile's name",
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'vm'", APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(
				"'casemate.dev/profile':'vm'," INJECTED, CLASS_TDX "," APPS(APP))},
		{.name = "a profile's selector, whose name is written back",
			.profiles = shop,
			.pod = "{'metadata':{'labels':{'app':'pay'}},'spec':{" APPS(APP) "}}",
			.reason = REASON_Injected,
			.want = "{'metadata':{'labels':{'app':'pay'},'annotations':{"
				"'casemate.dev/profile':'payments'," INJECTED_EPC(
					"32Mi") "}},'spec':{" CLASS_SGX
						"," APPS("{'name':'app','image':'a'," SGX(
							"32Mi") "}") "}}"},
		{.name = "a selector in a namespace that is not enabled",
			.profiles = shop,
			.not_enabled = true,
			.pod = "{'metadata':{'labels':{'app':'pay'}},'spec':{" APPS(APP) "}}",
			.reason = REASON_NotConfidential},
		{.name = "a profile's name in a namespace that is not enabled",
			.profiles = shop,
			.not_enabled = true,
			.pod = POD("'casemate.dev/profile':'vm'", APPS(APP)),
			.refused = true,
			.reason = REASON_NamespaceNotEnabled,
			.want = "namespace shop has no profiles"},
		{.name = "a profile that does not exist",
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'gone'", APPS(APP)),
			.refused = true,
			.reason = REASON_ProfileNotFound,
			.want = "no EnclaveProfile \"gone\""},
		{.name = "no profiles at all",
			.profiles = none,
			.pod = POD("'casemate.dev/profile':''", APPS(APP)),
			.refused = true,
			.reason = REASON_ProfileNotFound,
			.want = "no EnclaveProfile \"\""},
		{.name = "no profiles known",
			.pod = POD("'casemate.dev/profile':'vm'", APPS(APP)),
			.refused = true,
			.reason = REASON_ProfileNotFound,
			.want = "create it"},
		{.name = "enclave, by an init container too",
			.pod = POD("'casemate.dev/epc':'64Mi'",
				APPS(APP) "," INITS(NAMED("i", SIDECAR "," LIMITS(ENCLAVE)))),
			.reason = REASON_Injected,
			.want = POD("'casemate.dev/epc':'64Mi'," INJECTED_EPC("128Mi"), CLASS_SGX
				"," APPS(APP_64) "," INITS(NAMED("i", SIDECAR "," SGX("64Mi"))))},
		{.name = "enclave without EPC",
			.pod = POD("", APPS(NAMED("a", LIMITS(ENCLAVE)))),
			.refused = true,
			.reason = REASON_EpcMissing,
			.want = "set annotation casemate.dev/epc or casemate.dev/epc.a"},
		{.name = "aesm",
			.pod = POD("'casemate.dev/epc':'64Mi'", APPS(NAMED("a", LIMITS(AESM)))),
			.reason = REASON_Injected,
			.want = POD("'casemate.dev/epc':'64Mi'," INJECTED_EPC("64Mi"),
				CLASS_SGX "," APPS(NAMED("a", SGX_AESM("64Mi"))))},
		{.name = "keys",
			.pod = POD("", APPS(NAMED("a", LIMITS("'casemate.dev/keys':1")))),
			.reason = REASON_Injected,
			.want = POD(INJECTED, CLASS_NODE
				"," APPS(NAMED("a", "'resources':{'limits':{'casemate.dev/keys':1},"
						    "'requests':{'casemate.dev/keys':'1'}}")))},
		{.name = "keys in a native sidecar",
			.pod = POD(
				"", INITS(NAMED("a", SIDECAR "," BOTH("'casemate.dev/keys':'1'")))),
			.reason = REASON_Injected,
			.want = POD(INJECTED, CLASS_NODE "," INITS(NAMED("a", SIDECAR
						      "," BOTH("'casemate.dev/keys':'1'"))))},
		{.name = "keys in an ordinary init container",
			.pod = POD("", INITS(NAMED("a", BOTH("'casemate.dev/keys':'1'")))),
			.refused = true,
			.reason = REASON_KeysInInitContainer,
			.want = "container \"a\": an ordinary init container cannot request"},
		{.name = "a TDX slot",
			.pod = POD("", APPS(NAMED("a", BOTH("'tdx.intel.com/keys':1")))),
			.reason = REASON_Injected,
			.want = POD(INJECTED,
				CLASS_TDX "," APPS(NAMED("a", BOTH("'tdx.intel.com/keys':1"))))},
		{.name = "an SNP slot",
			.pod = POD("", APPS(NAMED("a", BOTH("'sev-snp.amd.com/esids':1")))),
			.reason = REASON_Injected,
			.want = POD(INJECTED, CLASS("casemate-snp", SELECTOR_SNP) "," APPS(NAMED(
						      "a", BOTH("'sev-snp.amd.com/esids':1"))))},
		{.name = "google.com/cc, left as it is",
			.pod = POD("", APPS(NAMED("a", LIMITS("'google.com/cc':1")))),
			.reason = REASON_Injected,
			.want = POD(INJECTED,
				CLASS_NODE "," APPS(NAMED("a", LIMITS("'google.com/cc':1"))))},
		{.name = "amd.com/sev-snp",
			.pod = POD("", APPS(NAMED("a", LIMITS("'amd.com/sev-snp':1")))),
			.reason = REASON_Injected,
			.want = POD(INJECTED,
				CLASS_NODE "," APPS(NAMED("a", LIMITS("'amd.com/sev-snp':1"))))},
		{.name = "intel.com/tdx",
			.pod = POD("", APPS(NAMED("a", LIMITS("'intel.com/tdx':1")))),
			.reason = REASON_Injected,
			.want = POD(INJECTED,
				CLASS_NODE "," APPS(NAMED("a", LIMITS("'intel.com/tdx':1"))))},
		{.name = "a configured class",
			.pod = POD("", "'runtimeClassName':'casemate-tdx'," APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(INJECTED, CLASS_TDX "," APPS(APP))},
		{.name = "an accepted class",
			.tweak = fixture_accept_classes,
			.pod = POD("'casemate.dev/epc':'64Mi'",
				"'runtimeClassName':'kata-sgx'," APPS(APP)),
			.reason = REASON_Injected,
			.want = POD("'casemate.dev/epc':'64Mi'," INJECTED_EPC("64Mi"),
				CLASS("kata-sgx", SELECTOR_SGX) "," APPS(APP_64))},
		{.name = "a class accepted for two TEEs decides nothing",
			.tweak = fixture_accept_classes,
			.pod = POD("", "'runtimeClassName':'kata-cc'," APPS(APP)),
			.reason = REASON_NotConfidential},
		{.name = "but is kept when something else decides",
			.tweak = fixture_accept_classes,
			.pod = POD(TEE("snp"), "'runtimeClassName':'kata-cc'," APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("snp") "," INJECTED,
				CLASS("kata-cc", SELECTOR_SNP) "," APPS(APP))},
	};

	RUN(rows);
}

static void test_agreement(void)
{
	static const char *const shop[] = {
		PROFILE("one", "'tee':'node','podSelector':{'matchLabels':{'app':'pay'}}"),
		PROFILE("two", "'tee':'node','podSelector':{'matchLabels':{'tier':'x'}}"),
		PROFILE("bad", "'tee':'sgy','podSelector':{'matchLabels':{'app':'bad'}}"),
		PROFILE("plain", "'tee':'node'"), NULL};
	static const struct mutate_row rows[] = {
		{.name = "annotation and resources",
			.pod = POD(TEE("tdx"), APPS(NAMED("a", SGX("1Mi")))),
			.refused = true,
			.reason = REASON_TeeConflict,
			.want = "annotation casemate.dev/tee says tdx, but container \"a\" "
				"requests "
				"sgx.intel.com/epc"},
		{.name = "annotation and class",
			.pod = POD(SGX_64, "'runtimeClassName':'casemate-tdx'," APPS(APP)),
			.refused = true,
			.reason = REASON_TeeConflict,
			.want = "says sgx, but its runtimeClassName is casemate-tdx"},
		{.name = "annotation and profile",
			.profiles = shop,
			.pod = POD(SGX_64 ",'casemate.dev/profile':'plain'", APPS(APP)),
			.refused = true,
			.reason = REASON_TeeConflict,
			.want = "but profile plain is for node"},
		{.name = "two resources",
			.pod = POD("", APPS(NAMED("a", LIMITS(EPC("1Mi"))) "," NAMED(
					       "b", LIMITS("'casemate.dev/keys':1")))),
			.refused = true,
			.reason = REASON_TeeConflict,
			.want = "container \"a\" requests sgx.intel.com/epc, but container \"b\" "
				"requests "
				"casemate.dev/keys"},
		{.name = "sgx resources on tee: node",
			.pod = POD(TEE("node"), APPS(NAMED("a", LIMITS(PROVISION)))),
			.refused = true,
			.reason = REASON_TeeConflict,
			.want = "sgx.intel.com/provision"},
		{.name = "keys with a guest TEE",
			.pod = POD(TEE("tdx"), APPS(NAMED("a", LIMITS("'casemate.dev/keys':1")))),
			.refused = true,
			.reason = REASON_TeeConflict,
			.want = "casemate.dev/keys"},
		{.name = "keys with a guest TEE, simulated",
			.tweak = fixture_simulate,
			.pod = POD(TEE("tdx"), APPS(NAMED("a", BOTH("'casemate.dev/keys':'1'")))),
			.refused = true,
			.reason = REASON_TeeConflict,
			.want = "casemate.dev/keys"},
		{.name = "keys go with node-snp",
			.pod = POD(
				TEE("node-snp"), APPS(NAMED("a", BOTH("'casemate.dev/keys':'1'")))),
			.reason = REASON_Injected,
			.want = POD(TEE("node-snp") "," INJECTED,
				CLASS("casemate-node-snp", SELECTOR_NODE_SNP) "," APPS(
					NAMED("a", BOTH("'casemate.dev/keys':'1'"))))},
		{.name = "keys go with a node's class",
			.pod = POD("", "'runtimeClassName':'casemate-node-tdx'," APPS(
					       NAMED("a", BOTH("'casemate.dev/keys':'1'")))),
			.reason = REASON_Injected,
			.want = POD(
				INJECTED, CLASS("casemate-node-tdx", SELECTOR_NODE_TDX) "," APPS(
						  NAMED("a", BOTH("'casemate.dev/keys':'1'"))))},
		{.name = "an alias goes with node-tdx",
			.pod = POD(TEE("node-tdx"), APPS(NAMED("a", LIMITS("'intel.com/tdx':1")))),
			.reason = REASON_Injected,
			.want = POD(TEE("node-tdx") "," INJECTED,
				CLASS("casemate-node-tdx", SELECTOR_NODE_TDX) "," APPS(
					NAMED("a", LIMITS("'intel.com/tdx':1"))))},
		{.name = "a slot goes with cvm",
			.tweak = configure_cvm,
			.pod = POD(TEE("cvm"), "'nodeSelector':{}," APPS(
						       NAMED("a", BOTH("'tdx.intel.com/keys':1")))),
			.reason = REASON_Injected,
			.want = POD(TEE("cvm") "," INJECTED,
				"'runtimeClassName':'kata-cvm','nodeSelector':{}," APPS(
					NAMED("a", BOTH("'tdx.intel.com/keys':1"))))},
		{.name = "both slots decide nothing",
			.pod = POD("", APPS(NAMED("a", BOTH("'tdx.intel.com/keys':1,"
							    "'sev-snp.amd.com/esids':1")))),
			.refused = true,
			.reason = REASON_TeeConflict,
			.want = "does not say which TEE it asks for"},
		{.name = "two selectors match",
			.profiles = shop,
			.pod = "{'metadata':{'labels':{'app':'pay','tier':'x'}},'spec':{" APPS(
				APP) "}}",
			.refused = true,
			.reason = REASON_ProfileAmbiguous,
			.want = "one and two"},
		{.name = "a name and another's selector",
			.profiles = shop,
			.pod = "{'metadata':{'annotations':{'casemate.dev/profile':'plain'},"
			       "'labels':{'app':'pay'}},'spec':{" APPS(APP) "}}",
			.refused = true,
			.reason = REASON_ProfileAmbiguous,
			.want = "plain and one"},
		{.name = "a name and two selectors, one its own",
			.profiles = shop,
			.pod = "{'metadata':{'annotations':{'casemate.dev/profile':'one'},"
			       "'labels':{'app':'pay','tier':'x'}},'spec':{" APPS(APP) "}}",
			.refused = true,
			.reason = REASON_ProfileAmbiguous,
			.want = "one and two"},
		{.name = "a name and its own selector",
			.profiles = shop,
			.pod = "{'metadata':{'annotations':{'casemate.dev/profile':'one'},"
			       "'labels':{'app':'pay'}},'spec':{" APPS(APP) "}}",
			.reason = REASON_Injected,
			.want = "{'metadata':{'annotations':{'casemate.dev/profile':'one'," INJECTED
				"},"
				"'labels':{'app':'pay'}},'spec':{" CLASS_NODE "," APPS(APP) "}}"},
		{.name = "an invalid profile by name",
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'bad'", APPS(APP)),
			.refused = true,
			.reason = REASON_ProfileInvalid,
			.want = "EnclaveProfile bad applies to this pod and "
				"is not valid: spec.tee"},
		{.name = "an invalid profile's selector",
			.profiles = shop,
			.pod = "{'metadata':{'labels':{'app':'bad'}},'spec':{" APPS(APP) "}}",
			.refused = true,
			.reason = REASON_ProfileInvalid,
			.want = "spec.tee"},
		{.name = "not a pod",
			.pod = "{'metadata':{},'spec':[]}",
			.refused = true,
			.reason = REASON_Malformed,
			.want = "spec must be an object"},
		{.name = "a container without a name",
			.pod = "{'spec':{'containers':[{'image':'a'}]}}",
			.refused = true,
			.reason = REASON_Malformed,
			.want = "spec.containers[0]: name must be a string"},
	};

	RUN(rows);
}

/* Selectors are compared with every label; without them there is nothing to compare. */
static void test_labels_maximum(void)
{
	static const char *const shop[][3] = {{PROFILE("vm", "'tee':'tdx'")},
		{PROFILE("vm", "'tee':'tdx'"),
			PROFILE("sel", "'tee':'tdx','podSelector':{'matchLabels':{'x':'y'}}")}};

	for (int n = POD_LABELS_MAX; n <= POD_LABELS_MAX + 1; n++) {
		_cleanup_fixture_ struct fixture f;
		_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
		_cleanup_patch_ struct patch patch = PATCH_INIT(1 << 10);
		struct policy_result res;

		fixture_init(&f);
		buf_puts(&text, "{'metadata':{'labels':{'l':'v'");
		for (int i = 1; i < n; i++)
			buf_printf(&text, ",'l%d':'v'", i);
		buf_puts(&text, "}},'spec':{" APPS(APP) "}}");
		f.rq.object = fixture_quoted(&f, text.p);
		for (int profiles = 0; profiles <= 2; profiles++) {
			bool refused = profiles == 2 && n > POD_LABELS_MAX;

			if (profiles)
				fixture_profiles(&f, shop[profiles - 1]);
			CU_ASSERT_EQUAL(policy_mutate(&f.rq, "", &f.a, &patch, &res), 0);
			CU_ASSERT_EQUAL(
				res.reason, refused ? REASON_Malformed : REASON_NotConfidential);
			CHECK_ROW("message",
				!refused || (res.message &&
						    strstr(res.message, "more than 256 labels")),
				"%s", res.message ? res.message : "");
		}
	}
}

/* Only a pod that asks is judged, and only one that is judged has a maximum. */
static void test_containers_maximum(void)
{
	static const char *const shop[] = {
		PROFILE("named", "'tee':'tdx'"),
		PROFILE("sel", "'tee':'tdx','podSelector':{'matchLabels':{'x':'y'}}"), NULL};
	static const struct {
		const char *metadata, *spec, *last;
		bool asks;
	} rows[] = {
		{"'name':'p'", "", "'resources':{'limits':{'cpu':'1'}}", false},
		{"'annotations':{'casemate.dev/epc':'1Mi'}", "", "'x':1", false},
		{"'annotations':{'sgx.intel.com/quote-provider':'c'}", "", "'x':1", false},
		{"'name':'p'", "'runtimeClassName':'gvisor',", "'x':1", false},
		{"'annotations':{'casemate.dev/tee':'tdx'}", "", "'x':1", true},
		{"'annotations':{'casemate.dev/profile':'named'}", "", "'x':1", true},
		{"'labels':{'x':'y'}", "", "'x':1", true},
		{"'name':'p'", "'runtimeClassName':'casemate-tdx',", "'x':1", true},
		{"'name':'p'", "", LIMITS(EPC("1Mi")), true},
		{"'name':'p'", "", "'resources':{'requests':{'google.com/cc':'1'}}", true},
		{"'name':'p'", "'initContainers':[" NAMED("i", LIMITS(AESM)) "],", "'x':1", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_fixture_ struct fixture f;
		_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
		_cleanup_patch_ struct patch patch = PATCH_INIT(1 << 10);
		struct policy_result res;

		fixture_init(&f);
		fixture_profiles(&f, shop);
		buf_printf(&text, "{'metadata':{%s},'spec':{%s'containers':[", rows[i].metadata,
			rows[i].spec);
		for (int c = 0; c < POD_CONTAINERS_MAX; c++)
			buf_printf(&text, "{'name':'c%d'},", c);
		buf_printf(&text, "{'name':'last',%s}]}}", rows[i].last);
		f.rq.object = fixture_quoted(&f, text.p);
		CU_ASSERT_EQUAL(policy_foresee(&f.rq, &f.a, &patch, &res), 0);
		CHECK_ROW(rows[i].metadata,
			(res.verdict == VERDICT_REFUSED) == rows[i].asks && patch.n == 0,
			"%zu: %s", i, res.message ? res.message : "passed");
		CHECK_ROW(rows[i].metadata,
			!rows[i].asks || strstr(res.message, "more than 256 containers"),
			"%zu: %s", i, res.message);
	}
}

CU_TestInfo ask_tests[] = {
	{"containers at most", test_containers_maximum},
	{"labels at most", test_labels_maximum},
	{"ways to ask", test_ways_to_ask},
	{"agreement", test_agreement},
	CU_TEST_INFO_NULL,
};
