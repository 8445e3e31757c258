/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys on their way to who asked: JSON Web Encryption (RFC 7516) in its flattened JSON form, as
 * Confidential Containers' clients read it. Content is always A256GCM; the content key is wrapped
 * by ECDH-ES+A256KW (Concat KDF, RFC 7518 section 4.6, then RFC 3394) or RSA-OAEP-256. */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/base/span.h"
#include "common/kbs/jwk.h"

enum {
	JWE_PLAINTEXT_MAX = 256 * 1024,
	JWE_MAX = 2 * JWE_PLAINTEXT_MAX, /* bytes of the JSON text */
	JWE_KEY = 32,                    /* of a content key */
	JWE_IV = 12,
	JWE_TAG = 16,
};

/* Appends plaintext sealed to that key. Members come in the order of those clients, which write the
 * protected header anew before they check it: alg, enc, then sorted. -E2BIG: a plaintext above
 * JWE_PLAINTEXT_MAX; -EIO: OpenSSL refused; -ENOMEM. */
int jwe_seal(struct buf *out, const struct jwk *to, struct span plaintext, struct error *err);

/* Opens what was sealed to key (private). The header is authenticated as received. -EBADMSG: no JWE
 * of these kinds, or for another kind of key; -EKEYREJECTED: not sealed to this key, or changed;
 * -ENOMEM. */
int jwe_open(struct secret *ret, struct span json, EVP_PKEY *key, struct error *err);
