/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON Patch (RFC 6902): built operation by operation with escaped paths (RFC 6901), and applied to
 * a received document without touching what it does not name: order, number texts and unknown
 * fields stay as they were. */
#pragma once

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/json.h"

struct patch {
	struct buf ops; /* the operations, comma-separated, without the brackets */
	size_t n;
};

#define PATCH_INIT(max_bytes) ((struct patch){.ops = BUF_INIT(max_bytes)})

enum patch_kind { PATCH_ADD, PATCH_REPLACE, PATCH_REMOVE };

/* One operation: patch_op, then patch_key/patch_index along the path, then (add, replace) one
 * patch_value… or (remove) patch_end. prefix is a ready JSON Pointer ("" or "/spec/template").
 * Failures stick in ops.err; check once, at the end. */
void patch_op(struct patch *p, enum patch_kind kind, const char *prefix);
void patch_key(struct patch *p, struct span key);
void patch_keys_(struct patch *p, const char *const *keys);
#define patch_keys(p, ...) patch_keys_((p), (const char *const[]){__VA_ARGS__, NULL})
void patch_index(struct patch *p, size_t i);
void patch_append(struct patch *p); /* the "-" behind an array's last element */
void patch_value_json(struct patch *p, struct span json);
void patch_value_str(struct patch *p, struct span s);
void patch_end(struct patch *p);

void patch_reset(struct patch *p);
void patch_free(struct patch *p);
#define _cleanup_patch_ _cleanup_(patch_free)

/* Writes the whole patch ("[]" when empty). */
int patch_write(const struct patch *p, struct buf *out);

/* Applies a patch document (an array of add, replace and remove) to doc and appends the result to
 * out: what no operation reaches keeps its received text. -EBADMSG: not such a patch; -ENOENT: a
 * path does not exist; -E2BIG, -ENOMEM. */
int patch_apply(struct json_val doc, struct json_val patch, struct arena *a, struct buf *out,
	struct error *err);
