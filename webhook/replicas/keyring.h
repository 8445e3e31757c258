/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys that challenges are sealed with, as a Secret holds them: data {"UNIX-SECONDS": 32
 * bytes}, each key named by when it was made. A new one is made each day; the two before it are
 * kept, since challenges are out that they sealed. It seals once every replica has had the time to
 * see it. Pure but for randomness. */
#pragma once

#include "common/base/json.h"
#include "common/base/secret.h"
#include "webhook/replicas/sealing.h"

enum {
	KEYRING_LIFE_SEC = 24 * 3600, /* of a key as the newest */
	KEYRING_SETTLE_SEC = 60,      /* before it seals, if there is another */
};

/* The keys of a Secret; what is no key there is passed over. */
void keyring_read(struct sealing_keys *ret, struct json_val secret, int64_t now_sec);

/* Is a new key due? */
bool keyring_due(const struct sealing_keys *keys, int64_t now_sec);

/* What a merge patch of the Secret's data is to hold, as a JSON object: a new key, and null for
 * those that leave. ret holds nothing before. -ENOMEM, -EIO: no randomness. */
int keyring_next(struct secret *ret, const struct sealing_keys *keys, struct json_val secret,
	int64_t now_sec, struct error *err);
