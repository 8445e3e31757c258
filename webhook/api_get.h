/* SPDX-License-Identifier: Apache-2.0
 *
 * One object of the API server, for commands: asks and waits, turning the client's loop. */
#pragma once

#include "common/base/arena.h"
#include "common/base/json.h"
#include "common/kube/client.h"

/* what: as messages name it, "namespace shop". The document's text is a's; its nodes are freed by
 * the caller. -ENOENT: there is none; -EIO with what the API server said; -ETIMEDOUT. */
int api_get(struct kube_client *kube, const char *path, const char *what, struct arena *a,
	struct json *ret, struct error *err);
/* Turns the loop until that holds; -ETIMEDOUT after half a minute. */
int api_wait(sd_event *event, bool (*until)(void *ctx), void *ctx);
