/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_mutate, a row for every sentence about it. The ways to ask are in ask_test.c, EPC and
 * quotes in sgx_test.c, the pods of other vendors' webhooks in vendors_test.c. */
#include <errno.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/policy_json.h"
#include "tests/unit/test.h"

static void refuse_classes(struct policy_config *c)
{
	fixture_accept_classes(c);
	c->class_conflict = CLASS_REFUSE;
}

static void simulate_and_accept(struct policy_config *c)
{
	fixture_accept_classes(c);
	c->allow_simulated = true;
}

/* Point 2: which containers, and how their resources are written. */
static void test_containers(void)
{
	static const struct mutate_row rows[] = {
		{.name = "all app containers by default, no init containers",
			.pod = POD(
				SGX_64, APPS(APP "," NAMED("b", "'resources':{}")) "," INITS(
						NAMED("i", "'image':'x'") "," NAMED("s", SIDECAR))),
			.reason = REASON_Injected,
			.want = POD(SGX_64 "," INJECTED_EPC("128Mi"),
				CLASS_SGX "," APPS(APP_64 "," NAMED("b", SGX("64Mi"))) "," INITS(
					NAMED("i", "'image':'x'") "," NAMED("s", SIDECAR)))},
		{.name = "those listed",
			.pod = POD(SGX_64 ",'casemate.dev/containers':' b\\t, s'",
				APPS(APP "," NAMED("b", "'resources':null")) "," INITS(
					NAMED("s", SIDECAR))),
			.reason = REASON_Injected,
			.want = POD(SGX_64
				",'casemate.dev/containers':' b\\t, s'," INJECTED_EPC("128Mi"),
				CLASS_SGX "," APPS(APP "," NAMED("b", SGX("64Mi"))) "," INITS(
					NAMED("s", SIDECAR "," SGX("64Mi"))))},
		{.name = "an empty list",
			.pod = POD(SGX_64 ",'casemate.dev/containers':''", APPS(APP)),
			.refused = true,
			.reason = REASON_AnnotationInvalid,
			.want = "casemate.dev/containers"},
		{.name = "a list with a hole",
			.pod = POD(SGX_64 ",'casemate.dev/containers':'app,'", APPS(APP)),
			.refused = true,
			.reason = REASON_AnnotationInvalid,
			.want = "is no list"},
		{.name = "an unknown container",
			.pod = POD(SGX_64 ",'casemate.dev/containers':'app,b'", APPS(APP)),
			.refused = true,
			.reason = REASON_ContainerUnknown,
			.want = "no container \"b\""},
		{.name = "names are checked for other TEEs too",
			.pod = POD(TEE("tdx") ",'casemate.dev/containers':'b'", APPS(APP)),
			.refused = true,
			.reason = REASON_ContainerUnknown,
			.want = "no container \"b\""},
		{.name = "and have no effect there",
			.pod = POD(TEE("tdx") ",'casemate.dev/containers':'app'", APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("tdx") ",'casemate.dev/containers':'app'," INJECTED,
				CLASS_TDX "," APPS(APP))},
		{.name = "the listed and those with a request of their own",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc.app':'64Mi','casemate.dev/"
					      "containers':'app'",
				APPS(APP "," NAMED("b", LIMITS(EPC("1Mi"))) "," NAMED(
					"c", "'x':1"))),
			.reason = REASON_Injected,
			.want = POD(TEE("sgx") ",'casemate.dev/epc.app':'64Mi','casemate.dev/"
					       "containers':"
					       "'app'," INJECTED_EPC("65Mi"),
				CLASS_SGX "," APPS(APP_64
					"," NAMED("b", SGX("1Mi")) "," NAMED("c", "'x':1")))},
		{.name = "a device of its own counts, and needs EPC",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc.app':'64Mi','casemate.dev/"
					      "containers':'app'",
				APPS(APP "," NAMED("b", LIMITS(ENCLAVE)))),
			.refused = true,
			.reason = REASON_EpcMissing,
			.want = "container \"b\""},
		{.name = "all app containers beside one with its own EPC",
			.pod = POD(SGX_64, APPS(APP "," NAMED("b", LIMITS(EPC("64Mi"))))),
			.reason = REASON_Injected,
			.want = POD(SGX_64 "," INJECTED_EPC("128Mi"),
				CLASS_SGX "," APPS(APP_64 "," NAMED("b", SGX("64Mi"))))},
		{.name = "but where one is complete, the choice was made: others came later",
			.pod = POD(SGX_64, APPS(APP_64 "," NAMED("mesh", "'x':1"))),
			.reason = REASON_Injected,
			.want = DONE(
				"," SGX_64, CLASS_SGX "," APPS(APP_64 "," NAMED("mesh", "'x':1")))},
		{.name = "a complete init container says nothing about the app containers",
			.pod = POD(
				SGX_64, APPS(APP) "," INITS(NAMED("s", SIDECAR "," SGX("64Mi")))),
			.reason = REASON_Injected,
			.want = POD(SGX_64 "," INJECTED_EPC("128Mi"), CLASS_SGX
				"," APPS(APP_64) "," INITS(NAMED("s", SIDECAR "," SGX("64Mi"))))},
		{.name = "parents that are there are kept",
			.pod = POD(SGX_64,
				APPS(NAMED("a", "'resources':{'limits':{'cpu':'1'},'claims':[]}"))),
			.reason = REASON_Injected,
			.want = POD(SGX_64 "," INJECTED_EPC("64Mi"),
				CLASS_SGX "," APPS(NAMED("a",
					"'resources':{'limits':{'cpu':'1'," EPC(
						"64Mi") "," ENCLAVE "},"
							"'requests':{" EPC(
								"64Mi") "," ENCLAVE
									"},'claims':[]}")))},
		{.name = "parents that are null are made",
			.pod = "{'metadata':{'annotations':{" SGX_64
			       "}},'spec':{'nodeSelector':null,"
			       "'runtimeClassName':null,'volumes':null," APPS(
				       NAMED("a", "'env':null,'volumeMounts':null,'resources':{'"
						  "limits':null,'requests':{}}")) "}}",
			.reason = REASON_Injected,
			.want = "{'metadata':{'annotations':{" SGX_64 "," INJECTED_EPC(
				"64Mi") "}},'spec':{" CLASS_SGX ",'volumes':null," APPS(NAMED("a",
				"'env':null,'volumeMounts':null," SGX("64Mi"))) "}}"},
		{.name = "metadata is made",
			.pod = "{'spec':{" APPS(NAMED("a", BOTH("'tdx.intel.com/keys':1"))) "}}",
			.reason = REASON_Injected,
			.want = "{'metadata':{'annotations':{" INJECTED "}},'spec':{" CLASS_TDX
				"," APPS(NAMED("a", BOTH("'tdx.intel.com/keys':1"))) "}}"},
		{.name = "annotations null",
			.pod = "{'metadata':{'annotations':null},'spec':{'runtimeClassName':'"
			       "casemate-tdx'," APPS(APP) "}}",
			.reason = REASON_Injected,
			.want = "{'metadata':{'annotations':{" INJECTED "}},'spec':{" CLASS_TDX
				"," APPS(APP) "}}"},
		{.name = "requests alone get limits",
			.pod = POD(SGX_64, APPS(NAMED("a", "'resources':{'requests':{'sgx.intel."
							   "com/epc':67108864}}"))),
			.reason = REASON_Injected,
			.want = POD(SGX_64 "," INJECTED_EPC("64Mi"),
				CLASS_SGX "," APPS(NAMED("a",
					"'resources':{'requests':{'sgx.intel.com/"
					"epc':67108864," ENCLAVE "},"
					"'limits':{" EPC("67108864") "," ENCLAVE "}}")))},
		{.name = "everything is there already",
			.pod = POD(SGX_64 "," INJECTED_EPC("64Mi"), CLASS_SGX "," APPS(APP_64)),
			.reason = REASON_Injected},
		{.name = "another status is overwritten",
			.pod = POD(TEE("tdx") ",'casemate.dev/status':'pending'", APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("tdx") "," INJECTED, CLASS_TDX "," APPS(APP))},
		{.name = "a status on an ordinary pod is left alone",
			.pod = POD("'casemate.dev/status':'mine'", APPS(APP)),
			.reason = REASON_NotConfidential},
		{.name = "no containers",
			.pod = POD(TEE("sgx"), "'x':1"),
			.reason = REASON_Injected,
			.want = POD(TEE("sgx") "," INJECTED, CLASS_SGX ",'x':1")},
		{.name = "spec.nodeName makes no difference",
			.pod = POD(TEE("node"), "'nodeName':'n1'," APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("node") "," INJECTED,
				"'nodeName':'n1'," CLASS_NODE "," APPS(APP))},
	};

	RUN(rows);
}

