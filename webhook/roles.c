/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/roles.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/command.h"
#include "common/base/settings_file.h"
#include "common/kube/event.h"
#include "common/net/ops.h"
#include "common/net/tls.h"
#include "webhook/admission/service.h"
#include "webhook/api_hooks.h"
#include "webhook/broker/broker.h"
#include "webhook/certs/certs.h"
#include "webhook/profile_files.h"
#include "webhook/profile_watch.h"
#include "webhook/verdict_watch.h"
#include "webhook/verifier/verifier.h"

struct roles {
	sd_event *event;
	struct loop_queue *queue;
	struct metrics *metrics;
	struct health *health;
	struct webhook_config *config; /* the newest */
	struct metric *connections, *refused;
	struct kube_client *kube;
	struct kube_event_recorder *events;
	struct api_hooks hooks;
	struct service *service;
	struct tls_identity *identity;
	struct certs *certs;
	struct profile_watch *profile_watch;
	struct profile_set *profiles;        /* NULL until the first is known */
	struct verdict_watch *verdict_watch; /* NULL: nobody looks at verdicts */
	struct verdicts verdicts;
	bool verdicts_known;
	struct server *server;     /* of admission; NULL without that role, as what it needs */
	struct verifier *verifier; /* NULL without that role */
	struct broker *broker;     /* NULL without that role */
	struct rcar_world world;   /* what the broker grants by */
	struct webhook_config *world_config; /* under which its profiles were judged */
	char host[256];
	uint64_t shed;
};

/* The service judges by the newest configuration and profiles from now on. */
static void publish(struct roles *roles)
{
	struct error err = {0};

	bool known = roles->service && roles->profiles &&
		     (!roles->verdict_watch || roles->verdicts_known);

	if (known && service_set(roles->service, roles->config, roles->profiles,
			     roles->verdict_watch ? &roles->verdicts : NULL, &err) < 0) {
		log_error(err.message, "Could not take up a change; the old state stays");
		return;
	}
	health_set(roles->health, "profiles", roles->profiles != NULL, "not read yet");
}

static void verdicts_changed(void *ctx, const struct verdicts *v)
{
	struct roles *roles = ctx;

	roles->verdicts = *v;
	roles->verdicts_known = true;
	health_set(roles->health, "verdicts", true, "");
	publish(roles);
}

static void profiles_changed(void *ctx, struct profile_set *set)
{
	struct roles *roles = ctx;

	profile_set_unref(roles->profiles);
	roles->profiles = profile_set_ref(set);
	webhook_config_unref(roles->world_config);
	roles->world_config = webhook_config_ref(roles->config);
	roles->world.policy = &roles->config->policy;
	roles->world.profiles = set;
	if (roles->broker)
		broker_profiles(roles->broker);
	log_info(2, "Took up the profiles", LOG_INT("count", (int64_t)profile_set_count(set)));
	publish(roles);
}

static void log_invalid_profiles(const struct profile_set *set)
{
	for (size_t i = 0; i < profile_set_count(set); i++) {
		const struct profile *p = profile_set_at(set, i);

		if (!p->valid)
			log_warn("Profile is not valid", LOG_STR("namespace", p->namespace_),
				LOG_STR("name", p->name), LOG_STR("message", p->message));
	}
}

static bool wants_profiles(const struct roles *roles)
{
	return webhook_config_has_role(roles->config, ROLE_ADMISSION) ||
	       webhook_config_has_role(roles->config, ROLE_BROKER);
}

static int setup_metrics(struct roles *roles, struct error *err)
{
	static const char *const limit[] = {"limit", NULL};

	if (wants_profiles(roles) && health_add(roles->health, "profiles", HEALTH_READY) < 0)
		return error_oom(err);
	if (!webhook_config_has_role(roles->config, ROLE_ADMISSION))
		return 0;
	roles->connections = metrics_gauge(
		roles->metrics, "casemate_webhook_connections", "Connections that are open.", NULL);
	roles->refused = metrics_counter(roles->metrics, "casemate_webhook_limits_reached_total",
		"Requests refused and connections closed, by the limit that they met.", limit);
	return 0;
}

