/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may have a key: everything but the pod's workload, which workload_match_test.c judges. */
#include "common/base/cleanup.h"
#include "tests/unit/grant_world.h"
#include "tests/unit/test.h"

#define KEY0 "/spec/keys/0"

static void sgx_direct(struct grant_world *w)
{
	w->proven.tee = TEE_TYPE_SGX;
	w->proven.isv_prod_id = 3;
	w->proven.isv_svn = 7;
	w->who.node[0] = w->who.node_uid[0] = '\0';
	w->rq.pod = (struct json_val){0};
}

static void no_token(struct grant_world *w)
{
	sgx_direct(w);
	w->who = (struct requester){0};
}

static void old_svn(struct grant_world *w)
{
	sgx_direct(w);
	w->proven.isv_svn = 6;
}

static void other_product(struct grant_world *w)
{
	sgx_direct(w);
	w->proven.isv_prod_id = 4;
}

static void other_enclave(struct grant_world *w)
{
	sgx_direct(w);
	w->proven.registers[0].value[0] ^= 1;
}

static void other_signer(struct grant_world *w)
{
	sgx_direct(w);
	w->proven.registers[1].value[31] ^= 1;
}

static void other_mrtd(struct grant_world *w)
{
	w->proven.registers[2].value[0] = 0x99;
}

static void other_rtmr(struct grant_world *w)
{
	w->proven.registers[4].value[47] ^= 0x80;
}

static void other_both(struct grant_world *w)
{
	other_mrtd(w);
	other_rtmr(w);
}

/* One that the profile does not name. */
static void free_rtmr(struct grant_world *w)
{
	w->proven.registers[5].value[0] ^= 1;
}

static void no_registers(struct grant_world *w)
{
	w->proven.n_registers = 0;
}

static void short_register(struct grant_world *w)
{
	w->proven.registers[2].len = 32;
}

static void amd(struct grant_world *w)
{
	w->proven.tee = TEE_TYPE_SNP;
	w->proven.tcb = TCB_STATUS_N;
	w->proven.guest_svn = 1;
}

static void amd_other(struct grant_world *w)
{
	amd(w);
	w->proven.registers[7].value[3] ^= 1;
}

static void amd_host_data(struct grant_world *w)
{
	amd(w);
	w->proven.registers[8].value[3] ^= 1;
}

static void amd_id_key(struct grant_world *w)
{
	amd(w);
	w->proven.registers[9].value[3] ^= 1;
}

static void simulated(struct grant_world *w)
{
	w->proven.tee = TEE_TYPE_SIMULATED;
}

static void simulated_unconfigured(struct grant_world *w)
{
	simulated(w);
	w->rq.allow_simulated = false;
}

static void sample(struct grant_world *w)
{
	w->proven.sample = true;
	w->proven.n_registers = 0;
}

static void sample_allowed(struct grant_world *w)
{
	sample(w);
	w->rq.allow_sample = true;
}

static void debug(struct grant_world *w)
{
	w->proven.debug = true;
}

static void hardening(struct grant_world *w)
{
	w->proven.tcb = TCB_SWHardeningNeeded;
	strcpy(w->proven.advisories[w->proven.n_advisories++], "INTEL-SA-00615");
}

static void advisory(struct grant_world *w)
{
	hardening(w);
	strcpy(w->proven.advisories[w->proven.n_advisories++], "INTEL-SA-00837");
}

static void out_of_date(struct grant_world *w)
{
	w->proven.tcb = TCB_OutOfDate;
}

static void other_account(struct grant_world *w)
{
	strcpy(w->who.service_account, "default");
}

static void other_namespace(struct grant_world *w)
{
	strcpy(w->who.namespace_, "evil");
}

static void namespace_not_enabled(struct grant_world *w)
{
	strcpy(w->who.namespace_, "evil");
	strcpy(w->id.namespace_, "evil");
}

static void other_profile(struct grant_world *w)
{
	strcpy(w->id.profile, "pays");
}

static void other_key(struct grant_world *w)
{
	strcpy(w->id.key, "secret");
}

static void image_key(struct grant_world *w)
{
	strcpy(w->id.key, "image-kek");
}

static void image_by_secret(struct grant_world *w)
{
	w->rq.image = SPAN_LIT(DIGEST_A);
}

/* Before the pod's containers start, so without its token. */
static void image(struct grant_world *w)
{
	image_key(w);
	w->rq.image = SPAN_LIT(DIGEST_A);
	w->who.pod[0] = w->who.pod_uid[0] = w->who.service_account[0] = w->who.container[0] = '\0';
}

