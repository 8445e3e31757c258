/* SPDX-License-Identifier: Apache-2.0
 *
 * What `key explain` looks at: configuration, profiles, the live pod and its node's verdict. */
#include <errno.h>
#include <stdio.h>

#include "common/base/codec.h"
#include "webhook/api_get.h"
#include "webhook/broker/witness.h"
#include "webhook/explain.h"
#include "webhook/policy/resource.h"
#include "webhook/profile_files.h"
#include "webhook/replicas/deny_map.h"

enum { PATH_MAX_BYTES = 700, PROFILES_MAX = 4096 };

/*
 * Configuration and deny lists
 */

static int look_config(struct explanation *x, struct error *err)
{
	char *argv[] = {(char *)"--config", (char *)x->o->config};

	return webhook_config_load(
		&x->config, CONFIG_REVIEW, *x->o->config ? 2 : 0, argv, NULL, err);
}

static int look_api(struct explanation *x, struct error *err)
{
	int r;

	if (*x->o->profiles_dir)
		return 0;
	r = sd_event_new(&x->event);
	if (r < 0)
		return error_set(err, r, "event loop: %s", strerror(-r));
	return kube_client_new(&x->kube, x->event,
		&(struct kube_client_options){
			.kubeconfig = x->o->kubeconfig, .user_agent = "casemate-webhook-key"},
		err);
}

/* Of the ConfigMap; one that is not there, or may not be read, denies nothing more. */
static int add_map(struct explanation *x, struct error *err)
{
	_cleanup_json_ struct json doc = {0};
	const char *space = *x->o->namespace_ ? x->o->namespace_ : kube_client_namespace(x->kube);
	char path[PATH_MAX_BYTES];
	int r;

	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/configmaps/" DENY_MAP_NAME, space);
	r = api_get(x->kube, path, "ConfigMap " DENY_MAP_NAME, &x->arena, &doc, err);
	if (r == -ENOENT)
		return 0;
	for (int i = 0; r == 0 && i < DENY_KINDS; i++) {
		enum deny_kind kind = (enum deny_kind)i;
		struct span line,
			text = json_str(json_find(json_root(&doc), "data", deny_kind_name(kind)),
				&x->arena);

		while (deny_next_line(&text, &line))
			deny_add(x->denied, kind, line, NULL);
	}
	return r;
}

static int look_denied(struct explanation *x, struct error *err)
{
	const struct broker_config *c = &x->config->broker;
	const struct strings *const lists[DENY_KINDS] = {
		[DENY_PLATFORMS] = &c->denied.platforms,
		[DENY_MEASUREMENTS] = &c->denied.measurements,
		[DENY_NODES] = &c->denied.nodes,
		[DENY_KEYS] = &c->denied.keys,
	};
	int r = 0;

	x->denied = deny_new();
	if (!x->denied)
		return error_oom(err);
	for (int i = 0; i < DENY_KINDS && r == 0; i++)
		r = deny_add_list(x->denied, (enum deny_kind)i, lists[i], err);
	return r < 0 || !x->kube ? r : add_map(x, err);
}

/*
 * Profiles
 */

static int look_namespace(struct explanation *x, bool *ret_enabled, struct error *err)
{
	_cleanup_json_ struct json doc = {0};
	char path[PATH_MAX_BYTES], what[100];
	int r;

	snprintf(path, sizeof(path), "/api/v1/namespaces/%s", x->id.namespace_);
	snprintf(what, sizeof(what), "namespace %s", x->id.namespace_);
	r = api_get(x->kube, path, what, &x->arena, &doc, err);
	if (r < 0)
		return r;
	*ret_enabled =
		json_str_is(json_find(json_root(&doc), "metadata", "labels", NAMESPACE_LABEL),
			NAMESPACE_LABEL_VALUE);
	return 0;
}

