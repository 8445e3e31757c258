/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by http.c (calls on the loop) and http_setup.c (what libcurl is told about a call). */
#pragma once

#include <curl/curl.h>

#include "common/net/http.h"
#include "common/net/scrub.h"

struct http_socket; /* one of libcurl's, watched for it */

struct http_client {
	sd_event *event;
	CURLM *multi;
	sd_event_source *timer; /* libcurl's one timer */
	char *user_agent;
	char *proxy; /* "": none */
	struct scrub ca, cert, key;
	struct http_call *calls;
	unsigned n_calls;
	struct http_socket *sockets;
	unsigned busy; /* depth of functions that still need c */
	bool in_curl;
	bool dead;    /* freed while busy */
	bool suspect; /* the last call was lost: idle connections may be dead, too */
};

struct http_call {
	struct http_client *c;
	struct http_call *prev, *next;
	CURL *easy;
	struct curl_slist *headers;
	struct scrub body, response;
	sd_event_source *idle;
	int64_t idle_usec;
	bool (*data)(void *ctx, struct span chunk);
	void (*done)(void *ctx, const struct http_result *result);
	void *ctx;
	bool pending;   /* started from a callback, not yet libcurl's */
	bool cancelled; /* from a callback, still libcurl's */
	bool finished;  /* done runs */
	bool streaming;
	int code;                      /* when we ended it: http_result's, */
	char failure[CURL_ERROR_SIZE]; /* and why */
	char curl_error[CURL_ERROR_SIZE];
};

/* Would what o names stay inside its header lines? */
bool http_call_safe(const struct http_call_options *o);

/* Tells call->easy what o asks for. -ENOMEM. */
int http_call_set(struct http_call *call, const struct http_call_options *o);

/* libcurl's callbacks, in http.c: a line of the header, a piece of the body. */
size_t http_call_on_header(char *p, size_t size, size_t n, void *userdata);
size_t http_call_on_body(char *p, size_t size, size_t n, void *userdata);
