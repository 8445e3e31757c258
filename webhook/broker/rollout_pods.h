/* SPDX-License-Identifier: Apache-2.0
 *
 * Which pods of a profile hold versions of its keys that are not the newest, judged by when their
 * containers started, and who has them started anew. Pure. */
#pragma once

#include "common/base/buf.h"
#include "common/base/json.h"
#include "webhook/policy/key_spec.h"

/* On a pod's template, and so on its pods: the versions that there were when the template was last
 * changed for them: "secret-key=3,other=2". */
#define ROLLOUT_ANNOTATION "casemate.dev/rotated"

enum {
	/* Clocks of nodes and replicas may differ by this, and a replica learn late of a version: a
	 * container that started sooner after it may hold the one before. */
	ROLLOUT_SKEW_SEC = 30,
	ROLLOUT_NAME_MAX = 254,
	ROLLOUT_TEXT_MAX = 8 * 1024, /* of the annotation */
};

struct rollout_key {
	char name[KEY_NAME_MAX];
	enum key_on_change on_change;
	unsigned version; /* the newest, and since when there is it */
	int64_t made_sec;
	int old; /* pods that hold an older one; -1: not known */
};

/* Whom a controller's ownerReference names. */
struct rollout_owner {
	char kind[64], name[ROLLOUT_NAME_MAX], uid[64]; /* kind "": nobody */
};

/* A pod that may still have an older version of that key. agent: keys reach those containers alone
 * that request casemate.dev/keys. */
bool rollout_is_old(struct json_val pod, const struct rollout_key *key, bool agent);
/* A pod of the profile that has not ended and is not being deleted. */
bool rollout_is_of(struct json_val pod, const char *profile);
/* An object's controller; of another API than apps/v1 its kind is "other". */
void rollout_owner_of(struct rollout_owner *ret, struct json_val object);

/* The annotation's value: the newest versions of the keys that restart their pods. */
int rollout_value(struct buf *out, const struct rollout_key *keys, size_t n);
/* A merge patch that rolls an owner of that UID, once for a value. */
int rollout_patch(struct buf *out, const char *uid, struct span value);
