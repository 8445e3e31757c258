/* SPDX-License-Identifier: Apache-2.0
 *
 * One request: libmicrohttpd calls with the request line, the headers, each piece of the body and,
 * last, with nothing: that is where the handler runs and where the answer is queued. Answering any
 * earlier makes libmicrohttpd close the connection, which only a refused body deserves. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/server_private.h"

const char *http_header(struct http_exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, name);
}

/* The request line, before libmicrohttpd cuts it into pieces and decodes them. */
void *request_uri(void *cls, const char *uri, struct MHD_Connection *con)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(con, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_exchange *x = info ? info->socket_context : NULL;

	(void)cls;
	if (!x)
		return NULL;
	/* The sweep may have seen the first byte before. */
	if (phase_of(atomic_load(&x->phase)) != PHASE_READING)
		exchange_phase(x, PHASE_READING);
	x->stage = STAGE_HEADERS;
	x->too_large = x->shed = false;
	x->discarded = 0;
	atomic_store(&x->deferral, DEFER_NONE);
	buf_reset(&x->uri);
	buf_reset(&x->body);
	buf_puts(&x->uri, uri ? uri : "");
	return x;
}

static unsigned add_headers(const struct http_exchange *x, struct MHD_Response *r)
{
	const struct http_response *res = &x->res;
	char seconds[16], etag[16];
	unsigned ok = 1;

	if (res->content_type)
		ok &= MHD_add_response_header(r, "Content-Type", res->content_type);
	if (res->content_type && strncmp(res->content_type, "text/", 5) == 0)
		ok &= MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	if (res->retry_after) {
		snprintf(seconds, sizeof(seconds), "%u", res->retry_after);
		ok &= MHD_add_response_header(r, "Retry-After", seconds);
	}
	if (res->allow)
		ok &= MHD_add_response_header(r, "Allow", res->allow);
	if (res->authenticate)
		ok &= MHD_add_response_header(r, "WWW-Authenticate", res->authenticate);
	if (x->cookie.len)
		ok &= MHD_add_response_header(r, "Set-Cookie", x->cookie.p);
	if (res->etag) {
		snprintf(etag, sizeof(etag), "\"%u\"", res->etag);
		ok &= MHD_add_response_header(r, "ETag", etag);
	}
	if (atomic_load(&x->server->closing))
		ok &= MHD_add_response_header(r, "Connection", "close");
	return ok;
}

/* Queues res, whose body stays the connection's: it is not touched before the next request, which
 * comes after this answer was sent. */
static enum MHD_Result answer(struct http_exchange *x)
{
	enum MHD_Result ok = MHD_NO;
	struct MHD_Response *r =
		MHD_create_response_from_buffer(x->out.len, x->out.p, MHD_RESPMEM_PERSISTENT);

	if (!r)
		return MHD_NO;
	x->stage = STAGE_ANSWERED;
	exchange_phase(x, PHASE_SENDING);
	if (add_headers(x, r))
		ok = MHD_queue_response(x->mhd, (unsigned)x->res.status, r);
	MHD_destroy_response(r);
	return ok;
}

static void reset_response(struct http_exchange *x)
{
	buf_reset(&x->out);
	buf_reset(&x->cookie);
	x->res = (struct http_response){
		.status = 200,
		.content_type = "application/json",
		.cookie = &x->cookie,
		.body = &x->out,
	};
}

/* An answer of the server's own. client-go shows the message of a metav1.Status. */
static enum MHD_Result answer_status(struct http_exchange *x, int status, const char *reason,
	unsigned retry_after, const char *message)
{
	reset_response(x);
	x->res.status = status;
	x->res.retry_after = retry_after;
	buf_printf(&x->out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
		"\"status\":\"Failure\",\"message\":");
	buf_json_string(&x->out, span_str(message));
	buf_printf(&x->out, ",\"reason\":\"%s\",\"code\":%d}\n", reason, status);
	return x->out.err ? MHD_NO : answer(x);
}

