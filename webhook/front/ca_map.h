/* SPDX-License-Identifier: Apache-2.0
 *
 * The ConfigMap (key ca.crt) by which agents know whom to trust as the verifier or the broker: kept
 * as it should be by every replica, looked at once a minute. A shell: it logs. On the loop's
 * thread. */
#pragma once

#include "common/kube/client.h"
#include "webhook/certs/bundle.h"

struct ca_map;

int ca_map_new(struct ca_map **ret_m, struct kube_client *kube, const char *namespace_,
	const char *name, struct error *err);
void ca_map_free(struct ca_map *m); /* NULL allowed */
DEFINE_CLEANUP(struct ca_map *, ca_map_free)
/* What it is to hold from now on. */
void ca_map_set(struct ca_map *m, const struct bundle *authorities);
