/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/rewrite.h"

#include <errno.h>

#include "common/kbs/delivery.h"
#include "webhook/policy/guest_init_data.h"

#define STATUS_INJECTED "injected"

enum { PAIRS_MAX = RES_N + POD_CONTAINERS_MAX };

/* A member of a map of strings. */
struct pair {
	struct span key, value; /* value.p NULL: remove */
	bool replace;
};

struct pairs {
	struct pair v[PAIRS_MAX];
	size_t n;
};

/* Where operations go. */
struct target {
	const struct ask *k;
	struct patch *patch;
	const char *prefix;
	struct buf scratch; /* values that are built */
};

static bool is_absent(struct json_val v)
{
	return json_type(v) <= JSON_NULL;
}

static void add_pair(struct pairs *p, const char *key, struct span value, bool replace)
{
	p->v[p->n++] = (struct pair){span_str(key), value, replace};
}

/* {"key":"value",…} into scratch. */
static void write_pairs(struct buf *b, const struct pairs *p)
{
	buf_putc(b, '{');
	for (size_t i = 0, n = 0; i < p->n; i++) {
		if (!p->v[i].value.p)
			continue;
		if (n++)
			buf_putc(b, ',');
		buf_json_string(b, p->v[i].key);
		buf_putc(b, ':');
		buf_json_string(b, p->v[i].value);
	}
	buf_putc(b, '}');
}

/* Ends an operation with what scratch holds. */
static void put_scratch(struct target *t)
{
	if (t->scratch.err && !t->patch->ops.err)
		t->patch->ops.err = t->scratch.err;
	patch_value_json(t->patch, buf_view(&t->scratch));
}

static enum patch_kind kind_of(const struct pair *p)
{
	return !p->value.p ? PATCH_REMOVE : p->replace ? PATCH_REPLACE : PATCH_ADD;
}

static void end_pair(struct target *t, const struct pair *p)
{
	patch_key(t->patch, p->key);
	if (p->value.p)
		patch_value_str(t->patch, p->value);
	else
		patch_end(t->patch);
}

static void put_annotations(struct target *t, const struct pairs *p)
{
	if (p->n == 0)
		return;
	if (!is_absent(t->k->pod.annotations)) {
		for (size_t i = 0; i < p->n; i++) {
			patch_op(t->patch, kind_of(&p->v[i]), t->prefix);
			patch_keys(t->patch, "metadata", "annotations");
			end_pair(t, &p->v[i]);
		}
		return;
	}
	buf_reset(&t->scratch);
	patch_op(t->patch, PATCH_ADD, t->prefix);
	patch_keys(t->patch, "metadata");
	if (is_absent(t->k->pod.metadata)) {
		buf_puts(&t->scratch, "{\"annotations\":");
		write_pairs(&t->scratch, p);
		buf_putc(&t->scratch, '}');
	} else {
		patch_keys(t->patch, "annotations");
		write_pairs(&t->scratch, p);
	}
	put_scratch(t);
}

/* want for an annotation whose value is own (.p NULL: absent). */
static void want_annotation(struct pairs *p, const char *key, struct span own, struct span want)
{
	if (!own.p || !span_equal(own, want))
		add_pair(p, key, want, own.p != NULL);
}

/* Is the promise of container i made already? Names are unique in pods that the API server takes.
 */
static bool is_promised(const struct keys_plan *keys, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (keys->c[j].files_key && strcmp(keys->c[j].files_key, keys->c[i].files_key) == 0)
			return true;
	return false;
}

/* Which files the agent is to write. */
static void want_files(struct target *t, const struct keys_plan *keys, struct pairs *p)
{
	for (size_t i = 0; keys->c && i < t->k->pod.n; i++) {
		struct json_val own;

		if (!keys->c[i].files_key || is_promised(keys, i))
			continue;
		own = json_get(t->k->pod.annotations, keys->c[i].files_key);
		if (!json_str_is(own, keys->c[i].files_value))
			add_pair(p, keys->c[i].files_key, span_str(keys->c[i].files_value),
				json_exists(own));
	}
}

