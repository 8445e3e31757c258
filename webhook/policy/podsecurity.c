/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/podsecurity.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/base/cleanup.h"
#include "webhook/policy/result.h"

enum {
	FIELD_MAX = 160, /* of the longest path below: a container's, a handler's, an index */
	VALUE_MAX = 64,  /* how much of the user's value a message shows */
};

/* One evaluation. place says where v of the functions below stands. */
struct judge {
	struct arena *a;
	struct podsecurity_violation *ret;
	char place[FIELD_MAX];
};

/* Which values a string may have; a missing one is fine unless said otherwise. */
struct allowed {
	const char *const *v;
	size_t n;
	bool empty;         /* "" and missing are as good */
	const char *prefix; /* whatever starts with it too */
	const char *text;   /* for messages */
};

#define ALLOWED(text_, empty_, prefix_, ...)                                                       \
	{                                                                                          \
		.v = (const char *const[]){__VA_ARGS__},                                           \
		.n = ARRAY_SIZE(((const char *const[]){__VA_ARGS__})), .empty = (empty_),          \
		.prefix = (prefix_), .text = (text_)                                               \
	}

static const struct allowed CAPABILITIES = ALLOWED("one of a container's default capabilities",
	false, NULL, "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
	"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT");
static const struct allowed SELINUX_TYPES = ALLOWED("a container's SELinux type", true, NULL,
	"container_t", "container_init_t", "container_kvm_t", "container_engine_t");
static const struct allowed EMPTY = {.empty = true, .text = "empty"};
static const struct allowed PROFILE_TYPES =
	ALLOWED("RuntimeDefault or Localhost", false, NULL, "RuntimeDefault", "Localhost");
static const struct allowed APPARMOR_VALUES =
	ALLOWED("runtime/default or localhost/*", true, "localhost/", "runtime/default");
static const struct allowed PROC_MOUNT = ALLOWED("Default", false, NULL, "Default");
static const struct allowed SYSCTLS = ALLOWED("a safe sysctl", false, NULL,
	"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
	"net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_slow_start_after_idle",
	"net.ipv4.tcp_notsent_lowat");

static bool absent(struct json_val v)
{
	return !json_exists(v) || json_type(v) == JSON_NULL;
}

/* Reports field, below the place where the judge is. */
static int violated(struct judge *j, const char *field, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int violated(struct judge *j, const char *field, enum reason reason, const char *fmt, ...)
{
	struct podsecurity_violation found = {.reason = reason};
	va_list ap;

	found.field = arena_printf(j->a, "%s%s%s", j->place, *j->place && *field ? "." : "", field);
	va_start(ap, fmt);
	found.why = arena_vprintf(j->a, fmt, ap);
	va_end(ap);
	if (!found.field || !found.why)
		return -ENOMEM;
	*j->ret = found;
	return 1;
}

static int bad(struct judge *j, const char *field, const char *why)
{
	return violated(j, field, REASON_PodSecurityViolated, "%s", why);
}

/* The user's value as JSON, short enough to be shown. */
static struct span shown(struct json_val v)
{
	return utf8_cut(json_raw(v), VALUE_MAX);
}

/* Refuses what is no object (or array), so that nothing hides behind a wrong type. */
static int want(struct judge *j, struct json_val v, enum json_type type, const char *field)
{
	if (absent(v) || json_type(v) == type)
		return 0;
	return bad(j, field, type == JSON_OBJECT ? "must be an object" : "must be an array");
}

static int not_true(struct judge *j, struct json_val v, const char *field)
{
	if (absent(v) || json_type(v) == JSON_FALSE)
		return 0;
	return bad(j, field, "must not be true");
}

static bool allows(const struct allowed *allowed, struct json_val v, struct arena *a)
{
	if (!json_is_string(v))
		return false;
	if (allowed->empty && json_str_is(v, ""))
		return true;
	for (size_t i = 0; i < allowed->n; i++)
		if (json_str_is(v, allowed->v[i]))
			return true;
	return allowed->prefix && span_starts(json_str(v, a), allowed->prefix);
}

static int one_of(
	struct judge *j, struct json_val v, const struct allowed *allowed, const char *field)
{
	if (allows(allowed, v, j->a) || (absent(v) && allowed->empty))
		return 0;
	return violated(j, field, REASON_PodSecurityViolated, "is " SPAN_FMT ", must be %s",
		SPAN_ARG(absent(v) ? SPAN_LIT("missing") : shown(v)), allowed->text);
}

static int judge_host_namespaces(struct judge *j, struct json_val spec)
{
	static const char *const fields[] = {"hostNetwork", "hostPID", "hostIPC"};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields) && r == 0; i++)
		r = not_true(j, json_get(spec, fields[i]), fields[i]);
	return r;
}

