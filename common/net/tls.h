/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's certificate chain and private key, replaceable while it serves: handshakes take the
 * newest, connections keep what they began with. Thread-safe. GnuTLS is known here and in
 * common/net/tls_stream.c alone. */
#pragma once

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/span.h"

struct tls_identity;

struct tls_identity *tls_identity_new(void); /* NULL: no memory; handshakes fail until one is set */
/* chain: PEM, leaf first. key: PEM (PKCS#8, SEC1 or PKCS#1) and must match the leaf. On failure
 * (-EBADMSG with what is wrong) the current one is kept. */
int tls_identity_set(struct tls_identity *t, struct span chain_pem, struct span key_pem,
	struct error *err);
void tls_identity_free(struct tls_identity *t);
DEFINE_CLEANUP(struct tls_identity *, tls_identity_free)
