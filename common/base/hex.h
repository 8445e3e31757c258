/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as hexadecimal digits. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/span.h"

/* n bytes from text, which is exactly 2 n digits of either case. Else false, and ret is untouched.
 */
bool hex_read(unsigned char *ret, size_t n, struct span text);

/* Appends n bytes as digits in lower case. 0 or the buffer's error. */
int hex_write(struct buf *out, const void *p, size_t n);
