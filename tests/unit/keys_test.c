/* SPDX-License-Identifier: Apache-2.0
 *
 * What the keys of a profile add to its pods. */
#include "common/kbs/delivery.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/policy_json.h"
#include "tests/unit/test.h"
#include "webhook/policy/keys.h"

#define KEY(name, more) "{'name':'" name "','type':'password'" more "}"
#define ENV(name, var)  KEY(name, ",'deliver':{'env':'" var "'}")
#define NODE(keys)      PROFILE("pay", "'tee':'node','keys':[" keys "]")

#define PAY   "'casemate.dev/profile':'pay'"
#define RES   BOTH("'casemate.dev/keys':'1'")
#define MOUNT "{'name':'casemate-token','mountPath':'/run/casemate/token','readOnly':true}"
#define VOLUME                                                                                     \
	"{'name':'casemate-token','projected':{'sources':[{'serviceAccountToken':"                 \
	"{'audience':'casemate.dev','expirationSeconds':600,'path':'token'}}]}}"
#define MOUNTS       "'volumeMounts':[" MOUNT "]"
#define VOLUMES      "'volumes':[" VOLUME "]"
#define RUN_         "'command':['py','m']"
#define RUNS         "'command':['/run/casemate/casemate-exec','--','py','m']"
#define VAR          "{'name':'SECRET','value':'casemate://pay/k'}"
#define ENVS         "'env':[" VAR "]"
#define ALL          RES "," MOUNTS "," ENVS
#define BEFORE(rest) POD(PAY, rest)
#define AFTER(rest)  POD(PAY "," INJECTED, CLASS_NODE "," VOLUMES "," rest)

static const char *const env[] = {NODE(ENV("k", "SECRET")), NULL};
static const char *const two[] = {NODE(ENV("k", "SECRET") "," ENV("l", "OTHER")), NULL};
static const char *const none[] = {NODE(KEY("k", "")), NULL};
static const char *const image[] = {
	NODE("{'name':'k','type':'symmetric','size':32,'use':'image'}"), NULL};
static const char *const files[] = {
	NODE(KEY("k", ",'deliver':{'file':'/run/casemate/files/k.pem'}") "," KEY(
		"l", ",'deliver':{'file':'/run/casemate/files/l'}")),
	NULL};
static const char *const sgx[] = {
	PROFILE("pay", "'tee':'sgx','keys':[" ENV("k", "SECRET") "]"), NULL};
static const char *const sgx_image[] = {
	PROFILE("pay", "'tee':'sgx','keys':[{'name':'k','type':'symmetric','use':'image'}]"), NULL};
static const char *const tdx[] = {
	PROFILE("pay", "'tee':'tdx','keys':[" ENV("k", "SECRET") "]"), NULL};

