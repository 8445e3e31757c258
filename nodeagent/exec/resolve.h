/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts keys in the place of their names in an environment: asks, by the way that is there, and asks
 * again while the answer is that nobody can judge now. */
#pragma once

#include <stdint.h>

#include "nodeagent/exec/environment.h"
#include "nodeagent/exec/exchange.h"

#define EXEC_ATTESTATION "/dev/attestation" /* Gramine's */
#define EXEC_OCCLUM      "/dev/sgx"

struct exec_way;

struct exec_resolve_options {
	const struct exec_way *ways; /* the first that is there is taken; the last one always is */
	const char *dir, *socket, *token; /* DELIVERY_DIR, DELIVERY_SOCKET, DELIVERY_TOKEN */
	uint16_t guest_port;              /* EXEC_GUEST_PORT */
	const char *attestation, *occlum; /* EXEC_ATTESTATION, EXEC_OCCLUM */
	const char *broker;               /* "/etc/casemate/broker.json" (sgx/broker.h) */
	const char *namespace_;           /* of keys that are named without; NULL: not known */
	int64_t timeout_usec;             /* of all tries together */
	/* Asking again; NULL allowed. */
	void (*waits)(const struct error *why);
};

/* One try to have e's keys. */
struct exec_attempt {
	const struct exec_resolve_options *o;
	const struct exec_environment *e;
	int64_t deadline_usec; /* monotonic */
	struct secret *keys;   /* one for each of e's; empty */
	struct exec_answer *answer;
};

/* A way to keys. */
struct exec_way {
	bool (*present)(const struct exec_resolve_options *o);
	/* As exec_exchange(). */
	int (*ask)(const struct exec_attempt *t, struct error *err);
	bool resources; /* keys of any namespace can be named */
};

/* Of casemate-exec: the agent's socket, or else a guest's components. In an enclave neither is to
 * be believed, and it says so. */
extern const struct exec_way exec_ways[];

/* e is empty before, and owns what env holds of keys afterwards. -EINVAL: a variable names no key;
 * other failures as exec_exchange(), with variable, key, reason and what to do in the message. */
int exec_resolve(struct exec_environment *e, char **env, const struct exec_resolve_options *o,
	struct error *err);
