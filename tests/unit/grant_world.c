/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/grant_world.h"

#include "tests/unit/test.h"

#define HEX16 "11111111111111111111111111111111"
#define HEX48 HEX16 HEX16 HEX16
#define HEX32 HEX16 HEX16

/* Evidence is 48 bytes of 0x11 in each register. */
#define PROFILE_TEXT                                                                               \
	"{'apiVersion':'casemate.dev/v1alpha1','kind':'EnclaveProfile','metadata':"                \
	"{'namespace':'shop','name':'pay','uid':'u1'},'spec':{'tee':'node',"                       \
	"'attestation':{'acceptedTcbStatuses':['UpToDate','SWHardeningNeeded'],"                   \
	"'acceptedAdvisories':['INTEL-SA-00615'],'allowSimulated':true},"                          \
	"'workload':{'containers':[{'name':'app','imageDigests':['" DIGEST_A                       \
	"'],'command':['python3','/app/main.py'],'env':['LANG','CASEMATE_*'],"                     \
	"'mounts':['/data'],'probes':'http'},"                                                     \
	"{'name':'helper','imageDigests':['" DIGEST_A "','" DIGEST_B "']}]},"                      \
	"'identities':[{'name':'vm','tdx':{'mrtd':'" HEX48 "','rtmrs':{'1':'" HEX48 "'}}},"        \
	"{'name':'amd','snp':{'measurement':'" HEX48 "','hostData':'" HEX32                        \
	"','idKeyDigest':'" HEX48 "'}},"                                                           \
	"{'name':'signed','sgx':{'mrsigner':'" HEX32 "','isvProdId':3,'minIsvSvn':7}},"            \
	"{'name':'code','sgx':{'mrenclave':'" HEX32 "'}},"                                         \
	"{'name':'dev','simulated':{}}],"                                                          \
	"'keys':[{'name':'secret-key','type':'password','deliver':{'env':'SECRET_KEY'},"           \
	"'grant':{'serviceAccounts':['payments']},'allowSimulated':true},"                         \
	"{'name':'image-kek','type':'symmetric','size':32,'use':'image'}]}}"

/* As the API server shows it once it runs, before mutation. */
#define POD_TEXT                                                                                   \
	"{'apiVersion':'v1','kind':'Pod','metadata':{'namespace':'shop','name':'p','uid':'p1',"    \
	"'labels':{'app':'payments'},'annotations':{'casemate.dev/profile':'pay'}},'spec':{"       \
	"'nodeName':'n1','serviceAccountName':'payments','volumes':[{'name':'kube-api-access-x',"  \
	"'projected':{'sources':[{'serviceAccountToken':{'expirationSeconds':3607,'path':"         \
	"'token'}},{'configMap':{'name':'kube-root-ca.crt'}},{'downwardAPI':{}}]}},"               \
	"{'name':'data','emptyDir':{}}],'containers':[{'name':'app','image':'r/x@" DIGEST_A        \
	"','command':['python3'],'args':['/app/main.py'],'env':[{'name':'LANG','value':'C'},"      \
	"{'name':'CASEMATE_X','value':'1'},{'name':'CASEMATE_IP','valueFrom':{'fieldRef':"         \
	"{'fieldPath':'status.podIP'}}}],'terminationMessagePath':'/dev/termination-log',"         \
	"'livenessProbe':{'httpGet':{'path':'/','port':80}},'volumeMounts':[{'name':'data',"       \
	"'mountPath':'/data'},{'name':'kube-api-access-x','readOnly':true,'mountPath':"            \
	"'/var/run/secrets/kubernetes.io/serviceaccount'}]}]},'status':{'phase':'Running',"        \
	"'containerStatuses':[{'name':'app','imageID':'r/x@" DIGEST_A "'}]}}"

static const char *const register_names[] = {"mrenclave", "mrsigner", "mrtd", "rtmr0", "rtmr1",
	"rtmr2", "rtmr3", "measurement", "hostData", "idKeyDigest"};

