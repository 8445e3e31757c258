/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing byte buffer, born with a maximum. The first failure sticks in err and later appends do
 * nothing, so that a writer checks once, at the end. */
#pragma once

#include <stddef.h>

#include "common/base/cleanup.h"
#include "common/base/span.h"

struct buf {
	char *p; /* NUL behind len whenever p is set */
	size_t len;
	size_t cap;
	size_t max; /* longest content; -E2BIG beyond */
	int err;    /* 0, -E2BIG or -ENOMEM */
};

#define BUF_INIT(max_bytes) ((struct buf){.max = (max_bytes)})

/* All return 0 or the buffer's err. */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_span(struct buf *b, struct span s);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends n bytes of base64 (RFC 4648 section 4, padded). */
int buf_base64(struct buf *b, const void *p, size_t n);

/* Appends s as a JSON string, quotes included. s must be valid UTF-8. */
int buf_json_string(struct buf *b, struct span s);

/* The content as a span; valid until the next append. */
struct span buf_view(const struct buf *b);

/* Drops content and error, keeps the memory. */
void buf_reset(struct buf *b);
void buf_free(struct buf *b);

#define _cleanup_buf_ _cleanup_(buf_free)
