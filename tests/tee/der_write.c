/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tee/der_write.h"

void der_write(struct buf *b, unsigned tag, struct span content)
{
	buf_putc(b, (char)tag);
	if (content.len > 255) {
		buf_putc(b, (char)0x82);
		buf_putc(b, (char)(content.len >> 8));
	} else if (content.len > 127) {
		buf_putc(b, (char)0x81);
	}
	buf_putc(b, (char)content.len);
	buf_span(b, content);
}

void der_write_number(struct buf *b, unsigned tag, unsigned value)
{
	char bytes[5] = {
		0, (char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value};
	size_t i = 0;

	/* the shortest that is not negative */
	while (i < 4 && bytes[i] == 0 && !(bytes[i + 1] & 0x80))
		i++;
	der_write(b, tag, (struct span){bytes + i, sizeof(bytes) - i});
}
