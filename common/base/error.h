/* SPDX-License-Identifier: Apache-2.0
 *
 * What went wrong, for a person. Functions return 0 (or a count) or -errno; those whose failure a
 * person must understand also fill a struct error. Library code never logs. */
#pragma once

#include <errno.h>
#include <stdarg.h>

struct error {
	int code;          /* -errno, 0 when nothing was set */
	char message[480]; /* one line: what was wrong, where, what to change; cut when longer */
};

/* Sets err (NULL allowed) to a formatted message and returns code, which must be negative. */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for those who wrap it. Arguments may point into err's own message. */
int error_vset(struct error *err, int code, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

/* Puts "prefix: " before what err already says and returns code unchanged, so that a NULL err
 * cannot turn a failure into a success. */
int error_prefix(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The out-of-memory failure, in one place. */
static inline int error_oom(struct error *err)
{
	error_set(err, -ENOMEM, "out of memory");
	return -ENOMEM;
}
