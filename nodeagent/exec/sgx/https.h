/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to the broker, a connection each; its session's cookie goes along from one to the next.
 */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "nodeagent/exec/sgx/broker.h"

enum { SGX_HTTPS_ANSWER_MAX = 128 * 1024 /* bytes */ };

/* Zero-initialise; sgx_https_free(). */
struct sgx_https {
	const struct sgx_broker *broker;
	struct span ca;        /* PEM */
	int64_t deadline_usec; /* monotonic */
	struct secret cookie;  /* "kbs-session-id=…" */
};

/* Sends body as JSON (SPAN_NONE: GET, nothing is sent) and appends the answer's body, whatever its
 * status, which *ret_status is. -EAGAIN: the broker cannot be asked now; -EKEYREJECTED: what
 * answers is not the broker; -ENOKEY: ca holds no certificates; -EBADMSG: no answer of a broker;
 * -E2BIG, -ENOMEM. Messages name the URL or the file, and what to change. */
int sgx_https_ask(struct sgx_https *h, const char *path, struct span body, int *ret_status,
	struct buf *answer, struct error *err);
void sgx_https_free(struct sgx_https *h);
#define _cleanup_sgx_https_ _cleanup_(sgx_https_free)