static int setup_api(struct roles *roles, struct error *err)
{
	static const char *const labels[] = {"method", "code", NULL};
	const struct kube_client_options o = {
		.kubeconfig = roles->config->kubeconfig,
		.requests = metrics_counter(roles->metrics, "casemate_webhook_api_requests_total",
			"Requests to the API server by method and HTTP code.", labels),
		.user_agent = "casemate-webhook/" CASEMATE_VERSION,
	};
	int r;

	if (roles->config->standalone)
		return 0;
	r = kube_client_new(&roles->kube, roles->event, &o, err);
	if (r < 0)
		return r;
	snprintf(roles->host, sizeof(roles->host), "casemate-webhook");
	gethostname(roles->host, sizeof(roles->host) - 1);
	r = kube_event_recorder_new(
		&roles->events, roles->kube, "casemate.dev/webhook", roles->host);
	return r < 0 ? error_oom(err) : 0;
}

static int setup_service(struct roles *roles, struct error *err)
{
	const struct service_hooks hooks = {
		.lookup = roles->kube ? api_lookup_pod : NULL,
		.refused = roles->kube ? api_report_refusal : NULL,
		.ctx = &roles->hooks,
	};

	roles->hooks = (struct api_hooks){
		.queue = roles->queue, .kube = roles->kube, .events = roles->events};
	return service_new(&roles->service, roles->metrics, &hooks, err);
}

static int setup_profiles(struct roles *roles, struct error *err)
{
	const struct profile_watch_options o = {
		.event = roles->event,
		.kube = roles->kube,
		.events = roles->events,
		.metrics = roles->metrics,
		.config = &roles->config->policy,
		.read_only = !webhook_config_has_role(roles->config, ROLE_ADMISSION),
		.changed = profiles_changed,
		.ctx = roles,
	};
	struct profile_set *set;
	int r;

	if (!wants_profiles(roles))
		return 0;
	if (roles->kube)
		return profile_watch_new(&roles->profile_watch, &o, err);
	r = profile_files_load(roles->config->profiles_dir, &roles->config->policy, &set, err);
	if (r < 0)
		return r;
	log_invalid_profiles(set);
	profiles_changed(roles, set);
	profile_set_unref(set);
	return 0;
}

/* Nothing is judged before the verdicts are known: their absence must not pass for trust. */
static int setup_verdicts(struct roles *roles, struct error *err)
{
	const struct verdict_watch_options o = {.event = roles->event,
		.kube = roles->kube,
		.changed = verdicts_changed,
		.ctx = roles};

	if (!roles->kube || !roles->config->policy.require_verdicts)
		return 0;
	if (health_add(roles->health, "verdicts", HEALTH_READY) < 0)
		return error_oom(err);
	return verdict_watch_new(&roles->verdict_watch, &o, err);
}

/* Where the daemon's own objects are. */
static const char *own_namespace(const struct roles *roles)
{
	return *roles->config->namespace_ || !roles->kube ? roles->config->namespace_
							  : kube_client_namespace(roles->kube);
}

static int setup_certs(struct roles *roles, struct error *err)
{
	const struct webhook_config *c = roles->config;
	const char *namespace_ = own_namespace(roles);
	const struct certs_options o = {
		.mode = c->standalone || c->tls.mode != TLS_SELF ? CERTS_FILES : CERTS_SELF,
		.secret_name = c->tls.secret_name,
		.namespace_ = namespace_,
		.service_name = c->tls.service_name,
		.service_namespace = namespace_,
		.mutating_configuration = c->tls.mutating_configuration,
		.validating_configuration = c->tls.validating_configuration,
		.ca_lifetime_usec = c->tls.ca_lifetime_usec,
		.leaf_lifetime_usec = c->tls.leaf_lifetime_usec,
		.cert_file = c->tls.cert,
		.key_file = c->tls.key,
		.ca_file = !c->standalone && c->tls.mode == TLS_FILES ? c->tls.ca : "",
		.must_load = c->standalone,
	};

	roles->identity = tls_identity_new();
	if (!roles->identity)
		return error_oom(err);
	return certs_new(&roles->certs, roles->event, roles->kube, &o, roles->identity,
		roles->metrics, roles->health, err);
}

