/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/guest.h"

#include <errno.h>

#include "common/kbs/init_data.h"
#include "common/kbs/sealed.h"
#include "webhook/policy/guest_init_data.h"
#include "webhook/policy/keys.h"
#include "webhook/policy/result.h"

static bool is_guest(enum tee t)
{
	return t == TEE_TDX || t == TEE_SNP || t == TEE_CVM;
}

/* Of an entry of spec.keys. False: a is exhausted. */
static bool key_id_of(
	struct key_id *ret, const struct profile *p, struct json_val key, struct arena *a)
{
	struct span name = json_str(json_get(key, "name"), a);

	return name.p &&
	       key_id_set(ret, span_str(p->namespace_), span_str(p->name), name, NULL) == 0;
}

const char *guest_sealed(const struct profile *p, struct json_val key, struct arena *a)
{
	_cleanup_buf_ struct buf out = BUF_INIT(SEALED_MAX);
	struct key_id id;

	if (!key_id_of(&id, p, key, a) || sealed_write(&out, &id) < 0)
		return NULL;
	return arena_strdup(a, buf_view(&out));
}

/* --- init-data --- */

/* Does every identity for guests demand Casemate's init-data? The user's own would get no key. */
static bool demands_ours(const struct profile *p)
{
	bool any = false;
	struct json_iter it;

	json_each (it, json_get(p->spec, "identities")) {
		struct json_val tdx = json_get(it.value, "tdx"), snp = json_get(it.value, "snp");
		struct json_val v = json_exists(tdx) ? tdx : snp;

		if (!json_exists(v))
			continue;
		if (!json_str_is(json_get(v, "initData"), INIT_DATA_CASEMATE))
			return false;
		any = true;
	}
	return any;
}

static int refuse_own(struct ask *k, const char *what)
{
	return ask_refuse(k, REASON_AnnotationInvalid,
		"annotation " ANNOTATION_INIT_DATA
		" %s; correct it, or remove it and have Casemate write its own",
		what);
}

/* The user's own. *ret_same: it is Casemate's, from an earlier mutation. */
static int judge_own(struct ask *k, struct span value, struct span ours, bool *ret_same)
{
	_cleanup_buf_ struct buf text = BUF_INIT(INIT_DATA_MAX);
	unsigned char digest[INIT_DATA_DIGEST_MAX];
	int r = init_data_unpack(&text, value);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return refuse_own(k, r == -E2BIG ? "holds too much" : "is not base64 of gzip");
	*ret_same = ours.p && span_equal(buf_view(&text), ours);
	if (*ret_same)
		return 0;
	r = init_data_digest(digest, buf_view(&text), NULL);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return refuse_own(k, "has no algorithm = \"sha256\", \"sha384\" or \"sha512\"");
	if (k->profile && demands_ours(k->profile))
		return refuse_own(k,
			"is not what Casemate writes for this pod now, and every identity of its "
			"EnclaveProfile has initData: " INIT_DATA_CASEMATE);
	return 0;
}

/* *ret_own: the pod brings init-data of the user's own. */
static int plan_init_data(struct ask *k, struct guest_plan *plan, bool *ret_own)
{
	_cleanup_buf_ struct buf text = BUF_INIT(INIT_DATA_MAX), packed = BUF_INIT(INIT_DATA_MAX);
	struct json_val own = json_get(k->pod.annotations, ANNOTATION_INIT_DATA);
	bool ours = k->profile && guest_init_data_configured(k->rq->config), same = false;
	struct span value = json_str(own, k->a);
	int r = 0;

	if (ours && guest_init_data_write(&text, k->rq->config, k->profile) < 0)
		return text.err == -E2BIG ? refuse_own(k, "would be too long for this profile")
					  : -ENOMEM;
	if (json_type(own) > JSON_NULL) {
		if (!value.p)
			return -ENOMEM;
		r = judge_own(k, value, ours ? buf_view(&text) : SPAN_NONE, &same);
		*ret_own = !same;
		return r;
	}
	if (!ours)
		return 0;
	if (init_data_pack(&packed, buf_view(&text)) < 0)
		return -ENOMEM;
	plan->init_data = arena_strdup(k->a, buf_view(&packed));
	return plan->init_data ? 0 : -ENOMEM;
}

/* --- sealed secrets --- */

/* A sealed secret for the same key that the user signed, whose own init-data lets it pass. */
static bool is_signed(struct ask *k, const struct container *c, struct json_val key)
{
	struct json_iter it;

	json_each (it, json_get(c->v, "env")) {
		struct span value = json_str(json_get(it.value, "value"), k->a);
		struct key_id id, want;
		struct sealed s;

		if (json_equal(json_get(it.value, "name"), json_find(key, "deliver", "env")))
			return sealed_is(value) && sealed_read(&s, value, NULL) == 0 && s.vault &&
			       strcmp(s.provider, "kbs") == 0 &&
			       key_id_parse(&id, span_str(s.name), NULL, NULL) == 0 &&
			       key_id_of(&want, k->profile, key, k->a) &&
			       strcmp(id.namespace_, want.namespace_) == 0 &&
			       strcmp(id.profile, want.profile) == 0 &&
			       strcmp(id.key, want.key) == 0;
	}
	return false;
}

static int plan_container(
	struct ask *k, const struct container *c, struct guest_container *gc, bool own)
{
	struct json_val keys = json_get(k->profile->spec, "keys");
	struct json_iter it;

