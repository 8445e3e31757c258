/* SPDX-License-Identifier: Apache-2.0
 *
 * What certificates and revocation lists have in common (RFC 5280): the frame around what is
 * signed, names, times, serial numbers, extensions. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/span.h"

enum { X509_EXTENSIONS_MAX = 32 };

/* Certificate and CertificateList are SEQUENCE {what is signed, algorithm, BIT STRING}. */
struct x509_frame {
	struct span tbs;       /* the signed bytes as received */
	struct span algorithm; /* AlgorithmIdentifier, whole */
	struct span signature; /* of the BIT STRING */
};
/* Also: the algorithm inside of what is signed is the same. -EBADMSG. */
int x509_frame_read(struct x509_frame *ret, struct span der, struct error *err);
/* Is what OpenSSL would write (len bytes, freed here; below 1: it failed) what is signed, as it came?
 * -EBADMSG: no, so it is not DER. */
int x509_frame_check(
	const struct x509_frame *f, unsigned char *again, int len, struct error *err);

enum x509_key { X509_KEY_P256, X509_KEY_P384, X509_KEY_RSA };
/* Is the frame's algorithm the one that such a key signs with, and its signature right? 0;
 * -EKEYREJECTED; -ENOMEM. */
int x509_frame_verify(
	const struct x509_frame *f, enum x509_key kind, EVP_PKEY *key, struct error *err);

/* The context whose only provider is "null"; NULL: out of memory. */
OSSL_LIB_CTX *x509_context(void);

/* The common name, "" when there is none. -EBADMSG: two, longer than size - 1, or a NUL anywhere in
 * the name. */
int x509_common_name(char *ret, size_t size, const X509_NAME *name, struct error *err);
/* UTCTime and GeneralizedTime in the forms of RFC 5280, to Unix seconds. -EBADMSG. */
int x509_time(int64_t *ret, const ASN1_TIME *t, struct error *err);
/* Big endian without leading zeros, 0 as none. -EBADMSG: negative, or more than max bytes. */
int x509_serial(
	unsigned char *ret, size_t max, size_t *ret_len, const ASN1_INTEGER *n, struct error *err);
/* -EBADMSG: one is there twice, or is critical and not among those known (dotted numbers, closed
 * by NULL; one that ends with a dot stands for all below it). */
int x509_check_extensions(
	const STACK_OF(X509_EXTENSION) * extensions, const char *const known[], struct error *err);
