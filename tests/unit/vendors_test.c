/* SPDX-License-Identifier: Apache-2.0
 *
 * Pods written for the SGX webhooks of Intel, AKS and Alibaba, and for MarbleRun's injector: what
 * Intel's own end-to-end test expects (test/e2e/sgxadmissionwebhook), and the bugs of all of them,
 * a row each that shows that they are not here. */
#include "tests/unit/policy_fixture.h"
#include "tests/unit/policy_json.h"
#include "tests/unit/test.h"

/* Intel's webhook to the letter: devices only, its hostPath. */
static void like_intel(struct policy_config *c)
{
	c->vendor_mode = VENDOR_DEVICES_ONLY;
	c->aesm_mount = AESM_HOST_PATH;
}

static void host_path(struct policy_config *c)
{
	c->aesm_mount = AESM_HOST_PATH;
}

static void no_vendor_in_process(struct policy_config *c)
{
	c->vendor_in_process = false;
}

static void never_in_process(struct policy_config *c)
{
	c->in_process = IN_PROCESS_NEVER;
}

#define PROVIDER(name) "'sgx.intel.com/quote-provider':'" name "'"
#define ASKS(name)     NAMED(name, BOTH(EPC("1Mi")))
#define WARN_PROVISION "gets sgx.intel.com/provision"

/* The rows of Intel's test, exactly. */
static void test_intel_exactly(void)
{
	static const struct mutate_row rows[] = {
		{.name = "[test], quote-provider empty",
			.tweak = like_intel,
			.pod = POD(PROVIDER(""), APPS(ASKS("test"))),
			.reason = REASON_Injected,
			.want = POD(PROVIDER("") "," INJECTED_EPC("1Mi"),
				APPS(NAMED("test", SGX("1Mi"))))},
		{.name = "[test], quote-provider test",
			.tweak = like_intel,
			.pod = POD(PROVIDER("test"), APPS(ASKS("test"))),
			.reason = REASON_Injected,
			.warns = WARN_PROVISION,
			.want = POD(PROVIDER("test") "," INJECTED_EPC("1Mi"),
				APPS(NAMED("test", SGX_PROVISION("1Mi"))))},
		{.name = "[test, aesmd], aesmd",
			.tweak = like_intel,
			.pod = POD(PROVIDER("aesmd"), APPS(ASKS("test") "," ASKS("aesmd"))),
			.reason = REASON_Injected,
			.warns = WARN_PROVISION,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("2Mi"),
				AESM_MEMORY "," APPS(NAMED("test",
					AESM_ENVS "," AESM_MOUNT "," SGX("1Mi")) "," NAMED("aesmd",
					AESM_ENVS "," AESM_MOUNT "," SGX_PROVISION("1Mi"))))},
		{.name = "[test], aesmd",
			.tweak = like_intel,
			.pod = POD(PROVIDER("aesmd"), APPS(ASKS("test"))),
			.reason = REASON_Injected,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("1Mi"), AESM_HOST
				"," APPS(NAMED("test", AESM_ENVS "," AESM_MOUNT "," SGX("1Mi"))))},
		{.name = "[test1..3], aesmd",
			.tweak = like_intel,
			.pod = POD(PROVIDER("aesmd"),
				APPS(ASKS("test1") "," ASKS("test2") "," ASKS("test3"))),
			.reason = REASON_Injected,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("3Mi"),
				AESM_HOST "," APPS(NAMED("test1",
					AESM_ENVS "," AESM_MOUNT "," SGX("1Mi")) "," NAMED("test2",
					AESM_ENVS "," AESM_MOUNT "," SGX("1Mi")) "," NAMED("test3",
					AESM_ENVS "," AESM_MOUNT "," SGX("1Mi"))))},
		{.name = "[test], aesmd, volume and mount already there",
			.tweak = like_intel,
			.pod = POD(PROVIDER("aesmd"),
				"'volumes':[{'name':'aesmd-socket','emptyDir':{}}]," APPS(
					NAMED("test", AESM_MOUNT "," BOTH(EPC("1Mi"))))),
			.reason = REASON_Injected,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("1Mi"),
				"'volumes':[{'name':'aesmd-socket','emptyDir':{}}]," APPS(
					NAMED("test", AESM_ENVS "," AESM_MOUNT "," SGX("1Mi"))))},
		{.name = "the aesmd DaemonSet's own pod",
			.tweak = like_intel,
			.pod = POD(PROVIDER("aesmd"), APPS(ASKS("aesmd"))),
			.reason = REASON_Injected,
			.warns = WARN_PROVISION,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("1Mi"),
				AESM_HOST "," APPS(NAMED("aesmd",
					AESM_ENVS "," AESM_MOUNT "," SGX_PROVISION("1Mi"))))},
		{.name = "the volume goes behind the user's",
			.tweak = like_intel,
			.pod = POD(PROVIDER("aesmd"),
				"'volumes':[{'name':'mine','emptyDir':{}}]," APPS(NAMED("test",
					"'volumeMounts':[{'name':'mine','mountPath':'/m'}]," BOTH(
						EPC("1Mi"))))),
			.reason = REASON_Injected,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("1Mi"),
				"'volumes':[{'name':'mine','emptyDir':{}},{'name':'aesmd-socket','"
				"hostPath':"
				"{'path':'/var/run/aesmd','type':'DirectoryOrCreate'}}]," APPS(
					NAMED("test", AESM_ENVS
						",'volumeMounts':[{'name':'mine','mountPath':'/m'},"
						"{'name':'aesmd-socket','mountPath':'/var/run/"
						"aesmd'}]," SGX("1Mi"))))},
		{.name = "with the RuntimeClass beside it",
			.tweak = host_path,
			.pod = POD(PROVIDER("aesmd"), APPS(ASKS("test"))),
			.reason = REASON_Injected,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("1Mi"), CLASS_SGX
				"," AESM_HOST
				"," APPS(NAMED("test", AESM_ENVS "," AESM_MOUNT "," SGX("1Mi"))))},
	};

	RUN(rows);
}

