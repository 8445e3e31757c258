/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys that guests and enclaves ask with, and keys are wrapped to: JSON Web Keys (RFC 7517, RFC
 * 7518 section 6) of the three kinds that Confidential Containers' clients use. */
#pragma once

#include <openssl/evp.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/json.h"

#define JWK_ALG_ECDH "ECDH-ES+A256KW" /* RFC 7518 section 4.6 */
#define JWK_ALG_RSA  "RSA-OAEP-256"   /* section 4.3 */
#define JWK_SIG_EC   "ES256"          /* section 3.4 */
#define JWK_SIG_RSA  "RS256"          /* section 3.3 */

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

enum jwk_kind { JWK_EC_P256, JWK_EC_P521, JWK_RSA };

enum {
	JWK_EC_BYTES_MAX = 66, /* of a coordinate */
	JWK_RSA_BYTES_MIN = 256,
	JWK_RSA_BYTES_MAX = 512,                /* of the modulus */
	JWK_PUBLIC_MAX = 1 + JWK_RSA_BYTES_MAX, /* what jwk_read_packed() takes at most */
};

/* A public key to wrap to. Zero-initialise; jwk_free(). */
struct jwk {
	enum jwk_kind kind;
	EVP_PKEY *key;
	/* RSA: wrap with SHA-1 although the header says RSA-OAEP-256, for clients that unwrap so:
	 * guest components whose cryptography is OpenSSL's. */
	bool oaep_sha1;
};

/* From a tee-pubkey: EC on P-256 or P-521 with ECDH-ES+A256KW, or RSA of 2048 to 4096 bits with
 * the exponent 65537 and RSA-OAEP-256. An alg that is absent is the kind's. -EBADMSG: anything
 * else, also private members; -ENOMEM. */
int jwk_read(struct jwk *ret, struct json_val v, struct error *err);

/* From an issuer's key set (RFC 7517 section 5): a key that verifies signatures, EC on P-256 with
 * ES256 or RSA of 2048 to 4096 bits with RS256. An alg that is absent is the kind's, and so is a
 * use that is absent, else "sig". -EBADMSG: anything else; -ENOMEM. */
int jwk_read_signer(struct jwk *ret, struct json_val v, struct error *err);

/* Appends the public half as compact JSON with sorted members, alg among them unless it is NULL.
 * -EINVAL: of no kind above. */
int jwk_write(struct buf *out, const EVP_PKEY *key, const char *alg);

/* The same as the kind and its bytes (both coordinates, or the modulus), to be kept, without the
 * making of a key; and a key of those. Returns how many bytes of out it took; 0 or -EBADMSG. */
int jwk_read_packed(unsigned char out[JWK_PUBLIC_MAX], struct json_val v, struct error *err);
int jwk_unpack(struct jwk *ret, struct span packed, struct error *err);

/* A new private key on a curve (for one exchange, or to sign with). NULL: OpenSSL refused. */
EVP_PKEY *jwk_generate(enum jwk_kind kind);

void jwk_free(struct jwk *k); /* NULL in it allowed */
