/* SPDX-License-Identifier: Apache-2.0
 *
 * Nonces that were answered already, as one replica remembers them. Bounded: of more than
 * NONCES_MAX within a session's life the oldest are forgotten. What a replay there could yield is
 * ciphertext for the first client's own key. Pure; time is an argument. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/kbs/rcar.h"

enum { NONCES_MAX = 65536 };

struct nonces;

struct nonces *nonces_new(void);    /* NULL: out of memory */
void nonces_free(struct nonces *n); /* NULL allowed */
DEFINE_CLEANUP(struct nonces *, nonces_free)

/* Remembers a nonce until then. 0; -EEXIST: it was used before; -ENOMEM. */
int nonces_use(struct nonces *n, const unsigned char nonce[RCAR_NONCE], int64_t expires_usec,
	int64_t now_usec);
