/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificate by which an enclave proves itself within TLS (RA-TLS), as Gramine's library makes
 * it: self-signed by a key that lives in the enclave, with the enclave's quote as an extension,
 * either of
 *
 *	2.23.133.5.4.9          TCG's DICE (webhook/provision/dice.h); report data: SHA-256 of the
 *	                        claims, which hold the key's hash
 *	1.2.840.113741.1337.6   the quote as it is; report data: SHA-256 of the
 *	                        SubjectPublicKeyInfo
 *
 * with zeros behind. Where both are, the first counts, as it does for Gramine's own verifier. Pure;
 * time is an argument. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/span.h"
#include "common/tee/reason.h"

struct cert; /* common/tee/cert.h */

enum {
	RA_TLS_DER_MAX = 40 << 10, /* two quotes of 16 KiB and a certificate */
	RA_TLS_REPORT_DATA = 64,
};

struct ra_tls {
	struct cert *cert; /* owns what quote points into */
	struct span quote;
	/* What the quote's report data must be for it to vouch for the certificate's key. */
	unsigned char report_data[RA_TLS_REPORT_DATA];
};

/* der: the certificate whose key the TLS handshake proved. -EBADMSG or -EACCES with *ret_reason:
 * Malformed (not DER, not self-signed, neither extension), UnsupportedVersion (a key that is
 * neither P-256 nor P-384, a hash that is not known), CertificateExpired, ReportDataMismatch (the
 * claims are about another key); -ENOMEM. That the quote is genuine and holds report_data is for
 * others to see.
 */
int ra_tls_read(struct ra_tls *ret, struct span der, int64_t now_sec, enum reason *ret_reason,
	struct error *err);
void ra_tls_free(struct ra_tls *c);
#define _cleanup_ra_tls_ _cleanup_(ra_tls_free)
