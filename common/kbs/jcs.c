/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/jcs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	DIGITS_MAX = 17, /* tell any two doubles apart */
	NUMBER_MAX = 400,
	ARENA_MAX = 4 * 1024 * 1024,
};

struct member {
	struct span key;
	struct json_val value;
};

int jcs_string(struct buf *out, struct span s)
{
	static const char shorts[] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	size_t run = 0;

	buf_putc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(out, s.p + run, i - run);
		run = i + 1;
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < ARRAY_SIZE(shorts) && shorts[c])
			buf_printf(out, "\\%c", shorts[c]);
		else
			buf_printf(out, "\\u%04x", c);
	}
	buf_add(out, s.p ? s.p + run : NULL, s.len - run);
	return buf_putc(out, '"');
}

/* Digits d and exponent e (value: 0.d times 10 to the e), as ECMAScript's Number::toString() has
 * them. */
static void write_digits(struct buf *out, const char *d, int n, int e)
{
	if (e > 21 || e <= -6) {
		buf_putc(out, d[0]);
		if (n > 1)
			buf_printf(out, ".%.*s", n - 1, d + 1);
		buf_printf(out, "e%c%d", e > 0 ? '+' : '-', abs(e - 1));
	} else if (e <= 0) {
		buf_printf(out, "0.%.*s%.*s", -e, "000000", n, d);
	} else if (n <= e) {
		buf_printf(out, "%.*s%.*s", n, d, e - n, "000000000000000000000");
	} else {
		buf_printf(out, "%.*s.%.*s", e, d, n - e, d + e);
	}
}

/* The fewest digits that come back as the same double. */
static int write_number(struct buf *out, struct span raw)
{
	char text[NUMBER_MAX], *p = text, *e, digits[DIGITS_MAX] = {0};
	double v;
	int n = 0;

	if (raw.len >= sizeof(text))
		return -EBADMSG;
	memcpy(text, raw.p, raw.len);
	text[raw.len] = '\0';
	v = strtod(text, NULL);
	if (!isfinite(v))
		return -EBADMSG;
	if (v == 0)
		return buf_putc(out, '0');
	for (int precision = 0; precision < DIGITS_MAX; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, v);
		if (strtod(text, NULL) == v)
			break;
	}
	if (*p == '-')
		buf_putc(out, *p++);
	e = strchr(p, 'e');
	if (!e)
		return -EBADMSG;
	for (; p < e; p++)
		if (*p >= '0' && *p <= '9' && n < DIGITS_MAX)
			digits[n++] = *p;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	write_digits(out, digits, n, (int)strtol(e + 1, NULL, 10) + 1);
	return out->err;
}

/* By UTF-16 code units (section 3.2.3): characters beyond U+FFFF come before U+E000 to U+FFFF,
 * which in UTF-8 begin with 0xEE and 0xEF, below the others' 0xF0. */
static int by_key(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	size_t n = x->key.len < y->key.len ? x->key.len : y->key.len;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)x->key.p[i], d = (unsigned char)y->key.p[i];

		if (c == d)
			continue;
		if (c >= 0xee && d >= 0xee && (c < 0xf0) != (d < 0xf0))
			return c < 0xf0 ? 1 : -1;
		return c < d ? -1 : 1;
	}
	return x->key.len < y->key.len ? -1 : x->key.len > y->key.len;
}

static int write_value(struct buf *out, struct json_val v, struct arena *a, unsigned depth);

static int write_object(struct buf *out, struct json_val v, struct arena *a, unsigned depth)
{
	size_t n = json_count(v), i = 0;
	struct member *members = arena_array(a, struct member, n + 1);
	struct json_iter it;

	if (!members)
		return -ENOMEM;
	json_each (it, v) {
		members[i] = (struct member){json_str(it.key, a), it.value};
		if (!members[i++].key.p)
			return -ENOMEM;
	}
	qsort(members, n, sizeof(*members), by_key);
	buf_putc(out, '{');
	for (i = 0; i < n; i++) {
		int r;

		if (i)
			buf_putc(out, ',');
		jcs_string(out, members[i].key);
		buf_putc(out, ':');
		r = write_value(out, members[i].value, a, depth + 1);
		if (r < 0)
			return r;
	}
	return buf_putc(out, '}');
}

static int write_array(struct buf *out, struct json_val v, struct arena *a, unsigned depth)
{
	struct json_iter it;

	buf_putc(out, '[');
	json_each (it, v) {
		int r;

		if (it.index)
			buf_putc(out, ',');
		r = write_value(out, it.value, a, depth + 1);
		if (r < 0)
			return r;
	}
	return buf_putc(out, ']');
}

static int write_value(struct buf *out, struct json_val v, struct arena *a, unsigned depth)
{
	struct span s;

	if (depth > JCS_DEPTH_MAX)
		return -E2BIG;
	switch (json_type(v)) {
	case JSON_MISSING:
		return -EINVAL;
	case JSON_NUMBER:
		return write_number(out, json_raw(v));
	case JSON_STRING:
		s = json_str(v, a);
		return s.p ? jcs_string(out, s) : -ENOMEM;
	case JSON_ARRAY:
		return write_array(out, v, a, depth);
	case JSON_OBJECT:
		return write_object(out, v, a, depth);
	default:
		return buf_span(out, json_raw(v)); /* null, false, true */
	}
}

int jcs_write(struct buf *out, struct json_val v)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(ARENA_MAX);

	return write_value(out, v, &a, 0);
}