/* The same pods by default. */
static void test_intel_default(void)
{
	static const struct mutate_row rows[] = {
		{.name = "epc alone",
			.pod = POD("", APPS(ASKS("test"))),
			.reason = REASON_Injected,
			.want = POD(INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("test", SGX("1Mi"))))},
		{.name = "only the container that asks",
			.pod = POD("", APPS(NAMED("a", "'x':1") "," ASKS("test"))),
			.reason = REASON_Injected,
			.want = POD(INJECTED_EPC("1Mi"), CLASS_SGX
				"," APPS(NAMED("a", "'x':1") "," NAMED("test", SGX("1Mi"))))},
		{.name = "in-process, with a warning",
			.pod = POD(PROVIDER("test"), APPS(ASKS("test") "," ASKS("b"))),
			.reason = REASON_Injected,
			.warns = WARN_PROVISION,
			.want = POD(PROVIDER("test") "," INJECTED_EPC("2Mi"),
				CLASS_SGX "," APPS(NAMED("test", SGX_PROVISION("1Mi")) "," NAMED(
					"b", SGX("1Mi"))))},
		{.name = "in-process, whatever Casemate's own pods may",
			.tweak = never_in_process,
			.pod = POD(PROVIDER("test"), APPS(ASKS("test"))),
			.reason = REASON_Injected,
			.warns = WARN_PROVISION,
			.want = POD(PROVIDER("test") "," INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("test", SGX_PROVISION("1Mi"))))},
		{.name = "in-process, not allowed",
			.tweak = no_vendor_in_process,
			.pod = POD(PROVIDER("test"), APPS(ASKS("test"))),
			.refused = true,
			.reason = REASON_ProvisionNotAllowed,
			.want = "vendorPods.allowInProcess"},
		{.name = "aesmd, by the extended resource",
			.pod = POD(PROVIDER("aesmd"), APPS(ASKS("test"))),
			.reason = REASON_Injected,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("test", AESM_ENVS "," SGX_AESM("1Mi"))))},
		{.name = "aesmd in the pod is left to provide the socket",
			.pod = POD(PROVIDER("aesmd"), APPS(ASKS("test") "," ASKS("aesmd"))),
			.reason = REASON_Injected,
			.warns = WARN_PROVISION,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("2Mi"),
				CLASS_SGX "," AESM_MEMORY "," APPS(NAMED("test",
					AESM_ENVS "," AESM_MOUNT "," SGX("1Mi")) "," NAMED("aesmd",
					AESM_ENVS "," AESM_MOUNT "," SGX_PROVISION("1Mi"))))},
		{.name = "a lone aesmd keeps what it has",
			.pod = POD(PROVIDER("aesmd"),
				"'volumes':[{'name':'s','hostPath':{'path':'/v'}}]," APPS(
					NAMED("aesmd", BOTH(EPC("1Mi"))))),
			.reason = REASON_Injected,
			.warns = WARN_PROVISION,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("1Mi"), CLASS_SGX
				","
				"'volumes':[{'name':'s','hostPath':{'path':'/v'}}]," APPS(
					NAMED("aesmd", AESM_ENVS "," SGX_PROVISION("1Mi"))))},
		{.name = "a mount of the socket makes the resource needless",
			.pod = POD(PROVIDER("aesmd"),
				"'volumes':[{'name':'aesmd-socket','emptyDir':{}}]," APPS(
					NAMED("test", AESM_MOUNT "," BOTH(EPC("1Mi"))))),
			.reason = REASON_Injected,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("1Mi"), CLASS_SGX
				",'volumes':[{'name':'aesmd-socket','emptyDir':{}}]," APPS(
					NAMED("test", AESM_ENVS "," AESM_MOUNT "," SGX("1Mi"))))},
		{.name = "devices only, yet its own class asks too",
			.tweak = like_intel,
			.pod = POD("", "'runtimeClassName':'casemate-sgx'," APPS(ASKS("test"))),
			.reason = REASON_Injected,
			.want = POD(INJECTED_EPC("1Mi"), "'runtimeClassName':'casemate-sgx'," APPS(
								 NAMED("test", SGX("1Mi"))))},
		{.name = "devices only is for vendors' pods alone",
			.tweak = like_intel,
			.pod = POD("'casemate.dev/tee':'sgx'", APPS(ASKS("test"))),
			.reason = REASON_Injected,
			.want = POD("'casemate.dev/tee':'sgx'," INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("test", SGX("1Mi"))))},
	};

	RUN(rows);
}

