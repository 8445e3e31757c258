/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 as RFC 3629 section 4 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#pragma once

#include <stdint.h>

#include "common/base/span.h"

/* Bytes of the character that s begins with, and its code point (NULL allowed); 0 when s is empty
 * or begins with none. */
size_t utf8_decode(struct span s, uint32_t *ret_c);

/* Writes c, which is a code point and no surrogate; returns how many bytes of out it took. */
size_t utf8_encode(uint32_t c, char out[4]);

/* Does a byte go on with a character that one before it began? The others count characters. */
static inline bool utf8_continues(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The characters of s; where it is not UTF-8, about as many as are seen. */
size_t utf8_count(struct span s);

/* The first max bytes of s, or fewer: cut between characters. */
struct span utf8_cut(struct span s, size_t max);
