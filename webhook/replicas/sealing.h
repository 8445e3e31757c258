/* SPDX-License-Identifier: Apache-2.0
 *
 * What clients carry between the replicas that share keys, so that none of them must remember it:
 * sealed (AES-256-GCM, NIST SP 800-38D). Pure but for randomness. */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/span.h"

enum {
	SEALING_KEY = 32, /* bytes */
	SEALING_KEYS_MAX = 3,
	SEALING_MAGIC = 4,
	SEALING_OVERHEAD = SEALING_MAGIC + 8 + 12 + 16,
	SEALING_MAX = 16 * 1024, /* bytes inside */
};

struct sealing_key {
	uint64_t id;
	unsigned char key[SEALING_KEY];
};

struct sealing_keys {
	struct sealing_key v[SEALING_KEYS_MAX];
	size_t n;
	size_t seal; /* index of the one to seal with */
};

/* Appends inside, sealed: SEALING_OVERHEAD bytes longer. magic says what it is and in which
 * version: nothing sealed under another opens. -ENOKEY: there is no key yet; -EIO: OpenSSL refused;
 * -E2BIG, -ENOMEM. */
int sealing_seal(struct buf *out, const struct sealing_keys *keys,
	const unsigned char magic[SEALING_MAGIC], struct span inside, struct error *err);

/* Appends what is inside. -EACCES: not sealed by us under that magic, or changed; or the buffer's
 * error. */
int sealing_open(struct buf *out, const struct sealing_keys *keys,
	const unsigned char magic[SEALING_MAGIC], struct span sealed);
