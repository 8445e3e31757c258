/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/yaml_tree.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "common/base/utf8.h"
#include "common/base/yaml_scalar.h"

enum {
	SHOWN_MAX = 60,       /* of a key or tag in a message */
	NUMBER_TEXT_MAX = 64, /* what yaml_scalar writes is shorter */
	FIRST_CAP = 64,
};

static const char TAG_PREFIX[] = "tag:yaml.org,2002:";

static int read_node(struct yaml_tree *t, const yaml_event_t *ev, unsigned depth);

int yaml_fail(const struct yaml_tree *t, int code, size_t line, size_t column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_vset(t->err, code, fmt, ap);
	va_end(ap);
	return error_prefix(t->err, code, "%s:%zu:%zu", t->name, line, column);
}

static int fail_event(const struct yaml_tree *t, int code, const yaml_event_t *ev, const char *text)
{
	return yaml_fail(t, code, ev->start_mark.line + 1, ev->start_mark.column + 1, "%s", text);
}

/* s for a message: short and without controls. */
static const char *show(char out[SHOWN_MAX + 4], struct span s)
{
	size_t n = utf8_cut(s, SHOWN_MAX).len;

	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i];
	strcpy(out + n, n < s.len ? "..." : "");
	return out;
}

int yaml_grow(void **array, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap ? *cap : FIRST_CAP;
	void *p;

	if (n <= *cap)
		return 0;
	while (want < n)
		want *= 2;
	p = reallocarray(*array, want, size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*cap = want;
	return 0;
}

/* Line and column of a byte, where libyaml's reader gives no more than that. */
static void locate(struct span text, size_t offset, size_t *ret_line, size_t *ret_column)
{
	*ret_line = *ret_column = 1;
	for (size_t i = 0; i < offset && i < text.len; i++) {
		if (text.p[i] == '\n') {
			++*ret_line;
			*ret_column = 1;
		} else if (!utf8_continues(text.p[i])) {
			++*ret_column;
		}
	}
}

static int fail_parser(const struct yaml_tree *t)
{
	const yaml_parser_t *p = t->parser;
	size_t line = p->problem_mark.line + 1, column = p->problem_mark.column + 1;

	switch (p->error) {
	case YAML_MEMORY_ERROR:
		return error_oom(t->err);
	case YAML_READER_ERROR:
		locate(t->text, p->problem_offset, &line, &column);
		return yaml_fail(t, -EBADMSG, line, column, "%s", p->problem);
	default:
		return yaml_fail(t, -EBADMSG, line, column, "%s%s%s",
			p->problem ? p->problem : "not YAML", p->context ? " " : "",
			p->context ? p->context : "");
	}
}

int yaml_next_event(struct yaml_tree *t, yaml_event_t *ret_event)
{
	return yaml_parser_parse(t->parser, ret_event) ? 0 : fail_parser(t);
}

const struct yaml_node *yaml_node_at(const struct yaml_tree *t, uint32_t i)
{
	const struct yaml_node *n = &t->nodes[i];

	return n->kind == YAML_KIND_ALIAS ? &t->nodes[n->target] : n;
}

int yaml_push_entry(struct yaml_tree *t, struct yaml_entry e)
{
	if (yaml_grow((void **)&t->entries, &t->cap_entries, t->n_entries + 1,
		    sizeof(*t->entries)) < 0)
		return error_oom(t->err);
	t->entries[t->n_entries++] = e;
	return 0;
}

static int compare_entries(const void *pa, const void *pb)
{
	const struct yaml_entry *a = pa, *b = pb;
	size_t n = a->key.len < b->key.len ? a->key.len : b->key.len;
	int r = n ? memcmp(a->key.p, b->key.p, n) : 0;

	if (r)
		return r;
	if (a->key.len != b->key.len)
		return a->key.len < b->key.len ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

void yaml_sort_entries(struct yaml_tree *t, size_t base)
{
	if (t->n_entries > base)
		qsort(t->entries + base, t->n_entries - base, sizeof(*t->entries), compare_entries);
}

static int add_node(struct yaml_tree *t, const yaml_event_t *ev, const yaml_char_t *anchor,
	struct yaml_node node)
{
	if (t->n_nodes >= t->limits->max_nodes)
		return yaml_fail(t, -E2BIG, ev->start_mark.line + 1, ev->start_mark.column + 1,
			"more than %zu values", t->limits->max_nodes);
	if (yaml_grow((void **)&t->nodes, &t->cap_nodes, t->n_nodes + 1, sizeof(node)) < 0)
		return error_oom(t->err);
	node.line = (uint32_t)ev->start_mark.line + 1;
	node.column = (uint32_t)ev->start_mark.column + 1;
	t->nodes[t->n_nodes++] = node;
	if (!anchor)
		return 0;
	if (t->n_anchors == YAML_MAX_ANCHORS)
		return yaml_fail(t, -E2BIG, node.line, node.column,
			"more than %d anchors in one document", YAML_MAX_ANCHORS);
	t->anchors[t->n_anchors].name = arena_strdup(&t->arena, span_str((const char *)anchor));
	if (!t->anchors[t->n_anchors].name)
		return error_oom(t->err);
	t->anchors[t->n_anchors++].node = (uint32_t)t->n_nodes - 1;
	return 0;
}

/* A node without children is finished at once; only then may an alias name it. */
static int add_leaf(struct yaml_tree *t, const yaml_event_t *ev, const yaml_char_t *anchor,
	struct yaml_node node)
{
	node.next = (uint32_t)t->n_nodes + 1;
	return add_node(t, ev, anchor, node);
}

static int read_alias(struct yaml_tree *t, const yaml_event_t *ev)
{
	const char *name = (const char *)ev->data.alias.anchor;
	char shown[SHOWN_MAX + 4];

	for (size_t i = t->n_anchors; i-- > 0;) {
		uint32_t target = t->anchors[i].node;

		if (strcmp(t->anchors[i].name, name) != 0)
			continue;
		if (!t->nodes[target].next)
			return yaml_fail(t, -EBADMSG, ev->start_mark.line + 1,
				ev->start_mark.column + 1,
				"alias *%s is inside of what it stands for",
				show(shown, span_str(name)));
		return add_leaf(
			t, ev, NULL, (struct yaml_node){.kind = YAML_KIND_ALIAS, .target = target});
	}
	return yaml_fail(t, -EBADMSG, ev->start_mark.line + 1, ev->start_mark.column + 1,
		"alias *%s: no anchor &%s stands before it", show(shown, span_str(name)), shown);
}

/* "!!int" for the long form. */
static const char *show_tag(char out[SHOWN_MAX + 6], const char *tag)
{
	size_t n = strlen(TAG_PREFIX);
	bool ours = strncmp(tag, TAG_PREFIX, n) == 0;

	strcpy(out, "!!");
	show(out + (ours ? 2 : 0), span_str(ours ? tag + n : tag));
	return out;
}

static struct span scalar_text(const yaml_event_t *ev)
{
	return (struct span){(const char *)ev->data.scalar.value, ev->data.scalar.length};
}

/* resolve() of the Go library when a tag is given: the text must be what the tag says. */
static int apply_tag(
	struct yaml_tree *t, const yaml_event_t *ev, const char *tag, struct yaml_scalar *s)
{
	static const char *const names[] = {
		[YAML_SCALAR_NULL] = "null",
		[YAML_SCALAR_BOOL] = "bool",
		[YAML_SCALAR_INT] = "int",
		[YAML_SCALAR_FLOAT] = "float",
	};
	struct span name = span_after(span_str(tag), TAG_PREFIX);
	char shown[SHOWN_MAX + 4], shown_tag[SHOWN_MAX + 6], text[2 * SHOWN_MAX + 80];

	for (size_t i = YAML_SCALAR_NULL; i < ARRAY_SIZE(names); i++) {
		if (!span_is(name, names[i]))
			continue;
		if (s->type == i)
			return 0;
		if (i == YAML_SCALAR_FLOAT && s->type == YAML_SCALAR_INT &&
			(s->negative || s->n <= INT64_MAX)) {
			*s = (struct yaml_scalar){.type = YAML_SCALAR_FLOAT,
				.f = s->negative ? -(double)s->n : (double)s->n};
			return 0;
		}
		snprintf(text, sizeof(text), "\"%s\" is no %s, which its tag says",
			show(shown, scalar_text(ev)), names[i]);
		return fail_event(t, -EBADMSG, ev, text);
	}
	snprintf(text, sizeof(text),
		"tag %s is not supported: leave it out, and put text in quotes",
		show_tag(shown_tag, tag));
	return fail_event(t, -EBADMSG, ev, text);
}

/* What a scalar event says; a string where it says so. */
static int classify(struct yaml_tree *t, const yaml_event_t *ev, struct yaml_scalar *ret_s)
{
	struct span text = scalar_text(ev);
	const char *tag = (const char *)ev->data.scalar.tag;

	*ret_s = (struct yaml_scalar){.type = YAML_SCALAR_STRING};
	if (tag ? strcmp(tag, YAML_STR_TAG) == 0 || strcmp(tag, "!") == 0
		: !ev->data.scalar.plain_implicit)
		return 0;
	if (yaml_scalar_resolve(ret_s, text) < 0)
		return error_oom(t->err);
	return tag ? apply_tag(t, ev, tag, ret_s) : 0;
}

static int copy_text(struct yaml_tree *t, struct span s, struct span *ret)
{
	*ret = arena_dup(&t->arena, s);
	return ret->p ? 0 : error_oom(t->err);
}

static int read_scalar(struct yaml_tree *t, const yaml_event_t *ev)
{
	struct span text = scalar_text(ev);
	struct yaml_node node = {.kind = YAML_KIND_STRING};
	struct yaml_scalar s;
	int r = classify(t, ev, &s);

	if (r < 0)
		return r;
	if (s.type == YAML_SCALAR_STRING) {
		if (text.len && memchr(text.p, '\0', text.len))
			return fail_event(t, -EBADMSG, ev, "text must not hold NUL characters");
		r = copy_text(t, text, &node.text);
		node.key = node.text;
		node.merge = span_is(text, "<<") && ev->data.scalar.plain_implicit;
	} else {
		_cleanup_buf_ struct buf json = BUF_INIT(NUMBER_TEXT_MAX),
					 key = BUF_INIT(NUMBER_TEXT_MAX);

		node.kind = YAML_KIND_SCALAR;
		node.implied = !text.len && !ev->data.scalar.tag && !ev->data.scalar.anchor;
		if (s.type != YAML_SCALAR_FLOAT || isfinite(s.f))
			r = yaml_scalar_json(&json, &s);
		/* sigs.k8s.io/yaml knows no null and no uint64 as a key. */
		if (s.type != YAML_SCALAR_NULL &&
			(s.type != YAML_SCALAR_INT || s.negative || s.n <= INT64_MAX))
			yaml_scalar_key(&key, &s);
		if (r < 0 || key.err)
			return error_oom(t->err);
		if (json.len)
			r = copy_text(t, buf_view(&json), &node.text);
		if (r == 0 && key.len)
			r = copy_text(t, buf_view(&key), &node.key);
	}
	return r < 0 ? r : add_leaf(t, ev, ev->data.scalar.anchor, node);
}

static int check_tag(
	struct yaml_tree *t, const yaml_event_t *ev, const yaml_char_t *tag, const char *want)
{
	char shown[SHOWN_MAX + 6], text[SHOWN_MAX + 80];

	if (!tag || strcmp((const char *)tag, want) == 0)
		return 0;
	snprintf(text, sizeof(text), "tag %s is not supported: leave it out",
		show_tag(shown, (const char *)tag));
	return fail_event(t, -EBADMSG, ev, text);
}

static int read_list(struct yaml_tree *t, const yaml_event_t *start, unsigned depth)
{
	size_t self = t->n_nodes;
	int r = check_tag(t, start, start->data.sequence_start.tag, YAML_SEQ_TAG);

	if (r == 0)
		r = add_node(t, start, start->data.sequence_start.anchor,
			(struct yaml_node){.kind = YAML_KIND_LIST});
	while (r == 0) {
		yaml_event_t ev;

		r = yaml_next_event(t, &ev);
		if (r < 0)
			break;
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			t->nodes[self].next = (uint32_t)t->n_nodes;
			break;
		}
		r = read_node(t, &ev, depth);
		yaml_event_delete(&ev);
	}
	return r;
}

static int check_merge(struct yaml_tree *t, uint32_t i)
{
	const struct yaml_node *n = yaml_node_at(t, i);

	if (n->kind == YAML_KIND_MAP)
		return 0;
	if (t->nodes[i].kind != YAML_KIND_LIST)
		return yaml_fail_at(
			t, -EBADMSG, &t->nodes[i], "\"<<\" merges a mapping or a list of mappings");
	for (uint32_t c = i + 1; c < n->next; c = t->nodes[c].next)
		if (yaml_node_at(t, c)->kind != YAML_KIND_MAP)
			return yaml_fail_at(t, -EBADMSG, &t->nodes[c],
				"\"<<\" merges a list of mappings; this is none");
	return 0;
}

/* The members of one mapping: keys that can be keys, each of them once. */
static int check_members(struct yaml_tree *t, uint32_t map)
{
	size_t base = t->n_entries;
	uint32_t merge = 0, end = t->nodes[map].next, order = 0;
	char shown[SHOWN_MAX + 4];
	int r = 0;

	for (uint32_t k = map + 1; r == 0 && k < end;) {
		uint32_t v = t->nodes[k].next;
		const struct yaml_node *key = yaml_node_at(t, k);

		if (t->nodes[k].merge && merge)
			r = yaml_fail_at(t, -EBADMSG, &t->nodes[k],
				"duplicate key \"<<\", first at %u:%u: merge a list instead",
				t->nodes[merge].line, t->nodes[merge].column);
		else if (t->nodes[k].merge)
			r = check_merge(t, v);
		else if (!key->key.p)
			r = yaml_fail_at(t, -EBADMSG, &t->nodes[k],
				"a key must be text, a number or a boolean: put it in quotes");
		else
			r = yaml_push_entry(t, (struct yaml_entry){key->key, k, v, order++});
		if (t->nodes[k].merge)
			merge = k;
		k = t->nodes[v].next;
	}
	if (r == 0)
		yaml_sort_entries(t, base);
	for (size_t i = base + 1; r == 0 && i < t->n_entries; i++) {
		const struct yaml_entry *a = &t->entries[i - 1], *b = &t->entries[i];

		if (span_equal(a->key, b->key))
			r = yaml_fail_at(t, -EBADMSG, &t->nodes[b->key_node],
				"duplicate key \"%s\", first at %u:%u", show(shown, b->key),
				t->nodes[a->key_node].line, t->nodes[a->key_node].column);
	}
	t->n_entries = base;
	return r;
}

static int read_map(struct yaml_tree *t, const yaml_event_t *start, unsigned depth)
{
	uint32_t self = (uint32_t)t->n_nodes;
	int r = check_tag(t, start, start->data.mapping_start.tag, YAML_MAP_TAG);

	if (r == 0)
		r = add_node(t, start, start->data.mapping_start.anchor,
			(struct yaml_node){.kind = YAML_KIND_MAP});
	while (r == 0) {
		yaml_event_t ev;

		/* Keys and values alternate; libyaml gives the end only where a key would be. */
		r = yaml_next_event(t, &ev);
		if (r < 0)
			break;
		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			t->nodes[self].next = (uint32_t)t->n_nodes;
			return check_members(t, self);
		}
		r = read_node(t, &ev, depth);
		yaml_event_delete(&ev);
	}
	return r;
}

