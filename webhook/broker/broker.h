/* SPDX-License-Identifier: Apache-2.0
 *
 * The role "broker" of the webhook: releases keys to attested workloads (design: "How a key reaches
 * a pod"). Replicas share their keys through Secrets; alone outside a cluster everything comes from
 * files, and no in-cluster verdict is believed. A shell: it logs. On the loop's thread.
 *
 * Health checks (ready): "keys", and when alone those of webhook/certs/certs.h. */
#pragma once

#include <systemd/sd-event.h>

#include "common/kube/event.h"
#include "common/net/server.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"
#include "webhook/broker/config.h"
#include "webhook/broker/rcar.h"

struct broker;

struct broker_options {
	sd_event *event;
	struct kube_client *kube; /* NULL: standalone */
	struct kube_event_recorder *events;
	struct metrics *metrics;
	struct health *health;
	const struct broker_config *config; /* borrowed, until broker_configure() */
	const struct rcar_world *world;     /* borrowed: what keys are granted by */
	bool allow_simulated;
	bool alone;             /* no other role of this process has a certificate to tell of */
	const char *namespace_; /* of Secrets, ConfigMap and Service; outlives it */
	const char *identity;   /* of this replica, for the audit log and the Lease */
	struct front_serving serving;
};

int broker_new(struct broker **ret_b, const struct broker_options *o, struct error *err);
/* The deny lists of a new configuration, and the KEK's file anew. What else changed needs a
 * restart. */
void broker_configure(struct broker *b, const struct broker_config *config);
/* There are other profiles in the world that it was given. */
void broker_profiles(struct broker *b);
/* Brings health and metrics up to date. */
void broker_refresh(struct broker *b);
/* The process is ending; no new connections. */
void broker_close_soon(struct broker *b);
void broker_quiesce(struct broker *b);
unsigned broker_connections(struct broker *b);
void broker_free(struct broker *b); /* NULL allowed; before kube, events */
DEFINE_CLEANUP(struct broker *, broker_free)
