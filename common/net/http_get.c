/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/http_get.h"

#include "common/base/clock.h"
#include "common/net/http.h"

enum { TIMEOUT_SEC = 10 };

struct question {
	sd_event *event;
	struct buf *body;
	struct error *err;
	int answer; /* the status, or -errno */
};

static void answered(void *ctx, const struct http_result *result)
{
	struct question *q = ctx;

	if (result->code < 0)
		q->answer = error_set(q->err, result->code, "%s", result->error);
	else if (buf_span(q->body, result->body) < 0)
		q->answer = error_oom(q->err);
	else
		q->answer = result->status;
	sd_event_exit(q->event, 0);
}

int http_get(const char *url, const char *user_agent, struct buf *body, struct error *err)
{
	const struct http_client_options options = {.user_agent = user_agent};
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(http_client_free_p) struct http_client *client = NULL;
	struct question q = {.body = body, .err = err};
	const struct http_call_options call = {
		.method = "GET",
		.url = url,
		.accept = "*/*",
		.max_response = body->max - body->len,
		.timeout_usec = TIMEOUT_SEC * (int64_t)USEC_PER_SEC,
		.done = answered,
		.ctx = &q,
	};
	int r = sd_event_new(&event);

	if (r < 0)
		return error_set(err, r, "no event loop");
	q.event = event;
	r = http_client_new(&client, event, &options, err);
	if (r == 0)
		r = http_call(client, &call, NULL, err);
	if (r < 0)
		return r;
	r = sd_event_loop(event);
	return r < 0 ? error_set(err, r, "event loop: %s", strerror(-r)) : q.answer;
}
