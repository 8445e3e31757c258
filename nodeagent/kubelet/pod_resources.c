/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/pod_resources.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/net/backoff.h"
#include "common/net/grpc.h"
#include "nodeagent/kubelet/holdings.h"

#define TIMEOUT_USEC (5 * (int64_t)USEC_PER_SEC)

/* How often a call is tried when the kubelet's rate limit, which all clients of the node share,
 * refuses it. */
enum { TRIES_MAX = 4, RETRY_USEC = 100 * 1000 };

struct ask {
	struct ask *next;
	void (*done)(void *ctx, const struct holdings *h, const struct error *err);
	void *ctx;
};

struct pod_resources {
	sd_event *event;
	char *socket;
	const char *const *prefixes;
	struct ask *asked;   /* answered by the call under way */
	struct ask *waiting; /* by the next */
	unsigned n_waiting;
	struct grpc_channel *channel; /* while a call is under way */
	sd_event_source *timer;       /* the next call, or try */
	unsigned tries;
	struct buf answer;
};

static void call_in(struct pod_resources *p, uint64_t usec)
{
	sd_event_source_set_time_relative(p->timer, usec);
	sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

/* Tells those who asked, in the order of asking. */
static void finish(struct pod_resources *p, const struct holdings *h, const struct error *err)
{
	while (p->asked) {
		struct ask *a = p->asked;

		p->asked = a->next;
		a->done(a->ctx, h, err);
		free(a);
	}
	if (p->waiting)
		call_in(p, 0);
}

static void fail(struct pod_resources *p, struct error *err, int code, const char *message)
{
	if (message)
		error_set(err, code, "%s: %s", p->socket, message);
	error_prefix(err, err->code, "pod resources");
	finish(p, NULL, err);
}

static void received(void *ctx, struct span message)
{
	struct pod_resources *p = ctx;

	buf_reset(&p->answer);
	buf_span(&p->answer, message);
}

static void answered(void *ctx, enum grpc_status status, const char *message)
{
	struct pod_resources *p = ctx;
	_cleanup_arena_ struct arena a = ARENA_INIT(HOLDINGS_MEMORY_MAX);
	_cleanup_buf_ struct buf answer = p->answer;
	struct holdings h;
	struct error err = {0};

	p->answer = BUF_INIT(HOLDINGS_MESSAGE_MAX);
	grpc_channel_free(p->channel);
	p->channel = NULL;
	if (status == GRPC_RESOURCE_EXHAUSTED && ++p->tries < TRIES_MAX)
		call_in(p, (uint64_t)backoff_jitter(RETRY_USEC, backoff_chance()));
	else if (status != GRPC_OK)
		fail(p, &err, -EIO, message[0] ? message : grpc_status_name(status));
	else if (answer.err)
		fail(p, &err, answer.err, "out of memory");
	else if (holdings_read(&h, &a, buf_view(&answer), p->prefixes, &err) < 0)
		fail(p, &err, 0, NULL);
	else
		finish(p, &h, NULL);
}

static void call(struct pod_resources *p)
{
	struct grpc_channel_options channel = {
		.path = p->socket, .max_message = HOLDINGS_MESSAGE_MAX};
	struct grpc_stream_options list = {
		.path = "/v1.PodResourcesLister/List",
		.timeout_usec = TIMEOUT_USEC,
		.message_received = received,
		.done = answered,
		.ctx = p,
	};
	struct error err = {0};
	int r = grpc_channel_open(&p->channel, p->event, &channel, &err);

	if (r >= 0)
		r = grpc_start(p->channel, &list, NULL, &err);
	if (r >= 0)
		return;
	grpc_channel_free(p->channel);
	p->channel = NULL;
	fail(p, &err, 0, NULL);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct pod_resources *p = ctx;

	(void)source;
	(void)usec;
	if (!p->asked) {
		p->asked = p->waiting;
		p->waiting = NULL;
		p->n_waiting = 0;
		p->tries = 0;
	}
	call(p);
	return 0;
}

int pod_resources_new(struct pod_resources **ret_p, sd_event *event, const char *socket,
	const char *const *prefixes, struct error *err)
{
	_cleanup_(pod_resources_free_p) struct pod_resources *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return error_oom(err);
	p->event = sd_event_ref(event);
	p->prefixes = prefixes;
	p->answer = BUF_INIT(HOLDINGS_MESSAGE_MAX);
	p->socket = strdup(socket);
	if (!p->socket)
		return error_oom(err);
	r = sd_event_add_time_relative(
		event, &p->timer, CLOCK_MONOTONIC, UINT64_MAX / 2, 1, on_timer, p);
	if (r >= 0)
		r = sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
	if (r < 0)
		return error_set(err, r, "event loop: %s", strerror(-r));
	*ret_p = TAKE_PTR(p);
	return 0;
}

static void free_asks(struct ask *a)
{
	struct ask *next;

	for (; a; a = next) {
		next = a->next;
		free(a);
	}
}

void pod_resources_free(struct pod_resources *p)
{
	if (!p)
		return;
	sd_event_source_disable_unref(p->timer);
	grpc_channel_free(p->channel);
	free_asks(p->asked);
	free_asks(p->waiting);
	buf_free(&p->answer);
	sd_event_unref(p->event);
	free(p->socket);
	free(p);
}

int pod_resources_list(struct pod_resources *p,
	void (*done)(void *ctx, const struct holdings *h, const struct error *err), void *ctx,
	struct error *err)
{
	struct ask **last = &p->waiting, *a;

	if (p->n_waiting == POD_RESOURCES_ASKS_MAX)
		return error_set(err, -ENOBUFS, "pod resources: %u wait for an answer already",
			p->n_waiting);
	a = calloc(1, sizeof(*a));
	if (!a)
		return error_oom(err);
	a->done = done;
	a->ctx = ctx;
	while (*last)
		last = &(*last)->next;
	*last = a;
	p->n_waiting++;
	if (!p->asked)
		call_in(p, 0);
	return 0;
}