	gc->env = arena_array(k->a, struct json_val, json_count(keys));
	if (!gc->env)
		return -ENOMEM;
	json_each (it, keys) {
		struct json_val name = json_find(it.value, "deliver", "env");
		const char *text;
		bool found = true;
		int r;

		if (!json_exists(name) || (own && is_signed(k, c, it.value)))
			continue;
		text = guest_sealed(k->profile, it.value, k->a);
		r = text ? keys_variable(k, c, name, text, &found) : -ENOMEM;
		if (r)
			return r;
		if (!found)
			gc->env[gc->n_env++] = it.value;
	}
	return 0;
}

/* Does the container hold a key's variable as it is written here, or signed? False with *r:
 * -ENOMEM. */
static bool holds_ours(struct ask *k, const struct container *c, bool own, int *r)
{
	struct json_val env = json_get(c->v, "env");
	struct json_iter it, variable;

	if (json_count(env) == 0)
		return false;
	json_each (it, json_get(k->profile->spec, "keys")) {
		struct json_val name = json_find(it.value, "deliver", "env");
		const char *text =
			json_exists(name) ? guest_sealed(k->profile, it.value, k->a) : "";

		if (!text)
			*r = -ENOMEM;
		if (json_exists(name) && own && is_signed(k, c, it.value))
			return true;
		json_each (variable, env)
			if (text && json_exists(name) &&
				json_equal(json_get(variable.value, "name"), name) &&
				json_str_is(json_get(variable.value, "value"), text))
				return true;
	}
	return false;
}

/* Those that the annotation lists. Without a list, an app container that has a variable already
 * shows that the choice was made, by its author or by an earlier mutation; else all app containers.
 */
static int plan_containers(struct ask *k, struct guest_plan *plan, bool own)
{
	bool *listed = arena_array(k->a, bool, k->pod.n), chosen = k->ann.containers.p;
	int r;

	plan->c = arena_array(k->a, struct guest_container, k->pod.n);
	r = listed && plan->c ? ask_listed(k, listed) : -ENOMEM;
	for (size_t i = 0; i < k->pod.n && r == 0 && !k->ann.containers.p; i++) {
		const struct container *c = &k->pod.containers[i];

		listed[i] = c->kind == CONTAINER_APP && holds_ours(k, c, own, &r);
		chosen = chosen || listed[i];
	}
	for (size_t i = 0; i < k->pod.n && r == 0; i++) {
		const struct container *c = &k->pod.containers[i];

		if (chosen ? listed[i] : c->kind == CONTAINER_APP)
			r = plan_container(k, c, &plan->c[i], own);
	}
	return r;
}

/* Keys stay in the namespace of their profile; the broker refuses others, and nobody would see why
 * in a guest. */
static int judge_sealed(struct ask *k, const struct container *c, struct json_val variable)
{
	struct span value = json_str(json_get(variable, "value"), k->a);
	struct span name = json_str(json_get(variable, "name"), k->a);
	struct error err = {0};
	struct key_id id;
	struct sealed s;
	int r;

	if (!sealed_is(value))
		return 0;
	r = sealed_read(&s, value, &err);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return ask_refuse(k, REASON_KeyDeliveryConflict,
			"container \"" SPAN_FMT "\": env " SPAN_FMT
			": %s; write it anew with casemate-webhook seal",
			SHOWN(c->name), SHOWN(name), err.message);
	if (strcmp(s.provider, "kbs") != 0 || key_id_parse(&id, span_str(s.name), NULL, NULL) < 0 ||
		strcmp(id.namespace_, k->profile->namespace_) == 0)
		return 0;
	return ask_refuse(k, REASON_NamespaceNotAllowed,
		"container \"" SPAN_FMT "\": env " SPAN_FMT
		": a sealed secret names a key of namespace %s, and keys stay in the namespace of "
		"their profile; name one of %s",
		SHOWN(c->name), SHOWN(name), id.namespace_, k->profile->namespace_);
}

static int judge_variables(struct ask *k)
{
	int r = 0;

	for (size_t i = 0; i < k->pod.n && r == 0; i++) {
		struct json_iter it;

		json_each (it, json_get(k->pod.containers[i].v, "env"))
			if (r == 0)
				r = judge_sealed(k, &k->pod.containers[i], it.value);
	}
	return r;
}

static void warn_files(struct ask *k)
{
	struct json_iter it;

	json_each (it, json_get(k->profile->spec, "keys"))
		if (json_exists(json_find(it.value, "deliver", "file")))
			policy_warn(k->res, k->a,
				"key " SPAN_FMT
				" of EnclaveProfile %s is no file in a confidential "
				"VM by itself: mount a Secret that holds what casemate-webhook "
				"seal "
				"prints",
				SHOWN(json_str(json_get(it.value, "name"), k->a)),
				k->profile->name);
}

int guest_plan(struct ask *k, struct guest_plan *plan)
{
	bool own = false;
	int r;

	*plan = (struct guest_plan){0};
	if (!is_guest(k->tee))
		return 0;
	r = plan_init_data(k, plan, &own);
	if (r || !k->profile)
		return r;
	if (!own) /* with his own a user may have resources elsewhere */
		r = judge_variables(k);
	if (r == 0)
		r = plan_containers(k, plan, own);
	if (r == 0)
		warn_files(k);
	return r;
}
