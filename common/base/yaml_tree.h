/* SPDX-License-Identifier: Apache-2.0
 *
 * One YAML document between libyaml's events and JSON: a flat array of nodes, checked (tags, keys,
 * duplicates, aliases) but with aliases and merges not yet expanded. Private to yaml.c. */
#pragma once

#include <yaml.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/yaml.h"

enum {
	/* Aliases are looked up one by one; no manifest comes near this. */
	YAML_MAX_ANCHORS = 1000,
};

enum yaml_kind {
	YAML_KIND_STRING,
	YAML_KIND_SCALAR, /* anything else without children */
	YAML_KIND_LIST,
	YAML_KIND_MAP, /* its children: key, value, key, value, ... */
	YAML_KIND_ALIAS,
};

struct yaml_node {
	enum yaml_kind kind;
	bool merge;            /* a plain "<<": as a key, a merge */
	bool implied;          /* the null of nothing written at all */
	uint32_t line, column; /* from 1 */
	uint32_t next;         /* index of the node behind this one's subtree; 0 while it is read */
	uint32_t target;       /* ALIAS: never an alias itself */
	struct span text; /* STRING: decoded; SCALAR: as JSON, SPAN_NONE when it has none (.inf) */
	struct span key;  /* STRING and SCALAR: as a key, SPAN_NONE when it can be none (null) */
};

struct yaml_anchor {
	const char *name;
	uint32_t node;
};

/* A member of a mapping; order is its place among its equals. */
struct yaml_entry {
	struct span key;
	uint32_t key_node, value_node;
	uint32_t order;
};

struct yaml_tree {
	struct span text; /* the whole source */
	const char *name; /* of the source, for messages */
	const struct yaml_limits *limits;
	struct error *err;
	yaml_parser_t *parser;

	struct yaml_node *nodes; /* the root is 0 */
	size_t n_nodes, cap_nodes;
	struct yaml_anchor anchors[YAML_MAX_ANCHORS];
	size_t n_anchors;
	struct arena arena; /* texts */

	struct yaml_entry *entries; /* a stack of mappings being looked at */
	size_t n_entries, cap_entries;

	size_t expanded, merged; /* nodes so far, of all documents */
};

/* Fails with "name:line:column: ..." where the source is. */
int yaml_fail(const struct yaml_tree *t, int code, size_t line, size_t column, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
#define yaml_fail_at(t, code, node, ...)                                                           \
	yaml_fail((t), (code), (node)->line, (node)->column, __VA_ARGS__)

/* The next event, to be deleted by the caller. 0, -EBADMSG, -ENOMEM. */
int yaml_next_event(struct yaml_tree *t, yaml_event_t *ret_event);

/* Reads the document whose start event was just taken, up to and with its end. */
int yaml_tree_read(struct yaml_tree *t);

/* Pushes a member on the stack; sorts those from base on by key, then order. */
int yaml_push_entry(struct yaml_tree *t, struct yaml_entry e);
void yaml_sort_entries(struct yaml_tree *t, size_t base);

/* The node at i, or the one that it is an alias of. */
const struct yaml_node *yaml_node_at(const struct yaml_tree *t, uint32_t i);

/* Appends the document as JSON and tells where its values come from: *ret_marks, to be freed. */
int yaml_expand(
	struct yaml_tree *t, struct buf *out, struct yaml_mark **ret_marks, size_t *ret_n_marks);

/* Grows an array of elements of this size to at least n; 0 or -ENOMEM. */
int yaml_grow(void **array, size_t *cap, size_t n, size_t size);