static int setup_server(struct roles *roles, struct error *err)
{
	const struct webhook_config *c = roles->config;
	_cleanup_arena_ struct arena a = ARENA_INIT(1024 * 1024);
	struct span client_ca = SPAN_NONE;
	const struct front_serving serving = webhook_config_serving(c);
	char address[64];
	struct server_options o = {
		.address = address,
		.threads = serving.threads,
		.tls = roles->identity,
		.tls_min = serving.tls_min,
		.tls_ciphers = serving.tls_ciphers,
		.limits = serving.limits,
	};
	int r = ops_parse_listen(c->listen, "listen", address, &o.port, err);

	if (r == 0 && *c->tls.client_ca)
		r = settings_read_file(c->tls.client_ca, 512 * 1024, &a, &client_ca, err);
	if (r < 0)
		return r;
	o.client_ca_pem = client_ca.p;
	r = server_start(&roles->server, &o, service_handle, roles->service, err);
	if (r < 0)
		return error_prefix(err, r, "listen");
	log_info(2, "Serving admission", LOG_STR("address", address),
		LOG_INT("port", server_port(roles->server)));
	return 0;
}

/* The role admission; the profiles come in between. */
static int setup_judgement(struct roles *roles, struct error *err)
{
	int r = 0;

	if (!webhook_config_has_role(roles->config, ROLE_ADMISSION))
		return 0;
	r = setup_service(roles, err);
	return r < 0 ? r : setup_verdicts(roles, err);
}

static int setup_admission(struct roles *roles, struct error *err)
{
	int r;

	if (!webhook_config_has_role(roles->config, ROLE_ADMISSION))
		return 0;
	r = setup_certs(roles, err);
	return r < 0 ? r : setup_server(roles, err);
}

static int setup_verifier(struct roles *roles, struct error *err)
{
	const struct webhook_config *c = roles->config;
	const struct verifier_options o = {
		.event = roles->event,
		.queue = roles->queue,
		.kube = roles->kube,
		.events = roles->events,
		.metrics = roles->metrics,
		.health = roles->health,
		.namespace_ = own_namespace(roles),
		.identity = roles->host,
		.config = &c->verifier,
		.policy = &c->policy,
		.allow_simulated = c->policy.allow_simulated,
		.alone = !webhook_config_has_role(c, ROLE_ADMISSION),
		.serving = webhook_config_serving(c),
	};

	if (!webhook_config_has_role(c, ROLE_VERIFIER))
		return 0;
	return verifier_new(&roles->verifier, &o, err);
}

/* Empty alone, where namespaces have no UIDs. */
static const char *namespace_uid(void *ctx, const char *namespace_)
{
	struct roles *roles = ctx;

	return roles->profile_watch ? profile_watch_namespace_uid(roles->profile_watch, namespace_)
				    : "";
}

static int setup_broker(struct roles *roles, struct error *err)
{
	const struct webhook_config *c = roles->config;
	const struct broker_options o = {
		.event = roles->event,
		.kube = roles->kube,
		.events = roles->events,
		.metrics = roles->metrics,
		.health = roles->health,
		.world = &roles->world,
		.namespace_ = own_namespace(roles),
		.identity = roles->host,
		.config = &c->broker,
		.allow_simulated = c->policy.allow_simulated,
		.alone = !webhook_config_has_role(c, ROLE_ADMISSION) &&
			 !webhook_config_has_role(c, ROLE_VERIFIER),
		.serving = webhook_config_serving(c),
	};

	if (!webhook_config_has_role(c, ROLE_BROKER))
		return 0;
	roles->world.namespace_uid = namespace_uid;
	roles->world.ctx = roles;
	return broker_new(&roles->broker, &o, err);
}

