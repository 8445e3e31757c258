/* SPDX-License-Identifier: Apache-2.0
 *
 * What keys add to the pods of a profile whose TEE is the node, where the node's agent fetches them
 * (common/kbs/delivery.h): a device a container, the pod's token, variables that stand for keys,
 * casemate-exec before the command, and which files are promised. Enclaves and confidential VMs
 * fetch their keys themselves: nothing of this is for them. */
#pragma once

#include "webhook/policy/ask.h"

struct keys_container {
	bool selected;
	bool mount;           /* lacks the token's mount */
	bool exec;            /* lacks casemate-exec before its command */
	struct json_val *env; /* keys (of spec.keys) whose variable it lacks; n_env of them */
	size_t n_env;
	const char *files_key; /* the annotation that promises files; NULL: none are */
	const char *files_value;
};

struct keys_plan {
	struct keys_container *c; /* one a container of the pod; NULL: the pod gets no keys */
	bool volume;              /* the token's, to be added */
};

/* k->tee is not TEE_NONE. 0, ASK_REFUSED, -ENOMEM. */
int keys_plan(struct ask *k, struct keys_plan *plan);

/* "casemate://PROFILE/KEY" of an entry of spec.keys; NULL when a is exhausted. */
const char *keys_url(const struct profile *p, struct json_val key, struct arena *a);

/* Does the container have the variable name (JSON) with that value? With another: refused. 0,
 * ASK_REFUSED. */
int keys_variable(struct ask *k, const struct container *c, struct json_val name, const char *want,
	bool *ret_found);

/* The volume of the pod's token, and a mount of it, as they are written into pods. */
#define KEYS_VOLUME_JSON                                                                           \
	"{\"name\":\"casemate-token\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{"      \
	"\"audience\":\"casemate.dev\",\"expirationSeconds\":600,\"path\":\"token\"}}]}}"
#define KEYS_MOUNT_JSON                                                                            \
	"{\"name\":\"casemate-token\",\"mountPath\":\"/run/casemate/token\",\"readOnly\":true}"
/* Are these they? Defaults that the API server adds do not matter. */
bool keys_is_token_volume(struct json_val volume);
bool keys_is_token_mount(struct json_val mount);
