/* SPDX-License-Identifier: Apache-2.0
 *
 * Scope-bound release (systemd's cleanup attributes). No goto in a function that uses these. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Hands a pointer over: the variable becomes NULL, so its cleanup does nothing. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) take_ = (p);                                                         \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})

/* The same for a file descriptor. */
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int take_ = (fd);                                                                  \
		(fd) = -1;                                                                         \
		take_;                                                                             \
	})

/* Defines the cleanup function f_p for variables of pointer type t that f() frees. */
#define DEFINE_CLEANUP(t, f)                                                                       \
	static inline void f##_p(t *p)                                                             \
	{                                                                                          \
		if (*p)                                                                            \
			f(*p);                                                                     \
	}

static inline void cleanup_free_p(void *p)
{
	free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(cleanup_free_p)

static inline void cleanup_close_p(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define _cleanup_close_ _cleanup_(cleanup_close_p)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