static int look_profiles(struct explanation *x, struct error *err)
{
	_cleanup_json_ struct json doc = {0};
	const struct span space = span_str(x->id.namespace_);
	struct span *objects;
	char path[PATH_MAX_BYTES];
	struct json_iter it;
	bool enabled = false;
	size_t n = 0;
	int r;

	if (!x->kube)
		return profile_files_load(
			x->o->profiles_dir, &x->config->policy, &x->profiles, err);
	r = look_namespace(x, &enabled, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/apis/casemate.dev/v1alpha1/namespaces/%s/enclaveprofiles",
		x->id.namespace_);
	r = api_get(x->kube, path, "list of EnclaveProfiles", &x->arena, &doc, err);
	objects = arena_array(&x->arena, struct span, PROFILES_MAX);
	if (r == 0 && !objects)
		r = error_oom(err);
	if (r < 0)
		return r;
	json_each (it, json_get(json_root(&doc), "items"))
		if (n < PROFILES_MAX)
			objects[n++] = json_raw(it.value);
	return profile_set_new(
		&x->profiles, objects, n, &space, enabled, false, &x->config->policy, err);
}

/*
 * The pod
 */

static bool asks_for_keys(struct json_val container)
{
	struct amounts am;

	amounts_find(&am, container);
	return am.v[RES_KEYS].present;
}

/* The one that is named, or the only one that asks. */
static int choose_container(struct explanation *x, struct json_val pod, struct error *err)
{
	static const char *const lists[] = {"initContainers", "containers"};
	_cleanup_buf_ struct buf names = BUF_INIT(4096);
	size_t n = 0;

	if (*x->o->container) {
		snprintf(x->who.container, sizeof(x->who.container), "%s", x->o->container);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct json_iter it;

		json_each (it, json_find(pod, "spec", lists[i])) {
			struct json_val name = json_get(it.value, "name");

			if (!asks_for_keys(it.value) ||
				!json_copy(name, x->who.container, sizeof(x->who.container)))
				continue;
			buf_printf(&names, "%s%s", n++ ? ", " : "", x->who.container);
		}
	}
	if (n < 2) /* none: the rules say so */
		return 0;
	return error_set(err, -EINVAL, "name one of the pod's containers: --container (%s)",
		names.p ? names.p : "");
}

static int look_pod(struct explanation *x, struct error *err)
{
	const char *slash = strchr(x->o->pod, '/');
	char path[PATH_MAX_BYTES], what[400];
	struct json_val pod, metadata;
	int r;

	if (!slash || slash == x->o->pod || !slash[1] || strpbrk(slash + 1, "/?#% ") ||
		strlen(x->o->pod) > 320)
		return error_set(
			err, -EINVAL, "--pod: \"%.100s\" is not NAMESPACE/NAME", x->o->pod);
	if (!x->kube)
		return error_set(
			err, -EINVAL, "--pod is of a cluster, --profiles-dir of none: choose");
	snprintf(path, sizeof(path), "/api/v1/namespaces/%.*s/pods/%s", (int)(slash - x->o->pod),
		x->o->pod, slash + 1);
	snprintf(what, sizeof(what), "pod %s", x->o->pod);
	r = api_get(x->kube, path, what, &x->arena, &x->pod, err);
	if (r < 0)
		return r;
	pod = json_root(&x->pod);
	metadata = json_get(pod, "metadata");
	json_copy(json_get(metadata, "namespace"), x->who.namespace_, sizeof(x->who.namespace_));
	json_copy(json_get(metadata, "name"), x->who.pod, sizeof(x->who.pod));
	json_copy(json_get(metadata, "uid"), x->who.pod_uid, sizeof(x->who.pod_uid));
	json_copy(json_find(pod, "spec", "serviceAccountName"), x->who.service_account,
		sizeof(x->who.service_account));
	return choose_container(x, pod, err);
}

static int look_requester(struct explanation *x, struct error *err)
{
	const struct explain_options *o = x->o;

	if (*o->pod && *o->service_account)
		return error_set(
			err, -EINVAL, "--service-account goes with --evidence; a pod has its own");
	if (*o->pod)
		return look_pod(x, err);
	if (!*o->file.evidence)
		return error_set(err, -EINVAL,
			"name who asks: --pod NAMESPACE/NAME, or the evidence: --evidence FILE");
	if (*o->service_account) {
		snprintf(x->who.namespace_, sizeof(x->who.namespace_), "%s", x->id.namespace_);
		snprintf(x->who.service_account, sizeof(x->who.service_account), "%s",
			o->service_account);
	}
	return 0;
}

int explain_look(struct explanation *x, struct error *err)
{
	static int (*const steps[])(struct explanation *, struct error *) = {
		look_config, look_api, look_requester, look_denied, look_profiles};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
		r = steps[i](x, err);
	return r;
}

