/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/profile.h"

#include <errno.h>
#include <inttypes.h>

#include "common/base/cleanup.h"
#include "webhook/policy/names.h"
#include "webhook/policy/schema.h"

/* What a profile without a namespace belongs to, as kubectl would apply it. */
#define NAMESPACE_DEFAULT "default"

/* In the order of enum quote_mode, without QUOTE_UNSET. */
static const char *const quote_modes[] = {"none", "aesm", "in-process", NULL};

enum quote_mode quote_mode_parse(struct span s)
{
	for (int i = 0; quote_modes[i]; i++)
		if (span_is(s, quote_modes[i]))
			return (enum quote_mode)(QUOTE_NONE + i);
	return QUOTE_UNSET;
}

static int check_tee(struct check *c, const struct place *at, struct json_val v)
{
	const char *choices[TEE_N] = {NULL};
	int i = 0, r;

	for (enum tee t = TEE_NONE + 1; t < TEE_N; t++)
		choices[t - 1] = tee_name(t);
	r = check_enum(c, at, v, choices, &i);
	if (r == 0)
		c->p->tee = (enum tee)(i + 1);
	return r;
}

static bool names(const struct strings *list, struct span s)
{
	for (size_t i = 0; i < list->n; i++)
		if (span_is(s, list->v[i]))
			return true;
	return false;
}

/* One that configuration accepts for the TEE. Where every TEE is simulated the class is checked
 * but has no effect: a simulated pod never gets a real class. */
static int check_runtime_class(struct check *c, const struct place *at, struct json_val v)
{
	enum tee tee = TEE_NONE;
	struct span name = SPAN_NONE, tee_text = json_str(json_get(c->spec, "tee"), c->a);
	int r = check_text(c, at, v, NAME_SUBDOMAIN_MAX, &name);

	if (r < 0 || name.len == 0)
		return r;
	if (!tee_text.p && json_is_string(json_get(c->spec, "tee")))
		return -ENOMEM;
	tee = tee_parse(tee_text);
	if (tee == TEE_NONE) /* refused by its own field */
		return 0;
	if (!span_is(name, c->config->classes[tee].name) &&
		!names(&c->config->classes[tee].accepted, name))
		return check_fail(c, at,
			SPAN_FMT " is not accepted for tee %s by configuration "
				 "(runtimeClasses.%s.accepted)",
			SPAN_ARG(check_shown(v)), tee_name(tee), tee_name(tee));
	if (c->config->allow_simulated)
		return 0;
	c->p->runtime_class = arena_strdup(c->a, name);
	return c->p->runtime_class ? 0 : -ENOMEM;
}

static int check_epc_default(struct check *c, const struct place *at, struct json_val v)
{
	return check_bytes(c, at, v, &c->p->epc_default);
}

static int check_epc_max(struct check *c, const struct place *at, struct json_val v)
{
	return check_bytes(c, at, v, &c->p->epc_max);
}

/* Neither size may pass what configuration allows a container here. */
static int check_epc_limit(struct check *c, const struct place *at, int64_t limit, const char *name)
{
	if (limit > 0 && c->p->epc_max > limit)
		return check_fail(c, PLACE(at, "max"),
			"%" PRId64 " is above %" PRId64 ", which configuration allows (%s)",
			c->p->epc_max, limit, name);
	if (limit > 0 && c->p->epc_default > limit)
		return check_fail(c, PLACE(at, "default"),
			"%" PRId64 " is above %" PRId64 ", which configuration allows (%s)",
			c->p->epc_default, limit, name);
	return 0;
}

static int check_epc(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"default", check_epc_default, false},
		{"max", check_epc_max, false},
	};
	int r = check_object(c, at, v, fields, ARRAY_SIZE(fields));

	if (r == 0 && c->p->epc_max > 0 && c->p->epc_default > c->p->epc_max)
		return check_fail(c, PLACE(at, "default"), "%" PRId64 " is above max, %" PRId64,
			c->p->epc_default, c->p->epc_max);
	if (r == 0)
		r = check_epc_limit(c, at, c->config->epc_max, "epc.max");
	for (size_t i = 0; i < c->config->namespace_limits.n && r == 0; i++) {
		const struct namespace_limit *limit = &c->config->namespace_limits.v[i];

		if (span_is(span_str(limit->namespace_), c->p->namespace_))
			r = check_epc_limit(c, at, limit->epc_max, "epc.namespaces");
	}
	return r;
}

static int check_quote_mode(struct check *c, const struct place *at, struct json_val v)
{
	int i = 0, r = check_enum(c, at, v, quote_modes, &i);

	if (r == 0)
		c->p->quote = (enum quote_mode)(QUOTE_NONE + i);
	return r;
}

static int check_allow_in_process(struct check *c, const struct place *at, struct json_val v)
{
	int r = check_bool(c, at, v);

	if (r == 0 && json_type(v) == JSON_TRUE && c->config->in_process == IN_PROCESS_NEVER)
		return check_fail(c, at,
			"configuration lets nobody have the provision device (quote.inProcess: "
			"never)");
	c->p->allow_in_process = json_type(v) == JSON_TRUE;
	return r;
}

static int check_quote(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"mode", check_quote_mode, false},
		{"allowInProcess", check_allow_in_process, false},
	};
	int r = check_object(c, at, v, fields, ARRAY_SIZE(fields));

	if (r == 0 && c->p->quote == QUOTE_IN_PROCESS && !c->p->allow_in_process &&
		c->config->in_process != IN_PROCESS_ALWAYS)
		return check_fail(c, PLACE(at, "mode"), "in-process needs allowInProcess: true");
	return r;
}

