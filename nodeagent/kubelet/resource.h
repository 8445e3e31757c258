/* SPDX-License-Identifier: Apache-2.0
 *
 * A resource that the agent offers to the kubelet (device plugin API v1beta1): what plugin.c serves
 * and registers. Whoever has something to offer (the SGX devices, the AESM relay, later the key
 * sockets) fills one of these and knows nothing of gRPC. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/error.h"

enum {
	DEVICE_ID_MAX = 63,          /* bytes (Device.ID) */
	RESOURCE_DEVICES_MAX = 4096, /* of a resource: its list stays far below 4 MiB */
	ALLOCATION_PARTS_MAX = 32,   /* device nodes, or mounts, or variables of one answer */
};

/* What a container gets; strings live until the next call into the resource. */
struct allocation {
	struct {
		const char *container_path, *host_path, *permissions;
	} devices[ALLOCATION_PARTS_MAX];
	size_t n_devices;
	struct {
		const char *container_path, *host_path;
		bool read_only;
	} mounts[ALLOCATION_PARTS_MAX];
	size_t n_mounts;
	struct {
		const char *name, *value;
	} env[ALLOCATION_PARTS_MAX];
	size_t n_env;
};

struct resource_request; /* a PreStartContainer that waits: resource_pre_start_done() */

struct resource {
	const char *name;   /* "sgx.intel.com/enclave" */
	const char *prefix; /* of its device ids: "sgx-enclave-" and a number from 0 */
	/* For each container: the devices it gets, all ids known and healthy, each once, in any
	 * order (another one for pre_start). Negative: the pod is not admitted, and err's message is
	 * what its status shows. Must be quick: a millisecond. */
	int (*allocate)(void *ctx, const char *const *ids, size_t n, struct allocation *ret_a,
		struct error *err);
	/* Before each start of the container; NULL: the kubelet does not ask. Ends, now or later
	 * (the kubelet waits 30 s), with resource_pre_start_done(). */
	void (*pre_start)(void *ctx, const char *const *ids, size_t n, struct resource_request *rq);
	void *ctx;
};

/* err NULL: the container may start; else its message is the container's start error, and the
 * kubelet tries again. */
void resource_pre_start_done(struct resource_request *rq, const struct error *err);