static void image_unnamed(struct grant_world *w)
{
	image(w);
	w->rq.image = SPAN_LIT(DIGEST_B);
}

static void image_other_node(struct grant_world *w)
{
	image(w);
	strcpy(w->who.node, "n2");
}

static void direct(struct grant_world *w)
{
	w->who.node[0] = w->who.node_uid[0] = '\0';
}

static void sgx_node(struct grant_world *w)
{
	sgx_direct(w);
	strcpy(w->who.node, "n1");
}

static void other_pod(struct grant_world *w)
{
	strcpy(w->who.pod, "q");
}

static void other_pod_uid(struct grant_world *w)
{
	strcpy(w->who.pod_uid, "p2");
}

static void other_node(struct grant_world *w)
{
	strcpy(w->who.node, "n2");
}

static void no_pod(struct grant_world *w)
{
	w->rq.pod = (struct json_val){0};
}

static void other_container(struct grant_world *w)
{
	strcpy(w->who.container, "web");
}

static void no_container(struct grant_world *w)
{
	w->who.container[0] = '\0';
}

#define TEE_IS(tee) SET("/spec/tee", "'" tee "'")
#define SGX_KEY                                                                                    \
	"[" OP("replace", "/spec/tee", "'sgx'") "," OP("add", KEY0 "/identities", "['signed']") "]"
#define CODE_KEY                                                                                   \
	"[" OP("replace", "/spec/tee", "'sgx'") "," OP("add", KEY0 "/identities", "['code']") "]"
#define EVIDENCE_ONLY                                                                              \
	"[" OP("replace", "/spec/tee", "'sgx'") "," OP("add", KEY0 "/identities",                  \
		"['code']") "," OP("replace", KEY0 "/grant", "{'evidenceOnly':true}") "]"

static void test_granted(void)
{
	static const struct grant_row rows[] = {
		{"as it should be", NULL, NULL, NULL, REASON_Ok, NULL},
		{"another register that nobody named", NULL, NULL, free_rtmr, REASON_Ok, NULL},
		{"an SNP node", NULL, NULL, amd, REASON_Ok, NULL},
		{"an accepted TCB status and advisory", NULL, NULL, hardening, REASON_Ok, NULL},
		{"debug, where the profile allows it", ADD("/spec/attestation/allowDebug", "true"),
			NULL, debug, REASON_Ok, NULL},
		{"any status that the cluster accepts",
			REMOVE("/spec/attestation/acceptedTcbStatuses"), NULL, out_of_date,
			REASON_Ok, NULL},
		{"simulated, with all three consents", NULL, NULL, simulated, REASON_Ok, NULL},
		{"simulated, of a key that names it", ADD(KEY0 "/identities", "['dev']"), NULL,
			simulated, REASON_Ok, NULL},
		{"sample, in tests", NULL, NULL, sample_allowed, REASON_Ok, NULL},
		{"an enclave by its signer", SGX_KEY, NULL, sgx_direct, REASON_Ok, NULL},
		{"an enclave by its code", CODE_KEY, NULL, sgx_direct, REASON_Ok, NULL},
		{"evidence alone", EVIDENCE_ONLY, NULL, no_token, REASON_Ok, NULL},
		{"an image's key", NULL, NULL, image, REASON_Ok, NULL},
		{"an image's key of the service account",
			ADD("/spec/keys/1/grant", "{'serviceAccounts':['payments']}"), NULL, image,
			REASON_Ok, NULL},
	};

	grant_rows(rows, ARRAY_SIZE(rows));
}

