/* SPDX-License-Identifier: Apache-2.0
 *
 * Device plugins (kubelet API v1beta1): serves each resource on a socket of its own, registers it
 * with the kubelet and keeps it registered: over kubelet restarts, removed sockets, dropped
 * streams. On the loop's thread. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/observe/metrics.h"
#include "nodeagent/kubelet/resource.h"

struct plugins;

struct plugins_options {
	const char *dir;         /* the kubelet's, "/var/lib/kubelet/device-plugins" */
	struct metrics *metrics; /* NULL: none */
	/* Something a person may see changed (plugin_state, plugins_connected); NULL allowed. */
	void (*changed)(void *ctx);
	void *ctx;
};

/* Watches dir; one that does not exist yet is waited for. */
int plugins_new(struct plugins **ret_p, sd_event *event, const struct plugins_options *o,
	struct error *err);
void plugins_free(struct plugins *p); /* stops serving and removes its sockets */
DEFINE_CLEANUP(struct plugins *, plugins_free)

/* Adds a resource with no devices; r is copied, its strings outlive p. It registers as soon as the
 * first plugins_set() gives it devices, so that nothing is advertised that is not there. */
int plugins_add(struct plugins *p, const struct resource *r, struct error *err);
/* The resource's devices are now count, all healthy or all not, with why (for people). The list is
 * sent only when it differs from the last one sent. */
int plugins_set(struct plugins *p, const char *resource, unsigned count, bool healthy,
	const char *why, struct error *err);

enum plugin_state {
	PLUGIN_IDLE,       /* has no devices */
	PLUGIN_WAITING,    /* for the kubelet's socket, or to try again */
	PLUGIN_REGISTERED, /* and the kubelet watches the list */
	PLUGIN_FOREIGN,    /* another plugin serves this resource; we keep away */
};
struct plugin_info {
	const char *resource;
	enum plugin_state state;
	const char *problem; /* "" or what keeps it from PLUGIN_REGISTERED */
	unsigned devices, healthy;
};
size_t plugins_count(const struct plugins *p);
struct plugin_info plugins_at(const struct plugins *p, size_t i);
bool plugins_connected(const struct plugins *p); /* the kubelet watches every list there is */
