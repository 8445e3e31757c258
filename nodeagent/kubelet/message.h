/* SPDX-License-Identifier: Apache-2.0
 *
 * Protobuf messages between spans and protobuf-c's structs, with a bound on what one may take:
 * protobuf-c makes tens of bytes out of each byte of a message of empty fields. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"

/* A message of that type, which lives in a and is released with it alone. -EBADMSG: broken, or more
 * than the arena's maximum; -ENOMEM. */
int message_unpack(ProtobufCMessage **ret_m, struct arena *a,
	const ProtobufCMessageDescriptor *type, struct span bytes, struct error *err);

/* Appends the message; out's err. Messages appended one after the other are one message, in which
 * repeated fields add up (Protocol Buffers, "Encoding": last one wins, repeated concatenate). */
int message_pack(struct buf *out, const ProtobufCMessage *message);

/* A text as it may stand in names and device ids: printable ASCII without blanks, not empty. In the
 * arena, NUL-terminated. -EBADMSG: it is none; -ENOMEM: the arena has no room for it. */
int message_name(const char **ret_name, struct arena *a, const ProtobufCBinaryData *bytes);

/* bytes for a person: what is not printable is escaped, what is too long cut. */
enum { MESSAGE_QUOTE_MAX = 96 };
const char *message_quote(char out[MESSAGE_QUOTE_MAX], const ProtobufCBinaryData *bytes);
