/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows are JSON with ' for ". */
#include "webhook/policy/profile.h"

#include <errno.h>

#include "tests/unit/test.h"
#include "webhook/policy/key_spec.h"

#define X8   "0123abcd"
#define X32  X8 X8 X8 X8
#define X64  X32 X32
#define X96  X64 X32
#define DIG  "sha256:" X64

static const struct json_limits limits = {1 << 20, 1 << 16, 60};

/* ' to " */
static char *quoted(struct arena *a, const char *text)
{
	char *json = arena_strdup(a, span_str(text));

	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	return json;
}

/* What differs from the default configuration. */
struct settings {
	bool allow_simulated, allow_debug;
	int in_process;
	int64_t epc_max, shop_max;
	const char *sgx_accepts;
};

static struct policy_config configured(const struct settings *s, struct arena *a)
{
	struct policy_config c = {0};

	CU_ASSERT_EQUAL(policy_config_default(&c, a, NULL), 0);
	c.allow_simulated = s->allow_simulated;
	c.allow_debug = s->allow_debug;
	c.in_process = s->in_process;
	c.epc_max = s->epc_max;
	if (s->shop_max) {
		struct namespace_limit *l = arena_new(a, struct namespace_limit);

		*l = (struct namespace_limit){"shop", s->shop_max};
		c.namespace_limits = (struct namespace_limits){l, 1};
	}
	if (s->sgx_accepts) {
		const char **v = arena_new(a, const char *);

		*v = s->sgx_accepts;
		c.classes[TEE_SGX].accepted = (struct strings){v, 1};
	}
	return c;
}

static const struct settings standard = {.in_process = IN_PROCESS_PROFILE};

static int read_text(struct profile *p, struct json *doc, const char *text, const struct settings *s,
	struct arena *a)
{
	struct policy_config c = configured(s, a);
	struct error err = {0};
	int r = json_parse(doc, span_str(quoted(a, text)), &limits, &err);

	if (CHECK_ROW(text, r == 0, "%s", err.message)) {
		r = profile_read(p, json_root(doc), &c, a);
		CU_ASSERT_EQUAL(r, 0);
	}
	return r;
}

/* The profile of the API page. */
static const char example[] =
	"{'apiVersion':'casemate.dev/v1alpha1','kind':'EnclaveProfile',"
	"'metadata':{'name':'payments','namespace':'shop','uid':'u-1','generation':4,'labels':{}},"
	"'spec':{'tee':'node','podSelector':{'matchLabels':{'app':'payments'}},'runtimeClassName':'',"
	"'epc':{'default':'64Mi','max':'256Mi'},'quote':{'mode':'aesm','allowInProcess':false},"
	"'access':{'exec':'Deny','attach':'Deny','portForward':'Deny','ephemeralContainers':'Deny'},"
	"'attestation':{'acceptedTcbStatuses':['UpToDate'],'acceptedAdvisories':[],"
	"'allowDebug':false,'allowSimulated':false},"
	"'workload':{'containers':[{'name':'app','imageDigests':['" DIG "'],"
	"'command':['python3','/app/main.py'],'env':['LANG','CASEMATE_*'],'mounts':['/data'],"
	"'probes':'none'}]},"
	"'identities':[{'name':'release','sgx':{'mrsigner':'" X64 "','isvProdId':3,'minIsvSvn':7}},"
	"{'name':'vm','tdx':{'mrtd':'" X96 "','rtmrs':{'1':'" X96 "','2':'" X96 "'}}},"
	"{'name':'dev','simulated':{}}],"
	"'keys':[{'name':'secret-key','type':'password','size':32,"
	"'rotation':{'every':'720h','keepVersions':2,'onChange':'None'},"
	"'deliver':{'env':'SECRET_KEY'},'identities':['release'],"
	"'grant':{'serviceAccounts':['payments']},'allowSimulated':false},"
	"{'name':'image-kek','type':'symmetric','use':'image'}]},"
	"'status':{'observedGeneration':4}}";

static void test_example(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	_cleanup_json_ struct json doc = {0};
	struct profile p = {0};

	CU_ASSERT_EQUAL(read_text(&p, &doc, example, &standard, &a), 0);
	if (!CHECK_ROW("example", p.valid, "%s", p.message))
		return;
	CHECK_STR("name", span_str(p.name), "payments");
	CHECK_STR("namespace", span_str(p.namespace_), "shop");
	CHECK_STR("uid", span_str(p.uid), "u-1");
	CHECK_STR("message", span_str(p.message), "");
	CU_ASSERT_EQUAL(p.generation, 4);
	CU_ASSERT_EQUAL(p.tee, TEE_NODE);
	CU_ASSERT_EQUAL(p.epc_default, 64 << 20);
	CU_ASSERT_EQUAL(p.epc_max, 256 << 20);
	CU_ASSERT_EQUAL(p.quote, QUOTE_AESM);
	CU_ASSERT_FALSE(p.allow_in_process);
	CU_ASSERT_TRUE(p.has_selector);
	CU_ASSERT_EQUAL(p.n_workload, 1);
	CHECK_STR("container", span_str(p.workload[0].name), "app");
	CU_ASSERT_EQUAL(p.workload[0].image_digests.n, 1);
	CHECK_STR("digest", span_str(p.workload[0].image_digests.v[0]), DIG);
}

