/* SPDX-License-Identifier: Apache-2.0
 *
 * spec.keys: which keys there are, what they are and who may have them. */
#include <inttypes.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/kbs/delivery.h"
#include "webhook/policy/guest_init_data.h"
#include "webhook/policy/key_spec.h"
#include "webhook/policy/names.h"
#include "webhook/policy/schema.h"

enum {
	KEY_IDENTITIES_MAX = 64,
	SERVICE_ACCOUNTS_MAX = 64,
	VERSIONS_MAX = 16,
	AES_256_LEN = 32,
	DURATION_TEXT_MAX = 64,
};

#define ROTATION_MIN_USEC ((int64_t)60 * USEC_PER_SEC)
#define ROTATION_MAX_USEC ((int64_t)10 * 366 * 86400 * USEC_PER_SEC)

/* What spec.keys[].size may be. */
static const struct key_sizes {
	const char *name;
	int64_t min, max;
	int64_t sizes[8]; /* if any: only these */
	const char *text;
} key_types[] = {
	{"password", 8, 128, {0}, "characters"},
	{"symmetric", 16, 64, {16, 24, 32, 48, 64}, "bytes: 16, 24, 32, 48 or 64"},
	{"ec", 256, 521, {256, 384, 521}, "bits: 256, 384 or 521"},
	{"rsa", 2048, 4096, {2048, 3072, 4096}, "bits: 2048, 3072 or 4096"},
	{"x509", 256, 4096, {256, 384, 521, 2048, 3072, 4096},
		"bits: 256, 384 or 521 (EC), 2048, 3072 or 4096 (RSA)"},
	{"raw", 0, 0, {0}, ""},
};

static int check_type(struct check *c, const struct place *at, struct json_val v)
{
	static const char *const choices[] = {
		"password", "symmetric", "ec", "rsa", "x509", "raw", NULL};

	return check_enum(c, at, v, choices, NULL);
}

static int check_use(struct check *c, const struct place *at, struct json_val v)
{
	static const char *const choices[] = {"image", NULL};

	return check_enum(c, at, v, choices, NULL);
}

/* Sizes depend on the type, so only the key as a whole can be judged. */
static int check_size(struct check *c, const struct place *at, struct json_val key)
{
	struct json_val v = json_get(key, "size"), name = json_get(key, "type");
	const struct key_sizes *type = key_types;
	bool listed = false;
	int64_t n = 0;
	int r;

	if (!json_exists(v))
		return 0;
	while (!json_str_is(name, type->name))
		type++;
	if (type->max == 0)
		return check_fail(c, at, "an imported key has the size it has; remove it");
	r = check_int(c, at, v, type->min, type->max, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(type->sizes); i++)
		listed = listed || type->sizes[i] == n;
	if (!listed && type->sizes[0] != 0)
		return check_fail(c, at, "%" PRId64 " is not a size in %s", n, type->text);
	if (json_exists(json_get(key, "use")) && n != AES_256_LEN)
		return check_fail(c, at, "a key for images has 32 bytes");
	return 0;
}

static int check_every(struct check *c, const struct place *at, struct json_val v)
{
	struct span s = SPAN_NONE;
	int r = check_text(c, at, v, DURATION_TEXT_MAX, &s);
	int64_t usec = 0;

	if (r < 0)
		return r;
	if (clock_parse_duration(s, &usec) < 0)
		return check_fail(
			c, at, SPAN_FMT " is no duration such as 720h", SPAN_ARG(check_shown(v)));
	if (usec < ROTATION_MIN_USEC || usec > ROTATION_MAX_USEC)
		return check_fail(
			c, at, SPAN_FMT " is outside 1m..87840h", SPAN_ARG(check_shown(v)));
	return 0;
}

static int check_versions(struct check *c, const struct place *at, struct json_val v)
{
	return check_int(c, at, v, 1, VERSIONS_MAX, NULL);
}

static int check_on_change(struct check *c, const struct place *at, struct json_val v)
{
	static const char *const choices[] = {"None", "File", "Restart", NULL};

	return check_enum(c, at, v, choices, NULL);
}

static int check_rotation(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"every", check_every, false},
		{"keepVersions", check_versions, false},
		{"onChange", check_on_change, false},
	};

	return check_object(c, at, v, fields, ARRAY_SIZE(fields));
}

static int check_deliver_env(struct check *c, const struct place *at, struct json_val v)
{
	return check_name(c, at, v, name_is_env, "environment variable's name");
}

static int check_deliver_file(struct check *c, const struct place *at, struct json_val v)
{
	return check_name(c, at, v, name_is_path, "absolute path without \"..\"");
}

