/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/http_head.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { LENGTH_DIGITS = 6 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The next line, without its end; SPAN_NONE: there is none. */
static struct span take_line(struct span *rest)
{
	const char *end = rest->len ? memmem(rest->p, rest->len, "\r\n", 2) : NULL;
	struct span line;

	if (!end)
		return SPAN_NONE;
	line = (struct span){rest->p, (size_t)(end - rest->p)};
	*rest = (struct span){end + 2, rest->len - line.len - 2};
	return line;
}

/* HTTP/1.1 200 OK */
static int read_status(struct span line)
{
	struct span code = span_after(line, "HTTP/1.");

	if (code.len < 5 || !is_digit(code.p[0]) || code.p[1] != ' ' ||
		(code.len > 5 && code.p[5] != ' '))
		return -EBADMSG;
	for (size_t i = 2; i < 5; i++)
		if (!is_digit(code.p[i]))
			return -EBADMSG;
	return (code.p[2] - '0') * 100 + (code.p[3] - '0') * 10 + code.p[4] - '0';
}

/* The value of line when it is the field of that name; SPAN_NONE else. */
static struct span field(struct span line, const char *name)
{
	size_t n = strlen(name);
	struct span v;

	if (line.len <= n || line.p[n] != ':' || strncasecmp(line.p, name, n) != 0)
		return SPAN_NONE;
	v = (struct span){line.p + n + 1, line.len - n - 1};
	while (v.len && (v.p[0] == ' ' || v.p[0] == '\t'))
		v = (struct span){v.p + 1, v.len - 1};
	while (v.len && (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\t'))
		v.len--;
	return v;
}

static int read_length(struct span v, size_t max, size_t *ret)
{
	size_t n = 0;

	if (v.len == 0 || v.len > LENGTH_DIGITS)
		return -EBADMSG;
	for (size_t i = 0; i < v.len; i++) {
		if (!is_digit(v.p[i]))
			return -EBADMSG;
		n = n * 10 + (size_t)(v.p[i] - '0');
	}
	if (n > max)
		return -EBADMSG;
	*ret = n;
	return 0;
}

/* Up to its attributes. Empty: it is none, or has what a request's header cannot. */
static struct span read_cookie(struct span v)
{
	const char *end = memchr(v.p, ';', v.len);
	struct span c = {v.p, end ? (size_t)(end - v.p) : v.len};

	for (size_t i = 0; i < c.len; i++)
		if ((unsigned char)c.p[i] <= ' ' || (unsigned char)c.p[i] >= 0x7f)
			return (struct span){c.p, 0};
	return c;
}

static int read_field(struct exec_http_head *h, bool *length, struct span line, size_t length_max,
	struct error *err)
{
	struct span v = field(line, "content-length"), cookie = field(line, "set-cookie");

	if (field(line, "transfer-encoding").p || (v.p && *length) ||
		(v.p && read_length(v, length_max, &h->length) < 0))
		return error_set(err, -EBADMSG,
			"the answer's length is not said, or beyond %zu bytes", length_max);
	*length = *length || v.p;
	if (!cookie.p)
		return 0;
	h->cookie = read_cookie(cookie);
	return h->cookie.len ? 0 : error_set(err, -EBADMSG, "the answer's cookie is none");
}

int exec_http_head_read(
	struct exec_http_head *ret, struct span head, size_t length_max, struct error *err)
{
	struct span rest = head, line = take_line(&rest);
	struct exec_http_head h = {.status = read_status(line)};
	bool length = false;

	if (h.status < 0)
		return error_set(err, -EBADMSG, "what answers is no HTTP server");
	for (line = take_line(&rest); line.len; line = take_line(&rest)) {
		int r = read_field(&h, &length, line, length_max, err);

		if (r < 0)
			return r;
	}
	if (!line.p || rest.len)
		return error_set(err, -EBADMSG, "the answer's header is cut off");
	if (!length)
		return error_set(err, -EBADMSG, "the answer's length is not said");
	*ret = h;
	return 0;
}