static void rewrite_annotations(struct target *t, const struct sgx_plan *sgx,
	const struct keys_plan *keys, const struct guest_plan *guest)
{
	const struct annotations *ann = &t->k->ann;
	struct pairs p = {0};
	const char *epc;

	want_annotation(&p, ANNOTATION_STATUS, ann->status, SPAN_LIT(STATUS_INJECTED));
	if (t->k->profile)
		want_annotation(
			&p, ANNOTATION_PROFILE, ann->profile, span_str(t->k->profile->name));
	if (sgx && sgx->effective > 0) {
		epc = sgx_bytes_text(sgx->effective, t->k->a);
		if (!epc)
			t->patch->ops.err = -ENOMEM;
		want_annotation(&p, ANNOTATION_INTEL_EPC, ann->intel_epc, span_str(epc));
	} else if (ann->intel_epc.p) {
		add_pair(&p, ANNOTATION_INTEL_EPC, SPAN_NONE, true);
	}
	if (guest->init_data)
		add_pair(&p, ANNOTATION_INIT_DATA, span_str(guest->init_data), false);
	want_files(t, keys, &p);
	put_annotations(t, &p);
}

void rewrite_remove_epc(const struct ask *k, const char *prefix, struct patch *patch)
{
	struct target t = {.k = k, .patch = patch, .prefix = prefix};
	struct pairs p = {0};

	add_pair(&p, ANNOTATION_INTEL_EPC, SPAN_NONE, true);
	put_annotations(&t, &p);
}

static void rewrite_class(struct target *t, const struct class_plan *class)
{
	struct patch *patch = t->patch;

	if (class->name) {
		patch_op(patch, t->k->pod.runtime_class.len ? PATCH_REPLACE : PATCH_ADD, t->prefix);
		patch_keys(patch, "spec", "runtimeClassName");
		patch_value_str(patch, span_str(class->name));
	}
	if (class->drop_overhead) {
		patch_op(patch, PATCH_REMOVE, t->prefix);
		patch_keys(patch, "spec", "overhead");
		patch_end(patch);
	}
}

/* The class's pairs that the pod lacks; those that it has are equal. */
static void rewrite_selector(struct target *t, const struct class_plan *class)
{
	struct json_val own = t->k->pod.node_selector;
	bool whole = is_absent(own), first = true;

	buf_reset(&t->scratch);
	for (size_t i = 0; i < class->n_selector; i++) {
		const struct label *l = &class->selector[i];

		if (whole) {
			buf_putc(&t->scratch, first ? '{' : ',');
			buf_json_string(&t->scratch, span_str(l->key));
			buf_putc(&t->scratch, ':');
			buf_json_string(&t->scratch, span_str(l->value));
			first = false;
		} else if (!json_exists(json_get(own, l->key))) {
			patch_op(t->patch, PATCH_ADD, t->prefix);
			patch_keys(t->patch, "spec", "nodeSelector", l->key);
			patch_value_str(t->patch, span_str(l->value));
		}
	}
	if (first)
		return;
	buf_putc(&t->scratch, '}');
	patch_op(t->patch, PATCH_ADD, t->prefix);
	patch_keys(t->patch, "spec", "nodeSelector");
	put_scratch(t);
}

/* The text of a quantity as received; .p NULL when there is none. */
static struct span quantity_text(struct json_val v)
{
	struct span raw = json_raw(v);

	return json_is_string(v) ? (struct span){raw.p + 1, raw.len - 2} : raw;
}

/* What a container must request of r; .p NULL: nothing that it does not request already. *ret_one:
 * exactly one device, whatever the user wrote. */
static struct span wanted(const struct sgx_container *s, bool keys, enum resource r, bool *ret_one)
{
	*ret_one = keys && r == RES_KEYS;
	if (*ret_one)
		return SPAN_LIT("1");
	if (!s)
		return SPAN_NONE;
	*ret_one = (r == RES_ENCLAVE && s->selected) || (r == RES_PROVISION && s->provision) ||
		   (r == RES_AESM && s->aesm_resource);
	if (*ret_one)
		return SPAN_LIT("1");
	return r == RES_EPC ? s->epc_text : SPAN_NONE;
}

