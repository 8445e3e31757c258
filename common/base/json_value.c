/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a parsed document: look-up, iteration, conversion, comparison. Every function takes a
 * missing value and then finds nothing. */
#include <stdlib.h>

#include "common/base/json.h"
#include "common/base/json_string.h"
#include "common/base/utf8.h"

enum {
	FEW_MEMBERS = 32, /* up to here objects are compared by look-up, beyond by sorting */
};

static const struct json_val MISSING = {NULL, 0};

static const struct json_node *node_of(struct json_val v)
{
	return v.doc && v.i < v.doc->n ? &v.doc->nodes[v.i] : NULL;
}

struct json_val json_root(const struct json *doc)
{
	return doc->n ? (struct json_val){doc, 0} : MISSING;
}

enum json_type json_type(struct json_val v)
{
	const struct json_node *node = node_of(v);

	return node ? (enum json_type)node->type : JSON_MISSING;
}

bool json_exists(struct json_val v)
{
	return json_type(v) != JSON_MISSING;
}

bool json_is_object(struct json_val v)
{
	return json_type(v) == JSON_OBJECT;
}

bool json_is_array(struct json_val v)
{
	return json_type(v) == JSON_ARRAY;
}

bool json_is_string(struct json_val v)
{
	return json_type(v) == JSON_STRING;
}

size_t json_count(struct json_val v)
{
	const struct json_node *node = node_of(v);

	return node ? node->count : 0;
}

/* The value of the member whose key is key, or MISSING. */
static struct json_val find_member(const struct json *doc, uint32_t object, struct json_str key)
{
	uint32_t end = doc->nodes[object].next;

	for (uint32_t i = object + 1; i < end; i = doc->nodes[i + 1].next)
		if (json_str_same(json_str_of(doc, i), key))
			return (struct json_val){doc, i + 1};
	return MISSING;
}

struct json_val json_get_span(struct json_val v, struct span key)
{
	if (!json_is_object(v))
		return MISSING;
	return find_member(v.doc, v.i, (struct json_str){key.p ? key.p : "", key.len, false});
}

struct json_val json_get(struct json_val v, const char *key)
{
	return json_get_span(v, span_str(key));
}

struct json_val json_find_(struct json_val v, const char *const *keys)
{
	for (; *keys; keys++)
		v = json_get(v, *keys);
	return v;
}

struct json_val json_at(struct json_val v, size_t n)
{
	uint32_t i = v.i + 1;

	if (!json_is_array(v) || n >= json_count(v))
		return MISSING;
	while (n-- > 0)
		i = v.doc->nodes[i].next;
	return (struct json_val){v.doc, i};
}

struct json_iter json_iter_begin(struct json_val v)
{
	struct json_iter it = {.index = SIZE_MAX};

	if (!json_is_object(v) && !json_is_array(v))
		return it;
	it.value.doc = v.doc;
	it.key.doc = json_is_object(v) ? v.doc : NULL;
	it.at = v.i + 1;
	it.end = v.doc->nodes[v.i].next;
	return it;
}

bool json_iter_next(struct json_iter *it)
{
	if (it->at >= it->end)
		return false;
	it->index++;
	if (it->key.doc)
		it->key.i = it->at++;
	it->value.i = it->at;
	it->at = it->value.doc->nodes[it->at].next;
	return true;
}

struct span json_raw(struct json_val v)
{
	const struct json_node *node = node_of(v);

	return node ? (struct span){v.doc->text + node->off, node->len} : SPAN_NONE;
}

/* Decodes \uXXXX, or a pair of them, at *p to UTF-8. */
static size_t decode_unicode(const char **p, char out[4])
{
	uint32_t c = 0;

	for (int i = 2; i < 6; i++)
		c = c << 4 | (uint32_t)json_hex((*p)[i]);
	*p += 6;
	if (c >= 0xd800 && c <= 0xdfff) {
		uint32_t low = 0;

		for (int i = 2; i < 6; i++)
			low = low << 4 | (uint32_t)json_hex((*p)[i]);
		*p += 6;
		c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
	}
	return utf8_encode(c, out);
}

/* Decodes the escape at *p (the parser has checked it), steps over it and returns how many bytes
 * it stands for. */
static size_t decode_escape(const char **p, char out[4])
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *named;

	if ((*p)[1] == 'u')
		return decode_unicode(p, out);
	named = strchr(from, (*p)[1]);
	out[0] = named ? to[named - from] : (*p)[1];
	*p += 2;
	return 1;
}

/* A string read byte by byte. */
struct bytes {
	struct json_str s;
	char out[4];
	size_t at, n;
};

/* The next decoded byte, or -1. */
static int next_byte(struct bytes *b)
{
	const char *start = b->s.p;

	if (b->at < b->n)
		return (unsigned char)b->out[b->at++];
	if (b->s.len == 0)
		return -1;
	if (b->s.escaped && *start == '\\') {
		b->n = decode_escape(&b->s.p, b->out);
		b->at = 1;
		b->s.len -= (size_t)(b->s.p - start);
		return (unsigned char)b->out[0];
	}
	b->s.p++;
	b->s.len--;
	return (unsigned char)*start;
}

int json_str_cmp_escaped(struct json_str a, struct json_str b)
{
	struct bytes x = {.s = a}, y = {.s = b};
	int c, d;

	do {
		c = next_byte(&x);
		d = next_byte(&y);
	} while (c == d && c >= 0);
	return c - d;
}

