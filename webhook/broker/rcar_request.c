/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/rcar_request.h"

#include <string.h>
#include <time.h>

#include "common/kbs/versions.h"
#include "webhook/broker/session.h"

int rcar_status(enum reason reason)
{
	switch (reason) {
	case REASON_SessionExpired:
	case REASON_ChallengeInvalid:
	case REASON_ChallengeExpired:
	case REASON_ChallengeReplayed:
	case REASON_TokenInvalid:
		return 401;
	case REASON_Malformed:
		return 400;
	case REASON_KeyNotFound:
		return 404;
	case REASON_RateLimited:
		return 429;
	case REASON_StoreUnavailable:
	case REASON_Internal:
	case REASON_PodUnknown:
		return 503;
	default:
		return 403;
	}
}

/* Trustee's names of errors, as near as they come. */
static const char *variant(int status, enum reason reason)
{
	switch (reason) {
	case REASON_SessionExpired:
		return "TokenNotFound";
	case REASON_KeyNotFound:
		return "PluginInternalError";
	case REASON_StoreUnavailable:
	case REASON_KeyRevoked:
	case REASON_Internal:
		return "PluginInternalError";
	case REASON_IdentityNotAllowed:
	case REASON_WorkloadNotAllowed:
	case REASON_ServiceAccountNotAllowed:
	case REASON_NamespaceNotAllowed:
	case REASON_ProfileInvalid:
		return "PolicyDeny";
	case REASON_Malformed:
		return status == 404 ? "InvalidRequestPath" : "SerdeError";
	default:
		return "AttestationError";
	}
}

void rcar_refusal(struct http_response *res, int status, enum reason reason, const char *message)
{
	res->status = status;
	if (status == 401)
		res->authenticate = "Bearer";
	if (status == 429 || status == 503)
		res->retry_after = 2;
	buf_reset(res->body);
	rcar_error_write(res->body, variant(status, reason), message, reason_name(reason));
}

void rcar_set_cookie(struct http_response *res, struct span session, int64_t expires_sec)
{
	time_t t = (time_t)expires_sec;
	char date[64];
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
		date[0] = '\0';
	buf_printf(res->cookie, RCAR_COOKIE "=" SPAN_FMT "; Expires=%s; HttpOnly",
		SPAN_ARG(session), date);
}

/* The value of a cookie (RFC 6265 section 4.2.1). */
static struct span cookie(const char *header, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = header; p && *p;) {
		const char *end = strchrnul(p, ';');

		if (strncmp(p, name, n) == 0 && p[n] == '=')
			return (struct span){p + n + 1, (size_t)(end - p) - n - 1};
		p = *end ? end + 1 + strspn(end + 1, " ") : end;
	}
	return SPAN_NONE;
}

static struct span bearer(const char *header)
{
	if (!header || strncasecmp(header, "Bearer ", 7) != 0)
		return SPAN_NONE;
	return span_str(header + 7);
}

/* NAMESPACE/PROFILE/KEY */
static bool read_path(struct key_id *ret, struct http_response *res, const char *path)
{
	struct span parts[3], rest = span_str(path);
	struct error err = {0};

	for (size_t n = 0; n < 3; n++) {
		const char *slash = rest.len ? memchr(rest.p, '/', rest.len) : NULL;

		if (!slash != (n == 2)) {
			rcar_refusal(res, 404, REASON_Malformed,
				"a key's path ends with NAMESPACE/PROFILE/KEY");
			return false;
		}
		parts[n] = (struct span){rest.p, slash ? (size_t)(slash - rest.p) : rest.len};
		if (slash)
			rest = (struct span){slash + 1, rest.len - parts[n].len - 1};
	}
	/* a name that nothing can have is the name of no key */
	if (key_id_set(ret, parts[0], parts[1], parts[2], &err) == 0)
		return true;
	rcar_refusal(res, 404, REASON_KeyNotFound, err.message);
	return false;
}

bool rcar_accept(struct http_exchange *x, const struct http_request *req, struct http_response *res,
	struct rcar_request *ret)
{
	static const char *const methods[RCAR_KIND_N] = {"POST", "POST", "GET", "POST", "POST"};
	struct span path = span_after(span_str(req->path), RCAR_PATH_RESOURCE);
	struct span layer = span_after(span_str(req->path), RCAR_PATH_UNWRAP);

	*ret = (struct rcar_request){.kind = RCAR_RESOURCE};
	if (strcmp(req->path, RCAR_PATH_AUTH) == 0)
		ret->kind = RCAR_AUTH;
	else if (strcmp(req->path, RCAR_PATH_ATTEST) == 0)
		ret->kind = RCAR_ATTEST;
	else if (strcmp(req->path, VERSIONS_PATH) == 0)
		ret->kind = RCAR_VERSIONS;
	else if (layer.p)
		ret->kind = RCAR_UNWRAP;
	else if (!path.p) {
		rcar_refusal(res, 404, REASON_Malformed, "no such path of the key broker");
		return false;
	}
	if (strcmp(req->method, methods[ret->kind]) != 0) {
		res->allow = methods[ret->kind];
		rcar_refusal(res, 405, REASON_Malformed, "another method is meant for this path");
		return false;
	}
	ret->session = cookie(http_header(x, "Cookie"), RCAR_COOKIE);
	ret->bearer = bearer(http_header(x, "Authorization"));
	if (ret->kind != RCAR_RESOURCE && ret->kind != RCAR_UNWRAP)
		return true;
	return read_path(&ret->key, res, layer.p ? layer.p : path.p);
}
