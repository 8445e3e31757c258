/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/verifier.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/kube/lease.h"
#include "common/kube/token_review.h"
#include "common/net/backoff.h"
#include "common/tee/protocol.h"
#include "webhook/verifier/census.h"
#include "webhook/verifier/desk.h"
#include "webhook/replicas/deny_map.h"
#include "webhook/replicas/keyring.h"
#include "webhook/replicas/shared_secret.h"
#include "webhook/verifier/strays.h"
#include "webhook/verifier/sweep.h"
#include "webhook/trust/trust.h"

#define KEYS_SECRET      "casemate-verifier-keys"
#define SIMULATED_SECRET "casemate-simulated-root"
#define LEASE_NAME       "casemate-verifier"

enum { TOKEN_RATE = 200 };

struct verifier {
	struct verifier_options o;
	struct judge_rules rules;
	struct deny_map *deny_map;
	const char **denied_platforms, **denied_nodes; /* what rules point to */
	struct sealing_keys keys;
	char agent[400];    /* user name of the agents' account */
	char identity[254]; /* of this process; a name of a host may come again */
	struct shared_secret *keys_secret;
	struct simulation *simulation;
	struct trust *trust;
	struct token_review *reviews;
	struct nodes *nodes;
	struct publisher *publisher;
	struct kube_lease *lease;
	struct sweeper *sweeper;
	struct strays *strays;
	struct desk *desk;
	struct front *front;
	struct census *census;
	struct metric *leader, *collateral;
};

static int take_keys(
	void *ctx, struct json_val secret, int64_t now_sec, struct secret *data, struct error *err)
{
	struct verifier *v = ctx;
	int r;

	keyring_read(&v->keys, secret, now_sec);
	if (!keyring_due(&v->keys, now_sec))
		return 0;
	r = keyring_next(data, &v->keys, secret, now_sec, err);
	return r < 0 ? r : 1;
}

static void take_root(void *ctx, struct span cert_pem)
{
	struct verifier *v = ctx;

	trust_simulated(v->trust, cert_pem);
}

static void node_changed(void *ctx, struct node *n)
{
	struct verifier *v = ctx;

	/* What any replica has seen, none forgets; and what any needs, each has. */
	trust_seen(v->trust, &n->record.basis);
	trust_foresee(v->trust, &n->record.basis);
}

static void lease_troubled(void *ctx, const char *cause)
{
	(void)ctx;
	log_error(cause, "Cannot lead: no Lease can be read or written. It is tried again",
		LOG_STR("lease", LEASE_NAME));
}

static void leading_changed(void *ctx)
{
	struct verifier *v = ctx;
	bool leading = v->lease && kube_lease_leading(v->lease);

	log_info(1, leading ? "Leading" : "Leading no more",
		LOG_INT("term", v->lease ? kube_lease_term(v->lease) : 0));
	if (leading && v->sweeper)
		sweeper_begin(v->sweeper);
}

static int64_t least_term(void *ctx)
{
	struct verifier *v = ctx;

	return nodes_epoch(v->nodes) + 1;
}

/* Both lists in one, borrowed but for the array, which is *ret_v. Without memory the second is left
 * out, and false is returned. */
static bool join(
	struct strings *ret, const char ***ret_v, const struct strings *a, struct strings b)
{
	const char **all = reallocarray(NULL, a->n + b.n + 1, sizeof(*all));

	free(*ret_v);
	*ret_v = all;
	*ret = *a;
	if (!all)
		return false;
	for (size_t i = 0; i < a->n; i++)
		all[i] = a->v[i];
	for (size_t i = 0; i < b.n; i++)
		all[a->n + i] = b.v[i];
	*ret = (struct strings){all, a->n + b.n};
	return true;
}

/* The deny lists of settings and ConfigMap. */
static void take_deny(struct verifier *v)
{
	const struct verifier_config *c = v->o.config;
	bool ok = join(&v->rules.denied_platforms, &v->denied_platforms, &c->denied_platforms,
		deny_map_list(v->deny_map, DENY_PLATFORMS));

	if (!join(&v->rules.denied_nodes, &v->denied_nodes, &c->denied_nodes,
		    deny_map_list(v->deny_map, DENY_NODES)) ||
		!ok)
		log_error("out of memory", "Could not take up the deny lists");
}

