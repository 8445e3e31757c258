/* SPDX-License-Identifier: Apache-2.0
 *
 * libcurl may call back while it works (c->in_curl), and must not be called then: calls started or
 * cancelled from a callback are marked, and settled as soon as libcurl has returned. Users' done
 * callbacks run outside of libcurl, where everything is allowed, http_client_free included: a
 * client freed while it is busy is only marked dead and goes when it is left.
 *
 * HTTP/1.1 on purpose: libcurl sends no HTTP/2 PING, so one dead connection would take every watch
 * and call of a process with it, and a call that times out would leave it in place. */
#include "common/net/http.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <openssl/crypto.h>

#include "common/base/clock.h"
#include "common/net/http_private.h"

enum {
	HTTP_CONNECTIONS_DEFAULT = 4,
	HTTP_KEPT_MIN = 8, /* connections, to all hosts */
	HTTP_TIMER_ACCURACY_USEC = USEC_PER_MSEC,
};

struct http_socket { /* one of libcurl's, watched for it */
	struct http_client *c;
	sd_event_source *source;
	struct http_socket *prev, *next;
};

static void call_free(struct http_call *call)
{
	struct http_client *c = call->c;

	if (!call->finished) { /* else unlinked already, and c may be gone */
		if (call->prev)
			call->prev->next = call->next;
		else if (c->calls == call)
			c->calls = call->next;
		if (call->next)
			call->next->prev = call->prev;
		c->n_calls--;
		if (call->easy && !call->pending)
			curl_multi_remove_handle(c->multi, call->easy);
	}
	sd_event_source_disable_unref(call->idle);
	curl_easy_cleanup(call->easy);
	for (struct curl_slist *h = call->headers; h; h = h->next)
		OPENSSL_cleanse(h->data, strlen(h->data));
	curl_slist_free_all(call->headers);
	scrub_free(&call->body);
	scrub_free(&call->response);
	free(call);
}

static void client_destroy(struct http_client *c)
{
	while (c->calls)
		call_free(c->calls);
	if (c->multi) {
		curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, NULL);
		curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, NULL);
	}
	while (c->sockets) {
		struct http_socket *s = c->sockets;

		c->sockets = s->next;
		sd_event_source_disable_unref(s->source);
		free(s);
	}
	curl_multi_cleanup(c->multi);
	sd_event_source_disable_unref(c->timer);
	sd_event_unref(c->event);
	scrub_free(&c->ca);
	scrub_free(&c->cert);
	scrub_free(&c->key);
	free(c->user_agent);
	free(c->proxy);
	free(c);
}

static void client_enter(struct http_client *c)
{
	c->busy++;
}

static void client_leave(struct http_client *c)
{
	if (--c->busy == 0 && c->dead)
		client_destroy(c);
}

static int code_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return -EPROTO;
	default:
		return -EIO;
	}
}

