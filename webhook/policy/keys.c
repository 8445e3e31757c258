/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/keys.h"

#include <errno.h>

#include "common/kbs/delivery.h"
#include "webhook/policy/result.h"

static bool absent(struct json_val v)
{
	return json_type(v) <= JSON_NULL;
}

static bool is_node(enum tee t)
{
	return t == TEE_NODE || t == TEE_NODE_TDX || t == TEE_NODE_SNP;
}

/* Does the agent of the node deliver keys of this profile? false for NULL. */
static bool delivers(const struct profile *p)
{
	struct json_iter it;

	if (!p || !p->valid || !is_node(p->tee))
		return false;
	json_each (it, json_get(p->spec, "keys"))
		if (!json_exists(json_get(it.value, "use"))) /* image keys never leave the broker */
			return true;
	return false;
}

const char *keys_url(const struct profile *p, struct json_val key, struct arena *a)
{
	struct span name = json_str(json_get(key, "name"), a);

	return name.p ? arena_printf(a, DELIVERY_URL "%s/" SPAN_FMT, p->name, SPAN_ARG(name))
		      : NULL;
}

bool keys_is_token_volume(struct json_val volume)
{
	struct json_val projected = json_get(volume, "projected");
	struct json_val sources = json_get(projected, "sources"), source = json_at(sources, 0);
	struct json_val token = json_get(source, "serviceAccountToken");
	int64_t sec = 0;

	return json_str_is(json_get(volume, "name"), DELIVERY_VOLUME) && json_count(volume) == 2 &&
	       json_count(sources) == 1 && json_count(source) == 1 &&
	       json_str_is(json_get(token, "audience"), DELIVERY_AUDIENCE) &&
	       json_str_is(json_get(token, "path"), DELIVERY_TOKEN_NAME) &&
	       json_int(json_get(token, "expirationSeconds"), &sec) && sec == DELIVERY_TOKEN_SEC;
}

bool keys_is_token_mount(struct json_val mount)
{
	return json_str_is(json_get(mount, "name"), DELIVERY_VOLUME) &&
	       json_str_is(json_get(mount, "mountPath"), DELIVERY_TOKEN_DIR) &&
	       json_type(json_get(mount, "readOnly")) == JSON_TRUE &&
	       absent(json_get(mount, "subPath")) && absent(json_get(mount, "subPathExpr"));
}

static int plan_volume(struct ask *k, struct keys_plan *plan)
{
	struct json_iter it;

	plan->volume = true;
	json_each (it, json_get(k->pod.spec, "volumes")) {
		if (!json_str_is(json_get(it.value, "name"), DELIVERY_VOLUME))
			continue;
		if (!keys_is_token_volume(it.value))
			return ask_refuse(k, REASON_KeyDeliveryConflict,
				"spec.volumes[%zu]: a volume called %s is the pod's token for keys "
				"and is written by Casemate; give yours another name",
				it.index, DELIVERY_VOLUME);
		plan->volume = false;
	}
	return 0;
}

static int plan_mount(struct ask *k, const struct container *c, struct keys_container *kc)
{
	struct json_iter it;

	kc->mount = true;
	json_each (it, json_get(c->v, "volumeMounts")) {
		if (!json_str_is(json_get(it.value, "mountPath"), DELIVERY_TOKEN_DIR))
			continue;
		if (!keys_is_token_mount(it.value))
			return ask_refuse(k, REASON_KeyDeliveryConflict,
				"container \"" SPAN_FMT
				"\": volumeMounts[%zu] is at %s, where the pod's token for keys is "
				"mounted; mount yours elsewhere",
				SHOWN(c->name), it.index, DELIVERY_TOKEN_DIR);
		kc->mount = false;
	}
	return 0;
}

int keys_variable(struct ask *k, const struct container *c, struct json_val name, const char *want,
	bool *ret_found)
{
	struct json_iter it;
	bool found = false;

	json_each (it, json_get(c->v, "env")) {
		if (!json_equal(json_get(it.value, "name"), name))
			continue;
		if (!json_str_is(json_get(it.value, "value"), want) ||
			!absent(json_get(it.value, "valueFrom")))
			return ask_refuse(k, REASON_KeyDeliveryConflict,
				"container \"" SPAN_FMT "\": EnclaveProfile %s delivers a key in "
				"the variable " SPAN_FMT
				", which the container sets itself; remove it from env",
				SHOWN(c->name), k->profile->name, SHOWN(json_str(name, k->a)));
		found = true;
	}
	*ret_found = found;
	return 0;
}

/* The variable of one key. */
static int plan_variable(struct ask *k, const struct container *c, struct keys_container *kc,
	struct json_val key, struct json_val name)
{
	const char *url = keys_url(k->profile, key, k->a);
	bool found = false;
	int r = url ? keys_variable(k, c, name, url, &found) : -ENOMEM;

	if (r == 0 && !found)
		kc->env[kc->n_env++] = key;
	return r;
}