/* What is denied now loses its verdict now. */
static void deny_changed(void *ctx)
{
	struct verifier *v = ctx;

	take_deny(v);
	if (v->sweeper && kube_lease_leading(v->lease))
		sweeper_begin(v->sweeper);
}

static int setup_deny(struct verifier *v, struct error *err)
{
	return deny_map_new(&v->deny_map,
		&(struct deny_map_options){.kube = v->o.kube,
			.namespace_ = v->o.namespace_,
			.changed = deny_changed,
			.ctx = v},
		err);
}

void verifier_configure(
	struct verifier *v, const struct verifier_config *c, const struct policy_config *policy)
{
	struct error err = {0};

	if (v->trust && trust_configure(v->trust, &c->collateral, &err) < 0)
		log_error(err.message, "Cannot use other sources of collateral; the old ones stay");
	v->o.config = c;
	v->o.policy = policy;
	if (v->strays)
		strays_configure(v->strays, c, policy);
	v->rules = (struct judge_rules){
		.interval_sec = c->interval_usec / USEC_PER_SEC,
		.validity_sec = c->validity_usec / USEC_PER_SEC,
		.max_nodes_per_platform = c->max_nodes_per_platform,
		.allowed_platforms = c->allowed_platforms,
		.trust_on_first_use = c->trust_on_first_use,
	};
	take_deny(v);
}

static int setup_trust(struct verifier *v, struct error *err)
{
	const struct verifier_options *o = &v->o;
	const struct shared_secret_options keys = {.kube = o->kube,
		.namespace_ = o->namespace_,
		.name = KEYS_SECRET,
		.step = take_keys,
		.ctx = v};
	const struct simulation_options simulation = {.kube = o->kube,
		.namespace_ = o->namespace_,
		.secret_name = SIMULATED_SECRET,
		.root = take_root,
		.ctx = v};
	const struct trust_options trust = {.event = o->event,
		.sources = &o->config->collateral,
		.where = "verifier.policy",
		.again = "the node is judged anew in a moment",
		.policy = o->config->front.policy,
		.allow_simulated = o->allow_simulated};
	int r = trust_new(&v->trust, &trust, err);

	if (r == 0)
		r = shared_secret_new(&v->keys_secret, &keys, err);
	if (r == 0 && o->allow_simulated)
		r = simulation_new(&v->simulation, &simulation, err);
	return r;
}

static int setup_nodes(struct verifier *v, struct error *err)
{
	const struct verifier_options *o = &v->o;
	int r = nodes_new(&v->nodes,
		&(struct nodes_options){.kube = o->kube,
			.metrics = o->alone ? o->metrics : NULL,
			.changed = node_changed,
			.ctx = v},
		err);

	if (r == 0)
		r = publisher_new(&v->publisher,
			&(struct publisher_options){.kube = o->kube,
				.events = o->events,
				.nodes = v->nodes,
				.taint = o->config->taint},
			err);
	if (r == 0)
		r = kube_lease_new(&v->lease,
			&(struct kube_lease_options){.kube = o->kube,
				.namespace_ = o->namespace_,
				.name = LEASE_NAME,
				.identity = v->identity,
				.floor = least_term,
				.changed = leading_changed,
				.troubled = lease_troubled,
				.ctx = v},
			err);
	if (r == 0)
		r = sweeper_new(&v->sweeper,
			&(struct sweeper_options){.event = o->event,
				.lease = v->lease,
				.nodes = v->nodes,
				.publisher = v->publisher,
				.rules = &v->rules,
				.taint = o->config->taint,
				.trust = v->trust},
			err);
	if (r == 0)
		r = strays_new(&v->strays,
			&(struct strays_options){.event = o->event,
				.kube = o->kube,
				.events = o->events,
				.lease = v->lease,
				.nodes = v->nodes,
				.config = o->config,
				.policy = o->policy,
				.metrics = o->metrics},
			err);
	return r;
}

static int setup_desk(struct verifier *v, struct error *err)
{
	const struct verifier_options *o = &v->o;
	const struct token_review_options reviews = {
		.audience = PROTOCOL_AUDIENCE, .rate = TOKEN_RATE, .kept = DESK_VISITS_MAX};
	int r = token_review_new(&v->reviews, o->kube, &reviews, err);

	if (r < 0)
		return r;
	snprintf(
		v->agent, sizeof(v->agent), "system:serviceaccount:%.340s", o->config->front.agent);
	return desk_new(&v->desk,
		&(struct desk_options){
			.queue = o->queue,
			.judge = token_review_judge(v->reviews),
			.agent = v->agent,
			.nodes = v->nodes,
			.publisher = v->publisher,
			.rules = &v->rules,
			.keys = &v->keys,
			.lease = v->lease,
			.simulation = v->simulation,
			.examine = trust_examine,
			.ctx = v->trust,
			.metrics = o->metrics,
		},
		err);
}