static void test_added(void)
{
	static const struct mutate_row rows[] = {
		{.name = "everything",
			.profiles = env,
			.pod = BEFORE(APPS(NAMED("a", RUN_))),
			.reason = REASON_Injected,
			.want = AFTER(APPS(NAMED("a", RUNS "," ALL)))},
		{.name = "beside what is there",
			.profiles = env,
			.pod = BEFORE("'volumes':[{'name':'v','emptyDir':{}}]," APPS(NAMED("a",
				"'env':[{'name':'A','value':'b'}],'volumeMounts':[{'name':'v',"
				"'mountPath':'/v'}],'args':['x'],'command':['py']"))),
			.reason = REASON_Injected,
			.want = POD(PAY "," INJECTED, CLASS_NODE
				",'volumes':[{'name':'v','emptyDir':{}}," VOLUME
				"]," APPS(NAMED("a",
					"'env':[{'name':'A','value':'b'}," VAR
					"],'volumeMounts':[{'name':'v','mountPath':'/v'}," MOUNT
					"],'args':['x'],'command':['/run/casemate/"
					"casemate-exec','--','py']," RES)))},
		{.name = "two variables",
			.profiles = two,
			.pod = BEFORE(APPS(NAMED("a", RUN_))),
			.reason = REASON_Injected,
			.want = AFTER(APPS(
				NAMED("a", RUNS "," RES "," MOUNTS ",'env':[" VAR
						",{'name':'OTHER','value':'casemate://pay/l'}]")))},
		{.name = "keys that are asked for by name need no command",
			.profiles = none,
			.pod = BEFORE(APPS(NAMED("a", "'image':'i'"))),
			.reason = REASON_Injected,
			.want = AFTER(APPS(NAMED("a", "'image':'i'," RES "," MOUNTS)))},
		{.name = "files are promised by annotation",
			.profiles = files,
			.pod = BEFORE(APPS(NAMED("a", "'image':'i'"))),
			.reason = REASON_Injected,
			.want = POD(PAY "," INJECTED
					",'casemate.dev/files.a':'{\\u0022k.pem\\u0022:"
					"\\u0022pay/k\\u0022,\\u0022l\\u0022:\\u0022pay/l\\u0022}'",
				CLASS_NODE "," VOLUMES
					   "," APPS(NAMED("a", "'image':'i'," RES "," MOUNTS)))},
		{.name = "once, where two containers have one name",
			.profiles = files,
			.pod = BEFORE(
				APPS(NAMED("a", "'image':'i'") "," NAMED("a", "'image':'i'"))),
			.reason = REASON_Injected,
			.want = POD(PAY "," INJECTED
					",'casemate.dev/files.a':'{\\u0022k.pem\\u0022:"
					"\\u0022pay/k\\u0022,\\u0022l\\u0022:\\u0022pay/l\\u0022}'",
				CLASS_NODE "," VOLUMES "," APPS(
					NAMED("a", "'image':'i'," RES "," MOUNTS) "," NAMED(
						"a", "'image':'i'," RES "," MOUNTS)))},
		{.name = "somebody else's promise is replaced",
			.profiles = files,
			.pod = POD(PAY ",'casemate.dev/files.a':'{}'",
				APPS(NAMED("a", "'image':'i'"))),
			.reason = REASON_Injected,
			.want = POD(PAY "," INJECTED
					",'casemate.dev/files.a':'{\\u0022k.pem\\u0022:"
					"\\u0022pay/k\\u0022,\\u0022l\\u0022:\\u0022pay/l\\u0022}'",
				CLASS_NODE "," VOLUMES
					   "," APPS(NAMED("a", "'image':'i'," RES "," MOUNTS)))},
		{.name = "all app containers",
			.profiles = env,
			.pod = BEFORE(APPS(NAMED("a", RUN_) "," NAMED("b", RUN_)) "," INITS(
				NAMED("i", RUN_) "," NAMED("s", SIDECAR))),
			.reason = REASON_Injected,
			.want = AFTER(APPS(NAMED("a", RUNS "," ALL) "," NAMED("b", RUNS
				"," ALL)) "," INITS(NAMED("i", RUN_) "," NAMED("s", SIDECAR)))},
		{.name = "those that request the device",
			.profiles = env,
			.pod = BEFORE(APPS(NAMED("a", RUN_) "," NAMED("b", RUN_ "," RES))),
			.reason = REASON_Injected,
			.want = AFTER(APPS(NAMED("a", RUN_) "," NAMED("b", RUNS "," ALL)))},
		{.name = "those listed, native sidecars among them",
			.profiles = env,
			.pod = POD(PAY ",'casemate.dev/containers':'s'",
				APPS(NAMED("a", RUN_)) "," INITS(NAMED("s", SIDECAR "," RUN_))),
			.reason = REASON_Injected,
			.want = POD(PAY ",'casemate.dev/containers':'s'," INJECTED,
				CLASS_NODE "," VOLUMES "," APPS(NAMED("a", RUN_)) "," INITS(
					NAMED("s", SIDECAR "," RUNS "," ALL)))},
		{.name = "one device, however many were asked for",
			.profiles = env,
			.pod = BEFORE(APPS(NAMED("a", RUN_ "," LIMITS("'casemate.dev/keys':'3'")))),
			.reason = REASON_Injected,
			.want = AFTER(APPS(NAMED("a", RUNS "," ALL)))},
		{.name = "done already",
			.profiles = env,
			.pod = AFTER(APPS(NAMED("a", RUNS "," ALL))),
			.reason = REASON_Injected},
	};

	RUN(rows);
}

