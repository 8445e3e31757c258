/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages in the bytes of a gRPC stream (gRPC "Protocol: HTTP/2", Length-Prefixed-Message): a
 * byte that says whether it is compressed (never, here), four of length, then the message. Pure,
 * incremental; memory grows with what has come, not with what was announced. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/net/scrub.h"

enum { GRPC_PREFIX_LEN = 5 };

/* One that is being received; {.max = ...} at the start, max of the messages' bytes. */
struct grpc_message {
	size_t max;
	unsigned char prefix[GRPC_PREFIX_LEN];
	size_t n_prefix;
	struct scrub body; /* some hold keys */
};

/* Takes from the front of in what belongs to the message. 1: it is complete, body is it (take it
 * before feeding on); 0: more must come. -EMSGSIZE: longer than max; -EOPNOTSUPP: compressed;
 * -EBADMSG: the first byte is neither 0 nor 1; -ENOMEM. After a failure, free it. */
int grpc_message_feed(struct grpc_message *m, struct span *in);

/* Has one begun that is not complete? */
bool grpc_message_begun(const struct grpc_message *m);

/* Hands the complete message over, and is ready for the next one. Free the buffer. */
struct scrub grpc_message_take(struct grpc_message *m);
void grpc_message_free(struct grpc_message *m);

/* The prefix of a message of len bytes that is not compressed. */
void grpc_message_prefix(unsigned char out[GRPC_PREFIX_LEN], uint32_t len);