/* What goes wrong with Intel's webhook. */
static void test_intel_bugs(void)
{
	static const struct mutate_row rows[] = {
		{.name = "limits 1Mi and requests 1048576 are refused though equal",
			.pod = POD("",
				APPS(NAMED("a", "'resources':{'limits':{" EPC(
							"1Mi") "},'requests':{"
							       "'sgx.intel.com/epc':'1048576'}}"))),
			.reason = REASON_Injected,
			.want = POD(INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("a",
					"'resources':{'limits':{" EPC(
						"1Mi") "," ENCLAVE
						       "},'requests':{" EPC("1048576") "," ENCLAVE
										       "}}")))},
		{.name = "1e6 and 1M are refused though equal",
			.pod = POD("",
				APPS(NAMED("a", "'resources':{'limits':{" EPC(
							"1e6") "},'requests':{" EPC("1M") "}}"))),
			.reason = REASON_Injected,
			.want = POD(INJECTED_EPC("1000000"),
				CLASS_SGX "," APPS(NAMED("a",
					"'resources':{'limits':{" EPC(
						"1e6") "," ENCLAVE
						       "},'requests':{" EPC("1M") "," ENCLAVE
										  "}}")))},
		{.name = "128Ti is refused always",
			.pod = POD("", APPS(NAMED("a", BOTH(EPC("128Ti"))))),
			.reason = REASON_Injected,
			.want = POD(INJECTED_EPC("128Ti"),
				CLASS_SGX "," APPS(NAMED("a", SGX("128Ti"))))},
		{.name = "requests alone are refused",
			.pod = POD(
				"", APPS(NAMED("a", "'resources':{'requests':{" EPC("42") "}}"))),
			.reason = REASON_Injected,
			.want = POD(INJECTED_EPC("42"), CLASS_SGX "," APPS(NAMED("a", SGX("42"))))},
		{.name = "limits alone are refused unless defaulted",
			.pod = POD("", APPS(NAMED("a", LIMITS(EPC("512Ki"))))),
			.reason = REASON_Injected,
			.want = POD(INJECTED_EPC("512Ki"),
				CLASS_SGX "," APPS(NAMED("a", SGX("512Ki"))))},
		{.name = "1100m of EPC",
			.pod = POD("", APPS(NAMED("a", LIMITS(EPC("1100m"))))),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "must be a whole number"},
		{.name = "enclave without EPC passes: a device with no accounting",
			.pod = POD("", APPS(NAMED("a", LIMITS(ENCLAVE)))),
			.refused = true,
			.reason = REASON_EpcMissing,
			.want = "has no EPC size"},
		{.name = "provision without EPC passes: a device with no policy",
			.pod = POD("'casemate.dev/epc':'1Mi'", APPS(NAMED("a", LIMITS(PROVISION)))),
			.refused = true,
			.reason = REASON_ProvisionNotAllowed,
			.want = "sgx.intel.com/provision"},
		{.name = "anyone can take the provisioning key",
			.tweak = no_vendor_in_process,
			.pod = POD("", APPS(NAMED("a", LIMITS(EPC("1Mi") "," PROVISION)))),
			.refused = true,
			.reason = REASON_ProvisionNotAllowed,
			.want = "container \"a\""},
		{.name = "the sum of EPC overflows",
			.pod = POD("", APPS(NAMED("a", LIMITS(EPC("5Ei"))) "," NAMED(
					       "b", LIMITS(EPC("5Ei"))))),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "more than 9223372036854775807"},
		{.name = "epc: 0 counts as an enclave",
			.pod = POD("", APPS(NAMED("a", LIMITS(EPC("0"))))),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "sgx.intel.com/epc: 0 is no EPC"},
		{.name = "a user's enclave: 2 becomes 1, as with Intel's",
			.pod = POD("",
				APPS(NAMED("a", BOTH(EPC("1Mi") ",'sgx.intel.com/enclave':2")))),
			.reason = REASON_Injected,
			.want = POD(
				INJECTED_EPC("1Mi"), CLASS_SGX "," APPS(NAMED("a", SGX("1Mi"))))},
		{.name = "SGX_AESM_ADDR twice when the user set it",
			.pod = POD(PROVIDER("aesmd"),
				APPS(NAMED("a", AESM_ENVS "," BOTH(EPC("1Mi"))))),
			.reason = REASON_Injected,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("a", AESM_ENVS "," SGX_AESM("1Mi"))))},
		{.name = "a quote provider that is not there",
			.pod = POD(PROVIDER("gone"), APPS(ASKS("a"))),
			.reason = REASON_Injected,
			.warns = "names gone, which is no container with EPC",
			.want = POD(PROVIDER("gone") "," INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("a", SGX("1Mi"))))},
		{.name = "a quote provider without EPC",
			.pod = POD(PROVIDER("b"), APPS(ASKS("a") "," NAMED("b", "'x':1"))),
			.reason = REASON_Injected,
			.warns = "names b, which is no container with EPC",
			.want = POD(PROVIDER("b") "," INJECTED_EPC("1Mi"), CLASS_SGX
				"," APPS(NAMED("a", SGX("1Mi")) "," NAMED("b", "'x':1")))},
		{.name = "a user's annotation stays on a pod without enclaves",
			.pod = POD("'sgx.intel.com/epc':'1Gi','a':'b'", APPS(APP)),
			.reason = REASON_NotConfidential,
			.warns = "annotation sgx.intel.com/epc removed",
			.want = POD("'a':'b'", APPS(APP))},
		{.name = "init containers are ignored",
			.pod = POD("", APPS(APP) "," INITS(NAMED("i", LIMITS(EPC("1Mi"))))),
			.reason = REASON_Injected,
			.warns = "init container i uses enclave devices",
			.want = POD(INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(APP) "," INITS(NAMED("i", SGX("1Mi"))))},
		{.name = "an aesmd that is a native sidecar is not recognised",
			.pod = POD(PROVIDER("aesmd"), APPS(ASKS("a")) "," INITS(NAMED("aesmd",
							      SIDECAR "," LIMITS(EPC("2Mi"))))),
			.reason = REASON_Injected,
			.warns = WARN_PROVISION,
			.want = POD(PROVIDER("aesmd") "," INJECTED_EPC("3Mi"),
				CLASS_SGX "," AESM_MEMORY "," APPS(NAMED("a", AESM_ENVS
					"," AESM_MOUNT "," SGX("1Mi"))) "," INITS(NAMED("aesmd",
					SIDECAR "," AESM_ENVS "," AESM_MOUNT
						"," SGX_PROVISION("2Mi"))))},
		{.name = "the VM's EPC is too small for init containers",
			.pod = POD("", APPS(ASKS("a")) "," INITS(
					       NAMED("s", SIDECAR "," LIMITS(EPC("4Mi"))) "," NAMED(
						       "i", LIMITS(EPC("8Mi"))))),
			.reason = REASON_Injected,
			.warns = "init container i",
			.want = POD(INJECTED_EPC("12Mi"),
				CLASS_SGX "," APPS(NAMED("a", SGX("1Mi"))) "," INITS(NAMED(
					"s", SIDECAR "," SGX("4Mi")) "," NAMED("i", SGX("8Mi"))))},
		{.name = "canonical BinarySI: 98566144 is 94Mi",
			.pod = POD("", APPS(NAMED("a", LIMITS("'sgx.intel.com/epc':98566144")))),
			.reason = REASON_Injected,
			.want = POD(INJECTED_EPC("94Mi"), CLASS_SGX
				"," APPS(NAMED("a", "'resources':{'limits':{'sgx.intel.com/"
						    "epc':98566144," ENCLAVE "},'requests':{" EPC(
							    "98566144") "," ENCLAVE "}}")))},
		{.name = "canonical BinarySI: 1.5Gi is 1536Mi",
			.pod = POD("", APPS(NAMED("a", LIMITS(EPC("1.5Gi"))))),
			.reason = REASON_Injected,
			.want = POD(INJECTED_EPC("1536Mi"),
				CLASS_SGX "," APPS(NAMED("a", SGX("1.5Gi"))))},
		{.name = "a typed round trip drops the native sidecar's restartPolicy "
			 "(eks-pod-identity#208)",
			.pod = POD("", APPS(ASKS("a")) "," INITS(
					       NAMED("s", SIDECAR ",'stopSignal':'SIGUSR9'"))),
			.reason = REASON_Injected,
			.want = POD(INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("a", SGX("1Mi"))) "," INITS(
					NAMED("s", SIDECAR ",'stopSignal':'SIGUSR9'")))},
	};

	RUN(rows);
}

