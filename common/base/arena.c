/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/arena.h"

#include <stdint.h>
#include <stdio.h>

enum {
	ARENA_ALIGN = _Alignof(max_align_t),
	ARENA_BLOCK = 16 * 1024,
};

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(max_align_t) char data[];
};

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->head;
	void *p;

	if (size > a->max || a->used > a->max - size)
		return NULL;
	size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (!b || b->size - b->used < size) {
		size_t n = size > ARENA_BLOCK ? size : ARENA_BLOCK;

		b = malloc(sizeof(*b) + n);
		if (!b)
			return NULL;
		*b = (struct arena_block){.next = a->head, .size = n};
		a->head = b;
	}
	p = b->data + b->used;
	b->used += size;
	a->used += size;
	return memset(p, 0, size);
}

void *arena_alloc_array(struct arena *a, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return arena_alloc(a, total);
}

char *arena_strdup(struct arena *a, struct span s)
{
	char *p = s.len < SIZE_MAX ? arena_alloc(a, s.len + 1) : NULL;

	if (p && s.len)
		memcpy(p, s.p, s.len);
	return p;
}

struct span arena_dup(struct arena *a, struct span s)
{
	char *p = arena_strdup(a, s);

	return p ? (struct span){p, s.len} : SPAN_NONE;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return NULL;
	p = arena_alloc(a, (size_t)n + 1);
	if (p)
		vsnprintf(p, (size_t)n + 1, fmt, ap);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}

void arena_reset(struct arena *a)
{
	while (a->head && a->head->next) {
		struct arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
	if (a->head)
		a->head->used = 0;
	a->used = 0;
}

void arena_free(struct arena *a)
{
	arena_reset(a);
	free(a->head);
	a->head = NULL;
}
