/* SPDX-License-Identifier: Apache-2.0
 *
 * RA-TLS certificates, right or wrong in one thing. */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"
#include "tests/tee/issue.h"

/* CBOR: the head of an item, and strings. */
enum cbor_major { CBOR_UINT, CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_TAG };
void cbor_head(struct buf *out, enum cbor_major major, uint64_t n);
void cbor_bytes(struct buf *out, struct span s);
void cbor_text(struct buf *out, const char *s);

struct ra_tls_world {
	struct tee_cert cert;    /* as Gramine's library makes it: P-384, SHA-256, self-signed */
	struct buf claims, dice; /* of the key that cert.key is now */
};

enum { RA_TLS_WORLD_NOW = 1764000000 };

/* With both extensions around these quotes; NULL: without that one. */
void ra_tls_world(struct ra_tls_world *w, const char *dice_quote, const char *quote);
void ra_tls_world_free(struct ra_tls_world *w);
#define _cleanup_ra_tls_world_ _cleanup_(ra_tls_world_free)

/* The certificate's key as a SubjectPublicKeyInfo, hashed. */
void ra_tls_world_key_hash(enum tee_key k, unsigned char ret[32]);
