/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps caBundle in place in one webhook configuration, for keeper.c: watches it, and when an entry
 * lacks what is wanted puts that in, at a bounded rate where somebody else keeps changing it.
 *
 * Replicas must not undo each other, and while one kind of certificates takes over from another
 * they want different things. So each adds what it wants, and lets strangers be: a certificate that
 * others want, or wanted until now, leaves half an hour after it was first seen here. That is more
 * than replacing all replicas takes; one that comes back is still needed, and stays. What has
 * expired, and what is known to have been given up, leaves at once. */
#pragma once

#include "common/kube/client.h"
#include "webhook/certs/cabundle.h"

struct injector;

enum { INJECTOR_KEEP_SEC = 30 * 60 };

struct injector_options {
	struct kube_client *kube;
	const char *resource; /* "mutatingwebhookconfigurations"; a literal */
	const char *name;     /* a DNS subdomain */
	struct metric *patches;
	int64_t keep_usec; /* INJECTOR_KEEP_SEC but in tests */
	/* Something has changed: injector_step is due. */
	void (*changed)(void *ctx);
	void *ctx;
};

int injector_new(struct injector **ret_i, const struct injector_options *o, struct error *err);
void injector_free(struct injector *i); /* NULL allowed */
DEFINE_CLEANUP(struct injector *, injector_free)

struct injector_view {
	bool known;          /* the configuration, or that there is none, was read once */
	bool connected;      /* and nothing has been missed since */
	const char *problem; /* "" or why it is not connected */
	struct cabundle_state entries; /* but for differing: see step */
};
struct injector_view injector_view(
	struct injector *i, const struct bundle *wanted, const struct bundle *needed);

/* Sees to it that every entry has what is wanted (not empty), and nothing of what was given up.
 * Returns when to be called again at the latest (monotonic), INT64_MAX: not before something
 * changes. */
int64_t injector_step(struct injector *i, const struct bundle *wanted, const struct bundle *gone,
	int64_t now_usec, int64_t now_sec);
