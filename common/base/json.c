/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser of RFC 8259: one pass, no recursion. While a container is open, its node's next holds
 * the index of the container around it, so the nodes are their own stack. */
#include "common/base/json.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/json_string.h"
#include "common/base/utf8.h"

enum {
	FIRST_NODES = 256,
	FEW_KEYS = 16,  /* up to here pairs are compared, beyond keys are sorted */
	SHOWN_KEY = 60, /* bytes of a key in a message */
	NO_NODE = UINT32_MAX,
};

/* What comes next. */
enum {
	TEXT_DONE,
	VALUE_FOLLOWS,
	VALUE_DONE,
};

struct parser {
	const char *p, *end;
	struct json *doc;
	size_t room; /* nodes that fit now */
	size_t max_nodes;
	uint32_t open; /* innermost open container */
	unsigned depth, max_depth;
	struct error *err;
};

/* Line and column (in characters; both from 1), for messages. */
static void position(const char *text, const char *at, unsigned *ret_line, unsigned *ret_column)
{
	unsigned line = 1, column = 1;

	for (const char *p = text; p < at; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if (!utf8_continues(*p)) { /* characters, not bytes */
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}

__attribute__((cold, noinline, format(printf, 4, 5))) static int fail(
	const struct parser *ps, const char *at, int code, const char *fmt, ...)
{
	unsigned line, column;
	char what[240];
	va_list ap;

	if (!ps->err)
		return code;
	position(ps->doc->text, at, &line, &column);
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return error_set(ps->err, code, "line %u, column %u: %s", line, column, what);
}

__attribute__((cold, noinline)) static int expected(
	const struct parser *ps, const char *at, const char *what)
{
	unsigned char c;

	if (at == ps->end)
		return fail(ps, at, -EBADMSG, "expected %s, got the end of the text", what);
	c = (unsigned char)*at;
	if (c > 0x20 && c < 0x7f)
		return fail(ps, at, -EBADMSG, "expected %s, got '%c'", what, c);
	return fail(ps, at, -EBADMSG, "expected %s, got byte 0x%02x", what, c);
}

__attribute__((cold, noinline)) static int grow(struct parser *ps, const char *at)
{
	struct json *doc = ps->doc;
	size_t cap = doc->cap ? doc->cap * 2 : FIRST_NODES;
	struct json_node *nodes;

	if (doc->n >= ps->max_nodes)
		return fail(ps, at, -E2BIG, "more than %zu keys and values", ps->max_nodes);
	nodes = reallocarray(doc->nodes, cap, sizeof(*nodes));
	if (!nodes)
		return error_oom(ps->err);
	doc->nodes = nodes;
	doc->cap = cap;
	ps->room = cap < ps->max_nodes ? cap : ps->max_nodes;
	return 0;
}

/* Appends a node for start..end. A container's next is set when it closes. */
static inline int add_node(
	struct parser *ps, enum json_type type, const char *start, const char *end, bool escaped)
{
	struct json *doc = ps->doc;
	uint32_t i = (uint32_t)doc->n;

	if (doc->n == ps->room) {
		int r = grow(ps, start);

		if (r < 0)
			return r;
	}
	doc->nodes[i] = (struct json_node){
		.off = (uint32_t)(start - doc->text),
		.len = (uint32_t)(end - start),
		.next = i + 1,
		.type = type,
		.escaped = escaped,
	};
	doc->n++;
	ps->p = end;
	return 0;
}

static inline void skip_space(struct parser *ps)
{
	const char *p = ps->p;

	while (p < ps->end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	ps->p = p;
}

/* The first byte of p..end that a string cannot simply contain: a quote, a backslash, a control
 * character or anything beyond ASCII. */
static inline const char *plain_run(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101, tops = ones << 7;

	/* A byte of x - c * ones has its top bit set where x is below c, and elsewhere only above
	 * such a byte (the borrow): the lowest bit is exact. */
	while (end - p >= 8) {
		uint64_t x, hit;

		memcpy(&x, p, 8);
		x = le64toh(x);
		hit = (x | (x - 0x20 * ones) | ((x ^ '"' * ones) - ones) |
			      ((x ^ '\\' * ones) - ones)) &
		      tops;
		if (hit)
			return p + (__builtin_ctzll(hit) >> 3);
		p += 8;
	}
	while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
		*p != '\\')
		p++;
	return p;
}

/* The code unit of \uXXXX at p, or -1. */
static int32_t code_unit(const char *p, const char *end)
{
	int32_t unit = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = json_hex(p[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* Checks the escape at *p and steps over it. */
static int check_escape(const struct parser *ps, const char **p)
{
	const char *at = *p;
	int32_t unit, low;

	if (ps->end - at < 2)
		return expected(ps, ps->end, "an escape after '\\'");
	if (at[1] != 'u') {
		if (!memchr("\"\\/bfnrt", at[1], 8))
			return expected(ps, at + 1, "one of \"\\/bfnrtu after '\\'");
		*p += 2;
		return 0;
	}
	unit = code_unit(at, ps->end);
	if (unit < 0)
		return fail(ps, at, -EBADMSG, "expected four hexadecimal digits after \\u");
	if (unit == 0)
		return fail(ps, at, -EBADMSG, "\\u0000 is refused: strings must be free of NUL");
	*p += 6;
	if (unit < 0xd800 || unit > 0xdfff)
		return 0;
	low = code_unit(at + 6, ps->end);
	if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return fail(ps, at, -EBADMSG, "the surrogate %.6s stands alone", at);
	*p += 6;
	return 0;
}

/* The string whose quote is at ps->p. */
static int parse_string(struct parser *ps)
{
	const char *start = ps->p, *p = start + 1;
	bool escaped = false;

	for (;;) {
		p = plain_run(p, ps->end);
		if (p == ps->end)
			return expected(ps, p, "a closing quote");
		if (*p == '"')
			return add_node(ps, JSON_STRING, start, p + 1, escaped);
		if (*p == '\\') {
			int r = check_escape(ps, &p);

			if (r < 0)
				return r;
			escaped = true;
		} else if ((unsigned char)*p < 0x20) {
			return fail(ps, p, -EBADMSG,
				"control character 0x%02x in a string; escape it",
				(unsigned char)*p);
		}
		while (p < ps->end && (unsigned char)*p >= 0x80) {
			size_t n = utf8_decode((struct span){p, (size_t)(ps->end - p)}, NULL);

			if (n == 0)
				return fail(ps, p, -EBADMSG, "invalid UTF-8 in a string");
			p += n;
		}
	}
}

/* Steps over digits; false when there is none. */
static inline bool digits(const char **p, const char *end)
{
	const char *start = *p;

	while (*p < end && **p >= '0' && **p <= '9')
		(*p)++;
	return *p > start;
}

static int parse_number(struct parser *ps)
{
	const char *p = ps->p, *end = ps->end;

	if (*p == '-')
		p++;
	if (p < end && *p == '0')
		p++; /* nothing may follow a leading zero */
	else if (!digits(&p, end))
		return expected(ps, p, "a digit");
	if (p < end && *p == '.') {
		p++;
		if (!digits(&p, end))
			return expected(ps, p, "a digit after '.'");
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (!digits(&p, end))
			return expected(ps, p, "a digit of the exponent");
	}
	return add_node(ps, JSON_NUMBER, ps->p, p, false);
}

static int parse_literal(struct parser *ps, enum json_type type, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(ps->end - ps->p) < n || memcmp(ps->p, word, n) != 0)
		return expected(ps, ps->p, "a value");
	return add_node(ps, type, ps->p, ps->p + n, false);
}

static int parse_key(struct parser *ps)
{
	int r;

	skip_space(ps);
	if (ps->p == ps->end || *ps->p != '"')
		return expected(ps, ps->p, "a key in quotes");
	r = parse_string(ps);
	if (r < 0)
		return r;
	skip_space(ps);
	if (ps->p == ps->end || *ps->p != ':')
		return expected(ps, ps->p, "':' after a key");
	ps->p++;
	return 0;
}

static int fail_duplicate(const struct parser *ps, uint32_t key)
{
	struct json_str s = json_str_of(ps->doc, key);
	struct span shown = utf8_cut((struct span){s.p, s.len}, SHOWN_KEY);

	return fail(ps, s.p - 1, -EBADMSG, "the key \"" SPAN_FMT "%s\" is there twice; remove one",
		SPAN_ARG(shown), shown.len < s.len ? "..." : "");
}

/* Equal keys have equal tags: the length and the last bytes, where keys of one object differ (they
 * often share a prefix, such as "app.kubernetes.io/"). */
static inline uint64_t key_tag(const struct json *doc, const struct json_node *key)
{
	size_t end = key->off + (size_t)key->len;
	uint64_t x = 0;

	if (end >= 8)
		memcpy(&x, doc->text + end - 8, 8);
	else
		memcpy((char *)&x + 8 - end, doc->text, end);
	x = le64toh(x);
	if (key->len < 8)
		x >>= 64 - 8 * key->len;
	return x ^ (uint64_t)key->len << 48;
}

static int check_few_keys(const struct parser *ps, uint32_t object)
{
	const struct json *doc = ps->doc;
	uint64_t tags[FEW_KEYS];
	uint32_t keys[FEW_KEYS];
	size_t n = doc->nodes[object].count;
	bool escaped = false;

	keys[0] = object + 1;
	for (size_t i = 0; i < n; i++) {
		if (i)
			keys[i] = doc->nodes[keys[i - 1] + 1].next;
		tags[i] = key_tag(doc, &doc->nodes[keys[i]]);
		escaped = escaped || doc->nodes[keys[i]].escaped;
	}
	for (size_t i = 1; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			if ((tags[i] == tags[j] || escaped) &&
				json_str_same(json_str_of(doc, keys[i]), json_str_of(doc, keys[j])))
				return fail_duplicate(ps, keys[i]);
		}
	}
	return 0;
}

static int check_many_keys(const struct parser *ps, uint32_t object)
{
	const struct json *doc = ps->doc;
	_cleanup_free_ uint32_t *keys = json_sorted_keys(doc, object);

	if (!keys)
		return error_oom(ps->err);
	for (size_t i = 1; i < doc->nodes[object].count; i++) {
		uint32_t a = keys[i - 1], b = keys[i];

		if (json_str_same(json_str_of(doc, a), json_str_of(doc, b)))
			return fail_duplicate(ps, a > b ? a : b);
	}
	return 0;
}

/* Closes the innermost container; ps->p is at its bracket. */
static int close_container(struct parser *ps)
{
	struct json *doc = ps->doc;
	struct json_node *node = &doc->nodes[ps->open];
	uint32_t outer = node->next;
	int r = 0;

	if (node->type == JSON_OBJECT && node->count > 1)
		r = node->count <= FEW_KEYS ? check_few_keys(ps, ps->open)
					    : check_many_keys(ps, ps->open);
	if (r < 0)
		return r;
	ps->p++;
	node->len = (uint32_t)(ps->p - doc->text) - node->off;
	node->next = (uint32_t)doc->n;
	ps->open = outer;
	ps->depth--;
	return VALUE_DONE;
}

static int open_container(struct parser *ps, enum json_type type)
{
	uint32_t i = (uint32_t)ps->doc->n;
	int r;

	if (ps->depth == ps->max_depth)
		return fail(ps, ps->p, -E2BIG, "nested deeper than %u levels", ps->max_depth);
	r = add_node(ps, type, ps->p, ps->p + 1, false);
	if (r < 0)
		return r;
	ps->doc->nodes[i].next = ps->open;
	ps->open = i;
	ps->depth++;
	skip_space(ps);
	if (ps->p < ps->end && *ps->p == (type == JSON_OBJECT ? '}' : ']'))
		return close_container(ps);
	r = type == JSON_OBJECT ? parse_key(ps) : 0;
	return r < 0 ? r : VALUE_FOLLOWS;
}

/* One scalar, one empty container, or the start of a container. */
static int parse_value(struct parser *ps)
{
	int r;

	skip_space(ps);
	if (ps->p == ps->end)
		return expected(ps, ps->p, "a value");
	switch (*ps->p) {
	case '"':
		r = parse_string(ps);
		break;
	case '{':
		return open_container(ps, JSON_OBJECT);
	case '[':
		return open_container(ps, JSON_ARRAY);
	case 't':
		r = parse_literal(ps, JSON_TRUE, "true");
		break;
	case 'f':
		r = parse_literal(ps, JSON_FALSE, "false");
		break;
	case 'n':
		r = parse_literal(ps, JSON_NULL, "null");
		break;
	case '-':
	case '0' ... '9':
		r = parse_number(ps);
		break;
	default:
		return expected(ps, ps->p, "a value");
	}
	return r < 0 ? r : VALUE_DONE;
}

/* Behind a value: closes what ends here, up to the next value's first byte or the text's end. */
static int after_value(struct parser *ps)
{
	int r;

	while (ps->open != NO_NODE) {
		struct json_node *node = &ps->doc->nodes[ps->open];
		bool object = node->type == JSON_OBJECT;

		node->count++;
		skip_space(ps);
		if (ps->p < ps->end && *ps->p == ',') {
			ps->p++;
			r = object ? parse_key(ps) : 0;
			return r < 0 ? r : VALUE_FOLLOWS;
		}
		if (ps->p == ps->end || *ps->p != (object ? '}' : ']'))
			return expected(ps, ps->p, object ? "',' or '}'" : "',' or ']'");
		r = close_container(ps);
		if (r < 0)
			return r;
	}
	skip_space(ps);
	if (ps->p != ps->end)
		return expected(ps, ps->p, "nothing after the value");
	return TEXT_DONE;
}

int json_parse(
	struct json *doc, struct span text, const struct json_limits *limits, struct error *err)
{
	size_t max_bytes = limits->max_bytes < JSON_MAX_BYTES ? limits->max_bytes : JSON_MAX_BYTES;
	const char *start = text.p ? text.p : "";
	struct parser ps = {
		.p = start,
		.end = start + text.len,
		.doc = doc,
		.room = doc->cap < limits->max_nodes ? doc->cap : limits->max_nodes,
		.max_nodes = limits->max_nodes,
		.open = NO_NODE,
		.max_depth =
			limits->max_depth < JSON_MAX_DEPTH ? limits->max_depth : JSON_MAX_DEPTH,
		.err = err,
	};
	int r;

	doc->text = start;
	doc->len = text.len;
	doc->n = 0;
	if (text.len > max_bytes) {
		r = error_set(err, -E2BIG, "%zu bytes of JSON, at most %zu are accepted", text.len,
			max_bytes);
	} else {
		do {
			r = parse_value(&ps);
			if (r == VALUE_DONE)
				r = after_value(&ps);
		} while (r == VALUE_FOLLOWS);
	}
	if (r < 0) {
		doc->text = NULL;
		doc->len = doc->n = 0;
	}
	return r;
}

void json_free(struct json *doc)
{
	free(doc->nodes);
	*doc = (struct json){0};
}
