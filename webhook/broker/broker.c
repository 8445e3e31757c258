/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/broker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/command.h"
#include "common/base/log.h"
#include "common/base/settings_file.h"
#include "common/kbs/key_id.h"
#include "common/kube/lease.h"
#include "common/kube/token_review.h"
#include "common/net/backoff.h"
#include "common/net/ops.h"
#include "common/tee/protocol.h"
#include "webhook/broker/audit_publish.h"
#include "webhook/broker/foresight.h"
#include "webhook/broker/issuer.h"
#include "webhook/broker/keys_keeper.h"
#include "webhook/broker/pod_marks.h"
#include "webhook/broker/shared_keys.h"
#include "webhook/provision/desk.h"
#include "webhook/provision/listener.h"
#include "webhook/replicas/deny_map.h"
#include "webhook/trust/trust.h"
#include "webhook/verifier/simulation.h"

#define KEYS_SECRET      "casemate-broker-keys"
#define SIMULATED_SECRET "casemate-simulated-root"
#define LEASE_NAME       "casemate-broker"
#define AUDIT_CONFIG_MAP "casemate-broker-audit"

enum { TOKEN_RATE = 200, ROOT_MAX = 64 * 1024 };

struct broker {
	struct broker_options o;
	char agent[400]; /* user name of the agents' account */
	struct shared_keys *keys;
	struct trust *trust;
	struct foresight *foresight; /* NULL: no services are asked, or there is no cluster */
	struct simulation *simulation;
	struct deny *deny; /* NULL: not known yet */
	struct deny_map *deny_map;
	struct key_store *store;
	struct kube_lease *lease; /* NULL: standalone */
	struct keys_keeper *keeper;
	char identity[254]; /* of this process; a name of a host may come again */
	struct audit *audit;
	struct audit_publisher *checkpoints;
	struct token_review *reviews;
	struct issuer *issuer; /* in place of reviews, outside a cluster */
	struct witness *witness;
	struct ledger *ledger;
	struct pod_marks *marks;                        /* NULL: standalone */
	struct metric *connections, *busy, *collateral; /* NULL: another role tells of it */
	struct rcar_desk *desk;
	struct front *front;
	struct provision_desk *provision_desk;
	struct provision_listener *provision; /* NULL: off */
};

/*
 * What decisions rest on
 */

static void take_root(void *ctx, struct span cert_pem)
{
	struct broker *b = ctx;

	trust_simulated(b->trust, cert_pem);
}

/* The simulated TEE's root, which in a cluster the verifier shares. */
static int setup_simulation(struct broker *b, struct error *err)
{
	const struct simulation_options simulation = {.kube = b->o.kube,
		.namespace_ = b->o.namespace_,
		.secret_name = SIMULATED_SECRET,
		.root = take_root,
		.ctx = b};
	_cleanup_arena_ struct arena a = ARENA_INIT(2 * ROOT_MAX);
	const char *file = b->o.config->simulated_root;
	struct span root = SPAN_NONE;
	int r;

	if (b->o.kube)
		return simulation_new(&b->simulation, &simulation, err);
	if (!*file)
		return 0;
	r = settings_read_file(file, ROOT_MAX, &a, &root, err);
	if (r < 0)
		return error_prefix(err, r, "broker.simulatedRoot");
	trust_simulated(b->trust, root);
	return 0;
}

static int setup_trust(struct broker *b, struct error *err)
{
	const struct broker_config *c = b->o.config;
	/* What may run is said by each profile's identities. */
	const struct trust_options trust = {.event = b->o.event,
		.sources = &c->collateral,
		.where = "broker.policy",
		.again = "attest again in a moment",
		.policy = c->front.policy,
		.allow_simulated = b->o.allow_simulated,
		.measurements_elsewhere = true};
	int r = trust_new(&b->trust, &trust, err);

	if (r < 0)
		return r;
	return b->o.allow_simulated ? setup_simulation(b, err) : 0;
}

