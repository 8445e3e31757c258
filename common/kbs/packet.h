/* SPDX-License-Identifier: Apache-2.0
 *
 * What an encrypted image's layer carries for Confidential Containers' key provider
 * ("attestation-agent"): the layer's private options, wrapped under a key-encryption key that is
 * named beside them. Versions 1 (no version member) and 0.1.0 are read, version 1 is written. */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/base/span.h"

enum {
	PACKET_MAX = 16 << 10,        /* bytes of the JSON */
	PACKET_WRAPPED_MAX = 8 << 10, /* bytes wrapped */
	PACKET_KID_MAX = 512,         /* with NUL */
	PACKET_IV_MAX = 16,
	PACKET_KEK = 32, /* bytes of a key-encryption key */
};

struct packet {
	char kid[PACKET_KID_MAX]; /* "kbs:///…", printable ASCII */
	bool gcm; /* A256GCM: the tag is the last 16 bytes of wrapped; else A256CTR */
	unsigned char iv[PACKET_IV_MAX];
	size_t iv_len; /* 12 or 16 */
	struct buf wrapped;
};

/* ret holds nothing before. -EBADMSG: no such packet, or one of another provider than kbs, with
 * what is wrong; -ENOMEM. packet_free() in any case. */
int packet_read(struct packet *ret, struct span json, struct error *err);
void packet_free(struct packet *p);
#define _cleanup_packet_ _cleanup_(packet_free)

/* What was wrapped. ret holds nothing before. -EBADMSG: not under this key, or changed since
 * (A256CTR alone would not show that); -EINVAL: kek has not PACKET_KEK bytes; -ENOMEM. */
int packet_open(struct secret *ret, const struct packet *p, struct span kek, struct error *err);

/* Appends a packet that wraps plain under kek (A256GCM, a fresh IV). kid: as in the struct.
 * -EINVAL: kek, kid or plain is longer or shorter than that; -EIO: no randomness; -ENOMEM. */
int packet_seal(
	struct buf *out, const char *kid, struct span kek, struct span plain, struct error *err);
