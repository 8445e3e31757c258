/* SPDX-License-Identifier: Apache-2.0
 *
 * A byte buffer for what may hold secrets: like struct buf, but memory is cleansed before it is let
 * go, also when the buffer grows. */
#pragma once

#include <stddef.h>

#include "common/base/cleanup.h"
#include "common/base/span.h"

struct scrub {
	char *p;
	size_t len, cap;
	size_t max; /* longest content */
};

/* Appends s. 0, -E2BIG when the maximum would be passed, -ENOMEM; then nothing was appended. */
int scrub_add(struct scrub *b, struct span s);
struct span scrub_view(const struct scrub *b); /* valid until the next append */
void scrub_reset(struct scrub *b); /* forgets the content, keeps the memory */
void scrub_free(struct scrub *b);
#define _cleanup_scrub_ _cleanup_(scrub_free)

/* A copy on the heap with a NUL behind it; NULL when memory is exhausted. */
char *scrub_dup(struct span s);
/* Cleanses and frees a string; NULL allowed. */
void scrub_free_string(char *s);
