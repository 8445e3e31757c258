/* SPDX-License-Identifier: Apache-2.0
 *
 * Self-made certificates, for certs.c: keeps the Secret (store.h) and the caBundle of the webhook
 * configurations (injector.h) as they should be, and serves what the Secret holds. Every replica
 * runs this; there is no leader, the API server's optimistic concurrency decides who was first. */
#pragma once

#include "webhook/certs/certs.h"
#include "webhook/certs/serving.h"

struct self;

/* serving is borrowed. */
int self_new(struct self **ret_s, sd_event *event, struct kube_client *kube,
	const struct certs_options *o, struct serving *serving, struct error *err);
void self_free(struct self *s); /* NULL allowed */
DEFINE_CLEANUP(struct self *, self_free)
