/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that must not outlive their use: keys, tokens, and text made from them. The memory is
 * allocated once, at its final size, never moved, and cleansed when freed. After secret_lock() it
 * is locked and in no core file: from OpenSSL's secure heap, or in pages of its own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/cleanup.h"
#include "common/base/span.h"

struct secret {
	char *p; /* NUL behind len whenever p is set */
	size_t len;
	size_t cap;  /* longest content; -ENOBUFS beyond */
	bool mapped; /* in pages of its own */
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

/* From now on secrets, and the private keys that OpenSSL holds, lie in memory that is not swapped
 * and in no core file. Once, before there are threads and secrets. -EPERM: it is not locked, since
 * RLIMIT_MEMLOCK does not allow it, but set up for the rest; -ENOMEM: neither. */
int secret_lock(void);

/* For programs that hold secrets: no core dumps, no ptrace by others; and secret_lock(), whose
 * errors it returns. */
int secret_protect_process(void);

#define _cleanup_secret_ _cleanup_(secret_free)