static int setup_front(struct verifier *v, struct error *err)
{
	const struct verifier_options *o = &v->o;
	struct front_options front = {
		.event = o->event,
		.kube = o->kube,
		.metrics = o->alone ? o->metrics : NULL,
		.health = o->alone ? o->health : NULL,
		.prefix = "verifier",
		.what = "Serving attestation",
		.config = &o->config->front,
		.namespace_ = o->namespace_,
		.serving = o->serving,
	};

	front.serving.limits.max_body = PROTOCOL_REQUEST_MAX;
	return front_new(&v->front, &front, desk_handle, v->desk, err);
}

static int setup_observation(struct verifier *v, struct error *err)
{
	static const char *const by_kind[] = {"kind", NULL};

	if (health_add(v->o.health, "nodes", HEALTH_READY) < 0)
		return error_oom(err);
	v->leader = metrics_gauge(v->o.metrics, "casemate_webhook_leader",
		"Is this replica the one that sweeps?", NULL);
	v->collateral =
		metrics_gauge(v->o.metrics, "casemate_webhook_collateral_expiry_timestamp_seconds",
			"When what vendors publish ends, the soonest of each kind.", by_kind);
	if (!v->leader || !v->collateral)
		return error_oom(err);
	return census_new(&v->census, v->o.metrics, err);
}

int verifier_new(struct verifier **ret_v, const struct verifier_options *o, struct error *err)
{
	static int (*const steps[])(struct verifier *, struct error *) = {setup_observation,
		setup_trust, setup_nodes, setup_deny, setup_desk, setup_front};
	_cleanup_(verifier_free_p) struct verifier *v = calloc(1, sizeof(*v));

	if (!v)
		return error_oom(err);
	v->o = *o;
	snprintf(v->identity, sizeof(v->identity), "%.200s_%08x", o->identity,
		(unsigned)backoff_chance());
	verifier_configure(v, o->config, o->policy);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i](v, err);

		if (r < 0)
			return r;
	}
	*ret_v = TAKE_PTR(v);
	return 0;
}

void verifier_refresh(struct verifier *v)
{
	bool known = nodes_synced(v->nodes) && v->keys.n && deny_map_known(v->deny_map);
	const char *problem = nodes_problem(v->nodes);

	if (!*problem && !deny_map_known(v->deny_map))
		problem = "the deny lists are not known yet";

	if (!*problem && !v->keys.n)
		problem = shared_secret_problem(v->keys_secret);
	health_set(v->o.health, "nodes", known, *problem ? problem : "not read yet");
	metric_set(v->leader, kube_lease_leading(v->lease), NULL);
	nodes_report(v->nodes);
	trust_report(v->trust, v->collateral);
	census_take(v->census, v->nodes, &v->rules, clock_unix_usec() / USEC_PER_SEC);
	strays_report(v->strays);
}

void verifier_close_soon(struct verifier *v)
{
	kube_lease_release(v->lease);
	server_close_soon(front_server(v->front));
}

void verifier_quiesce(struct verifier *v)
{
	server_quiesce(front_server(v->front));
}

unsigned verifier_connections(struct verifier *v)
{
	return server_stats(front_server(v->front)).connections;
}

void verifier_free(struct verifier *v)
{
	if (!v)
		return;
	front_stop(v->front);
	deny_map_free(v->deny_map);
	strays_free(v->strays);
	sweeper_free(v->sweeper);
	publisher_free(v->publisher);
	desk_free(v->desk);
	token_review_free(v->reviews);
	front_free(v->front);
	kube_lease_free(v->lease);
	nodes_free(v->nodes);
	simulation_free(v->simulation);
	shared_secret_free(v->keys_secret);
	trust_free(v->trust);
	census_free(v->census);
	OPENSSL_cleanse(&v->keys, sizeof(v->keys));
	free(v->denied_platforms);
	free(v->denied_nodes);
	free(v);
}
