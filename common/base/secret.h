/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that must not outlive their use: keys, tokens, and text made from them. The memory is
 * allocated once, at its final size, never moved, and cleansed when freed. It comes from OpenSSL's
 * secure heap (locked, guarded, not dumped) where the program has set one up. */
#pragma once

#include <stddef.h>

#include "common/base/cleanup.h"
#include "common/base/span.h"

struct secret {
	char *p; /* NUL behind len whenever p is set */
	size_t len;
	size_t cap; /* longest content; -ENOBUFS beyond */
};

/* An empty secret with room for cap bytes. s holds nothing before. 0 or -ENOMEM. */
int secret_init(struct secret *s, size_t cap);

/* A secret of exactly these bytes; of what base64 (RFC 4648 section 4, padded, no blanks) stands
 * for: -EBADMSG when text is not that. */
int secret_copy(struct secret *s, struct span bytes);
int secret_unbase64(struct secret *s, struct span text);

/* Appends bytes, or their base64. 0 or -ENOBUFS, and then nothing is appended. */
int secret_add(struct secret *s, struct span bytes);
int secret_add_base64(struct secret *s, struct span bytes);

/* Bytes that n bytes take in base64. */
static inline size_t secret_base64_len(size_t n)
{
	return (n + 2) / 3 * 4;
}

/* The content; valid until the secret is freed. */
struct span secret_view(const struct secret *s);

/* Cleanses, and leaves an empty secret without room. */
void secret_free(struct secret *s);

/* For programs that hold secrets: no core dumps, no ptrace by others. */
void secret_protect_process(void);

#define _cleanup_secret_ _cleanup_(secret_free)
