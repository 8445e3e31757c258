/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier's verdicts about nodes, kept up with through the API server. What is known goes on
 * being used while that is away: verdicts end by themselves. On the loop's thread only. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/kube/client.h"
#include "common/observe/metrics.h"
#include "webhook/policy/verdicts.h"

struct verdict_watch;

struct verdict_watch_options {
	sd_event *event;
	struct kube_client *kube;
	/* The sum of all verdicts changed; not before the first list is complete. */
	void (*changed)(void *ctx, const struct verdicts *v);
	void *ctx;
};

int verdict_watch_new(
	struct verdict_watch **ret_w, const struct verdict_watch_options *o, struct error *err);
void verdict_watch_free(struct verdict_watch *w); /* NULL allowed */
DEFINE_CLEANUP(struct verdict_watch *, verdict_watch_free)

/* "" or why the watch is not connected now. */
const char *verdict_watch_problem(const struct verdict_watch *w);