#define AKS(n)          "'kubernetes.azure.com/sgx_epc_mem_in_MiB':" n
#define ALI(n)          "'alibabacloud.com/sgx_epc_MiB':" n
#define WARN_TRANSLATED                                                                            \
	"the pod gets no sgx.intel.com/provision; if it makes quotes in-process"
#define WITH_CPU(more)                                                                             \
	"'resources':{'limits':{'cpu':'2'," more "},'requests':{'cpu':'1'," more "}}"

static void test_aks_and_alibaba(void)
{
	static const struct mutate_row rows[] = {
		{.name = "AKS: EPC in MiB, no provision",
			.pod = POD("", APPS(NAMED("a", LIMITS(AKS("10"))))),
			.reason = REASON_Injected,
			.warns = WARN_TRANSLATED ", name its container in annotation "
				 "sgx.intel.com/quote-provider",
			.want = POD(
				INJECTED_EPC("10Mi"), CLASS_SGX "," APPS(NAMED("a", SGX("10Mi"))))},
		{.name = "AKS: cpu and memory are lost",
			.pod = POD("", APPS(NAMED("a", WITH_CPU(AKS("'10'"))))),
			.reason = REASON_Injected,
			.warns = WARN_TRANSLATED,
			.want = POD(INJECTED_EPC("10Mi"),
				CLASS_SGX "," APPS(NAMED("a", WITH_CPU(EPC("10Mi") "," ENCLAVE))))},
		{.name = "AKS: panics without limits (azure-docs#72148)",
			.pod = POD(
				"", APPS(NAMED("a", "'resources':{'requests':{" AKS("1024") "}}"))),
			.reason = REASON_Injected,
			.warns = WARN_TRANSLATED,
			.want = POD(INJECTED_EPC("1Gi"),
				CLASS_SGX "," APPS(NAMED("a", SGX("1024Mi"))))},
		{.name = "AKS: other containers are rewritten wholesale",
			.pod = POD("", APPS(NAMED("b", "'future':{'z':1.0}") "," NAMED(
					       "a", LIMITS(AKS("1"))))),
			.reason = REASON_Injected,
			.warns = WARN_TRANSLATED,
			.want = POD(INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("b", "'future':{'z':1.0}") "," NAMED(
					"a", SGX("1Mi"))))},
		{.name = "AKS: in an init container",
			.pod = POD(
				"", APPS(APP) "," INITS(NAMED("s", SIDECAR "," LIMITS(AKS("1"))))),
			.reason = REASON_Injected,
			.warns = WARN_TRANSLATED,
			.want = POD(INJECTED_EPC("1Mi"), CLASS_SGX
				"," APPS(APP) "," INITS(NAMED("s", SIDECAR "," SGX("1Mi"))))},
		{.name = "AKS: 0",
			.pod = POD("", APPS(NAMED("a", LIMITS(AKS("0"))))),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "is no EPC"},
		{.name = "AKS: half a MiB",
			.pod = POD("", APPS(NAMED("a", LIMITS(AKS("'0.5'"))))),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "sgx_epc_mem_in_MiB"},
		{.name = "AKS: MiB taken for bytes overflow (marblerun#183)",
			.pod = POD("", APPS(NAMED("a", LIMITS(AKS("'8Ti'"))))),
			.refused = true,
			.reason = REASON_EpcInvalid,
			.want = "out of range"},
		{.name = "AKS: with an equal request of Intel's",
			.pod = POD("", APPS(NAMED("a", BOTH(AKS("1") "," EPC("1Mi"))))),
			.reason = REASON_Injected,
			.warns = WARN_TRANSLATED,
			.want = POD(
				INJECTED_EPC("1Mi"), CLASS_SGX "," APPS(NAMED("a", SGX("1Mi"))))},
		{.name = "AKS: with another request of Intel's",
			.pod = POD("", APPS(NAMED("a", LIMITS(AKS("1") "," EPC("2Mi"))))),
			.refused = true,
			.reason = REASON_EpcConflict,
			.want = "sgx.intel.com/epc says 2097152 bytes of EPC, but "
				"kubernetes.azure.com/sgx_epc_mem_in_MiB says 1048576"},
		{.name = "AKS: with an equal annotation",
			.pod = POD("'casemate.dev/tee':'sgx','casemate.dev/epc':'1024Ki'",
				APPS(NAMED("a", LIMITS(AKS("1"))))),
			.reason = REASON_Injected,
			.warns = WARN_TRANSLATED ", set annotation casemate.dev/quote: in-process",
			.want = POD("'casemate.dev/tee':'sgx','casemate.dev/"
				    "epc':'1024Ki'," INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("a", SGX("1Mi"))))},
		{.name = "AKS: in-process as Intel's pods ask for it",
			.pod = POD(PROVIDER("a"), APPS(NAMED("a", LIMITS(AKS("1"))))),
			.reason = REASON_Injected,
			.warns = WARN_PROVISION,
			.want = POD(PROVIDER("a") "," INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("a", SGX_PROVISION("1Mi"))))},
		{.name = "AKS: no warning for a pod that says how",
			.pod = POD(
				"'casemate.dev/quote':'none'", APPS(NAMED("a", LIMITS(AKS("1"))))),
			.reason = REASON_Injected,
			.want = POD("'casemate.dev/quote':'none'," INJECTED_EPC("1Mi"),
				CLASS_SGX "," APPS(NAMED("a", SGX("1Mi"))))},
		{.name = "AKS: devices only",
			.tweak = like_intel,
			.pod = POD("",
				"'runtimeClassName':'gvisor'," APPS(NAMED("a", LIMITS(AKS("1"))))),
			.reason = REASON_Injected,
			.warns = WARN_TRANSLATED,
			.want = POD(INJECTED_EPC("1Mi"),
				"'runtimeClassName':'gvisor'," APPS(NAMED("a", SGX("1Mi"))))},
		{.name = "Alibaba",
			.pod = POD("", APPS(NAMED("a", BOTH(ALI("'2Ki'"))))),
			.reason = REASON_Injected,
			.warns = WARN_TRANSLATED,
			.want = POD(INJECTED_EPC("2Gi"),
				CLASS_SGX "," APPS(NAMED("a", SGX("2048Mi"))))},
		{.name = "Alibaba beside AKS",
			.pod = POD("", APPS(NAMED("a", LIMITS(ALI("1") "," AKS("2"))))),
			.refused = true,
			.reason = REASON_EpcConflict,
			.want = "alibabacloud.com/sgx_epc_MiB"},
	};

	RUN(rows);
}

