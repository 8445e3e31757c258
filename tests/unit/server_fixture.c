/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/server_fixture.h"

#include <poll.h>

#include "common/net/server_private.h"
#include "tests/unit/peer.h"
#include "tests/unit/test.h"

static void deferred_body(const struct http_request *req, struct http_response *res)
{
	buf_printf(res->body, "deferred %s", req->path);
}

static void *finish_soon(void *arg)
{
	http_finish(arg);
	return NULL;
}

enum http_verdict fixture_handle(void *ctx, struct http_exchange *x,
	const struct http_request *req, struct http_response *res)
{
	struct fixture *f = ctx;
	struct span path = span_str(req->path);
	const char *header = http_header(x, "x-test");

	if (span_is(path, "/wait")) {
		pthread_mutex_lock(&f->lock);
		f->inside++;
		pthread_cond_broadcast(&f->changed);
		while (!f->released)
			pthread_cond_wait(&f->changed, &f->lock);
		pthread_mutex_unlock(&f->lock);
	} else if (span_is(path, "/early")) {
		deferred_body(req, res);
		http_finish(x);
		return HTTP_DEFERRED;
	} else if (span_is(path, "/race")) {
		pthread_t t;

		deferred_body(req, res);
		pthread_create(&t, NULL, finish_soon, x);
		pthread_detach(t);
		return HTTP_DEFERRED;
	} else if (span_is(path, "/park")) {
		pthread_mutex_lock(&f->lock);
		f->parked = x;
		f->parked_res = res;
		deferred_body(req, res);
		pthread_cond_broadcast(&f->changed);
		pthread_mutex_unlock(&f->lock);
		return HTTP_DEFERRED;
	} else if (span_is(path, "/405")) {
		res->status = 405;
		res->allow = "POST";
		res->retry_after = 7;
		res->content_type = "text/plain";
	} else if (span_is(path, "/huge")) {
		while (buf_puts(res->body, "0123456789abcdef") == 0)
			;
		return HTTP_DONE;
	}
	buf_printf(res->body, "%s|%s|%s|%s|%zu", req->method, req->path, req->query,
		header ? header : "", req->body.len);
	if (req->client_subject)
		buf_printf(res->body, "|%s", req->client_subject);
	return HTTP_DONE;
}

const struct server_options fixture_options = {
	.address = "127.0.0.1",
	.threads = 2,
	.tls_min = "1.2",
	.tls_ciphers = "",
	.limits = {.max_body = FIXTURE_MAX_BODY, .max_header = FIXTURE_MAX_HEADER,
		.max_connections = 100, .max_in_flight = 50, .request_usec = FIXTURE_REQUEST_USEC,
		.idle_usec = FIXTURE_IDLE_USEC},
};

bool fixture_start(struct fixture *f, const struct server_options *o)
{
	struct error err = {0};

	*f = (struct fixture){.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER};
	return CHECK_ROW("start", server_start(&f->s, o, fixture_handle, f, &err) == 0, "%s",
		err.message);
}

void fixture_stop(struct fixture *f)
{
	server_stop(f->s);
	f->s = NULL;
}

void fixture_await_inside(struct fixture *f, unsigned n)
{
	pthread_mutex_lock(&f->lock);
	while (f->inside < n)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

void fixture_release(struct fixture *f)
{
	pthread_mutex_lock(&f->lock);
	f->released = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

struct http_exchange *fixture_await_parked(struct fixture *f)
{
	struct http_exchange *x;

	pthread_mutex_lock(&f->lock);
	while (!f->parked)
		pthread_cond_wait(&f->changed, &f->lock);
	x = f->parked;
	f->parked = NULL;
	pthread_mutex_unlock(&f->lock);
	return x;
}

bool fixture_await_connections(struct fixture *f, unsigned n, int64_t ahead)
{
	int64_t deadline = clock_monotonic_usec() + (int64_t)PEER_TIMEOUT_SEC * USEC_PER_SEC;

	while (server_stats(f->s).connections != n && clock_monotonic_usec() < deadline) {
		if (ahead)
			server_sweep(f->s, clock_monotonic_usec() + ahead);
		poll(NULL, 0, 1);
	}
	return server_stats(f->s).connections == n;
}
