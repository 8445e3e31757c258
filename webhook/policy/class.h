/* SPDX-License-Identifier: Apache-2.0
 *
 * The RuntimeClass of a confidential pod, and the node selector that goes with it: the verdict
 * labels are written into the pod too, so that a pod bound past the scheduler is refused by the
 * kubelet of a node without them. */
#pragma once

#include "webhook/policy/ask.h"

struct class_plan {
	const char *name;             /* to write; NULL: the pod's stays as it is */
	bool drop_overhead;           /* it belonged to the class that is replaced */
	const struct label *selector; /* pairs to add where the pod lacks them */
	size_t n_selector;
};

/* k->tee is not TEE_NONE. 0, ASK_REFUSED, -ENOMEM. */
int class_plan(struct ask *k, struct class_plan *plan);