/*
 * The node
 */

static void take_register(
	struct proven *p, struct json_val name, struct json_val value, struct arena *a)
{
	struct measurement *m = &p->registers[p->n_registers];
	struct span hex = json_str(value, a), text = json_str(name, a);
	const char *copy = text.len ? arena_strdup(a, text) : NULL;

	if (p->n_registers == PROVEN_REGISTERS_MAX || !copy || hex.len % 2 ||
		hex.len > 2 * sizeof(m->value))
		return;
	for (size_t i = 0; i < hex.len / 2; i++) {
		int high = codec_hex_digit(hex.p[2 * i]), low = codec_hex_digit(hex.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return;
		m->value[i] = (unsigned char)(high << 4 | low);
	}
	m->len = hex.len / 2;
	m->name = copy;
	p->n_registers++;
}

static int32_t number(struct json_val v, struct arena *a)
{
	struct span text = json_str(v, a);
	long n = text.len && text.len < 10 ? strtol(arena_strdup(a, text), NULL, 10) : -1;

	return n < 0 ? -1 : (int32_t)n;
}

/* What the verifier wrote of the evidence; the agent's own, when it asks, must be of the same
 * platform and is judged anew. */
static void prove(struct explanation *x, const struct record *r, struct json_val status)
{
	static const enum tee_type tees[RECORD_PLATFORM_N] = {[RECORD_SGX] = TEE_TYPE_SGX,
		[RECORD_TDX] = TEE_TYPE_TDX,
		[RECORD_SNP] = TEE_TYPE_SNP,
		[RECORD_SIMULATED] = TEE_TYPE_SIMULATED};
	struct json_val measurements = json_get(status, "measurements");
	struct json_iter it;
	struct proven *p = &x->proven;

	*p = (struct proven){.tee = tees[r->platform], .guest_svn = -1, .tcb = TCB_STATUS_N};
	p->isv_prod_id = number(json_get(measurements, "isvProdId"), &x->arena);
	p->isv_svn = number(json_get(measurements, "isvSvn"), &x->arena);
	tcb_status_parse(span_str(r->tcb_status), &p->tcb);
	json_each (it, measurements)
		take_register(p, it.key, it.value, &x->arena);
	json_each (it, json_find(status, "tcb", "advisories"))
		if (p->n_advisories < PROVEN_ADVISORIES_MAX &&
			json_copy(it.value, p->advisories[p->n_advisories], PROVEN_ADVISORY_MAX))
			p->n_advisories++;
	memcpy(p->platform_id, r->platform_id, r->platform_id_len);
	p->platform_id_len = r->platform_id_len;
	x->has_proven = true;
}

int explain_node(struct explanation *x, struct error *err)
{
	static const char rule[] = "the pod's node is attested";
	struct record r;
	enum reason reason = REASON_Ok;
	struct error why = {0};
	char path[PATH_MAX_BYTES];
	int code;

	if (!json_copy(json_find(json_root(&x->pod), "spec", "nodeName"), x->who.node,
		    sizeof(x->who.node)) ||
		!x->who.node[0])
		return explain_found(x, rule, GRANT_FAILS, REASON_NodeMismatch,
			"the pod is on no node yet: it asks for keys once it is");
	snprintf(
		path, sizeof(path), "/apis/casemate.dev/v1alpha1/nodeattestations/%s", x->who.node);
	code = api_get(
		x->kube, path, "NodeAttestation of the pod's node", &x->arena, &x->record, err);
	if (code == -ENOENT)
		return explain_found(x, rule, GRANT_FAILS, REASON_NotAttested, err->message);
	if (code < 0)
		return code;
	record_read(&r, json_root(&x->record));
	memcpy(x->who.node_uid, r.node_uid, sizeof(x->who.node_uid));
	if (!witness_node_holds(&r, x->who.node, r.node_uid, x->now_sec, &reason, &why))
		return explain_found(x, rule, GRANT_FAILS, reason, why.message);
	if (!*x->o->file.evidence)
		prove(x, &r, json_get(json_root(&x->record), "status"));
	return explain_found(x, rule, GRANT_HOLDS, REASON_Ok, "");
}
