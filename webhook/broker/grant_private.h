/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to grant_decide(): one decision, passed through its rules. Each returns 0 (nothing to
 * object), GRANT_REFUSED, or -ENOMEM. */
#pragma once

#include "webhook/broker/grant.h"

enum { GRANT_REFUSED = 1 };

struct decision {
	const struct grant_request *q;
	struct arena *a;
	const struct profile *profile; /* valid */
	struct json_val key;           /* its entry in spec.keys */
	const char *key_at;            /* "spec.keys[1] (image-kek)" */
	enum reason reason;
	const char *message;
};

/* Always GRANT_REFUSED or -ENOMEM. */
int grant_refuse(struct decision *d, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* One of the rules, in the order in which they are gone through. */
struct grant_rule {
	const char *name; /* what holds when it does, in words */
	int (*judge)(struct decision *d);
	bool base; /* those after it rest on what it finds */
};

/* grant_identity.c: is one of the key's identities what was proved? */
int grant_identity(struct decision *d);
/* grant_device.c: where the pod's status tells of devices, the container that asks holds one. */
int grant_device(struct decision *d);
/* grant_pod.c: the live pod is the one that the tokens name, and of this profile. */
extern const struct grant_rule grant_pod_rules[];
extern const size_t n_grant_pod_rules;
