/* SPDX-License-Identifier: Apache-2.0
 *
 * A borrowed run of bytes. Not terminated; may hold NULs. The owner must outlive it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *p;
	size_t len;
};

#define SPAN_NONE    ((struct span){NULL, 0})
#define SPAN_LIT(s)  ((struct span){"" s, sizeof(s) - 1})
#define SPAN_FMT     "%.*s"
#define SPAN_ARG(s)  (int)(s).len, (s).p ? (s).p : ""

static inline struct span span_str(const char *s)
{
	return (struct span){s, s ? strlen(s) : 0};
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
	return span_equal(a, span_str(s));
}

static inline bool span_starts(struct span a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.p && a.len >= n && memcmp(a.p, prefix, n) == 0;
}

/* What follows prefix in a, or SPAN_NONE when a does not start with it. */
static inline struct span span_after(struct span a, const char *prefix)
{
	size_t n = strlen(prefix);

	return span_starts(a, prefix) ? (struct span){a.p + n, a.len - n} : SPAN_NONE;
}
