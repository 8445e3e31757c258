/* SPDX-License-Identifier: Apache-2.0
 *
 * Gets an ECDSA quote from AESM over its Unix socket: one request and one answer a connection.
 * Blocks, so it is for a worker thread; nothing of it is shared between threads. */
#pragma once

#include "nodeagent/evidence/aesm_message.h"

struct aesm_client {
	const char *socket; /* "/var/run/aesmd/aesm.socket" */
	int64_t call_usec;  /* of one request with its answer; 0: 90 s, for AESM's first one loads
			     * enclaves and fetches certificates */
	int64_t total_usec; /* of everything; 0: 240 s */
	int64_t pause_usec; /* before trying again the first time; 0: 500 ms */
	/* A REPORT for the quoting enclave that target_info names. Runs once for each attempt, on
	 * the caller's thread. */
	int (*report)(void *ctx, const unsigned char target_info[AESM_TARGET_INFO],
		unsigned char ret_report[AESM_REPORT], struct error *err);
	void *ctx;
};

/* Appends the quote of the report, as long as it really is. What AESM says will pass is tried again
 * within total_usec. The quote's structure and that it is of this report are checked, its
 * signatures are not: that is the verifier's. -EAGAIN: a later call may succeed; otherwise
 * -EBADMSG, -EMSGSIZE (AESM answers nonsense), -EREMOTEIO, -EOPNOTSUPP (AESM or its host must be
 * set right), or report()'s. */
int aesm_quote(const struct aesm_client *c, struct buf *quote, struct error *err);
