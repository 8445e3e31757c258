/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows are JSON with ' for ". */
#include <errno.h>

#include "common/base/cleanup.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/policy_json.h"
#include "tests/unit/test.h"

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

#define SGX_POD  POD("'casemate.dev/tee':'sgx','casemate.dev/epc':'1Mi'", APPS(APP))
#define NODE_POD POD("'casemate.dev/tee':'node'", APPS(APP))
#define PLAIN    POD("", APPS(APP))
#define PAY      PROFILE("pay", "'tee':'node','workload':{'containers':[{'name':'app',"           \
				"'imageDigests':['" DIGEST_A "']}]}")
#define OPEN     PROFILE("open", "'tee':'node','access':{'exec':'Allow','attach':'Allow',"         \
				 "'portForward':'Allow','ephemeralContainers':'Allow'}")
#define BARE     PROFILE("bare", "'tee':'node','workload':{'containers':[{'name':'app'}]}")
#define WITH(profile) POD("'casemate.dev/profile':'" profile "'", APPS(APP))

#define OP(op, path, value) "{'op':'" op "','path':'" path "','value':" value "}"
#define ADD(path, value)    "[" OP("add", path, value) "]"
#define REMOVE(path)        "[{'op':'remove','path':'" path "'}]"
#define APP0                "/spec/containers/0"
#define LIMIT0(name)        APP0 "/resources/limits/" name
#define NODE_LABEL(name)    "/spec/nodeSelector/casemate.dev.node-restriction.kubernetes.io~1" name
#define ANNOTATION(name)    "/metadata/annotations/" name

/* What the mutating webhook makes of a pod (or the pod, when it would be refused). */
static struct json_val mutated(struct fixture *f, struct json_val pod)
{
	_cleanup_patch_ struct patch patch = PATCH_INIT(1 << 20);
	struct policy_request rq = f->rq;
	struct policy_result res;

	rq.object = pod;
	f->failed |= policy_mutate(&rq, "", &f->a, &patch, &res) < 0;
	return fixture_apply(f, pod, &patch);
}

/* Checks a result: reason, and of a refusal a part of its message. refusal NULL: passed. */
static void check(const char *row, const struct policy_result *res, enum reason reason,
	const char *refusal)
{
	bool refused = res->verdict == VERDICT_REFUSED;

	CHECK_ROW(row, refused == (refusal != NULL), "%s", refused ? res->message : "passed");
	CHECK_ROW(row, res->reason == reason, "%s, not %s", reason_name(res->reason),
		reason_name(reason));
	CHECK_ROW(row, res->verdict != VERDICT_MUTATED, "mutated");
	if (refused && refusal)
		CHECK_ROW(row, strstr(res->message, refusal), "%s", res->message);
}

static void host_path(struct policy_config *c)
{
	c->aesm_mount = AESM_HOST_PATH;
}

static void little_epc(struct policy_config *c)
{
	c->epc_max = 1 << 20;
}

static void devices_only(struct policy_config *c)
{
	c->vendor_mode = VENDOR_DEVICES_ONLY;
}

static void simulated(struct policy_config *c)
{
	c->allow_simulated = true;
}

#define AESM_POD                                                                                   \
	POD("'casemate.dev/tee':'sgx','casemate.dev/epc':'1Mi','casemate.dev/quote':'aesm'",       \
		APPS(APP))
#define VENDOR_POD POD("", APPS(NAMED("app", LIMITS(EPC("1Mi")))))
#define HOST_VOLUME ADD("/spec/volumes", "[{'name':'h','hostPath':{'path':'/'}}]")

#define RUNS(image)                                                                                \
	POD("'casemate.dev/profile':'pay'", APPS(NAMED("app", "'image':'" image "'")))

