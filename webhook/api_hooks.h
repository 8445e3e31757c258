/* SPDX-License-Identifier: Apache-2.0
 *
 * What the admission service wants of the API server: live pods for exec reviews, Events for the
 * owners of refused pods. Called on server threads, done on the event loop. */
#pragma once

#include "common/kube/client.h"
#include "common/kube/event.h"
#include "common/net/loop.h"
#include "webhook/admission/service.h"

struct api_hooks {
	struct loop_queue *queue;
	struct kube_client *kube;
	struct kube_event_recorder *events;
};

/* ctx of both: a struct api_hooks that outlives the service. */
int api_lookup_pod(void *ctx, struct pod_lookup *l, const char *namespace_, const char *name);
void api_report_refusal(void *ctx, const struct refusal *r);