static void no_attestation(struct policy_config *c)
{
	for (enum tee t = 0; t < TEE_N; t++)
		c->classes[t].n_node_selector = 0;
}

/* Points 4 and 7: classes and selectors. */
static void test_classes(void)
{
	static const char *const shop[] = {
		PROFILE("kata",
			"'tee':'sgx','runtimeClassName':'kata-sgx','epc':{'default':'64Mi'}"),
		PROFILE("n", "'tee':'node'"), NULL};
	static const struct mutate_row rows[] = {
		{.name = "another class is replaced, its overhead removed",
			.pod = POD(TEE("tdx"),
				"'runtimeClassName':'gvisor','overhead':{'cpu':'1'}," APPS(APP)),
			.reason = REASON_Injected,
			.warns = "runtimeClassName gvisor is not accepted for TEE tdx: "
				 "casemate-tdx instead",
			.want = POD(TEE("tdx") "," INJECTED, CLASS_TDX "," APPS(APP))},
		{.name = "or refused",
			.tweak = refuse_classes,
			.pod = POD(TEE("tdx"), "'runtimeClassName':'gvisor'," APPS(APP)),
			.refused = true,
			.reason = REASON_RuntimeClassNotAccepted,
			.want = "\"gvisor\" is not accepted for TEE tdx; remove it to get "
				"casemate-tdx"},
		{.name = "an empty class is none",
			.tweak = refuse_classes,
			.pod = POD(TEE("tdx"), "'runtimeClassName':''," APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("tdx") "," INJECTED, CLASS_TDX "," APPS(APP))},
		{.name = "an accepted class is kept, with its overhead",
			.tweak = refuse_classes,
			.pod = POD(TEE("tdx"),
				"'runtimeClassName':'kata-cc','overhead':{'cpu':'1'}," APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("tdx") "," INJECTED,
				CLASS("kata-cc", SELECTOR_TDX) ",'overhead':{'cpu':'1'}," APPS(
					APP))},
		{.name = "only the exact name is accepted",
			.tweak = refuse_classes,
			.pod = POD(TEE("tdx"), "'runtimeClassName':'kata-cc2'," APPS(APP)),
			.refused = true,
			.reason = REASON_RuntimeClassNotAccepted,
			.want = "\"kata-cc2\""},
		{.name = "the profile's class",
			.tweak = fixture_accept_classes,
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'kata'", APPS(APP)),
			.reason = REASON_Injected,
			.want = DONE(",'casemate.dev/profile':'kata'",
				CLASS("kata-sgx", SELECTOR_SGX) "," APPS(APP_64))},
		{.name = "selectors are added to the user's",
			.pod = POD(TEE("node"), "'nodeSelector':{'zone':'a'," LABEL(
							"attested") ":'true'}," APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("node") "," INJECTED,
				"'runtimeClassName':'casemate-node',"
				"'nodeSelector':{'zone':'a'," SELECTOR_NODE "}," APPS(APP))},
		{.name = "a conflicting selector",
			.pod = POD(TEE("node"),
				"'nodeSelector':{" LABEL("attested") ":'false'}," APPS(APP)),
			.refused = true,
			.reason = REASON_NodeSelectorConflict,
			.want = "spec.nodeSelector[\"casemate.dev.node-restriction.kubernetes.io/"
				"attested\"] is "
				"\"false\", but a pod of TEE node needs a node with \"true\""},
		{.name = "classes that select no verdict",
			.tweak = no_attestation,
			.pod = POD(TEE("node"), APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("node") "," INJECTED,
				"'runtimeClassName':'casemate-node'," APPS(APP))},
		{.name = "simulated: each TEE has its class, and every pod is warned",
			.tweak = fixture_simulate,
			.pod = POD(SGX_64, APPS(APP)),
			.reason = REASON_Injected,
			.warns = "simulated TEE: nothing protects this pod (allowSimulated)",
			.want = DONE("," SGX_64,
				CLASS("casemate-simulated-sgx",
					LABEL("attested") ":'simulated'") "," APPS(APP_64))},
		{.name = "simulated: cvm needs no configuration",
			.tweak = fixture_simulate,
			.pod = POD(TEE("cvm"), APPS(APP)),
			.reason = REASON_Injected,
			.warns = "simulated TEE",
			.want = POD(TEE("cvm") "," INJECTED,
				CLASS("casemate-simulated-cvm",
					LABEL("attested") ":'simulated'") "," APPS(APP))},
		{.name = "simulated: never the real class",
			.tweak = fixture_simulate,
			.pod = POD("", "'runtimeClassName':'casemate-tdx'," APPS(APP)),
			.reason = REASON_Injected,
			.warns = "simulated TEE",
			.want = POD(
				INJECTED, CLASS("casemate-simulated-tdx",
						  LABEL("attested") ":'simulated'") "," APPS(APP))},
		{.name = "simulated: nor one that is accepted",
			.tweak = simulate_and_accept,
			.pod = POD(TEE("tdx"), "'runtimeClassName':'kata-cc'," APPS(APP)),
			.reason = REASON_Injected,
			.warns = "runtimeClassName kata-cc is not accepted",
			.want = POD(TEE("tdx") "," INJECTED,
				CLASS("casemate-simulated-tdx",
					LABEL("attested") ":'simulated'") "," APPS(APP))},
		{.name = "simulated: its class asks",
			.tweak = fixture_simulate,
			.pod = POD("", "'runtimeClassName':'casemate-simulated-node'," APPS(APP)),
			.reason = REASON_Injected,
			.warns = "simulated TEE",
			.want = POD(
				INJECTED, CLASS("casemate-simulated-node",
						  LABEL("attested") ":'simulated'") "," APPS(APP))},
		{.name = "simulated: not allowed",
			.pod = POD("", "'runtimeClassName':'casemate-simulated-sgx'," APPS(APP)),
			.refused = true,
			.reason = REASON_SimulatedNotAllowed,
			.want = "set allowSimulated"},
		{.name = "simulated: a profile that does not allow it gives no keys",
			.tweak = fixture_simulate,
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'n'", APPS(APP)),
			.reason = REASON_Injected,
			.warns = "profile n does not allow simulated TEEs",
			.want = POD("'casemate.dev/profile':'n'," INJECTED,
				CLASS("casemate-simulated-node",
					LABEL("attested") ":'simulated'") "," APPS(APP))},
	};

	RUN(rows);
}

