/* SPDX-License-Identifier: Apache-2.0
 *
 * What this node offers the cluster, given what it has and what it was told: the one place that
 * turns findings into devices and capacities. Pure. */
#pragma once

#include "nodeagent/config.h"
#include "nodeagent/node/capacity.h"

enum offer_resource { OFFER_ENCLAVE, OFFER_PROVISION, OFFER_AESM, OFFER_KEYS, OFFER_RESOURCE_N };
extern const char *const offer_resource_names[OFFER_RESOURCE_N]; /* "sgx.intel.com/enclave" */

struct offer_devices {
	unsigned count; /* 0: this node has none of it */
	bool healthy;
	const char *why; /* "" or the finding's message; lives as long as the platform */
};

struct offer {
	struct offer_devices devices[OFFER_RESOURCE_N];
	int64_t capacity[CAPACITY_KEY_N]; /* -1: none of ours */
};

/* had: the offer before (NULL at the start). What was there and is gone now stays as unhealthy
 * devices and as a capacity of 0: to take it away would tell the kubelet that it never was. */
void offer_compute(struct offer *ret_o, const struct platform *p, const struct agent_config *c,
	const struct offer *had);