/* The same, quick without escapes. */
static int compare(struct json_str a, struct json_str b)
{
	int c;

	if (a.escaped || b.escaped)
		return json_str_cmp_escaped(a, b);
	c = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);
	return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_keys(const void *a, const void *b, void *doc)
{
	return compare(
		json_str_of(doc, *(const uint32_t *)a), json_str_of(doc, *(const uint32_t *)b));
}

uint32_t *json_sorted_keys(const struct json *doc, uint32_t object)
{
	size_t n = doc->nodes[object].count;
	uint32_t *keys = malloc(n * sizeof(*keys));

	if (!keys)
		return NULL;
	for (uint32_t i = object + 1, k = 0; k < n; i = doc->nodes[i + 1].next)
		keys[k++] = i;
	qsort_r(keys, n, sizeof(*keys), compare_keys, (void *)doc);
	return keys;
}

bool json_str_equal(struct json_val v, struct span s)
{
	return json_is_string(v) && json_str_same(json_str_of(v.doc, v.i),
					    (struct json_str){s.p ? s.p : "", s.len, false});
}

bool json_str_is(struct json_val v, const char *s)
{
	return json_str_equal(v, span_str(s));
}

struct span json_str(struct json_val v, struct arena *a)
{
	struct json_str s;
	size_t len = 0;
	char *copy;

	if (!json_is_string(v))
		return SPAN_NONE;
	s = json_str_of(v.doc, v.i);
	if (!s.escaped)
		return (struct span){s.p, s.len};
	copy = arena_strdup(a, (struct span){s.p, s.len});
	if (!copy)
		return SPAN_NONE;
	/* In place: no escape is shorter than what it stands for. */
	for (const char *p = copy, *end = copy + s.len; p < end;) {
		char out[4];
		size_t n;

		if (*p != '\\') {
			copy[len++] = *p++;
			continue;
		}
		n = decode_escape(&p, out);
		memcpy(copy + len, out, n);
		len += n;
	}
	copy[len] = '\0';
	return (struct span){copy, len};
}

bool json_copy(struct json_val v, char *ret, size_t size)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(JSON_MAX_BYTES);
	struct span s = json_str(v, &a), cut = utf8_cut(s, size - 1);

	if (cut.len)
		memcpy(ret, cut.p, cut.len);
	ret[cut.len] = '\0';
	return s.p && cut.len == s.len;
}

bool json_int(struct json_val v, int64_t *ret_n)
{
	const struct json_node *node = node_of(v);
	const char *p;
	bool negative;
	int64_t n = 0;

	if (!node || node->type != JSON_NUMBER)
		return false;
	p = v.doc->text + node->off;
	negative = p[0] == '-';
	for (size_t i = negative; i < node->len; i++) {
		int digit = p[i] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, negative ? -digit : digit, &n))
			return false;
	}
	*ret_n = n;
	return true;
}

static bool equal(struct json_val a, struct json_val b);

static bool equal_arrays(struct json_val a, struct json_val b)
{
	struct json_iter x = json_iter_begin(a), y = json_iter_begin(b);

	while (json_iter_next(&x) && json_iter_next(&y))
		if (!equal(x.value, y.value))
			return false;
	return true;
}

/* Both have the same number of members, and no key twice. */
static bool equal_objects(struct json_val a, struct json_val b)
{
	struct json_iter x = json_iter_begin(a), y = json_iter_begin(b);

	while (json_iter_next(&x) && json_iter_next(&y)) {
		struct json_str key = json_str_of(a.doc, x.key.i);
		bool in_order = json_str_same(key, json_str_of(b.doc, y.key.i));

		if (!equal(x.value, in_order ? y.value : find_member(b.doc, b.i, key)))
			return false;
	}
	return true;
}

static bool equal_sorted(struct json_val a, struct json_val b)
{
	_cleanup_free_ uint32_t *x = json_sorted_keys(a.doc, a.i);
	_cleanup_free_ uint32_t *y = json_sorted_keys(b.doc, b.i);

	if (!x || !y) /* no memory: slower */
		return equal_objects(a, b);
	for (size_t i = 0; i < json_count(a); i++) {
		if (!json_str_same(json_str_of(a.doc, x[i]), json_str_of(b.doc, y[i])) ||
			!equal((struct json_val){a.doc, x[i] + 1},
				(struct json_val){b.doc, y[i] + 1}))
			return false;
	}
	return true;
}

/* Recursion ends at JSON_MAX_DEPTH. */
static bool equal(struct json_val a, struct json_val b)
{
	enum json_type type = json_type(a);

	if (type != json_type(b) || json_count(a) != json_count(b))
		return false;
	switch (type) {
	case JSON_NUMBER:
		return span_equal(json_raw(a), json_raw(b));
	case JSON_STRING:
		return json_str_same(json_str_of(a.doc, a.i), json_str_of(b.doc, b.i));
	case JSON_ARRAY:
		return equal_arrays(a, b);
	case JSON_OBJECT:
		return json_count(a) <= FEW_MEMBERS ? equal_objects(a, b) : equal_sorted(a, b);
	default:
		return true;
	}
}

bool json_equal(struct json_val a, struct json_val b)
{
	return equal(a, b);
}