/* A static pod's mirror is left alone, when it is the kubelet of its node that writes it. */
static void test_mirror(void)
{
	static const struct {
		const char *user;
		enum reason reason;
	} rows[] = {
		{"{'username':'system:node:n1','groups':['system:nodes']}", REASON_MirrorPod},
		{"{'username':'system:node:n2','groups':['system:nodes']}", REASON_Injected},
		{"{'username':'mallory','groups':[]}", REASON_Injected},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_fixture_ struct fixture f;
		_cleanup_patch_ struct patch patch = PATCH_INIT(1 << 16);
		struct policy_result res;

		fixture_init(&f);
		f.rq.object = fixture_quoted(&f, POD(SGX_64 ",'kubernetes.io/config.mirror':'1'",
							 "'nodeName':'n1'," APPS(APP)));
		f.rq.user = fixture_quoted(&f, rows[i].user);
		CU_ASSERT_EQUAL(policy_mutate(&f.rq, "", &f.a, &patch, &res), 0);
		CHECK_ROW(
			rows[i].user, res.reason == rows[i].reason, "%s", reason_name(res.reason));
		CHECK_ROW(rows[i].user, (patch.n == 0) == (res.verdict == VERDICT_PASSED), "%zu",
			patch.n);
	}
}

/* The smallest change, in this order, and nothing but what is named. */
static void test_patch_text(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_patch_ struct patch patch = PATCH_INIT(1 << 16);
	struct policy_result res;

	fixture_init(&f);
	f.rq.object = fixture_quoted(
		&f, POD(TEE("tdx"), "'nodeSelector':{'a':'b'}," APPS(NAMED("a",
					    "'resources':{'limits':{'tdx.intel.com/keys':'1'}}"))));
	CU_ASSERT_EQUAL(policy_mutate(&f.rq, "", &f.a, &patch, &res), 0);
	CU_ASSERT_EQUAL(res.tee, TEE_TDX);
	CHECK_STR("patch", buf_view(&patch.ops),
		fixture_text(&f,
			"{'op':'add','path':'/metadata/annotations/"
			"casemate.dev~1status','value':'injected'},"
			"{'op':'add','path':'/spec/runtimeClassName','value':'casemate-tdx'},"
			"{'op':'add','path':'/spec/nodeSelector/"
			"casemate.dev.node-restriction.kubernetes.io"
			"~1cvm-host','value':'tdx'},"
			"{'op':'add','path':'/spec/containers/0/resources/requests','value':"
			"{'tdx.intel.com/keys':'1'}}")
			.p);
}