static enum MHD_Result answer_too_large(struct http_exchange *x)
{
	char message[96];

	atomic_fetch_add(&x->server->too_large, 1);
	snprintf(message, sizeof(message), "request body is larger than %zu bytes",
		x->server->limits.max_body);
	return answer_status(x, 413, "RequestEntityTooLarge", 0, message);
}

static enum MHD_Result answer_shed(struct http_exchange *x, const char *message)
{
	atomic_fetch_add(&x->server->shed, 1);
	return answer_status(x, 429, "TooManyRequests", 1, message);
}

/* The headers are complete. libmicrohttpd has checked the syntax of Content-Length. */
static enum MHD_Result begin(struct http_exchange *x, const char *method)
{
	const struct server_limits *limits = &x->server->limits;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	const char *length = http_header(x, "Content-Length");
	size_t n = strlen(method);
	char message[96];

	if (!info || info->header_size > limits->max_header || x->uri.err) {
		atomic_fetch_add(&x->server->too_large, 1);
		snprintf(message, sizeof(message), "request headers are larger than %zu bytes",
			limits->max_header);
		return answer_status(x, 431, "BadRequest", 0, message);
	}
	if (length && strtoull(length, NULL, 10) > limits->max_body)
		return answer_too_large(x);
	if (n >= sizeof(x->method))
		return answer_status(x, 501, "MethodNotAllowed", 0, "unknown method");
	memcpy(x->method, method, n + 1);
	x->stage = STAGE_BODY;
	return MHD_YES;
}

/* Large bodies share one budget, so that many clients at once cannot exhaust the memory. */
static void charge(struct http_exchange *x, size_t size)
{
	struct server *s = x->server;
	size_t more = size > x->charged ? size - x->charged : 0;

	if (size <= SERVER_KEEP_MAX || more == 0)
		return;
	if (atomic_fetch_add(&s->buffered, more) + more > s->limits.max_buffered) {
		atomic_fetch_sub(&s->buffered, more);
		x->shed = true;
		return;
	}
	x->charged += more;
}

static void uncharge(struct http_exchange *x)
{
	if (x->charged)
		atomic_fetch_sub(&x->server->buffered, x->charged);
	x->charged = 0;
}

/* A piece of the body. libmicrohttpd takes no answer here, so what is too much is read to its end,
 * if that is not too far away. */
static enum MHD_Result take(struct http_exchange *x, const char *data, size_t *size)
{
	size_t n = *size;

	*size = 0;
	if (!x->too_large && !x->shed) {
		charge(x, x->body.len + n);
		if (!x->shed && buf_add(&x->body, data, n) == 0)
			return MHD_YES;
		x->too_large = x->body.err == -E2BIG;
		x->shed = !x->too_large;
		buf_free(&x->body);
		uncharge(x);
	}
	x->discarded += n;
	return x->discarded > x->server->limits.max_body + SERVER_KEEP_MAX ? MHD_NO : MHD_YES;
}

static void fill_request(struct http_exchange *x)
{
	char *query = x->uri.p ? strchr(x->uri.p, '?') : NULL;

	if (query)
		*query++ = '\0';
	x->req = (struct http_request){
		.method = x->method,
		.path = x->uri.p ? x->uri.p : "",
		.query = query ? query : "",
		.body = buf_view(&x->body),
		.client_subject = x->peer.subject[0] ? x->peer.subject : NULL,
		.client = x->client,
	};
}

void request_settle(struct http_exchange *x)
{
	if (x->in_flight)
		atomic_fetch_sub(&x->server->in_flight, 1);
	x->in_flight = false;
	if (x->suspended)
		server_suspended(x->server, -1);
	x->suspended = false;
}

/* The handler is done, here or elsewhere. */
static enum MHD_Result conclude(struct http_exchange *x)
{
	request_settle(x);
	if (x->out.err)
		return answer_status(x, 500, "InternalError", 0, "the answer is too large");
	return answer(x);
}