/* Of a created pod: mutated, then tampered with. */
static const struct {
	const char *name;
	void (*tweak)(struct policy_config *);
	const char *pod, *tamper;
	enum reason reason;
	const char *refusal; /* NULL: passes */
} created[] = {
	{"ordinary", NULL, PLAIN, NULL, REASON_NotConfidential, NULL},
	{"ordinary on the host", NULL, PLAIN, ADD("/spec/hostNetwork", "true"),
		REASON_NotConfidential, NULL},
	{"SGX", NULL, SGX_POD, NULL, REASON_Injected, NULL},
	{"node", NULL, NODE_POD, NULL, REASON_Injected, NULL},
	{"AESM", NULL, AESM_POD, NULL, REASON_Injected, NULL},
	{"AESM by hostPath", host_path, AESM_POD, NULL, REASON_Injected, NULL},
	{"vendor", NULL, VENDOR_POD, NULL, REASON_Injected, NULL},
	{"vendor, devices only", devices_only, VENDOR_POD, NULL, REASON_Injected, NULL},
	{"simulated", simulated, SGX_POD, NULL, REASON_Injected, NULL},
	{"labels added", NULL, SGX_POD, ADD("/metadata/labels", "{'a':'b'}"), REASON_Injected, NULL},
	{"no class", NULL, SGX_POD, REMOVE("/spec/runtimeClassName"), REASON_NotAsPromised,
		"at /spec/runtimeClassName;"},
	{"another class", NULL, NODE_POD, ADD("/spec/runtimeClassName", "'runc'"),
		REASON_NotAsPromised, "at /spec/runtimeClassName;"},
	{"no verdict", NULL, SGX_POD, REMOVE(NODE_LABEL("attested")), REASON_NotAsPromised,
		"nodeSelector/casemate.dev.node-restriction.kubernetes.io~1attested"},
	{"another verdict", NULL, SGX_POD, ADD(NODE_LABEL("attested"), "'simulated'"),
		REASON_NodeSelectorConflict, "attested"},
	{"no enclave device", NULL, SGX_POD, REMOVE(LIMIT0("sgx.intel.com~1enclave")),
		REASON_NotAsPromised, "enclave"},
	{"two enclave devices", NULL, SGX_POD, ADD(LIMIT0("sgx.intel.com~1enclave"), "'2'"),
		REASON_ResourceInvalid, "enclave"},
	{"no EPC", NULL, SGX_POD, REMOVE(APP0 "/resources"), REASON_NotAsPromised, "/resources"},
	{"other EPC", NULL, VENDOR_POD, ADD(ANNOTATION("sgx.intel.com~1epc"), "'2Mi'"),
		REASON_NotAsPromised, "sgx.intel.com~1epc"},
	{"enclave without EPC", NULL, POD("", APPS(NAMED("app", BOTH(ENCLAVE)))), NULL,
		REASON_EpcMissing, "app"},
	{"provision", NULL, SGX_POD, ADD(LIMIT0("sgx.intel.com~1provision"), "'1'"),
		REASON_ProvisionNotAllowed, "app"},
	{"provision, with a vendor's annotation", NULL, SGX_POD,
		"[" OP("add", LIMIT0("sgx.intel.com~1provision"), "'1'") "," OP("add",
			ANNOTATION("sgx.intel.com~1quote-provider"), "''") "]",
		REASON_ProvisionNotAllowed, "app"},
	{"a vendor's provision", NULL,
		POD("'sgx.intel.com/quote-provider':'app'", APPS(NAMED("app", LIMITS(EPC("1Mi"))))),
		NULL, REASON_Injected, NULL},
	{"a vendor's provision, opted in afterwards", NULL,
		POD("'sgx.intel.com/quote-provider':'app'", APPS(NAMED("app", LIMITS(EPC("1Mi"))))),
		ADD(ANNOTATION("casemate.dev~1tee"), "'sgx'"), REASON_ProvisionNotAllowed, "app"},
	{"too much EPC", little_epc, POD("", APPS(NAMED("app", LIMITS(EPC("2Mi"))))), NULL,
		REASON_EpcAboveMaximum, "app"},
	{"listed image", NULL, RUNS("x:1@" DIGEST_A), NULL, REASON_Injected, NULL},
	{"unlisted image", NULL, RUNS("x@" DIGEST_B), NULL, REASON_ImageNotAllowed,
		"container \"app\": image \"x@" "sha256:bbbb"},
	{"image by tag, for the broker to judge", NULL, RUNS("x:1"), NULL, REASON_Injected, NULL},
	{"no digest is not listed either", NULL, RUNS("x@"), NULL, REASON_ImageNotAllowed, "app"},
	{"unlisted image of an init container", NULL,
		POD("'casemate.dev/profile':'pay'",
			APPS(NAMED("b", "'image':'x@" DIGEST_B "'")) "," INITS(
				NAMED("app", "'image':'x@" DIGEST_B "'"))),
		NULL, REASON_ImageNotAllowed, "app"},
	{"image of a container that is not listed", NULL,
		POD("'casemate.dev/profile':'pay'", APPS(NAMED("b", "'image':'x@" DIGEST_B "'"))),
		NULL, REASON_Injected, NULL},
	{"image without digests in the profile, created", NULL,
		POD("'casemate.dev/profile':'bare'",
			APPS(NAMED("app", "'image':'x@" DIGEST_B "'"))),
		NULL, REASON_Injected, NULL},
	{"not marked", NULL, SGX_POD, REMOVE(ANNOTATION("casemate.dev~1status")),
		REASON_NotAsPromised, "casemate.dev~1status"},
	{"many changes", NULL, SGX_POD, "[{'op':'remove','path':'/spec/nodeSelector'},"
		"{'op':'remove','path':'/spec/runtimeClassName'},"
		"{'op':'remove','path':'" APP0 "/resources'},"
		"{'op':'remove','path':'" ANNOTATION("casemate.dev~1status") "'}]",
		REASON_NotAsPromised, ", …;"},
	{"annotation off", NULL, SGX_POD, REMOVE(ANNOTATION("casemate.dev~1tee")), REASON_Injected,
		NULL},
	{"host network", NULL, SGX_POD, ADD("/spec/hostNetwork", "true"), REASON_PodSecurityViolated,
		"spec.hostNetwork: must not be true"},
	{"privileged", NULL, NODE_POD, ADD(APP0 "/securityContext", "{'privileged':true}"),
		REASON_PodSecurityViolated, "spec.containers[0].securityContext.privileged"},
	{"hostPath", NULL, NODE_POD, HOST_VOLUME, REASON_HostPathNotAllowed, "spec.volumes[0].hostPath"},
	{"hostPath, devices only", devices_only, VENDOR_POD, HOST_VOLUME, REASON_HostPathNotAllowed,
		"spec.volumes[0].hostPath"},
	{"AESM's hostPath where it is a resource", NULL, NODE_POD,
		ADD("/spec/volumes", "[{'name':'aesmd-socket','hostPath':{'path':'/var/run/aesmd'}}]"),
		REASON_HostPathNotAllowed, "spec.volumes[0].hostPath"},
	{"asks for nothing, on attested nodes", NULL, POD("", APPS(APP) ",'nodeSelector':{"
		SELECTOR_NODE "},'hostPID':true"), NULL, REASON_PodSecurityViolated, "spec.hostPID"},
	{"asks for nothing, on attested nodes, well", NULL,
		POD("", APPS(APP) ",'nodeSelector':{" SELECTOR_NODE "}"), NULL, REASON_Ok, NULL},
	{"no pod", NULL, "[]", NULL, REASON_Malformed, ""},
};

