/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests offline: the pods and pod templates of one document (a Pod, any workload kind, a List)
 * are put through the same policy as a review, and one JSON Patch for the whole document comes out. */
#pragma once

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/json.h"
#include "webhook/admission/patch.h"
#include "webhook/policy/policy.h"

struct manifest_context {
	const struct policy_config *config;
	const struct profile_set *profiles;
	const char *namespace_; /* of objects that name none */
};

/* What became of one object of the document. */
struct manifest_item {
	struct json_val object;
	struct span kind, namespace_, name;
	struct policy_result result;
	struct patch_range {
		size_t from, to; /* bytes of the document's patch->ops */
	} ops;
};

enum { MANIFEST_ITEMS_MAX = 10000 };

struct manifest {
	struct manifest_item *items; /* objects that hold a pod, in their order; in the arena */
	size_t n;
	bool refused; /* one of them was */
};

/* Reviews doc: fills patch and *ret_m. Objects that make no pods are left alone. Returns 0 (see
 * the items' results), -E2BIG or -ENOMEM. */
int manifest_review(const struct manifest_context *ctx, struct json_val doc, struct arena *a,
	struct patch *patch, struct manifest *ret_m, struct error *err);