/* As MarbleRun's injector leaves them: limits without requests, a toleration, a UUID volume. */
#define MARBLE_ENV                                                                                 \
	"'env':[{'name':'EDG_MARBLE_TYPE','value':'web'},"                                         \
	"{'name':'EDG_MARBLE_UUID_FILE','value':'/web-uid/uuid-file'}],"                           \
	"'volumeMounts':[{'name':'uuid-file-1','mountPath':'/web-uid'}]"
#define MARBLE_SPEC(key)                                                                           \
	"'volumes':[{'name':'uuid-file-1','downwardAPI':{'items':[]}}],"                           \
	"'tolerations':[{'key':'" key "','operator':'Exists','effect':'NoSchedule'}]"

static void test_marblerun(void)
{
	static const struct mutate_row rows[] = {
		{.name = "Azure",
			.pod = POD("",
				MARBLE_SPEC("kubernetes.azure.com/sgx_epc_mem_in_MiB") "," APPS(
					NAMED("web", MARBLE_ENV "," LIMITS(AKS("'10'"))) "," APP)),
			.reason = REASON_Injected,
			.warns = WARN_TRANSLATED,
			.want = POD(INJECTED_EPC("10Mi"), CLASS_SGX
				"," MARBLE_SPEC("kubernetes.azure.com/sgx_epc_mem_in_MiB") "," APPS(
					NAMED("web", MARBLE_ENV "," SGX("10Mi")) "," APP))},
		{.name = "Alibaba",
			.pod = POD("", MARBLE_SPEC("alibabacloud.com/sgx_epc_MiB") "," APPS(
					       NAMED("web", MARBLE_ENV "," LIMITS(ALI("'10'"))))),
			.reason = REASON_Injected,
			.warns = WARN_TRANSLATED,
			.want = POD(INJECTED_EPC("10Mi"),
				CLASS_SGX "," MARBLE_SPEC("alibabacloud.com/sgx_epc_MiB") "," APPS(
					NAMED("web", MARBLE_ENV "," SGX("10Mi"))))},
		{.name = "Intel: provision, under the vendors' permission",
			.pod = POD("", MARBLE_SPEC("sgx.intel.com/epc") "," APPS(NAMED(
					       "web", MARBLE_ENV "," LIMITS("'cpu':'1'," EPC(
							      "10Mi") "," ENCLAVE "," PROVISION)))),
			.reason = REASON_Injected,
			.warns = WARN_PROVISION,
			.want = POD(INJECTED_EPC("10Mi"),
				CLASS_SGX "," MARBLE_SPEC("sgx.intel.com/epc") "," APPS(NAMED("web",
					MARBLE_ENV ",'resources':{'limits':{'cpu':'1'," EPC(
						"10Mi") "," ENCLAVE "," PROVISION
							"},'requests':{" EPC("10Mi") "," ENCLAVE
										     "," PROVISION
										     "}}")))},
		{.name = "provision always granted",
			.tweak = no_vendor_in_process,
			.pod = POD("", APPS(NAMED("web", LIMITS(EPC("10Mi") "," PROVISION)))),
			.refused = true,
			.reason = REASON_ProvisionNotAllowed,
			.want = "container \"web\""},
	};

	RUN(rows);
}