static int check_deliver(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"env", check_deliver_env, false},
		{"file", check_deliver_file, false},
	};
	int r;

	if (json_str_is(v, "none"))
		return 0;
	if (json_is_string(v))
		return check_fail(c, at, SPAN_FMT " is neither none nor an object with env or file",
			SPAN_ARG(check_shown(v)));
	r = check_object(c, at, v, fields, ARRAY_SIZE(fields));
	if (r == 0 && json_count(v) > 1)
		return check_fail(c, at, "has both env and file, choose one");
	return r;
}

static int check_service_account(struct check *c, const struct place *at, struct json_val v)
{
	return check_name(c, at, v, name_is_dns_subdomain, "service account's name");
}

static int check_service_accounts(struct check *c, const struct place *at, struct json_val v)
{
	if (json_is_array(v) && json_count(v) == 0)
		return check_fail(c, at, "must not be empty");
	return check_array(c, at, v, SERVICE_ACCOUNTS_MAX, true, check_service_account);
}

static int check_grant(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"serviceAccounts", check_service_accounts, false},
		{"evidenceOnly", check_bool, false},
	};
	int r = check_object(c, at, v, fields, ARRAY_SIZE(fields));
	bool evidence_only = json_type(json_get(v, "evidenceOnly")) == JSON_TRUE;

	if (r < 0)
		return r;
	if (evidence_only == json_exists(json_get(v, "serviceAccounts")))
		return check_fail(
			c, at, "needs exactly one of serviceAccounts and evidenceOnly: true");
	return 0;
}

static int check_identity_name(struct check *c, const struct place *at, struct json_val v)
{
	int r = check_dns_label(c, at, v);

	if (r < 0 || json_exists(check_find_named(json_get(c->spec, "identities"), v)))
		return r;
	return check_fail(
		c, at, SPAN_FMT " is no identity of this profile", SPAN_ARG(check_shown(v)));
}

static int check_key_identities(struct check *c, const struct place *at, struct json_val v)
{
	if (json_is_array(v) && json_count(v) == 0)
		return check_fail(c, at, "must not be empty");
	return check_array(c, at, v, KEY_IDENTITIES_MAX, true, check_identity_name);
}

static int check_key_simulated(struct check *c, const struct place *at, struct json_val v)
{
	int r = check_bool(c, at, v);

	if (r < 0 || json_type(v) == JSON_FALSE || c->config->allow_simulated)
		return r;
	return check_fail(c, at, "configuration does not allow simulated TEEs (allowSimulated)");
}

/* Init-data is part of what a guest was started with: with Casemate's own the code is pinned where
 * spec.workload says which; with the user's own he has seen to that. */
static bool pins_init_data(const struct check *c, struct json_val init_data)
{
	return json_exists(init_data) && (!json_str_is(init_data, INIT_DATA_CASEMATE) ||
						 guest_policy_pins_code(c->spec));
}

/* Does what this identity measures include the code that runs? */
static bool pins_code(const struct check *c, struct json_val identity)
{
	struct json_val snp = json_get(identity, "snp"), tdx = json_get(identity, "tdx");
	struct json_val rtmrs = json_get(tdx, "rtmrs");

	return json_exists(json_find(identity, "sgx", "mrenclave")) ||
	       (json_exists(json_get(snp, "measurement")) &&
		       (json_exists(json_get(snp, "hostData")) ||
			       pins_init_data(c, json_get(snp, "initData")))) ||
	       (json_exists(json_get(tdx, "mrtd")) && json_exists(json_get(rtmrs, "1")) &&
		       json_exists(json_get(rtmrs, "2")) &&
		       pins_init_data(c, json_get(tdx, "initData")));
}

/* evidenceOnly lets anyone with the evidence have the key: the identities must say all there is to
 * say. */
static int check_evidence_only(struct check *c, const struct place *at, struct json_val key)
{
	struct json_val named = json_get(key, "identities");
	size_t n = 0;
	struct json_iter it;

	if (json_type(json_find(key, "grant", "evidenceOnly")) != JSON_TRUE)
		return 0;
	json_each (it, json_get(c->spec, "identities")) {
		struct json_val name = json_get(it.value, "name");
		bool counts = json_exists(named) ? check_holds(named, name)
						 : !json_exists(json_get(it.value, "simulated"));

		if (!counts)
			continue;
		n++;
		if (!pins_code(c, it.value))
			return check_fail(c, at,
				"identity " SPAN_FMT " does not pin the code (sgx: mrenclave; snp: "
				"measurement and hostData or initData; tdx: mrtd, rtmrs 1 and 2, "
				"and initData; initData: Casemate with imageDigests and command of "
				"each container in spec.workload); name service accounts instead",
				SPAN_ARG(check_shown(name)));
	}
	return n > 0 ? 0 : check_fail(c, at, "needs an identity that pins the code");
}

