/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever json_parse accepts must be a sound tree over the text. */
#include "common/base/json.h"

#include <stdlib.h>

static const struct json_limits limits = {1 << 16, 1 << 14, 40};

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* The node at i and all below it lie inside start..end; returns the index behind. */
static uint32_t check_tree(const struct json *doc, uint32_t i, uint32_t start, uint32_t end)
{
	const struct json_node *node = &doc->nodes[i];
	bool object = node->type == JSON_OBJECT;
	uint32_t at = i + 1, from = node->off + 1, to = node->off + node->len;

	must(i < doc->n && node->len > 0 && node->off >= start && to <= end);
	must(node->next > i && node->next <= doc->n);
	for (uint32_t k = 0; k < node->count; k++) {
		if (object) {
			must(at < node->next && doc->nodes[at].type == JSON_STRING);
			must(check_tree(doc, at, from, to - 1) == at + 1);
			from = doc->nodes[at].off + doc->nodes[at].len;
			at++;
		}
		must(at < node->next);
		check_tree(doc, at, from, to - 1);
		from = doc->nodes[at].off + doc->nodes[at].len;
		at = doc->nodes[at].next;
	}
	must(at == node->next);
	return at;
}

static void check_string(struct json_val v, struct arena *a)
{
	struct span s = json_str(v, a);

	must(s.p && s.len <= json_raw(v).len && json_str_equal(v, s));
	must(!memchr(s.p, 0, s.len));
}

/* Every value is found again, and is a document by itself. */
static void check_value(struct json_val v, struct arena *a)
{
	struct json alone = {0};
	struct json_iter it;
	size_t n = 0;
	int64_t number;

	must(json_exists(v) && json_equal(v, v));
	must(json_parse(&alone, json_raw(v), &limits, NULL) == 0);
	must(json_equal(v, json_root(&alone)) && json_equal(json_root(&alone), v));
	json_free(&alone);
	must(!json_int(v, &number) || json_type(v) == JSON_NUMBER);
	if (json_is_string(v))
		check_string(v, a);
	json_each (it, v) {
		must(it.index == n++);
		if (!json_is_object(v)) {
			must(!json_exists(it.key) && json_at(v, it.index).i == it.value.i);
			continue;
		}
		check_string(it.key, a);
		must(json_get_span(v, json_str(it.key, a)).i == it.value.i);
	}
	must(n == json_count(v));
	must(!json_exists(json_at(v, n)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct arena a = ARENA_INIT(1 << 22);
	struct json doc = {0};
	struct error err = {0};
	int r = json_parse(&doc, text, &limits, &err);

	must(r <= 0 && (r == 0) == (err.message[0] == '\0') && (r == 0) == (doc.n > 0));
	must(r < 0 || check_tree(&doc, 0, 0, (uint32_t)size) == doc.n);
	/* small ones only: each value is parsed again */
	for (uint32_t i = 0; i < doc.n && doc.n < 300; i++)
		check_value((struct json_val){&doc, i}, &a);
	json_free(&doc);
	arena_free(&a);
	return 0;
}
