/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/settings_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "common/base/utf8.h"

const char *setting_show(char out[SETTING_SHOWN_MAX], struct span s)
{
	size_t n = utf8_cut(s, SETTING_SHOWN_MAX - 4).len;

	for (size_t i = 0; i < n; i++)
		out[i] = iscntrl((unsigned char)s.p[i]) ? '?' : s.p[i];
	strcpy(out + n, n < s.len ? "..." : "");
	return out;
}

/* n of this setting as a person writes it. */
static const char *format_number(const struct setting *s, int64_t n, char out[32])
{
	static const struct {
		const char *name;
		int64_t usec;
	} units[] = {{"h", 3600000000}, {"m", 60000000}, {"s", 1000000}, {"ms", 1000}, {"us", 1}};
	_cleanup_buf_ struct buf b = BUF_INIT(31);

	if (s->type == SETTING_QUANTITY && n >= 0 && quantity_format_binary(&b, n) == 0) {
		strcpy(out, b.p);
		return out;
	}
	if (s->type == SETTING_DURATION)
		for (size_t i = 0; n && i < ARRAY_SIZE(units); i++)
			if (n % units[i].usec == 0) {
				snprintf(
					out, 32, "%" PRId64 "%s", n / units[i].usec, units[i].name);
				return out;
			}
	snprintf(out, 32, "%" PRId64 "%s", n, s->type == SETTING_DURATION ? "s" : "");
	return out;
}

/* "expected ..." for a value that is something else. */
static int fail_value(const struct setting *s, const char *got, struct error *err)
{
	static const char *const kinds[] = {
		[SETTING_STRING] = "text",
		[SETTING_BOOL] = "true or false",
		[SETTING_INT] = "a whole number",
		[SETTING_DURATION] = "a duration such as 90s or 1h30m",
		[SETTING_QUANTITY] = "a whole quantity such as 64Mi",
		[SETTING_ENUM] = "one of",
		[SETTING_STRINGS] = "a list of texts, none of them empty",
		[SETTING_CUSTOM] = "a value",
	};
	_cleanup_buf_ struct buf want = BUF_INIT(300);
	char min[32], max[32];

	buf_puts(&want, kinds[s->type]);
	if (s->type == SETTING_ENUM)
		for (size_t i = 0; s->choices[i]; i++)
			buf_printf(&want, "%s %s", i ? "," : "", s->choices[i]);
	if (s->type == SETTING_INT || s->type == SETTING_DURATION || s->type == SETTING_QUANTITY) {
		format_number(s, s->min, min);
		if (s->max)
			buf_printf(&want, " from %s to %s", min, format_number(s, s->max, max));
		else
			buf_printf(&want, ", at least %s", min);
	}
	return error_set(
		err, -EINVAL, "expected %s; found %s", want.p ? want.p : "something else", got);
}

static bool parse_int(struct span text, int64_t *ret)
{
	bool negative = text.len && text.p[0] == '-';
	int64_t n = 0;

	if (negative)
		text = (struct span){text.p + 1, text.len - 1};
	if (!text.len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int digit = text.p[i] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
			(negative ? __builtin_sub_overflow(n, digit, &n)
				  : __builtin_add_overflow(n, digit, &n)))
			return false;
	}
	*ret = n;
	return true;
}

/* The number types, in range. */
static bool parse_number(const struct setting *s, struct span text, int64_t *ret)
{
	struct quantity q;
	int64_t n;
	bool ok;

	if (s->type == SETTING_INT)
		ok = parse_int(text, &n);
	else if (s->type == SETTING_DURATION)
		ok = clock_parse_duration(text, &n) == 0;
	else
		ok = quantity_parse(&q, text, NULL) == 0 && quantity_int64(q, &n) == 0;
	if (!ok || n < s->min || (s->max && n > s->max))
		return false;
	*ret = n;
	return true;
}

static int append_string(struct strings *list, struct span text, struct arena *a, struct error *err)
{
	const char **v = arena_array(a, const char *, list->n + 1);
	char *copy = arena_strdup(a, text);

	if (!v || !copy)
		return error_oom(err);
	if (list->n)
		memcpy(v, list->v, list->n * sizeof(*v));
	v[list->n] = copy;
	*list = (struct strings){v, list->n + 1};
	return 0;
}

/* "a, b" added to the list. */
static int parse_list(const struct setting *s, struct span text, struct strings *list,
	struct arena *a, struct error *err)
{
	const char *end = text.p + text.len;
	int r = 0;