/* Around the spec of a row. */
#define HEAD "{'metadata':{'name':'p','namespace':'shop'},'spec':{"
#define TAIL "}}"

struct row {
	const char *spec;
	const char *message; /* NULL: valid */
	struct settings with;
};

#define KEY(more)      "'tee':'sgx','keys':[{'name':'k','type':'raw'" more "}]"
#define TYPED(t, more) "'tee':'sgx','keys':[{'name':'k','type':'" t "'" more "}]"
#define CHANGED(tee, more, change)                                                                 \
	"'tee':'" tee "','keys':[{'name':'k','type':'symmetric'," more                             \
	",'rotation':{'onChange':'" change "'}}]"
#define ID(kind)       "'tee':'sgx','identities':[{'name':'i'," kind "}]"
#define WORK(inside)   "'tee':'node','workload':{'containers':[{'name':'app'" inside "}]}"
#define SELECT(inside) "'tee':'sgx','podSelector':{" inside "}"

static const struct row rows[] = {
	{"'tee':'sgx'", NULL, {0}},
	{"", "spec.tee: is required", {0}},
	{"'tee':'sgxx'",
		"spec.tee: \"sgxx\" is not sgx, tdx, snp, cvm, node, node-tdx or node-snp", {0}},
	{"'tee':null", "spec.tee: null is not sgx, tdx, snp, cvm, node, node-tdx or node-snp", {0}},
	{"'tee':'none'", "spec.tee: \"none\" is not sgx, tdx, snp, cvm, node, node-tdx or node-snp",
		{0}},
	{"'tee':'sgx','epc':{'defualt':'1Mi'}",
		"spec.epc.defualt: unknown field, did you mean default?", {0}},
	{"'tee':'sgx','zzz':1", "spec.zzz: unknown field", {0}},
	{"'tee':'sgx','a\\nb':1", "spec.\"a\\nb\": unknown field", {0}},
	/* classes */
	{"'tee':'sgx','runtimeClassName':'casemate-sgx'", NULL, {0}},
	{"'tee':'sgx','runtimeClassName':'kata-sgx'", NULL, {.sgx_accepts = "kata-sgx"}},
	{"'tee':'tdx','runtimeClassName':'kata-sgx'",
		"spec.runtimeClassName: \"kata-sgx\" is not accepted for tee tdx by configuration "
		"(runtimeClasses.tdx.accepted)",
		{.sgx_accepts = "kata-sgx"}},
	{"'runtimeClassName':'casemate-sgx','tee':'tdx'",
		"spec.runtimeClassName: \"casemate-sgx\" is not accepted for tee tdx by configuration "
		"(runtimeClasses.tdx.accepted)", {0}},
	{"'tee':'sgx','runtimeClassName':7", "spec.runtimeClassName: must be a string", {0}},
	/* EPC */
	{"'tee':'sgx','epc':{'default':'1Gi','max':1073741824}", NULL, {0}},
	{"'tee':'sgx','epc':{'default':'1Gi','max':'1Mi'}",
		"spec.epc.default: 1073741824 is above max, 1048576", {0}},
	{"'tee':'sgx','epc':{'default':0}",
		"spec.epc.default: 0 is no positive whole number of bytes", {0}},
	{"'tee':'sgx','epc':{'max':'500m'}",
		"spec.epc.max: \"500m\" is no positive whole number of bytes", {0}},
	{"'tee':'sgx','epc':{'max':'-1Mi'}",
		"spec.epc.max: \"-1Mi\" is no positive whole number of bytes", {0}},
	{"'tee':'sgx','epc':{'max':'64MB'}",
		"spec.epc.max: \"64MB\" is no quantity such as 64Mi", {0}},
	{"'tee':'sgx','epc':[]", "spec.epc: must be an object", {0}},
	{"'tee':'sgx','epc':{'max':'65Mi'}",
		"spec.epc.max: 68157440 is above 67108864, which configuration allows (epc.max)",
		{.epc_max = 64 << 20}},
	{"'tee':'sgx','epc':{'default':'65Mi'}",
		"spec.epc.default: 68157440 is above 67108864, which configuration allows "
		"(epc.namespaces)",
		{.shop_max = 64 << 20}},
	{"'tee':'sgx','epc':{'default':'64Mi','max':'64Mi'}", NULL, {.epc_max = 64 << 20}},
	/* quotes */
	{"'tee':'sgx','quote':{'mode':'in-process','allowInProcess':true}", NULL,
		{.in_process = IN_PROCESS_PROFILE}},
	{"'tee':'sgx','quote':{'mode':'in-process'}",
		"spec.quote.mode: in-process needs allowInProcess: true",
		{.in_process = IN_PROCESS_PROFILE}},
	{"'tee':'sgx','quote':{'mode':'in-process'}", NULL, {.in_process = IN_PROCESS_ALWAYS}},
	{"'tee':'sgx','quote':{'allowInProcess':true}",
		"spec.quote.allowInProcess: configuration lets nobody have the provision device "
		"(quote.inProcess: never)",
		{.in_process = IN_PROCESS_NEVER}},
	{"'tee':'sgx','quote':{'mode':'dcap'}",
		"spec.quote.mode: \"dcap\" is not none, aesm or in-process", {0}},
	{"'tee':'sgx','quote':{'allowInProcess':'yes'}",
		"spec.quote.allowInProcess: \"yes\" is neither true nor false", {0}},
	/* access */
	{"'tee':'sgx','access':{'exec':'Allow'}", NULL, {0}},
	{"'tee':'sgx','access':{'exec':'allow'}",
		"spec.access.exec: \"allow\" is not Deny or Allow", {0}},
	{"'tee':'sgx','access':{'portforward':'Allow'}",
		"spec.access.portforward: unknown field, did you mean portForward?", {0}},
	/* attestation */
	{"'tee':'sgx','attestation':{'acceptedTcbStatuses':['UpToDate','SWHardeningNeeded',"
	 "'ConfigurationNeeded','ConfigurationAndSWHardeningNeeded','OutOfDate',"
	 "'OutOfDateConfigurationNeeded','TDRelaunchAdvised',"
	 "'TDRelaunchAdvisedConfigurationNeeded'],'acceptedAdvisories':['INTEL-SA-00615'],"
	 "'allowDebug':true}", NULL, {.allow_debug = true}},
	{"'tee':'sgx','attestation':{'allowDebug':true}",
		"spec.attestation.allowDebug: configuration allows no TEE in debug mode, which its "
		"host can read (attestation.allowDebug)", {0}},
	{"'tee':'sgx','attestation':{'allowDebug':false}", NULL, {0}},
	{"'tee':'sgx','attestation':{'allowDebug':'true'}",
		"spec.attestation.allowDebug: \"true\" is neither true nor false",
		{.allow_debug = true}},
	{"'tee':'sgx','attestation':{'acceptedTcbStatuses':['Uptodate']}",
		"spec.attestation.acceptedTcbStatuses[0]: \"Uptodate\" is not UpToDate, "
		"SWHardeningNeeded, ConfigurationNeeded, ConfigurationAndSWHardeningNeeded, OutOfDate, "
		"OutOfDateConfigurationNeeded, TDRelaunchAdvised or "
		"TDRelaunchAdvisedConfigurationNeeded", {0}},
	{"'tee':'sgx','attestation':{'acceptedTcbStatuses':['Revoked']}",
		"spec.attestation.acceptedTcbStatuses[0]: a revoked platform is never accepted", {0}},
	{"'tee':'sgx','attestation':{'acceptedTcbStatuses':['UpToDate','UpToDate']}",
		"spec.attestation.acceptedTcbStatuses[1]: \"UpToDate\" is there twice", {0}},
	{"'tee':'sgx','attestation':{'acceptedAdvisories':['intel sa']}",
		"spec.attestation.acceptedAdvisories[0]: \"intel sa\" is no advisory such as "
		"INTEL-SA-00615", {0}},
	{"'tee':'sgx','attestation':{'acceptedAdvisories':['']}",
		"spec.attestation.acceptedAdvisories[0]: \"\" is no advisory such as INTEL-SA-00615",
		{0}},
	{"'tee':'sgx','attestation':{'acceptedAdvisories':['" X64 "']}",
		"spec.attestation.acceptedAdvisories[0]: \"" X32 "0123abcd0123abcd0123abcd0123abc is "
		"no advisory such as INTEL-SA-00615", {0}},
	{"'tee':'sgx','attestation':{'allowSimulated':true}",
		"spec.attestation.allowSimulated: configuration does not allow simulated TEEs "
		"(allowSimulated)", {0}},
	{"'tee':'sgx','attestation':{'allowSimulated':true}", NULL, {.allow_simulated = true}},
	/* workload */
	{"'tee':'node','workload':{}", "spec.workload.containers: is required", {0}},
	{WORK(",'imageDigests':['sha256:00']"),
		"spec.workload.containers[0].imageDigests[0]: \"sha256:00\" is no digest (sha256: and "
		"64 lower-case hexadecimal digits)", {0}},
	{WORK(",'env':['a.b-c','_','A*']"), NULL, {0}},
	{WORK(",'env':['*']"),
		"spec.workload.containers[0].env[0]: \"*\" is no environment variable's name", {0}},
	{WORK(",'mounts':['/data/../etc']"),
		"spec.workload.containers[0].mounts[0]: \"/data/../etc\" is no absolute path without "
		"\"..\"", {0}},
	{WORK(",'probes':'tcp'"),
		"spec.workload.containers[0].probes: \"tcp\" is not none, http or exec", {0}},
	{WORK("},{'name':'app'"),
		"spec.workload.containers[1].name: \"app\" is there twice", {0}},
	{WORK(",'command':[1]"), "spec.workload.containers[0].command[0]: must be a string", {0}},
	/* identities */
	{ID("'sgx':{'mrenclave':'" X64 "'}"), NULL, {0}},
	{ID("'sgx':{'mrenclave':'" X32 "'}"),
		"spec.identities[0].sgx.mrenclave: \"" X32 "\" is not 64 hexadecimal digits", {0}},
	{ID("'sgx':{'isvProdId':3}"), "spec.identities[0].sgx: needs mrenclave or mrsigner", {0}},
	{ID("'sgx':{'mrsigner':'" X64 "','minIsvSvn':65536}"),
		"spec.identities[0].sgx.minIsvSvn: 65536 is outside 0..65535", {0}},
	{ID("'sgx':{'mrsigner':'" X64 "','isvProdId':1.0}"),
		"spec.identities[0].sgx.isvProdId: 1.0 is no whole number", {0}},
	{ID("'sgx':{'mrsigner':'" X64 "','gramineKey':'k'}"),
		"spec.identities[0].sgx.gramineKey: \"k\" is no key of this profile", {0}},
	{ID("'sgx':{'mrsigner':'" X64 "','gramineKey':'k'}}],'keys':[{'name':'k','type':'raw'"),
		"spec.identities[0].sgx.gramineKey: key \"k\" must have grant.evidenceOnly: true, "
		"since an enclave that asks this way has no token", {0}},
	{ID("'sgx':{'mrenclave':'" X64 "','gramineKey':'k'}}],'keys':[{'name':'k','type':'raw',"
	    "'grant':{'serviceAccounts':['a']}"),
		"spec.identities[0].sgx.gramineKey: key \"k\" must have grant.evidenceOnly: true, "
		"since an enclave that asks this way has no token", {0}},
	{ID("'sgx':{'mrenclave':'" X64 "','gramineKey':'k'}}],'keys':[{'name':'k',"
	    "'type':'symmetric','size':32,'use':'image'"),
		"spec.identities[0].sgx.gramineKey: key \"k\" is for images and never leaves the broker",
		{0}},
	{ID("'sgx':{'mrenclave':'" X64 "','gramineKey':'k'}},{'name':'j','sgx':{'mrenclave':'" X64
	    "'}}],'keys':[{'name':'k','type':'raw','grant':{'evidenceOnly':true},"
	    "'identities':['j']"),
		"spec.identities[0].sgx.gramineKey: key \"k\" does not name this identity among its "
		"own (keys[].identities)", {0}},
	{ID("'sgx':{'mrsigner':'" X64 "','gramineKey':'k'}}],'keys':[{'name':'k','type':'raw',"
	    "'grant':{'evidenceOnly':true}"),
		"spec.keys[0].grant.evidenceOnly: identity \"i\" does not pin the code (sgx: mrenclave; "
		"snp: measurement and hostData or initData; tdx: mrtd, rtmrs 1 and 2, and initData; "
		"initData: Casemate with imageDigests and command of each container in "
		"spec.workload); name service accounts instead", {0}},
	{ID("'sgx':{'mrenclave':'" X64 "','gramineKey':'k'}}],'keys':[{'name':'k','type':'raw',"
	    "'grant':{'evidenceOnly':true},'identities':['i']"), NULL, {0}},
	{ID("'tdx':{'rtmrs':{'4':'" X96 "'}}"),
		"spec.identities[0].tdx.rtmrs.\"4\": unknown field", {0}},
	{ID("'tdx':{}"), "spec.identities[0].tdx: needs mrtd or rtmrs", {0}},
	{ID("'tdx':{'mrtd':'" X96 "','rtmrs':{}}"),
		"spec.identities[0].tdx.rtmrs: must not be empty", {0}},
	{ID("'snp':{'measurement':'" X96 "','hostData':'" X64 "','idKeyDigest':'" X96 "'}"), NULL,
		{0}},
	{ID("'snp':{'hostData':'" X64 "'}"),
		"spec.identities[0].snp: needs measurement or idKeyDigest", {0}},
	{ID("'simulated':{'x':1}"), "spec.identities[0].simulated.x: unknown field", {0}},
	{ID("'simulated':{},'tdx':{'mrtd':'" X96 "'}"),
		"spec.identities[0]: needs exactly one of sgx, tdx, snp, simulated", {0}},
	{"'tee':'sgx','identities':[{'name':'i'}]",
		"spec.identities[0]: needs exactly one of sgx, tdx, snp, simulated", {0}},
	{"'tee':'sgx','identities':[{'simulated':{}}]", "spec.identities[0].name: is required", {0}},
	{ID("'simulated':{}},{'name':'i','simulated':{}"),
		"spec.identities[1].name: \"i\" is there twice", {0}},
	/* keys */
	{KEY(""), NULL, {0}},
	{"'tee':'sgx','keys':[{'name':'K','type':'raw'}]",
		"spec.keys[0].name: \"K\" is no name (lower-case letters, digits and inner dashes, at "
		"most 63)", {0}},
	{KEY(",'size':32"), "spec.keys[0].size: an imported key has the size it has; remove it", {0}},
	{KEY("},{'name':'k','type':'raw'"), "spec.keys[1].name: \"k\" is there twice", {0}},
	{KEY("},{'name':'j','type':'password','size':7"), "spec.keys[1].size: 7 is outside 8..128",
		{0}},
	{TYPED("password", ",'size':8"), NULL, {0}},
	{TYPED("symmetric", ",'size':32"), NULL, {0}},
	{TYPED("symmetric", ",'size':33"),
		"spec.keys[0].size: 33 is not a size in bytes: 16, 24, 32, 48 or 64", {0}},
	{TYPED("ec", ",'size':521"), NULL, {0}},
	{TYPED("ec", ",'size':257"), "spec.keys[0].size: 257 is not a size in bits: 256, 384 or 521",
		{0}},
	{TYPED("rsa", ",'size':1024"), "spec.keys[0].size: 1024 is outside 2048..4096", {0}},
	{TYPED("x509", ",'size':3072"), NULL, {0}},
	{TYPED("aes", ""),
		"spec.keys[0].type: \"aes\" is not password, symmetric, ec, rsa, x509 or raw", {0}},
	{TYPED("rsa", ",'use':'image'"), "spec.keys[0].type: a key for images is symmetric", {0}},
	{TYPED("symmetric", ",'use':'image','size':16"),
		"spec.keys[0].size: a key for images has 32 bytes", {0}},
	{TYPED("symmetric", ",'use':'image','deliver':{'env':'A'}"),
		"spec.keys[0].deliver: a key for images never leaves the broker", {0}},
	{KEY(",'rotation':{'every':'720h'}"),
		"spec.keys[0].rotation.every: an imported key cannot be made anew; import the next "
		"version instead", {0}},
	{TYPED("ec", ",'rotation':{'every':'30s'}"),
		"spec.keys[0].rotation.every: \"30s\" is outside 1m..87840h", {0}},
	{TYPED("ec", ",'rotation':{'every':'87841h'}"),
		"spec.keys[0].rotation.every: \"87841h\" is outside 1m..87840h", {0}},
	{TYPED("ec", ",'rotation':{'every':'30 days'}"),
		"spec.keys[0].rotation.every: \"30 days\" is no duration such as 720h", {0}},
	{TYPED("ec", ",'rotation':{'keepVersions':0}"),
		"spec.keys[0].rotation.keepVersions: 0 is outside 1..16", {0}},
	{TYPED("ec", ",'rotation':{'onChange':'Reload'}"),
		"spec.keys[0].rotation.onChange: \"Reload\" is not None, File or Restart", {0}},
	{CHANGED("node", "'deliver':{'file':'/run/casemate/files/k'}", "File"), NULL, {0}},
	{CHANGED("node", "'deliver':{'env':'K'}", "File"),
		"spec.keys[0].rotation.onChange: File replaces promised files: set deliver.file, or "
		"choose Restart or None", {0}},
	{CHANGED("sgx", "'deliver':{'file':'/run/x'}", "File"),
		"spec.keys[0].rotation.onChange: File is what the node's agent does (tee: node); "
		"choose Restart or None", {0}},
	{CHANGED("node", "'deliver':{'env':'K'}", "Restart"), NULL, {0}},
	{CHANGED("node", "'use':'image'", "Restart"),
		"spec.keys[0].rotation.onChange: \"Restart\": a key for images is in no pod; choose "
		"None", {0}},
	{CHANGED("node", "'use':'image'", "None"), NULL, {0}},
	{KEY(",'deliver':'none'"), NULL, {0}},
	{KEY(",'deliver':{}"), NULL, {0}},
	{KEY(",'deliver':'env'"),
		"spec.keys[0].deliver: \"env\" is neither none nor an object with env or file", {0}},
	{KEY(",'deliver':{'env':'1A'}"),
		"spec.keys[0].deliver.env: \"1A\" is no environment variable's name", {0}},
	{KEY(",'deliver':{'file':'run/x'}"),
		"spec.keys[0].deliver.file: \"run/x\" is no absolute path without \"..\"", {0}},
	{KEY(",'deliver':{'file':'/run/x','env':'A'}"),
		"spec.keys[0].deliver: has both env and file, choose one", {0}},
	{KEY(",'deliver':{'env':'A'}},{'name':'j','type':'raw','deliver':{'env':'A'}"),
		"spec.keys[1].deliver.env: \"A\" belongs to key \"k\" already", {0}},
	{KEY(",'deliver':{'file':'/a'}},{'name':'j','type':'raw','deliver':{'file':'/b'}"), NULL, {0}},
	{KEY(",'identities':['i']"), "spec.keys[0].identities[0]: \"i\" is no identity of this profile",
		{0}},
	{KEY(",'identities':[]"), "spec.keys[0].identities: must not be empty", {0}},
	{KEY(",'grant':{}"),
		"spec.keys[0].grant: needs exactly one of serviceAccounts and evidenceOnly: true", {0}},
	{KEY(",'grant':{'evidenceOnly':true,'serviceAccounts':['a']}"),
		"spec.keys[0].grant: needs exactly one of serviceAccounts and evidenceOnly: true", {0}},
	{KEY(",'grant':{'evidenceOnly':false,'serviceAccounts':['a']}"), NULL, {0}},
	{KEY(",'grant':{'serviceAccounts':[]}"),
		"spec.keys[0].grant.serviceAccounts: must not be empty", {0}},
	{KEY(",'grant':{'serviceAccounts':['A']}"),
		"spec.keys[0].grant.serviceAccounts[0]: \"A\" is no service account's name", {0}},
	{KEY(",'grant':{'evidenceOnly':true}"),
		"spec.keys[0].grant.evidenceOnly: needs an identity that pins the code", {0}},
	{KEY(",'grant':{'evidenceOnly':true}}],'identities':[{'name':'i',"
	     "'sgx':{'mrsigner':'" X64 "'}"),
		"spec.keys[0].grant.evidenceOnly: identity \"i\" does not pin the code (sgx: mrenclave; "
		"snp: measurement and hostData or initData; tdx: mrtd, rtmrs 1 and 2, and initData; "
		"initData: Casemate with imageDigests and command of each container in "
		"spec.workload); name service accounts instead", {0}},
	{KEY(",'grant':{'evidenceOnly':true}}],'identities':[{'name':'i',"
	     "'sgx':{'mrenclave':'" X64 "'}"), NULL, {0}},
	{KEY(",'grant':{'evidenceOnly':true}}],'identities':[{'name':'i',"
	     "'tdx':{'mrtd':'" X96 "','rtmrs':{'1':'" X96 "','2':'" X96 "'},'initData':'sha256:" X64
	     "'}"), NULL, {0}},
	{KEY(",'grant':{'evidenceOnly':true}}],'identities':[{'name':'i',"
	     "'tdx':{'mrtd':'" X96 "','rtmrs':{'1':'" X96 "'},'initData':'sha256:" X64 "'}"),
		"spec.keys[0].grant.evidenceOnly: identity \"i\" does not pin the code (sgx: mrenclave; "
		"snp: measurement and hostData or initData; tdx: mrtd, rtmrs 1 and 2, and initData; "
		"initData: Casemate with imageDigests and command of each container in "
		"spec.workload); name service accounts instead", {0}},
	{KEY(",'grant':{'evidenceOnly':true},'identities':['i']}],'identities':[{'name':'i','snp':"
	     "{'measurement':'" X96 "','hostData':'" X64 "'}},{'name':'j','simulated':{}"), NULL, {0}},
	{KEY(",'grant':{'evidenceOnly':true}}],'identities':[{'name':'j','simulated':{}"),
		"spec.keys[0].grant.evidenceOnly: needs an identity that pins the code", {0}},
	{KEY(",'allowSimulated':true"),
		"spec.keys[0].allowSimulated: configuration does not allow simulated TEEs "
		"(allowSimulated)", {0}},
	{"'tee':'sgx','keys':{}", "spec.keys: must be an array", {0}},
	{"'tee':'sgx','keys':[7]", "spec.keys[0]: must be an object", {0}},
	/* selectors */
	{SELECT(""), NULL, {0}},
	{SELECT("'matchLabels':{'example.com/a':'b'}"), NULL, {0}},
	{SELECT("'matchLabels':{'/a':'b'}"),
		"spec.podSelector.matchLabels[\"/a\"]: \"/a\" is no label key", {0}},
	{SELECT("'matchLabels':{'a':'b c'}"),
		"spec.podSelector.matchLabels[\"a\"]: \"b c\" is no label value", {0}},
	{SELECT("'matchLabels':{'a':1}"), "spec.podSelector.matchLabels[\"a\"]: must be a string", {0}},
	{SELECT("'matchExpressions':[{'key':'a','operator':'in','values':['x']}]"),
		"spec.podSelector.matchExpressions[0].operator: \"in\" is not In, NotIn, Exists or "
		"DoesNotExist", {0}},
	{SELECT("'matchExpressions':[{'key':'a','operator':'In'}]"),
		"spec.podSelector.matchExpressions[0].values: must not be empty for In and NotIn", {0}},
	{SELECT("'matchExpressions':[{'key':'a','operator':'Exists','values':['x']}]"),
		"spec.podSelector.matchExpressions[0].values: must be empty for Exists and DoesNotExist",
		{0}},
	{SELECT("'matchExpressions':[{'operator':'Exists'}]"),
		"spec.podSelector.matchExpressions[0].key: is required", {0}},
	{"'tee':'sgx','podSelector':null", "spec.podSelector: must be an object", {0}},
};

