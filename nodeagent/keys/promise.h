/* SPDX-License-Identifier: Apache-2.0
 *
 * The files that a pod was promised for one of its containers: its annotation
 * casemate.dev/files.CONTAINER (common/kbs/delivery.h). Pure. */
#pragma once

#include "common/base/error.h"
#include "common/base/json.h"
#include "nodeagent/keys/message.h"

struct key_promise {
	char namespace_[64]; /* of the pod; "" until it was looked up */
	char files[DELIVERY_KEYS_MAX][DELIVERY_FILE_MAX + 1]; /* the names */
	struct key_names keys;                                /* what each is to hold */
	unsigned versions[DELIVERY_KEYS_MAX]; /* of the keys, once they came; 0: not known */
};

/* pod: the live Pod. No annotation: no files. -EBADMSG: one that cannot be kept, and the message says
 * what to change; -ENOMEM. */
int key_promise_read(struct key_promise *ret, struct json_val pod, const char *container,
	struct error *err);
/* Leaves the files of these keys alone. */
void key_promise_keep(struct key_promise *p, const struct key_names *keys);
