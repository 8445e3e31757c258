/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP client: libcurl's multi interface on sd-event. Everything happens on the loop's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/base/buf.h"
#include "common/base/error.h"

struct http_client;
struct http_call;

struct http_client_options {
	struct span ca_pem;      /* trusted roots; nothing else is trusted. Empty: plain http only */
	struct span client_cert_pem, client_key_pem; /* empty: none */
	const char *user_agent;
	unsigned max_connections; /* to one host; 0: 4 */
};

int http_client_new(struct http_client **ret_c, sd_event *event,
	const struct http_client_options *o, struct error *err);
void http_client_free(struct http_client *c); /* cancels what is under way, without callbacks */
DEFINE_CLEANUP(struct http_client *, http_client_free)

struct http_result;

struct http_call_options {
	const char *method;        /* "GET" */
	const char *url;
	const char *content_type;  /* of the body; NULL: none */
	const char *accept;        /* NULL: application/json */
	const char *bearer;        /* token; NULL: none. Copied, cleansed after use */
	struct span body;          /* copied */
	size_t max_response;       /* bytes */
	int64_t timeout_usec;      /* whole call; 0: none (watches) */
	int64_t idle_usec;         /* no byte for this long ends the call; 0: none */
	/* Streaming: called with what came; the response is then not collected. Return false to
	 * end the call. NULL: collected for done. */
	bool (*data)(void *ctx, struct span chunk);
	/* The end, exactly once unless cancelled. */
	void (*done)(void *ctx, const struct http_result *result);
	void *ctx;
};

struct http_result {
	int status;          /* HTTP; 0 when no response came */
	struct span body;
	int64_t retry_after; /* seconds from Retry-After, -1 when absent */
	const char *error;   /* NULL, or what went wrong below HTTP */
};

int http_call(struct http_client *c, const struct http_call_options *o, struct http_call **ret_call,
	struct error *err);
void http_cancel(struct http_call *call); /* no callback after this; NULL allowed */
