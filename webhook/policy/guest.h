/* SPDX-License-Identifier: Apache-2.0
 *
 * What the pods of a profile get whose TEE is a confidential VM of Kata: init-data, and variables
 * that stand for keys, which the guest's own components resolve (sealed secrets). Nothing of a
 * container's command or mounts changes. */
#pragma once

#include "webhook/policy/ask.h"

struct guest_container {
	struct json_val *env; /* keys (of spec.keys) whose variable it lacks; n_env of them */
	size_t n_env;
};

struct guest_plan {
	struct guest_container
		*c;            /* one a container of the pod; NULL: nothing comes in variables */
	const char *init_data; /* the annotation's value; NULL: none is to be added */
};

/* k->tee is not TEE_NONE. 0, ASK_REFUSED, -ENOMEM. */
int guest_plan(struct ask *k, struct guest_plan *plan);

/* "sealed.…" of an entry of spec.keys; NULL when a is exhausted. */
const char *guest_sealed(const struct profile *p, struct json_val key, struct arena *a);
