/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/base/quantity.h"
#include "webhook/policy/names.h"
#include "webhook/policy/result.h"

enum {
	VALUE_MAX = 64,  /* bytes of a user's value in a message */
	PLACE_MAX = 320, /* of a place as text */
};

struct span check_shown(struct json_val v)
{
	return utf8_cut(json_raw(v), VALUE_MAX);
}

/* Writes at into text, outermost first; returns the length. */
static size_t place_write(const struct place *at, char text[PLACE_MAX])
{
	size_t n = at->up ? place_write(at->up, text) : 0, room = PLACE_MAX - n;
	int r;

	if (at->name)
		r = snprintf(text + n, room, "%s%s", n ? "." : "", at->name);
	else if (at->key.p)
		r = snprintf(text + n, room, "[" SPAN_FMT "]", SPAN_ARG(at->key));
	else
		r = snprintf(text + n, room, "[%zu]", at->index);
	return r < 0 || (size_t)r >= room ? n : n + (size_t)r;
}

int check_fail(const struct check *c, const struct place *at, const char *fmt, ...)
{
	char text[PLACE_MAX] = "";
	size_t n = at ? place_write(at, text) : 0;
	va_list ap;

	va_start(ap, fmt);
	error_vset(c->err, -EINVAL, fmt, ap);
	va_end(ap);
	text[n] = '\0';
	return n ? error_prefix(c->err, -EINVAL, "%s", text) : -EINVAL;
}

/* The field that key may have been meant to be, or NULL. */
static const char *nearest(
	struct check *c, struct json_val key, const struct field *fields, size_t n)
{
	struct span s = json_str(key, c->a);
	const char *found = NULL;
	unsigned best = 3;

	for (size_t i = 0; i < n; i++) {
		unsigned d = name_distance(s, span_str(fields[i].name));

		if (d < best && d < s.len) {
			best = d;
			found = fields[i].name;
		}
	}
	return found;
}

static int check_unknown(struct check *c, const struct place *at, struct json_val key,
	const struct field *fields, size_t n)
{
	const char *near = nearest(c, key, fields, n);
	struct span shown = check_shown(key);
	char name[VALUE_MAX + 1];

	/* A plain key reads better without its quotes. */
	snprintf(name, sizeof(name), SPAN_FMT, SPAN_ARG(shown));
	if (name_is_env((struct span){shown.p + 1, shown.len - 2}))
		snprintf(name, sizeof(name), SPAN_FMT, (int)shown.len - 2, shown.p + 1);
	return check_fail(c, PLACE(at, name), "unknown field%s%s%s", near ? ", did you mean " : "",
		near ? near : "", near ? "?" : "");
}

int check_object(struct check *c, const struct place *at, struct json_val v,
	const struct field *fields, size_t n)
{
	struct json_iter it;

	if (!json_is_object(v))
		return check_fail(c, at, "must be an object");
	json_each (it, v) {
		const struct field *field = NULL;
		int r = 0;

		for (size_t i = 0; i < n && !field; i++)
			if (json_str_is(it.key, fields[i].name))
				field = &fields[i];
		if (!field)
			return check_unknown(c, at, it.key, fields, n);
		if (field->check)
			r = field->check(c, PLACE(at, field->name), it.value);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n; i++)
		if (fields[i].required && !json_exists(json_get(v, fields[i].name)))
			return check_fail(c, PLACE(at, fields[i].name), "is required");
	return 0;
}

/* Is v equal to an earlier element of array? */
static bool repeated(struct json_val array, struct json_val v, size_t index, const char *member)
{
	struct json_iter it;

	json_each (it, array) {
		if (it.index >= index)
			return false;
		if (json_equal(member ? json_get(it.value, member) : it.value, v))
			return true;
	}
	return false;
}

static int check_elements(struct check *c, const struct place *at, struct json_val v, size_t max,
	bool unique, const char *member,
	int (*element)(struct check *c, const struct place *at, struct json_val v))
{
	struct json_iter it;

	if (!json_is_array(v))
		return check_fail(c, at, "must be an array");
	if (json_count(v) > max)
		return check_fail(
			c, at, "has %zu elements, at most %zu are allowed", json_count(v), max);
	json_each (it, v) {
		struct place here = {.up = at, .index = it.index};
		struct json_val id = member ? json_get(it.value, member) : it.value;
		int r = element(c, &here, it.value);

		if (r < 0)
			return r;
		if (unique && repeated(v, id, it.index, member))
			return check_fail(c, member ? PLACE(&here, member) : &here,
				SPAN_FMT " is there twice", SPAN_ARG(check_shown(id)));
	}
	return 0;
}

int check_array(struct check *c, const struct place *at, struct json_val v, size_t max, bool unique,
	int (*element)(struct check *c, const struct place *at, struct json_val v))
{
	return check_elements(c, at, v, max, unique, NULL, element);
}

int check_named(struct check *c, const struct place *at, struct json_val v, size_t max,
	int (*element)(struct check *c, const struct place *at, struct json_val v))
{
	return check_elements(c, at, v, max, true, "name", element);
}