/* Begun anew where the services may be others, which were asked for nothing yet. */
static int setup_foresight(struct broker *b, struct error *err)
{
	foresight_free(TAKE_PTR(b->foresight));
	if (!b->o.kube || !collateral_sources_fetch(&b->o.config->collateral))
		return 0;
	return foresight_new(&b->foresight, b->o.kube, b->trust, err);
}

/* The lists of the settings and of the ConfigMap, as one. */
static int read_deny(struct broker *b, struct deny **ret, struct error *err)
{
	const struct broker_config *c = b->o.config;
	const struct strings *const lists[DENY_KINDS] = {
		[DENY_PLATFORMS] = &c->denied.platforms,
		[DENY_MEASUREMENTS] = &c->denied.measurements,
		[DENY_NODES] = &c->denied.nodes,
		[DENY_KEYS] = &c->denied.keys,
	};
	_cleanup_(deny_free_p) struct deny *d = deny_new();

	if (!d)
		return error_oom(err);
	for (int i = 0; i < DENY_KINDS; i++) {
		enum deny_kind kind = (enum deny_kind)i;
		const struct strings more = deny_map_list(b->deny_map, kind);
		int r = deny_add_list(d, kind, lists[kind], err);

		if (r < 0)
			return error_prefix(err, r, "broker.denied.%s", deny_kind_name(kind));
		r = deny_add_list(d, kind, &more, err);
		if (r < 0)
			return error_prefix(err, r, "ConfigMap " DENY_MAP_NAME);
	}
	*ret = TAKE_PTR(d);
	return 0;
}

static void take_deny(void *ctx)
{
	struct broker *b = ctx;
	struct deny *next = NULL;
	struct error err = {0};

	if (read_deny(b, &next, &err) < 0) {
		log_error(err.message, "Could not take up the deny lists; the old ones stay");
		return;
	}
	key_store_deny(b->store, next);
	deny_free(b->deny);
	b->deny = next;
}

/* Before the ConfigMap is known, so that nothing is released: b->deny is NULL until then. */
static int setup_deny(struct broker *b, struct error *err)
{
	const struct deny_map_options o = {
		.kube = b->o.kube, .namespace_ = b->o.namespace_, .changed = take_deny, .ctx = b};
	_cleanup_(deny_free_p) struct deny *check = NULL;
	int r = read_deny(b, &check, err);

	if (r < 0)
		return r;
	if (b->o.kube)
		return deny_map_new(&b->deny_map, &o, err);
	take_deny(b);
	return 0;
}

static int setup_store(struct broker *b, struct error *err)
{
	const struct broker_config *c = b->o.config;
	const struct key_store_options store = {
		.kube = b->o.kube,
		.namespace_ = b->o.namespace_,
		.directory = c->keys,
		.kek_file = *c->kek_file ? c->kek_file : NULL,
		.insecure_kek_in_secret = c->insecure_kek_in_secret,
		.kek = &c->kek,
		.event = b->o.event,
		.metrics = b->o.metrics,
	};
	const struct audit_options audit = {
		.path = c->audit.file,
		.replica = b->o.identity,
		.rotate_bytes = c->audit.rotate_bytes,
		.keep = (unsigned)c->audit.keep,
		.journal = c->audit.journal,
	};
	int r = key_store_new(&b->store, &store, err);

	if (r < 0)
		return error_prefix(err, r, "broker.keys");
	if (c->insecure_kek_in_secret)
		log_warn("The key-encryption key is kept in a Secret beside the keys that it "
			 "wraps: whoever reads Secrets has the keys (broker.insecureKekInSecret)");
	r = audit_new(&b->audit, &audit, err);
	if (r == 0)
		r = shared_keys_new(
			&b->keys, b->o.kube, b->o.namespace_, KEYS_SECRET, c->token_key, err);
	return r < 0 ? error_prefix(err, r, "broker") : 0;
}

static void lease_troubled(void *ctx, const char *cause)
{
	(void)ctx;
	log_error(cause, "Cannot lead: no Lease can be read or written. It is tried again",
		LOG_STR("lease", LEASE_NAME));
}

