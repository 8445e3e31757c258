/* SPDX-License-Identifier: Apache-2.0
 *
 * What somebody tries who may write pods of a namespace, and not its profiles: each row changes one
 * thing of a pod that would get the key. */
#include "common/base/cleanup.h"
#include "tests/unit/grant_world.h"
#include "tests/unit/test.h"

#define AT     "/spec/containers/0"
#define WANT   "/spec/workload/containers/0"
#define STATUS "/status/containerStatuses"

/* command is [casemate-exec, --, python3] after mutation. */
#define COMMAND(i) AT "/command/" i
#define NO(title, pod, says)                                                                       \
	{                                                                                          \
		title, NULL, pod, NULL, REASON_WorkloadNotAllowed, says                            \
	}
#define UNADMITTED(title, pod, why, says)                                                          \
	{                                                                                          \
		title, NULL, pod, NULL, why, says                                                  \
	}
#define YES(title, profile, pod)                                                                   \
	{                                                                                          \
		title, profile, pod, NULL, REASON_Ok, NULL                                         \
	}

#define HELPER "{'name':'helper','image':'y@" DIGEST_B "'"

static void test_image(void)
{
	static const struct grant_row rows[] = {
		YES("before it starts", NULL, REMOVE("/status")),
		YES("before the kubelet says what runs", NULL, SET(STATUS "/0/imageID", "''")),
		YES("the status says the digest alone", NULL,
			SET(STATUS "/0/imageID", "'" DIGEST_A "'")),
		UNADMITTED("another digest", SET(AT "/image", "'r/x@" DIGEST_B "'"),
			REASON_ImageNotAllowed, "container \"app\""),
		NO("a tag", SET(AT "/image", "'r/x:latest'"), "is not pinned"),
		NO("a tag that looks like a digest", SET(AT "/image", "'" DIGEST_A "'"),
			"is not pinned"),
		NO("no image", REMOVE(AT "/image"), "is not pinned"),
		NO("another image runs", SET(STATUS "/0/imageID", "'r/x@" DIGEST_B "'"),
			"spec.workload.containers[0] (app).imageDigests lacks that of the "
			"container's imageID"),
		NO("what runs has no digest", SET(STATUS "/0/imageID", "'r/x:1'"), "imageID"),
		NO("what runs is no string", SET(STATUS "/0/imageID", "7"), "imageID"),
		{"any image", REMOVE(WANT "/imageDigests"), NULL, NULL, REASON_WorkloadNotAllowed,
			"spec.workload.containers[0] (app).imageDigests is empty"},
	};

	grant_rows(rows, ARRAY_SIZE(rows));
}

#define GENERATIONS(is, observed)                                                                  \
	"[" OP("add", "/metadata/generation", is) "," OP("add", "/status/observedGeneration",       \
		observed) "]"
#define NOT_YET(title, is, observed, says)                                                         \
	{                                                                                          \
		title, NULL, GENERATIONS(is, observed), NULL, REASON_PodUnknown, says              \
	}

/* One image starts, and the spec names another one meanwhile. */
static void test_exchanged(void)
{
	static const struct grant_row rows[] = {
		YES("as it was created", NULL, GENERATIONS("1", "0")),
		YES("as it was created, not told of yet", NULL, ADD("/metadata/generation", "1")),
		YES("changed, and the kubelet has it", NULL, GENERATIONS("3", "3")),
		NOT_YET("changed, and the kubelet has not", "2", "1",
			"generation 2; the kubelet tells of 1"),
		NOT_YET("changed back, and the kubelet has neither", "3", "1", "ask again"),
		NOT_YET("from the future", "2", "3", "the kubelet tells of 3"),
		NOT_YET("no number", "2", "'2'", "the kubelet tells of 0"),
		{"changed, and nothing is told", NULL, ADD("/metadata/generation", "2"), NULL,
			REASON_PodUnknown, "ask again"},
	};

	grant_rows(rows, ARRAY_SIZE(rows));
}

