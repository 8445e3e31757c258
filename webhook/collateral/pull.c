/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/collateral/pull.h"

#include <systemd/sd-event.h>

#include "common/base/clock.h"
#include "common/net/backoff.h"
#include "common/net/http.h"

enum {
	ATTEMPTS = 4,
	WAIT_MAX_SEC = 60, /* longer is for the user to wait */
	TIMEOUT_SEC = 60,
};

struct runner {
	sd_event *event;
	struct http_client *client;
	sd_event_source *timer;
	const struct pull_plan *plan;
	struct collateral *c;
	size_t at; /* the question being asked */
	unsigned attempts;
	struct backoff backoff;
	int64_t now;
	struct error *err;
};

const char *pull_status(int status)
{
	static const struct {
		int status;
		const char *meaning;
	} rows[] = {
		{400, "it does not understand the question"},
		{401, "it wants to know who asks"},
		{403, "it does not answer this"},
		{404, "it has nothing about that: check FMSPC, product, chip id and TCB, and "
		      "--tee"},
		{410, "what was asked for is no longer given out"},
		{429, "it is asked too often"},
		{460, "its cache holds something broken"},
		{461, "it does not know the platform"},
		{462, "it has no certificates for the platform"},
		{500, "it has a problem"},
		{502, "what stands behind it does not answer: is it connected to its own source?"},
		{503, "it is not available"},
		{504, "what stands behind it does not answer: is it connected to its own source?"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].status == status)
			return rows[i].meaning;
	}
	return "an answer that is not expected";
}

static int end(struct runner *r, int code)
{
	return sd_event_exit(r->event, code);
}

static void ask(struct runner *r);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	ask(userdata);
	return 0;
}

static bool worth_another(const struct http_result *result)
{
	if (result->code)
		return result->code == -EIO || result->code == -ETIMEDOUT;
	return result->status == 429 || result->status >= 500;
}

static void give_up(struct runner *r, const struct http_result *result)
{
	const struct pull_request *rq = &r->plan->requests[r->at];

	if (result->code)
		error_set(r->err, -EIO, "%s: %s: %s", rq->name, rq->url, result->error);
	else if (result->retry_after > WAIT_MAX_SEC)
		error_set(r->err, -EIO, "%s: %s answers %d: %s; ask again in %lld seconds",
			rq->name, rq->url, result->status, pull_status(result->status),
			(long long)result->retry_after);
	else
		error_set(r->err, -EIO, "%s: %s answers %d: %s", rq->name, rq->url, result->status,
			pull_status(result->status));
	end(r, -EIO);
}

static void wait_and_ask(struct runner *r, const struct http_result *result)
{
	int64_t usec = backoff_delay(&r->backoff, clock_monotonic_usec(), backoff_chance());

	if (result->retry_after >= 0)
		usec = result->retry_after * USEC_PER_SEC;
	if (sd_event_source_set_time_relative(r->timer, (uint64_t)usec) < 0 ||
		sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT) < 0)
		end(r, error_oom(r->err));
}

static void on_done(void *ctx, const struct http_result *result)
{
	struct runner *r = ctx;
	const struct pull_request *rq = &r->plan->requests[r->at];
	const char *chain = NULL;
	int e;

	if (result->code || result->status != 200) {
		if (!worth_another(result) || r->attempts >= ATTEMPTS ||
			result->retry_after > WAIT_MAX_SEC)
			give_up(r, result);
		else
			wait_and_ask(r, result);
		return;
	}
	if (rq->chain_header)
		chain = http_result_header(result, rq->chain_header);
	if (!chain && rq->old_chain_header)
		chain = http_result_header(result, rq->old_chain_header);
	e = pull_take(r->c, rq, chain, result->body, r->now, r->err);
	if (e < 0) {
		end(r, error_prefix(r->err, e, "%s", rq->name));
		return;
	}
	r->at++;
	r->attempts = 0;
	backoff_restart(&r->backoff);
	ask(r);
}

static void ask(struct runner *r)
{
	struct http_call_options o = {
		.method = "GET",
		.accept = "*/*",
		.max_response = CRL_DER_MAX * 2,
		.timeout_usec = TIMEOUT_SEC * (int64_t)USEC_PER_SEC,
		.done = on_done,
		.ctx = r,
	};
	int e;

	if (r->at == r->plan->n) {
		end(r, 0);
		return;
	}
	r->attempts++;
	o.url = r->plan->requests[r->at].url;
	e = http_call(r->client, &o, NULL, r->err);
	if (e < 0)
		end(r, e);
}

int pull_run(struct collateral *c, const struct pull_plan *p, struct span ca_pem, int64_t now,
	struct error *err)
{
	const struct http_client_options options = {
		.ca_pem = ca_pem,
		.user_agent = "casemate-collateral",
	};
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(http_client_free_p) struct http_client *client = NULL;
	_cleanup_(sd_event_source_unrefp) sd_event_source *timer = NULL;
	struct runner r = {
		.plan = p,
		.c = c,
		.now = now,
		.backoff = {.first_usec = USEC_PER_SEC, .max_usec = 8 * USEC_PER_SEC},
		.err = err,
	};
	int e = sd_event_new(&event);

	if (e == 0)
		e = sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, 0, 0, on_timer, &r);
	if (e >= 0)
		e = sd_event_source_set_enabled(timer, SD_EVENT_OFF);
	if (e < 0)
		return error_set(err, e, "no event loop");
	e = http_client_new(&client, event, &options, err);
	if (e < 0)
		return e;
	r.event = event;
	r.client = client;
	r.timer = timer;
	ask(&r);
	return sd_event_loop(event);
}