/* What changes in a container's limits or requests. */
static void side_changes(const struct amounts *am, const struct sgx_container *s, bool keys,
	bool limits, struct pairs *p)
{
	for (enum resource r = 0; r < RES_GOOGLE_CC; r++) {
		struct json_val own = limits ? am->v[r].limit : am->v[r].request;
		struct json_val other = limits ? am->v[r].request : am->v[r].limit;
		bool one;
		struct span want = wanted(s, keys, r, &one);

		if (r == RES_AKS_EPC || r == RES_ALI_EPC) {
			if (json_exists(own))
				add_pair(p, resource_name(r), SPAN_NONE, true);
		} else if (!json_exists(own)) {
			if (!want.p)
				want = quantity_text(other);
			if (want.p)
				add_pair(p, resource_name(r), want, false);
		} else if (one && am->v[r].n != 1) {
			add_pair(p, resource_name(r), want, true);
		}
	}
}

/* An operation on something inside container c. */
static void begin_in(struct target *t, enum patch_kind kind, const struct container *c)
{
	patch_op(t->patch, kind, t->prefix);
	patch_keys(t->patch, "spec", c->list);
	patch_index(t->patch, c->index);
}

static void put_side(
	struct target *t, const struct container *c, const char *side, const struct pairs *p)
{
	if (p->n == 0)
		return;
	if (is_absent(json_find(c->v, "resources", side))) {
		buf_reset(&t->scratch);
		write_pairs(&t->scratch, p);
		begin_in(t, PATCH_ADD, c);
		patch_keys(t->patch, "resources", side);
		put_scratch(t);
		return;
	}
	for (size_t i = 0; i < p->n; i++) {
		begin_in(t, kind_of(&p->v[i]), c);
		patch_keys(t->patch, "resources", side);
		end_pair(t, &p->v[i]);
	}
}

static void rewrite_resources(struct target *t, size_t i, const struct sgx_container *s, bool keys)
{
	const struct container *c = &t->k->pod.containers[i];
	struct pairs limits = {0}, requests = {0};

	side_changes(&t->k->amounts[i], s, keys, true, &limits);
	side_changes(&t->k->amounts[i], s, keys, false, &requests);
	if (!is_absent(json_get(c->v, "resources"))) {
		put_side(t, c, "limits", &limits);
		put_side(t, c, "requests", &requests);
		return;
	}
	if (limits.n == 0)
		return; /* nothing was requested, so both sides get the same */
	buf_reset(&t->scratch);
	buf_puts(&t->scratch, "{\"limits\":");
	write_pairs(&t->scratch, &limits);
	buf_puts(&t->scratch, ",\"requests\":");
	write_pairs(&t->scratch, &requests);
	buf_putc(&t->scratch, '}');
	begin_in(t, PATCH_ADD, c);
	patch_keys(t->patch, "resources");
	put_scratch(t);
}

/* Ends an operation that adds element to list, whose path is already there. */
static void put_element(struct target *t, struct json_val list, const char *element)
{
	if (!is_absent(list)) {
		patch_append(t->patch);
		patch_value_json(t->patch, span_str(element));
		return;
	}
	buf_reset(&t->scratch);
	buf_printf(&t->scratch, "[%s]", element);
	put_scratch(t);
}

static void rewrite_aesm(struct target *t, size_t i, const struct sgx_container *s)
{
	const struct container *c = &t->k->pod.containers[i];

	if (s->aesm_env) {
		begin_in(t, PATCH_ADD, c);
		patch_keys(t->patch, "env");
		put_element(
			t, json_get(c->v, "env"), "{\"name\":\"" AESM_ENV "\",\"value\":\"1\"}");
	}
	if (s->aesm_mount) {
		begin_in(t, PATCH_ADD, c);
		patch_keys(t->patch, "volumeMounts");
		put_element(t, json_get(c->v, "volumeMounts"),
			"{\"name\":\"" AESM_SOCKET_VOLUME "\",\"mountPath\":\"" AESM_SOCKET_DIR
			"\"}");
	}
}

static void rewrite_volume(struct target *t, enum sgx_volume volume)
{
	static const char *const elements[] = {
		[SGX_VOLUME_MEMORY] = "{\"name\":\"" AESM_SOCKET_VOLUME
				      "\",\"emptyDir\":{\"medium\":\"Memory\"}}",
		[SGX_VOLUME_HOST] = "{\"name\":\"" AESM_SOCKET_VOLUME
				    "\",\"hostPath\":{\"path\":\"" AESM_SOCKET_DIR
				    "\",\"type\":\"DirectoryOrCreate\"}}",
	};

	if (volume == SGX_VOLUME_NONE)
		return;
	patch_op(t->patch, PATCH_ADD, t->prefix);
	patch_keys(t->patch, "spec", "volumes");
	put_element(t, json_get(t->k->pod.spec, "volumes"), elements[volume]);
}

