/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

/* Makes room for n more bytes and the NUL. */
static int buf_reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	char *p;

	if (b->err)
		return b->err;
	if (n > b->max || b->len > b->max - n)
		return b->err = -E2BIG;
	if (b->len + n < b->cap)
		return 0;
	while (cap <= b->len + n)
		cap *= 2;
	p = realloc(b->p, cap);
	if (!p)
		return b->err = -ENOMEM;
	b->p = p;
	b->cap = cap;
	return 0;
}

int buf_add(struct buf *b, const void *p, size_t n)
{
	int r = buf_reserve(b, n);

	if (r < 0)
		return r;
	if (n)
		memcpy(b->p + b->len, p, n);
	b->len += n;
	b->p[b->len] = '\0';
	return 0;
}

int buf_span(struct buf *b, struct span s)
{
	return buf_add(b, s.p, s.len);
}

int buf_puts(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_putc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, r;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return b->err = -EINVAL;
	r = buf_reserve(b, (size_t)n);
	if (r < 0)
		return r;
	va_start(ap, fmt);
	vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

int buf_base64(struct buf *b, const void *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *s = p;
	size_t total;
	char *out;
	int r;

	if (__builtin_mul_overflow((n + 2) / 3, (size_t)4, &total))
		return b->err = -E2BIG;
	r = buf_reserve(b, total);
	if (r < 0)
		return r;
	out = b->p + b->len;
	for (; n >= 3; n -= 3, s += 3) {
		*out++ = digits[s[0] >> 2];
		*out++ = digits[(s[0] & 3) << 4 | s[1] >> 4];
		*out++ = digits[(s[1] & 15) << 2 | s[2] >> 6];
		*out++ = digits[s[2] & 63];
	}
	if (n) {
		*out++ = digits[s[0] >> 2];
		*out++ = digits[(s[0] & 3) << 4 | (n == 2 ? s[1] >> 4 : 0)];
		*out++ = n == 2 ? digits[(s[1] & 15) << 2] : '=';
		*out++ = '=';
	}
	b->len += total;
	b->p[b->len] = '\0';
	return 0;
}

int buf_json_string(struct buf *b, struct span s)
{
	size_t run = 0;

	buf_putc(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, s.p + run, i - run);
		run = i + 1;
		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '\n')
			buf_puts(b, "\\n");
		else
			buf_printf(b, "\\u%04x", c);
	}
	buf_add(b, s.p ? s.p + run : NULL, s.len - run);
	return buf_putc(b, '"');
}

struct span buf_view(const struct buf *b)
{
	return (struct span){b->p, b->len};
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->err = 0;
	if (b->p)
		b->p[0] = '\0';
}

void buf_free(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT(b->max);
}
