/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes keys of the types that profiles name. Pure but for randomness; time is an argument. */
#pragma once

#include "webhook/broker/record.h"

struct key_wish {
	enum key_type type; /* not raw */
	unsigned size;
	const struct key_owner *owner;  /* x509: the certificate's names */
	int64_t now_sec, not_after_sec; /* x509 */
};

/* The bytes as they are released: password: letters and digits; symmetric: bytes; ec, rsa: a
 * private key in PEM (PKCS #8); x509: the same, and behind it a self-signed certificate in PEM for
 * PROFILE.NAMESPACE.svc. ret is empty before. -EINVAL: no such type and size; -EIO, -ENOMEM. */
int key_make(struct secret *ret, const struct key_wish *wish, struct error *err);
