/* SPDX-License-Identifier: Apache-2.0
 *
 * The small texts of gRPC over HTTP/2 (gRPC "Protocol: HTTP/2", "Status codes and their use",
 * "HTTP to gRPC status mapping"): timeouts, status messages, content types, status codes. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/net/grpc.h"

enum {
	GRPC_TIMEOUT_TEXT_MAX = 10, /* 8 digits, a unit, a NUL */
};

/* grpc-timeout: 1 to 8 digits and one of H M S m u n, in microseconds (nanoseconds are rounded
 * up). -EBADMSG. */
int grpc_timeout_parse(struct span text, int64_t *ret_usec);
/* The same written, in the finest unit that has room, rounded up; usec > 0. */
void grpc_timeout_format(char out[GRPC_TIMEOUT_TEXT_MAX], int64_t usec);

/* Appends text as grpc-message: all but printable ASCII, and '%', percent-encoded; cut between two
 * characters where it is longer than GRPC_STATUS_TEXT_MAX. 0 or the buffer's error. */
int grpc_text_encode(struct buf *out, const char *text);
/* Appends what a grpc-message says, as valid UTF-8 of one line and at most GRPC_STATUS_TEXT_MAX
 * bytes: what is not percent-encoded properly is kept, controls become blanks and what is not UTF-8
 * a '?'. 0 or the buffer's error. */
int grpc_text_decode(struct buf *out, struct span value);

/* Does the content type say gRPC: application/grpc, alone or before '+' or ';'? */
bool grpc_content_type(struct span value);

/* grpc-status; UNKNOWN for what is none. */
enum grpc_status grpc_status_parse(struct span value);
/* For an answer that is not gRPC, by its HTTP status. */
enum grpc_status grpc_status_of_http(unsigned http_status);
/* For a stream that was reset, by the HTTP/2 error code. */
enum grpc_status grpc_status_of_reset(uint32_t code);
