/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to json: strings of a checked document compared as what they stand for. */
#pragma once

#include "common/base/json.h"

/* The inside of a string; escaped: p may hold (valid) escapes. */
struct json_str {
	const char *p;
	size_t len;
	bool escaped;
};

static inline struct json_str json_str_of(const struct json *doc, uint32_t i)
{
	const struct json_node *node = &doc->nodes[i];

	return (struct json_str){doc->text + node->off + 1, node->len - 2, node->escaped};
}

/* Value of a hexadecimal digit, or -1. */
static inline int json_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Order of the decoded bytes. */
int json_str_cmp_escaped(struct json_str a, struct json_str b);
static inline bool json_str_same(struct json_str a, struct json_str b)
{
	if (a.escaped || b.escaped)
		return json_str_cmp_escaped(a, b) == 0;
	return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

/* The key nodes of an object, sorted by decoded key; n log n whatever the keys are. The caller
 * frees; NULL: out of memory. */
uint32_t *json_sorted_keys(const struct json *doc, uint32_t object);
