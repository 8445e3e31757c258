/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to policy: judging a final pod at its creation, and predicting that for a workload. */
#pragma once

#include "webhook/policy/policy.h"

/* validate.c: rq->object is a pod (or a pod template as its pod would be) after all mutation. */
int validate_created(const struct policy_request *rq, struct arena *a, struct policy_result *res);

/* workload.c: never refuses; warns what would become of the pods of rq->object. */
int workload_predict(const struct policy_request *rq, struct arena *a, struct policy_result *res);

enum {
	POLICY_PATCH_MAX = 4 * 1024 * 1024, /* bytes of a patch; a pod is at most 3 MiB */
	POLICY_POD_MAX = 8 * 1024 * 1024,
	POLICY_NODES_MAX = 1024 * 1024,
};