/* What stands for a key in its variable. */
typedef const char *value_of(const struct profile *p, struct json_val key, struct arena *a);

/* {"name": VARIABLE, "value": "…"} into b. */
static void write_variable(struct target *t, struct buf *b, struct json_val key, value_of *value)
{
	const char *text = value(t->k->profile, key, t->k->a);

	if (!text) {
		t->patch->ops.err = -ENOMEM;
		return;
	}
	buf_puts(b, "{\"name\":");
	buf_span(b, json_raw(json_find(key, "deliver", "env")));
	buf_puts(b, ",\"value\":");
	buf_json_string(b, span_str(text));
	buf_putc(b, '}');
}

static void rewrite_variables(struct target *t, const struct container *c,
	const struct json_val *keys, size_t n, value_of *value)
{
	bool whole = is_absent(json_get(c->v, "env"));

	for (size_t i = 0; i < n; i++) {
		if (!whole || i == 0) {
			buf_reset(&t->scratch);
			begin_in(t, PATCH_ADD, c);
			patch_keys(t->patch, "env");
		}
		if (whole)
			buf_putc(&t->scratch, i == 0 ? '[' : ',');
		else
			patch_append(t->patch);
		write_variable(t, &t->scratch, keys[i], value);
		if (whole && i + 1 < n)
			continue;
		if (whole)
			buf_putc(&t->scratch, ']');
		put_scratch(t);
	}
}

static void rewrite_keys(struct target *t, size_t i, const struct keys_container *keys)
{
	static const char *const words[] = {"--", DELIVERY_EXEC}; /* each put in front */
	const struct container *c = &t->k->pod.containers[i];

	rewrite_variables(t, c, keys->env, keys->n_env, keys_url);
	if (keys->mount) {
		begin_in(t, PATCH_ADD, c);
		patch_keys(t->patch, "volumeMounts");
		put_element(t, json_get(c->v, "volumeMounts"), KEYS_MOUNT_JSON);
	}
	for (size_t n = 0; keys->exec && n < ARRAY_SIZE(words); n++) {
		begin_in(t, PATCH_ADD, c);
		patch_keys(t->patch, "command");
		patch_index(t->patch, 0);
		patch_value_str(t->patch, span_str(words[n]));
	}
}

static void rewrite_keys_volume(struct target *t)
{
	patch_op(t->patch, PATCH_ADD, t->prefix);
	patch_keys(t->patch, "spec", "volumes");
	put_element(t, json_get(t->k->pod.spec, "volumes"), KEYS_VOLUME_JSON);
}

void rewrite_pod(const struct ask *k, const char *prefix, const struct class_plan *class,
	const struct sgx_plan *sgx, const struct keys_plan *keys, const struct guest_plan *guest,
	struct patch *patch)
{
	struct target t = {
		.k = k,
		.patch = patch,
		.prefix = prefix,
		.scratch = BUF_INIT(patch->ops.max),
	};

	rewrite_annotations(&t, sgx, keys, guest);
	rewrite_class(&t, class);
	rewrite_selector(&t, class);
	for (size_t i = 0; i < k->pod.n; i++) {
		const struct keys_container *kc = keys->c ? &keys->c[i] : NULL;

		rewrite_resources(&t, i, sgx ? &sgx->c[i] : NULL, kc && kc->selected);
		if (sgx)
			rewrite_aesm(&t, i, &sgx->c[i]);
		if (kc && kc->selected)
			rewrite_keys(&t, i, kc);
		if (guest->c)
			rewrite_variables(&t, &k->pod.containers[i], guest->c[i].env,
				guest->c[i].n_env, guest_sealed);
	}
	if (sgx)
		rewrite_volume(&t, sgx->volume);
	if (keys->volume)
		rewrite_keys_volume(&t);
	buf_free(&t.scratch);
}
