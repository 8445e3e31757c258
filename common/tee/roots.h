/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom Casemate trusts from birth: Intel's SGX root and AMD's ARKs, compiled in as DER, and what
 * configuration adds or puts in their place. A root found in evidence or collateral is only ever
 * compared with these. Their own signatures are not checked: they are given, not proved. */
#pragma once

#include "common/tee/cert.h"

enum snp_product { SNP_MILAN, SNP_GENOA, SNP_TURIN, SNP_PRODUCT_N };
/* "Milan" as in certificates and KDS addresses. */
const char *snp_product_name(enum snp_product p);

enum { ROOTS_EXTRA_MAX = 8 };

struct roots {
	struct cert *intel; /* NULL: not trusted */
	struct cert *ark[SNP_PRODUCT_N];
	/* trustedRoots of configuration: each counts for every vendor, by name and key as the
	 * vendor's own would ("Intel SGX Root CA", "ARK-Milan", …). */
	struct cert *extra[ROOTS_EXTRA_MAX];
	size_t n_extra;
	struct cert *simulated; /* of the simulated TEE; NULL: not trusted */
};

/* Those compiled in. -ENOMEM. */
int roots_builtin(struct roots *ret, struct error *err);
/* Adds a PEM or DER root; a simulated one (its common name is SIMULATED_ROOT_NAME) becomes
 * ->simulated. -EBADMSG, -E2BIG, -ENOMEM. */
int roots_add(struct roots *r, struct span pem_or_der, struct error *err);
void roots_free(struct roots *r);
#define _cleanup_roots_ _cleanup_(roots_free)

/* The root that c is, byte for byte or by name and key; NULL: none. Borrowed. */
struct cert *roots_find_intel(const struct roots *r, const struct cert *c);
/* The ARK of product. More than one can stand for a product: n counts from 0; NULL: no more. */
struct cert *roots_ark(const struct roots *r, enum snp_product product, size_t n);

#define SIMULATED_ROOT_NAME "Casemate Simulated TEE Root"
