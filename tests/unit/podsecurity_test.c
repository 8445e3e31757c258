/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows are JSON with ' for ". The standard's own evaluator gave the same verdicts. */
#include "webhook/policy/podsecurity.h"

#include "common/base/json.h"
#include "tests/unit/test.h"

struct row {
	const char *name, *metadata, *spec;
	const char *field; /* NULL: meets the standard */
};

/* Inside the first container, or the pod. */
#define C(inside)   "'containers':[{'name':'a'," inside "}]"
#define SC(inside)  C("'securityContext':{" inside "}")
#define PSC(inside) "'securityContext':{" inside "}"
#define C0          "spec.containers[0]."
#define SC0         C0 "securityContext."

static const struct row rows[] = {
	{"plain", "", C("'image':'x'"), NULL},
	{"host network", "", "'hostNetwork':true", "spec.hostNetwork"},
	{"no host network", "", "'hostNetwork':false,'hostPID':null", NULL},
	{"host PID", "", "'hostPID':true", "spec.hostPID"},
	{"host IPC", "", "'hostIPC':true", "spec.hostIPC"},
	{"host IPC of a wrong type", "", "'hostIPC':'true'", "spec.hostIPC"},
	{"host users", "", "'hostUsers':true", NULL},
	{"privileged", "", SC("'privileged':true"), SC0 "privileged"},
	{"not privileged", "", SC("'privileged':false"), NULL},
	{"privileged by escapes", "", SC("'priv\\u0069leged':true"), SC0 "privileged"},
	{"privileged init", "", "'initContainers':[{},{'securityContext':{'privileged':true}}]",
		"spec.initContainers[1].securityContext.privileged"},
	{"privileged ephemeral", "", "'ephemeralContainers':[{'securityContext':{'privileged':true}}]",
		"spec.ephemeralContainers[0].securityContext.privileged"},
	{"second container", "", "'containers':[{},{'securityContext':{'privileged':true}}]",
		"spec.containers[1].securityContext.privileged"},
	{"default capability", "", SC("'capabilities':{'add':['KILL','SYS_CHROOT']}"), NULL},
	{"NET_RAW", "", SC("'capabilities':{'add':['KILL','NET_RAW']}"), SC0 "capabilities.add[1]"},
	{"ALL", "", SC("'capabilities':{'add':['ALL']}"), SC0 "capabilities.add[0]"},
	{"CAP_KILL is not KILL", "", SC("'capabilities':{'add':['CAP_KILL']}"),
		SC0 "capabilities.add[0]"},
	{"an empty capability", "", SC("'capabilities':{'add':['']}"), SC0 "capabilities.add[0]"},
	{"drop", "", SC("'capabilities':{'drop':['ALL'],'add':[]}"), NULL},
	{"hostPath", "", "'volumes':[{'name':'v','emptyDir':{}},{'name':'h','hostPath':{'path':'/'}}]",
		"spec.volumes[1].hostPath"},
	{"empty hostPath", "", "'volumes':[{'name':'h','hostPath':{}}]", "spec.volumes[0].hostPath"},
	{"no hostPath", "", "'volumes':[{'name':'h','hostPath':null}]", NULL},
	{"host port", "", C("'ports':[{'containerPort':1},{'containerPort':2,'hostPort':2}]"),
		C0 "ports[1].hostPort"},
	{"host port 0", "", C("'ports':[{'containerPort':1,'hostPort':0}]"), NULL},
	{"host port as text", "", C("'ports':[{'hostPort':'0'}]"), C0 "ports[0].hostPort"},
	{"probe host", "", C("'livenessProbe':{'httpGet':{'host':'10.0.0.1'}}"),
		C0 "livenessProbe.httpGet.host"},
	{"probe without host", "", C("'readinessProbe':{'httpGet':{'host':''}}"), NULL},
	{"startup probe", "", C("'startupProbe':{'tcpSocket':{'host':'x'}}"),
		C0 "startupProbe.tcpSocket.host"},
	{"exec probe", "", C("'readinessProbe':{'exec':{'command':['x']}}"), NULL},
	{"lifecycle host", "", C("'lifecycle':{'preStop':{'httpGet':{'host':'x'}}}"),
		C0 "lifecycle.preStop.httpGet.host"},
	{"post start", "", C("'lifecycle':{'postStart':{'tcpSocket':{'host':'x'}}}"),
		C0 "lifecycle.postStart.tcpSocket.host"},
	{"AppArmor", "", SC("'appArmorProfile':{'type':'Localhost','localhostProfile':'p'}"), NULL},
	{"AppArmor unconfined", "", SC("'appArmorProfile':{'type':'Unconfined'}"),
		SC0 "appArmorProfile.type"},
	{"AppArmor of the pod", "", PSC("'appArmorProfile':{'type':'Unconfined'}"),
		"spec.securityContext.appArmorProfile.type"},
	{"AppArmor without type", "", PSC("'appArmorProfile':{}"),
		"spec.securityContext.appArmorProfile.type"},
	{"AppArmor annotation", "'container.apparmor.security.beta.kubernetes.io/a':'unconfined'", "",
		"metadata.annotations[\"container.apparmor.security.beta.kubernetes.io/a\"]"},
	{"AppArmor annotation of nobody", "'container.apparmor.security.beta.kubernetes.io/':'x'", "",
		"metadata.annotations[\"container.apparmor.security.beta.kubernetes.io/\"]"},
	{"AppArmor annotations that are fine",
		"'container.apparmor.security.beta.kubernetes.io/a':'runtime/default',"
		"'container.apparmor.security.beta.kubernetes.io/b':'localhost/x',"
		"'container.apparmor.security.beta.kubernetes.io/c':''",
		"", NULL},
	{"SELinux level", "", PSC("'seLinuxOptions':{'level':'s0:c1','type':''}"), NULL},
	{"SELinux type", "", PSC("'seLinuxOptions':{'type':'spc_t'}"),
		"spec.securityContext.seLinuxOptions.type"},
	{"SELinux engine type", "", SC("'seLinuxOptions':{'type':'container_engine_t'}"), NULL},
	{"SELinux user", "", SC("'seLinuxOptions':{'user':'u'}"), SC0 "seLinuxOptions.user"},
	{"SELinux role", "", SC("'seLinuxOptions':{'role':'r','user':''}"),
		SC0 "seLinuxOptions.role"},
	{"proc mount", "", SC("'procMount':'Unmasked'"), SC0 "procMount"},
	{"default proc mount", "", SC("'procMount':'Default'"), NULL},
	{"empty proc mount", "", SC("'procMount':''"), SC0 "procMount"},
	{"proc mount in a user namespace", "", "'hostUsers':false," SC("'procMount':'Unmasked'"), NULL},
	{"proc mount in the host's", "", "'hostUsers':true," SC("'procMount':'Unmasked'"),
		SC0 "procMount"},
	{"seccomp", "", SC("'seccompProfile':{'type':'RuntimeDefault'}"), NULL},
	{"seccomp unconfined", "", PSC("'seccompProfile':{'type':'Unconfined'}"),
		"spec.securityContext.seccompProfile.type"},
	{"seccomp of a container", "", SC("'seccompProfile':{'type':'Unconfined'}"),
		SC0 "seccompProfile.type"},
	{"seccomp without type", "", SC("'seccompProfile':{}"), SC0 "seccompProfile.type"},
	{"seccomp annotations have no effect since 1.27",
		"'seccomp.security.alpha.kubernetes.io/pod':'unconfined'", "", NULL},
	{"sysctl", "", PSC("'sysctls':[{'name':'net.ipv4.tcp_rmem','value':'1'}]"), NULL},
	{"newest safe sysctl", "", PSC("'sysctls':[{'name':'net.ipv4.tcp_notsent_lowat'}]"), NULL},
	{"unsafe sysctl", "", PSC("'sysctls':[{'name':'net.ipv4.tcp_rmem'},{'name':'kernel.msgmax'}]"),
		"spec.securityContext.sysctls[1].name"},
	{"Windows host process", "", PSC("'windowsOptions':{'hostProcess':true}"),
		"spec.securityContext.windowsOptions.hostProcess"},
	{"Windows container", "", SC("'windowsOptions':{'hostProcess':true}"),
		SC0 "windowsOptions.hostProcess"},
	{"Windows without", "", SC("'windowsOptions':{'hostProcess':false}"), NULL},
	{"security context of a wrong type", "", PSC("") ",'containers':[{'securityContext':[]}]",
		"spec.containers[0].securityContext"},
	{"container of a wrong type", "", "'containers':[[]]", "spec.containers[0]"},
	{"containers of a wrong type", "", "'containers':{}", "spec.containers"},
	{"volume of a wrong type", "", "'volumes':['x']", "spec.volumes[0]"},
};

