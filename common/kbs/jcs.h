/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON in its one canonical form: the JSON Canonicalization Scheme (RFC 8785). What is hashed into
 * evidence is this form, whatever order and blanks a client sent. */
#pragma once

#include "common/base/buf.h"
#include "common/base/json.h"

enum { JCS_DEPTH_MAX = 64 };

/* Appends v. 0; -EBADMSG: a number that no IEEE 754 double can hold (section 3.2.2.3); -E2BIG:
 * nested deeper than JCS_DEPTH_MAX, or longer than out takes; -EINVAL: v is missing; -ENOMEM. */
int jcs_write(struct buf *out, struct json_val v);
/* Appends a string as that form has it (section 3.2.2.2). s must be valid UTF-8. */
int jcs_string(struct buf *out, struct span s);