/* Where the node's agent delivers, it has one folder for files. */
static int check_place(struct check *c, const struct place *at, struct json_val key)
{
	struct json_val file = json_find(key, "deliver", "file");
	struct span tee = json_str(json_get(c->spec, "tee"), c->a), path = json_str(file, c->a);

	if (!json_exists(file) || !span_starts(tee, "node") || delivery_file_path(path, NULL))
		return 0;
	return check_fail(c, PLACE(PLACE(at, "deliver"), "file"),
		SPAN_FMT " is not right below %s, where the node's agent puts files (tee: node)",
		SPAN_ARG(check_shown(file)), DELIVERY_FILES_DIR);
}

static int check_image_key(struct check *c, const struct place *at, struct json_val key)
{
	if (!json_exists(json_get(key, "use")))
		return 0;
	if (!json_str_is(json_get(key, "type"), "symmetric"))
		return check_fail(c, PLACE(at, "type"), "a key for images is symmetric");
	if (json_count(json_get(key, "deliver")) > 0)
		return check_fail(
			c, PLACE(at, "deliver"), "a key for images never leaves the broker");
	return 0;
}

/* Who is to replace it: the node's agent, which knows of the files that it wrote. */
static int check_changed(struct check *c, const struct place *at, struct json_val key)
{
	struct json_val change = json_find(key, "rotation", "onChange");
	const struct place *where = PLACE(PLACE(at, "rotation"), "onChange");

	if (!json_exists(change) || json_str_is(change, "None"))
		return 0;
	if (json_exists(json_get(key, "use")))
		return check_fail(c, where, SPAN_FMT ": a key for images is in no pod; choose None",
			SPAN_ARG(check_shown(change)));
	if (json_str_is(change, "Restart"))
		return 0;
	if (!span_starts(json_str(json_get(c->spec, "tee"), c->a), "node"))
		return check_fail(c, where,
			"File is what the node's agent does (tee: node); choose Restart or None");
	if (!json_exists(json_find(key, "deliver", "file")))
		return check_fail(c, where,
			"File replaces promised files: set deliver.file, or choose Restart or "
			"None");
	return 0;
}

/* Two keys in one variable or file: one would hide the other. */
static int check_delivered_once(
	struct check *c, const struct place *at, struct json_val key, const char *to)
{
	struct json_val mine = json_find(key, "deliver", to);
	struct json_iter it;

	json_each (it, json_get(c->spec, "keys")) {
		if (it.value.i == key.i)
			break;
		if (json_exists(mine) && json_equal(mine, json_find(it.value, "deliver", to)))
			return check_fail(c, PLACE(PLACE(at, "deliver"), to),
				SPAN_FMT " belongs to key " SPAN_FMT " already",
				SPAN_ARG(check_shown(mine)),
				SPAN_ARG(check_shown(json_get(it.value, "name"))));
	}
	return 0;
}

static int check_key(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"name", check_dns_label, true},
		{"type", check_type, true},
		{"use", check_use, false},
		{"size", NULL, false},
		{"rotation", check_rotation, false},
		{"deliver", check_deliver, false},
		{"identities", check_key_identities, false},
		{"grant", check_grant, false},
		{"allowSimulated", check_key_simulated, false},
	};
	int r = check_object(c, at, v, fields, ARRAY_SIZE(fields));

	if (r == 0)
		r = check_image_key(c, at, v);
	if (r == 0)
		r = check_size(c, PLACE(at, "size"), v);
	if (r == 0)
		r = check_place(c, at, v);
	if (r == 0)
		r = check_changed(c, at, v);
	if (r == 0)
		r = check_delivered_once(c, at, v, "env");
	if (r == 0)
		r = check_delivered_once(c, at, v, "file");
	if (r == 0 && json_str_is(json_get(v, "type"), "raw") &&
		json_exists(json_find(v, "rotation", "every")))
		return check_fail(c, PLACE(PLACE(at, "rotation"), "every"),
			"an imported key cannot be made anew; import the next version instead");
	return r < 0 ? r : check_evidence_only(c, PLACE(PLACE(at, "grant"), "evidenceOnly"), v);
}

int check_keys(struct check *c, const struct place *at, struct json_val v)
{
	return check_named(c, at, v, KEYS_OF_PROFILE_MAX, check_key);
}
