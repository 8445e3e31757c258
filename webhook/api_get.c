/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/api_get.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"

enum { OBJECT_MAX = 4 << 20 };

#define WAIT_USEC (30 * (int64_t)USEC_PER_SEC)
#define TURN_USEC (200 * (uint64_t)USEC_PER_MSEC)

int api_wait(sd_event *event, bool (*until)(void *ctx), void *ctx)
{
	int64_t end = clock_monotonic_usec() + WAIT_USEC;

	while (!until(ctx)) {
		int r = clock_monotonic_usec() < end ? sd_event_run(event, TURN_USEC) : -ETIMEDOUT;

		if (r < 0)
			return r;
	}
	return 0;
}

struct answer {
	bool done;
	int status;
	struct json doc;
	struct arena *a;
	char message[256];
};

static void on_answer(void *ctx, const struct kube_result *res)
{
	static const struct json_limits limits = {OBJECT_MAX, 262144, 64};
	struct answer *answer = ctx;
	struct span text = arena_dup(answer->a, res->body);

	answer->done = true;
	answer->status = res->status;
	snprintf(answer->message, sizeof(answer->message), "%s", res->message);
	if (res->status == 200 && (!text.p || json_parse(&answer->doc, text, &limits, NULL) < 0))
		answer->status = 0;
}

static bool is_answered(void *ctx)
{
	return ((struct answer *)ctx)->done;
}

int api_get(struct kube_client *kube, const char *path, const char *what, struct arena *a,
	struct json *ret, struct error *err)
{
	struct answer answer = {.a = a};
	struct kube_call *call = NULL;
	const struct kube_request req = {.method = "GET", .path = path, .max_response = OBJECT_MAX};
	int r = kube_call(kube, &req, on_answer, &answer, &call, err);

	if (r == 0 && api_wait(kube_client_event(kube), is_answered, &answer) < 0) {
		kube_cancel(call);
		r = error_set(err, -ETIMEDOUT, "%s: the API server does not answer", what);
	}
	if (r == 0 && answer.status == 404)
		r = error_set(err, -ENOENT, "there is no %s", what);
	else if (r == 0 && answer.status != 200)
		r = error_set(err, -EIO, "%s: %s", what, answer.message);
	if (r == 0)
		*ret = answer.doc;
	else
		json_free(&answer.doc);
	return r;
}
