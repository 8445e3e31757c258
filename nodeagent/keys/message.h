/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent's side of the key socket (common/kbs/delivery.h). Pure. */
#pragma once

#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/base/span.h"
#include "common/kbs/delivery.h"

/* The keys that a container is to get, by their names in the pod's namespace. */
struct key_names {
	char v[DELIVERY_KEYS_MAX][DELIVERY_NAME_MAX + 1]; /* "PROFILE/KEY" */
	size_t n;
};

struct key_request {
	struct secret token;
	struct key_names keys;
};

/* A request's JSON. ret is empty before, and in any case for key_request_free(). -EBADMSG with what is
 * wrong (nothing of the token in it); -ENOMEM. */
int key_request_read(struct key_request *ret, struct span json, struct error *err);
void key_request_free(struct key_request *q);
#define _cleanup_key_request_ _cleanup_(key_request_free)

/* Answers, whole, with their length before them. ret holds nothing before; -ENOMEM. */
int key_answer_keys(struct secret *ret, const struct secret *keys, size_t n);
/* again: nothing was judged. key: "" when it is about all of them. Texts that are too long are cut. */
int key_answer_refusal(struct secret *ret, bool again, const char *reason, const char *message,
	const char *key);
