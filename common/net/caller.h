/* SPDX-License-Identifier: Apache-2.0
 *
 * Who stands behind a bearer token: between those who ask (common/net/ops) and those who can tell
 * (common/kube/token_review). On the loop's thread. */
#pragma once

#include <stddef.h>

#include "common/base/span.h"

struct caller {
	int status;          /* 200; 401: the token is not good; 503: nobody could tell now */
	const char *message; /* unless 200: what was wrong and what to do, never of the token */
	const char *user;    /* when 200: "system:serviceaccount:NAMESPACE:NAME" */
	const char *const *groups;
	size_t n_groups;
	/* What the token is bound to, by the API server's claims (authentication.kubernetes.io/…);
	 * "" when it does not say, never NULL when 200. */
	const char *node_name, *node_uid, *pod_name, *pod_uid;
};

/* c is valid during the call. */
typedef void (*caller_judged)(void *arg, const struct caller *c);

struct caller_judge {
	/* Calls done exactly once unless cancelled: now, and then returns NULL, or later. token is
	 * not needed after this returns. */
	void *(*ask)(void *ctx, struct span token, caller_judged done, void *arg);
	void (*cancel)(void *ctx, void *asked); /* what ask returned; no done after this */
	void *ctx;
};
