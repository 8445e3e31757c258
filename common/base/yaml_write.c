/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON to block-style YAML, in the layout of sigs.k8s.io/yaml (lists at the indent of their key).
 * A string stays plain only when readers of YAML 1.1 and 1.2 agree that it is one; the rest is
 * double-quoted, with JSON's escapes, or a literal block. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <strings.h>

#include "common/base/utf8.h"
#include "common/base/yaml.h"
#include "common/base/yaml_scalar.h"

enum {
	/* Of a key in JSON. Escaped it grows to six times that, and YAML looks 1024 characters
	 * ahead for the colon of a simple key. */
	SIMPLE_KEY_MAX = 128,
	STEP = 2, /* columns a level */
};

struct writer {
	struct buf *out;
	struct arena arena; /* one decoded string */
	int err;            /* what is not the buffer's */
};

static void put_value(struct writer *w, struct json_val v, int indent);

static void put_indent(struct writer *w, int n)
{
	for (int i = 0; i < n; i++)
		buf_putc(w->out, ' ');
}

/* The code point at s.p[i] and its length. What a document of ours holds has been checked: it is
 * UTF-8. */
static uint32_t next_char(struct span s, size_t i, size_t *ret_n)
{
	uint32_t u = 0;

	*ret_n = utf8_decode((struct span){s.p + i, s.len - i}, &u);
	assert(*ret_n);
	return u;
}

/* Printable as it is and no line break for any reader. */
static bool is_plain_char(uint32_t u)
{
	return (u >= 0x20 && u < 0x7f) ||
	       (u > 0xa0 && u != 0x2028 && u != 0x2029 && u != 0xfeff &&
		       !(u >= 0xd800 && u < 0xe000) && u != 0xfffe && u != 0xffff);
}

static bool only_plain_chars(struct span s, const char *also)
{
	for (size_t i = 0, n; i < s.len; i += n) {
		uint32_t u = next_char(s, i, &n);

		if (!is_plain_char(u) && !(u < 0x80 && u && strchr(also, (int)u)))
			return false;
	}
	return true;
}

/* A word that some reader takes for null, a boolean, a number, a merge or YAML 1.1's "value". */
static bool is_word(struct span s)
{
	static const char *const words[] = {"~", "null", "true", "false", "yes", "no", "on", "off",
		"y", "n", ".inf", "+.inf", "-.inf", ".nan", "<<", "="};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (s.len == strlen(words[i]) && strncasecmp(s.p, words[i], s.len) == 0)
			return true;
	return false;
}

/* Begins like a number, date or time of any base and is made of their characters; letters count
 * only beside digits ("-c" is a flag). */
static bool is_numeric(struct span s)
{
	bool digits = false, letters = false;

	if (!strchr("0123456789+-.", s.p[0]))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!strchr("0123456789abcdefABCDEFxXoO_+-.:tTzZ ", s.p[i]))
			return false;
		digits = digits || (s.p[i] >= '0' && s.p[i] <= '9');
		letters = letters || (s.p[i] | 0x20) >= 'a';
	}
	return digits || !letters;
}

/* s is not empty and holds plain characters only. */
static bool is_plain(struct span s)
{
	char first = s.p[0], last = s.p[s.len - 1];

	if (strchr(" ?:,[]{}#&*!|>'\"%@`", first) || last == ' ' || last == ':')
		return false;
	/* "-x" and "--x" are flags; "- x", "---" and "..." are YAML's. */
	if (first == '-' && (s.len == 1 || s.p[1] == ' ' || span_starts(s, "---")))
		return false;
	if (span_starts(s, "..."))
		return false;
	for (size_t i = 0; i + 1 < s.len; i++)
		if ((s.p[i] == ':' && s.p[i + 1] == ' ') || (s.p[i] == ' ' && s.p[i + 1] == '#'))
			return false;
	return !is_word(s) && !is_numeric(s);
}

static void put_quoted(struct writer *w, struct span s)
{
	size_t run = 0;

	buf_putc(w->out, '"');
	for (size_t i = 0, n; i < s.len; i += n) {
		uint32_t u = next_char(s, i, &n);

		if (is_plain_char(u) && u != '"' && u != '\\')
			continue;
		buf_add(w->out, s.p + run, i - run);
		run = i + n;
		if (u == '"' || u == '\\')
			buf_printf(w->out, "\\%c", (int)u);
		else if (u == '\n' || u == '\t' || u == '\r')
			buf_puts(w->out, u == '\n' ? "\\n" : u == '\t' ? "\\t" : "\\r");
		else
			buf_printf(w->out, "\\u%04X", (unsigned)u);
	}
	buf_add(w->out, s.p + run, s.len - run);
	buf_putc(w->out, '"');
}

/* Does a literal block give exactly s back, whatever the reader: lines of plain characters, a first
 * one that shows the indent, none of blanks alone, and at most one newline at the end. */
