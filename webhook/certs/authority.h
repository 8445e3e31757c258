/* SPDX-License-Identifier: Apache-2.0
 *
 * The webhook's own certificate authority: an ECDSA P-256 root and server certificates signed by
 * it, in the profile of RFC 5280. Pure but for the keys' randomness; time is an argument. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/credential.h"
#include "common/base/error.h"
#include "webhook/certs/bundle.h"

enum {
	AUTHORITY_NAMES_MAX = 4,
	AUTHORITY_NAME_MAX = 160, /* bytes of one DNS name with NUL: two labels, a suffix */
};

/* The DNS names that a Service is called by. The API server asks for the first. */
struct authority_names {
	char name[AUTHORITY_NAMES_MAX][AUTHORITY_NAME_MAX];
};
/* -EINVAL unless both are DNS labels. */
int authority_names(struct authority_names *ret, const char *service, const char *namespace_,
	struct error *err);

/* A root, or a server certificate for all the names. Valid from CREDENTIAL_BACKDATE_SEC before now
 * until lifetime_sec from now; a server certificate never beyond its authority. ret is empty
 * before. -EINVAL: no time left to be valid in; -EIO: OpenSSL refused. */
int authority_make_ca(
	struct credential *ret, int64_t now_sec, int64_t lifetime_sec, struct error *err);
int authority_make_leaf(struct credential *ret, const struct credential *ca,
	const struct authority_names *names, int64_t now_sec, int64_t lifetime_sec,
	struct error *err);

/* Unix seconds; INT64_MIN when the certificate's time cannot be read. Assumes the backdating of
 * common/base/credential.h. */
int64_t authority_created(const X509 *cert);
/* When two thirds of the life that it was made with are over. */
int64_t authority_renew_at(const X509 *cert);

/* Is cert a self-signed authority within its time? -EBADMSG with why not. */
int authority_check_ca(X509 *cert, int64_t now_sec, struct error *err);
/* Would a client that trusts roots and calls each of the names accept leaf now? As `openssl verify
 * -purpose sslserver`. names NULL: not asked. -EBADMSG with why not, -ENOMEM. */
int authority_check_leaf(X509 *leaf, const struct bundle *roots,
	const struct authority_names *names, int64_t now_sec, struct error *err);
/* The same of a certificate that others made: chain, the leaf first, may lead to a root through
 * intermediates, a root may be any certificate that is trusted by itself, as Go reads a bundle, and
 * a wildcard is a name. */
int authority_check_chain(const struct bundle *chain, const struct bundle *roots, const char *name,
	int64_t now_sec, struct error *err);
/* Did ca's key sign cert? */
bool authority_issued(X509 *ca, X509 *cert);
