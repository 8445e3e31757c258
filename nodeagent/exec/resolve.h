/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts keys in the place of their names in an environment: asks, by the way that is there, and asks
 * again while the answer is that nobody can judge now. */
#pragma once

#include <stdint.h>

#include "nodeagent/exec/environment.h"

struct exec_resolve_options {
	const char *dir, *socket, *token; /* DELIVERY_DIR, DELIVERY_SOCKET, DELIVERY_TOKEN */
	uint16_t guest_port;              /* EXEC_GUEST_PORT */
	const char *namespace_;           /* of keys that are named without; NULL: not known */
	int64_t timeout_usec;             /* of all tries together */
	/* Asking again; NULL allowed. */
	void (*waits)(const struct error *why);
};

/* e is empty before, and owns what env holds of keys afterwards. -EINVAL: a variable names no key;
 * other failures as exec_exchange(), with variable, key, reason and what to do in the message. */
int exec_resolve(struct exec_environment *e, char **env, const struct exec_resolve_options *o,
	struct error *err);
