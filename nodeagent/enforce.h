/* SPDX-License-Identifier: Apache-2.0
 *
 * EPC by cgroup, where the kernel can: each container is limited to what it requested, and what it
 * uses is read. */
#pragma once

#include "nodeagent/node/pods.h"
#include "nodeagent/platform/epc_cgroup.h"

/* Limits every container of the pods that has a cgroup by now. Failures are handed to failed, one a
 * container (pod and container named in err); how many were limited. */
unsigned enforce_epc(struct epc_cgroup *c, const struct pods *pods,
	void (*failed)(void *ctx, const struct error *err), void *ctx);

/* Bytes that a container uses; -1: not known. */
int64_t enforce_used(const struct epc_cgroup *c, const struct pods *pods, const char *namespace_,
	const char *pod, const char *container);
