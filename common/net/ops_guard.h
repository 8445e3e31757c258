/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to ops: what makes a listener a secure one. Its TLS identity, from files or made in
 * memory, and who may ask. On the loop's thread, but ops_guard_token(). */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/secret.h"
#include "common/net/caller.h"
#include "common/net/ops.h"
#include "common/net/tls.h"

struct ops_guard;

/* security is copied. -EINVAL, and what is wrong with the files. */
int ops_guard_new(struct ops_guard **ret_g, sd_event *event, const struct ops_security *security,
	bool tokens, struct error *err);
void ops_guard_free(struct ops_guard *g); /* after the server that uses it; NULL allowed */
DEFINE_CLEANUP(struct ops_guard *, ops_guard_free)

/* Makes a server's options those of a secure listener; they point into g. */
void ops_guard_options(const struct ops_guard *g, struct server_options *o);

/* A copy of the request's bearer token, for a handler: 0, -ENOENT when there is none, -ENOMEM. */
int ops_guard_token(struct http_exchange *x, struct secret *ret_token);

/* May they ask? By metrics.users and metrics.groups; c has status 200. */
bool ops_guard_allows(const struct ops_guard *g, const struct caller *c);
/* The answer for who brings neither token nor certificate. */
void ops_guard_unauthorized(const struct ops_guard *g, struct buf *out);
