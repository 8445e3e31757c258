/* SPDX-License-Identifier: Apache-2.0
 *
 * A confidential pod on a node whose verdict no longer lets it run there. Nothing confidential
 * begins on such a node, but what had begun goes on. Pure. */
#pragma once

#include <stdbool.h>

#include "common/base/json.h"
#include "webhook/policy/config.h"
#include "webhook/verifier/marks.h"

enum { STRAY_NAMESPACE_MAX = 64, STRAY_NAME_MAX = 254 };

struct stray {
	char namespace_[STRAY_NAMESPACE_MAX], name[STRAY_NAME_MAX], uid[RECORD_UID_MAX];
	/* Asking it to go makes sense, and is allowed: it is not on its way out, no static pod, and
	 * not the cluster's own (kube-system). */
	bool evictable;
};

/* Is that pod one, on a node that is to have these marks? The webhook wrote into it which labels
 * its node must have; where it did not (a class of one's own), any verdict will do. What has ended
 * is none. */
bool stray_find(struct stray *ret, const struct policy_config *policy, struct json_val pod,
	const struct marks *node);
