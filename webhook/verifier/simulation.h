/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated TEE's root: made once, kept in a Secret that the verifier alone may read, trusted
 * where configuration says allowSimulated. Certifies agents' keys. A shell. */
#pragma once

#include "common/kube/client.h"
#include "common/tee/roots.h"

struct simulation;

struct simulation_options {
	struct kube_client *kube;
	const char *namespace_, *secret_name;
	/* There is a root, or another than before: PEM, valid during the call. */
	void (*root)(void *ctx, struct span cert_pem);
	void *ctx;
};

int simulation_new(
	struct simulation **ret_s, const struct simulation_options *o, struct error *err);
void simulation_free(struct simulation *s); /* NULL allowed */
DEFINE_CLEANUP(struct simulation *, simulation_free)

/* A certificate (PEM) for an agent's key, bound to its node's UID. -EAGAIN: there is no root yet;
 * -EBADMSG: no P-256 key. */
int simulation_certify(struct simulation *s, struct buf *out, struct span public_key,
	const char *node_uid, int64_t now_sec, struct error *err);
