/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps up with a resource (Kubernetes API concepts, "Efficient detection of changes"): list, then
 * watch from there, with bookmarks, resumption, 410 and backoff. What it knows stays valid while
 * the API server is away. On the loop's thread only. */
#pragma once

#include "common/base/json.h"
#include "common/kube/client.h"

struct kube_watch;

struct kube_watch_handler {
	/* A list begins to be handed over: whatever is not upserted until synced is gone. Comes
	 * again without synced when a list breaks off and is begun anew. */
	void (*list_begin)(void *ctx);
	/* An object as received (in a list it has no apiVersion and kind); valid during the call.
	 */
	void (*upsert)(void *ctx, struct json_val object);
	void (*removed)(void *ctx, struct json_val object);
	/* The list is complete (first sync and each relist). */
	void (*synced)(void *ctx);
	/* kube_watch_connected() changed; NULL allowed. It is false for a moment each time the API
	 * server ends a watch, every five to ten minutes. */
	void (*connection)(void *ctx);
	void *ctx;
	/* Each of them may free the watch. */
};

struct kube_watch_options {
	const char *path;           /* "/apis/casemate.dev/v1alpha1/enclaveprofiles" */
	const char *label_selector; /* NULL: none; unescaped */
	const char *field_selector;
	/* Lists come from the API server's memory and may lag behind; the watch then catches up.
	 * For selections out of very many, which etcd would read all of each time. */
	bool cached;
	size_t max_object; /* bytes of one event or list page; 0: 16 MiB */
	/* The first delay; 0: 0.8 s. Doubles, with jitter: up to 30 s while the API server refuses
	 * us, up to eight times the first while it cannot be reached. */
	int64_t backoff_usec;
};

int kube_watch_new(struct kube_watch **ret_w, struct kube_client *c,
	const struct kube_watch_options *o, const struct kube_watch_handler *h, struct error *err);
bool kube_watch_synced(const struct kube_watch *w);         /* a list was complete once */
bool kube_watch_connected(const struct kube_watch *w);      /* a watch is open now */
const char *kube_watch_problem(const struct kube_watch *w); /* "" or why it is not connected */
void kube_watch_free(struct kube_watch *w);
DEFINE_CLEANUP(struct kube_watch *, kube_watch_free)