static void test_identity(void)
{
	static const struct grant_row rows[] = {
		{"MRTD", NULL, NULL, other_mrtd, REASON_IdentityNotAllowed,
			"spec.identities[0].tdx.mrtd is 111111111111… and the evidence's is "
			"991111111111…"},
		{"RTMR 1", NULL, NULL, other_rtmr, REASON_IdentityNotAllowed,
			"spec.identities[0].tdx.rtmrs[\"1\"] is 111111111111…"},
		{"both", NULL, NULL, other_both, REASON_IdentityNotAllowed, "and more differs"},
		{"no registers", NULL, NULL, no_registers, REASON_IdentityNotAllowed,
			"the evidence's is none"},
		{"a register cut short", NULL, NULL, short_register, REASON_IdentityNotAllowed,
			"tdx.mrtd"},
		{"SNP measurement", NULL, NULL, amd_other, REASON_IdentityNotAllowed,
			"spec.identities[1].snp.measurement"},
		{"SNP host data", NULL, NULL, amd_host_data, REASON_IdentityNotAllowed,
			"snp.hostData"},
		{"SNP id key", NULL, NULL, amd_id_key, REASON_IdentityNotAllowed,
			"snp.idKeyDigest"},
		{"MRENCLAVE", CODE_KEY, NULL, other_enclave, REASON_IdentityNotAllowed,
			"spec.identities[3].sgx.mrenclave"},
		{"MRSIGNER", SGX_KEY, NULL, other_signer, REASON_IdentityNotAllowed,
			"spec.identities[2].sgx.mrsigner"},
		{"SVN", SGX_KEY, NULL, old_svn, REASON_IdentityNotAllowed,
			"spec.identities[2].sgx.minIsvSvn is 7 and the evidence's is 6"},
		{"product", SGX_KEY, NULL, other_product, REASON_IdentityNotAllowed,
			"sgx.isvProdId is 3 and the evidence's is 4"},
		{"an identity that the key does not name", ADD(KEY0 "/identities", "['amd']"), NULL,
			NULL, REASON_IdentityNotAllowed, "is for tdx evidence"},
		{"a simulated identity stands for no hardware", ADD(KEY0 "/identities", "['dev']"),
			NULL, NULL, REASON_IdentityNotAllowed, "is for tdx evidence"},
		{"simulated, without configuration's consent", NULL, NULL, simulated_unconfigured,
			REASON_SimulatedNotAllowed, "the configuration's allowSimulated"},
		{"simulated, without the profile's", REMOVE("/spec/attestation/allowSimulated"),
			NULL, simulated, REASON_SimulatedNotAllowed,
			"spec.attestation.allowSimulated"},
		{"simulated, without the key's", SET(KEY0 "/allowSimulated", "false"), NULL,
			simulated, REASON_SimulatedNotAllowed,
			"spec.keys[0] (secret-key).allowSimulated"},
		{"simulated, of a key for hardware", ADD(KEY0 "/identities", "['vm']"), NULL,
			simulated, REASON_IdentityNotAllowed, "is for simulated evidence"},
		{"sample", NULL, NULL, sample, REASON_SampleNotAllowed, "proves nothing"},
		{"sample for a simulated identity", ADD(KEY0 "/identities", "['dev']"), NULL,
			sample_allowed, REASON_IdentityNotAllowed, "is for sample evidence"},
		{"debug", NULL, NULL, debug, REASON_DebugNotAllowed, "spec.attestation.allowDebug"},
		{"TCB", NULL, NULL, out_of_date, REASON_TcbOutOfDate,
			"spec.attestation.acceptedTcbStatuses lacks OutOfDate"},
		{"advisory", NULL, NULL, advisory, REASON_AdvisoryNotAccepted,
			"acceptedAdvisories lacks INTEL-SA-00837"},
		{"a TDX node for AMD's", TEE_IS("node-snp"), NULL, NULL, REASON_IdentityNotAllowed,
			"spec.tee is node-snp, and the node's evidence is of tdx"},
		{"an AMD node for Intel's", TEE_IS("node-tdx"), NULL, amd,
			REASON_IdentityNotAllowed, "spec.tee is node-tdx"},
		{"an SGX host is no confidential node", NULL, NULL, sgx_node,
			REASON_IdentityNotAllowed, "is of sgx"},
	};

	grant_rows(rows, ARRAY_SIZE(rows));
}

