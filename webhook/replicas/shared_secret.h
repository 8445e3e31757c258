/* SPDX-License-Identifier: Apache-2.0
 *
 * A Secret that the replicas share and make themselves: watched, created when it is not there,
 * changed when its owner says so. Two replicas that do so at once: the API server's optimistic
 * concurrency decides, and both take up what is stored. A shell: it logs. On the loop's thread. */
#pragma once

#include "common/base/json.h"
#include "common/base/secret.h"
#include "common/kube/client.h"

struct shared_secret;

struct shared_secret_options {
	struct kube_client *kube;
	const char *namespace_, *name; /* copied */
	/* The Secret as it is; missing: there is none. Takes up what it holds. Returns 0, or 1 with
	 * the JSON object in data that a merge patch of its data is to be (data holds nothing
	 * before), or -errno. Called after each change and once a minute. */
	int (*step)(void *ctx, struct json_val secret, int64_t now_sec, struct secret *data,
		struct error *err);
	void *ctx;
};

int shared_secret_new(
	struct shared_secret **ret_s, const struct shared_secret_options *o, struct error *err);
/* step is called soon: what its owner waited for has come. */
void shared_secret_look(struct shared_secret *s);
const char *shared_secret_problem(const struct shared_secret *s); /* "" or why it is not known */
void shared_secret_free(struct shared_secret *s);                 /* NULL allowed */
DEFINE_CLEANUP(struct shared_secret *, shared_secret_free)
