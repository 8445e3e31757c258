/* SPDX-License-Identifier: Apache-2.0
 *
 * What the daemon's roles (admission, verifier, broker) are built from, and how they learn of new
 * profiles, verdicts and configurations. The daemon around them (serve.c) has the loop, the
 * metrics and the end. On the loop's thread only; reviews run on the servers' own. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/kube/client.h"
#include "common/net/loop.h"
#include "common/net/server.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"
#include "webhook/config.h"
#include "webhook/policy/profile.h"

struct roles;

struct roles_options {
	sd_event *event;
	struct loop_queue *queue;
	struct metrics *metrics;
	struct health *health;
	struct webhook_config *config; /* which roles there are; they keep a reference */
};

/* Builds the roles that o->config names, and serves them. What o points to outlives them. */
int roles_new(struct roles **ret_roles, const struct roles_options *o, struct error *err);
void roles_free(struct roles *roles); /* cuts off what is under way; NULL allowed */
DEFINE_CLEANUP(struct roles *, roles_free)

/* The API server, the roles' own; NULL when standalone. */
struct kube_client *roles_kube(const struct roles *roles);

/* Go on under another configuration; profiles: those it judged from files, NULL when they come from
 * the API server. Takes references to both. */
void roles_configure(
	struct roles *roles, struct webhook_config *config, struct profile_set *profiles);
/* Sets health and metrics; before they are answered. */
void roles_refresh(struct roles *roles);

/* The end, in this order, as server_close_soon() and so on have it: for every role's server. */
void roles_close_soon(struct roles *roles);
void roles_quiesce(struct roles *roles);
/* connections: of all servers; the rest of admission's. */
struct server_stats roles_stats(struct roles *roles);
unsigned roles_drain(struct roles *roles); /* at once; returns how many reviews were cut off */
