/* SPDX-License-Identifier: Apache-2.0
 *
 * A checked tree to JSON. Aliases are copied out; a merge ("<<", yaml.org/type/merge.html) acts as
 * in the Go library that kubectl uses: at its place among the members, so that what stands behind
 * it wins over it and it wins over what stands before. Every step is counted, so bombs end at the
 * limits. */
#include "common/base/yaml_tree.h"

#include <errno.h>
#include <stdint.h>

struct expansion {
	struct yaml_tree *t;
	struct buf *out;
	struct yaml_mark *marks;
	size_t n_marks, cap_marks;
};

static int put_node(struct expansion *x, uint32_t i, unsigned depth);

static int too_many(const struct yaml_tree *t, const struct yaml_node *n)
{
	return yaml_fail_at(t, -E2BIG, n,
		"more than %zu values once aliases and merges are expanded", t->limits->max_nodes);
}

/* Before each value and key: counts it and notes where it comes from. */
static int put_mark(struct expansion *x, const struct yaml_node *n)
{
	struct yaml_tree *t = x->t;

	if (x->out->err == -E2BIG)
		return yaml_fail_at(
			t, -E2BIG, n, "more than %zu bytes of JSON", t->limits->max_bytes);
	if (x->out->err)
		return error_oom(t->err);
	if (t->expanded++ >= t->limits->max_nodes)
		return too_many(t, n);
	if (yaml_grow((void **)&x->marks, &x->cap_marks, x->n_marks + 1, sizeof(*x->marks)) < 0)
		return error_oom(t->err);
	x->marks[x->n_marks++] = (struct yaml_mark){(uint32_t)x->out->len, n->line, n->column};
	return 0;
}

static int put_member(struct expansion *x, uint32_t key, uint32_t value, unsigned depth)
{
	int r;

	r = put_mark(x, &x->t->nodes[key]);
	if (r < 0)
		return r;
	buf_json_string(x->out, yaml_node_at(x->t, key)->key);
	buf_putc(x->out, ':');
	return put_node(x, value, depth);
}

/* Pushes the members of a mapping and of what it merges, in the order in which they are set. */
static int collect(struct yaml_tree *t, uint32_t map, unsigned depth)
{
	uint32_t end = t->nodes[map].next;
	int r = 0;

	if (depth >= t->limits->max_depth)
		return yaml_fail_at(t, -E2BIG, &t->nodes[map],
			"merges nested deeper than %u levels", t->limits->max_depth);
	if (t->merged++ >= t->limits->max_nodes)
		return too_many(t, &t->nodes[map]);
	for (uint32_t k = map + 1; r == 0 && k < end;) {
		uint32_t v = t->nodes[k].next;
		const struct yaml_node *from = yaml_node_at(t, v);
		uint32_t first = (uint32_t)(from - t->nodes);

		if (t->merged++ >= t->limits->max_nodes)
			return too_many(t, &t->nodes[k]);
		if (!t->nodes[k].merge) {
			r = yaml_push_entry(t, (struct yaml_entry){yaml_node_at(t, k)->key, k, v,
						       (uint32_t)t->n_entries});
		} else if (from->kind == YAML_KIND_MAP) {
			r = collect(t, first, depth + 1);
		} else {
			/* Of a list the earlier mapping wins: it is set last. */
			size_t base = t->n_entries, n;

			for (uint32_t c = first + 1; r == 0 && c < from->next; c = t->nodes[c].next)
				r = yaml_push_entry(t, (struct yaml_entry){.value_node = c});
			n = t->n_entries;
			while (r == 0 && n > base) {
				uint32_t c = t->entries[--n].value_node;

				r = collect(
					t, (uint32_t)(yaml_node_at(t, c) - t->nodes), depth + 1);
			}
		}
		k = t->nodes[v].next;
	}
	return r;
}

static int compare_order(const void *pa, const void *pb)
{
	const struct yaml_entry *a = pa, *b = pb;

	return a->order < b->order ? -1 : a->order > b->order;
}