static void test_created(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(created); i++) {
		_cleanup_fixture_ struct fixture f;
		struct policy_result res;
		struct json_val pod;

		fixture_init(&f);
		fixture_profiles(&f, (const char *const[]){PAY, BARE, NULL});
		if (created[i].tweak)
			created[i].tweak(&f.config);
		pod = mutated(&f, fixture_quoted(&f, created[i].pod));
		if (created[i].tamper)
			pod = fixture_apply_text(&f, pod, fixture_text(&f, created[i].tamper));
		f.rq.object = pod;
		CU_ASSERT_EQUAL(policy_validate(&f.rq, &f.a, &res), 0);
		check(created[i].name, &res, created[i].reason, created[i].refusal);
	}
}

#define IMAGE(text) ADD(APP0 "/image", "'" text "'")

/* Of a running pod. */
static const struct {
	const char *name;
	const char *pod, *change;
	enum reason reason;
	const char *refusal;
} updated[] = {
	{"nothing", WITH("pay"), "[]", REASON_Ok, NULL},
	{"label", WITH("pay"), ADD("/metadata/labels", "{'a':'b'}"), REASON_Ok, NULL},
	{"profile changed", WITH("pay"), ADD(ANNOTATION("casemate.dev~1profile"), "'open'"),
		REASON_ProfileFixed, "casemate.dev/profile"},
	{"profile removed", WITH("pay"), REMOVE(ANNOTATION("casemate.dev~1profile")),
		REASON_ProfileFixed, "casemate.dev/profile"},
	{"profile added", NODE_POD, ADD(ANNOTATION("casemate.dev~1profile"), "'open'"),
		REASON_ProfileFixed, "casemate.dev/profile"},
	{"profile added to an ordinary pod", PLAIN, ADD(ANNOTATION("casemate.dev~1profile"), "'open'"),
		REASON_NotConfidential, NULL},
	{"EPC changed", SGX_POD, ADD(ANNOTATION("sgx.intel.com~1epc"), "'8Gi'"), REASON_NotAsPromised,
		"sgx.intel.com/epc"},
	{"opt-in removed", SGX_POD, REMOVE(ANNOTATION("casemate.dev~1tee")), REASON_Ok, NULL},
	{"opt-in removed, EPC too", SGX_POD,
		"[{'op':'remove','path':'" ANNOTATION("casemate.dev~1tee") "'},"
		"{'op':'remove','path':'" ANNOTATION("sgx.intel.com~1epc") "'}]",
		REASON_NotAsPromised, "sgx.intel.com/epc"},
	{"listed image", RUNS("x@" DIGEST_A), IMAGE("r.example/x:1@" DIGEST_A), REASON_Ok, NULL},
	{"listed image instead of one by tag, which may be starting now", WITH("pay"),
		IMAGE("x@" DIGEST_A), REASON_ImageNotAllowed, "image \"a\" is none of the digests"},
	{"listed image instead of an unlisted one", RUNS("x@" DIGEST_B), IMAGE("x@" DIGEST_A),
		REASON_ImageNotAllowed, "create a new pod"},
	{"unlisted image", WITH("pay"), IMAGE("x@" DIGEST_B), REASON_ImageNotAllowed, "\"app\""},
	{"image by tag", WITH("pay"), IMAGE("x:1"), REASON_ImageNotAllowed, "\"x:1\""},
	{"digest as a tag", WITH("pay"), IMAGE("x/" DIGEST_A), REASON_ImageNotAllowed, "app"},
	{"two digests", WITH("pay"), IMAGE("x@" DIGEST_A "@" DIGEST_B), REASON_ImageNotAllowed, "app"},
	{"image without digests in the profile", WITH("open"), IMAGE("x:1"), REASON_Ok, NULL},
	{"image of a container without digests", WITH("bare"), IMAGE("x:1"), REASON_Ok, NULL},
	{"confidential by the new spec", PLAIN,
		"[" OP("add", "/spec/nodeSelector", "{" SELECTOR_NODE "}") ","
		OP("add", ANNOTATION("casemate.dev~1profile"), "'open'") "]",
		REASON_ProfileFixed, "casemate.dev/profile"},
	{"confidential by the new spec, well", PLAIN, ADD("/spec/nodeSelector", "{" SELECTOR_NODE "}"),
		REASON_Ok, NULL},
	{"confidential by the new spec, privileged",
		POD("", APPS(NAMED("app", "'securityContext':{'privileged':true}"))),
		ADD("/spec/nodeSelector", "{" SELECTOR_NODE "}"), REASON_PodSecurityViolated,
		"spec.containers[0].securityContext.privileged"},
	{"confidential by the new spec, hostPath",
		POD("", APPS(APP) ",'volumes':[{'name':'h','hostPath':{'path':'/'}}]"),
		ADD("/spec/nodeSelector", "{" SELECTOR_NODE "}"), REASON_HostPathNotAllowed,
		"spec.volumes[0].hostPath"},
	{"EPC annotation of an ordinary pod, which Kata would read", PLAIN,
		ADD("/metadata/annotations", "{'sgx.intel.com/epc':'8Gi'}"), REASON_NotAsPromised,
		"sgx.intel.com/epc"},
	{"image without profile", NODE_POD, IMAGE("x:1"), REASON_Ok, NULL},
	{"image of an ordinary pod", PLAIN, IMAGE("x:1"), REASON_NotConfidential, NULL},
};

