/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP client: libcurl's multi interface on sd-event. Everything happens on the loop's thread.
 * Proxies of the environment are not used, redirects not followed, the system's roots not trusted.
 * Memory that held bodies and tokens is cleansed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/span.h"

struct http_client;
struct http_call;

enum { HTTP_CALLS_MAX = 1024 }; /* under way at once, of one client; more: -ENOBUFS */

struct http_client_options {
	struct span ca_pem; /* trusted roots; nothing else is trusted. Empty: plain http only */
	struct span client_cert_pem, client_key_pem; /* empty: none */
	const char *user_agent;
	const char *proxy;        /* http://HOST:PORT; NULL, "": none */
	unsigned max_connections; /* to one host; 0: 4 */
};

int http_client_new(struct http_client **ret_c, sd_event *event,
	const struct http_client_options *o, struct error *err);
/* Cancels what is under way, without callbacks. At any time, also from inside a callback. */
void http_client_free(struct http_client *c);
DEFINE_CLEANUP(struct http_client *, http_client_free)

struct http_result;

struct http_call_options {
	const char *method;       /* "GET" */
	const char *url;          /* http or https */
	const char *content_type; /* of the body; NULL: none */
	const char *accept;       /* NULL: application/json */
	const char *bearer;       /* token; NULL: none. Copied, cleansed after use */
	const char *cookie;       /* "NAME=VALUE"; NULL: none. The same */
	struct span body;         /* copied */
	size_t max_response;      /* bytes of what is collected; beyond: the call fails */
	int64_t timeout_usec;     /* whole call; 0: none (watches) */
	int64_t idle_usec;        /* no byte for this long ends the call; 0: none */
	/* Streaming: called with what came of a 2xx response, first with an empty chunk when its
	 * header is complete; the response is then not collected (any other is). Return false to
	 * end the call. NULL: collected for done. */
	bool (*data)(void *ctx, struct span chunk);
	/* The end, exactly once unless cancelled. */
	void (*done)(void *ctx, const struct http_result *result);
	void *ctx;
};

struct http_result {
	int status;          /* HTTP; 0 when no response came */
	struct span body;    /* valid during the callback; empty when error is set */
	int64_t retry_after; /* seconds from Retry-After, -1 when absent */
	/* 0: the response is complete. -E2BIG: larger than max_response; -ECANCELED: data ended it;
	 * -ETIMEDOUT: timeout or silence; -EPROTO: the peer is not whom we trust, or the URL no
	 * good; -EIO: lost. */
	int code;
	const char *error;            /* the same for a person, NULL when complete */
	const struct http_call *call; /* for http_result_header() */
};
/* The value of a response header, whatever the case of its name; the first of several; NULL: none.
 * Valid during the callback. */
const char *http_result_header(const struct http_result *result, const char *name);

/* Is url plain http to this machine itself ("http://127.0.0.1", "localhost", "[::1]", with or
 * without a port)? Only there may secrets and what is not signed go without TLS. */
bool http_is_loopback(const char *url);

/* Starts a call; no callback runs before this returns. ret_call: for http_cancel until done runs;
 * NULL allowed. -EINVAL: an option holds what would not stay inside its header line. */
int http_call(struct http_client *c, const struct http_call_options *o, struct http_call **ret_call,
	struct error *err);
/* No callback after this. At any time, also from inside callbacks; NULL allowed. */
void http_cancel(struct http_call *call);