static const struct json_limits limits = {1 << 16, 1 << 12, 40};

static int judge(const char *text, bool aesm, struct arena *a, struct podsecurity_violation *v)
{
	struct json doc = {0};
	char *json = arena_strdup(a, span_str(text));
	int r;

	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	r = json_parse(&doc, span_str(json), &limits, NULL);
	if (r == 0)
		r = podsecurity_baseline(json_root(&doc), aesm, a, v);
	json_free(&doc);
	return r;
}

static void test_baseline(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct podsecurity_violation v = {0};
		int r = judge(arena_printf(&a, "{'metadata':{'annotations':{%s}},'spec':{%s}}",
				      row->metadata, row->spec),
			false, &a, &v);

		CHECK_ROW(row->name, r == (row->field != NULL), "got %d, %s", r, v.field);
		if (r == 1 && row->field) {
			CHECK_STR(row->name, span_str(v.field), row->field);
			CU_ASSERT(v.why[0] != '\0');
		}
	}
}

static void test_aesm_socket(void)
{
	static const struct {
		const char *name, *path;
		bool aesm, ok;
	} table[] = {
		{"aesmd-socket", "/var/run/aesmd", true, true},
		{"aesmd-socket", "/var/run/aesmd", false, false},
		{"aesmd-socket", "/var/run", true, false},
		{"other", "/var/run/aesmd", true, false},
	};
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct podsecurity_violation v = {0};
		int r = judge(arena_printf(&a, "{'spec':{'volumes':[{'name':'%s','hostPath':"
					       "{'path':'%s','type':'DirectoryOrCreate'}}]}}",
				      table[i].name, table[i].path),
			table[i].aesm, &a, &v);

		CHECK_ROW(table[i].path, r == !table[i].ok, "got %d", r);
		if (r == 1)
			CU_ASSERT_EQUAL(v.reason, REASON_HostPathNotAllowed);
	}
}

static void test_messages(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	struct podsecurity_violation v = {0};

	CU_ASSERT_EQUAL(judge("{'spec':{'containers':[{'securityContext':{'capabilities':"
			      "{'add':['SYS_ADMIN']}}}]}}",
				false, &a, &v),
		1);
	CHECK_STR("why", span_str(v.why),
		"is \"SYS_ADMIN\", must be one of a container's default capabilities");
	CU_ASSERT_EQUAL(v.reason, REASON_PodSecurityViolated);
	CU_ASSERT_EQUAL(judge("{'spec':{'securityContext':{'seccompProfile':{}}}}", false, &a, &v), 1);
	CHECK_STR("why", span_str(v.why), "is missing, must be RuntimeDefault or Localhost");
	CU_ASSERT_EQUAL(judge("[]", false, &a, &v), 0);
	CU_ASSERT_EQUAL(judge("{'spec':[]}", false, &a, &v), 1);
}

CU_TestInfo podsecurity_tests[] = {
	{"baseline", test_baseline},
	{"the socket of Intel's webhook", test_aesm_socket},
	{"messages", test_messages},
	CU_TEST_INFO_NULL,
};
