/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/pem.h"

#include <stdio.h>

#include "common/base/codec.h"

enum { LINE_BYTES = 48 }; /* of base64: 64 characters */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span skip_space(struct span s)
{
	while (s.len && is_space(s.p[0]))
		s = (struct span){s.p + 1, s.len - 1};
	return s;
}

bool pem_is(struct span text)
{
	return span_starts(skip_space(text), "-----BEGIN ");
}

bool pem_label_is(struct span text, const char *label)
{
	return span_starts(span_after(span_after(skip_space(text), "-----BEGIN "), label), "-----");
}

/* Base64 with white space anywhere. */
static int decode(struct buf *out, struct span body, struct error *err)
{
	/* white space may double what the longest content takes */
	_cleanup_buf_ struct buf text = BUF_INIT(4 * out->max);
	int r;

	while (body.len) {
		size_t n = 0;

		while (n < body.len && !is_space(body.p[n]))
			n++;
		buf_add(&text, body.p, n);
		body = skip_space((struct span){body.p + n, body.len - n});
	}
	r = text.err ? text.err : codec_unbase64(out, CODEC_BASE64, buf_view(&text));
	if (r == -ENOMEM)
		return error_oom(err);
	if (r == -E2BIG)
		return error_set(err, r, "a PEM block has more than %zu bytes", out->max);
	return r < 0 ? error_set(err, r, "a PEM block is not base64") : 1;
}

int pem_next(struct span *in, const char *label, struct buf *out, struct error *err)
{
	char begin[64], end[64];
	struct span s = skip_space(*in), body;
	const char *stop;
	int r;

	if (s.len == 0 || (s.len == 1 && s.p[0] == '\0')) {
		*in = SPAN_NONE;
		return 0;
	}
	snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
	snprintf(end, sizeof(end), "-----END %s-----", label);
	body = span_after(s, begin);
	if (!body.p)
		return error_set(err, -EBADMSG,
			"a PEM block %s is expected, and something else is there", label);
	stop = memmem(body.p, body.len, end, strlen(end));
	if (!stop)
		return error_set(err, -EBADMSG, "a PEM block %s has no end", label);
	r = decode(out, (struct span){body.p, (size_t)(stop - body.p)}, err);
	if (r < 0)
		return r;
	stop += strlen(end);
	*in = (struct span){stop, s.len - (size_t)(stop - s.p)};
	return 1;
}

int pem_write(struct buf *out, const char *label, struct span der)
{
	buf_printf(out, "-----BEGIN %s-----\n", label);
	for (size_t at = 0; at < der.len; at += LINE_BYTES) {
		size_t left = der.len - at;

		buf_base64(out, der.p + at, left < LINE_BYTES ? left : LINE_BYTES);
		buf_putc(out, '\n');
	}
	return buf_printf(out, "-----END %s-----\n", label);
}