	for (const char *p = text.p; r == 0 && text.len && p;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		struct span item = {p, (size_t)((comma ? comma : end) - p)};

		while (item.len && item.p[0] == ' ')
			item = (struct span){item.p + 1, item.len - 1};
		while (item.len && item.p[item.len - 1] == ' ')
			item.len--;
		r = item.len ? append_string(list, item, a, err)
			     : fail_value(s, "an empty one", err);
		p = comma ? comma + 1 : NULL;
	}
	return r;
}

int setting_set_text(
	const struct setting *s, void *field, struct span text, struct arena *a, struct error *err)
{
	char shown[SETTING_SHOWN_MAX], got[SETTING_SHOWN_MAX + 4];

	snprintf(got, sizeof(got), "\"%s\"", setting_show(shown, text));
	switch (s->type) {
	case SETTING_STRING:
		*(const char **)field = arena_strdup(a, text);
		return *(const char **)field ? 0 : error_oom(err);
	case SETTING_BOOL:
		if (!span_is(text, "true") && !span_is(text, "false"))
			return fail_value(s, got, err);
		*(bool *)field = span_is(text, "true");
		return 0;
	case SETTING_ENUM:
		for (int i = 0; s->choices[i]; i++)
			if (span_is(text, s->choices[i])) {
				*(int *)field = i;
				return 0;
			}
		return fail_value(s, got, err);
	case SETTING_STRINGS:
		return parse_list(s, text, field, a, err);
	case SETTING_INT:
	case SETTING_DURATION:
	case SETTING_QUANTITY:
		return parse_number(s, text, field) ? 0 : fail_value(s, got, err);
	case SETTING_CUSTOM:
		break;
	}
	return 0;
}

/* Is v what YAML should give for s? A scalar's text is then its raw JSON or the string. */
static bool fits_type(const struct setting *s, struct json_val v)
{
	enum json_type t = json_type(v);

	switch (s->type) {
	case SETTING_BOOL:
		return t == JSON_TRUE || t == JSON_FALSE;
	case SETTING_INT:
		return t == JSON_NUMBER;
	case SETTING_QUANTITY:
		return t == JSON_STRING || t == JSON_NUMBER;
	case SETTING_STRINGS:
		return t == JSON_ARRAY;
	default:
		return t == JSON_STRING;
	}
}

/* Not the right type; what is text for people but not for YAML gets the hint. */
static int fail_type(const struct setting *s, struct json_val v, struct error *err)
{
	bool wants_text = s->type == SETTING_STRING || s->type == SETTING_ENUM ||
			  s->type == SETTING_DURATION || s->type == SETTING_STRINGS;
	char got[SETTING_SHOWN_MAX + 40], shown[SETTING_SHOWN_MAX];

	switch (json_type(v)) {
	case JSON_NULL:
		snprintf(got, sizeof(got), "nothing: leave the key out to get the default");
		break;
	case JSON_OBJECT:
		snprintf(got, sizeof(got), "a mapping");
		break;
	case JSON_ARRAY:
		snprintf(got, sizeof(got), "a list");
		break;
	default:
		snprintf(got, sizeof(got), "%s%s", setting_show(shown, json_raw(v)),
			wants_text && !json_is_string(v) ? ": put it in quotes" : "");
	}
	return fail_value(s, got, err);
}

static int set_list(const struct setting *s, struct strings *field, struct json_val v,
	struct arena *a, struct error *err)
{
	struct strings list = {NULL, 0};
	struct json_iter it;

	json_each (it, v) {
		struct span item = json_str(it.value, a);
		int r;

		if (!json_is_string(it.value) || (item.p && !item.len))
			r = fail_type(s, it.value, err);
		else
			r = item.p ? append_string(&list, item, a, err) : error_oom(err);
		if (r < 0)
			return r;
	}
	*field = list;
	return 0;
}

void setting_clear(const struct setting *s, void *field)
{
	switch (s->type) {
	case SETTING_STRING:
		*(const char **)field = "";
		break;
	case SETTING_BOOL:
		*(bool *)field = false;
		break;
	case SETTING_ENUM:
		*(int *)field = 0;
		break;
	case SETTING_STRINGS:
		*(struct strings *)field = (struct strings){NULL, 0};
		break;
	case SETTING_INT:
	case SETTING_DURATION:
	case SETTING_QUANTITY:
		*(int64_t *)field = 0;
		break;
	case SETTING_CUSTOM:
		break; /* the caller's */
	}
}

int setting_set_json(
	const struct setting *s, void *field, struct json_val v, struct arena *a, struct error *err)
{
	struct span text;

	if (!fits_type(s, v))
		return fail_type(s, v, err);
	if (s->type == SETTING_STRINGS)
		return set_list(s, field, v, a, err);
	text = json_is_string(v) ? json_str(v, a) : json_raw(v);
	return text.p ? setting_set_text(s, field, text, a, err) : error_oom(err);
}
