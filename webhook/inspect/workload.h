/* SPDX-License-Identifier: Apache-2.0
 *
 * The workload block of a profile, from a pod as it is: what the broker would let through, and no
 * more. What Casemate and the service account put into the pod is left out. */
#pragma once

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/json.h"

/* Appends {"workload": {"containers": […]}} for a pod (or a workload's template). -EBADMSG: no pod,
 * or a container without a name; -ENOMEM; the buffer's error. */
int workload_write(struct buf *out, struct json_val pod, struct arena *a, struct error *err);