static void test_updated(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(updated); i++) {
		_cleanup_fixture_ struct fixture f;
		struct policy_result res;

		fixture_init(&f);
		fixture_profiles(&f, (const char *const[]){PAY, OPEN, BARE, NULL});
		f.rq.operation = OP_UPDATE;
		f.rq.old_object = mutated(&f, fixture_quoted(&f, updated[i].pod));
		f.rq.object = fixture_apply_text(
			&f, f.rq.old_object, fixture_text(&f, updated[i].change));
		CU_ASSERT_EQUAL(policy_validate(&f.rq, &f.a, &res), 0);
		check(updated[i].name, &res, updated[i].reason, updated[i].refusal);
	}
}

/* The profile is gone: no image can be judged, and everything else goes on. */
static void test_profile_gone(void)
{
	_cleanup_fixture_ struct fixture f;
	struct policy_result res;

	fixture_init(&f);
	fixture_profiles(&f, (const char *const[]){PAY, NULL});
	f.rq.operation = OP_UPDATE;
	f.rq.old_object = mutated(&f, fixture_quoted(&f, WITH("pay")));
	fixture_profiles(&f, (const char *const[]){OPEN, NULL});
	f.rq.object = fixture_apply_text(&f, f.rq.old_object, fixture_text(&f, IMAGE("x@" DIGEST_A)));
	CU_ASSERT_EQUAL(policy_validate(&f.rq, &f.a, &res), 0);
	check("image", &res, REASON_ImageNotAllowed, "\"pay\" is missing or not valid");
	f.rq.object = f.rq.old_object;
	CU_ASSERT_EQUAL(policy_validate(&f.rq, &f.a, &res), 0);
	check("label", &res, REASON_Ok, NULL);
}