static void test_fields(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 22);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};
		struct settings with = rows[i].with;
		struct profile p = {0};
		char *text = arena_printf(&a, HEAD "%s" TAIL, rows[i].spec);

		CU_ASSERT_EQUAL(read_text(&p, &doc, text, &with, &a), 0);
		CHECK_ROW(rows[i].spec, p.valid == !rows[i].message, "%s", p.message);
		CHECK_STR(rows[i].spec, span_str(p.message), rows[i].message ? rows[i].message : "");
		CHECK_STR(rows[i].spec, span_str(p.name), "p");
		CU_ASSERT_EQUAL(p.reason, p.valid ? REASON_Ok : REASON_ProfileInvalid);
	}
}

/* "element,element,…" n times; with %d numbered. */
static const char *repeat(struct arena *a, const char *fmt, int n)
{
	char *text = arena_alloc(a, (size_t)n * (strlen(fmt) + 12) + 1), *p = text;

	for (int i = 0; i < n; i++)
		p += sprintf(p, "%s%.*s%d%s", i ? "," : "", (int)strcspn(fmt, "#"), fmt, i,
			strchr(fmt, '#') + 1);
	return text;
}

static void test_maxima(void)
{
	static const struct {
		const char *before, *element, *after;
		int max;
	} table[] = {
		{"'tee':'sgx','podSelector':{'matchLabels':{", "'l#':'v'", "}}", 64},
		{"'tee':'sgx','podSelector':{'matchExpressions':[", "{'key':'l#','operator':'Exists'}",
			"]}", 64},
		{"'tee':'sgx','attestation':{'acceptedAdvisories':[", "'INTEL-SA-#'", "]}", 256},
		{"'tee':'sgx','identities':[", "{'name':'i#','simulated':{}}", "]", 64},
		{"'tee':'sgx','keys':[", "{'name':'k#','type':'raw'}", "]", KEYS_OF_PROFILE_MAX},
		{"'tee':'sgx','workload':{'containers':[", "{'name':'c#'}", "]}", 64},
		{"'tee':'sgx','workload':{'containers':[{'name':'c','mounts':[", "'/m#'", "]}]}", 64},
		{"'tee':'sgx','workload':{'containers':[{'name':'c','env':[", "'E#'", "]}]}", 256},
		{"'tee':'sgx','workload':{'containers':[{'name':'c','command':[", "'a#'", "]}]}", 256},
	};
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 22);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		for (int more = 0; more < 2; more++) {
			_cleanup_json_ struct json doc = {0};
			struct profile p = {0};
			char *text = arena_printf(&a, HEAD "%s%s%s" TAIL, table[i].before,
				repeat(&a, table[i].element, table[i].max + more), table[i].after);

			if (read_text(&p, &doc, text, &standard, &a) != 0)
				return;
			CHECK_ROW(table[i].before, p.valid == !more, "%d: %s",
				table[i].max + more, p.message);
			CHECK_ROW(table[i].before, !more || strstr(p.message, "are allowed"), "%s",
				p.message);
		}
	}
}