static const char *const access_names[ACCESS_N] = {
	[ACCESS_EXEC] = "exec",
	[ACCESS_ATTACH] = "attach",
	[ACCESS_PORT_FORWARD] = "portForward",
	[ACCESS_EPHEMERAL] = "ephemeralContainers",
};

/* The field is the place's own name. */
static int check_access_one(struct check *c, const struct place *at, struct json_val v)
{
	static const char *const choices[] = {"Deny", "Allow", NULL};
	int allow = 0, r = check_enum(c, at, v, choices, &allow);

	for (int i = 0; i < ACCESS_N && r == 0; i++)
		if (strcmp(at->name, access_names[i]) == 0)
			c->p->access[i] = allow != 0;
	return r;
}

static int check_access(struct check *c, const struct place *at, struct json_val v)
{
	struct field fields[ACCESS_N];

	for (int i = 0; i < ACCESS_N; i++)
		fields[i] = (struct field){access_names[i], check_access_one, false};
	return check_object(c, at, v, fields, ARRAY_SIZE(fields));
}

static int check_spec(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"tee", check_tee, true},
		{"podSelector", check_pod_selector, false},
		{"runtimeClassName", check_runtime_class, false},
		{"epc", check_epc, false},
		{"quote", check_quote, false},
		{"access", check_access, false},
		{"attestation", check_attestation, false},
		{"workload", check_workload, false},
		{"identities", check_identities, false},
		{"keys", check_keys, false},
	};

	return check_object(c, at, v, fields, ARRAY_SIZE(fields));
}

static int check_api_version(struct check *c, const struct place *at, struct json_val v)
{
	static const char *const choices[] = {"casemate.dev/v1alpha1", NULL};

	return check_enum(c, at, v, choices, NULL);
}

static int check_kind(struct check *c, const struct place *at, struct json_val v)
{
	static const char *const choices[] = {"EnclaveProfile", NULL};

	return check_enum(c, at, v, choices, NULL);
}

/* Copies a string of metadata; absent or wrong: def. */
static int copy(struct check *c, struct json_val v, const char *def, const char **ret)
{
	struct span s = json_is_string(v) ? json_str(v, c->a) : span_str(def);

	*ret = s.p ? arena_strdup(c->a, s) : NULL;
	return *ret ? 0 : -ENOMEM;
}

/* Who the profile is must be known even of one that is not valid. */
static int read_metadata(struct check *c, struct json_val metadata)
{
	int r = copy(c, json_get(metadata, "namespace"), NAMESPACE_DEFAULT, &c->p->namespace_);

	if (r == 0)
		r = copy(c, json_get(metadata, "name"), "", &c->p->name);
	if (r == 0)
		r = copy(c, json_get(metadata, "uid"), "", &c->p->uid);
	if (r == 0 && !json_int(json_get(metadata, "generation"), &c->p->generation))
		c->p->generation = 0;
	return r;
}

/* The API server has judged the rest of metadata. */
static int check_metadata(struct check *c, const struct place *at, struct json_val v)
{
	static const char what[] = "name (lower-case letters, digits, inner dashes and dots)";
	int r;

	if (!json_is_object(v))
		return check_fail(c, at, "must be an object");
	if (!json_exists(json_get(v, "name")))
		return check_fail(c, PLACE(at, "name"), "is required");
	r = check_name(c, PLACE(at, "name"), json_get(v, "name"), name_is_dns_subdomain, what);
	if (r == 0 && json_exists(json_get(v, "namespace")))
		r = check_dns_label(c, PLACE(at, "namespace"), json_get(v, "namespace"));
	return r;
}

static int check_document(struct check *c, struct json_val object)
{
	static const struct field fields[] = {
		{"apiVersion", check_api_version, false},
		{"kind", check_kind, false},
		{"metadata", check_metadata, true},
		{"spec", check_spec, true},
		{"status", NULL, false},
	};

	return check_object(c, NULL, object, fields, ARRAY_SIZE(fields));
}

/* A profile that is not valid still selects its pods, so that they are refused rather than let
 * pass; all it needs for that is a selector that can be read. */
static int read_selector(struct check *c)
{
	struct json_val selector = json_get(c->spec, "podSelector");
	struct check quiet = *c;
	int r = -EINVAL;

	quiet.err = NULL;
	if (json_exists(selector))
		r = check_pod_selector(&quiet, NULL, selector);
	c->p->has_selector = r == 0;
	return r == -ENOMEM ? r : 0;
}

int profile_read(struct profile *ret_p, struct json_val object, const struct policy_config *config,
	struct arena *a)
{
	struct json_val spec = json_get(object, "spec");
	struct profile p = {.object = object,
		.spec = spec,
		.runtime_class = "",
		.message = "",
		.reason = REASON_Ok};
	struct error err = {0};
	struct check c = {.a = a, .err = &err, .config = config, .p = &p, .spec = spec};
	int r = read_metadata(&c, json_get(object, "metadata"));

	if (r == 0)
		r = read_selector(&c);
	if (r < 0)
		return r;
	r = check_document(&c, object);
	if (r == -ENOMEM)
		return r;
	p.valid = r == 0;
	if (!p.valid) {
		/* nothing that it grants counts */
		p = (struct profile){.namespace_ = p.namespace_,
			.name = p.name,
			.uid = p.uid,
			.generation = p.generation,
			.object = object,
			.spec = spec,
			.tee = p.tee,
			.has_selector = p.has_selector,
			.runtime_class = "",
			.reason = REASON_ProfileInvalid,
			.message = arena_strdup(a, span_str(err.message))};
		if (!p.message)
			return -ENOMEM;
	}
	*ret_p = p;
	return 0;
}
