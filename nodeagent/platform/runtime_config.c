/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/platform/runtime_config.h"

#include <errno.h>
#include <stdbool.h>

struct scan {
	const char *p, *end;
	const struct runtime_config_found *found;
};

/* Where a dotted name has led to. */
struct place {
	unsigned depth;           /* parts so far */
	struct span before, last; /* the last two parts */
	bool runtimes;            /* last names the table of handlers */
};

static void place_enter(const struct scan *s, struct place *at, struct span part)
{
	if (at->runtimes)
		s->found->handler(s->found->ctx, part);
	at->before = at->last;
	at->last = part;
	at->depth++;
	at->runtimes = span_is(part, "runtimes") &&
		       (span_is(at->before, "containerd") || span_is(at->before, "runtime"));
}

static bool more(const struct scan *s)
{
	return s->p < s->end;
}

static bool eat(struct scan *s, char c)
{
	if (!more(s) || *s->p != c)
		return false;
	s->p++;
	return true;
}

static void skip_blanks(struct scan *s)
{
	while (more(s) && (*s->p == ' ' || *s->p == '\t'))
		s->p++;
}

/* Blanks, comments and line ends. */
static void skip_space(struct scan *s)
{
	while (more(s)) {
		if (*s->p == '#')
			while (more(s) && *s->p != '\n')
				s->p++;
		else if (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n')
			s->p++;
		else
			return;
	}
}

static bool bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* The rest of """…""" or '''…'''. */
static int scan_multiline(struct scan *s, char quote)
{
	while (s->end - s->p >= 3) {
		if (*s->p == '\\' && quote == '"') {
			s->p += 2;
		} else if (s->p[0] == quote && s->p[1] == quote && s->p[2] == quote) {
			s->p += 3;
			/* up to two quotes may stand before the end */
			for (int i = 0; i < 2 && eat(s, quote); i++)
				;
			return 0;
		} else {
			s->p++;
		}
	}
	return -EBADMSG;
}

/* A string of one line; escapes stay as written, so that no name matches by them. */
static int scan_string(struct scan *s, struct span *ret)
{
	char quote = *s->p++;
	const char *start = s->p;

	for (; more(s) && *s->p != '\n'; s->p++) {
		if (*s->p == quote) {
			*ret = (struct span){start, (size_t)(s->p - start)};
			s->p++;
			return 0;
		}
		if (*s->p == '\\' && quote == '"' && s->p + 1 < s->end && s->p[1] != '\n')
			s->p++;
	}
	return -EBADMSG;
}

static int scan_part(struct scan *s, struct span *ret)
{
	const char *start;

	skip_blanks(s);
	if (more(s) && (*s->p == '"' || *s->p == '\''))
		return scan_string(s, ret);
	for (start = s->p; more(s) && bare(*s->p); s->p++)
		;
	*ret = (struct span){start, (size_t)(s->p - start)};
	return s->p > start ? 0 : -EBADMSG;
}

/* A dotted name, from *at on. */
static int scan_name(struct scan *s, struct place *at)
{
	struct span part;
	int r;

	do {
		r = scan_part(s, &part);
		if (r < 0)
			return r;
		place_enter(s, at, part);
		skip_blanks(s);
	} while (eat(s, '.'));
	return 0;
}

/* A string; multi-line ones are passed over. */
static int scan_any_string(struct scan *s, bool import)
{
	struct span text;
	char quote = *s->p;
	int r;

	if (s->end - s->p >= 3 && s->p[1] == quote && s->p[2] == quote) {
		s->p += 3;
		return scan_multiline(s, quote);
	}
	r = scan_string(s, &text);
	if (r == 0 && import)
		s->found->import(s->found->ctx, text);
	return r;
}

/* A value, up to what ends it: a line's end outside brackets. */
static int scan_value(struct scan *s, bool imports)
{
	int depth = 0, r = 0;

	while (r == 0 && more(s)) {
		char c = *s->p;

		if (c == '"' || c == '\'') {
			r = scan_any_string(s, imports && depth == 1);
		} else if (c == '[' || c == '{') {
			s->p++;
			if (++depth > RUNTIME_CONFIG_NESTING)
				return -EBADMSG;
		} else if (c == ']' || c == '}') {
			s->p++;
			if (--depth < 0)
				return -EBADMSG;
		} else if (c == '\n' && depth == 0) {
			return 0;
		} else if (c == '#' || c == '\n') {
			if (depth == 0)
				return 0;
			skip_space(s);
		} else {
			s->p++;
		}
	}
	return r < 0 || depth == 0 ? r : -EBADMSG;
}

static int scan_table(struct scan *s, struct place *ret_at)
{
	struct place at = {0};
	bool list = eat(s, '[');
	int r = scan_name(s, &at);

	if (r < 0)
		return r;
	if (!eat(s, ']') || (list && !eat(s, ']')))
		return -EBADMSG;
	*ret_at = at;
	return 0;
}

static int scan_pair(struct scan *s, const struct place *table)
{
	struct place at = *table;
	int r = scan_name(s, &at);

	if (r < 0)
		return r;
	if (!eat(s, '='))
		return -EBADMSG;
	return scan_value(s, at.depth == 1 && span_is(at.last, "imports"));
}

int runtime_config_scan(struct span text, const struct runtime_config_found *found)
{
	struct scan s = {.p = text.p, .found = found};
	struct place table = {0};

	if (text.len == 0)
		return 0;
	if (text.len > RUNTIME_CONFIG_MAX)
		return -EBADMSG;
	s.end = s.p + text.len;
	for (;;) {
		int r;

		skip_space(&s);
		if (!more(&s))
			return 0;
		r = eat(&s, '[') ? scan_table(&s, &table) : scan_pair(&s, &table);
		if (r < 0)
			return r;
		skip_blanks(&s);
		if (more(&s) && *s.p != '\n' && *s.p != '\r' && *s.p != '#')
			return -EBADMSG;
	}
}