int check_strings(struct check *c, const struct place *at, struct json_val v, size_t max,
	int (*element)(struct check *c, const struct place *at, struct json_val v),
	struct strings *ret)
{
	int r = check_elements(c, at, v, max, true, NULL, element);
	const char **list;
	struct json_iter it;

	if (r < 0)
		return r;
	list = arena_array(c->a, const char *, json_count(v));
	if (!list)
		return -ENOMEM;
	json_each (it, v) {
		struct span s = json_str(it.value, c->a);

		list[it.index] = s.p ? arena_strdup(c->a, s) : NULL;
		if (!list[it.index])
			return -ENOMEM;
	}
	*ret = (struct strings){list, json_count(v)};
	return 0;
}

int check_bool(struct check *c, const struct place *at, struct json_val v)
{
	if (json_type(v) == JSON_TRUE || json_type(v) == JSON_FALSE)
		return 0;
	return check_fail(c, at, SPAN_FMT " is neither true nor false", SPAN_ARG(check_shown(v)));
}

int check_int(struct check *c, const struct place *at, struct json_val v, int64_t min, int64_t max,
	int64_t *ret)
{
	int64_t n;

	if (!json_int(v, &n))
		return check_fail(c, at, SPAN_FMT " is no whole number", SPAN_ARG(check_shown(v)));
	if (n < min || n > max)
		return check_fail(
			c, at, "%" PRId64 " is outside %" PRId64 "..%" PRId64, n, min, max);
	if (ret)
		*ret = n;
	return 0;
}

/* "a, b or c" */
static void list_choices(const char *const *choices, char text[PLACE_MAX])
{
	size_t n = 0;

	for (size_t i = 0; choices[i] && n < PLACE_MAX; i++)
		n += (size_t)snprintf(text + n, PLACE_MAX - n, "%s%s",
			i == 0 ? "" : (choices[i + 1] ? ", " : " or "), choices[i]);
}

int check_enum(struct check *c, const struct place *at, struct json_val v,
	const char *const *choices, int *ret)
{
	char text[PLACE_MAX] = "";

	for (int i = 0; choices[i]; i++) {
		if (!json_str_is(v, choices[i]))
			continue;
		if (ret)
			*ret = i;
		return 0;
	}
	list_choices(choices, text);
	return check_fail(c, at, SPAN_FMT " is not %s", SPAN_ARG(check_shown(v)), text);
}

int check_text(
	struct check *c, const struct place *at, struct json_val v, size_t max, struct span *ret)
{
	struct span s;

	if (!json_is_string(v))
		return check_fail(c, at, "must be a string");
	s = json_str(v, c->a);
	if (!s.p)
		return -ENOMEM;
	if (s.len > max)
		return check_fail(c, at, "is %zu bytes long, at most %zu are allowed", s.len, max);
	if (ret)
		*ret = s;
	return 0;
}

int check_name(struct check *c, const struct place *at, struct json_val v,
	bool (*is)(struct span s), const char *what)
{
	struct span s = SPAN_NONE;
	int r = check_text(c, at, v, NAME_PATH_MAX, &s);

	if (r < 0 || is(s))
		return r;
	return check_fail(c, at, SPAN_FMT " is no %s", SPAN_ARG(check_shown(v)), what);
}

int check_dns_label(struct check *c, const struct place *at, struct json_val v)
{
	return check_name(c, at, v, name_is_dns_label,
		"name (lower-case letters, digits and inner dashes, at most 63)");
}

int check_hex(struct check *c, const struct place *at, struct json_val v, size_t n_bytes)
{
	struct span s = SPAN_NONE;
	int r = check_text(c, at, v, NAME_PATH_MAX, &s);

	if (r < 0 || name_is_hex(s, n_bytes))
		return r;
	return check_fail(c, at, SPAN_FMT " is not %zu hexadecimal digits",
		SPAN_ARG(check_shown(v)), 2 * n_bytes);
}

int check_bytes(struct check *c, const struct place *at, struct json_val v, int64_t *ret)
{
	struct quantity q = {0};
	struct error err = {0};
	int r = quantity_from_json(&q, v, &err);
	int64_t n = 0;

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return check_fail(
			c, at, SPAN_FMT " is no quantity such as 64Mi", SPAN_ARG(check_shown(v)));
	if (quantity_int64(q, &n) < 0 || n <= 0)
		return check_fail(c, at, SPAN_FMT " is no positive whole number of bytes",
			SPAN_ARG(check_shown(v)));
	*ret = n;
	return 0;
}

bool check_holds(struct json_val array, struct json_val string)
{
	struct json_iter it;

	json_each (it, array)
		if (json_equal(it.value, string))
			return true;
	return false;
}

struct json_val check_find_named(struct json_val array, struct json_val name)
{
	struct json_iter it;

	json_each (it, array)
		if (json_equal(json_get(it.value, "name"), name))
			return it.value;
	return (struct json_val){0};
}