static void call_fail(struct http_call *call, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* We end the call ourselves; the first reason stays. */
static void call_fail(struct http_call *call, int code, const char *fmt, ...)
{
	va_list ap;

	if (call->code)
		return;
	call->code = code;
	va_start(ap, fmt);
	vsnprintf(call->failure, sizeof(call->failure), fmt, ap);
	va_end(ap);
}

const char *http_result_header(const struct http_result *result, const char *name)
{
	struct curl_header *h;

	if (curl_easy_header(result->call->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return NULL;
	return h->value;
}

/* Unlinks the call, tells its user, frees it. c may be dead afterwards, but not gone: the caller
 * has entered it. */
static void call_finish(struct http_call *call, CURLcode code)
{
	struct http_result result = {
		.retry_after = -1,
		.code = call->code ? call->code : code_of(code),
		.call = call,
	};
	struct http_client *c = call->c;
	struct curl_header *h;
	curl_off_t after = 0;
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	result.status = (int)status;
	if (curl_easy_header(call->easy, "Retry-After", 0, CURLH_HEADER, -1, &h) == CURLHE_OK &&
		curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &after) == CURLE_OK)
		result.retry_after = after;
	if (call->code)
		result.error = call->failure;
	else if (result.code)
		result.error = call->curl_error[0] ? call->curl_error : curl_easy_strerror(code);
	else
		result.body = scrub_view(&call->response);
	c->suspect = result.code == -EIO || result.code == -ETIMEDOUT;

	if (!call->pending)
		curl_multi_remove_handle(c->multi, call->easy);
	if (call->prev)
		call->prev->next = call->next;
	else
		c->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	c->n_calls--;
	call->finished = true;
	sd_event_source_set_enabled(call->idle, SD_EVENT_OFF);
	call->done(call->ctx, &result);
	call_free(call);
}

/* Does what could not be done while libcurl was working. */
static void client_settle(struct http_client *c)
{
	struct http_call *next;
	CURLMsg *msg;
	int left;

	for (struct http_call *call = c->calls; call; call = next) {
		next = call->next;
		if (call->cancelled) {
			call_free(call);
		} else if (call->pending) {
			/* Fails for lack of memory only; the call then ends by its timeouts. */
			call->pending = curl_multi_add_handle(c->multi, call->easy) != CURLM_OK;
		}
	}
	while (!c->dead && (msg = curl_multi_info_read(c->multi, &left))) {
		struct http_call *call = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
		call_finish(call, msg->data.result);
	}
}

static void client_act(struct http_client *c, curl_socket_t fd, int events)
{
	int running;

	client_enter(c);
	c->in_curl = true;
	curl_multi_socket_action(c->multi, fd, events, &running);
	c->in_curl = false;
	client_settle(c);
	client_leave(c);
}

static int client_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct http_socket *s = userdata; /* may be freed by what follows */

	(void)source;
	client_act(s->c, fd,
		(revents & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
			(revents & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			(revents & EPOLLERR ? CURL_CSELECT_ERR : 0));
	return 0;
}

static int client_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	client_act(userdata, CURL_SOCKET_TIMEOUT, 0);
	return 0;
}

static void client_forget_socket(struct http_client *c, struct http_socket *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		c->sockets = s->next;
	if (s->next)
		s->next->prev = s->prev;
	sd_event_source_disable_unref(s->source);
	free(s);
}

/* libcurl wants fd watched differently. Always 0: after -1 it would refuse everything for good,
 * while an unwatched socket costs one call, which its timeouts end. */
static int client_watch_socket(
	CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	static const uint32_t events[] = {
		[CURL_POLL_IN] = EPOLLIN,
		[CURL_POLL_OUT] = EPOLLOUT,
		[CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT,
	};
	struct http_client *c = userdata;
	struct http_socket *s = socketp;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			client_forget_socket(c, s);
		return 0;
	}
	if (what < CURL_POLL_IN || what > CURL_POLL_INOUT)
		return 0;
	if (s) {
		sd_event_source_set_io_events(s->source, events[what]);
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return 0;
	if (sd_event_add_io(c->event, &s->source, fd, events[what], client_on_io, s) < 0) {
		free(s);
		return 0;
	}
	s->c = c;
	s->next = c->sockets;
	if (s->next)
		s->next->prev = s;
	c->sockets = s;
	curl_multi_assign(c->multi, fd, s);
	return 0;
}

static int client_set_timer(CURLM *multi, long timeout_msec, void *userdata)
{
	struct http_client *c = userdata;

	(void)multi;
	if (timeout_msec < 0)
		return sd_event_source_set_enabled(c->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
	/* Relative, and also when it is 0: libcurl must not be called from its own callback. */
	if (sd_event_source_set_time_relative(c->timer, (uint64_t)timeout_msec * USEC_PER_MSEC) < 0)
		return -1;
	return sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
}

static int client_setup(struct http_client *c, const struct http_client_options *o)
{
	unsigned connections = o->max_connections ? o->max_connections : HTTP_CONNECTIONS_DEFAULT;
	/* libcurl counts those in use as well: with fewer, one that has had its answer is closed
	 * while others wait for theirs. */
	unsigned kept = connections > HTTP_KEPT_MIN ? connections : HTTP_KEPT_MIN;
	int r;

	c->ca.max = c->cert.max = c->key.max = SIZE_MAX;
	c->user_agent = strdup(o->user_agent ? o->user_agent : "casemate");
	c->proxy = strdup(o->proxy ? o->proxy : "");
	if (!c->user_agent || !c->proxy || scrub_add(&c->ca, o->ca_pem) < 0 ||
		scrub_add(&c->cert, o->client_cert_pem) < 0 ||
		scrub_add(&c->key, o->client_key_pem) < 0)
		return -ENOMEM;
	r = sd_event_add_time_relative(c->event, &c->timer, CLOCK_MONOTONIC, 0,
		HTTP_TIMER_ACCURACY_USEC, client_on_timer, c);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	c->multi = curl_multi_init();
	if (!c->multi ||
		curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, client_watch_socket) ||
		curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) ||
		curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, client_set_timer) ||
		curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) ||
		curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)connections) ||
		curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)kept))
		return -ENOMEM;
	return 0;
}