static int setup(struct roles *roles, struct error *err)
{
	static int (*const steps[])(struct roles *, struct error *) = {setup_metrics, setup_api,
		setup_judgement, setup_profiles, setup_admission, setup_verifier, setup_broker};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i](roles, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int roles_new(struct roles **ret_roles, const struct roles_options *o, struct error *err)
{
	_cleanup_(roles_free_p) struct roles *roles = calloc(1, sizeof(*roles));
	int r;

	if (!roles)
		return error_oom(err);
	roles->event = o->event;
	roles->queue = o->queue;
	roles->metrics = o->metrics;
	roles->health = o->health;
	roles->config = webhook_config_ref(o->config);
	r = setup(roles, err);
	if (r < 0)
		return r;
	*ret_roles = TAKE_PTR(roles);
	return 0;
}

/* Against the order of setup: whoever is called by another goes after it. */
void roles_free(struct roles *roles)
{
	if (!roles)
		return;
	server_stop(roles->server);
	verifier_free(roles->verifier);
	broker_free(roles->broker);
	certs_free(roles->certs);
	tls_identity_free(roles->identity);
	verdict_watch_free(roles->verdict_watch);
	profile_watch_free(roles->profile_watch);
	profile_set_unref(roles->profiles);
	kube_event_recorder_free(roles->events);
	kube_client_free(roles->kube);
	service_free(roles->service);
	webhook_config_unref(roles->world_config);
	webhook_config_unref(roles->config);
	free(roles);
}

struct kube_client *roles_kube(const struct roles *roles)
{
	return roles->kube;
}

void roles_configure(
	struct roles *roles, struct webhook_config *config, struct profile_set *profiles)
{
	/* The sets built under the old configuration may still be read: the service keeps it alive
	 * for as long as they are. */
	struct webhook_config *old = roles->config;

	roles->config = webhook_config_ref(config);
	if (roles->profile_watch)
		profile_watch_configure(roles->profile_watch, &roles->config->policy);
	if (roles->verifier)
		verifier_configure(
			roles->verifier, &roles->config->verifier, &roles->config->policy);
	if (roles->broker)
		broker_configure(roles->broker, &roles->config->broker);
	if (profiles) {
		log_invalid_profiles(profiles);
		profiles_changed(roles, profiles);
	}
	webhook_config_unref(old);
}

static void refresh_admission(struct roles *roles)
{
	struct server_stats stats = server_stats(roles->server);

	metric_set(roles->connections, stats.connections, NULL);
	metric_set(roles->refused, (double)stats.shed, METRIC_VALUES("in-flight"));
	metric_set(roles->refused, (double)stats.too_large, METRIC_VALUES("size"));
	metric_set(roles->refused, (double)stats.timed_out, METRIC_VALUES("time"));
	metric_set(roles->refused, (double)(stats.evicted + stats.turned_away),
		METRIC_VALUES("connections"));
	metric_set(roles->refused, (double)stats.handshake_failures, METRIC_VALUES("handshake"));
	service_count_shed(roles->service, stats.shed - roles->shed);
	roles->shed = stats.shed;
	if (roles->verdict_watch && !roles->verdicts_known)
		health_set(roles->health, "verdicts", false,
			verdict_watch_problem(roles->verdict_watch));
}

void roles_refresh(struct roles *roles)
{
	if (roles->server)
		refresh_admission(roles);
	if (roles->profile_watch)
		profile_watch_report(roles->profile_watch);
	if (roles->profile_watch && !roles->profiles)
		health_set(roles->health, "profiles", false,
			profile_watch_problem(roles->profile_watch));
	if (roles->verifier)
		verifier_refresh(roles->verifier);
	if (roles->broker)
		broker_refresh(roles->broker);
}

void roles_close_soon(struct roles *roles)
{
	if (roles->server)
		server_close_soon(roles->server);
	if (roles->verifier)
		verifier_close_soon(roles->verifier);
	if (roles->broker)
		broker_close_soon(roles->broker);
}

void roles_quiesce(struct roles *roles)
{
	if (roles->server)
		server_quiesce(roles->server);
	if (roles->verifier)
		verifier_quiesce(roles->verifier);
	if (roles->broker)
		broker_quiesce(roles->broker);
}

struct server_stats roles_stats(struct roles *roles)
{
	struct server_stats stats = {0};

	if (roles->server)
		stats = server_stats(roles->server);
	if (roles->verifier)
		stats.connections += verifier_connections(roles->verifier);
	if (roles->broker)
		stats.connections += broker_connections(roles->broker);
	return stats;
}

unsigned roles_drain(struct roles *roles)
{
	return roles->server ? server_drain(roles->server, 0) : 0;
}
