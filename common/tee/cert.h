/* SPDX-License-Identifier: Apache-2.0
 *
 * X.509 certificates as evidence and collateral bring them (RFC 5280). OpenSSL parses, in a library
 * context without providers, since loading keys through the providers costs eight times the
 * parsing; the key is made from the SubjectPublicKeyInfo's bytes when it is first needed.
 * Signatures are checked over the bytes received. No time, name or trust is judged here: who may
 * sign for what is said by the verifier of each vendor. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/span.h"
#include "common/tee/x509_read.h"

enum {
	CERT_DER_MAX = 8192, /* bytes of one certificate */
	CERT_NAME_MAX = 64,  /* bytes of a common name, with NUL: X.520's bound */
	CERT_SERIAL_MAX = 20,
	CERT_DIGEST = 32,
};

struct cert {
	unsigned refs;                     /* atomic */
	X509 *x509;                        /* in the context without providers */
	unsigned char digest[CERT_DIGEST]; /* SHA-256 of the DER */
	char subject[CERT_NAME_MAX];       /* common names; "" when there is none */
	char issuer[CERT_NAME_MAX];
	int64_t not_before, not_after;         /* Unix seconds, both inclusive */
	unsigned char serial[CERT_SERIAL_MAX]; /* big endian, without leading zeros */
	size_t serial_len;                     /* 0: the serial number is 0 */
	bool ca;                               /* basicConstraints says so */
	bool signs_certs, signs_crls;          /* a CA, and keyUsage does not forbid it */

	/* private to cert.c */
	struct x509_frame frame;
	enum x509_key key_kind;
	struct span key_bits; /* x || y, or an RSA modulus */
	EVP_PKEY *key;
	struct cert *issued_by; /* whom cert_check_issued() found to stand behind it */
	size_t der_len;
	unsigned char der[];
};

/* One certificate that fills der. -EBADMSG: not DER, trailing bytes, a negative or longer serial, a
 * name with NUL, an extension that is there twice or is critical and unknown, no key of a kind in
 * use (P-256, P-384, RSA of 2048 to 4096 bits with the exponent 65537); -E2BIG; -ENOMEM. */
int cert_parse_der(struct cert **ret_c, struct span der, struct error *err);
/* The same of at most max bytes: a certificate with evidence in it is longer than others. */
int cert_parse_der_max(struct cert **ret_c, size_t max, struct span der, struct error *err);

/* PEM blocks CERTIFICATE alone, at least one and at most max, with nothing but white space between
 * and behind them, except one NUL at the end (Intel's certification data of type 5 has it). Returns
 * how many; on failure none is left in ret_c. -EBADMSG, -E2BIG, -ENOMEM. */
int cert_parse_pem(struct cert *ret_c[], size_t max, struct span pem, struct error *err);
/* The same, with certificates that are parsed already: what has the bytes of one of these (NULLs
 * are passed over) is that one, once more referenced. */
int cert_parse_der_known(struct cert **ret_c, struct span der, struct cert *const known[],
	size_t n_known, struct error *err);
int cert_parse_pem_known(struct cert *ret_c[], size_t max, struct span pem,
	struct cert *const known[], size_t n_known, struct error *err);

struct cert *cert_ref(struct cert *c);
void cert_unref(struct cert *c); /* NULL allowed */
DEFINE_CLEANUP(struct cert *, cert_unref)

/* Its key, borrowed; made at the first call (P-256: 12 us). NULL: out of memory or no such curve
 * point. Any thread. */
EVP_PKEY *cert_key(struct cert *c);
/* The DER, borrowed. */
struct span cert_der(const struct cert *c);

/* Do issuer's key and name stand behind c, and may it sign certificates? ecdsa-with-SHA256 by
 * P-256, ecdsa-with-SHA384 by P-384 and RSASSA-PSS with SHA-384, MGF1 of the same and a salt of 48,
 * and nothing else; the names are compared as DER. Remembered for the issuer asked first, unless it
 * is c itself. Any thread. -EKEYREJECTED: no; -ENOMEM. */
int cert_check_issued(const struct cert *c, struct cert *issuer, struct error *err);

/* not_before <= time <= not_after. */
static inline bool cert_valid_at(const struct cert *c, int64_t time)
{
	return c->not_before <= time && time <= c->not_after;
}

/* The content of the extension with this OID ("1.2.840.113741.1.13.1"); SPAN_NONE: there is none.
 * Borrowed. */
struct span cert_extension(const struct cert *c, const char *oid);

/* Is certificate a, byte for byte, b? */
bool cert_same(const struct cert *a, const struct cert *b);
/* Do both have the same name and the same key? */
bool cert_same_owner(const struct cert *a, const struct cert *b);