static void test_documents(void)
{
	static const struct {
		const char *text, *message;
	} table[] = {
		{"[]", "must be an object"},
		{"{}", "metadata: is required"},
		{"{'metadata':{},'spec':{'tee':'sgx'}}", "metadata.name: is required"},
		{"{'metadata':{'name':'A'},'spec':{'tee':'sgx'}}",
			"metadata.name: \"A\" is no name (lower-case letters, digits, inner dashes and dots)"},
		{"{'metadata':{'name':'a'}}", "spec: is required"},
		{"{'metadata':{'name':'a'},'spec':{'tee':'sgx'},'x':{}}", "x: unknown field"},
		{"{'metadata':{'name':'a'},'spec':{'tee':'sgx'},'kind':'Enclaveprofile'}",
			"kind: \"Enclaveprofile\" is not EnclaveProfile"},
		{"{'metadata':{'name':'a'},'spec':{'tee':'sgx'},'apiVersion':'v1'}",
			"apiVersion: \"v1\" is not casemate.dev/v1alpha1"},
		{"{'metadata':{'name':'a'},'spec':{'tee':'sgx'}}", ""},
	};
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_json_ struct json doc = {0};
		struct profile p = {0};

		CU_ASSERT_EQUAL(read_text(&p, &doc, table[i].text, &standard, &a), 0);
		CHECK_STR(table[i].text, span_str(p.message), table[i].message);
	}
}