static void leading_changed(void *ctx)
{
	struct broker *b = ctx;

	log_info(1, kube_lease_leading(b->lease) ? "Leading" : "Leading no more",
		LOG_INT("term", kube_lease_term(b->lease)));
	if (b->keeper)
		keys_keeper_look(b->keeper);
}

static const char *namespace_uid(void *ctx, const char *namespace_)
{
	const struct rcar_world *w = ((struct broker *)ctx)->o.world;

	return w->namespace_uid(w->ctx, namespace_);
}

static void on_released(void *ctx, const struct key_id *key, int64_t now_sec)
{
	struct broker *b = ctx;

	keys_keeper_released(b->keeper, key->namespace_, key->profile, key->key, now_sec);
}

static void on_decided(void *ctx, const struct requester *who, const struct key_id *id,
	enum reason reason, const char *message)
{
	struct broker *b = ctx;

	pod_marks_note(b->marks, who, id, reason, message);
}

static int setup_keeper(struct broker *b, struct error *err)
{
	const struct broker_options *o = &b->o;
	const struct kube_lease_options lease = {.kube = o->kube,
		.namespace_ = o->namespace_,
		.name = LEASE_NAME,
		.identity = b->identity,
		.changed = leading_changed,
		.troubled = lease_troubled,
		.ctx = b};
	int r = o->kube ? kube_lease_new(&b->lease, &lease, err) : 0;

	if (r == 0)
		r = keys_keeper_new(&b->keeper,
			&(struct keys_keeper_options){
				.event = o->event,
				.store = b->store,
				.kube = o->kube,
				.events = o->events,
				.lease = b->lease,
				.namespace_uid = namespace_uid,
				.ctx = b,
				.retention_usec = o->config->retention_usec,
				.restart_owners = o->config->restart_owners,
				.metrics = o->metrics,
			},
			err);
	if (r == 0)
		broker_profiles(b);
	return r;
}

static int setup_checkpoints(struct broker *b, struct error *err)
{
	return audit_publisher_new(&b->checkpoints,
		&(struct audit_publisher_options){
			.event = b->o.event,
			.audit = b->audit,
			.key = shared_keys_token(b->keys),
			.kube = b->o.kube,
			.namespace_ = b->o.namespace_,
			.config_map = AUDIT_CONFIG_MAP,
			.path = b->o.config->audit.file,
		},
		err);
}

/* Whose tokens are: asks the API server, or knows the keys of who signed them. */
static int setup_tokens(struct broker *b, struct caller_judge *ret, struct error *err)
{
	const struct broker_config *c = b->o.config;
	const struct token_review_options reviews = {
		.audience = PROTOCOL_AUDIENCE, .rate = TOKEN_RATE, .kept = RCAR_VISITS_MAX};
	const struct issuer_rules rules = {
		.issuer = c->tokens.issuer, .audience = c->tokens.audience};
	int r;

	if (b->o.kube) {
		r = token_review_new(&b->reviews, b->o.kube, &reviews, err);
		if (r == 0)
			*ret = token_review_judge(b->reviews);
		return r;
	}
	r = issuer_new(&b->issuer, b->o.event, c->tokens.jwks, &rules, err);
	if (r < 0)
		return error_prefix(err, r, "broker.tokens.jwks");
	*ret = issuer_judge(b->issuer);
	return 0;
}

static int setup_witness(struct broker *b, struct error *err)
{
	struct witness_options o = {.kube = b->o.kube, .agent = b->agent};
	int r;

	if (!b->o.kube && !*b->o.config->tokens.jwks)
		return 0;
	r = setup_tokens(b, &o.judge, err);
	if (r < 0)
		return r;
	snprintf(b->agent, sizeof(b->agent), "system:serviceaccount:%.340s",
		b->o.config->front.agent);
	return witness_new(&b->witness, &o, err);
}

/*
 * Serving
 */

