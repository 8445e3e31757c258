/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/utf8.h"

size_t utf8_decode(struct span s, uint32_t *ret_c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first;
	uint32_t c;
	size_t n;

	if (s.len == 0)
		return 0;
	first = (unsigned char)s.p[0];
	n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (n == 0 || first > 0xf4 || n > s.len)
		return 0;
	c = n == 1 ? first : first & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if (!utf8_continues(s.p[i]))
			return 0;
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	if (ret_c)
		*ret_c = c;
	return n;
}

size_t utf8_encode(uint32_t c, char out[4])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)(heads[n] | c);
	return n;
}

size_t utf8_count(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += !utf8_continues(s.p[i]);
	return n;
}

struct span utf8_cut(struct span s, size_t max)
{
	if (s.len <= max)
		return s;
	while (max > 0 && utf8_continues(s.p[max]))
		max--;
	return (struct span){s.p, max};
}