/* What an invalid profile would have granted must not be there. */
static void test_invalid_grants_nothing(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	_cleanup_json_ struct json doc = {0};
	struct profile p = {0};

	read_text(&p, &doc,
		HEAD "'tee':'sgx','podSelector':{},'access':{'exec':'Allow'},"
		     "'quote':{'mode':'in-process','allowInProcess':true},'epc':{'default':'1Mi'},'x':1" TAIL,
		&standard, &a);
	CU_ASSERT_FALSE(p.valid);
	CU_ASSERT_FALSE(p.access[ACCESS_EXEC]);
	CU_ASSERT_FALSE(p.allow_in_process);
	CU_ASSERT_EQUAL(p.quote, QUOTE_UNSET);
	CU_ASSERT_EQUAL(p.epc_default, 0);
	CU_ASSERT_TRUE(p.has_selector);
}

static void test_simulated_takes_no_real_class(void)
{
	static const char text[] = HEAD "'tee':'sgx','runtimeClassName':'casemate-sgx'" TAIL;
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	_cleanup_json_ struct json doc = {0};
	struct settings s = standard;
	struct profile p = {0};

	read_text(&p, &doc, text, &s, &a);
	CHECK_STR("real", span_str(p.runtime_class), "casemate-sgx");
	s.allow_simulated = true;
	read_text(&p, &doc, text, &s, &a);
	CU_ASSERT_TRUE(p.valid);
	CHECK_STR("simulated", span_str(p.runtime_class), "");
}

