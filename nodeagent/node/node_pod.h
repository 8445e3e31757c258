/* SPDX-License-Identifier: Apache-2.0
 *
 * What the agent keeps of a Pod (v1) of its node: what it requested of our resources, and how its
 * containers are found. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/json.h"

enum pod_device {
	POD_ENCLAVE,
	POD_PROVISION,
	POD_AESM,
	POD_KEYS,
	POD_TDX_SLOT,
	POD_SNP_SLOT,
	POD_DEVICE_N,
};

enum { NODE_POD_CONTAINERS_MAX = 64 /* that request something of ours; more are not kept */ };

struct pod_container {
	const char *name;
	const char *id; /* the runtime's, without its "containerd://"; "" before the first start */
	int64_t epc;    /* bytes */
	uint32_t devices[POD_DEVICE_N];
};

/* One allocation, strings included. */
struct node_pod {
	const char *namespace_, *name, *uid;
	const char *cgroup_uid; /* as its cgroup has it: another than uid for a static pod */
	bool running;           /* some container runs or ran; else it waits to start */
	int64_t epc;            /* bytes, as the scheduler reckons; INT64_MAX when beyond that */
	size_t n;
	struct pod_container containers[]; /* those that request something of ours */
};

/* 1: *ret_p is for node_pod_free(). 0: it requests nothing of ours, or has ended. -EBADMSG: it has
 * no uid, namespace or name; -ENOMEM. */
int node_pod_read(struct node_pod **ret_p, struct json_val object);
void node_pod_free(struct node_pod *p);
DEFINE_CLEANUP(struct node_pod *, node_pod_free)

bool node_pod_equal(const struct node_pod *a, const struct node_pod *b);
