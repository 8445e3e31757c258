/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates and private keys that a program makes or reads itself: ECDSA P-256, in the profile
 * of RFC 5280. Pure but for the keys' randomness; time is an argument. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/secret.h"

enum {
	CREDENTIAL_BACKDATE_SEC = 300,  /* valid this long before it was made: clocks differ */
	CREDENTIAL_KEY_PEM_MAX = 16384, /* bytes of a private key's PEM */
	CREDENTIAL_FILE_MAX = 256 * 1024,
};

/* A certificate and its private key. Zero-initialise; both set or both NULL. */
struct credential {
	X509 *cert;
	EVP_PKEY *key;
};
void credential_free(struct credential *c); /* leaves an empty one */
void credential_copy(struct credential *to, const struct credential *from); /* shares both */
#define _cleanup_credential_ _cleanup_(credential_free)

/* A new key and a certificate for it without issuer, extensions and signature, with a random serial
 * number, valid from CREDENTIAL_BACKDATE_SEC before now. ret is empty before. -EIO. */
int credential_begin(struct credential *ret, const char *cn, int64_t now_sec, int64_t not_after_sec,
	struct error *err);
/* Adds an extension in OpenSSL's words ("critical,CA:FALSE"); false: OpenSSL refused. issuer: whose
 * key identifier it may refer to. */
bool credential_add_ext(X509 *cert, X509 *issuer, int nid, const char *value);

/* A self-signed server certificate for one DNS name (an empty one or what is none: "localhost").
 * ret is empty before. -EIO. */
int credential_self_signed(struct credential *ret, const char *name, int64_t now_sec,
	int64_t lifetime_sec, struct error *err);

/* Unix seconds; INT64_MIN when the certificate's time cannot be read. */
int64_t credential_not_before(const X509 *cert);
int64_t credential_not_after(const X509 *cert);
/* The same of the first certificate of a PEM chain; INT64_MIN also when there is none. */
int64_t credential_pem_not_after(struct span pem);

/* Is key the whole, sound private key of cert? */
bool credential_key_matches(X509 *cert, EVP_PKEY *key);
/* PKCS#8, SEC1 or PKCS#1, not encrypted; -EBADMSG. */
int credential_read_key(EVP_PKEY **ret_key, struct span pem, struct error *err);
/* A whole file, certificates or key. ret holds nothing before. -errno; -EBADMSG: no file, or larger
 * than CREDENTIAL_FILE_MAX. */
int credential_read_file(struct secret *ret, const char *path, struct error *err);

/* What files held when they were last looked at; zero before the first time. */
struct credential_seen {
	unsigned char digest[EVP_MAX_MD_SIZE];
};
/* Is it what n files hold now, in this order? From now on it is. */
bool credential_seen_before(struct credential_seen *seen, const struct span *contents, size_t n);

/* PKCS#8. ret holds nothing before. */
int credential_write_key(struct secret *ret, EVP_PKEY *key, struct error *err);
/* PEM. ret holds nothing before. */
int credential_write_cert(struct secret *ret, X509 *cert, struct error *err);

/* pem_password_cb that has none: OpenSSL's own would ask the terminal. */
int credential_no_passphrase(char *out, int size, int writing, void *ctx);

/* Sets err to what failed and the newest of OpenSSL's complaints, which are then forgotten. Returns
 * code. */
int credential_openssl_failed(struct error *err, int code, const char *what);