static void test_command(void)
{
	static const struct grant_row rows[] = {
		YES("in one list", NULL,
			"[{'op':'remove','path':'" AT
			"/args'}," OP("add", AT "/command/-", "'/app/main.py'") "]"),
		NO("another program", SET(COMMAND("2"), "'/bin/sh'"),
			"spec.workload.containers[0] (app).command[0] is not what the container "
			"runs there: \"/bin/sh\""),
		NO("another argument", SET(AT "/args/0", "'/data/evil.py'"), ".command[1]"),
		NO("one argument more", ADD(AT "/args/-", "'--dump'"), "runs one more: \"--dump\""),
		NO("one less", REMOVE(AT "/args"), "runs only 1"),
		NO("an argument in front", ADD(AT "/command/3", "'-i'"), ".command[1]"),
		NO("casemate-exec twice", ADD(AT "/command/2", "'/run/casemate/casemate-exec'"),
			".command[0]"),
		UNADMITTED("without casemate-exec", SET(AT "/command", "['python3']"),
			REASON_NotAsPromised, "command"),
		UNADMITTED("casemate-exec with an option", SET(COMMAND("1"), "'--socket=/data/s'"),
			REASON_CommandMissing, "\"--\""),
		NO("a working directory", ADD(AT "/workingDir", "'/data'"), "workingDir"),
		{"the image's own, which nobody knows",
			"[{'op':'remove','path':'/spec/keys/0/deliver'}]",
			"[{'op':'remove','path':'" AT "/command'},{'op':'remove','path':'" AT
			"/args'}]",
			NULL, REASON_WorkloadNotAllowed, "names no command of its own"},
		{"arguments for the image's own", "[{'op':'remove','path':'/spec/keys/0/deliver'}]",
			REMOVE(AT "/command"), NULL, REASON_WorkloadNotAllowed,
			"names no command of its own"},
		{"a command where the image's is meant", REMOVE(WANT "/command"), NULL, NULL,
			REASON_WorkloadNotAllowed, "command is not set"},
		{"the image's own",
			"[{'op':'remove','path':'/spec/keys/0/deliver'},"
			"{'op':'remove','path':'" WANT "/command'}]",
			"[{'op':'remove','path':'" AT "/command'},{'op':'remove','path':'" AT
			"/args'}]",
			NULL, REASON_Ok, NULL},
	};

	grant_rows(rows, ARRAY_SIZE(rows));
}

#define VAR(name, rest) ADD(AT "/env/-", "{'name':'" name "'" rest "}")
#define FROM(source)    VAR("CASEMATE_Y", ",'valueFrom':{" source "}")

