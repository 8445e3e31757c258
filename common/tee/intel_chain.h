/* SPDX-License-Identifier: Apache-2.0
 *
 * The PCK certificate's chain of a quote: PCK, its CA, root ("Intel SGX PCK Certificate and CRL
 * Profile Specification"), and the two revocation lists above it. */
#pragma once

#include "common/base/clock.h"
#include "common/tee/collateral.h"
#include "common/tee/verify_private.h"

enum { PCK_CHAIN_KEY = 32 };

/* A chain that is verified and was not revoked by these lists. Holds references. */
struct pck_chain {
	struct cert *leaf, *ca;
	struct cert *root_sent; /* of the quote, vouched for by root, or the same */
	struct cert *root;      /* the trusted one */
	struct crl *root_crl, *ca_crl;
	struct pck pck;
	unsigned char key[PCK_CHAIN_KEY]; /* digest of the certificates' bytes */
};
void pck_chain_free(struct pck_chain *c);
#define _cleanup_pck_chain_ _cleanup_(pck_chain_free)

/* Verifies the chain of in's quote, or finds it in cache: roles, signatures, revocation, dates;
 * lowers v's validity and fills its platform. 0 or -EACCES. */
int pck_chain_verify(struct pck_chain *ret, const struct verify_input *in,
	struct verify_cache *cache, struct verdict *v);

/* Dates of a certificate at in's time, named what in messages. 0 or -EACCES. */
int intel_cert_dates(
	const struct cert *c, const char *what, const struct verify_input *in, struct verdict *v);
