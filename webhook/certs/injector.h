/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps caBundle in place in one webhook configuration, for self.c: watches it, and when an entry
 * differs sets it again, at a bounded rate where somebody else keeps changing it.
 *
 * Replicas must not undo each other: one whose view of the Secret is old would put an old bundle
 * back. So the Secret is read anew (from etcd) after the configuration was seen and before it is
 * patched, and the patch holds for that version of the configuration alone: whoever wrote it had
 * read a Secret that was no newer. */
#pragma once

#include "common/kube/client.h"
#include "webhook/certs/cabundle.h"

struct injector;

struct injector_options {
	struct kube_client *kube;
	const char *resource;    /* "mutatingwebhookconfigurations"; a literal */
	const char *name;        /* a DNS subdomain */
	const char *secret_path; /* outlives the injector */
	struct metric *patches;
	/* Something has changed: injector_step is due. */
	void (*changed)(void *ctx);
	/* The Secret as it is now; missing: there is none. */
	void (*secret)(void *ctx, struct json_val secret);
	void *ctx;
};

int injector_new(struct injector **ret_i, const struct injector_options *o, struct error *err);
void injector_free(struct injector *i); /* NULL allowed */
DEFINE_CLEANUP(struct injector *, injector_free)

struct injector_view {
	bool known;     /* the configuration, or that there is none, was read once */
	bool connected; /* and nothing has been missed since */
	const char *problem; /* "" or why it is not connected */
	struct cabundle_state entries;
};
struct injector_view injector_view(
	struct injector *i, struct span wanted, const X509 *serving);

/* Sees to it that every entry has the wanted bundle (base64). Returns when to be called again at
 * the latest (monotonic), INT64_MAX: not before something changes. */
int64_t injector_step(struct injector *i, struct span wanted, int64_t now_usec);