static void test_left_alone(void)
{
	static const struct mutate_row rows[] = {
		{.name = "keys of images add nothing",
			.profiles = image,
			.pod = BEFORE(APPS(NAMED("a", RUN_))),
			.reason = REASON_Injected,
			.want = POD(PAY "," INJECTED, CLASS_NODE "," APPS(NAMED("a", RUN_)))},
		{.name = "enclaves fetch theirs",
			.profiles = sgx,
			.pod = POD(PAY ",'casemate.dev/epc':'64Mi'", APPS(NAMED("a", RUN_))),
			.reason = REASON_Injected,
			.want = POD(PAY ",'casemate.dev/epc':'64Mi'," INJECTED_EPC("64Mi"),
				CLASS_SGX "," APPS(NAMED("a", RUN_ "," SGX("64Mi"))))},
		{.name = "layers are not unwrapped where the node is no TEE",
			.profiles = sgx_image,
			.pod = POD(PAY ",'casemate.dev/epc':'64Mi'", APPS(NAMED("a", RUN_))),
			.reason = REASON_Injected,
			.want = POD(PAY ",'casemate.dev/epc':'64Mi'," INJECTED_EPC("64Mi"),
				CLASS_SGX "," APPS(NAMED("a", RUN_ "," SGX("64Mi")))),
			.warns = "key k of EnclaveProfile pay opens no image for tee sgx: layers "
				 "are "
				 "unwrapped on confidential nodes alone"},
	};

	RUN(rows);
}