static int setup_desk(struct broker *b, struct error *err)
{
	const struct broker_options *o = &b->o;
	const struct pod_marks_options marks = {.kube = o->kube, .metrics = o->metrics};
	int r = ledger_new(&b->ledger, b->audit, o->metrics, err);

	if (r == 0 && o->kube)
		r = pod_marks_new(&b->marks, &marks, err);

	if (r < 0)
		return r;
	return rcar_desk_new(&b->desk,
		&(struct rcar_options){
			.rules = {.allow_sample = o->config->allow_sample,
				.examine = trust_examine,
				.ctx = b->trust},
			.keys = shared_keys_sealing(b->keys),
			.token_key = shared_keys_token(b->keys),
			.world = o->world,
			.store = b->store,
			.released = on_released,
			.decided = b->marks ? on_decided : NULL,
			.ctx = b,
			.ledger = b->ledger,
			.deny = (const struct deny *const *)&b->deny,
			.witness = b->witness,
			.max_rate = o->config->max_rate,
			.rsa_oaep_sha1 = o->config->rsa_oaep_sha1,
			.events = o->events,
			.metrics = o->metrics,
			.version = CASEMATE_VERSION,
		},
		err);
}

static int setup_front(struct broker *b, struct error *err)
{
	const struct broker_options *o = &b->o;
	struct front_options front = {
		.event = o->event,
		.kube = o->kube,
		.metrics = o->alone ? o->metrics : NULL,
		.health = o->alone ? o->health : NULL,
		.prefix = "broker",
		.what = "Serving keys",
		.config = &o->config->front,
		.namespace_ = o->namespace_,
		.serving = o->serving,
		.on_loop = true,
	};
	struct server_limits *limits = &front.serving.limits;

	limits->max_body = RCAR_REQUEST_MAX;
	/* a token in the one header, a session in another */
	if (limits->max_header < 4 * SESSION_TEXT_MAX)
		limits->max_header = 4 * SESSION_TEXT_MAX;
	if (o->config->allow_sample)
		log_warn("Keys are given for sample evidence, which proves nothing "
			 "(broker.allowSample): for tests alone");
	return front_new(&b->front, &front, rcar_handle, b->desk, err);
}

static int setup_provision_desk(struct broker *b, struct error *err)
{
	return provision_desk_new(&b->provision_desk,
		&(struct provision_options){
			.examine = trust_examine,
			.examine_ctx = b->trust,
			.world = b->o.world,
			.store = b->store,
			.released = on_released,
			.ctx = b,
			.ledger = b->ledger,
			.deny = (const struct deny *const *)&b->deny,
			.max_rate = b->o.config->max_rate,
		},
		err);
}

/* With the certificate of the front, which enclaves' manifests pin the authority of. */
static int setup_provision(struct broker *b, struct error *err)
{
	static const char setting[] = "broker.provision.listen";
	const struct broker_options *o = &b->o;
	const char *listen = o->config->provision.listen;
	char address[64];
	struct provision_listener_options p = {
		.event = o->event,
		.address = address,
		.tls_min = o->serving.tls_min,
		.tls_ciphers = o->serving.tls_ciphers,
		.connection_usec = o->serving.limits.request_usec,
		.metrics = o->metrics,
	};
	int r;

	if (strcmp(listen, OPS_LISTEN_NONE) == 0)
		return 0;
	r = ops_parse_listen(listen, setting, address, &p.port, err);
	if (r == 0)
		r = setup_provision_desk(b, err);
	if (r < 0)
		return r;
	p.identity = front_identity(b->front);
	p.desk = b->provision_desk;
	r = provision_listen(&b->provision, &p, err);
	if (r < 0)
		return error_prefix(err, r, "%s", setting);
	log_info(2, "Provisioning enclaves with secrets", LOG_STR("address", address),
		LOG_INT("port", provision_port(b->provision)));
	return 0;
}

