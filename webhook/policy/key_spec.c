/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/key_spec.h"

#include "common/base/clock.h"

enum { KEEP_DEFAULT = 2 };

/* size: when the profile names none. */
static const struct {
	const char *name;
	unsigned size;
} types[KEY_TYPE_N] = {
	{"password", 32},
	{"symmetric", 32},
	{"ec", 256},
	{"rsa", 3072},
	{"x509", 256},
	{"raw", 0},
};

const char *key_type_name(enum key_type t)
{
	return types[t].name;
}

enum key_type key_type_parse(struct span name)
{
	unsigned t = 0;

	while (t < KEY_TYPE_N && !span_is(name, types[t].name))
		t++;
	return (enum key_type)t;
}

static enum key_type type_of(struct json_val key)
{
	unsigned t = 0;

	while (t < KEY_RAW && !json_str_is(json_get(key, "type"), types[t].name))
		t++;
	return (enum key_type)t;
}

void key_spec_read(struct key_spec *ret, struct json_val key)
{
	struct json_val rotation = json_get(key, "rotation");
	char every[64];
	int64_t n;

	*ret = (struct key_spec){.type = type_of(key), .image = json_exists(json_get(key, "use"))};
	json_copy(json_get(key, "name"), ret->name, sizeof(ret->name));
	ret->size = json_int(json_get(key, "size"), &n) ? (unsigned)n : types[ret->type].size;
	if (json_copy(json_get(rotation, "every"), every, sizeof(every)))
		clock_parse_duration(span_str(every), &ret->rotate_usec);
	ret->keep_versions = ret->image ? KEY_VERSIONS_MAX : KEEP_DEFAULT;
	if (json_int(json_get(rotation, "keepVersions"), &n))
		ret->keep_versions = (unsigned)n;
	if (json_str_is(json_get(rotation, "onChange"), "File"))
		ret->on_change = KEY_CHANGE_FILE;
	else if (json_str_is(json_get(rotation, "onChange"), "Restart"))
		ret->on_change = KEY_CHANGE_RESTART;
}
