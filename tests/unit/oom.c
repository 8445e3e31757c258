/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/oom.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

static _Thread_local struct {
	unsigned countdown; /* 1: the next one fails; 0: none */
	bool all;
	unsigned failed;
} state;

static bool fails(void)
{
	if (state.countdown != 1) {
		state.countdown -= state.countdown > 0;
		return false;
	}
	state.countdown = state.all;
	state.failed++;
	errno = ENOMEM;
	return true;
}

bool oom_next(struct oom *o)
{
	bool seen = o->n > 0 && o->failed == 0;

	if (seen && o->all) {
		CHECK_ROW("oom", o->n > 1, "nothing was allocated, so nothing was seen");
		return false;
	}
	o->all = o->all || seen;
	o->n = seen ? 1 : o->n + 1;
	snprintf(o->row, sizeof(o->row), "allocation %u%s", o->n, o->all ? " and the rest" : "");
	return true;
}

void oom_begin(const struct oom *o)
{
	state.countdown = o->n;
	state.all = o->all;
	state.failed = 0;
}

void oom_end(struct oom *o)
{
	state.countdown = 0;
	o->failed = state.failed;
}

/* --wrap has calls of malloc() go to __wrap_malloc(), and __real_malloc() is the true one. */
#define WRAP(name, params, args)                                                                   \
	void *__real_##name params;                                                                \
	void *__wrap_##name params;                                                                \
	void *__wrap_##name params                                                                 \
	{                                                                                          \
		return fails() ? NULL : __real_##name args;                                        \
	}
WRAP(malloc, (size_t n), (n))
WRAP(calloc, (size_t n, size_t size), (n, size))
WRAP(realloc, (void *p, size_t n), (p, n))
WRAP(reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(strdup, (const char *s), (s))
WRAP(strndup, (const char *s, size_t n), (s, n))

/* OpenSSL allocates for it. */
bool __real_algorithm_hash(const void *p, size_t n, unsigned char ret[32]);
bool __wrap_algorithm_hash(const void *p, size_t n, unsigned char ret[32]);
bool __wrap_algorithm_hash(const void *p, size_t n, unsigned char ret[32])
{
	return !fails() && __real_algorithm_hash(p, n, ret);
}

static int print(char **ret_s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static int print(char **ret_s, const char *fmt, va_list ap)
{
	return fails() ? -1 : vasprintf(ret_s, fmt, ap);
}

int __wrap_asprintf(char **ret_s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **ret_s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = print(ret_s, fmt, ap);
	va_end(ap);
	return n;
}

/* What _FORTIFY_SOURCE makes of it. */
int __wrap___asprintf_chk(char **ret_s, int flag, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int __wrap___asprintf_chk(char **ret_s, int flag, const char *fmt, ...)
{
	va_list ap;
	int n;

	(void)flag;
	va_start(ap, fmt);
	n = print(ret_s, fmt, ap);
	va_end(ap);
	return n;
}
