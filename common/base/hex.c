/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/hex.h"

#include "common/base/json_string.h"

bool hex_read(unsigned char *ret, size_t n, struct span text)
{
	if (text.len % 2 || text.len / 2 != n)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (json_hex(text.p[i]) < 0)
			return false;
	}
	for (size_t i = 0; i < n; i++)
		ret[i] =
			(unsigned char)(json_hex(text.p[2 * i]) << 4 | json_hex(text.p[2 * i + 1]));
	return true;
}

int hex_write(struct buf *out, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = p;

	for (size_t i = 0; i < n; i++) {
		buf_putc(out, digits[bytes[i] >> 4]);
		buf_putc(out, digits[bytes[i] & 15]);
	}
	return out->err;
}
