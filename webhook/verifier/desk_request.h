/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP side of the desk: is it a request of common/tee/protocol.h, and whose token has it? On
 * the server's threads. */
#pragma once

#include "common/net/server.h"
#include "webhook/verifier/desk_message.h"

/* Is it? Else res is the answer. The token is valid during the handler. */
bool desk_accept(struct http_exchange *x, const struct http_request *req, struct http_response *res,
	enum desk_message_kind *ret_kind, struct span *ret_token);
/* Makes res a refusal. */
void desk_refusal(struct http_response *res, int status, enum reason reason, const char *message);