/* appArmorProfile, seccompProfile: a type is required once the object is there. */
static int judge_profile(struct judge *j, struct json_val security, const char *name)
{
	struct json_val profile = json_get(security, name);
	char field[64];
	int r = want(j, profile, JSON_OBJECT, name);

	if (r != 0 || absent(profile))
		return r;
	snprintf(field, sizeof(field), "%s.type", name);
	return one_of(j, json_get(profile, "type"), &PROFILE_TYPES, field);
}

static int judge_selinux(struct judge *j, struct json_val security)
{
	struct json_val options = json_get(security, "seLinuxOptions");
	int r = want(j, options, JSON_OBJECT, "seLinuxOptions");

	if (r == 0)
		r = one_of(j, json_get(options, "type"), &SELINUX_TYPES, "seLinuxOptions.type");
	if (r == 0)
		r = one_of(j, json_get(options, "user"), &EMPTY, "seLinuxOptions.user");
	return r ? r : one_of(j, json_get(options, "role"), &EMPTY, "seLinuxOptions.role");
}

/* What the security contexts of pods and containers have in common. */
static int judge_security(struct judge *j, struct json_val security)
{
	struct json_val windows = json_get(security, "windowsOptions");
	int r = want(j, security, JSON_OBJECT, "");

	if (r == 0)
		r = judge_profile(j, security, "appArmorProfile");
	if (r == 0)
		r = judge_profile(j, security, "seccompProfile");
	if (r == 0)
		r = judge_selinux(j, security);
	if (r == 0)
		r = want(j, windows, JSON_OBJECT, "windowsOptions");
	return r ? r : not_true(j, json_get(windows, "hostProcess"), "windowsOptions.hostProcess");
}

static int judge_capabilities(struct judge *j, struct json_val security)
{
	struct json_val capabilities = json_get(security, "capabilities");
	struct json_val add = json_get(capabilities, "add");
	struct json_iter it;
	char field[64];
	int r = want(j, capabilities, JSON_OBJECT, "capabilities");

	if (r == 0)
		r = want(j, add, JSON_ARRAY, "capabilities.add");
	json_each (it, add) {
		if (r != 0)
			break;
		snprintf(field, sizeof(field), "capabilities.add[%zu]", it.index);
		r = one_of(j, it.value, &CAPABILITIES, field);
	}
	return r;
}

/* A probe or lifecycle handler names no host: the kubelet would connect to it. */
static int judge_handler(struct judge *j, struct json_val handler, const char *name)
{
	static const char *const kinds[] = {"httpGet", "tcpSocket"};
	char field[96];
	int r = want(j, handler, JSON_OBJECT, name);

	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r == 0; i++) {
		struct json_val v = json_get(handler, kinds[i]);

		snprintf(field, sizeof(field), "%s.%s", name, kinds[i]);
		r = want(j, v, JSON_OBJECT, field);
		snprintf(field, sizeof(field), "%s.%s.host", name, kinds[i]);
		if (r == 0)
			r = one_of(j, json_get(v, "host"), &EMPTY, field);
	}
	return r;
}

static int judge_handlers(struct judge *j, struct json_val container)
{
	static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
	struct json_val lifecycle = json_get(container, "lifecycle");
	int r = want(j, lifecycle, JSON_OBJECT, "lifecycle");

	for (size_t i = 0; i < ARRAY_SIZE(probes) && r == 0; i++)
		r = judge_handler(j, json_get(container, probes[i]), probes[i]);
	if (r == 0)
		r = judge_handler(j, json_get(lifecycle, "postStart"), "lifecycle.postStart");
	return r ? r : judge_handler(j, json_get(lifecycle, "preStop"), "lifecycle.preStop");
}

static int judge_ports(struct judge *j, struct json_val ports)
{
	struct json_iter it;
	char field[64];
	int64_t port = 0;
	int r = want(j, ports, JSON_ARRAY, "ports");

	json_each (it, ports) {
		struct json_val host_port = json_get(it.value, "hostPort");

		if (r != 0)
			break;
		snprintf(field, sizeof(field), "ports[%zu]", it.index);
		r = want(j, it.value, JSON_OBJECT, field);
		snprintf(field, sizeof(field), "ports[%zu].hostPort", it.index);
		if (r == 0 && !absent(host_port) && !(json_int(host_port, &port) && port == 0))
			r = bad(j, field, "must not be set");
	}
	return r;
}

