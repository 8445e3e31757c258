/* SPDX-License-Identifier: Apache-2.0
 *
 * Who among the confidential pods runs on a node that lost its verdict, or whose NodeAttestation
 * was deleted: the leader looks, tells of each in an Event and a metric, and where configuration
 * wants it asks them to go through the eviction API, which keeps their PodDisruptionBudgets. Looks
 * at nodes that are not trusted alone: a fleet in its steady state costs nothing. On the loop's
 * thread. A shell: it logs. */
#pragma once

#include "common/kube/event.h"
#include "common/kube/lease.h"
#include "webhook/policy/config.h"
#include "webhook/verifier/config.h"
#include "webhook/verifier/nodes.h"

struct strays;

struct strays_options {
	sd_event *event;
	struct kube_client *kube;
	struct kube_event_recorder *events; /* NULL: none */
	struct kube_lease *lease;
	struct nodes *nodes;
	/* Borrowed, until strays_configure(). */
	const struct verifier_config *config;
	const struct policy_config *policy;
	/* casemate_webhook_pods_on_untrusted_nodes{verdict},
	 * casemate_webhook_evictions_total{result}; NULL: none. */
	struct metrics *metrics;
	int64_t tick_usec; /* 0: 2 s; for tests */
};

int strays_new(struct strays **ret_s, const struct strays_options *o, struct error *err);
void strays_free(struct strays *s); /* NULL allowed; before nodes, events and client */
DEFINE_CLEANUP(struct strays *, strays_free)
void strays_configure(
	struct strays *s, const struct verifier_config *config, const struct policy_config *policy);
void strays_report(struct strays *s); /* brings metrics up to date */
