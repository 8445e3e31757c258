/* SPDX-License-Identifier: Apache-2.0
 *
 * A message on AESM's socket: 4 bytes of length, little endian, then as many bytes of protobuf,
 * which are not looked at. Sans-IO: says where the next bytes go and is told how many came. Asks
 * for nothing beyond the message, and for memory only when its length is known. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/error.h"
#include "common/base/span.h"

enum {
	AESM_FRAME_HEAD = 4,
	/* Bytes of protobuf. The longest request in use is GetQuoteEx with about 1.7 KiB, the
	 * longest answer a quote with its certificates, 8 to 10 KiB. */
	AESM_REQUEST_MAX = 16 << 10,
	AESM_ANSWER_MAX = 64 << 10,
};

struct aesm_frame {
	size_t max; /* of the protobuf: set before the first use, all else zero */
	unsigned char head[AESM_FRAME_HEAD];
	unsigned char *p;  /* head and protobuf; NULL until the length is known */
	size_t have, size; /* bytes that are here; that p has room for */
	size_t sent;       /* of what was passed on */
};

/* Where the next bytes go, and how many at most: at least 1 unless the frame is complete. */
size_t aesm_frame_room(struct aesm_frame *f, void **ret_p);
/* n bytes, no more than there was room for, were put there. -EBADMSG: a message of no bytes;
 * -EMSGSIZE: of more than max; -ENOMEM. After an error the frame is only good for freeing. */
int aesm_frame_filled(struct aesm_frame *f, size_t n, struct error *err);
bool aesm_frame_complete(const struct aesm_frame *f);
/* What is still to be sent of a complete frame; what was sent is added to f->sent. */
struct span aesm_frame_unsent(const struct aesm_frame *f);
void aesm_frame_free(struct aesm_frame *f); /* and empty, with its max, for the next */
