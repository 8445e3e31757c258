/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/kek_lines.h"

#include <errno.h>
#include <string.h>

#define HEAD "casemate-keks/1\n"

/* Printable ASCII; blanks where they may be. */
static bool is_word(const char *s, bool blanks)
{
	for (const char *p = s; *p; p++)
		if (*p < (blanks ? ' ' : '!') || *p > '~')
			return false;
	return *s;
}

bool kek_line_good(const struct kek_line *line)
{
	return strlen(line->id) == KEK_ID_MAX - 1 &&
	       strspn(line->id, "0123456789abcdef") == KEK_ID_MAX - 1 &&
	       (line->kind == KEK_VAULT || line->kind == KEK_PKCS11) &&
	       is_word(line->wrapped, false) && is_word(line->by, true) && line->by[0] != ' ';
}

/* What is before c into ret; what is behind it stays in rest. */
static bool take(struct span *rest, char c, char *ret, size_t size)
{
	const char *end = memchr(rest->p, c, rest->len);
	size_t n = end ? (size_t)(end - rest->p) : 0;

	if (!end || n >= size || memchr(rest->p, 0, n))
		return false;
	memcpy(ret, rest->p, n);
	ret[n] = '\0';
	*rest = (struct span){end + 1, rest->len - n - 1};
	return true;
}

static bool take_line(struct span *rest, struct kek_line *ret)
{
	char kind[16];

	if (!take(rest, ' ', ret->id, sizeof(ret->id)) || !take(rest, ' ', kind, sizeof(kind)) ||
		!take(rest, ' ', ret->wrapped, sizeof(ret->wrapped)) ||
		!take(rest, '\n', ret->by, sizeof(ret->by)))
		return false;
	ret->kind = strcmp(kind, kek_kind_names[KEK_VAULT]) == 0    ? KEK_VAULT
		    : strcmp(kind, kek_kind_names[KEK_PKCS11]) == 0 ? KEK_PKCS11
								    : KEK_AUTO;
	return kek_line_good(ret);
}

int kek_lines_read(struct kek_lines *ret, struct span text, struct error *err)
{
	struct span rest = span_after(text, HEAD);
	struct kek_lines lines = {0};

	if (!rest.p || text.len > KEK_LINES_BYTES_MAX)
		return error_set(err, -EBADMSG, "they are not what was written (no %.15s)", HEAD);
	while (rest.len) {
		struct kek_line *line = &lines.v[lines.n];

		if (lines.n == KEKS_MAX)
			return error_set(err, -EBADMSG, "there are more than %d", KEKS_MAX);
		if (!take_line(&rest, line) || kek_lines_find(&lines, line->id))
			return error_set(
				err, -EBADMSG, "line %zu is not what was written", lines.n + 2);
		lines.n++;
	}
	if (!lines.n)
		return error_set(err, -EBADMSG, "there are none in it");
	*ret = lines;
	return 0;
}

int kek_lines_write(struct buf *out, const struct kek_lines *lines)
{
	buf_puts(out, HEAD);
	for (size_t i = 0; i < lines->n; i++)
		buf_printf(out, "%s %s %s %s\n", lines->v[i].id, kek_kind_names[lines->v[i].kind],
			lines->v[i].wrapped, lines->v[i].by);
	return out->err;
}

const struct kek_line *kek_lines_find(const struct kek_lines *lines, const char *id)
{
	for (size_t i = 0; i < lines->n; i++)
		if (strcmp(lines->v[i].id, id) == 0)
			return &lines->v[i];
	return NULL;
}
