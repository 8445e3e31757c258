/* SPDX-License-Identifier: Apache-2.0
 *
 * What the cluster held of this node before the agent started: its NodeAttestation, read once, so
 * that a restart of the agent takes no trust away while the verifier cannot be reached. On the
 * loop's thread. */
#pragma once

#include "common/kube/client.h"
#include "nodeagent/attest/attest.h"

struct recall;

/* Asks for node's object and tells a; what is missing, of another node or over is not told.
 * token_file says which node this is. kube and a are borrowed, strings copied. */
int recall_start(struct recall **ret, struct attest *a, struct kube_client *kube, const char *node,
	const char *token_file, struct error *err);
void recall_free(struct recall *r); /* NULL allowed; before kube and a */
