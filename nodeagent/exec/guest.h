/* SPDX-License-Identifier: Apache-2.0
 *
 * The way to keys inside a confidential VM of Kata: the REST API that Confidential Containers'
 * guest components serve on the loopback, GET /cdh/resource/NAMESPACE/PROFILE/KEY. They attest the
 * guest to the broker and open what it sealed to them; no token is needed, and the bytes come as
 * they are. */
#pragma once

#include <stdint.h>

#include "nodeagent/exec/exchange.h"

enum { EXEC_GUEST_PORT = 8006 };

/* Asks for each key, in this machine's port, until deadline (monotonic). keys: "PROFILE/KEY" in
 * namespace_ (NULL: there are none such), or "NAMESPACE/PROFILE/KEY". Results as exec_exchange()'s;
 * ret_answer says which key. */
int exec_guest_fetch(struct secret *ret_keys, struct exec_answer *ret_answer, uint16_t port,
	const char *namespace_, const struct span *keys, size_t n, int64_t deadline_usec,
	struct error *err);
