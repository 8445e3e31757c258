/* SPDX-License-Identifier: Apache-2.0
 *
 * The API server for commands that do one thing after the other: one call at a time, waited for, on
 * an event loop of its own. */
#pragma once

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/kube/client.h"

struct kube_sync {
	sd_event *event;
	struct kube_client *kube;
	/* Of the last call. */
	bool done;
	int status;
	char message[256];
	struct buf body;
};

/* Errors as kube_client_new(). */
int kube_sync_open(struct kube_sync *ret, const struct kube_client_options *o, struct error *err);
void kube_sync_close(struct kube_sync *c);
#define _cleanup_kube_sync_ _cleanup_(kube_sync_close)

/* The HTTP status, whatever it is, and body; -EIO: no answer came. */
int kube_sync_call(struct kube_sync *c, const struct kube_request *rq, struct error *err);
/* The error of an answer that is none to go on with: -EIO with what the API server says. */
int kube_sync_refused(struct kube_sync *c, const struct kube_request *rq, struct error *err);

/* Deletes the workload at path ("/apis/apps/v1/namespaces/x/deployments/y") and waits until its
 * last Pod is gone; one that is not there is gone. -ETIMEDOUT. */
int kube_sync_end(struct kube_sync *c, const char *path, int64_t timeout_usec, struct error *err);

/* Calls fn for each object of the collection at path, page by page, until it fails. item is valid
 * during the call; fn may make calls of its own. */
int kube_sync_each(struct kube_sync *c, const char *path,
	int (*fn)(void *ctx, struct kube_sync *c, struct json_val item, struct error *err),
	void *ctx, struct error *err);
