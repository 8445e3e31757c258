/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_mutate for SGX: how much EPC, and how quotes are made. */
#include "tests/unit/policy_fixture.h"
#include "tests/unit/policy_json.h"
#include "tests/unit/test.h"

static void limit_epc(struct policy_config *c)
{
	static const struct namespace_limit limits[] = {{"other", 1}, {"shop", 96 << 20}};

	c->epc_max = 128 << 20;
	c->namespace_limits = (struct namespace_limits){limits, ARRAY_SIZE(limits)};
}

/* Point 2: EPC. */
static void test_epc(void)
{
	static const char *const shop[] = {
		PROFILE("p", "'tee':'sgx','epc':{'default':'0.5Gi','max':'1Gi'}"),
		PROFILE("tight", "'tee':'sgx','epc':{'max':'32Mi'}"), NULL};
	static const struct mutate_row rows[] = {
		{.name = "the container's annotation before the pod's before the profile's",
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'p','casemate.dev/epc.b':'1Mi'",
				APPS(NAMED("a", "'image':'x'") "," NAMED("b", "'image':'x'"))),
			.reason = REASON_Injected,
			.want = POD("'casemate.dev/profile':'p','casemate.dev/"
				    "epc.b':'1Mi'," INJECTED_EPC("513Mi"),
				CLASS_SGX
				"," APPS(NAMED("a", "'image':'x'," SGX("0.5Gi")) "," NAMED(
					"b", "'image':'x'," SGX("1Mi"))))},
		{.name = "the pod's annotation before the profile's",
			.profiles = shop,
			.pod = POD(
				"'casemate.dev/profile':'p','casemate.dev/epc':'2Mi'", APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(
				"'casemate.dev/profile':'p','casemate.dev/epc':'2Mi'," INJECTED_EPC(
					"2Mi"),
				CLASS_SGX "," APPS("{'name':'app','image':'a'," SGX("2Mi") "}"))},
		{.name = "none",
			.pod = POD(TEE("sgx"), APPS(APP)),
			.refused = true,
			.reason = REASON_EpcMissing,
			.want = "container \"app\" has no EPC size; set annotation "
				"casemate.dev/epc or "
				"casemate.dev/epc.app, such as 64Mi"},
		{.name = "0",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc':'0'", APPS(APP)),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "annotation casemate.dev/epc: \"0\" is no positive"},
		{.name = "negative",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc':'-1Mi'", APPS(APP)),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "\"-1Mi\""},
		{.name = "a fraction",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc.app':'0.5'", APPS(APP)),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "annotation casemate.dev/epc.app: \"0.5\""},
		{.name = "empty",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc':''", APPS(APP)),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "is not a quantity"},
		{.name = "beyond int64",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc':'8Ei'", APPS(APP)),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "out of range"},
		{.name = "together beyond int64",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc':'5Ei'",
				APPS(APP "," NAMED("b", "'x':1"))),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "more than 9223372036854775807"},
		{.name = "the whole grammar: exponent",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc':'1e6'", APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("sgx") ",'casemate.dev/epc':'1e6'," INJECTED_EPC("1000000"),
				CLASS_SGX "," APPS("{'name':'app','image':'a'," SGX("1e6") "}"))},
		{.name = "the whole grammar: a whole number of milli",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc':'4096000m'", APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(
				TEE("sgx") ",'casemate.dev/epc':'4096000m'," INJECTED_EPC("4Ki"),
				CLASS_SGX
				"," APPS("{'name':'app','image':'a'," SGX("4096000m") "}"))},
		{.name = "equal by value, each spelling left as it was",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc':'1Mi'",
				APPS(NAMED("a",
					"'resources':{'limits':{'sgx.intel.com/epc':1048576},"
					"'requests':{'sgx.intel.com/epc':'1024Ki'}}"))),
			.reason = REASON_Injected,
			.want = POD(TEE("sgx") ",'casemate.dev/epc':'1Mi'," INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("a",
					"'resources':{'limits':{'sgx.intel.com/"
					"epc':1048576," ENCLAVE "},"
					"'requests':{'sgx.intel.com/epc':'1024Ki'," ENCLAVE
					"}}")))},
		{.name = "annotation and resource differ",
			.pod = POD(SGX_64, APPS(NAMED("a", LIMITS(EPC("1Mi"))))),
			.refused = true,
			.reason = REASON_EpcConflict,
			.want = "annotation casemate.dev/epc says 67108864 bytes of EPC, but "
				"sgx.intel.com/epc says 1048576"},
		{.name = "the container's annotation and resource differ",
			.pod = POD(TEE("sgx") ",'casemate.dev/epc.a':'2Mi'",
				APPS(NAMED("a", LIMITS(EPC("1Mi"))))),
			.refused = true,
			.reason = REASON_EpcConflict,
			.want = "casemate.dev/epc.<container> says"},
		{.name = "limits and requests differ",
			.pod = POD("",
				APPS(NAMED("a", "'resources':{'limits':{" EPC(
							"1Mi") "},'requests':{" EPC("2Mi") "}}"))),
			.refused = true,
			.reason = REASON_ResourceInvalid,
			.want = "must be equal"},
		{.name = "a fraction of a byte requested",
			.pod = POD("", APPS(NAMED("a", LIMITS(EPC("0.5"))))),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "must be a whole number"},
		{.name = "half an enclave",
			.pod = POD(
				SGX_64, APPS(NAMED("a", LIMITS("'sgx.intel.com/enclave':'500m'")))),
			.refused = true,
			.reason = REASON_ResourceInvalid,
			.want = "sgx.intel.com/enclave"},
		{.name = "an unknown container",
			.pod = POD(SGX_64 ",'casemate.dev/epc.ap':'1Mi'", APPS(APP)),
			.refused = true,
			.reason = REASON_ContainerUnknown,
			.want = "casemate.dev/epc.ap"},
		{.name = "a container that is not selected",
			.pod = POD(SGX_64 ",'casemate.dev/epc.i':'1Mi'",
				APPS(APP) "," INITS(NAMED("i", "'x':1"))),
			.refused = true,
			.reason = REASON_AnnotationInvalid,
			.want = "not selected"},
		{.name = "a pod without EPC",
			.pod = POD(TEE("tdx") ",'casemate.dev/epc':'1Mi'", APPS(APP)),
			.refused = true,
			.reason = REASON_AnnotationInvalid,
			.want = "only TEE sgx has EPC"},
		{.name = "a container of a pod without EPC",
			.pod = POD(TEE("tdx") ",'casemate.dev/epc.app':'1Mi'", APPS(APP)),
			.refused = true,
			.reason = REASON_AnnotationInvalid,
			.want = "only TEE sgx has EPC"},
		{.name = "the profile's maximum",
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'tight','casemate.dev/epc':'33Mi'",
				APPS(APP)),
			.refused = true,
			.reason = REASON_EpcAboveMaximum,
			.want = "34603008 bytes of EPC are more than the 32Mi that tight allows"},
		{.name = "at the maximum",
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'tight','casemate.dev/epc':'32Mi'",
				APPS(APP)),
			.reason = REASON_Injected,
			.want = POD("'casemate.dev/profile':'tight','casemate.dev/"
				    "epc':'32Mi'," INJECTED_EPC("32Mi"),
				CLASS_SGX "," APPS("{'name':'app','image':'a'," SGX("32Mi") "}"))},
		{.name = "the namespace's maximum",
			.tweak = limit_epc,
			.pod = POD(TEE("sgx") ",'casemate.dev/epc':'97Mi'", APPS(APP)),
			.refused = true,
			.reason = REASON_EpcAboveMaximum,
			.want = "the 96Mi that the namespace allows"},
		{.name = "the configuration's maximum",
			.tweak = limit_epc,
			.pod = POD(TEE("sgx") ",'casemate.dev/epc':'129Mi'", APPS(APP)),
			.refused = true,
			.reason = REASON_EpcAboveMaximum,
			.want = "the 128Mi that the configuration allows"},
		{.name = "a vendor's pod above the maximum",
			.tweak = limit_epc,
			.pod = POD("", APPS(NAMED("a", LIMITS(EPC("1Gi"))))),
			.refused = true,
			.reason = REASON_EpcAboveMaximum,
			.want = "ask for less"},
		{.name = "effective: the larger of init and apps",
			.pod = POD(
				TEE("sgx") ",'casemate.dev/epc':'10Mi','casemate.dev/epc.i':'64Mi',"
					   "'casemate.dev/containers':'app, i ,s'",
				APPS(APP) "," INITS(
					NAMED("s", SIDECAR) "," NAMED("i", "'image':'x'"))),
			.reason = REASON_Injected,
			.warns = "init container i uses enclave devices",
			.want = POD(
				TEE("sgx") ",'casemate.dev/epc':'10Mi','casemate.dev/epc.i':'64Mi',"
					   "'casemate.dev/containers':'app, i ,s'," INJECTED_EPC(
						   "74Mi"),
				CLASS_SGX
				"," APPS("{'name':'app','image':'a'," SGX("10Mi") "}") "," INITS(
					NAMED("s", SIDECAR "," SGX("10Mi")) "," NAMED(
						"i", "'image':'x'," SGX("64Mi"))))},
		{.name = "effective: with the class's overhead",
			.pod = POD(SGX_64, "'runtimeClassName':'casemate-sgx','overhead':"
					   "{'sgx.intel.com/epc':'4Mi','cpu':'1'}," APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(SGX_64 "," INJECTED_EPC("68Mi"),
				CLASS_SGX ",'overhead':"
					  "{'sgx.intel.com/epc':'4Mi','cpu':'1'}," APPS(APP_64))},
		{.name = "effective: without the overhead of a class that is replaced",
			.pod = POD(SGX_64, "'runtimeClassName':'gvisor','overhead':"
					   "{'sgx.intel.com/epc':'4Mi','cpu':'1'}," APPS(APP)),
			.reason = REASON_Injected,
			.warns = "runtimeClassName gvisor is not accepted",
			.want = DONE("," SGX_64, CLASS_SGX "," APPS(APP_64))},
		{.name = "effective: overhead in fractions",
			.pod = POD(SGX_64, "'runtimeClassName':'casemate-sgx','overhead':"
					   "{'sgx.intel.com/epc':'0.5'}," APPS(APP)),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "spec.overhead"},
		{.name = "a user's own effective EPC is not trusted",
			.pod = POD(SGX_64 ",'sgx.intel.com/epc':'1Ti'", APPS(APP)),
			.reason = REASON_Injected,
			.want = DONE("," SGX_64, CLASS_SGX "," APPS(APP_64))},
		{.name = "nor on a pod without EPC",
			.pod = POD(TEE("tdx") ",'sgx.intel.com/epc':'1Ti'", APPS(APP)),
			.reason = REASON_Injected,
			.warns = "annotation sgx.intel.com/epc removed",
			.want = POD(TEE("tdx") "," INJECTED, CLASS_TDX "," APPS(APP))},
	};

	RUN(rows);
}