/* What of Casemate's own a pod may carry, and the ways in which a pod takes the provision device. */
static const char *const own_asks[] = {
	"'casemate.dev/tee':'sgx'",
	"'casemate.dev/profile':'sgx'",
	"'casemate.dev/epc':'1Mi'",
	"'casemate.dev/epc.app':'1Mi'",
	"'casemate.dev/containers':'app'",
	"'casemate.dev/quote':'in-process'",
	"'casemate.dev/quote':''",
};
#define TAKES(resources) "'containers':[{'name':'app','resources':{'limits':{" resources "}}}]"
static const struct {
	const char *annotations, *spec;
} provision_asks[] = {
	{PROVIDER("app"), TAKES(EPC("1Mi"))},
	{PROVIDER("app"), TAKES(AKS("1"))},
	{PROVIDER("app"), TAKES(ALI("1") "," PROVISION)},
	{PROVIDER(""), TAKES(EPC("1Mi") "," PROVISION)},
	{PROVIDER("gone"), TAKES(EPC("1Mi") "," PROVISION)},
	{PROVIDER("app"), TAKES(ENCLAVE "," PROVISION)},
	{"'a':'b'", TAKES(EPC("1Mi") "," PROVISION)},
	{PROVIDER(""), TAKES(PROVISION)},
};