/* One entry a key: at the place of the first, with the value of the last. */
static void unite(struct yaml_tree *t, size_t base)
{
	size_t n = base;

	yaml_sort_entries(t, base);
	for (size_t i = base; i < t->n_entries; i++) {
		const struct yaml_entry *e = &t->entries[i];

		if (!e->key.p)
			continue; /* a list's elements, which collect() left behind */
		if (n > base && span_equal(t->entries[n - 1].key, e->key)) {
			t->entries[n - 1].key_node = e->key_node;
			t->entries[n - 1].value_node = e->value_node;
		} else {
			t->entries[n++] = *e;
		}
	}
	t->n_entries = n;
	if (n > base)
		qsort(t->entries + base, n - base, sizeof(*t->entries), compare_order);
}

static int put_merged(struct expansion *x, uint32_t map, unsigned depth)
{
	struct yaml_tree *t = x->t;
	size_t base = t->n_entries;
	int r = collect(t, map, 0);

	if (r == 0)
		unite(t, base);
	for (size_t i = base; r == 0 && i < t->n_entries; i++) {
		struct yaml_entry e = t->entries[i];

		if (i > base)
			buf_putc(x->out, ',');
		r = put_member(x, e.key_node, e.value_node, depth);
	}
	t->n_entries = base;
	return r;
}

static int put_map(struct expansion *x, uint32_t map, unsigned depth)
{
	struct yaml_tree *t = x->t;
	uint32_t end = t->nodes[map].next;
	bool merges = false;
	int r = 0;

	for (uint32_t k = map + 1; k < end && !merges; k = t->nodes[t->nodes[k].next].next)
		merges = t->nodes[k].merge;
	buf_putc(x->out, '{');
	if (merges) {
		r = put_merged(x, map, depth);
	} else {
		for (uint32_t k = map + 1; r == 0 && k < end; k = t->nodes[t->nodes[k].next].next) {
			if (k > map + 1)
				buf_putc(x->out, ',');
			r = put_member(x, k, t->nodes[k].next, depth);
		}
	}
	buf_putc(x->out, '}');
	return r;
}

static int put_list(struct expansion *x, uint32_t list, unsigned depth)
{
	struct yaml_tree *t = x->t;
	int r = 0;

	buf_putc(x->out, '[');
	for (uint32_t c = list + 1; r == 0 && c < t->nodes[list].next; c = t->nodes[c].next) {
		if (c > list + 1)
			buf_putc(x->out, ',');
		r = put_node(x, c, depth);
	}
	buf_putc(x->out, ']');
	return r;
}

static int put_node(struct expansion *x, uint32_t i, unsigned depth)
{
	const struct yaml_node *n = yaml_node_at(x->t, i);
	uint32_t at = (uint32_t)(n - x->t->nodes);
	int r = put_mark(x, n);

	if (r < 0)
		return r;
	switch (n->kind) {
	case YAML_KIND_STRING:
		buf_json_string(x->out, n->text);
		return 0;
	case YAML_KIND_SCALAR:
		if (!n->text.p)
			return yaml_fail_at(x->t, -EBADMSG, n,
				"JSON has no infinite or undefined numbers: put it in quotes");
		buf_span(x->out, n->text);
		return 0;
	case YAML_KIND_LIST:
	case YAML_KIND_MAP:
		if (depth >= x->t->limits->max_depth)
			return yaml_fail_at(x->t, -E2BIG, &x->t->nodes[i],
				"nested deeper than %u levels once aliases are expanded",
				x->t->limits->max_depth);
		return n->kind == YAML_KIND_LIST ? put_list(x, at, depth + 1)
						 : put_map(x, at, depth + 1);
	case YAML_KIND_ALIAS:
		break; /* yaml_node_at looked behind it */
	}
	return 0;
}

int yaml_expand(
	struct yaml_tree *t, struct buf *out, struct yaml_mark **ret_marks, size_t *ret_n_marks)
{
	struct expansion x = {.t = t, .out = out};
	int r = put_node(&x, 0, 0);

	if (r == 0 && out->err)
		r = out->err == -E2BIG
			    ? yaml_fail_at(t, -E2BIG, &t->nodes[0], "more than %zu bytes of JSON",
				      t->limits->max_bytes)
			    : error_oom(t->err);
	if (r < 0) {
		free(x.marks);
		return r;
	}
	*ret_marks = x.marks;
	*ret_n_marks = x.n_marks;
	return 0;
}
