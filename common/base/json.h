/* SPDX-License-Identifier: Apache-2.0
 *
 * Strict, zero-copy JSON (RFC 8259) for what comes from outside. One pass checks the whole text and
 * lays a flat array of nodes over it; nothing is copied or converted until somebody asks. Refused:
 * duplicate keys (compared decoded), invalid UTF-8, lone surrogates, \u0000, trailing bytes, and
 * whatever passes the limits. Numbers are checked against the grammar and otherwise kept as
 * written. Raw slices stay available, so that signatures are checked over received bytes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/span.h"

enum json_type {
	JSON_MISSING, /* no such member or element: what json_get gives instead of NULL */
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_node {
	uint32_t off;  /* of the first byte in the text; of a string: the quote */
	uint32_t len;  /* bytes of the raw slice, a string's quotes included */
	uint32_t next; /* index of the node behind this one's subtree */
	uint32_t type : 3, escaped : 1, count : 28; /* count: elements or members */
};

enum {
	JSON_MAX_BYTES = 64 * 1024 * 1024,
	JSON_MAX_DEPTH = 1000,
};

struct json_limits {
	size_t max_bytes;   /* of the text; above JSON_MAX_BYTES means that */
	size_t max_nodes;   /* values plus keys */
	unsigned max_depth; /* of arrays and objects; above JSON_MAX_DEPTH means that */
};

/* A parsed document. text is borrowed and must outlive it. Zero-initialise; json_parse may be
 * called again on the same object and then reuses its memory. */
struct json {
	const char *text;
	size_t len;
	struct json_node *nodes; /* members of an object: key node, then value subtree */
	size_t n, cap;
};

/* A place in a document, passed by value. */
struct json_val {
	const struct json *doc; /* NULL: missing */
	uint32_t i;
};

/* Checks text and indexes it. 0, -E2BIG (a limit, named), -EBADMSG (not strict JSON; the message
 * gives line and column), -ENOMEM. On failure doc holds no nodes. */
int json_parse(
	struct json *doc, struct span text, const struct json_limits *limits, struct error *err);
void json_free(struct json *doc);
#define _cleanup_json_ _cleanup_(json_free)

struct json_val json_root(const struct json *doc);
enum json_type json_type(struct json_val v);
bool json_exists(struct json_val v);
bool json_is_object(struct json_val v);
bool json_is_array(struct json_val v);
bool json_is_string(struct json_val v);

/* Elements of an array, members of an object, else 0. */
size_t json_count(struct json_val v);

/* The member of an object, missing when there is none or v is no object. The key is compared
 * decoded. */
struct json_val json_get(struct json_val v, const char *key);
struct json_val json_get_span(struct json_val v, struct span key);

/* json_get along several keys: json_find(v, "metadata", "labels"). */
#define json_find(v, ...) json_find_((v), (const char *const[]){__VA_ARGS__, NULL})
struct json_val json_find_(struct json_val v, const char *const *keys);

/* Element n of an array. Linear. */
struct json_val json_at(struct json_val v, size_t n);

/* Iterates an array or object:
 *	struct json_iter it;
 *	json_each(it, v)
 *		use(it.key, it.value);
 * key is missing for arrays; index counts from 0. Anything else has no elements. */
struct json_iter {
	struct json_val key, value;
	size_t index;
	uint32_t at, end; /* private */
};
struct json_iter json_iter_begin(struct json_val v);
bool json_iter_next(struct json_iter *it);
#define json_each(it, v) for ((it) = json_iter_begin(v); json_iter_next(&(it));)

/* The bytes as received; a string with its quotes. SPAN_NONE when missing. */
struct span json_raw(struct json_val v);

/* Is v a string that, decoded, equals s? */
bool json_str_is(struct json_val v, const char *s);
bool json_str_equal(struct json_val v, struct span s);

/* A string decoded: a slice of the text when nothing is escaped, else a copy in a. SPAN_NONE when v
 * is no string or memory is exhausted (an empty string has .p set). */
struct span json_str(struct json_val v, struct arena *a);

/* A string decoded into ret: size bytes with the NUL, cut between characters when it is longer.
 * False, and "", when v is no string or memory is exhausted; false as well when it was cut. */
bool json_copy(struct json_val v, char *ret, size_t size);

/* An integer literal (no fraction, no exponent) within range, true and *ret_n; else false. */
bool json_int(struct json_val v, int64_t *ret_n);

/* Are two values equal as JSON: objects regardless of order, strings decoded, numbers by their
 * text. A missing value equals only a missing one. */
bool json_equal(struct json_val a, struct json_val b);