static void prove(struct proven *p)
{
	*p = (struct proven){.tee = TEE_TYPE_TDX,
		.tcb = TCB_UpToDate,
		.isv_prod_id = -1,
		.isv_svn = -1,
		.guest_svn = -1};
	for (size_t i = 0; i < ARRAY_SIZE(register_names); i++) {
		struct measurement *m = &p->registers[p->n_registers++];
		bool half = i < 2 || strcmp(register_names[i], "hostData") == 0;

		*m = (struct measurement){.name = register_names[i], .len = half ? 32 : 48};
		memset(m->value, 0x11, m->len);
	}
}

struct json_val grant_world_objects(
	struct fixture *f, const char *profile_patch, const char *pod_patch, const char *further)
{
	_cleanup_patch_ struct patch patch = PATCH_INIT(1 << 20);
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
	struct json_val profile = fixture_quoted(f, PROFILE_TEXT),
			pod = fixture_quoted(f, POD_TEXT);
	struct policy_result res;

	if (profile_patch)
		profile = fixture_apply_text(f, profile, fixture_text(f, profile_patch));
	buf_span(&text, json_raw(profile));
	buf_putc(&text, '\0');
	fixture_profiles(f, (const char *const[]){text.p, further, NULL});
	f->rq.object = pod;
	f->failed |= policy_mutate(&f->rq, "", &f->a, &patch, &res) < 0;
	pod = fixture_apply(f, pod, &patch);
	if (pod_patch)
		pod = fixture_apply_text(f, pod, fixture_text(f, pod_patch));
	return pod;
}

static void build(struct grant_world *w, const struct grant_row *row)
{
	w->rq.pod = grant_world_objects(&w->f, row->profile, row->pod, NULL);
	w->rq.profiles = w->f.profiles;
}

/* The decision and its explanation are one. */
static void explain(
	struct grant_world *w, const char *name, enum reason reason, const char *message)
{
	struct grant_finding f[GRANT_FINDINGS_MAX];
	int n = grant_explain(&w->rq, &w->f.a, f), first = -1;

	CHECK_ROW(name, n >= 8 && n <= GRANT_FINDINGS_MAX, "%d findings", n);
	for (int i = 0; i < n; i++) {
		bool fails = f[i].state == GRANT_FAILS;

		CHECK_ROW(name,
			fails == (f[i].reason != REASON_Ok) && fails == (*f[i].message != 0),
			"%s: %s", f[i].rule, f[i].message);
		if (fails && first < 0)
			first = i;
	}
	if (first < 0)
		CHECK_ROW(name, reason == REASON_Ok, "nothing fails, and still %s", message);
	else
		CHECK_ROW(name, f[first].reason == reason && strcmp(f[first].message, message) == 0,
			"%s: %s", f[first].rule, f[first].message);
}

static void judge(const struct grant_row *row)
{
	struct grant_world w = {
		.who = {"shop", "payments", "p", "p1", "app", "n1", "nu1"},
		.id = {"shop", "pay", "secret-key"},
	};
	enum reason reason = REASON_N;
	const char *message = NULL;

	fixture_init(&w.f);
	w.f.config.allow_simulated = true;
	w.f.config.allow_debug = true;
	prove(&w.proven);
	w.rq = (struct grant_request){.config = &w.f.config,
		.id = &w.id,
		.proven = &w.proven,
		.who = &w.who,
		.image = SPAN_NONE,
		.allow_simulated = true,
		.now_sec = 1800000000};
	build(&w, row);
	if (row->tweak)
		row->tweak(&w);
	CU_ASSERT_EQUAL(grant_decide(&w.rq, &w.f.a, &reason, &message), 0);
	explain(&w, row->name, reason, message);
	CHECK_ROW(row->name, reason == row->reason, "%s, not %s (%s)",
		reason < REASON_N ? reason_name(reason) : "none", reason_name(row->reason),
		message ? message : "");
	CHECK_ROW(row->name,
		message && (row->says ? strstr(message, row->says) != NULL : !*message), "%s",
		message ? message : "no message");
	CHECK_ROW(row->name, message && strlen(message) <= 1024, "a long message");
	fixture_free(&w.f);
}

void grant_rows(const struct grant_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		judge(&rows[i]);
}
