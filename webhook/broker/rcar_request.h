/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request to the key broker is for, and how it is refused. */
#pragma once

#include "common/kbs/key_id.h"
#include "common/kbs/rcar.h"
#include "common/net/server.h"
#include "common/tee/reason.h"

enum rcar_kind { RCAR_AUTH, RCAR_ATTEST, RCAR_RESOURCE, RCAR_UNWRAP, RCAR_VERSIONS, RCAR_KIND_N };

struct rcar_request {
	enum rcar_kind kind;
	struct key_id key;   /* of RCAR_RESOURCE and RCAR_UNWRAP */
	struct span session; /* the cookie's value; SPAN_NONE: none */
	struct span bearer;  /* the token, of RCAR_VERSIONS the agent's own; SPAN_NONE: none */
};

/* Fills ret, whose spans are of x's headers; or has written a refusal. */
bool rcar_accept(struct http_exchange *x, const struct http_request *req, struct http_response *res,
	struct rcar_request *ret);

/* The status that goes with a reason: 401 where attesting again may help, 403, 404, 429, 503; 400
 * for what is malformed. */
int rcar_status(enum reason reason);
/* Writes a refusal in Confidential Containers' form. */
void rcar_refusal(struct http_response *res, int status, enum reason reason, const char *message);
/* The cookie by which the session goes on. */
void rcar_set_cookie(struct http_response *res, struct span session, int64_t expires_sec);
