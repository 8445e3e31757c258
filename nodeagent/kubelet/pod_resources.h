/* SPDX-License-Identifier: Apache-2.0
 *
 * Which containers of this node hold which devices: a client of the kubelet's pod-resources API
 * (v1). On the loop's thread. The kubelet allows bursts of ten, so asks are joined: one that comes
 * while another is under way gets the answer of the next. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"

enum {
	POD_RESOURCES_MAX = 4096,     /* holdings in one answer; more are cut, and cut says so */
	POD_RESOURCES_ASKS_MAX = 256, /* that wait; more are refused (-ENOBUFS) */
};

/* A container that holds devices of a resource of ours (those whose name has one of the prefixes
 * given): all of them, in no order. */
struct holding {
	const char *namespace_, *pod, *container, *resource;
	const char *const *ids;
	size_t n_ids;
};
struct holdings {
	const struct holding *v;
	size_t n;
	bool cut;
};

struct pod_resources;
/* socket: "/var/lib/kubelet/pod-resources/kubelet.sock". prefixes: NULL-terminated, as
 * "sgx.intel.com/"; outlives it. */
int pod_resources_new(struct pod_resources **ret_p, sd_event *event, const char *socket,
	const char *const *prefixes, struct error *err);
void pod_resources_free(struct pod_resources *p); /* no callback after this; not from within one */
DEFINE_CLEANUP(struct pod_resources *, pod_resources_free)

/* done: exactly once unless freed; h is NULL and err set on failure, else valid during the call.
 * No callback runs before this returns. */
int pod_resources_list(struct pod_resources *p,
	void (*done)(void *ctx, const struct holdings *h, const struct error *err), void *ctx,
	struct error *err);
