/* SPDX-License-Identifier: Apache-2.0
 *
 * What libcurl is told about a call. */
#include "common/net/http_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"

enum {
	HTTP_CONNECT_MSEC = 10000,
	/* A peer that vanished is noticed within a minute, also by an idle watch. */
	HTTP_KEEPALIVE_IDLE_SEC = 30,
	HTTP_KEEPALIVE_INTERVAL_SEC = 10,
	HTTP_KEEPALIVE_PROBES = 3,
	HTTP_UNACKNOWLEDGED_MSEC = 30000,
	HTTP_BEARER_MAX = 64 * 1024,
};

static int call_on_socket(void *userdata, curl_socket_t fd, curlsocktype purpose)
{
	static const int probes = HTTP_KEEPALIVE_PROBES, unacknowledged = HTTP_UNACKNOWLEDGED_MSEC;

	(void)userdata;
	(void)purpose;
	/* Refused by what is not TCP, and no loss there. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	(void)setsockopt(
		fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged, sizeof(unacknowledged));
	return CURL_SOCKOPT_OK;
}

static bool call_header(struct http_call *call, const char *name, const char *value)
{
	struct curl_slist *list;
	char *line;

	if (asprintf(&line, "%s: %s", name, value) < 0)
		return false;
	list = curl_slist_append(call->headers, line);
	scrub_free_string(line);
	if (list)
		call->headers = list;
	return list;
}

/* Would value stay inside its line? NULL does. */
static bool header_safe(const char *value)
{
	for (; value && *value; value++)
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return false;
	return true;
}

static int call_set_headers(struct http_call *call, const struct http_call_options *o)
{
	_cleanup_scrub_ struct scrub bearer = {.max = HTTP_BEARER_MAX};

	if (!call_header(call, "Accept", o->accept ? o->accept : "application/json"))
		return -ENOMEM;
	/* An empty value takes out what libcurl would send by itself. */
	if (!call_header(call, "Expect", "") ||
		!call_header(call, "Content-Type", o->content_type ? o->content_type : ""))
		return -ENOMEM;
	if (o->cookie && !call_header(call, "Cookie", o->cookie))
		return -ENOMEM;
	if (!o->bearer)
		return 0;
	if (scrub_add(&bearer, SPAN_LIT("Bearer ")) < 0 ||
		scrub_add(&bearer, span_str(o->bearer)) < 0 ||
		scrub_add(&bearer, (struct span){"", 1}) < 0)
		return -ENOMEM;
	return call_header(call, "Authorization", bearer.p) ? 0 : -ENOMEM;
}

static bool call_set_tls(struct http_call *call)
{
	struct http_client *c = call->c;
	struct curl_blob ca = {c->ca.p, c->ca.len, CURL_BLOB_NOCOPY};
	struct curl_blob cert = {c->cert.p, c->cert.len, CURL_BLOB_NOCOPY};
	struct curl_blob key = {c->key.p, c->key.len, CURL_BLOB_NOCOPY};
	CURL *e = call->easy;
	bool ok = true;

	/* Both defaults name the system's roots. */
	ok &= !curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	ok &= !curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	ok &= !curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, c->ca.len ? "http,https" : "http");
	ok &= !curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (c->ca.len)
		ok &= !curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &ca);
	if (c->cert.len) {
		ok &= !curl_easy_setopt(e, CURLOPT_SSLCERTTYPE, "PEM");
		ok &= !curl_easy_setopt(e, CURLOPT_SSLCERT_BLOB, &cert);
		ok &= !curl_easy_setopt(e, CURLOPT_SSLKEYTYPE, "PEM");
		ok &= !curl_easy_setopt(e, CURLOPT_SSLKEY_BLOB, &key);
	}
	return ok;
}

static bool call_set_method(struct http_call *call, const char *method)
{
	CURL *e = call->easy;
	bool ok = true;

	if (strcmp(method, "GET") == 0 && !call->body.len)
		return !curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	if (strcmp(method, "HEAD") == 0)
		return !curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	if (call->body.len || strcmp(method, "POST") == 0) {
		ok &= !curl_easy_setopt(e, CURLOPT_POSTFIELDS, call->body.len ? call->body.p : "");
		ok &= !curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
	}
	return ok && !curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
}

static bool call_set_transport(struct http_call *call, const struct http_call_options *o)
{
	CURL *e = call->easy;
	bool ok = true;

	ok &= !curl_easy_setopt(e, CURLOPT_URL, o->url);
	ok &= !curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	ok &= !curl_easy_setopt(e, CURLOPT_USERAGENT, call->c->user_agent);
	ok &= !curl_easy_setopt(e, CURLOPT_HTTPHEADER, call->headers);
	/* No proxy of the environment: it would be handed tokens. */
	ok &= !curl_easy_setopt(e, CURLOPT_PROXY, call->c->proxy);
	ok &= !curl_easy_setopt(e, CURLOPT_NOPROXY, *call->c->proxy ? "" : "*");
	ok &= !curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* Cancelling must not wait for a resolver thread. */
	ok &= !curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	ok &= !curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MSEC);
	ok &= !curl_easy_setopt(e, CURLOPT_TIMEOUT_MS,
		(long)((o->timeout_usec + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
	ok &= !curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	ok &= !curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, (long)HTTP_KEEPALIVE_IDLE_SEC);
	ok &= !curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, (long)HTTP_KEEPALIVE_INTERVAL_SEC);
	ok &= !curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, call_on_socket);
	ok &= !curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, call->c->suspect ? 1L : 0L);
	ok &= !curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->curl_error);
	ok &= !curl_easy_setopt(e, CURLOPT_PRIVATE, call);
	ok &= !curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, http_call_on_header);
	ok &= !curl_easy_setopt(e, CURLOPT_HEADERDATA, call);
	ok &= !curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_call_on_body);
	ok &= !curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
	return ok;
}

int http_call_set(struct http_call *call, const struct http_call_options *o)
{
	int r = call_set_headers(call, o);

	if (r < 0)
		return r;
	if (!call_set_transport(call, o) || !call_set_tls(call) ||
		!call_set_method(call, o->method))
		return -ENOMEM;
	return 0;
}

bool http_call_safe(const struct http_call_options *o)
{
	return header_safe(o->method) && header_safe(o->url) && header_safe(o->content_type) &&
	       header_safe(o->accept) && header_safe(o->bearer) && header_safe(o->cookie);
}

bool http_is_loopback(const char *url)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
	struct span rest = span_after(span_str(url), "http://");

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		struct span port = span_after(rest, hosts[i]);
		size_t n = 1;

		if (!port.p)
			continue;
		/* Digits alone: "http://127.0.0.1:80@elsewhere/" has a user of that name. */
		if (port.len && port.p[0] == ':') {
			while (n < port.len && port.p[n] >= '0' && port.p[n] <= '9')
				n++;
			port = (struct span){port.p + n, port.len - n};
		}
		if (port.len == 0 || strchr("/?", port.p[0]))
			return true;
	}
	return false;
}