static void test_refused(void)
{
	static const struct grant_row rows[] = {
		{"another namespace", NULL, NULL, other_namespace, REASON_NamespaceNotAllowed,
			"namespace shop, and the token of namespace evil"},
		{"a namespace that is not enabled", NULL, NULL, namespace_not_enabled,
			REASON_NamespaceNotAllowed, "is not labelled"},
		{"no such profile", NULL, NULL, other_profile, REASON_KeyNotFound,
			"no EnclaveProfile pays"},
		{"no such key", NULL, NULL, other_key, REASON_KeyNotFound, "no key secret"},
		{"an invalid profile", SET("/spec/keys/0/type", "'x'"), NULL, NULL,
			REASON_ProfileInvalid, "spec.keys[0].type"},
		{"loosened beyond the cluster",
			ADD("/spec/attestation/acceptedTcbStatuses/-", "'Revoked'"), NULL, NULL,
			REASON_ProfileInvalid, "acceptedTcbStatuses"},
		{"another service account", NULL, SET("/spec/serviceAccountName", "'default'"),
			other_account, REASON_ServiceAccountNotAllowed,
			"serviceAccounts lacks default"},
		{"granted to nobody", REMOVE(KEY0 "/grant"), NULL, NULL,
			REASON_ServiceAccountNotAllowed, "grant is missing"},
		{"without a token", SGX_KEY, NULL, no_token, REASON_ServiceAccountNotAllowed,
			"none came"},
		{"an image's key as a secret", NULL, NULL, image_key, REASON_WorkloadNotAllowed,
			"never leaves the broker"},
		{"a secret as an image's key", NULL, NULL, image_by_secret,
			REASON_WorkloadNotAllowed, "it unwraps no layers"},
		{"an image that the pod does not name", NULL, NULL, image_unnamed,
			REASON_WorkloadNotAllowed, "no container of the pod names the image"},
		{"an image for another node", NULL, NULL, image_other_node, REASON_NodeMismatch,
			"spec.nodeName is \"n1\" and not \"n2\""},
		{"an image for another service account",
			ADD("/spec/keys/1/grant", "{'serviceAccounts':['other']}"), NULL, image,
			REASON_ServiceAccountNotAllowed, "lacks payments"},
		{"a process of the node by itself", NULL, NULL, direct, REASON_WorkloadNotAllowed,
			"through the agent of the pod's node alone"},
		{"the agent for an enclave", TEE_IS("sgx"), NULL, NULL, REASON_WorkloadNotAllowed,
			"to the TEE itself"},
		{"the agent for a guest", TEE_IS("tdx"), NULL, NULL, REASON_WorkloadNotAllowed,
			"to the TEE itself"},
		{"a token of another pod", NULL, NULL, other_pod, REASON_TokenInvalid,
			"name is \"p\" and not \"q\""},
		{"a token of an earlier pod of this name", NULL, NULL, other_pod_uid,
			REASON_TokenInvalid, "uid is \"p1\" and not \"p2\""},
		{"the agent of another node", NULL, NULL, other_node, REASON_NodeMismatch,
			"spec.nodeName"},
		{"a pod not yet bound", NULL, REMOVE("/spec/nodeName"), NULL, REASON_NodeMismatch,
			"spec.nodeName is \"\""},
		{"a pod of another namespace", NULL, SET("/metadata/namespace", "'evil'"), NULL,
			REASON_NamespaceNotAllowed, "namespace is \"evil\""},
		{"the pod's service account is another", NULL,
			SET("/spec/serviceAccountName", "'default'"), NULL,
			REASON_ServiceAccountNotAllowed, "spec.serviceAccountName"},
		{"no pod", NULL, NULL, no_pod, REASON_PodUnknown, "looked up"},
		{"a pod that is being deleted", NULL,
			ADD("/metadata/deletionTimestamp", "'2026-01-01T00:00:00Z'"), NULL,
			REASON_WorkloadNotAllowed, "being deleted"},
		{"a pod that is over", NULL, SET("/status/phase", "'Failed'"), NULL,
			REASON_WorkloadNotAllowed, "is over"},
		{"a pod of another profile", NULL,
			SET("/metadata/annotations/casemate.dev~1profile", "'other'"), NULL,
			REASON_WorkloadNotAllowed, "another EnclaveProfile than pay"},
		{"a pod of no profile", NULL, REMOVE("/metadata/annotations/casemate.dev~1profile"),
			NULL, REASON_WorkloadNotAllowed, "another EnclaveProfile"},
		{"no such container", NULL, NULL, other_container, REASON_WorkloadNotAllowed,
			"no container \"web\""},
		{"no container", NULL, NULL, no_container, REASON_WorkloadNotAllowed,
			"no container \"\""},
		{"people may exec", ADD("/spec/access", "{'exec':'Allow'}"), NULL, NULL,
			REASON_WorkloadNotAllowed, "spec.access.exec"},
		{"people may add containers",
			ADD("/spec/access", "{'ephemeralContainers':'Allow'}"), NULL, NULL,
			REASON_WorkloadNotAllowed, "spec.access.ephemeralContainers"},
	};

	grant_rows(rows, ARRAY_SIZE(rows));
}

#define DEVICES(list) ADD("/status/containerStatuses/0/allocatedResourcesStatus", list)
#define HOLDS(id)     "{'name':'casemate.dev/keys','resources':[{'resourceID':'" id "'}]}"
#define TWO(ours, theirs)                                                                          \
	SET("/status/containerStatuses",                                                           \
		"[{'name':'app','imageID':'r/x@" DIGEST_A "','allocatedResourcesStatus':" ours     \
		"},{'name':'side','allocatedResourcesStatus':" theirs "}]")

