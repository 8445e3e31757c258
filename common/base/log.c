/* SPDX-License-Identifier: Apache-2.0
 *
 * klog's text header and its JSON format (k8s.io/component-base/logs/json). Strings are escaped
 * alike in both, so that no value can end its line or change how a terminal shows it. */
#include "common/base/log.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/utf8.h"

enum {
	LOG_LINE_MAX = 8192, /* the newline included */
	LOG_RESERVE = 32,    /* for "..." and what closes the line */
	LOG_KEY_MAX = 64,
	LOG_NUMBER_MAX = 32,
	LOG_CALLER_MAX = 64,
	REPLACEMENT = 0xfffd, /* stands for what is not UTF-8 */
};

/* Atomic one by one: a reload must not race with threads that log. */
static _Atomic int log_format = LOG_TEXT, log_verbosity = 2, log_fd = STDERR_FILENO;

struct line {
	char p[LOG_LINE_MAX];
	size_t len;
	bool full; /* something was left out; nothing more is added */
};

void log_setup(const struct log_options *o)
{
	atomic_store(&log_format, (int)o->format);
	atomic_store(&log_verbosity, o->verbosity);
	atomic_store(&log_fd, o->fd);
}

bool log_enabled(int v)
{
	return v <= atomic_load(&log_verbosity);
}

static bool has_room(struct line *l, size_t n)
{
	if (!l->full && l->len + n > sizeof(l->p) - LOG_RESERVE)
		l->full = true;
	return !l->full;
}

static void put(struct line *l, const char *s, size_t n)
{
	if (has_room(l, n)) {
		memcpy(l->p + l->len, s, n);
		l->len += n;
	}
}

static void puts_(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* What closes a string or the line; LOG_RESERVE keeps room for it. */
static void close_with(struct line *l, const char *s)
{
	size_t n = strlen(s);

	memcpy(l->p + l->len, s, n);
	l->len += n;
}

/* Controls, separators, and what turns the direction of text around. */
static bool is_unsafe(uint32_t u)
{
	return u < 0x20 || (u >= 0x7f && u < 0xa0) || u == 0x061c || u == 0x200e || u == 0x200f ||
	       (u >= 0x2028 && u <= 0x202e) || (u >= 0x2066 && u <= 0x2069) || u == 0xfeff;
}

static void put_quoted(struct line *l, struct span s)
{
	if (!has_room(l, 2))
		return;
	close_with(l, "\"");
	while (s.len) {
		uint32_t u = REPLACEMENT;
		size_t n = utf8_decode(s, &u);
		char esc[8];

		n = n ? n : 1;
		if (u == '"' || u == '\\')
			put(l, (char[]){'\\', (char)u}, 2);
		else if (u == '\n')
			puts_(l, "\\n");
		else if (is_unsafe(u))
			put(l, esc, (size_t)snprintf(esc, sizeof(esc), "\\u%04x", (unsigned)u));
		else if (u == REPLACEMENT)
			puts_(l, "\xef\xbf\xbd");
		else
			put(l, s.p, n);
		if (l->full) {
			close_with(l, "...");
			break;
		}
		s = (struct span){s.p + n, s.len - n};
	}
	close_with(l, "\"");
}

static void put_key(struct line *l, bool json, const char *key)
{
	/* Key, separators and the shortest value together, or nothing of it. */
	if (!has_room(l, LOG_KEY_MAX + LOG_NUMBER_MAX))
		return;
	l->len += (size_t)snprintf(
		l->p + l->len, LOG_KEY_MAX + 8, json ? ",\"%.*s\":" : " %.*s=", LOG_KEY_MAX, key);
}

static void put_float(struct line *l, double f)
{
	char n[LOG_NUMBER_MAX];

	snprintf(n, sizeof(n), "%.9g", f);
	if (isfinite(f))
		puts_(l, n);
	else
		put_quoted(l, span_str(n));
}

static void put_field(struct line *l, bool json, const struct log_field *f)
{
	char n[LOG_NUMBER_MAX];

	put_key(l, json, f->key);
	switch (f->type) {
	case LOG_F_STR:
		put_quoted(l, span_str(f->str));
		break;
	case LOG_F_SPAN:
		put_quoted(l, f->span);
		break;
	case LOG_F_INT:
		put(l, n, (size_t)snprintf(n, sizeof(n), "%lld", (long long)f->n));
		break;
	case LOG_F_BOOL:
		puts_(l, f->n ? "true" : "false");
		break;
	case LOG_F_FLOAT:
		put_float(l, f->f);
		break;
	}
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void put_head(struct line *l, bool json, char severity, const char *file, int line)
{
	int64_t usec = clock_unix_usec();
	time_t sec = usec / USEC_PER_SEC;
	int frac = (int)(usec % USEC_PER_SEC);
	struct tm tm = {0};

	if (json) {
		l->len = (size_t)snprintf(l->p, sizeof(l->p),
			"{\"ts\":%lld.%03d,\"caller\":\"%.*s:%d\",\"msg\":",
			(long long)(usec / USEC_PER_MSEC), frac % USEC_PER_MSEC, LOG_CALLER_MAX,
			base_name(file), line);
		return;
	}
	localtime_r(&sec, &tm);
	l->len =
		(size_t)snprintf(l->p, sizeof(l->p), "%c%02d%02d %02d:%02d:%02d.%06d %7d %.*s:%d] ",
			severity, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, frac,
			(int)gettid(), LOG_CALLER_MAX, base_name(file), line);
}

void log_(char severity, int v, const char *cause, const char *file, int line, const char *msg,
	const struct log_field *fields)
{
	bool json = atomic_load(&log_format) == LOG_JSON;
	int saved = errno;
	struct line l;

	if (severity == 'I' && !log_enabled(v))
		return;
	l.full = false;
	put_head(&l, json, severity, file, line);
	put_quoted(&l, span_str(msg));
	if (json && severity != 'E')
		put_field(&l, json, &LOG_INT("v", v));
	if (cause)
		put_field(&l, json, &LOG_STR("err", cause));
	for (; fields->key; fields++)
		put_field(&l, json, fields);
	if (l.full)
		close_with(&l, json ? ",\"truncated\":true" : " ...");
	close_with(&l, json ? "}\n" : "\n");
	/* A log that can not be written must not stop the program. */
	while (write(atomic_load(&log_fd), l.p, l.len) < 0 && errno == EINTR)
		continue;
	errno = saved;
}