#define DEBUGGER(more) ADD("/spec/ephemeralContainers", "[{'name':'d','image':'x'" more "}]")
#define ROOT           ",'securityContext':{'privileged':true}"

static void test_subresources(void)
{
	static const char *const groups[] = {"oncall"};
	static const struct {
		const char *name, *subresource, *pod, *change, *user;
		enum reason reason;
		const char *refusal;
	} table[] = {
		{"ordinary", "ephemeralcontainers", PLAIN, DEBUGGER(""), "{}", REASON_NotConfidential,
			NULL},
		{"denied", "ephemeralcontainers", WITH("pay"), DEBUGGER(""), "{}", REASON_AccessDenied,
			"spec.access.ephemeralContainers: Allow in EnclaveProfile pay"},
		{"denied whatever it is", "ephemeralcontainers", WITH("pay"), DEBUGGER(ROOT), "{}",
			REASON_AccessDenied, "EnclaveProfile pay"},
		{"without profile", "ephemeralcontainers", NODE_POD, DEBUGGER(""), "{}",
			REASON_AccessDenied, "spec.access.ephemeralContainers"},
		{"allowed", "ephemeralcontainers", WITH("open"), DEBUGGER(""), "{}", REASON_Ok, NULL},
		{"allowed, but privileged", "ephemeralcontainers", WITH("open"), DEBUGGER(ROOT), "{}",
			REASON_PodSecurityViolated, "spec.ephemeralContainers[0].securityContext"},
		{"break-glass", "ephemeralcontainers", WITH("pay"), DEBUGGER(ROOT),
			"{'groups':['a','oncall']}", REASON_BreakGlass, NULL},
		{"another profile named with it", "ephemeralcontainers", WITH("pay"),
			"[" OP("add", "/spec/ephemeralContainers", "[{'name':'d'}]") ","
			OP("add", ANNOTATION("casemate.dev~1profile"), "'open'") "]", "{}",
			REASON_AccessDenied, "EnclaveProfile pay"},
		{"resize", "resize", WITH("pay"), ADD(APP0 "/resources", "{'limits':{'cpu':'2'}}"), "{}",
			REASON_NotConfidential, NULL},
		{"status", "status", WITH("pay"), ADD("/status", "{'phase':'Failed'}"), "{}",
			REASON_NotConfidential, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_fixture_ struct fixture f;
		struct policy_result res;

		fixture_init(&f);
		f.config.break_glass_groups = (struct strings){groups, 1};
		fixture_profiles(&f, (const char *const[]){PAY, OPEN, BARE, NULL});
		f.rq.operation = OP_UPDATE;
		f.rq.subresource = span_str(table[i].subresource);
		f.rq.user = fixture_quoted(&f, table[i].user);
		f.rq.old_object = mutated(&f, fixture_quoted(&f, table[i].pod));
		f.rq.object = fixture_apply_text(
			&f, f.rq.old_object, fixture_text(&f, table[i].change));
		CU_ASSERT_EQUAL(policy_validate(&f.rq, &f.a, &res), 0);
		check(table[i].name, &res, table[i].reason, table[i].refusal);
		CU_ASSERT_EQUAL(res.n_warnings, table[i].reason == REASON_BreakGlass);
	}
}

#define DEPLOYMENT(metadata, pod) "{'metadata':{'name':'d'" metadata "},'spec':{'template':" pod "}}"
#define OWNED ",'ownerReferences':[{'controller':true}]"

static void test_workloads(void)
{
	static const struct {
		const char *name, *kind, *object, *warning; /* part of one; NULL: there is none */
		enum reason reason;
	} table[] = {
		{"ordinary", "Deployment", DEPLOYMENT("", PLAIN), NULL, REASON_NotConfidential},
		{"good", "Deployment", DEPLOYMENT("", SGX_POD), NULL, REASON_Injected},
		{"refused by mutation", "Deployment",
			DEPLOYMENT("", POD("'casemate.dev/tee':'sgx'", APPS(APP))),
			"pods of this Deployment will be refused: ", REASON_EpcMissing},
		{"refused by validation", "StatefulSet",
			DEPLOYMENT("", POD("'casemate.dev/tee':'node'", APPS(APP) ",'hostPID':true")),
			"pods of this StatefulSet will be refused: spec.hostPID",
			REASON_PodSecurityViolated},
		{"a class of its own", "DaemonSet",
			DEPLOYMENT("", POD("'casemate.dev/tee':'node'",
					    APPS(APP) ",'runtimeClassName':'runc'")),
			"runtimeClassName runc is not accepted", REASON_Injected},
		{"CronJob", "CronJob",
			"{'spec':{'jobTemplate':" DEPLOYMENT("", POD("'casemate.dev/tee':'x'",
									 APPS(APP))) "}}",
			"pods of this CronJob will be refused: ", REASON_TeeUnknown},
		{"owned", "ReplicaSet",
			DEPLOYMENT(OWNED, POD("'casemate.dev/tee':'x'", APPS(APP))), NULL,
			REASON_NotConfidential},
		{"a mirror in a template", "Job",
			DEPLOYMENT("", POD("'casemate.dev/tee':'x','kubernetes.io/config.mirror':'x'",
					    APPS(APP) ",'nodeName':'n'")),
			"pods of this Job will be refused: ", REASON_TeeUnknown},
		{"no template", "Job", "{'spec':{}}", NULL, REASON_NotConfidential},
		{"other kinds", "Service", DEPLOYMENT("", POD("'casemate.dev/tee':'x'", APPS(APP))),
			NULL, REASON_NotConfidential},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_fixture_ struct fixture f;
		struct policy_result res;

		fixture_init(&f);
		f.rq.kind = span_str(table[i].kind);
		f.rq.user = fixture_quoted(
			&f, "{'username':'system:node:n','groups':['system:nodes']}");
		f.rq.object = fixture_quoted(&f, table[i].object);
		CU_ASSERT_EQUAL(policy_validate(&f.rq, &f.a, &res), 0);
		check(table[i].name, &res, table[i].reason, NULL);
		if (CHECK_ROW(table[i].name, res.n_warnings == (table[i].warning != NULL), "%zu: %s",
			    res.n_warnings, res.n_warnings ? res.warnings[0] : "") &&
			table[i].warning)
			CHECK_ROW(table[i].name, strstr(res.warnings[0], table[i].warning), "%s",
				res.warnings[0]);
	}
}

static void test_left_alone(void)
{
	_cleanup_fixture_ struct fixture f;
	struct policy_result res;

	fixture_init(&f);
	f.rq.object = fixture_quoted(&f,
		POD("'casemate.dev/tee':'x','kubernetes.io/config.mirror':'h'", APPS(APP) ",'nodeName':'n'"));
	f.rq.user = fixture_quoted(&f, "{'username':'system:node:n','groups':['system:nodes']}");
	CU_ASSERT_EQUAL(policy_validate(&f.rq, &f.a, &res), 0);
	check("mirror", &res, REASON_MirrorPod, NULL);
	f.rq.user = fixture_quoted(&f, "{'username':'system:node:m','groups':['system:nodes']}");
	CU_ASSERT_EQUAL(policy_validate(&f.rq, &f.a, &res), 0);
	check("another node's", &res, REASON_TeeUnknown, "");
	f.rq.operation = OP_DELETE;
	CU_ASSERT_EQUAL(policy_validate(&f.rq, &f.a, &res), 0);
	check("deleted", &res, REASON_NotConfidential, NULL);
}

/* Wherever memory ends, a pod that must be refused does not pass. */
static void test_no_memory(void)
{
	_cleanup_fixture_ struct fixture f;
	bool refused = false;

	fixture_init(&f);
	fixture_profiles(&f, (const char *const[]){PAY, NULL});
	f.rq.operation = OP_UPDATE;
	f.rq.old_object = fixture_quoted(&f, POD("'casemate.dev/profile':'p\\u0061y'",
		APPS(APP) ",'runtimeClassName':'casemate\\u002dnode'"));
	f.rq.object = fixture_apply_text(&f, f.rq.old_object, fixture_text(&f, IMAGE("x\\u003a1")));
	for (size_t max = 0; max < 2048; max += 16) {
		_cleanup_arena_ struct arena little = ARENA_INIT(max);
		struct policy_result res;
		int r = policy_validate(&f.rq, &little, &res);

		CU_ASSERT(r == -ENOMEM || (r == 0 && res.verdict == VERDICT_REFUSED && res.message));
		refused = refused || r == 0;
	}
	CU_ASSERT_TRUE(refused);
}

/* Created while the verifier's word counts. */
static void test_verdicts(void)
{
	static const struct node_verdict good = {.platform = SPAN_LIT("sgx"),
		.verdict = SPAN_LIT("Attested"), .reason = SPAN_LIT("Ok"), .valid_until = 1001};
	static const struct {
		const char *name, *pod;
		bool required, judged, node;
		int64_t now_sec;
		enum reason reason;
		const char *refusal;
	} rows[] = {
		{"nobody asks", SGX_POD, false, true, false, 0, REASON_Injected, NULL},
		{"offline", SGX_POD, true, false, false, 0, REASON_Injected, NULL},
		{"an ordinary pod", PLAIN, true, true, false, 0, REASON_NotConfidential, NULL},
		{"no node", SGX_POD, true, true, false, 0, REASON_NotAttested,
			"no node is trusted for TEE sgx now (NotAttested: "},
		{"a node", SGX_POD, true, true, true, 1000, REASON_Injected, NULL},
		{"a node's verdict is over", SGX_POD, true, true, true, 1001, REASON_VerdictExpired,
			"no node is trusted for TEE sgx now (VerdictExpired: "},
		{"a node of another TEE", NODE_POD, true, true, true, 1000, REASON_NotAttested,
			"no node is trusted for TEE node now"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_fixture_ struct fixture f;
		struct verdicts v = {0};
		struct policy_result res;

		fixture_init(&f);
		f.config.require_verdicts = rows[i].required;
		if (rows[i].node)
			verdicts_add(&v, &good);
		f.rq.verdicts = rows[i].judged ? &v : NULL;
		f.rq.now_sec = rows[i].now_sec;
		f.rq.object = mutated(&f, fixture_quoted(&f, rows[i].pod));
		CU_ASSERT_EQUAL(policy_validate(&f.rq, &f.a, &res), 0);
		check(rows[i].name, &res, rows[i].reason, rows[i].refusal);
	}
}

CU_TestInfo validate_tests[] = {
	{"created pods, by the verdicts about nodes", test_verdicts},
	{"created pods", test_created},
	{"updated pods", test_updated},
	{"the profile is gone", test_profile_gone},
	{"subresources", test_subresources},
	{"workloads", test_workloads},
	{"left alone", test_left_alone},
	{"no memory", test_no_memory},
	CU_TEST_INFO_NULL,
};
