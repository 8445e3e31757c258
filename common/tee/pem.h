/* SPDX-License-Identifier: Apache-2.0
 *
 * PEM (RFC 7468), strictly: nothing but blocks and white space. */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/span.h"

/* Does text begin, behind white space, as PEM does? */
bool pem_is(struct span text);
/* Is the first block, if there is one, of that label? */
bool pem_label_is(struct span text, const char *label);

/* Takes the first block off *in, which must have that label, and appends its bytes to out. 1; 0:
 * nothing is left but white space and, at the very end, one NUL (Intel's certification data of type
 * 5 has it); -EBADMSG; or the buffer's error. */
int pem_next(struct span *in, const char *label, struct buf *out, struct error *err);

/* Appends a block, in lines of 64 characters. 0 or the buffer's error. */
int pem_write(struct buf *out, const char *label, struct span der);
