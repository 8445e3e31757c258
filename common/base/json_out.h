/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes JSON for people and programs alike: indented by two blanks, one member a line. Members and
 * elements alike: key is NULL in an array, and of the outermost value. What is written is the
 * caller's order. Errors stick in the buffer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

struct json_out {
	struct buf *b;
	unsigned depth;
	bool filled; /* the innermost object or array has something in it */
};

#define JSON_OUT_INIT(buf) ((struct json_out){.b = (buf)})

/* bracket: '{' or '['. Close with '}' or ']'. */
void json_out_open(struct json_out *o, const char *key, char bracket);
void json_out_close(struct json_out *o, char bracket);
void json_out_str(struct json_out *o, const char *key, struct span s); /* valid UTF-8 */
void json_out_hex(struct json_out *o, const char *key, const void *p, size_t len);
void json_out_int(struct json_out *o, const char *key, int64_t n);
void json_out_bool(struct json_out *o, const char *key, bool value);
void json_out_null(struct json_out *o, const char *key);
