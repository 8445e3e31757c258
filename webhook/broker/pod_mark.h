/* SPDX-License-Identifier: Apache-2.0
 *
 * The condition casemate.dev/KeysReleased of a Pod, which may be a readiness gate: True once every
 * key that its containers are promised, in variables and files, was released to it. Until then it
 * says which are waited for, and why the last was refused. It is kept in the condition itself, so
 * that replicas add to what another has seen. Once True it stays so: a container that is refused
 * later does not start. Pure. */
#pragma once

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/tee/reason.h"

#define POD_MARK_CONDITION "casemate.dev/KeysReleased"

enum { POD_MARK_PATCH_MAX = 256 << 10, POD_MARK_NEWS_MAX = 64 };

/* What became of a request of the pod. */
struct pod_news {
	const char *container;
	const char *profile, *key; /* key "": the node's proof was refused, and with it all keys */
	enum reason reason;        /* Ok: released */
	const char *message;       /* unless Ok */
};

/* Writes a strategic merge patch of the pod's status, for the very pod and version that was read.
 * 1; 0: there is nothing to say that the pod does not say already; -ENOMEM, -E2BIG. a: for strings
 * of the call. */
int pod_mark_patch(struct buf *ret, struct json_val pod, const struct pod_news *news, size_t n,
	int64_t now_sec, struct arena *a);