/* What the kubelet tells of devices. */
static void test_devices(void)
{
	static const struct grant_row rows[] = {
		{"none told of", NULL, DEVICES("[]"), NULL, REASON_Ok, NULL},
		{"no list", NULL, DEVICES("null"), NULL, REASON_Ok, NULL},
		{"before the container has a status", NULL, REMOVE("/status/containerStatuses"),
			NULL, REASON_Ok, NULL},
		{"one for keys", NULL, DEVICES("[" HOLDS("key-3") "]"), NULL, REASON_Ok, NULL},
		{"among others", NULL,
			DEVICES("[{'name':'a/b','resources':[{'resourceID':'x'}]}," HOLDS(
				"key-3") "]"),
			NULL, REASON_Ok, NULL},
		{"only others", NULL, DEVICES("[{'name':'a/b','resources':[{'resourceID':'x'}]}]"),
			NULL, REASON_WorkloadNotAllowed, "none of casemate.dev/keys"},
		{"an empty list", NULL, DEVICES("[{'name':'casemate.dev/keys','resources':[]}]"),
			NULL, REASON_WorkloadNotAllowed, "none of casemate.dev/keys"},
		{"another container has another", NULL,
			TWO("[" HOLDS("key-3") "]", "[" HOLDS("key-4") "]"), NULL, REASON_Ok, NULL},
		{"another container has none", NULL, TWO("[" HOLDS("key-3") "]", "[]"), NULL,
			REASON_Ok, NULL},
		{"another container has the same", NULL,
			TWO("[" HOLDS("key-3") "]", "[" HOLDS("key-3") "]"), NULL,
			REASON_WorkloadNotAllowed, "to side as well"},
		{"only another container has one", NULL,
			TWO("[{'name':'a/b','resources':[{'resourceID':'x'}]}]",
				"[" HOLDS("key-3") "]"),
			NULL, REASON_WorkloadNotAllowed, "container app other devices"},
		{"an image is pulled before", NULL,
			DEVICES("[{'name':'a/b','resources':[{'resourceID':'x'}]}]"), image,
			REASON_Ok, NULL},
	};

	grant_rows(rows, ARRAY_SIZE(rows));
}

/* What comes after one that fails is judged all the same, unless it rests on that. */
static void test_explained(void)
{
	static const struct grant_row rows[] = {
		{"all at once", SET("/spec/keys/0/grant/serviceAccounts", "['other']"),
			SET("/status/phase", "'Failed'"), other_mrtd, REASON_IdentityNotAllowed,
			"tdx.mrtd"},
	};

	grant_rows(rows, ARRAY_SIZE(rows)); /* each row is also explained */
}

static void test_proven(void)
{
	struct evidence e = {.tee = TEE_TYPE_SIMULATED,
		.simulated = {.debug = true,
			.n_measurements = 1,
			.measurements = {{.name = "mrtd", .len = 48}}}};
	struct verdict v = {.reason = REASON_Simulated,
		.tcb = TCB_UpToDate,
		.platform_id_len = 2,
		.platform_id = {1, 2}};
	struct proven p = {0};

	v.advisories[v.n_advisories++] = SPAN_LIT("INTEL-SA-00615");
	CU_ASSERT_EQUAL(proven_from(&p, &e, &v), 0);
	CU_ASSERT(p.debug && p.platform_id_len == 2 && p.n_advisories == 1 && p.isv_svn == -1);
	CU_ASSERT_STRING_EQUAL(p.advisories[0], "INTEL-SA-00615");
	CU_ASSERT_PTR_NOT_NULL(proven_register(&p, "mrtd"));
	CU_ASSERT_PTR_NULL(proven_register(&p, "rtmr0"));
	v.reason = REASON_Ok; /* simulated evidence is never simply good */
	CU_ASSERT_EQUAL(proven_from(&p, &e, &v), -EACCES);
	v.reason = REASON_TcbOutOfDate;
	CU_ASSERT_EQUAL(proven_from(&p, &e, &v), -EACCES);
	v.reason = REASON_Simulated;
	v.advisories[0] = SPAN_LIT("INTEL-SA-00615-0123456789-0123456789");
	CU_ASSERT_EQUAL(proven_from(&p, &e, &v), -E2BIG);
}

const CU_TestInfo grant_tests[] = {
	{"granted", test_granted},
	{"identities", test_identity},
	{"refused", test_refused},
	{"devices in the pod's status", test_devices},
	{"explained", test_explained},
	{"what is proven", test_proven},
	CU_TEST_INFO_NULL,
};
