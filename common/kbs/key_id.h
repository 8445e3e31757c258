/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of keys: namespace, profile, and the key's name in it. Written kbs:///ns/profile/key or
 * ns/profile/key for the broker, casemate://profile/key inside the pod's own namespace. */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/span.h"

struct key_id {
	char namespace_[64], profile[254], key[64];
};

#define KEY_ID_KBS      "kbs:///"
#define KEY_ID_CASEMATE "casemate://"

/* own: the namespace that casemate:// is meant in; NULL: that form is refused. -EINVAL: none of the
 * forms, or a part that Kubernetes would not take as a name (RFC 1123). */
int key_id_parse(struct key_id *ret, struct span text, const char *own, struct error *err);
/* Of three parts, as they come from a URL's path. */
int key_id_set(struct key_id *ret, struct span namespace_, struct span profile, struct span key,
	struct error *err);
/* Appends "ns/profile/key". */
int key_id_write(struct buf *out, const struct key_id *id);