int http_client_new(struct http_client **ret_c, sd_event *event,
	const struct http_client_options *o, struct error *err)
{
	struct http_client *c;
	int r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return error_oom(err);
	c->event = sd_event_ref(event);
	r = client_setup(c, o);
	if (r < 0) {
		client_destroy(c);
		return error_set(err, r, "cannot set up the HTTP client: %s", strerror(-r));
	}
	*ret_c = c;
	return 0;
}

void http_client_free(struct http_client *c)
{
	if (!c || c->dead)
		return;
	c->dead = true;
	for (struct http_call *call = c->calls; call; call = call->next)
		call->cancelled = true;
	client_enter(c);
	client_leave(c);
}

/* Bytes came. */
static void call_touch(struct http_call *call)
{
	if (call->idle)
		sd_event_source_set_time_relative(call->idle, (uint64_t)call->idle_usec);
}

static bool call_give(struct http_call *call, struct span chunk)
{
	if (!call->data(call->ctx, chunk))
		call_fail(call, -ECANCELED, "ended by the reader");
	return !call->code && !call->cancelled;
}

size_t http_call_on_header(char *p, size_t size, size_t n, void *userdata)
{
	struct http_call *call = userdata;
	long status = 0;

	n *= size;
	if (call->cancelled)
		return 0;
	call_touch(call);
	if (n > 2 || (n && p[0] != '\r' && p[0] != '\n') || !call->data || call->streaming)
		return n;
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->streaming = status >= 200 && status < 300;
	if (call->streaming && !call_give(call, SPAN_LIT("")))
		return 0;
	return n;
}

size_t http_call_on_body(char *p, size_t size, size_t n, void *userdata)
{
	struct http_call *call = userdata;
	int r;

	n *= size;
	if (call->cancelled || call->code)
		return 0;
	call_touch(call);
	if (call->streaming)
		return call_give(call, (struct span){p, n}) ? n : 0;
	r = scrub_add(&call->response, (struct span){p, n});
	if (r == -E2BIG)
		call_fail(call, r, "the response is larger than %zu bytes", call->response.max);
	else if (r < 0)
		call_fail(call, r, "out of memory");
	return r < 0 ? 0 : n;
}

static int call_on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct http_call *call = userdata;
	struct http_client *c = call->c;

	(void)source;
	(void)usec;
	call_fail(call, -ETIMEDOUT, "no data for %lld ms",
		(long long)(call->idle_usec / USEC_PER_MSEC));
	client_enter(c);
	call_finish(call, CURLE_OPERATION_TIMEDOUT);
	client_leave(c);
	return 0;
}

static int call_setup(struct http_call *call, const struct http_call_options *o)
{
	int r;

	call->body.max = SIZE_MAX;
	call->response.max = o->max_response;
	call->data = o->data;
	call->done = o->done;
	call->ctx = o->ctx;
	call->easy = curl_easy_init();
	if (!call->easy || scrub_add(&call->body, o->body) < 0)
		return -ENOMEM;
	r = http_call_set(call, o);
	if (r < 0)
		return r;
	if (o->idle_usec > 0) {
		call->idle_usec = o->idle_usec;
		r = sd_event_add_time_relative(call->c->event, &call->idle, CLOCK_MONOTONIC,
			(uint64_t)o->idle_usec, HTTP_TIMER_ACCURACY_USEC, call_on_idle, call);
		if (r < 0)
			return r;
	}
	if (call->c->in_curl)
		call->pending = true;
	else if (curl_multi_add_handle(call->c->multi, call->easy) != CURLM_OK)
		return -ENOMEM;
	return 0;
}

int http_call(struct http_client *c, const struct http_call_options *o, struct http_call **ret_call,
	struct error *err)
{
	struct http_call *call;
	int r;

	assert(o->method && o->url && o->done);
	if (!http_call_safe(o))
		return error_set(
			err, -EINVAL, "method, URL, media type or token holds control characters");
	if (c->dead || c->n_calls >= HTTP_CALLS_MAX)
		return error_set(err, -ENOBUFS, "%d calls are under way already", HTTP_CALLS_MAX);
	call = calloc(1, sizeof(*call));
	if (!call)
		return error_oom(err);
	call->c = c;
	call->next = c->calls;
	if (call->next)
		call->next->prev = call;
	c->calls = call;
	c->n_calls++;
	r = call_setup(call, o);
	if (r < 0) {
		call_free(call);
		return error_set(err, r, "cannot start an HTTP call: %s", strerror(-r));
	}
	if (ret_call)
		*ret_call = call;
	return 0;
}

void http_cancel(struct http_call *call)
{
	if (!call || call->finished)
		return;
	if (call->c->in_curl)
		call->cancelled = true;
	else
		call_free(call);
}
