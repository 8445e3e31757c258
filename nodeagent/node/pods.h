/* SPDX-License-Identifier: Apache-2.0
 *
 * The pods of this node that request something of ours and have not ended: what EPC they take, and
 * how their containers are found. A watch of the API server; little is kept. On the loop's thread.
 */
#pragma once

#include "common/kube/client.h"
#include "nodeagent/node/node_pod.h"

struct pods;

enum { PODS_MAX = 1024 };

struct pods_options {
	const char *node; /* name */
	/* What the functions below say changed; NULL allowed. */
	void (*changed)(void *ctx);
	void *ctx;
};
int pods_new(struct pods **ret_p, struct kube_client *kube, const struct pods_options *o,
	struct error *err);
void pods_free(struct pods *p);
DEFINE_CLEANUP(struct pods *, pods_free)

/* In no particular order; valid until the loop runs again. */
size_t pods_count(const struct pods *p);
const struct node_pod *pods_at(const struct pods *p, size_t i);
/* The container's EPC, in bytes; -1: no such container, or it requests none. */
int64_t pods_container_epc(
	const struct pods *p, const char *namespace_, const char *pod, const char *container);

int64_t pods_epc(const struct pods *p);    /* bytes, of all; -1: not known yet */
bool pods_cut(const struct pods *p);       /* there are more than PODS_MAX */
bool pods_connected(const struct pods *p); /* what is known is up to date */
