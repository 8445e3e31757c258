/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/grpc_fixture.h"

#include <stdio.h>

static void on_closed(void *ctx)
{
	struct {
		struct echo *e;
		size_t i;
	} *slot = ctx;

	slot->e->closed++;
	slot->e->held[slot->i] = NULL;
}

static void handle_echo(void *ctx, struct grpc_call *call, struct span message)
{
	struct echo *e = ctx;

	e->handled++;
	e->refused += grpc_reply(call, message) < 0;
	grpc_finish(call, GRPC_OK, NULL);
}

static void handle_repeat(void *ctx, struct grpc_call *call, struct span message)
{
	struct echo *e = ctx;

	e->handled++;
	for (unsigned n = message.len ? (unsigned char)message.p[0] : 0; n; n--)
		e->refused += grpc_reply(call, message) < 0;
	grpc_finish(call, GRPC_OK, "");
}

/* Keeps the call, in the next place or, when they were all used, in one that is free again; NULL:
 * there is none, and it was refused. */
static struct grpc_call **hold(struct echo *e, struct grpc_call *call)
{
	struct grpc_call **place = &e->held[e->n_held];

	e->handled++;
	if (e->n_held < ECHO_HELD_MAX)
		e->n_held++;
	else
		for (place = e->held; place < e->held + ECHO_HELD_MAX && *place; place++)
			;
	if (place == e->held + ECHO_HELD_MAX) {
		grpc_finish(call, GRPC_RESOURCE_EXHAUSTED, "too many are held");
		return NULL;
	}
	*place = call;
	if (!e->silent)
		e->refused += grpc_reply(call, SPAN_NONE) < 0;
	return place;
}

static void handle_hold(void *ctx, struct grpc_call *call, struct span message)
{
	struct echo *e = ctx;
	struct grpc_call **place = hold(e, call);

	(void)message;
	if (!place)
		return;
	e->slots[place - e->held].e = e;
	e->slots[place - e->held].i = (size_t)(place - e->held);
	grpc_call_on_closed(call, on_closed, &e->slots[place - e->held]);
}

static void handle_zombie(void *ctx, struct grpc_call *call, struct span message)
{
	(void)message;
	hold(ctx, call);
}

static void handle_fail(void *ctx, struct grpc_call *call, struct span message)
{
	struct echo *e = ctx;
	char text[3 * GRPC_STATUS_TEXT_MAX];

	e->handled++;
	snprintf(text, sizeof(text), "%.*s", (int)message.len - 1, message.p + 1);
	grpc_finish(call, (enum grpc_status)message.p[0], text);
}

const struct grpc_method echo_methods[] = {
	{"/test.Echo/Echo", handle_echo},
	{"/test.Echo/Repeat", handle_repeat},
	{"/test.Echo/Hold", handle_hold},
	{"/test.Echo/Zombie", handle_zombie},
	{"/test.Echo/Fail", handle_fail},
};

static void on_message(void *ctx, struct span message)
{
	struct asked *a = ctx;

	a->messages++;
	a->bytes += message.len;
	a->last.max = GRPC_MESSAGE_MAX;
	buf_reset(&a->last);
	buf_span(&a->last, message);
}

static void on_done(void *ctx, enum grpc_status status, const char *message)
{
	struct asked *a = ctx;

	a->stream = NULL;
	a->dones++;
	a->status = status;
	snprintf(a->text, sizeof(a->text), "%s", message);
}

struct grpc_stream_options asked_options(
	struct asked *a, const char *path, struct span message, int64_t timeout_usec)
{
	return (struct grpc_stream_options){
		.path = path,
		.message = message,
		.timeout_usec = timeout_usec,
		.message_received = on_message,
		.done = on_done,
		.ctx = a,
	};
}

void asked_free(struct asked *a)
{
	buf_free(&a->last);
}
