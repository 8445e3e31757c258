/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence in a certificate as TCG's DICE has it (extension 2.23.133.5.4.9; Interoperable RA-TLS):
 * CBOR (RFC 8949)
 *
 *	60000([evidence, claims])
 *
 * claims being the bytes of a map, whose "pubkey-hash" is the bytes of [algorithm, hash]. The
 * evidence vouches for the claims, and they for the certificate's key. Pure. */
#pragma once

#include <stdint.h>

#include "common/base/error.h"
#include "common/base/span.h"

enum { DICE_CLAIMS_MAX = 16 };

struct dice {
	struct span evidence, claims; /* as received */
	uint64_t algorithm;           /* IANA's Named Information Hash Algorithm Registry */
	struct span hash;             /* of the key */
};

/* What fills cbor. Claims of other names are passed over if they are numbers or strings. -EBADMSG:
 * anything else, the same claim twice, lengths left open, something behind it. */
int dice_read(struct dice *ret, struct span cbor, struct error *err);
