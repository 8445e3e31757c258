/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's parts, private to run.c (life), offering.c (what is offered changes), proving.c
 * (what the cluster believes of the node), delivering.c (keys for its containers) and show.c (what is shown). All on the loop's thread. */
#pragma once

#include <systemd/sd-event.h>

#include "common/kube/client.h"
#include "common/kube/event.h"
#include "common/kube/token_review.h"
#include "common/net/daemon.h"
#include "common/net/ops.h"
#include "nodeagent/aesm/relay.h"
#include "nodeagent/attest/attest.h"
#include "nodeagent/attest/recall.h"
#include "nodeagent/config.h"
#include "nodeagent/enforce.h"
#include "nodeagent/keys/keys.h"
#include "nodeagent/keys/provider.h"
#include "nodeagent/kubelet/plugin.h"
#include "nodeagent/kubelet/pod_resources.h"
#include "nodeagent/kubelet/sgx.h"
#include "nodeagent/node/capacity.h"
#include "nodeagent/offer.h"
#include "nodeagent/platform/monitor.h"
#include "nodeagent/status/agent_metrics.h"
#include "nodeagent/status/status.h"

struct agent {
	int argc;
	char **argv;
	struct agent_config *config;
	int64_t started_usec; /* Unix */
	struct daemon_loop *loop;
	sd_event *event; /* the loop's */

	struct metrics *metrics;
	struct metric *quotes; /* of pods and of the agent itself */
	struct agent_metrics *shown;
	struct health *health;
	struct ops *ops;

	struct kube_client *kube; /* NULL: standalone */
	struct kube_event_recorder *events;
	struct token_review *tokens; /* NULL: metrics are not secured by tokens */

	struct cpuid_record *cpuid; /* NULL: the processor's */
	struct platform_source source;
	struct platform platform;
	struct platform_monitor *monitor;
	struct offer offer;
	bool offered; /* offer holds something */

	struct plugins *plugins;                           /* NULL: standalone */
	enum plugin_state plugin_states[OFFER_RESOURCE_N]; /* as last logged */
	char aesm_socket[PLATFORM_PATH_MAX * 2];           /* as this process reaches it */
	struct aesm_relay *aesm;
	struct pod_resources *pod_resources;
	struct keys *keys; /* NULL: none are delivered here */
	struct key_prover prover;
	struct key_provider *key_provider; /* NULL: layers are not unwrapped here */
	struct capacity *capacity;
	struct pods *pods;         /* NULL: not watched */
	struct epc_cgroup *cgroup; /* NULL: EPC is not limited by cgroup */

	struct attest *attest; /* NULL: no verifier */
	struct recall *recall;
	enum attest_state attest_state; /* as last logged */
	char attest_problem[sizeof(((struct error *)0)->message)];
	char distrust[512]; /* why nothing may be used here; "": the node is trusted */

	struct waiter *waiters; /* requests for what is shown, until the kubelet answers */
	bool listing;
};

/* offering.c */
/* Looks at the platform and brings what is offered to kubelet and API server up to date. */
void agent_discover(struct agent *a);
/* plugins' changed: says so in the log. */
void agent_plugins_changed(void *ctx);
/* The same with the platform as it was: the configuration changed. */
void agent_offer(struct agent *a);

/* Hands what is offered to kubelet and API server, once it is known. */
void agent_publish(struct agent *a);

/* proving.c */
int agent_prove(struct agent *a, struct error *err);
/* A person wants a round now; capacity's asked. */
void agent_prove_asked(void *ctx);
void agent_prove_stop(struct agent *a);

/* delivering.c */
/* Offers keys to containers, where there is a broker to ask; after the kubelet's parts. */
int agent_deliver(struct agent *a, struct error *err);
/* Pods have come or gone. */
void agent_deliver_tidy(struct agent *a);

/* show.c */
int agent_show_routes(struct agent *a, struct ops_route routes[OPS_ROUTES_MAX]); /* how many */
/* Brings health up to date; ops' refresh. */
void agent_refresh(void *ctx);
/* Brings the metrics up to date; at each collection. */
void agent_collect(void *ctx);
/* Answers whoever still waits. */
void agent_show_stop(struct agent *a);
