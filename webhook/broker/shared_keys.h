/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker's replicas share: keys that seal sessions, and the key that signs tokens. In a
 * cluster kept in a Secret (data: the sealing keys of webhook/replicas/keyring.h, and "token.key",
 * PEM); alone made anew at each start, the token's key from a file if there is one. A shell. */
#pragma once

#include <openssl/evp.h>

#include "common/kube/client.h"
#include "webhook/replicas/sealing.h"

struct shared_keys;

/* kube NULL: alone. token_file: "" none. */
int shared_keys_new(struct shared_keys **ret_k, struct kube_client *kube, const char *namespace_,
	const char *name, const char *token_file, struct error *err);
void shared_keys_free(struct shared_keys *k); /* NULL allowed */
DEFINE_CLEANUP(struct shared_keys *, shared_keys_free)

/* Both change in place; there may be none yet. */
const struct sealing_keys *shared_keys_sealing(const struct shared_keys *k);
EVP_PKEY *const *shared_keys_token(const struct shared_keys *k);
/* "" or why they are not there. */
const char *shared_keys_problem(const struct shared_keys *k);