static void test_refused(void)
{
#define REFUSED(title, p, pod_, why, text)                                                         \
	{                                                                                          \
		.name = title, .profiles = p, .pod = pod_, .refused = true, .reason = why,         \
		.want = text                                                                       \
	}
	static const struct mutate_row rows[] = {
		REFUSED("no command", env, BEFORE(APPS(NAMED("a", "'image':'i'"))),
			REASON_CommandMissing, "container \"a\" has no command"),
		REFUSED("arguments alone", env, BEFORE(APPS(NAMED("a", "'args':['x']"))),
			REASON_CommandMissing, "have the keys delivered in files"),
		REFUSED("casemate-exec without its dashes", env,
			BEFORE(APPS(NAMED("a", "'command':['/run/casemate/casemate-exec','py']"))),
			REASON_CommandMissing, "has no \"--\""),
		REFUSED("the variable is taken", env,
			BEFORE(APPS(NAMED("a", RUN_ ",'env':[{'name':'SECRET','value':'x'}]"))),
			REASON_KeyDeliveryConflict, "variable SECRET"),
		REFUSED("the variable is taken from elsewhere", env,
			BEFORE(APPS(NAMED("a",
				RUN_ ",'env':[{'name':'SECRET','value':"
				     "'casemate://pay/k','valueFrom':{'secretKeyRef':{}}}]"))),
			REASON_KeyDeliveryConflict, "variable SECRET"),
		REFUSED("the variable is taken, the second time", env,
			BEFORE(APPS(NAMED("a", RUN_ ",'env':[" VAR ",{'name':'SECRET'}]"))),
			REASON_KeyDeliveryConflict, "variable SECRET"),
		REFUSED("the volume's name is taken", env,
			BEFORE("'volumes':[{'name':'casemate-token','emptyDir':{}}]," APPS(
				NAMED("a", RUN_))),
			REASON_KeyDeliveryConflict, "spec.volumes[0]"),
		REFUSED("the volume is for somebody else", env,
			BEFORE("'volumes':[{'name':'casemate-token','projected':{'sources':[{"
			       "'serviceAccountToken':{'audience':'else','expirationSeconds':600,"
			       "'path':'token'}}]}}]," APPS(NAMED("a", RUN_))),
			REASON_KeyDeliveryConflict, "spec.volumes[0]"),
		REFUSED("the mount's place is taken", env,
			BEFORE(APPS(NAMED("a", RUN_ ",'volumeMounts':[{'name':'v','mountPath':"
						    "'/run/casemate/token'}]"))),
			REASON_KeyDeliveryConflict, "volumeMounts[0]"),
		REFUSED("an init container is listed", env,
			POD(PAY ",'casemate.dev/containers':'i'",
				APPS(NAMED("a", RUN_)) "," INITS(NAMED("i", RUN_))),
			REASON_KeysInInitContainer, "container \"i\""),
		REFUSED("an init container requests the device", env,
			BEFORE(APPS(NAMED("a", RUN_)) "," INITS(NAMED("i", RUN_ "," RES))),
			REASON_KeysInInitContainer, "container \"i\""),
		REFUSED("no such container", env,
			POD(PAY ",'casemate.dev/containers':'x'", APPS(NAMED("a", RUN_))),
			REASON_ContainerUnknown, "no container \"x\""),
		REFUSED("an enclave's container requests the device", sgx,
			POD(PAY ",'casemate.dev/epc':'64Mi'", APPS(NAMED("a", RUN_ "," RES))),
			REASON_TeeConflict, "casemate.dev/keys"),
		REFUSED("a guest's container requests the device", tdx,
			BEFORE(APPS(NAMED("a", RUN_ "," RES))), REASON_TeeConflict,
			"casemate.dev/keys"),
		REFUSED("not a whole device", env,
			BEFORE(APPS(NAMED("a", RUN_ "," LIMITS("'casemate.dev/keys':'1.5'")))),
			REASON_ResourceInvalid, "casemate.dev/keys"),
	};
#undef REFUSED

	RUN(rows);
}

/* What is written must be what is recognised, and what the header of delivery says. */
static void test_constants(void)
{
	_cleanup_fixture_ struct fixture f;
	struct json_val volume, mount;

	fixture_init(&f);
	volume = fixture_json(&f, span_str(KEYS_VOLUME_JSON));
	mount = fixture_json(&f, span_str(KEYS_MOUNT_JSON));
	CU_ASSERT(keys_is_token_volume(volume));
	CU_ASSERT(keys_is_token_mount(mount));
	CU_ASSERT(!keys_is_token_volume(mount));
	CU_ASSERT(!keys_is_token_mount(volume));
	CU_ASSERT(!keys_is_token_mount(fixture_quoted(&f,
		"{'name':'casemate-token',"
		"'mountPath':'/run/casemate/token','readOnly':true,'subPath':'x'}")));
	CU_ASSERT(!keys_is_token_volume(fixture_quoted(&f,
		"{'name':'casemate-token','projected':"
		"{'sources':[{'serviceAccountToken':{'audience':'casemate.dev',"
		"'expirationSeconds':600,'path':'token'}},{'secret':{'name':'s'}}]}}")));
	CU_ASSERT(!keys_is_token_volume(
		fixture_quoted(&f, "{'name':'casemate-token','projected':"
				   "{'sources':[{'serviceAccountToken':{'audience':'casemate.dev',"
				   "'expirationSeconds':86400,'path':'token'}}]}}")));
}

const CU_TestInfo keys_tests[] = {
	{"what is added", test_added},
	{"what is left alone", test_left_alone},
	{"what is refused", test_refused},
	{"constants", test_constants},
	CU_TEST_INFO_NULL,
};
