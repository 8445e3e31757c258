/* SPDX-License-Identifier: Apache-2.0
 *
 * What an HTTP/1 server's answer says before its body (RFC 9112), as far as it is needed here.
 * Pure. */
#pragma once

#include "common/base/error.h"
#include "common/base/span.h"

enum { EXEC_HTTP_HEAD_MAX = 8 * 1024 /* bytes */ };

/* What an answer's status line and header fields say. */
struct exec_http_head {
	int status;    /* of HTTP */
	size_t length; /* of the body */
	struct span
		cookie; /* "NAME=VALUE" of the last one that is set, in the head; SPAN_NONE: none */
};

/* head: up to and with the empty line. -EBADMSG: no HTTP/1 answer, one whose length is not said,
 * said twice, or more than length_max, or a cookie that could not be sent back as it is. */
int exec_http_head_read(
	struct exec_http_head *ret, struct span head, size_t length_max, struct error *err);
