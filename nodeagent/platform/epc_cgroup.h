/* SPDX-License-Identifier: Apache-2.0
 *
 * EPC limits and use by cgroup, on kernels whose misc controller knows "sgx_epc" (cgroup v2;
 * Documentation/admin-guide/cgroup-v2.rst, "Misc", and the series "Add Cgroup support for SGX EPC
 * memory"). Upstream kernels do not, and tell nothing of EPC in use or of pages reclaimed either:
 * no file of sysfs, debugfs or vmstat counts EWB. What there is in the way of pressure is
 * misc.events' count of times that a limit was hit.
 *
 * Finds a container's folder as kubelet and runtimes name it: cgroup drivers systemd and cgroupfs,
 * the three QoS classes, kubelets with --cgroup-root=/kubelet; containerd, CRI-O and cri-dockerd.
 * Plain files below a folder, so that made-up trees do; any thread, one at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"

enum { EPC_CGROUP_PATH_MAX = 512 };
#define EPC_UNLIMITED UINT64_MAX

struct epc_cgroup;
/* dir: the root of the hierarchy as this process sees it, "/host/sys/fs/cgroup". -EOPNOTSUPP: this
 * kernel has no sgx_epc there; nothing to do, and no fault of the node. */
int epc_cgroup_new(struct epc_cgroup **ret_c, const char *dir, struct error *err);
void epc_cgroup_free(struct epc_cgroup *c); /* NULL allowed */
DEFINE_CLEANUP(struct epc_cgroup *, epc_cgroup_free)

/* The container's folder, from the root ("/kubepods.slice/…"). pod_uid: the Pod's metadata.uid (a
 * static pod's: kubernetes.io/config.hash); container_id without its "containerd://". -EINVAL: not
 * such names. -ENOENT: there is none (yet, or any more). */
int epc_cgroup_find(const struct epc_cgroup *c, const char *pod_uid, const char *container_id,
	char ret_path[EPC_CGROUP_PATH_MAX], struct error *err);

/* Sets a folder's limit in bytes (EPC_UNLIMITED: none). A limit below what is in use holds for what
 * comes; nothing is evicted. Writing what is so already is left out. -ENOENT: the folder went, or
 * misc is not enabled for it. */
int epc_cgroup_limit(
	const struct epc_cgroup *c, const char *path, uint64_t bytes, struct error *err);

struct epc_usage {
	uint64_t current;    /* bytes in use, by the folder and those below it */
	uint64_t max;        /* its limit; EPC_UNLIMITED */
	bool has_peak;       /* kernels since 6.11 */
	uint64_t peak;       /* most bytes ever in use */
	bool has_events;     /* not the root */
	uint64_t max_events; /* times that the limit kept EPC from being given */
};
/* path "/": the node. -ENOENT as above. */
int epc_cgroup_read(
	const struct epc_cgroup *c, const char *path, struct epc_usage *ret_u, struct error *err);