void request_abandon(struct http_exchange *x)
{
	int suspended = DEFER_SUSPENDED;

	if (atomic_compare_exchange_strong(&x->deferral, &suspended, DEFER_ABANDONED))
		MHD_resume_connection(x->mhd);
}

static enum MHD_Result suspend(struct http_exchange *x)
{
	int running = DEFER_NONE;

	/* Counted first: the server is not stopped while a connection may be suspended, which
	 * libmicrohttpd answers with abort(). */
	server_suspended(x->server, 1);
	x->suspended = true;
	MHD_suspend_connection(x->mhd);
	if (!atomic_compare_exchange_strong(&x->deferral, &running, DEFER_SUSPENDED))
		MHD_resume_connection(x->mhd); /* finished meanwhile */
	else if (atomic_load(&x->server->stopping))
		request_abandon(x);
	return MHD_YES;
}

void http_finish(struct http_exchange *x)
{
	struct server *s = x->server;
	int was = atomic_exchange(&x->deferral, DEFER_FINISHED);

	if (was == DEFER_SUSPENDED) {
		/* Still counted for the worker, which may conclude, and the server be stopped,
		 * before libmicrohttpd is done with resuming. */
		server_suspended(s, 1);
		MHD_resume_connection(x->mhd);
		server_turn_soon(s);
		server_suspended(s, -1);
	} else if (was == DEFER_ORPHANED) {
		exchange_free(x);
	}
}

/* The request is complete. */
static enum MHD_Result handle(struct http_exchange *x)
{
	struct server *s = x->server;

	if (x->too_large)
		return answer_too_large(x);
	if (x->shed)
		return answer_shed(x, "too many large requests at once");
	if (atomic_load(&s->stopping))
		return answer_status(x, 503, "ServiceUnavailable", 1, "shutting down");
	if (atomic_fetch_add(&s->in_flight, 1) >= s->limits.max_in_flight) {
		atomic_fetch_sub(&s->in_flight, 1);
		return answer_shed(x, "too many requests at once");
	}
	x->in_flight = true;
	atomic_fetch_add(&s->requests, 1);
	exchange_phase(x, PHASE_HANDLING);
	fill_request(x);
	reset_response(x);
	if (s->handler(s->ctx, x, &x->req, &x->res) == HTTP_DEFERRED &&
		atomic_load(&x->deferral) != DEFER_FINISHED)
		return suspend(x);
	return conclude(x);
}

enum MHD_Result request_handle(void *cls, struct MHD_Connection *con, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **con_cls)
{
	struct http_exchange *x = *con_cls;

	(void)cls;
	(void)con;
	(void)url;
	(void)version;
	if (!x)
		return MHD_NO;
	if (x->stage == STAGE_HEADERS)
		return begin(x, method);
	if (*size)
		return take(x, data, size);
	if (!x->suspended)
		return handle(x);
	if (atomic_load(&x->deferral) == DEFER_FINISHED)
		return conclude(x);
	request_settle(x);
	return MHD_NO; /* abandoned */
}

void request_completed(void *cls, struct MHD_Connection *con, void **con_cls,
	enum MHD_RequestTerminationCode why)
{
	struct http_exchange *x = *con_cls;

	(void)cls;
	(void)con;
	(void)why;
	if (!x)
		return;
	request_settle(x);
	/* An abandoned exchange's handler may still be at work on the buffers. */
	if (atomic_load(&x->deferral) == DEFER_ABANDONED)
		return;
	if (x->body.cap > SERVER_KEEP_MAX)
		buf_free(&x->body);
	if (x->out.cap > SERVER_KEEP_MAX)
		buf_free(&x->out);
	buf_free(&x->cookie);
	uncharge(x);
	exchange_phase(x, PHASE_IDLE);
}