/* Whatever is cut off, the rest is refused with a reason, or is no JSON. */
static void test_truncations(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 22);
	char *text = quoted(&a, example);
	struct policy_config c = configured(&standard, &a);
	size_t n = strlen(text);
	struct profile_set *s = NULL;

	for (size_t i = 0; i < n; i++) {
		struct span cut = {text, i};

		CU_ASSERT_EQUAL(profile_set_new(&s, &cut, 1, NULL, 0, true, &c, NULL), 0);
		CU_ASSERT_FALSE(profile_set_at(s, 0)->valid);
		CU_ASSERT(profile_set_at(s, 0)->message[0] != '\0');
		profile_set_unref(s);
	}
}

/* Wherever memory ends, the answer is -ENOMEM or the right one. */
static void test_no_memory(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 22);
	struct policy_config c = configured(&standard, &a);
	_cleanup_json_ struct json doc = {0};
	bool fits = false;

	CU_ASSERT_EQUAL(json_parse(&doc, span_str(quoted(&a, example)), &limits, NULL), 0);
	for (size_t max = 0; max < 4096; max += 16) {
		_cleanup_arena_ struct arena little = ARENA_INIT(max);
		struct profile p = {0};
		int r = profile_read(&p, json_root(&doc), &c, &little);

		CU_ASSERT(r == 0 || r == -ENOMEM);
		CU_ASSERT_EQUAL(r == 0, p.valid);
		CU_ASSERT(!fits || p.valid);
		fits = fits || p.valid;
	}
	CU_ASSERT_TRUE(fits);
}

CU_TestInfo profile_tests[] = {
	{"the API page's example", test_example},
	{"fields", test_fields},
	{"maxima", test_maxima},
	{"documents", test_documents},
	{"an invalid profile grants nothing", test_invalid_grants_nothing},
	{"simulated pods get no real class", test_simulated_takes_no_real_class},
	{"truncations", test_truncations},
	{"no memory", test_no_memory},
	CU_TEST_INFO_NULL,
};
