/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens of an issuer whose keys are known (JSON Web Key Set, RFC 7517 section 5; what a Kubernetes
 * API server serves at /openid/v1/jwks): JSON Web Signatures by RS256 or ES256. Pure. */
#pragma once

#include "common/kbs/jwk.h"
#include "common/kbs/jws.h"

enum {
	JWKS_TEXT_MAX = 256 * 1024,
	JWKS_KEYS_MAX = 32,
	JWKS_ID_MAX = 128, /* bytes of a key id, with the NUL */
};

struct jwks {
	struct jwks_key {
		char id[JWKS_ID_MAX]; /* kid */
		struct jwk key;
	} v[JWKS_KEYS_MAX];
	size_t n;
};

/* Reads {"keys":[…]} into ret, which is zero before. Keys of other kinds are passed over; each that
 * counts has a kid of its own. -EBADMSG: no such document, no key that counts, or two of one kid;
 * -E2BIG; -ENOMEM. */
int jwks_read(struct jwks *ret, struct span json, struct error *err);
void jwks_free(struct jwks *s);
#define _cleanup_jwks_ _cleanup_(jwks_free)

/* Appends the payload of a token that the key signed which its header names by kid, by the
 * algorithm that is that key's. Nothing else in the header is believed, and what must be understood
 * (crit) is refused. -EBADMSG: no such token; -EKEYREJECTED: an unknown key, or another signed it;
 * -ENOMEM. */
int jwks_verify(
	const struct jwks *s, struct span token, struct buf *ret_payload, struct error *err);
