/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/environment.h"

#include <string.h>

/* The key's index; DELIVERY_KEYS_MAX: there is no room for one more. */
static size_t key_of(struct exec_environment *e, struct span name)
{
	for (size_t i = 0; i < e->n_keys; i++)
		if (span_equal(e->keys[i], name))
			return i;
	if (e->n_keys == DELIVERY_KEYS_MAX)
		return DELIVERY_KEYS_MAX;
	e->keys[e->n_keys] = name;
	return e->n_keys++;
}

static int add(
	struct exec_environment *e, size_t at, struct span name, struct span key, struct error *err)
{
	struct exec_variable *v = &e->variables[e->n];

	if (e->n == EXEC_VARIABLES_MAX)
		return error_set(err, -E2BIG,
			"variable " SPAN_FMT ": more than %d variables name keys: use fewer",
			SPAN_ARG(name), EXEC_VARIABLES_MAX);
	*v = (struct exec_variable){.at = at, .name = name, .key = key_of(e, key)};
	if (v->key == DELIVERY_KEYS_MAX)
		return error_set(err, -E2BIG,
			"variable " SPAN_FMT ": more than %d keys are asked for: use fewer",
			SPAN_ARG(name), DELIVERY_KEYS_MAX);
	e->n++;
	return 0;
}

/* The key that a value names; SPAN_NONE: none. -EINVAL: it begins so, and names none. */
static int read_value(struct span *ret, struct span value, bool resources, struct error *err)
{
	struct span key = span_after(value, DELIVERY_URL);
	struct key_id id;

	*ret = key;
	if (key.p)
		return delivery_key_name(key)
			       ? 0
			       : error_set(err, -EINVAL,
					 "its value begins with " DELIVERY_URL
					 " but names no key: write " DELIVERY_URL "PROFILE/KEY");
	key = resources ? span_after(value, KEY_ID_KBS) : SPAN_NONE;
	*ret = key;
	if (key.p && key_id_parse(&id, value, NULL, NULL) < 0)
		return error_set(err, -EINVAL,
			"its value begins with " KEY_ID_KBS " but names no key: write " KEY_ID_KBS
			"NAMESPACE/PROFILE/KEY");
	return 0;
}

int exec_environment_read(struct exec_environment *ret, char *const *env, struct error *err)
{
	for (size_t i = 0; env[i]; i++) {
		const char *equals = strchr(env[i], '=');
		struct span name = {env[i], equals ? (size_t)(equals - env[i]) : 0}, key;
		int r = read_value(&key, span_str(equals ? equals + 1 : ""), ret->resources, err);

		if (r < 0)
			return error_prefix(err, r, "variable " SPAN_FMT, SPAN_ARG(name));
		if (!key.p)
			continue;
		r = add(ret, i, name, key, err);
		if (r < 0)
			return r;
	}
	return 0;
}

struct span exec_environment_variable(const struct exec_environment *e, size_t key)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->variables[i].key == key)
			return e->variables[i].name;
	return SPAN_NONE;
}

int exec_key_id(struct key_id *ret, struct span key, const char *namespace_, const char *setting,
	struct error *err)
{
	const char *slash = memchr(key.p, '/', key.len);
	size_t first = slash ? (size_t)(slash - key.p) : key.len;
	struct span rest = {key.p + first, key.len - first};

	if (rest.len && memchr(rest.p + 1, '/', rest.len - 1))
		return key_id_parse(ret, key, NULL, err);
	if (!namespace_ || !*namespace_)
		return error_set(err, -EINVAL,
			"the key's namespace is not known: write kbs:///NAMESPACE/" SPAN_FMT
			", or set %s",
			SPAN_ARG(key), setting);
	return key_id_set(ret, span_str(namespace_), (struct span){key.p, first},
		(struct span){rest.p + 1, rest.len - 1}, err);
}

static int fill_one(const struct exec_environment *e, struct exec_variable *v,
	const struct secret *keys, struct error *err)
{
	struct span key = secret_view(&keys[v->key]);

	if (key.len && memchr(key.p, '\0', key.len))
		return error_set(err, -EILSEQ,
			"variable " SPAN_FMT ": key " SPAN_FMT " holds a byte 0, which no "
			"variable can: deliver it as a file (deliver.file), or make it a password",
			SPAN_ARG(v->name), SPAN_ARG(e->keys[v->key]));
	if (secret_init(&v->text, v->name.len + 1 + key.len) < 0 ||
		secret_add(&v->text, v->name) < 0 || secret_add(&v->text, SPAN_LIT("=")) < 0 ||
		secret_add(&v->text, key) < 0)
		return error_oom(err);
	return 0;
}

int exec_environment_fill(
	struct exec_environment *e, char **env, const struct secret *keys, struct error *err)
{
	for (size_t i = 0; i < e->n; i++) {
		int r = fill_one(e, &e->variables[i], keys, err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < e->n; i++)
		env[e->variables[i].at] = e->variables[i].text.p;
	return 0;
}

void exec_environment_free(struct exec_environment *e)
{
	for (size_t i = 0; i < e->n; i++)
		secret_free(&e->variables[i].text);
	e->n = 0;
}
