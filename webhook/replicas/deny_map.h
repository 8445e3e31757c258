/* SPDX-License-Identifier: Apache-2.0
 *
 * Deny lists that take effect without a restart, on every replica as soon as its watch tells: the
 * ConfigMap casemate-denied in Casemate's namespace, with lines of platforms, measurements, nodes
 * and keys (webhook/broker/deny.h says what they look like) beside those of the settings. On the
 * loop's thread. A shell: it logs. */
#pragma once

#include "common/kube/client.h"
#include "webhook/broker/deny.h"

struct deny_map;

#define DENY_MAP_NAME "casemate-denied"

struct deny_map_options {
	struct kube_client *kube;
	const char *namespace_; /* outlives it */
	/* Other lists than before; also when they become known for the first time. */
	void (*changed)(void *ctx);
	void *ctx;
};

int deny_map_new(struct deny_map **ret_m, const struct deny_map_options *o, struct error *err);
void deny_map_free(struct deny_map *m); /* NULL allowed; before the client */
DEFINE_CLEANUP(struct deny_map *, deny_map_free)

/* Is it known what is in it, or that there is none? Until then nothing may be trusted. true for
 * NULL, where there is no API server to ask. */
bool deny_map_known(const struct deny_map *m);
/* Its entries of a kind, without those that nobody can read: these are logged. Valid
 * until the next change; none for NULL. */
struct strings deny_map_list(const struct deny_map *m, enum deny_kind kind);
