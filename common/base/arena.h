/* SPDX-License-Identifier: Apache-2.0
 *
 * A region: many small allocations, one release. Born with a maximum. A review, a manifest or a
 * configuration is worked in one arena; what outlives it is copied out. Not thread-safe. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "common/base/cleanup.h"
#include "common/base/span.h"

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t used; /* bytes handed out since the last reset */
	size_t max;  /* allocations beyond this fail */
};

#define ARENA_INIT(max_bytes) ((struct arena){.max = (max_bytes)})

/* size bytes, zeroed, aligned for any object; NULL when memory or the maximum is exhausted. */
void *arena_alloc(struct arena *a, size_t size);

/* A copy of s with a NUL behind it (the NUL is not counted); .p is NULL on failure. */
struct span arena_dup(struct arena *a, struct span s);

/* The same as a C string; NULL on failure. */
char *arena_strdup(struct arena *a, struct span s);

/* A formatted C string; NULL on failure. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Forgets every allocation but keeps one block, for the next round. */
void arena_reset(struct arena *a);

/* Releases everything; a may be used again. */
void arena_free(struct arena *a);

#define arena_new(a, type)       ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n)  ((type *)arena_alloc_array((a), (n), sizeof(type)))
void *arena_alloc_array(struct arena *a, size_t n, size_t size);

#define _cleanup_arena_ _cleanup_(arena_free)
