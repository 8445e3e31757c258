/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML as kubectl reads it (YAML 1.1 scalars of sigs.k8s.io/yaml), converted to JSON text: policy
 * and configuration then know one data model. Refused: duplicate keys, alias bombs (bounded
 * expansion), merges without bound, keys that are not scalars, recursive aliases. */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/json.h"

struct yaml_limits {
	size_t max_bytes; /* of the JSON that comes out */
	size_t max_nodes; /* after aliases and merges are expanded */
	size_t max_documents;
	unsigned max_depth;
};

/* Where the JSON values came from in the YAML source. */
struct yaml_mark {
	uint32_t json_off;     /* first byte of the value (or key) in the document's JSON */
	uint32_t line, column; /* from 1 */
};

struct yaml_document {
	char *json; /* compact JSON, NUL behind it; keys in the order of the source */
	size_t json_len;
	struct yaml_mark *marks; /* ascending json_off */
	size_t n_marks;
	unsigned line; /* where the document begins */
};

struct yaml_stream {
	struct yaml_document *documents; /* empty documents (only comments) are left out */
	size_t n;
};

/* Reads all documents of text (UTF-8). name (a file's) begins every message, with line and
 * column: "name:3:1: ...". JSON files are read, too. The limits hold for all documents together;
 * those above json.h's own maxima mean these. 0, -EBADMSG, -E2BIG, -ENOMEM. */
int yaml_read(struct yaml_stream *ret_s, struct span text, const char *name,
	const struct yaml_limits *limits, struct error *err);
void yaml_stream_free(struct yaml_stream *s);
#define _cleanup_yaml_stream_ _cleanup_(yaml_stream_free)

/* The mark of the value or key at v in d, whose JSON v's document was parsed from. What an alias
 * stands for is where its anchor is. */
struct yaml_mark yaml_where(const struct yaml_document *d, struct json_val v);

/* Writes a JSON value as block-style YAML, so that kubectl reads exactly the same value back:
 * strings that YAML would take for something else are quoted, order and number texts are kept.
 * No document marker; ends with a newline. 0, the buffer's error, -EINVAL (v is missing), or
 * -ERANGE: a number beyond double precision, which every YAML reader would take for something else.
 */
int yaml_write(struct buf *out, struct json_val v);
