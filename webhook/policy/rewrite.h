/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan as the smallest JSON Patch: an operation only for what differs, and for a parent that is
 * absent (or null) one that adds it whole. */
#pragma once

#include "webhook/policy/class.h"
#include "webhook/policy/guest.h"
#include "webhook/policy/keys.h"
#include "webhook/policy/sgx.h"

/* sgx NULL: the pod is of another TEE. Failures stick in patch->ops.err. */
void rewrite_pod(const struct ask *k, const char *prefix, const struct class_plan *class,
	const struct sgx_plan *sgx, const struct keys_plan *keys, const struct guest_plan *guest,
	struct patch *patch);

/* Takes sgx.intel.com/epc off a pod that has no EPC. */
void rewrite_remove_epc(const struct ask *k, const char *prefix, struct patch *patch);
