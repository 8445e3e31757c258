/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as text: hexadecimal and base64 (RFC 4648), read strictly. */
#pragma once

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/span.h"

/* Value of a hexadecimal digit of either case, or -1. */
int codec_hex_digit(char c);

/* Exactly len bytes from 2 len digits of either case. -EBADMSG. */
int codec_hex_exact(unsigned char *ret, size_t len, struct span text);
/* Appends what text stands for: an even number of digits and nothing else. -EBADMSG, and nothing is
 * appended, or the buffer's error. */
int codec_unhex(struct buf *out, struct span text);
/* Appends lower-case digits. */
int codec_hex(struct buf *out, const void *p, size_t len);

enum codec_base64 {
	CODEC_BASE64,     /* section 4, padded */
	CODEC_BASE64_URL, /* section 5, without padding: JOSE's */
	CODEC_BASE64_ANY, /* digits of both, without padding */
};
/* Appends what text stands for. Blanks, wrong padding and bits left over are -EBADMSG, and nothing
 * is appended; or the buffer's error. Writing the first kind: buf_base64(). */
int codec_unbase64(struct buf *out, enum codec_base64 kind, struct span text);
/* Exactly len bytes. -EBADMSG. */
int codec_unbase64_exact(unsigned char *ret, size_t len, enum codec_base64 kind, struct span text);
/* Appends the second kind. 0 or the buffer's error. */
int codec_base64url(struct buf *out, const void *p, size_t len);