static void test_env(void)
{
	static const struct grant_row rows[] = {
		YES("one that is listed", NULL, VAR("CASEMATE_", ",'value':'v'")),
		YES("one without a value", NULL, VAR("CASEMATE_Y", "")),
		YES("from a resource", NULL, FROM("'resourceFieldRef':{'resource':'limits.cpu'}")),
		NO("one that is not", VAR("LD_PRELOAD", ",'value':'/data/x.so'"),
			"spec.workload.containers[0] (app).env lacks LD_PRELOAD"),
		NO("one whose name only begins so", VAR("LANGUAGE", ""), "env lacks LANGUAGE"),
		NO("one whose name nearly begins so", VAR("CASEMATE", ""), "env lacks CASEMATE,"),
		NO("in another case", VAR("lang", ""), "env lacks lang"),
		NO("from a Secret", FROM("'secretKeyRef':{'name':'s','key':'k'}"), "valueFrom"),
		NO("from a ConfigMap", FROM("'configMapKeyRef':{'name':'s','key':'k'}"),
			"valueFrom"),
		NO("from a file", FROM("'fileKeyRef':{'volumeName':'data','path':'f','key':'k'}"),
			"valueFrom"),
		NO("from an annotation",
			FROM("'fieldRef':{'fieldPath':'metadata.annotations[\\u0027a\\u0027]'}"),
			"valueFrom"),
		NO("from a label",
			FROM("'fieldRef':{'fieldPath':'metadata.labels[\\u0027a\\u0027]'}"),
			"valueFrom"),
		NO("from two places",
			FROM("'fieldRef':{'fieldPath':'metadata.name'},'secretKeyRef':{}"),
			"valueFrom"),
		NO("a key where the program shows it",
			SET(AT "/env/0/value", "'casemate://pay/secret-key'"),
			"env LANG names a key"),
		NO("a key in the middle of a value",
			SET(AT "/env/0/value", "'x casemate://pay/secret-key'"),
			"env LANG names a key"),
		NO("a key put together", SET(AT "/env/0/value", "'$(CASEMATE_X)//pay/secret-key'"),
			"env LANG is put together of other variables"),
		NO("a value of no type", SET(AT "/env/0/value", "7"), "is no string"),
		NO("no name", ADD(AT "/env/-", "{'value':'x'}"), "has no name"),
		UNADMITTED("a secret of his own", SET(AT "/env/3/value", "'known'"),
			REASON_KeyDeliveryConflict, "variable SECRET_KEY"),
		UNADMITTED("another key", SET(AT "/env/3/value", "'casemate://pay/other'"),
			REASON_KeyDeliveryConflict, "variable SECRET_KEY"),
		UNADMITTED("no secret", REMOVE(AT "/env/3"), REASON_NotAsPromised, "env"),
		NO("variables that nobody named",
			ADD(AT "/envFrom", "[{'configMapRef':{'name':'c'}}]"), "envFrom"),
		{"nothing is listed", REMOVE(WANT "/env"), NULL, NULL, REASON_WorkloadNotAllowed,
			"env lacks LANG"},
		/* the profile would let the pod choose the variable; the key's own rule is narrower
		 */
		{"listed, and a key's", ADD(WANT "/env/-", "'SECRET_*'"),
			SET(AT "/env/3/value", "'known'"), NULL, REASON_KeyDeliveryConflict,
			"SECRET_KEY"},
	};

	grant_rows(rows, ARRAY_SIZE(rows));
}

#define MOUNT(rest) ADD(AT "/volumeMounts/-", "{'name':'data'," rest "}")
#define SA_MOUNT    AT "/volumeMounts/1"
#define SA_SOURCES  "/spec/volumes/0/projected/sources"

static void test_mounts(void)
{
	static const struct grant_row rows[] = {
		YES("without the service account's", NULL, REMOVE(SA_MOUNT)),
		YES("propagation that is none", NULL,
			ADD(AT "/volumeMounts/0/mountPropagation", "'None'")),
		NO("over the program", MOUNT("'mountPath':'/app'"),
			"spec.workload.containers[0] (app).mounts lacks \"/app\""),
		NO("below one that is listed", MOUNT("'mountPath':'/data/x'"), "mounts lacks"),
		NO("one that is listed, written otherwise", MOUNT("'mountPath':'/data/../app'"),
			"mounts lacks"),
		NO("one that is listed, with a slash", MOUNT("'mountPath':'/data/'"),
			"mounts lacks"),
		NO("the root", MOUNT("'mountPath':'/'"), "mounts lacks"),
		NO("over casemate-exec", MOUNT("'mountPath':'/run/casemate/casemate-exec'"),
			"where the node's agent puts keys"),
		NO("over all of it", MOUNT("'mountPath':'/run/casemate'"),
			"where the node's agent puts keys"),
		NO("over the promised files", MOUNT("'mountPath':'/run/casemate/files'"),
			"where the node's agent puts keys"),
		NO("by another way there", MOUNT("'mountPath':'/var/run/casemate'"),
			"mounts lacks"),
		NO("a part of a volume", ADD(AT "/volumeMounts/0/subPath", "'a'"), "subPath"),
		NO("a part by variables", ADD(AT "/volumeMounts/0/subPathExpr", "'$(LANG)'"),
			"subPath"),
		NO("mounts that come later",
			ADD(AT "/volumeMounts/0/mountPropagation", "'HostToContainer'"),
			"propagates"),
		NO("the service account's, writable", SET(SA_MOUNT "/readOnly", "false"),
			"mounts lacks \"/var/run/secrets"),
		NO("the service account's, of another volume", SET(SA_MOUNT "/name", "'data'"),
			"mounts lacks \"/var/run/secrets"),
		NO("the service account's with another CA",
			SET(SA_SOURCES "/1/configMap/name", "'mine'"), "mounts lacks"),
		NO("the service account's with a secret",
			ADD(SA_SOURCES "/-", "{'secret':{'name':'s'}}"), "mounts lacks"),
		NO("the service account's for somebody else",
			ADD(SA_SOURCES "/0/serviceAccountToken/audience", "'vault'"),
			"mounts lacks"),
		NO("the service account's, of nothing", SET(SA_SOURCES, "[]"), "mounts lacks"),
		UNADMITTED("no token", REMOVE(AT "/volumeMounts/2"), REASON_NotAsPromised,
			"volumeMounts"),
		UNADMITTED("another token",
			SET("/spec/volumes/2/projected/sources/0/"
			    "serviceAccountToken/audience",
				"'x'"),
			REASON_KeyDeliveryConflict, "spec.volumes[2]"),
		NO("a block device",
			ADD(AT "/volumeDevices", "[{'name':'data','devicePath':'/dev/x'}]"),
			"volumeDevices"),
		UNADMITTED("the host's files",
			ADD("/spec/volumes/-", "{'name':'h','hostPath':{'path':'/'}}"),
			REASON_HostPathNotAllowed, "hostPath"),
		{"nothing is listed", REMOVE(WANT "/mounts"), NULL, NULL, REASON_WorkloadNotAllowed,
			"mounts lacks \"/data\""},
	};

	grant_rows(rows, ARRAY_SIZE(rows));
}