/* 1: passed, 0: refused for the device, -1: refused for something else. */
static int may_take_provision(struct fixture *f, const char *annotations, const char *labels,
	const char *spec, struct policy_result *res)
{
	_cleanup_patch_ struct patch patch = PATCH_INIT(1 << 20);
	const char *pod = arena_printf(&f->a,
		"{'metadata':{'labels':{%s},'annotations':{%s}},'spec':{%s}}", labels, annotations,
		spec);

	f->rq.object = fixture_quoted(f, pod ? pod : "null");
	f->failed |= policy_foresee(&f->rq, &f->a, &patch, res) < 0;
	if (res->verdict != VERDICT_REFUSED)
		return 1;
	return res->reason == REASON_ProvisionNotAllowed ? 0 : -1;
}

/* The vendors' permission is for pods that ask as their vendor's webhook taught them and in no
 * other way: adding a vendor's annotation or request to a pod of Casemate's gives nothing. */
static void test_permission_is_vendors_alone(void)
{
	static const char *const profiles[] = {
		PROFILE("sgx", "'tee':'sgx','epc':{'default':'1Mi'},"
			       "'podSelector':{'matchLabels':{'app':'selected'}}"),
		NULL};
	_cleanup_fixture_ struct fixture f = {0};
	struct policy_result res;

	fixture_init(&f);
	fixture_profiles(&f, profiles);
	for (size_t i = 0; i < ARRAY_SIZE(provision_asks); i++) {
		const char *spec = provision_asks[i].spec, *vendors = provision_asks[i].annotations;
		bool epc = strstr(spec, "epc");
		int got = may_take_provision(&f, vendors, "", spec, &res);

		/* no EPC: it asks in no way of a vendor's */
		CHECK_ROW(vendors, epc ? got == 1 : got < 1, "%zu: %d", i, got);
		got = may_take_provision(&f, vendors, "'app':'selected'", spec, &res);
		CHECK_ROW("a profile's podSelector", got == 0, "%zu: %d", i, got);
		for (size_t j = 0; j < ARRAY_SIZE(own_asks); j++) {
			const char *both = arena_printf(&f.a, "%s,%s", own_asks[j], vendors);

			f.failed |= !both;
			if (!both)
				return;
			got = may_take_provision(&f, both, "", spec, &res);
			CHECK_ROW(own_asks[j], got < 1, "%zu: passed", i);
			CHECK_ROW(own_asks[j], got == 0 || !epc || strstr(both, "quote':''"),
				"%zu: %s", i, res.message);
		}
	}
}

CU_TestInfo vendors_tests[] = {
	{"Intel exactly", test_intel_exactly},
	{"Intel by default", test_intel_default},
	{"Intel's bugs", test_intel_bugs},
	{"AKS and Alibaba", test_aks_and_alibaba},
	{"MarbleRun", test_marblerun},
	{"permission is vendors' alone", test_permission_is_vendors_alone},
	CU_TEST_INFO_NULL,
};
