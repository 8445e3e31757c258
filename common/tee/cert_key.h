/* SPDX-License-Identifier: Apache-2.0
 *
 * The key of a certificate. Read from its SubjectPublicKeyInfo without OpenSSL's decoders, which
 * cost more than a signature's verification. */
#pragma once

#include "common/tee/cert.h"

/* What kind it is, and its bytes: x || y of an uncompressed point, or an RSA modulus. Whether the
 * point is on its curve is seen when the key is made. -EBADMSG: none of those in use. */
int cert_key_read(
	enum x509_key *ret_kind, struct span *ret_bits, X509_PUBKEY *pub, struct error *err);
/* NULL: out of memory, or not a point of the curve. */
EVP_PKEY *cert_key_make(enum x509_key kind, struct span bits);

/* Do issuer's key and name stand behind a certificate or list whose issuer's name is given? As
 * cert_check_issued(), but for the right to sign. */
int cert_check_frame(const struct x509_frame *f, const X509_NAME *issuer_name, struct cert *issuer,
	struct error *err);
