/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the pod-resources API's answer (v1, ListPodResourcesResponse). Pure. */
#pragma once

#include "common/base/arena.h"
#include "nodeagent/kubelet/pod_resources.h"

enum {
	HOLDINGS_MESSAGE_MAX = 2 << 20, /* bytes of an answer: a thousand pods take a tenth */
	HOLDINGS_MEMORY_MAX = 16 << 20, /* and decoded */
	HOLDINGS_RESOURCES_MAX = 32,     /* of ours, for one container */
};

/* In a, which may be released when *ret_h is not needed any more. -EBADMSG: broken, or a name that
 * is none. */
int holdings_read(struct holdings *ret_h, struct arena *a, struct span message,
	const char *const *prefixes, struct error *err);
