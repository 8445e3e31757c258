/* SPDX-License-Identifier: Apache-2.0
 *
 * EnclaveProfiles and enabled namespaces, kept up with through the API server. Each change gives a
 * new immutable set; what is known goes on being used while the API server is away. Also writes
 * each profile's status condition Valid. On the loop's thread only. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/error.h"
#include "common/kube/client.h"
#include "common/kube/event.h"
#include "common/observe/metrics.h"
#include "webhook/policy/profile.h"

struct profile_watch;

struct profile_watch_options {
	sd_event *event;
	struct kube_client *kube;
	struct kube_event_recorder *events; /* ProfileInvalid; NULL: none */
	struct metrics *metrics;            /* NULL: none */
	const struct policy_config *config; /* must live until the next profile_watch_configure */
	bool read_only;                     /* another role writes the condition Valid */
	/* A new set; ref it to keep it. */
	void (*changed)(void *ctx, struct profile_set *set);
	void *ctx;
};

int profile_watch_new(
	struct profile_watch **ret_w, const struct profile_watch_options *o, struct error *err);
void profile_watch_free(struct profile_watch *w);
DEFINE_CLEANUP(struct profile_watch *, profile_watch_free)

/* Judges the profiles anew under another configuration. */
void profile_watch_configure(struct profile_watch *w, const struct policy_config *config);

/* The UID of an enabled namespace; "" when it is none. */
const char *profile_watch_namespace_uid(const struct profile_watch *w, const char *namespace_);

/* Sets the gauge casemate_webhook_watch_connected; call now and then. */
void profile_watch_report(const struct profile_watch *w);
/* "" or why one of them is not connected now. */
const char *profile_watch_problem(const struct profile_watch *w);
