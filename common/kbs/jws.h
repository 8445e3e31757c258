/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed tokens: JSON Web Signature (RFC 7515) in its compact form, by ES256 (ECDSA with P-256 and
 * SHA-256, RFC 7518 section 3.4). */
#pragma once

#include <openssl/evp.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/span.h"

enum { JWS_MAX = 64 * 1024 };

/* The parts of a token in its compact form, as they came: base64url each. */
struct jws_parts {
	struct span covered; /* header.payload: what the signature is over */
	struct span header, payload, signature;
};

/* -EBADMSG: not three parts, or more than JWS_MAX bytes. What is in them is not looked at. */
int jws_split(struct jws_parts *ret, struct span token, struct error *err);

/* Appends header.payload.signature. The header must say "alg":"ES256"; key is private, on P-256.
 * -EIO: OpenSSL refused; -ENOMEM, -E2BIG. */
int jws_sign_es256(struct buf *out, struct span header_json, struct span payload_json,
	EVP_PKEY *key, struct error *err);

/* Appends the payload of a token that key (on P-256) signed. Nothing in its header is believed but
 * alg, which must be ES256. -EBADMSG: no such token; -EKEYREJECTED: not signed by key; -ENOMEM. */
int jws_verify_es256(struct span token, EVP_PKEY *key, struct buf *ret_payload, struct error *err);