/* Running out of memory at any point is -ENOMEM and no patch. */
static void test_no_memory(void)
{
	_cleanup_fixture_ struct fixture f;
	int r = -ENOMEM;

	fixture_init(&f);
	f.rq.object = fixture_quoted(&f, POD(SGX_64 ",'casemate.dev/quote':'aesm'",
						 APPS(APP) "," INITS(NAMED("\\u0069", SIDECAR))));
	for (size_t max = 0; r < 0; max += 16) {
		_cleanup_arena_ struct arena a = ARENA_INIT(max);
		_cleanup_patch_ struct patch patch = PATCH_INIT(1 << 16);
		struct policy_result res;

		r = policy_mutate(&f.rq, "", &a, &patch, &res);
		CU_ASSERT(r == 0 || (r == -ENOMEM && patch.n == 0));
		CU_ASSERT(max < 1 << 16);
	}
	for (size_t max = 0, done = 0; !done; max += 8) {
		_cleanup_patch_ struct patch patch = PATCH_INIT(max);
		struct policy_result res;

		r = policy_mutate(&f.rq, "", &f.a, &patch, &res);
		CU_ASSERT(r == (patch.n ? 0 : -ENOMEM));
		done = patch.n;
	}
}

/* However long the user's own text is, messages stay short. */
static void test_long_values(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_patch_ struct patch patch = PATCH_INIT(1 << 16);
	struct policy_result res;
	char *name;

	fixture_init(&f);
	name = arena_alloc(&f.a, 200001);
	memset(name, ',', 200000);
	f.rq.object = fixture_quoted(
		&f, arena_printf(
			    &f.a, POD(SGX_64 ",'casemate.dev/containers':'a%s'", APPS(APP)), name));
	policy_mutate(&f.rq, "", &f.a, &patch, &res);
	CU_ASSERT_EQUAL(res.reason, REASON_ContainerUnknown);
	memset(name, 'x', 200000);
	f.rq.object = fixture_quoted(&f,
		arena_printf(&f.a, POD(SGX_64 ",'casemate.dev/containers':'%s'", APPS(APP)), name));
	policy_mutate(&f.rq, "", &f.a, &patch, &res);
	CU_ASSERT_EQUAL(res.reason, REASON_ContainerUnknown);
	CU_ASSERT(strlen(res.message) < 300);
}

CU_TestInfo mutate_tests[] = {
	{"containers", test_containers},
	{"classes", test_classes},
	{"mirror", test_mirror},
	{"patch text", test_patch_text},
	{"no memory", test_no_memory},
	{"long values", test_long_values},
	CU_TEST_INFO_NULL,
};