static int setup_observation(struct broker *b, struct error *err)
{
	static const char *const by_kind[] = {"kind", NULL};

	if (health_add(b->o.health, "keys", HEALTH_READY) < 0)
		return error_oom(err);
	b->connections = metrics_gauge(b->o.metrics, "kbs_active_connections",
		"Connections to the key broker that are open.", NULL);
	/* Trustee counts so what is being answered. */
	b->busy = metrics_gauge(b->o.metrics, "kbs_http_active_connections",
		"Connections to the key broker with a request that is being answered.", NULL);
	/* Beside a verifier it is the verifier's to tell. */
	if (b->o.alone)
		b->collateral = metrics_gauge(b->o.metrics,
			"casemate_webhook_collateral_expiry_timestamp_seconds",
			"When what vendors publish ends, the soonest of each kind.", by_kind);
	return b->connections && b->busy && (b->collateral || !b->o.alone) ? 0 : error_oom(err);
}

int broker_new(struct broker **ret_b, const struct broker_options *o, struct error *err)
{
	static int (*const steps[])(struct broker *, struct error *) = {setup_observation,
		setup_trust, setup_foresight, setup_store, setup_deny, setup_checkpoints,
		setup_keeper, setup_witness, setup_desk, setup_front, setup_provision};
	_cleanup_(broker_free_p) struct broker *b = calloc(1, sizeof(*b));

	if (!b)
		return error_oom(err);
	b->o = *o;
	snprintf(b->identity, sizeof(b->identity), "%.200s_%08x", o->identity,
		(unsigned)backoff_chance());
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i](b, err);

		if (r < 0)
			return r;
	}
	broker_refresh(b);
	*ret_b = TAKE_PTR(b);
	return 0;
}

void broker_configure(struct broker *b, const struct broker_config *config)
{
	struct error err = {0};

	b->o.config = config;
	if (deny_map_known(b->deny_map))
		take_deny(b);
	keys_keeper_retention(b->keeper, config->retention_usec);
	if (trust_configure(b->trust, &config->collateral, &err) < 0)
		log_error(err.message, "Could not take up collateral; the old sources stay");
	else if (setup_foresight(b, &err) < 0)
		log_error(err.message, "Could not foresee what collateral nodes will need");
	if (key_store_reload(b->store, &err) < 0)
		log_error(
			err.message, "Could not take up the key-encryption key; the old one stays");
}

void broker_profiles(struct broker *b)
{
	if (b->o.world->profiles)
		keys_keeper_profiles(b->keeper, b->o.world->profiles);
}

void broker_refresh(struct broker *b)
{
	const char *problem = key_store_problem(b->store);

	if (!*problem)
		problem = shared_keys_problem(b->keys);
	if (!*problem && !b->o.world->profiles)
		problem = "the profiles are not known yet";
	if (!*problem && !b->deny)
		problem = "the deny lists are not known yet";
	health_set(b->o.health, "keys", !*problem, problem);
	metric_set(b->connections, broker_connections(b), NULL);
	metric_set(b->busy, server_stats(front_server(b->front)).busy, NULL);
	if (b->collateral)
		trust_report(b->trust, b->collateral);
}

void broker_close_soon(struct broker *b)
{
	if (b->lease)
		kube_lease_release(b->lease);
	if (b->marks)
		pod_marks_hurry(b->marks);
	server_close_soon(front_server(b->front));
}

void broker_quiesce(struct broker *b)
{
	server_quiesce(front_server(b->front));
	provision_quiesce(b->provision);
}

unsigned broker_connections(struct broker *b)
{
	return server_stats(front_server(b->front)).connections +
	       provision_connections(b->provision);
}

void broker_free(struct broker *b)
{
	if (!b)
		return;
	front_stop(b->front);
	provision_listener_free(b->provision);
	provision_desk_free(b->provision_desk);
	rcar_desk_free(b->desk);
	ledger_free(b->ledger);
	pod_marks_free(b->marks);
	witness_free(b->witness);
	token_review_free(b->reviews);
	issuer_free(b->issuer);
	front_free(b->front);
	audit_publisher_free(b->checkpoints);
	shared_keys_free(b->keys);
	audit_free(b->audit);
	keys_keeper_free(b->keeper);
	kube_lease_free(b->lease);
	key_store_free(b->store);
	deny_map_free(b->deny_map);
	deny_free(b->deny);
	simulation_free(b->simulation);
	foresight_free(b->foresight);
	trust_free(b->trust);
	free(b);
}