static int read_node(struct yaml_tree *t, const yaml_event_t *ev, unsigned depth)
{
	switch (ev->type) {
	case YAML_ALIAS_EVENT:
		return read_alias(t, ev);
	case YAML_SCALAR_EVENT:
		return read_scalar(t, ev);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		if (depth >= t->limits->max_depth)
			return yaml_fail(t, -E2BIG, ev->start_mark.line + 1,
				ev->start_mark.column + 1, "nested deeper than %u levels",
				t->limits->max_depth);
		return ev->type == YAML_SEQUENCE_START_EVENT ? read_list(t, ev, depth + 1)
							     : read_map(t, ev, depth + 1);
	default:
		return fail_event(t, -EBADMSG, ev, "a value was expected here");
	}
}

int yaml_tree_read(struct yaml_tree *t)
{
	yaml_event_t ev;
	int r;

	t->n_nodes = t->n_anchors = t->n_entries = 0;
	arena_reset(&t->arena);
	r = yaml_next_event(t, &ev);
	if (r < 0)
		return r;
	r = read_node(t, &ev, 0);
	yaml_event_delete(&ev);
	if (r == 0)
		r = yaml_next_event(t, &ev);
	if (r == 0)
		yaml_event_delete(&ev); /* the document's end: nothing else can follow its root */
	return r;
}
