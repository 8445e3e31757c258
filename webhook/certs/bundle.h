/* SPDX-License-Identifier: Apache-2.0
 *
 * A set of certificates, as PEM bundles hold them (RFC 7468): each once (by its bytes), in a stable
 * order. Pure. */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"

enum {
	BUNDLE_MAX = 24,             /* certificates */
	BUNDLE_PEM_MAX = 128 * 1024, /* bytes of text read or written */
};

/* Zero-initialise. Holds a reference to each. */
struct bundle {
	X509 *cert[BUNDLE_MAX];
	size_t n;
};

/* Reads PEM certificates in their order. Text may stand before and between them, nothing but white
 * space behind the last. At least one, at most BUNDLE_MAX. -EBADMSG with what is wrong; b is then
 * empty. b is empty before. */
int bundle_read(struct bundle *b, struct span pem, struct error *err);

/* Appends the certificates as PEM. 0, -ENOMEM or -E2BIG (out's maximum). */
int bundle_write(const struct bundle *b, struct buf *out);

/* Puts cert first (first) or last, unless it is in already; -ENOBUFS when full. */
int bundle_add(struct bundle *b, X509 *cert, bool first);
bool bundle_has(const struct bundle *b, const X509 *cert);
bool bundle_has_all(const struct bundle *b, const struct bundle *of);
void bundle_remove(struct bundle *b, size_t i);

/* Appends what other has and b has not. -ENOBUFS when not all fit; those that fit are in. */
int bundle_union(struct bundle *b, const struct bundle *other);

/* Drops those that have expired; returns how many. */
size_t bundle_drop_expired(struct bundle *b, int64_t now_sec);

void bundle_copy(struct bundle *to, const struct bundle *from); /* to is empty before */
void bundle_free(struct bundle *b); /* leaves an empty one */
#define _cleanup_bundle_ _cleanup_(bundle_free)
