/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices of a resource and what is said about them in messages of the device plugin API
 * (v1beta1). Pure. */
#pragma once

#include "common/base/arena.h"
#include "nodeagent/kubelet/resource.h"

enum {
	/* Bytes of a request: as many ids as there can be devices, each of the longest. */
	DEVICES_REQUEST_MAX = RESOURCE_DEVICES_MAX * (DEVICE_ID_MAX + 2) + 4096,
	DEVICES_REPLY_MAX = 1 << 20,
	/* Bytes that a request may take when decoded: about twice what an honest one does. */
	DEVICES_MEMORY_MAX = 1 << 20,
	DEVICES_CONTAINERS_MAX = 64, /* of one Allocate */
	DEVICES_WHY_MAX = 240,
};

struct devices {
	const struct resource *resource;
	unsigned count;            /* at most RESOURCE_DEVICES_MAX */
	bool healthy;              /* all of them, or none */
	char why[DEVICES_WHY_MAX]; /* they are not */
};

/* A resource that can be offered: its names are what the kubelet takes, and its ids short enough.
 * -EINVAL says what is wrong. */
int devices_check(const struct resource *r, struct error *err);

/* Appends a ListAndWatchResponse, DevicePluginOptions, RegisterRequest (endpoint: the socket's file
 * name); out's err. */
int devices_list(const struct devices *d, struct buf *out);
int devices_options(const struct devices *d, struct buf *out);
int devices_register(const struct devices *d, const char *endpoint, struct buf *out);

/* Answers an AllocateRequest: asks the resource for each container and appends an AllocateResponse.
 * -EBADMSG: broken; -ENOENT: an id that is none; -EADDRNOTAVAIL: a device that is not healthy; or
 * what the resource says. err's message is for the pod's status. Nothing is asked of the resource
 * unless every id is fine. */
int devices_allocate(
	const struct devices *d, struct span request, struct buf *out, struct error *err);

/* The ids of a PreStartContainerRequest, in a; errors as above, but devices need not be healthy:
 * the container holds them already. */
int devices_pre_start(const struct devices *d, struct span request, struct arena *a,
	const char *const **ret_ids, size_t *ret_n, struct error *err);