static void in_process_always(struct policy_config *c)
{
	c->in_process = IN_PROCESS_ALWAYS;
}

static void in_process_never(struct policy_config *c)
{
	c->in_process = IN_PROCESS_NEVER;
}

static void host_path(struct policy_config *c)
{
	c->aesm_mount = AESM_HOST_PATH;
	c->in_process = IN_PROCESS_ALWAYS;
}

#define QUOTE(mode) SGX_64 ",'casemate.dev/quote':'" mode "'"

/* Points 2 and 3: quotes. */
static void test_quotes(void)
{
	static const char *const shop[] = {
		PROFILE("may", "'tee':'sgx','epc':{'default':'64Mi'},"
			       "'quote':{'mode':'in-process','allowInProcess':true}"),
		PROFILE("not", "'tee':'sgx','epc':{'default':'64Mi'},'quote':{'mode':'aesm'}"),
		NULL};
	static const struct mutate_row rows[] = {
		{.name = "none",
			.pod = POD(QUOTE("none"), APPS(APP)),
			.reason = REASON_Injected,
			.want = DONE("," QUOTE("none"), CLASS_SGX "," APPS(APP_64))},
		{.name = "unknown",
			.pod = POD(QUOTE("dcap"), APPS(APP)),
			.refused = true,
			.reason = REASON_QuoteModeUnknown,
			.want = "use none, aesm or in-process"},
		{.name = "unknown, without enclaves",
			.pod = POD(TEE("tdx") ",'casemate.dev/quote':''", APPS(APP)),
			.refused = true,
			.reason = REASON_QuoteModeUnknown,
			.want = "use none, aesm or in-process"},
		{.name = "aesm without enclaves",
			.pod = POD(TEE("tdx") ",'casemate.dev/quote':'aesm'", APPS(APP)),
			.refused = true,
			.reason = REASON_AnnotationInvalid,
			.want = "only TEE sgx has quote modes"},
		{.name = "none without enclaves",
			.pod = POD(TEE("tdx") ",'casemate.dev/quote':'none'", APPS(APP)),
			.reason = REASON_Injected,
			.want = POD(TEE("tdx") ",'casemate.dev/quote':'none'," INJECTED,
				CLASS_TDX "," APPS(APP))},
		{.name = "in-process, not allowed",
			.pod = POD(QUOTE("in-process"), APPS(APP)),
			.refused = true,
			.reason = REASON_ProvisionNotAllowed,
			.want = "use a profile with quote.allowInProcess"},
		{.name = "in-process, always allowed",
			.tweak = in_process_always,
			.pod = POD(QUOTE("in-process"), APPS(APP)),
			.reason = REASON_Injected,
			.want = DONE("," QUOTE("in-process"), CLASS_SGX
				"," APPS("{'name':'app','image':'a'," SGX_PROVISION("64Mi") "}"))},
		{.name = "in-process, allowed by the profile",
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'may'", APPS(APP)),
			.reason = REASON_Injected,
			.want = DONE(",'casemate.dev/profile':'may'", CLASS_SGX
				"," APPS("{'name':'app','image':'a'," SGX_PROVISION("64Mi") "}"))},
		{.name = "in-process, never",
			.profiles = shop,
			.tweak = in_process_never,
			.pod = POD("'casemate.dev/profile':'not','casemate.dev/quote':'in-process'",
				APPS(APP)),
			.refused = true,
			.reason = REASON_ProvisionNotAllowed,
			.want = "quote.inProcess: never"},
		{.name = "in-process, not the profile's",
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'not','casemate.dev/quote':'in-process'",
				APPS(APP)),
			.refused = true,
			.reason = REASON_ProvisionNotAllowed,
			.want = "have the profile set quote.allowInProcess"},
		{.name = "a profile is not bypassed by Intel's annotation",
			.profiles = shop,
			.pod = POD(
				"'casemate.dev/profile':'not','sgx.intel.com/quote-provider':'app'",
				APPS(APP)),
			.refused = true,
			.reason = REASON_ProvisionNotAllowed,
			.want = "allowInProcess"},
		{.name = "the device itself needs the same permission",
			.pod = POD(SGX_64, APPS(NAMED("a", LIMITS(PROVISION)))),
			.refused = true,
			.reason = REASON_ProvisionNotAllowed,
			.want = "container \"a\""},
		{.name = "and is one",
			.tweak = in_process_always,
			.pod = POD(SGX_64, APPS(NAMED("a", LIMITS("'sgx.intel.com/provision':3,"
								  "'sgx.intel.com/enclave':0")))),
			.reason = REASON_Injected,
			.want = POD(SGX_64 "," INJECTED_EPC("64Mi"),
				CLASS_SGX "," APPS(NAMED("a",
					"'resources':{'limits':{" EPC(
						"64Mi") "," ENCLAVE "," PROVISION
							"},'requests':{" EPC("64Mi") "," ENCLAVE
										     "," PROVISION
										     "}}")))},
		{.name = "none of it is none",
			.pod = POD(SGX_64, APPS(NAMED("a", BOTH("'sgx.intel.com/provision':'0'")))),
			.reason = REASON_Injected,
			.want = POD(SGX_64 "," INJECTED_EPC("64Mi"),
				CLASS_SGX "," APPS(NAMED(
					"a", BOTH(EPC("64Mi") "," ENCLAVE
							      ",'sgx.intel.com/provision':'0'"))))},
		{.name = "aesm, by the extended resource",
			.pod = POD(QUOTE("aesm"), APPS(APP)),
			.reason = REASON_Injected,
			.want = DONE("," QUOTE("aesm"),
				CLASS_SGX "," APPS("{'name':'app','image':'a'," AESM_ENVS
						   "," SGX_AESM("64Mi") "}"))},
		{.name = "aesm, by the profile",
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'not'", APPS(APP)),
			.reason = REASON_Injected,
			.want = DONE(",'casemate.dev/profile':'not'",
				CLASS_SGX "," APPS("{'name':'app','image':'a'," AESM_ENVS
						   "," SGX_AESM("64Mi") "}"))},
		{.name = "the pod's quote mode before the profile's",
			.profiles = shop,
			.pod = POD("'casemate.dev/profile':'not','casemate.dev/quote':'none'",
				APPS(APP)),
			.reason = REASON_Injected,
			.want = DONE(",'casemate.dev/profile':'not','casemate.dev/quote':'none'",
				CLASS_SGX "," APPS(APP_64))},
		{.name = "the pod's quote mode before Intel's",
			.pod = POD(
				QUOTE("none") ",'sgx.intel.com/quote-provider':'aesmd'", APPS(APP)),
			.reason = REASON_Injected,
			.want = DONE("," QUOTE("none") ",'sgx.intel.com/quote-provider':'aesmd'",
				CLASS_SGX "," APPS(APP_64))},
		{.name = "aesm: the user's own variable and mount are kept",
			.pod = POD(QUOTE("aesm"),
				"'volumes':[{'name':'mine','emptyDir':{}}]," APPS(NAMED("a",
					"'env':[{'name':'SGX_AESM_ADDR','value':'0'},{'name':'B'}],"
					"'volumeMounts':[{'name':'mine','mountPath':'/var/run/"
					"aesmd/'}]"))),
			.reason = REASON_Injected,
			.want = DONE("," QUOTE("aesm"), CLASS_SGX
				",'volumes':[{'name':'mine','emptyDir':{}}]," APPS(NAMED("a",
					"'env':[{'name':'SGX_AESM_ADDR','value':'0'},{'name':'B'}],"
					"'volumeMounts':[{'name':'mine','mountPath':'/var/run/"
					"aesmd/'}]," SGX("64Mi"))))},
		{.name = "aesm: the variable goes behind the user's",
			.pod = POD(QUOTE("aesm"), APPS(NAMED("a", "'env':[{'name':'B'}]") "," NAMED(
							  "b", "'env':[]"))),
			.reason = REASON_Injected,
			.want = POD(QUOTE("aesm") "," INJECTED_EPC("128Mi"),
				CLASS_SGX "," APPS(NAMED("a", "'env':[{'name':'B'}," AESM_VAR
							      "]," SGX_AESM("64Mi")) "," NAMED("b",
					AESM_ENVS "," SGX_AESM("64Mi"))))},
		{.name = "aesm: two of the user's own become one",
			.pod = POD(
				QUOTE("aesm"), APPS(NAMED("a", LIMITS("'casemate.dev/aesm':2")))),
			.reason = REASON_Injected,
			.want = DONE("," QUOTE("aesm"),
				CLASS_SGX "," APPS(NAMED("a", AESM_ENVS "," SGX_AESM("64Mi"))))},
		{.name = "aesm: only selected containers",
			.pod = POD(QUOTE("aesm") ",'casemate.dev/containers':'app'",
				APPS(APP "," NAMED("b", "'x':1"))),
			.reason = REASON_Injected,
			.want = DONE("," QUOTE("aesm") ",'casemate.dev/containers':'app'",
				CLASS_SGX "," APPS("{'name':'app','image':'a'," AESM_ENVS
						   "," SGX_AESM("64Mi") "}," NAMED("b", "'x':1")))},
		{.name = "aesm: by hostPath when configured",
			.tweak = host_path,
			.pod = POD(QUOTE("aesm"), APPS(APP)),
			.reason = REASON_Injected,
			.want = DONE("," QUOTE("aesm"), CLASS_SGX
				"," AESM_HOST "," APPS("{'name':'app','image':'a'," AESM_ENVS
						       "," AESM_MOUNT "," SGX("64Mi") "}"))},
		{.name = "aesm: no volume for a mount of the user's own",
			.tweak = host_path,
			.pod = POD(
				QUOTE("aesm"), APPS(NAMED("a", "'volumeMounts':[{'name':'mine','"
							       "mountPath':'/var/run/aesmd'}]"))),
			.reason = REASON_Injected,
			.want = DONE("," QUOTE("aesm"),
				CLASS_SGX "," APPS(NAMED("a",
					AESM_ENVS ","
						  "'volumeMounts':[{'name':'mine','mountPath':'/"
						  "var/run/aesmd'}]," SGX("64Mi"))))},
		{.name = "aesm: a native sidecar provides it",
			.tweak = in_process_always,
			.pod = POD(QUOTE("aesm") ",'casemate.dev/containers':'app,aesmd'",
				APPS(APP) "," INITS(NAMED("aesmd", SIDECAR))),
			.reason = REASON_Injected,
			.want = POD(QUOTE("aesm") ",'casemate.dev/"
						  "containers':'app,aesmd'," INJECTED_EPC("128Mi"),
				CLASS_SGX "," AESM_MEMORY "," APPS(
					"{'name':'app','image':'a'," AESM_ENVS "," AESM_MOUNT
					"," SGX("64Mi") "}") "," INITS(NAMED("aesmd", SIDECAR
					"," AESM_ENVS "," AESM_MOUNT "," SGX_PROVISION("64Mi"))))},
		{.name = "aesm: the provider's device needs permission",
			.pod = POD(QUOTE("aesm"), APPS(APP "," NAMED("aesmd", "'x':1"))),
			.refused = true,
			.reason = REASON_ProvisionNotAllowed,
			.want = "container \"aesmd\""},
		{.name = "aesm: a container of that name without an enclave provides nothing",
			.pod = POD(QUOTE("aesm") ",'casemate.dev/containers':'app'",
				APPS(APP "," NAMED("aesmd", "'x':1"))),
			.reason = REASON_Injected,
			.want = DONE("," QUOTE("aesm") ",'casemate.dev/containers':'app'", CLASS_SGX
				"," APPS("{'name':'app','image':'a'," AESM_ENVS
					 "," SGX_AESM("64Mi") "}," NAMED("aesmd", "'x':1")))},
		{.name = "aesm: nor an ordinary init container",
			.pod = POD(QUOTE("aesm") ",'casemate.dev/containers':'app,aesmd'",
				APPS(APP) "," INITS(NAMED("aesmd", "'x':1"))),
			.reason = REASON_Injected,
			.warns = "init container aesmd",
			.want = DONE("," QUOTE("aesm") ",'casemate.dev/containers':'app,aesmd'",
				CLASS_SGX
				"," APPS("{'name':'app','image':'a'," AESM_ENVS
					 "," SGX_AESM("64Mi") "}") "," INITS(NAMED("aesmd",
					"'x':1," AESM_ENVS "," SGX_AESM("64Mi"))))},
	};

	RUN(rows);
}

CU_TestInfo sgx_tests[] = {
	{"EPC", test_epc},
	{"quotes", test_quotes},
	CU_TEST_INFO_NULL,
};
