/* SPDX-License-Identifier: Apache-2.0
 *
 * Synthetic certificates and revocation lists, right or wrong in one field. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "tests/tee/keys.h"

enum { TEE_EXTENSIONS_MAX = 20, TEE_SERIALS_MAX = 8, TEE_DER_MAX = 8192, TEE_PEM_MAX = 1 << 16 };

struct tee_extension {
	const char *oid; /* NULL: none any more */
	struct span value;
	bool critical;
};

enum tee_vendor { TEE_INTEL, TEE_AMD }; /* how names are written, and who signs how */

struct tee_cert {
	enum tee_vendor vendor;
	const char *subject, *issuer; /* common names */
	uint64_t serial;
	int64_t not_before, not_after;
	bool ca;
	int path_len;      /* of a CA; -1: unlimited */
	const char *usage; /* keyUsage as OpenSSL's configuration writes it; NULL: none */
	enum tee_key key, signer;
	struct tee_extension extensions[TEE_EXTENSIONS_MAX];
	bool break_signature; /* one bit of it is turned */
	bool version_1;
	bool bare;      /* without key identifiers and a place of revocation lists */
	const char *md; /* NULL: the one that belongs to the signer */
};

/* Appends it in DER. */
void tee_cert_der(const struct tee_cert *c, struct buf *out);
void tee_cert_pem(const struct tee_cert *c, struct buf *out);

struct tee_crl {
	enum tee_vendor vendor;
	const char *issuer;
	int64_t this_update, next_update; /* next 0: none */
	int64_t number;                   /* -1: none */
	uint64_t revoked[TEE_SERIALS_MAX];
	size_t n_revoked;
	enum tee_key signer;
	struct tee_extension extension;       /* besides number */
	struct tee_extension entry_extension; /* of each entry */
	bool break_signature;
	bool bare;   /* without the key identifier */
	bool absent; /* for those who put collateral together */
};
void tee_crl_der(const struct tee_crl *c, struct buf *out);

/* Appends der as a PEM block. */
void tee_pem(struct buf *out, const char *label, struct span der);
