/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/codec.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdint.h>

enum { CHUNK = 768 /* bytes decoded at once; groups of three */ };

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

/* The digits of each kind, and one more each: 0 is none. */
/* clang-format off */
#define DIGITS64 \
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, \
	['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, \
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, \
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, \
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, \
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, \
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, \
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, \
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62
/* clang-format on */
static const signed char digits64[][256] = {
	[CODEC_BASE64] = {DIGITS64, ['+'] = 63, ['/'] = 64},
	[CODEC_BASE64_URL] = {DIGITS64, ['-'] = 63, ['_'] = 64},
	[CODEC_BASE64_ANY] = {DIGITS64, ['+'] = 63, ['/'] = 64, ['-'] = 63, ['_'] = 64},
};

static inline int base64_digit(enum codec_base64 kind, char c)
{
	return digits64[kind][(unsigned char)c] - 1;
}

/* Four digits; negative: they are not all digits. */
static inline int32_t unbase64_group(enum codec_base64 kind, const char *p)
{
	int a = base64_digit(kind, p[0]), b = base64_digit(kind, p[1]);
	int c = base64_digit(kind, p[2]), d = base64_digit(kind, p[3]);

	return (a | b | c | d) < 0 ? -1 : a << 18 | b << 12 | c << 6 | d;
}

/* The last digits, up to four: n - 1 bytes. */
static int unbase64_last(unsigned char bytes[3], enum codec_base64 kind, const char *p, size_t n)
{
	char digits[] = "AAAA"; /* zeros */
	int32_t bits;

	memcpy(digits, p, n);
	bits = unbase64_group(kind, digits);
	for (int i = 0; i < 3; i++)
		bytes[i] = (unsigned char)(bits >> (16 - 8 * i));
	/* What the last group does not need must be zero, or two texts would be the same bytes. */
	return bits < 0 || n < 2 || (n == 2 && bytes[1]) || (n == 3 && bytes[2]) ? -EBADMSG : 0;
}

/* Whole groups, at most a chunk of them; how many digits that were, or -EBADMSG. */
static ssize_t unbase64_chunk(
	unsigned char bytes[CHUNK], enum codec_base64 kind, const char *p, size_t n)
{
	size_t i, end = n < CHUNK / 3 * 4 ? n : CHUNK / 3 * 4;

	for (i = 0; i + 4 <= end; i += 4) {
		int32_t bits = unbase64_group(kind, p + i);

		if (bits < 0)
			return -EBADMSG;
		*bytes++ = (unsigned char)(bits >> 16);
		*bytes++ = (unsigned char)(bits >> 8);
		*bytes++ = (unsigned char)bits;
	}
	return (ssize_t)i;
}

int codec_unbase64(struct buf *out, enum codec_base64 kind, struct span text)
{
	size_t before = out->len, n = text.len, i = 0;
	unsigned char bytes[CHUNK];
	ssize_t r = 0;

	if (kind == CODEC_BASE64) {
		if (n % 4)
			return -EBADMSG;
		for (size_t pad = 0; pad < 2 && n > 0 && text.p[n - 1] == '='; pad++)
			n--;
	}
	for (; r >= 0 && n - i >= 4; i += (size_t)r) {
		r = unbase64_chunk(bytes, kind, text.p + i, n - i);
		if (r > 0)
			buf_add(out, bytes, (size_t)r / 4 * 3);
		else
			break;
	}
	if (r >= 0 && i < n) {
		r = unbase64_last(bytes, kind, text.p + i, n - i);
		if (r == 0)
			buf_add(out, bytes, n - i - 1);
	}
	if (r < 0)
		out->len = before;
	OPENSSL_cleanse(bytes, sizeof(bytes)); /* it may be a key */
	return r < 0 ? (int)r : out->err;
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
