/* SPDX-License-Identifier: Apache-2.0
 *
 * Key-encryption keys (KEKs), and keys wrapped by them: AES-256-GCM under a key derived from the
 * KEK (HKDF-SHA256, RFC 5869), with a fresh nonce of 96 bits, bound to whose key it is. Several
 * KEKs may be known: the first wraps, all of them open, so that a KEK can be replaced. */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/secret.h"

enum {
	KEK_LEN = 32,
	KEK_ID_MAX = 17,   /* 16 hexadecimal digits and a NUL */
	KEKS_MAX = 8,      /* of one place */
	KEK_RING_MAX = 24, /* of all places */
	WRAP_NONCE = 12,
	WRAP_TAG = 16,
	WRAP_MAC = 32,
};

struct kek {
	char id[KEK_ID_MAX]; /* derived: says which one it is, nothing of it */
	struct secret wrap, mac;
};
struct kek_ring {
	struct kek v[KEK_RING_MAX];
	size_t n;
};
void kek_ring_free(struct kek_ring *ring);
#define _cleanup_keks_ _cleanup_(kek_ring_free)

/* text: exactly 32 bytes, or lines of base64 of 32 bytes each, the newest first; blank lines and
 * those that begin with # are passed over. ret is empty before. -EBADMSG. */
int kek_ring_parse(struct kek_ring *ret, struct span text, struct error *err);
/* From a file, which nobody but its owner and group may read: -EACCES otherwise. */
int kek_ring_load(struct kek_ring *ret, const char *path, struct error *err);
/* Adds a key of KEK_LEN bytes behind the others. -EBADMSG: it is there, or there are too many. */
int kek_ring_add(struct kek_ring *ring, struct span key, struct error *err);
/* Adds copies of those that ring does not have. -ENOMEM, -E2BIG. */
int kek_ring_join(struct kek_ring *ring, const struct kek_ring *other);
/* NULL: none of that id. */
const struct kek *kek_ring_find(const struct kek_ring *ring, const char *id);

/* What a wrapped key is bound to. */
struct wrap_context {
	const char *namespace_uid, *profile_uid, *key, *type;
	unsigned version;
};

/* Appends the ciphertext and its tag. -EIO. */
int wrap_seal(struct buf *out, unsigned char ret_nonce[WRAP_NONCE], const struct kek *kek,
	const struct wrap_context *c, struct span plain, struct error *err);
/* ret is empty before. -EBADMSG: changed, or another key's. */
int wrap_open(struct secret *ret, const struct kek *kek, const struct wrap_context *c,
	const unsigned char nonce[WRAP_NONCE], struct span wrapped, struct error *err);

/* HMAC-SHA256 of a record under the KEK. -EIO. */
int wrap_mac(unsigned char ret[WRAP_MAC], const struct kek *kek, struct span text);