/* Keys come in variables only through casemate-exec, which must be told what to start. */
static int plan_command(struct ask *k, const struct container *c, struct keys_container *kc)
{
	struct json_val command = json_get(c->v, "command");

	if (json_count(command) == 0)
		return ask_refuse(k, REASON_CommandMissing,
			"container \"" SPAN_FMT
			"\" has no command, and keys that EnclaveProfile %s delivers in variables "
			"come through casemate-exec, which starts it: write the image's own "
			"entrypoint as command (casemate-webhook inspect shows it), or have the "
			"keys delivered in files",
			SHOWN(c->name), k->profile->name);
	kc->exec = !json_str_is(json_at(command, 0), DELIVERY_EXEC);
	if (!kc->exec && !json_str_is(json_at(command, 1), "--"))
		return ask_refuse(k, REASON_CommandMissing,
			"container \"" SPAN_FMT
			"\": command has no \"--\" behind %s; write it, and "
			"the program with its arguments behind it, or name the program alone",
			SHOWN(c->name), DELIVERY_EXEC);
	return 0;
}

/* {"db.pem":"PROFILE/KEY",…} in the order of the profile; "" when no key comes as a file. */
static int write_files(struct ask *k, struct buf *out)
{
	struct json_iter it;

	json_each (it, json_get(k->profile->spec, "keys")) {
		struct span path = json_str(json_find(it.value, "deliver", "file"), k->a), file;
		struct span key = json_str(json_get(it.value, "name"), k->a);

		if (!path.p || !delivery_file_path(path, &file))
			continue;
		buf_puts(out, out->len ? "," : "{");
		buf_json_string(out, file);
		buf_printf(out, ":\"%s/" SPAN_FMT "\"", k->profile->name, SPAN_ARG(key));
	}
	if (out->len)
		buf_putc(out, '}');
	return out->err;
}

static int plan_files(struct ask *k, const struct container *c, struct keys_container *kc)
{
	enum { FILES_MAX = 64 << 10 };
	_cleanup_buf_ struct buf files = BUF_INIT(FILES_MAX);

	if (write_files(k, &files) < 0)
		return -ENOMEM;
	if (files.len == 0)
		return 0;
	kc->files_key = arena_printf(k->a, DELIVERY_FILES_PREFIX SPAN_FMT, SPAN_ARG(c->name));
	kc->files_value = arena_strdup(k->a, buf_view(&files));
	return kc->files_key && kc->files_value ? 0 : -ENOMEM;
}

static int plan_container(struct ask *k, const struct container *c, struct keys_container *kc)
{
	struct json_val keys = json_get(k->profile->spec, "keys");
	struct json_iter it;
	bool variables = false;
	int r = plan_mount(k, c, kc);

	if (r)
		return r;
	kc->env = arena_array(k->a, struct json_val, json_count(keys));
	if (!kc->env)
		return -ENOMEM;
	json_each (it, keys) {
		struct json_val name = json_find(it.value, "deliver", "env");

		if (!json_exists(name))
			continue;
		variables = true;
		r = plan_variable(k, c, kc, it.value, name);
		if (r)
			return r;
	}
	if (variables)
		r = plan_command(k, c, kc);
	return r ? r : plan_files(k, c, kc);
}

/* Those that the annotation lists, and those that request the device themselves. Without a list, an
 * app container that requests it shows that the choice was made, by its author or by an earlier
 * mutation; else all app containers. */
static int select_containers(struct ask *k, struct keys_plan *plan)
{
	bool chosen = k->ann.containers.p;
	bool *listed = arena_array(k->a, bool, k->pod.n);
	int r = listed ? ask_listed(k, listed) : -ENOMEM;

	for (size_t i = 0; i < k->pod.n && r == 0; i++) {
		bool requests = k->amounts[i].v[RES_KEYS].present;

		plan->c[i].selected = listed[i] || requests;
		chosen = chosen || (requests && k->pod.containers[i].kind == CONTAINER_APP);
	}
	for (size_t i = 0; i < k->pod.n && r == 0; i++) {
		const struct container *c = &k->pod.containers[i];

		plan->c[i].selected |= !chosen && c->kind == CONTAINER_APP;
		if (plan->c[i].selected && c->kind == CONTAINER_INIT)
			r = ask_keys_in_init(k, c);
	}
	return r;
}

/* Layers are unwrapped on the node: on one that is no TEE its owner would read them. */
static void warn_image_keys(struct ask *k)
{
	struct json_iter it;

	if (!k->profile || is_node(k->tee))
		return;
	json_each (it, json_get(k->profile->spec, "keys"))
		if (json_exists(json_get(it.value, "use")))
			policy_warn(k->res, k->a,
				"key " SPAN_FMT " of EnclaveProfile %s opens no image for tee %s: "
				"layers are unwrapped on confidential nodes alone (tee node, "
				"node-tdx, node-snp)",
				SHOWN(json_str(json_get(it.value, "name"), k->a)), k->profile->name,
				tee_name(k->tee));
}

int keys_plan(struct ask *k, struct keys_plan *plan)
{
	int r;

	*plan = (struct keys_plan){0};
	warn_image_keys(k);
	if (!is_node(k->tee) || !delivers(k->profile))
		return 0;
	plan->c = arena_array(k->a, struct keys_container, k->pod.n);
	if (!plan->c)
		return -ENOMEM;
	r = select_containers(k, plan);
	if (r == 0)
		r = plan_volume(k, plan);
	for (size_t i = 0; i < k->pod.n && r == 0; i++)
		if (plan->c[i].selected)
			r = plan_container(k, &k->pod.containers[i], &plan->c[i]);
	return r;
}