#define EXEC_PROBE "{'exec':{'command':['cat','/proc/1/environ']}}"

static void test_hooks(void)
{
	static const struct grant_row rows[] = {
		YES("TCP", NULL, ADD(AT "/readinessProbe", "{'tcpSocket':{'port':1}}")),
		YES("gRPC", NULL, ADD(AT "/startupProbe", "{'grpc':{'port':1}}")),
		YES("commands, where they are allowed", SET(WANT "/probes", "'exec'"),
			ADD(AT "/readinessProbe", EXEC_PROBE)),
		YES("hooks, where they are allowed", SET(WANT "/probes", "'exec'"),
			ADD(AT "/lifecycle", "{'preStop':" EXEC_PROBE "}")),
		NO("a probe that runs a command", ADD(AT "/readinessProbe", EXEC_PROBE),
			"spec.workload.containers[0] (app).probes is http, and the container has a "
			"readinessProbe that runs a command"),
		NO("a liveness probe", SET(AT "/livenessProbe", EXEC_PROBE), "livenessProbe"),
		NO("a startup probe", ADD(AT "/startupProbe", EXEC_PROBE), "startupProbe"),
		NO("a probe of two kinds",
			SET(AT "/livenessProbe", "{'httpGet':{'port':1},'exec':{'command':['x']}}"),
			"livenessProbe"),
		NO("a probe of no kind", SET(AT "/livenessProbe", "{}"), "livenessProbe"),
		NO("a hook at the start", ADD(AT "/lifecycle", "{'postStart':" EXEC_PROBE "}"),
			"lifecycle"),
		NO("a hook at the end", ADD(AT "/lifecycle", "{'preStop':{'httpGet':{'port':1}}}"),
			"lifecycle"),
		NO("a file for everybody", SET(AT "/terminationMessagePath", "'/data/log'"),
			"terminationMessagePath"),
		{"none", SET(WANT "/probes", "'none'"), NULL, NULL, REASON_WorkloadNotAllowed,
			"probes is none, and the container has a livenessProbe"},
		{"none by default", REMOVE(WANT "/probes"), NULL, NULL, REASON_WorkloadNotAllowed,
			"probes is none"},
	};

	grant_rows(rows, ARRAY_SIZE(rows));
}

#define OTHERS(list, rest) ADD("/spec/" list, rest)

static void ask_as_helper(struct grant_world *w)
{
	strcpy(w->who.container, "helper");
}

