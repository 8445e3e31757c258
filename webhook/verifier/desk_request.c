/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/desk_request.h"

#include <string.h>

#include "common/tee/protocol.h"

enum { TOKEN_MAX = 8192 };

void desk_refusal(struct http_response *res, int status, enum reason reason, const char *message)
{
	res->status = status;
	if (status == 401)
		res->authenticate = "Bearer";
	if (status == 429 || status == 503)
		res->retry_after = status == 429 ? 5 : 2;
	buf_reset(res->body);
	desk_message_refusal(res->body, reason, message);
}

/* "application/json", with parameters or without. */
static bool is_json(const char *type)
{
	struct span rest = span_after(span_str(type), "application/json");

	return rest.p && (rest.len == 0 || strchr("; \t", *rest.p));
}

static struct span bearer(const char *header)
{
	if (!header || strncasecmp(header, "Bearer ", 7) != 0)
		return SPAN_NONE;
	return span_str(header + 7);
}

bool desk_accept(struct http_exchange *x, const struct http_request *req, struct http_response *res,
	enum desk_message_kind *ret_kind, struct span *ret_token)
{
	static const char *const paths[MESSAGE_KIND_N] = {
		PROTOCOL_PATH_CHALLENGE, PROTOCOL_PATH_EVIDENCE, PROTOCOL_PATH_SIMULATED};
	const char *type = http_header(x, "Content-Type");
	struct span token = bearer(http_header(x, "Authorization"));
	int kind = 0;

	while (kind < MESSAGE_KIND_N && strcmp(req->path, paths[kind]) != 0)
		kind++;
	if (kind == MESSAGE_KIND_N) {
		desk_refusal(res, 404, REASON_Malformed, "no such path of the verifier");
	} else if (strcmp(req->method, "POST") != 0) {
		res->allow = "POST";
		desk_refusal(res, 405, REASON_Malformed, "requests to the verifier are POSTs");
	} else if (!type || !is_json(type)) {
		desk_refusal(
			res, 415, REASON_Malformed, "a request's Content-Type is application/json");
	} else if (!token.len || token.len > TOKEN_MAX) {
		desk_refusal(res, 401, REASON_TokenInvalid,
			"no bearer token; use the agent's projected token with the "
			"audience " PROTOCOL_AUDIENCE);
	} else {
		*ret_kind = (enum desk_message_kind)kind;
		*ret_token = token;
		return true;
	}
	return false;
}
