/* SPDX-License-Identifier: Apache-2.0
 *
 * Nodes that were judged will ask for keys: what their evidence needs is asked for before they do,
 * by each replica. Nothing else rests on it: who asks is judged by his own evidence, and his node's
 * verdict is read then. On the loop's thread. */
#pragma once

#include "common/kube/client.h"
#include "webhook/trust/trust.h"

struct foresight;

/* Both outlive it. */
int foresight_new(
	struct foresight **ret_f, struct kube_client *kube, struct trust *trust, struct error *err);
void foresight_free(struct foresight *f); /* NULL allowed */
DEFINE_CLEANUP(struct foresight *, foresight_free)
