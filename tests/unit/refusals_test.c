/* SPDX-License-Identifier: Apache-2.0
 *
 * Who must not have the key: one table, an attack a row, each through the whole broker, with the
 * reason that it is refused for. */
#include <stdio.h>

#include "tests/unit/refusals_private.h"
#include "tests/unit/test.h"

enum {
	ATTACKS_MIN = 100, /* as the README says */
	/* in an enclave's report */
	ATTRIBUTES = 48,
	MRENCLAVE = 64,
	MRSIGNER = 128,
	ISV_PROD_ID = 256,
	ISV_SVN = 258,
};

#define APP_AT     "/spec/containers/0"
#define STATUS_AT  "/status/containerStatuses/0"
#define HEX_11     "1111111111111111111111111111111111111111111111111111111111111111"
#define EXEC_PROBE "{'exec':{'command':['cat','/proc/1/environ']}}"

#define CHANGE(name, ...)                                                                          \
	static void name(struct attack *a)                                                         \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
/* What changes after the attestation. */
#define LATER(name, ...)                                                                           \
	static void name##_then(struct refusals *w, struct attack *a)                              \
	{                                                                                          \
		(void)a;                                                                           \
		__VA_ARGS__;                                                                       \
	}                                                                                          \
	CHANGE(name, a->then = name##_then)

/*
 * The evidence of an enclave, which asks for itself
 */

static void enclave(struct attack *a)
{
	memset(a->sgx.quote.body + MRENCLAVE, 0x11, 32);
	memset(a->sgx.quote.body + MRSIGNER, 0x11, 32);
	tee_put(a->sgx.quote.body + ISV_PROD_ID, 2, 3);
	tee_put(a->sgx.quote.body + ISV_SVN, 2, 7);
	a->tee = a->evidence = "sgx";
	a->key = "shop/enclave/secret-key";
	a->node_token = a->pod_token = a->container = NULL;
}

static void signed_enclave(struct attack *a)
{
	enclave(a);
	a->key = "shop/enclave/signed-key";
	a->pod_token = "pod";
	a->sgx.quote.body[MRENCLAVE] ^= 1;
}

CHANGE(other_measurement, enclave(a); a->sgx.quote.body[MRENCLAVE] ^= 1)
CHANGE(other_signer, signed_enclave(a); a->sgx.quote.body[MRSIGNER] ^= 1)
CHANGE(other_product, signed_enclave(a); tee_put(a->sgx.quote.body + ISV_PROD_ID, 2, 4))
CHANGE(old_svn, signed_enclave(a); tee_put(a->sgx.quote.body + ISV_SVN, 2, 6))
CHANGE(no_pod_token, signed_enclave(a); a->pod_token = NULL)
CHANGE(debug, enclave(a); a->sgx.quote.body[ATTRIBUTES] |= 2)
CHANGE(tcb, enclave(a); a->sgx.tcb_info.d.levels[0].status = "OutOfDate")
CHANGE(tcb_hardening, enclave(a); a->sgx.tcb_info.d.levels[0].status = "SWHardeningNeeded")
CHANGE(tcb_revoked, enclave(a); a->sgx.tcb_info.d.levels[0].status = "Revoked")
CHANGE(quoting_enclave_old, enclave(a); a->sgx.qe.d.levels[0].status = "OutOfDate")

static void revoked_platform(struct attack *a)
{
	enclave(a);
	a->sgx.pck_crl[a->sgx.pck.ca].revoked[0] = a->sgx.leaf.serial;
}

CHANGE(forged_quote, enclave(a); a->sgx.quote.signature = TEE_BIT_TURNED)
CHANGE(forged_quoting_enclave, enclave(a); a->sgx.quote.qe_signature = TEE_OTHER_KEY)
CHANGE(forged_platform, enclave(a); a->sgx.leaf.break_signature = true)
CHANGE(forged_collateral, enclave(a); a->sgx.tcb_info.d.break_signature = true)
CHANGE(stale_collateral, enclave(a); a->sgx.tcb_info.d.next_update = SIMULATED_NOW - 1)
CHANGE(enclave_as_td, enclave(a); a->tee = "tdx")
CHANGE(enclave_for_node_key, enclave(a); a->key = "shop/pay/secret-key")
CHANGE(denied_measurement, enclave(a); a->denied[DENY_MEASUREMENTS] = HEX_11)

/*
 * Sessions
 */

CHANGE(replayed, a->twice = true)
CHANGE(other_nonce, a->other_nonce = true)
CHANGE(other_session, a->other_session = true)
CHANGE(swapped_key, a->other_key = true)
CHANGE(swapped_enclave_key, enclave(a); a->other_key = true)
CHANGE(no_session, a->cookie = "")

static void made_up_session(struct attack *a)
{
	a->cookie = "kbs-session-id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
}

CHANGE(made_up_bearer, a->cookie = ""; a->bearer = "eyJhbGciOiJub25lIn0.e30.")

/*
 * Who asks too often
 */

static void busy(struct attack *a, enum rate_kind kind, const char *name)
{
	a->busy = kind;
	a->busy_name = name;
}

CHANGE(busy_node, busy(a, RATE_NODE, "n1"))
CHANGE(other_busy_node, busy(a, RATE_NODE, "n2"))
CHANGE(busy_namespace, busy(a, RATE_NAMESPACE, "shop"))
CHANGE(busy_namespace_of_enclave, enclave(a); busy(a, RATE_NAMESPACE, "shop"))
CHANGE(other_busy_namespace, busy(a, RATE_NAMESPACE, "mine"))
CHANGE(busy_client, busy(a, RATE_CLIENT, "127.0.0.1"))
CHANGE(other_busy_client, busy(a, RATE_CLIENT, "127.0.0.2"))

/*
 * Tokens of Kubernetes
 */

CHANGE(stale_token, a->pod_token = "old")
CHANGE(empty_audience, a->pod_token = "no-audience")
CHANGE(other_audience, a->pod_token = "other-audience")
CHANGE(forged_token, a->pod_token = "forged")
CHANGE(unbound_token, a->pod_token = "unbound")
CHANGE(person, a->pod_token = "person")
CHANGE(other_pod, a->bound_pod_token = "pod"; a->pod_token = "other-pod")
CHANGE(gone_pod, a->pod_token = "other-pod")
CHANGE(pod_made_anew, a->pod_token = "made-anew")
CHANGE(tokens_not_bound, a->unbound = true)
CHANGE(tokens_dropped, a->dropped = true)
CHANGE(agent_as_pod, a->pod_token = "agent")
CHANGE(pod_as_agent, a->node_token = "pod")
CHANGE(agent_alone, a->pod_token = NULL)
CHANGE(pod_elsewhere, a->pod_token = "elsewhere")
CHANGE(node_before, a->pod_token = "before")
CHANGE(agent_elsewhere, a->node_token = "agent2")
CHANGE(both_elsewhere, a->node_token = "agent2"; a->pod_token = "elsewhere")
CHANGE(other_account, a->pod_token = "other-account")
CHANGE(other_namespace, a->pod_token = "other-namespace")

/* A device's id came to another container, or is shared by two: the agent names who holds it now.
 */
CHANGE(other_container, a->container = "helper")
CHANGE(unknown_container, a->container = "given-back")

/*
 * Nodes
 */

CHANGE(no_verdict, a->record = NULL)

#define VERDICT(function, verdict, reason, platform, id, uid, until)                               \
	static void function(struct attack *a)                                                     \
	{                                                                                          \
		a->record = REFUSALS_RECORD(verdict, reason, platform, id, uid, until);            \
	}
#define LONG "2099-01-01T00:00:00Z"
VERDICT(refused_node, "Refused", "TcbOutOfDate", "simulated", REFUSALS_PLATFORM, "nu1", LONG)
VERDICT(overused_platform, "Refused", "PlatformOverused", "simulated", REFUSALS_PLATFORM, "nu1",
	LONG)
VERDICT(expired_node, "Simulated", "Simulated", "simulated", REFUSALS_PLATFORM, "nu1",
	"2020-01-01T00:00:00Z")
VERDICT(waived_node, "Waived", "Waived", "simulated", REFUSALS_PLATFORM, "nu1", LONG)
VERDICT(host_node, "Unproven", "HostNotAttestable", "tdx-host", REFUSALS_PLATFORM, "nu1", LONG)
VERDICT(node_made_anew, "Simulated", "Simulated", "simulated", REFUSALS_PLATFORM, "nu0", LONG)
VERDICT(other_platform, "Simulated", "Simulated", "simulated", "ab02", "nu1", LONG)
VERDICT(other_tee, "Attested", "Ok", "tdx", REFUSALS_PLATFORM, "nu1", LONG)

LATER(revoked_meanwhile, refusals_record(w, REFUSALS_RECORD("Refused", "CertificateRevoked",
						    "simulated", REFUSALS_PLATFORM, "nu1", LONG)))

LATER(moved_meanwhile, refusals_record(w, REFUSALS_RECORD("Simulated", "Simulated", "simulated",
						  "ab02", "nu1", LONG)))
CHANGE(denied_node, a->denied[DENY_NODES] = "n1")
CHANGE(denied_platform, a->denied[DENY_PLATFORMS] = REFUSALS_PLATFORM)

LATER(denied_meanwhile, refusals_deny(w, DENY_PLATFORMS, REFUSALS_PLATFORM))
CHANGE(denied_key, a->denied[DENY_KEYS] = "shop/pay/secret-key")

/*
 * Simulated and sample
 */

CHANGE(no_config_consent, a->config_simulated = false)
CHANGE(no_profile_consent, a->profile = SET("/spec/attestation/allowSimulated", "false"))
CHANGE(no_key_consent, a->profile = SET("/spec/keys/0/allowSimulated", "false"))
CHANGE(no_simulated_identity, a->profile = REMOVE("/spec/identities/4"))
CHANGE(own_root, a->own_root = true)
CHANGE(other_nodes_certificate, a->certified_uid = "nu2")
CHANGE(sample, a->tee = a->evidence = "sample")
CHANGE(sample_with_consent, sample(a); a->allow_sample = true)

static void sample_of_a_guest(struct attack *a)
{
	sample_with_consent(a);
	a->enclave = REFUSALS_ENCLAVE("'allowSimulated':true", "{'name':'dev','simulated':{}}",
		"{'name':'secret-key','type':'raw','grant':{'serviceAccounts':['payments']},"
		"'identities':['dev'],'allowSimulated':true}");
	a->key = "shop/enclave/secret-key";
	a->node_token = a->container = NULL;
}

/*
 * Profiles, namespaces, keys
 */

CHANGE(namespace_not_enabled, a->key = "mine/pay/secret-key")

LATER(namespace_made_anew, refusals_owner(w, "ns2", "u1"))

LATER(profile_made_anew, refusals_owner(w, "ns1", "u2"))

LATER(profile_loosened,
	refusals_loosen(w, ADD("/spec/attestation/acceptedTcbStatuses/-", "'Revoked'")))

#define LOOSE(attestation)                                                                         \
	REFUSALS_ENCLAVE(attestation, "{'name':'code','sgx':{'mrenclave':'" HEX_11 "'}}",          \
		"{'name':'secret-key','type':'raw','grant':{'evidenceOnly':true}}")

CHANGE(loose_tcb, tcb(a); a->enclave = LOOSE("'acceptedTcbStatuses':['UpToDate','OutOfDate']"))
CHANGE(loose_debug, debug(a); a->enclave = LOOSE("'allowDebug':true"))
CHANGE(no_such_key, a->key = "shop/pay/other-key")
CHANGE(no_such_profile, a->key = "shop/other/secret-key")
CHANGE(path_upwards, a->key = "shop/pay/%2e%2e")
CHANGE(no_workload, a->profile = REMOVE("/spec/workload"))

LATER(image_meanwhile, refusals_pod(w, SET(STATUS_AT "/imageID", "'r/x@" DIGEST_B "'")))

static void exchange_image(struct refusals *w, struct attack *a)
{
	(void)a;
	refusals_pod(w, "[" OP("add", "/metadata/generation", "2") "," OP("add",
				"/status/observedGeneration",
				"1") "," OP("remove", STATUS_AT "/imageID", "0") "]");
}

CHANGE(image_exchanged, a->then = exchange_image)

static const struct refusals_row rows[] = {
	{"-- none: a pod on a node", NULL, NULL, REASON_Ok},
	{"-- none: an enclave that its evidence names", enclave, NULL, REASON_Ok},
	{"-- none: an enclave that its signer names", signed_enclave, NULL, REASON_Ok},

	{"wrong image: in the pod", NULL, SET(APP_AT "/image", "'r/x@" DIGEST_B "'"),
		REASON_ImageNotAllowed},
	{"wrong image: that runs", NULL, SET(STATUS_AT "/imageID", "'r/x@" DIGEST_B "'"),
		REASON_WorkloadNotAllowed},
	{"wrong image: started while the spec names the right one", image_exchanged, NULL,
		REASON_PodUnknown},
	{"wrong image: a tag", NULL, SET(APP_AT "/image", "'r/x:latest'"),
		REASON_WorkloadNotAllowed},
	{"wrong image: after the attestation", image_meanwhile, NULL, REASON_WorkloadNotAllowed},
	{"wrong command", NULL, SET(APP_AT "/command/2", "'/bin/sh'"), REASON_WorkloadNotAllowed},
	{"wrong command: an argument more", NULL, ADD(APP_AT "/args/-", "'--dump'"),
		REASON_WorkloadNotAllowed},
	{"wrong command: without casemate-exec", NULL, SET(APP_AT "/command", "['python3']"),
		REASON_NotAsPromised},
	{"extra variable: LD_PRELOAD", NULL,
		ADD(APP_AT "/env/-", "{'name':'LD_PRELOAD','value':'/data/x.so'}"),
		REASON_WorkloadNotAllowed},
	{"extra variables: all of a ConfigMap", NULL,
		ADD(APP_AT "/envFrom", "[{'configMapRef':{'name':'c'}}]"),
		REASON_WorkloadNotAllowed},
	{"a listed variable from a Secret", NULL,
		ADD(APP_AT "/env/-", "{'name':'CASEMATE_Y','valueFrom':{'secretKeyRef':{'name':'s',"
				     "'key':'k'}}}"),
		REASON_WorkloadNotAllowed},
	{"the key's name where the program prints it", NULL,
		SET(APP_AT "/env/0/value", "'casemate://pay/secret-key'"),
		REASON_WorkloadNotAllowed},
	{"extra mount: over the program", NULL,
		ADD(APP_AT "/volumeMounts/-", "{'name':'data','mountPath':'/app'}"),
		REASON_WorkloadNotAllowed},
	{"extra mount: over casemate-exec", NULL,
		ADD(APP_AT "/volumeMounts/-",
			"{'name':'data','mountPath':'/run/casemate/casemate-exec'}"),
		REASON_WorkloadNotAllowed},
	{"extra mount: the host's files", NULL,
		ADD("/spec/volumes/-", "{'name':'h','hostPath':{'path':'/'}}"),
		REASON_HostPathNotAllowed},
	{"exec probe", NULL, ADD(APP_AT "/readinessProbe", EXEC_PROBE), REASON_WorkloadNotAllowed},
	{"lifecycle hook", NULL, ADD(APP_AT "/lifecycle", "{'postStart':" EXEC_PROBE "}"),
		REASON_WorkloadNotAllowed},
	{"a container beside it", NULL,
		ADD("/spec/containers/-", "{'name':'spy','image':'y@" DIGEST_A "'}"),
		REASON_WorkloadNotAllowed},
	{"one process namespace", NULL, ADD("/spec/shareProcessNamespace", "true"),
		REASON_WorkloadNotAllowed},
	{"the host's processes", NULL, ADD("/spec/hostPID", "true"), REASON_PodSecurityViolated},
	{"privileged", NULL, ADD(APP_AT "/securityContext", "{'privileged':true}"),
		REASON_PodSecurityViolated},
	{"a profile that says nothing of what may run", no_workload, NULL,
		REASON_WorkloadNotAllowed},

	{"wrong service account", other_account, NULL, REASON_ServiceAccountNotAllowed},
	{"wrong namespace: the pod's", other_namespace, NULL, REASON_NamespaceNotAllowed},
	{"wrong namespace: the key's, not enabled", namespace_not_enabled, NULL,
		REASON_NamespaceNotAllowed},
	{"no service account, where one is needed", no_pod_token, NULL,
		REASON_ServiceAccountNotAllowed},

	{"wrong measurement", other_measurement, NULL, REASON_IdentityNotAllowed},
	{"wrong signer", other_signer, NULL, REASON_IdentityNotAllowed},
	{"wrong product", other_product, NULL, REASON_IdentityNotAllowed},
	{"old SVN", old_svn, NULL, REASON_IdentityNotAllowed},
	{"denied measurement", denied_measurement, NULL, REASON_MeasurementNotAllowed},
	{"debug", debug, NULL, REASON_DebugNotAllowed},
	{"TCB out of date", tcb, NULL, REASON_TcbOutOfDate},
	{"TCB that needs hardening", tcb_hardening, NULL, REASON_TcbSwHardeningNeeded},
	{"TCB revoked", tcb_revoked, NULL, REASON_TcbRevoked},
	{"quoting enclave out of date", quoting_enclave_old, NULL, REASON_TcbOutOfDate},
	{"revoked platform", revoked_platform, NULL, REASON_CertificateRevoked},
	{"forged platform: its certificate", forged_platform, NULL, REASON_ChainInvalid},
	{"forged platform: its quoting enclave", forged_quoting_enclave, NULL,
		REASON_QeReportInvalid},
	{"forged quote", forged_quote, NULL, REASON_QuoteSignatureInvalid},
	{"forged collateral", forged_collateral, NULL, REASON_CollateralSignatureInvalid},
	{"stale collateral", stale_collateral, NULL, REASON_CollateralExpired},
	{"evidence of another TEE than was said", enclave_as_td, NULL, REASON_ReportDataMismatch},
	{"an enclave for a node's key", enclave_for_node_key, NULL, REASON_WorkloadNotAllowed},

	{"replayed attestation", replayed, NULL, REASON_ChallengeReplayed},
	{"evidence for another nonce", other_nonce, NULL, REASON_ReportDataMismatch},
	{"evidence of another session", other_session, NULL, REASON_ChallengeInvalid},
	{"swapped tee-pubkey", swapped_key, NULL, REASON_ReportDataMismatch},
	{"swapped tee-pubkey of an enclave", swapped_enclave_key, NULL, REASON_ReportDataMismatch},
	{"no session", no_session, NULL, REASON_SessionExpired},
	{"made-up session", made_up_session, NULL, REASON_SessionExpired},
	{"made-up bearer token", made_up_bearer, NULL, REASON_SessionExpired},

	{"node that has used up its attestations", busy_node, NULL, REASON_RateLimited},
	{"another node has", other_busy_node, NULL, REASON_Ok},
	{"namespace that has used up its keys", busy_namespace, NULL, REASON_RateLimited},
	{"an enclave's, too", busy_namespace_of_enclave, NULL, REASON_RateLimited},
	{"another namespace has", other_busy_namespace, NULL, REASON_Ok},
	{"address that has used up its share", busy_client, NULL, REASON_RateLimited},
	{"another address has", other_busy_client, NULL, REASON_Ok},

	{"stale token", stale_token, NULL, REASON_TokenInvalid},
	{"token of an empty audience", empty_audience, NULL, REASON_TokenInvalid},
	{"token of another audience", other_audience, NULL, REASON_TokenInvalid},
	{"forged token", forged_token, NULL, REASON_TokenInvalid},
	{"token of no pod", unbound_token, NULL, REASON_TokenInvalid},
	{"token of a person", person, NULL, REASON_TokenInvalid},
	{"the agent's token for the pod's", agent_as_pod, NULL, REASON_NamespaceNotAllowed},
	{"a pod's token for the agent's", pod_as_agent, NULL, REASON_TokenInvalid},
	{"the agent alone, without a pod", agent_alone, NULL, REASON_WorkloadNotAllowed},
	{"a token of another pod, with this one's evidence", other_pod, NULL,
		REASON_ReportDataMismatch},
	{"a token of a pod that is gone", gone_pod, NULL, REASON_WorkloadNotAllowed},
	{"a token of the pod that had its name before", pod_made_anew, NULL, REASON_TokenInvalid},
	{"tokens that no evidence binds", tokens_not_bound, NULL, REASON_ReportDataMismatch},
	{"tokens taken out", tokens_dropped, NULL, REASON_ReportDataMismatch},
	{"device id shared: another container names itself", other_container, NULL,
		REASON_WorkloadNotAllowed},
	{"device id given back: no container has it", unknown_container, NULL,
		REASON_WorkloadNotAllowed},

	{"agent of node A for a pod of node B", pod_elsewhere, NULL, REASON_NodeMismatch},
	{"agent of node B for a pod of node A", agent_elsewhere, NULL, REASON_NodeMismatch},
	{"agent and pod of a node without a verdict", both_elsewhere, NULL, REASON_NotAttested},
	{"a pod of the node that had its name before", node_before, NULL, REASON_NodeMismatch},
	{"node without a verdict", no_verdict, NULL, REASON_NotAttested},
	{"refused node", refused_node, NULL, REASON_TcbOutOfDate},
	{"overused platform", overused_platform, NULL, REASON_PlatformOverused},
	{"expired node", expired_node, NULL, REASON_VerdictExpired},
	{"waived node", waived_node, NULL, REASON_Waived},
	{"a host of VMs", host_node, NULL, REASON_VerdictExpired},
	{"the node's verdict is its predecessor's", node_made_anew, NULL, REASON_VerdictExpired},
	{"evidence of another machine than the node's", other_platform, NULL, REASON_NodeMismatch},
	{"simulated evidence on a node of a real TEE", other_tee, NULL, REASON_NodeMismatch},
	{"revoked node: after the attestation", revoked_meanwhile, NULL, REASON_CertificateRevoked},
	{"node moved: after the attestation", moved_meanwhile, NULL, REASON_NodeMismatch},
	{"denied node", denied_node, NULL, REASON_NodeDenied},
	{"denied platform", denied_platform, NULL, REASON_PlatformDenied},
	{"denied platform: after the attestation", denied_meanwhile, NULL, REASON_PlatformDenied},
	{"denied key", denied_key, NULL, REASON_KeyRevoked},

	{"simulated, without configuration's consent", no_config_consent, NULL,
		REASON_SimulatedNotAllowed},
	{"simulated, without the profile's consent", no_profile_consent, NULL,
		REASON_SimulatedNotAllowed},
	{"simulated, without the key's consent", no_key_consent, NULL, REASON_SimulatedNotAllowed},
	{"simulated, and no identity says so", no_simulated_identity, NULL,
		REASON_IdentityNotAllowed},
	{"simulated, of a root of one's own", own_root, NULL, REASON_UnknownRoot},
	{"simulated, with another node's certificate", other_nodes_certificate, NULL,
		REASON_NodeMismatch},
	{"sample evidence", sample, NULL, REASON_SampleNotAllowed},
	{"sample evidence on a node, with consent", sample_with_consent, NULL,
		REASON_SampleNotAllowed},
	{"sample evidence for a simulated identity", sample_of_a_guest, NULL,
		REASON_IdentityNotAllowed},

	{"profile loosened", profile_loosened, NULL, REASON_ProfileInvalid},
	{"profile that accepts an old TCB, the cluster does not", loose_tcb, NULL,
		REASON_TcbOutOfDate},
	{"profile that accepts debug, the cluster does not", loose_debug, NULL,
		REASON_DebugNotAllowed},
	{"profile made anew under its name", profile_made_anew, NULL, REASON_KeyNotFound},
	{"namespace made anew under its name", namespace_made_anew, NULL, REASON_KeyNotFound},
	{"no such key", no_such_key, NULL, REASON_KeyNotFound},
	{"no such profile", no_such_profile, NULL, REASON_KeyNotFound},
	{"a path upwards", path_upwards, NULL, REASON_KeyNotFound},
};

static void test_attacks(void)
{
	unsigned n = refusals_run(rows, ARRAY_SIZE(rows));

	CHECK_ROW("attacks", n >= ATTACKS_MIN, "%u", n);
}

static unsigned lines_of(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned n = 0;
	int c;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

/* An enclave that is somebody's, and may have none of these keys, asks for them all the time, and a
 * pod that may once. */
static void test_nuisance(void)
{
	enum { REQUESTS = 600 };
	static struct refusals w; /* its answers are large */
	char cookie[COOKIE_MAX];
	struct attack nuisance, honest;
	unsigned said = 0;

	refusals_init(&honest);
	refusals_init(&nuisance);
	enclave(&nuisance);
	nuisance.key = "shop/pay/secret-key";
	if (refusals_begin(&w, &nuisance) && CHECK_ROW("enclave", refusals_attest(&w), "refused")) {
		memcpy(cookie, w.cookie, sizeof(cookie));
		for (unsigned i = 0; i < REQUESTS; i++) {
			refusals_ask(&w, "GET", RCAR_PATH_RESOURCE "shop/pay/secret-key", cookie,
				NULL, SPAN_NONE);
			CHECK_ROW("nuisance", w.status == 403 || w.status == 429, "%d", w.status);
			said += w.status == 403;
		}
		CHECK_ROW("told", said > 0 && said < REQUESTS, "%u times", said);
		CHECK_ROW("audit log", lines_of(w.audit_path) <= said + 1, "%u lines",
			lines_of(w.audit_path));
		w.a = &honest;
		if (CHECK_ROW("pod", refusals_attest(&w), "%.*s", (int)w.answer_len, w.answer))
			refusals_ask(&w, "GET", RCAR_PATH_RESOURCE "shop/pay/secret-key", w.cookie,
				NULL, SPAN_NONE);
		CHECK_ROW("pod", w.status == 200, "%.*s", (int)w.answer_len, w.answer);
	}
	refusals_end(&w);
}

CU_TestInfo refusals_tests[] = {
	{"attacks", test_attacks},
	{"who asks for another's keys all the time", test_nuisance},
	CU_TEST_INFO_NULL,
};