static bool is_literal(struct span s)
{
	const char *end = s.p + s.len;

	if (!memchr(s.p, '\n', s.len) || strchr(" \t\n", s.p[0]) || !only_plain_chars(s, "\n\t"))
		return false;
	for (const char *line = s.p; line < end;) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		const char *p = line;

		eol = eol ? eol : end;
		while (p < eol && (*p == ' ' || *p == '\t'))
			p++;
		if (p == eol && (p > line || eol + 1 >= end))
			return false;
		line = eol + 1;
	}
	return true;
}

static void put_literal(struct writer *w, struct span s, int indent)
{
	const char *end = s.p + s.len;

	buf_puts(w->out, end[-1] == '\n' ? "|" : "|-");
	for (const char *line = s.p; line < end;) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));

		eol = eol ? eol : end;
		buf_putc(w->out, '\n');
		if (eol > line)
			put_indent(w, indent);
		buf_add(w->out, line, (size_t)(eol - line));
		line = eol + 1;
	}
}

static struct span decoded(struct writer *w, struct json_val v)
{
	struct span s;

	arena_reset(&w->arena);
	s = json_str(v, &w->arena);
	if (!s.p)
		w->err = -ENOMEM;
	return s.p ? s : SPAN_LIT("");
}

static void put_flow_string(struct writer *w, struct span s)
{
	if (s.len && only_plain_chars(s, "") && is_plain(s))
		buf_span(w->out, s);
	else
		put_quoted(w, s);
}

static void put_number(struct writer *w, struct json_val v)
{
	struct yaml_scalar s;

	if (yaml_scalar_resolve(&s, json_raw(v)) < 0)
		w->err = -ENOMEM;
	else if (s.type == YAML_SCALAR_STRING)
		w->err = -ERANGE;
	buf_span(w->out, json_raw(v));
}

static bool is_block(struct json_val v)
{
	return (json_is_object(v) || json_is_array(v)) && json_count(v) > 0;
}

static void put_key(struct writer *w, struct json_val key)
{
	bool simple = json_raw(key).len <= SIMPLE_KEY_MAX;

	if (!simple)
		buf_puts(w->out, "? ");
	put_flow_string(w, decoded(w, key));
}

/* The members of v, the first where the cursor is, the others at indent. */
static void put_object(struct writer *w, struct json_val v, int indent)
{
	struct json_iter it;

	json_each (it, v) {
		bool simple = json_raw(it.key).len <= SIMPLE_KEY_MAX;

		if (it.index > 0)
			put_indent(w, indent);
		put_key(w, it.key);
		if (!simple) {
			buf_putc(w->out, '\n');
			put_indent(w, indent);
		}
		buf_putc(w->out, ':');
		if (!is_block(it.value)) {
			buf_putc(w->out, ' ');
			put_value(w, it.value, indent + STEP);
			continue;
		}
		buf_putc(w->out, '\n');
		put_indent(w, json_is_array(it.value) ? indent : indent + STEP);
		put_value(w, it.value, json_is_array(it.value) ? indent : indent + STEP);
	}
}

static void put_array(struct writer *w, struct json_val v, int indent)
{
	struct json_iter it;

	json_each (it, v) {
		if (it.index > 0)
			put_indent(w, indent);
		buf_puts(w->out, "- ");
		put_value(w, it.value, indent + STEP);
	}
}

/* v where the cursor is, with its newline; indent is that of its further lines. */
static void put_value(struct writer *w, struct json_val v, int indent)
{
	struct span s;

	if (w->err || w->out->err)
		return;
	if (is_block(v)) {
		if (json_is_array(v))
			put_array(w, v, indent);
		else
			put_object(w, v, indent);
		return;
	}
	switch (json_type(v)) {
	case JSON_STRING:
		s = decoded(w, v);
		if (s.len && is_literal(s))
			put_literal(w, s, indent);
		else
			put_flow_string(w, s);
		break;
	case JSON_NUMBER:
		put_number(w, v);
		break;
	case JSON_OBJECT:
		buf_puts(w->out, "{}");
		break;
	case JSON_ARRAY:
		buf_puts(w->out, "[]");
		break;
	case JSON_MISSING:
		w->err = -EINVAL;
		break;
	default: /* null, true, false */
		buf_span(w->out, json_raw(v));
		break;
	}
	buf_putc(w->out, '\n');
}

int yaml_write(struct buf *out, struct json_val v)
{
	struct writer w = {.out = out, .arena = ARENA_INIT(JSON_MAX_BYTES + 1)};

	/* The root's own further lines (a literal's) must not look like separators. */
	put_value(&w, v, json_is_string(v) ? STEP : 0);
	arena_free(&w.arena);
	return w.err ? w.err : out->err;
}
