/* SPDX-License-Identifier: Apache-2.0
 *
 * Events (events.k8s.io/v1). On the loop's thread only; bounded: at most a few under way, and the
 * same event about the same object again within ten minutes is dropped. */
#pragma once

#include "common/kube/client.h"

struct kube_event_recorder;

struct kube_object_ref {
	const char *api_version, *kind, *namespace_, *name,
		*uid; /* namespace_ "": cluster-scoped */
};

/* Strings are copied; instance is cut at 128 bytes. -ENOMEM. */
int kube_event_recorder_new(struct kube_event_recorder **ret_r, struct kube_client *c,
	const char *controller /* "casemate.dev/webhook" */, const char *instance);
/* type "Normal" or "Warning"; note (valid UTF-8) is cut at 1024 bytes. Nothing waits for it: one
 * that is refused, or for which too many are under way, is lost. */
void kube_event(struct kube_event_recorder *r, const struct kube_object_ref *regarding,
	const char *type, const char *reason, const char *action, const char *note);
/* Cancels what is under way. Before its client. */
void kube_event_recorder_free(struct kube_event_recorder *r);
DEFINE_CLEANUP(struct kube_event_recorder *, kube_event_recorder_free)