/* host_users: the pod shares the node's user namespace, so /proc must stay masked. */
static int judge_container(struct judge *j, struct json_val container, bool host_users)
{
	struct json_val security = json_get(container, "securityContext");
	struct json_val proc_mount = json_get(security, "procMount");
	size_t at = strlen(j->place);
	int r = want(j, container, JSON_OBJECT, "");

	if (r == 0)
		r = judge_ports(j, json_get(container, "ports"));
	if (r == 0)
		r = judge_handlers(j, container);
	snprintf(j->place + at, sizeof(j->place) - at, ".securityContext");
	if (r == 0)
		r = judge_security(j, security);
	if (r == 0)
		r = not_true(j, json_get(security, "privileged"), "privileged");
	if (r == 0)
		r = judge_capabilities(j, security);
	if (r == 0 && host_users && !absent(proc_mount))
		r = one_of(j, proc_mount, &PROC_MOUNT, "procMount");
	return r;
}

static int judge_containers(struct judge *j, struct json_val spec)
{
	static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
	bool host_users = json_type(json_get(spec, "hostUsers")) != JSON_FALSE;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists) && r == 0; i++) {
		struct json_val list = json_get(spec, lists[i]);
		struct json_iter it;

		snprintf(j->place, sizeof(j->place), "spec");
		r = want(j, list, JSON_ARRAY, lists[i]);
		json_each (it, list) {
			if (r != 0)
				break;
			snprintf(j->place, sizeof(j->place), "spec.%s[%zu]", lists[i], it.index);
			r = judge_container(j, it.value, host_users);
		}
	}
	return r;
}

static int judge_sysctls(struct judge *j, struct json_val sysctls)
{
	struct json_iter it;
	char field[64];
	int r = want(j, sysctls, JSON_ARRAY, "sysctls");

	json_each (it, sysctls) {
		if (r != 0)
			break;
		snprintf(field, sizeof(field), "sysctls[%zu].name", it.index);
		r = one_of(j, json_get(it.value, "name"), &SYSCTLS, field);
	}
	return r;
}

/* Volume aesmd-socket exactly as Intel's webhook writes it. */
static bool is_aesm_socket(struct json_val volume)
{
	return json_str_is(json_get(volume, "name"), "aesmd-socket") &&
	       json_str_is(json_find(volume, "hostPath", "path"), "/var/run/aesmd");
}

static int judge_volumes(struct judge *j, struct json_val volumes, bool aesm_socket)
{
	struct json_iter it;
	char field[64];
	int r = want(j, volumes, JSON_ARRAY, "volumes");

	json_each (it, volumes) {
		if (r != 0)
			break;
		snprintf(field, sizeof(field), "volumes[%zu]", it.index);
		r = want(j, it.value, JSON_OBJECT, field);
		if (r != 0 || absent(json_get(it.value, "hostPath")) ||
			(aesm_socket && is_aesm_socket(it.value)))
			continue;
		snprintf(field, sizeof(field), "volumes[%zu].hostPath", it.index);
		r = violated(j, field, REASON_HostPathNotAllowed, "must not be set");
	}
	return r;
}

static int judge_annotations(struct judge *j, struct json_val annotations)
{
	struct json_iter it;
	int r = want(j, annotations, JSON_OBJECT, "annotations");

	json_each (it, annotations) {
		struct span key = json_str(it.key, j->a);
		char field[FIELD_MAX];

		if (r != 0)
			break;
		if (!key.p)
			return -ENOMEM;
		if (!span_starts(key, "container.apparmor.security.beta.kubernetes.io/"))
			continue;
		key = shown(it.key);
		snprintf(field, sizeof(field), "annotations[" SPAN_FMT "]", SPAN_ARG(key));
		r = one_of(j, it.value, &APPARMOR_VALUES, field);
	}
	return r;
}

int podsecurity_baseline(
	struct json_val pod, bool aesm_socket, struct arena *a, struct podsecurity_violation *ret_v)
{
	struct judge j = {.a = a, .ret = ret_v, .place = ""};
	struct json_val metadata = json_get(pod, "metadata"), spec = json_get(pod, "spec");
	struct json_val security = json_get(spec, "securityContext");
	int r = want(&j, metadata, JSON_OBJECT, "metadata");

	if (r == 0)
		r = want(&j, spec, JSON_OBJECT, "spec");
	snprintf(j.place, sizeof(j.place), "metadata");
	if (r == 0)
		r = judge_annotations(&j, json_get(metadata, "annotations"));
	snprintf(j.place, sizeof(j.place), "spec");
	if (r == 0)
		r = judge_host_namespaces(&j, spec);
	if (r == 0)
		r = judge_volumes(&j, json_get(spec, "volumes"), aesm_socket);
	snprintf(j.place, sizeof(j.place), "spec.securityContext");
	if (r == 0)
		r = judge_security(&j, security);
	if (r == 0)
		r = judge_sysctls(&j, json_get(security, "sysctls"));
	return r ? r : judge_containers(&j, spec);
}
