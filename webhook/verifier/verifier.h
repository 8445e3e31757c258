/* SPDX-License-Identifier: Apache-2.0
 *
 * The role "verifier" of the webhook: judges the evidence of nodes and publishes the verdicts
 * (design: "How a node is judged"). Replicas share their keys through Secrets and are told apart by
 * nothing but the Lease of who sweeps. A shell: it logs. On the loop's thread.
 *
 * Health checks (ready): "nodes", and when alone those of webhook/certs/certs.h. */
#pragma once

#include <systemd/sd-event.h>

#include "common/kube/event.h"
#include "common/net/loop.h"
#include "common/net/server.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"
#include "webhook/policy/config.h"
#include "webhook/verifier/config.h"

struct verifier;

struct verifier_options {
	sd_event *event;
	struct loop_queue *queue;
	struct kube_client *kube;
	struct kube_event_recorder *events;
	struct metrics *metrics;
	struct health *health;
	/* Borrowed, until verifier_configure(). */
	const struct verifier_config *config;
	const struct policy_config *policy; /* what makes a pod confidential */
	bool allow_simulated;
	bool alone;             /* no other role of this process has a certificate to tell of */
	const char *namespace_; /* of Secrets, ConfigMap, Service and Lease; outlives it */
	const char *identity;   /* of this replica, for the Lease */
	struct front_serving serving;
};

int verifier_new(struct verifier **ret_v, const struct verifier_options *o, struct error *err);
/* The lists of platforms and nodes, intervals, limits, evictions and sources of collateral of a new
 * configuration. What else changed needs a restart. */
void verifier_configure(struct verifier *v, const struct verifier_config *config,
	const struct policy_config *policy);
/* Brings health and metrics up to date. */
void verifier_refresh(struct verifier *v);
/* The process is ending: other replicas are to do what this one does; no new connections. */
void verifier_close_soon(struct verifier *v);
void verifier_quiesce(struct verifier *v);
unsigned verifier_connections(struct verifier *v);
void verifier_free(struct verifier *v); /* NULL allowed; before queue, kube, events */
DEFINE_CLEANUP(struct verifier *, verifier_free)