static void test_pod(void)
{
	static const struct grant_row rows[] = {
		YES("a second container that is listed", NULL, OTHERS("containers/-", HELPER "}")),
		YES("an init container that is listed", NULL,
			OTHERS("initContainers", "[" HELPER "}]")),
		NO("a container that is not listed",
			OTHERS("containers/-", "{'name':'spy','image':'y@" DIGEST_A "'}"),
			"spec.workload.containers lacks \"spy\""),
		NO("an init container that is not listed",
			OTHERS("initContainers", "[{'name':'spy','image':'y@" DIGEST_A "'}]"),
			"lacks \"spy\""),
		NO("a second container with a command",
			OTHERS("containers/-", HELPER ",'command':['sh']}"),
			"spec.workload.containers[1] (helper).command is not set"),
		NO("a second container with a mount",
			OTHERS("containers/-",
				HELPER ",'volumeMounts':[{'name':'data','mountPath':'/data'}]}"),
			"(helper).mounts lacks"),
		NO("a second container's probe",
			OTHERS("containers/-", HELPER ",'livenessProbe':" EXEC_PROBE "}"),
			"(helper).probes is none"),
		NO("another image of an init container",
			"[" OP("add", "/spec/initContainers", "[" HELPER "}]") "," OP("add",
				"/status/initContainerStatuses",
				"[{'name':'helper','imageID':'z@sha256:"
				"cc'}]") "]",
			"(helper).imageDigests lacks"),
		NO("one process namespace", ADD("/spec/shareProcessNamespace", "true"),
			"spec.shareProcessNamespace"),
		UNADMITTED("the host's processes", ADD("/spec/hostPID", "true"),
			REASON_PodSecurityViolated, "spec.hostPID"),
		UNADMITTED("the host's network", ADD("/spec/hostNetwork", "true"),
			REASON_PodSecurityViolated, "spec.hostNetwork"),
		UNADMITTED("the host's IPC", ADD("/spec/hostIPC", "true"),
			REASON_PodSecurityViolated, "spec.hostIPC"),
		UNADMITTED("privileged", ADD(AT "/securityContext", "{'privileged':true}"),
			REASON_PodSecurityViolated, "privileged"),
		UNADMITTED("a capability",
			ADD(AT "/securityContext", "{'capabilities':{'add':['SYS_PTRACE']}}"),
			REASON_PodSecurityViolated, "capabilities"),
		NO("an ephemeral container",
			ADD("/spec/ephemeralContainers",
				"[{'name':'debug','image':'x','targetContainerName':'app'}]"),
			"spec.ephemeralContainers"),
		UNADMITTED("another class", SET("/spec/runtimeClassName", "'runc'"),
			REASON_NotAsPromised, "runtimeClassName"),
		UNADMITTED("any node", REMOVE("/spec/nodeSelector"), REASON_NotAsPromised,
			"nodeSelector"),
		{"a container that holds no keys", NULL, OTHERS("containers/-", HELPER "}"),
			ask_as_helper, REASON_WorkloadNotAllowed,
			"does not request casemate.dev/keys"},
		{"none of the device", NULL,
			OTHERS("containers/-",
				HELPER ",'resources':{'limits':{'casemate.dev/keys':'0'}}}"),
			ask_as_helper, REASON_WorkloadNotAllowed,
			"does not request casemate.dev/keys"},
		{"an ordinary init container", NULL,
			OTHERS("initContainers",
				"[" HELPER ",'resources':{'limits':{'casemate.dev/keys':'1'}}}]"),
			ask_as_helper, REASON_KeysInInitContainer, "native sidecar"},
		{"an init container beside the one that asks", NULL,
			OTHERS("initContainers",
				"[" HELPER ",'resources':{'limits':{'casemate.dev/keys':'1'}}}]"),
			NULL, REASON_KeysInInitContainer, "init container"},
		{"no workload", REMOVE("/spec/workload"), NULL, NULL, REASON_WorkloadNotAllowed,
			"spec.workload is missing"},
		UNADMITTED("no spec", SET("/spec", "[]"), REASON_PodUnknown, "looked up"),
	};

	grant_rows(rows, ARRAY_SIZE(rows));
}

const CU_TestInfo workload_match_tests[] = {
	{"image", test_image},
	{"an image that is exchanged", test_exchanged},
	{"command", test_command},
	{"environment", test_env},
	{"mounts", test_mounts},
	{"probes and hooks", test_hooks},
	{"the pod", test_pod},
	CU_TEST_INFO_NULL,
};
