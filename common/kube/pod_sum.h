/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pod requests of a resource as a whole, from what its containers request, as the scheduler
 * reckons (k8s.io/component-helpers/resource, PodRequests). Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/json.h"

enum container_kind {
	CONTAINER_APP,
	CONTAINER_SIDECAR, /* native: an init container with restartPolicy Always */
	CONTAINER_INIT,
};

/* Of an element of spec.containers (init: of spec.initContainers). */
enum container_kind container_kind(struct json_val container, bool init);

struct pod_sum { /* begins as {0} */
	int64_t apps, sidecars;
	int64_t peak; /* the largest of the init containers with the sidecars started before it */
	bool over;    /* beyond int64 */
};

/* Init containers and sidecars in their order in spec.initContainers; apps before, between or
 * after them. amount is not negative. */
void pod_sum_add(struct pod_sum *s, enum container_kind kind, int64_t amount);

/* The larger of what runs at last and of the peak on the way, plus spec.overhead's. -ERANGE: beyond
 * int64. */
int pod_sum_total(const struct pod_sum *s, int64_t overhead, int64_t *ret_n);
