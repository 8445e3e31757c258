/* SPDX-License-Identifier: Apache-2.0
 *
 * A pod (or a pod template) as received, with an eye on what policy reads. Nothing is copied. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/json.h"
#include "common/base/quantity.h"
#include "common/kube/pod_sum.h"

struct container {
	struct json_val v;
	struct span name;
	enum container_kind kind;
	size_t index;     /* in its own array */
	const char *list; /* "containers" or "initContainers" */
};

enum {
	POD_CONTAINERS_MAX = 256, /* of a pod that is judged */
	POD_LABELS_MAX = 256,     /* of a pod that podSelectors are compared with */
};

struct pod {
	struct json_val metadata, spec, annotations, labels, node_selector;
	struct span name;          /* or generateName, for messages; may be empty */
	struct span runtime_class; /* empty: none */
	struct container
		*containers; /* app containers first, then init containers in their order */
	size_t n;
	bool crowded; /* more than POD_CONTAINERS_MAX, of which none was looked at; n is 0 */
};

/* object: has metadata and spec (a Pod or a PodTemplateSpec). -EBADMSG names the field that is not
 * of the type Kubernetes requires; -ENOMEM. */
int pod_view(struct pod *ret_pod, struct json_val object, struct arena *a, struct error *err);

/* What the scheduler would charge for a resource: the largest of the sum over app containers and
 * native sidecars and each init container with the sidecars started before it, plus spec.overhead.
 * amounts: one a container, in the order of p->containers. resource: NULL leaves overhead out.
 * -ERANGE on overflow, -EINVAL when overhead is not a whole number. */
int pod_effective(const struct pod *p, const int64_t *amounts, const char *resource, int64_t *ret_n,
	struct error *err);
