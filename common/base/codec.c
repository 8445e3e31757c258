/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/codec.h"

#include <errno.h>
#include <stdint.h>

int codec_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int codec_hex_exact(unsigned char *ret, size_t len, struct span text)
{
	if (text.len % 2 || text.len / 2 != len)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		int high = codec_hex_digit(text.p[2 * i]);
		int low = codec_hex_digit(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		ret[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

int codec_unhex(struct buf *out, struct span text)
{
	size_t before = out->len;

	if (text.len % 2)
		return -EBADMSG;
	for (size_t i = 0; i < text.len; i += 2) {
		unsigned char byte;

		if (codec_hex_exact(&byte, 1, (struct span){text.p + i, 2}) < 0) {
			out->len = before;
			return -EBADMSG;
		}
		buf_add(out, &byte, 1);
	}
	return out->err;
}

int codec_hex(struct buf *out, const void *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *s = p;

	for (size_t i = 0; i < len; i++) {
		const char pair[] = {digits[s[i] >> 4], digits[s[i] & 15]};

		buf_add(out, pair, sizeof(pair));
	}
	return out->err;
}

static int base64_digit(enum codec_base64 kind, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (kind == CODEC_BASE64 ? '+' : '-'))
		return 62;
	return c == (kind == CODEC_BASE64 ? '/' : '_') ? 63 : -1;
}

/* Up to four digits: n - 1 bytes. */
static int unbase64_group(struct buf *out, enum codec_base64 kind, const char *p, size_t n)
{
	unsigned char bytes[3];
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = i < n ? base64_digit(kind, p[i]) : 0;

		if (digit < 0)
			return -EBADMSG;
		bits = bits << 6 | (uint32_t)digit;
	}
	for (size_t i = 0; i < 3; i++)
		bytes[i] = (unsigned char)(bits >> (16 - 8 * i));
	/* What the last group does not need must be zero, or two texts would be the same bytes. */
	if (n < 2 || (n == 2 && bytes[1]) || (n == 3 && bytes[2]))
		return -EBADMSG;
	buf_add(out, bytes, n - 1);
	return 0;
}

int codec_unbase64(struct buf *out, enum codec_base64 kind, struct span text)
{
	size_t before = out->len, n = text.len, pad = 0;

	if (kind == CODEC_BASE64) {
		if (n % 4)
			return -EBADMSG;
		while (pad < 2 && n > 0 && text.p[n - 1] == '=') {
			pad++;
			n--;
		}
	}
	for (size_t i = 0; i < n; i += 4) {
		if (unbase64_group(out, kind, text.p + i, n - i < 4 ? n - i : 4) < 0) {
			out->len = before;
			return -EBADMSG;
		}
	}
	return out->err;
}

int codec_unbase64_exact(unsigned char *ret, size_t len, enum codec_base64 kind, struct span text)
{
	_cleanup_buf_ struct buf bytes = BUF_INIT(len);

	if (codec_unbase64(&bytes, kind, text) < 0 || bytes.len != len)
		return -EBADMSG;
	if (len)
		memcpy(ret, bytes.p, len);
	return 0;
}

int codec_base64url(struct buf *out, const void *p, size_t len)
{
	size_t before = out->len;
	int r = buf_base64(out, p, len);

	if (r < 0)
		return r;
	while (out->len > before && out->p[out->len - 1] == '=')
		out->p[--out->len] = '\0';
	for (char *c = out->p + before; c < out->p + out->len; c++)
		*c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c);
	return 0;
}
