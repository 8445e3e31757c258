/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook serve: builds the daemon's parts, runs the event loop, drains and ends. Reviews
 * run on the server's threads; everything else on this loop. */
#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/base/settings_file.h"
#include "common/kube/token_review.h"
#include "common/net/daemon.h"
#include "common/net/loop.h"
#include "common/net/ops.h"
#include "common/net/server.h"
#include "common/net/tls.h"
#include "webhook/admission/service.h"
#include "webhook/api_hooks.h"
#include "webhook/broker/broker.h"
#include "webhook/broker_options.h"
#include "webhook/certs/certs.h"
#include "webhook/commands.h"
#include "webhook/config.h"
#include "webhook/profile_files.h"
#include "webhook/profile_watch.h"
#include "webhook/verdict_watch.h"
#include "webhook/verifier/verifier.h"
#include "webhook/verifier_options.h"

enum { QUEUE_MAX = 1024 };

#define DRAIN_QUIET_USEC (2 * (int64_t)USEC_PER_SEC)
#define DRAIN_LOOK_USEC  (50 * USEC_PER_MSEC)

struct daemon {
	int argc;
	char **argv;
	struct webhook_config *config;
	struct daemon_loop *loop;
	sd_event *event; /* the loop's */
	struct metrics *metrics;
	struct metric *connections, *refused;
	struct health *health;
	struct ops *ops;
	struct loop_queue *queue;
	struct kube_client *kube;
	struct kube_event_recorder *events;
	struct token_review *reviews; /* of those who ask for metrics; NULL: nobody judges tokens */
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
	int64_t drain_until_usec;
	int64_t quiet_since_usec; /* draining: no review has come since */
	uint64_t requests;
};

/* The service judges by the newest configuration and profiles from now on. */
static void publish(struct daemon *d)
{
	struct error err = {0};

	bool known = d->service && d->profiles && (!d->verdict_watch || d->verdicts_known);

	if (known && service_set(d->service, d->config, d->profiles,
			     d->verdict_watch ? &d->verdicts : NULL, &err) < 0) {
		log_error(err.message, "Could not take up a change; the old state stays");
		return;
	}
	health_set(d->health, "profiles", d->profiles != NULL, "not read yet");
}

static void verdicts_changed(void *ctx, const struct verdicts *v)
{
	struct daemon *d = ctx;

	d->verdicts = *v;
	d->verdicts_known = true;
	health_set(d->health, "verdicts", true, "");
	publish(d);
}

static void profiles_changed(void *ctx, struct profile_set *set)
{
	struct daemon *d = ctx;

	profile_set_unref(d->profiles);
	d->profiles = profile_set_ref(set);
	webhook_config_unref(d->world_config);
	d->world_config = webhook_config_ref(d->config);
	d->world.policy = &d->config->policy;
	d->world.profiles = set;
	if (d->broker)
		broker_profiles(d->broker);
	log_info(2, "Took up the profiles", LOG_INT("count", (int64_t)profile_set_count(set)));
	publish(d);
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

static int take_config(void *ctx, const char **ret_file, struct error *err)
{
	struct daemon *d = ctx;
	_cleanup_(webhook_config_unref_p) struct webhook_config *next = NULL;
	struct profile_set *set = NULL;
	struct webhook_config *old;
	int r = webhook_config_load(&next, CONFIG_SERVE, d->argc, d->argv, NULL, err);

	if (r == 0 && next->standalone && d->config->standalone)
		r = profile_files_load(next->profiles_dir, &next->policy, &set, err);
	if (r < 0)
		return r;
	if (webhook_config_needs_restart(d->config, next))
		log_warn("Some changed settings take effect only after a restart (addresses, "
			 "metrics, threads, tls, limits, kubeconfig, verifier.policy, "
			 "verifier.taint, most of broker)");
	/* The sets built under the old configuration may still be read: the service keeps
	 * it alive for as long as they are. */
	old = d->config;
	d->config = TAKE_PTR(next);
	daemon_log(d->config->log_format, d->config->verbosity);
	if (d->profile_watch)
		profile_watch_configure(d->profile_watch, &d->config->policy);
	if (d->verifier)
		verifier_configure(
			d->verifier, &d->config->verifier, &d->config->policy);
	if (d->broker)
		broker_configure(d->broker, &d->config->broker);
	if (set) {
		log_invalid_profiles(set);
		profiles_changed(d, set);
		profile_set_unref(set);
	}
	webhook_config_unref(old);
	*ret_file = d->config->file;
	return 0;
}

/* What is under way: connections; busy: with a request; requests: so far. */
static struct server_stats all_stats(struct daemon *d)
{
	struct server_stats stats = {0};

	if (d->server)
		stats = server_stats(d->server);
	if (d->verifier)
		stats.connections += verifier_connections(d->verifier);
	if (d->broker)
		stats.connections += broker_connections(d->broker);
	return stats;
}

/* Ends when no connection is left, or those that are have been idle for a while: closing one just
 * as the API server sends a review on it would lose that review. The loop turns on meanwhile:
 * look-ups of reviews in flight need it. */
static int on_draining(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct daemon *d = ctx;
	struct server_stats stats = all_stats(d);
	int64_t now = clock_monotonic_usec();
	unsigned cut;

	(void)usec;
	if (stats.busy || stats.requests != d->requests)
		d->quiet_since_usec = now;
	d->requests = stats.requests;
	if (stats.connections && now < d->drain_until_usec &&
		now < d->quiet_since_usec + DRAIN_QUIET_USEC) {
		sd_event_source_set_time_relative(source, DRAIN_LOOK_USEC);
		return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	cut = d->server ? server_drain(d->server, 0) : 0;
	if (cut)
		log_warn("Ended with reviews in flight", LOG_INT("count", cut));
	return sd_event_exit(d->event, 0);
}

/* The wait for the Service's endpoints is over: no new connections; on_draining sees the last one
 * go. */
static int on_drain(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct daemon *d = ctx;

	(void)source;
	(void)usec;
	if (d->server)
		server_quiesce(d->server);
	if (d->verifier)
		verifier_quiesce(d->verifier);
	if (d->broker)
		broker_quiesce(d->broker);
	d->quiet_since_usec = clock_monotonic_usec();
	d->drain_until_usec = d->quiet_since_usec + d->config->shutdown.timeout_usec;
	return sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC, 0, 0, on_draining, d);
}

/* Not ready any more, but serving: the Service's endpoints change only a moment later. Answers ask
 * the API server to go elsewhere, so that few connections are left when they are closed. */
static int stop(void *ctx, int signal_number)
{
	struct daemon *d = ctx;
	/* Nobody routes to a standalone server. */
	int64_t delay = d->config->standalone ? 0 : d->config->shutdown.delay_usec;

	log_info(2, "Stopping", LOG_INT("signal", signal_number),
		LOG_SECS("delaySeconds", (double)delay / USEC_PER_SEC));
	health_set(d->health, "shutdown", false, "stopping");
	if (d->server)
		server_close_soon(d->server);
	if (d->verifier)
		verifier_close_soon(d->verifier);
	if (d->broker)
		broker_close_soon(d->broker);
	return sd_event_add_time_relative(
		d->event, NULL, CLOCK_MONOTONIC, (uint64_t)delay, 0, on_drain, d);
}

static void refresh_admission(struct daemon *d)
{
	struct server_stats stats = server_stats(d->server);

	metric_set(d->connections, stats.connections, NULL);
	metric_set(d->refused, (double)stats.shed, METRIC_VALUES("in-flight"));
	metric_set(d->refused, (double)stats.too_large, METRIC_VALUES("size"));
	metric_set(d->refused, (double)stats.timed_out, METRIC_VALUES("time"));
	metric_set(d->refused, (double)stats.evicted, METRIC_VALUES("connections"));
	metric_set(d->refused, (double)stats.handshake_failures, METRIC_VALUES("handshake"));
	service_count_shed(d->service, stats.shed - d->shed);
	d->shed = stats.shed;
	if (d->verdict_watch && !d->verdicts_known)
		health_set(d->health, "verdicts", false, verdict_watch_problem(d->verdict_watch));
}

/* Before health and metrics are answered. */
static void refresh(void *ctx)
{
	struct daemon *d = ctx;

	if (d->server)
		refresh_admission(d);
	if (d->profile_watch)
		profile_watch_report(d->profile_watch);
	if (d->profile_watch && !d->profiles)
		health_set(d->health, "profiles", false, profile_watch_problem(d->profile_watch));
	if (d->verifier)
		verifier_refresh(d->verifier);
	if (d->broker)
		broker_refresh(d->broker);
}

static bool announce(struct daemon *d)
{
	if (!health_ok(d->health, HEALTH_READY))
		return false;
	log_info(2, "Ready");
	daemon_ready();
	return true;
}

/* Whatever makes the daemon ready happens on the loop. */
static int on_turn(sd_event_source *source, void *ctx)
{
	return announce(ctx) ? sd_event_source_set_enabled(source, SD_EVENT_OFF) : 0;
}

static int setup_loop(struct daemon *d, struct error *err)
{
	const struct daemon_options o = {.take_config = take_config, .stop = stop, .ctx = d};
	int r = daemon_loop_new(&d->loop, &o, err);

	if (r < 0)
		return r;
	d->event = daemon_loop_event(d->loop);
	r = loop_queue_new(&d->queue, d->event, QUEUE_MAX);
	return r < 0 ? error_set(err, r, "event loop: %s", strerror(-r)) : 0;
}

static bool wants_profiles(const struct daemon *d)
{
	return webhook_config_has_role(d->config, ROLE_ADMISSION) ||
	       webhook_config_has_role(d->config, ROLE_BROKER);
}

static int setup_observation(struct daemon *d, struct error *err)
{
	static const char *const limit[] = {"limit", NULL};

	d->metrics = metrics_new();
	d->health = health_new();
	if (!d->metrics || !d->health || metrics_process(d->metrics, CASEMATE_VERSION) < 0 ||
		health_add(d->health, "shutdown", HEALTH_READY) < 0)
		return error_oom(err);
	health_set(d->health, "shutdown", true, "");
	daemon_loop_count(d->loop, d->metrics, "casemate_webhook_config_reloads_total");
	if (wants_profiles(d) && health_add(d->health, "profiles", HEALTH_READY) < 0)
		return error_oom(err);
	if (!webhook_config_has_role(d->config, ROLE_ADMISSION))
		return 0;
	d->connections = metrics_gauge(
		d->metrics, "casemate_webhook_connections", "Connections that are open.", NULL);
	d->refused = metrics_counter(d->metrics, "casemate_webhook_limits_reached_total",
		"Requests refused and connections closed, by the limit that they met.", limit);
	return 0;
}

static int setup_api(struct daemon *d, struct error *err)
{
	static const char *const labels[] = {"method", "code", NULL};
	const struct kube_client_options o = {
		.kubeconfig = d->config->kubeconfig,
		.requests = metrics_counter(d->metrics, "casemate_webhook_api_requests_total",
			"Requests to the API server by method and HTTP code.", labels),
		.user_agent = "casemate-webhook/" CASEMATE_VERSION,
	};
	int r;

	if (d->config->standalone)
		return 0;
	r = kube_client_new(&d->kube, d->event, &o, err);
	if (r < 0)
		return r;
	snprintf(d->host, sizeof(d->host), "casemate-webhook");
	gethostname(d->host, sizeof(d->host) - 1);
	r = kube_event_recorder_new(&d->events, d->kube, "casemate.dev/webhook", d->host);
	return r < 0 ? error_oom(err) : 0;
}

static int setup_service(struct daemon *d, struct error *err)
{
	const struct service_hooks hooks = {
		.lookup = d->kube ? api_lookup_pod : NULL,
		.refused = d->kube ? api_report_refusal : NULL,
		.ctx = &d->hooks,
	};

	d->hooks = (struct api_hooks){.queue = d->queue, .kube = d->kube, .events = d->events};
	return service_new(&d->service, d->metrics, &hooks, err);
}

static int setup_profiles(struct daemon *d, struct error *err)
{
	const struct profile_watch_options o = {
		.event = d->event,
		.kube = d->kube,
		.events = d->events,
		.metrics = d->metrics,
		.config = &d->config->policy,
		.read_only = !webhook_config_has_role(d->config, ROLE_ADMISSION),
		.changed = profiles_changed,
		.ctx = d,
	};
	struct profile_set *set;
	int r;

	if (!wants_profiles(d))
		return 0;
	if (d->kube)
		return profile_watch_new(&d->profile_watch, &o, err);
	r = profile_files_load(d->config->profiles_dir, &d->config->policy, &set, err);
	if (r < 0)
		return r;
	log_invalid_profiles(set);
	profiles_changed(d, set);
	profile_set_unref(set);
	return 0;
}

/* Nothing is judged before the verdicts are known: their absence must not pass for trust. */
static int setup_verdicts(struct daemon *d, struct error *err)
{
	const struct verdict_watch_options o = {
		.event = d->event, .kube = d->kube, .changed = verdicts_changed, .ctx = d};

	if (!d->kube || !d->config->policy.require_verdicts)
		return 0;
	if (health_add(d->health, "verdicts", HEALTH_READY) < 0)
		return error_oom(err);
	return verdict_watch_new(&d->verdict_watch, &o, err);
}

/* Where the daemon's own objects are. */
static const char *own_namespace(const struct daemon *d)
{
	return *d->config->namespace_ || !d->kube ? d->config->namespace_
						  : kube_client_namespace(d->kube);
}

static int setup_certs(struct daemon *d, struct error *err)
{
	const struct webhook_config *c = d->config;
	const char *namespace_ = own_namespace(d);
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

	d->identity = tls_identity_new();
	if (!d->identity)
		return error_oom(err);
	return certs_new(&d->certs, d->event, d->kube, &o, d->identity, d->metrics, d->health, err);
}

/* The configuration file and, standalone, the folder of profiles are taken up when they change. */
static int setup_files(struct daemon *d, struct error *err)
{
	const char *paths[3] = {0};
	size_t n = 0;

	if (*d->config->file)
		paths[n++] = d->config->file;
	if (*d->config->profiles_dir)
		paths[n++] = d->config->profiles_dir;
	return daemon_loop_watch(d->loop, paths, err);
}

static int setup_server(struct daemon *d, struct error *err)
{
	const struct webhook_config *c = d->config;
	_cleanup_arena_ struct arena a = ARENA_INIT(1024 * 1024);
	struct span client_ca = SPAN_NONE;
	char address[64];
	struct server_options o = {
		.address = address,
		.threads = (unsigned)c->threads,
		.tls = d->identity,
		.tls_min = c->tls.min_version ? "1.3" : "1.2",
		.tls_ciphers = c->tls.cipher_suites,
		.limits = webhook_config_limits(c),
	};
	int r = ops_parse_listen(c->listen, "listen", address, &o.port, err);

	if (r == 0 && *c->tls.client_ca)
		r = settings_read_file(c->tls.client_ca, 512 * 1024, &a, &client_ca, err);
	if (r < 0)
		return r;
	o.client_ca_pem = client_ca.p;
	r = server_start(&d->server, &o, service_handle, d->service, err);
	if (r < 0)
		return error_prefix(err, r, "listen");
	log_info(2, "Serving admission", LOG_STR("address", address),
		LOG_INT("port", server_port(d->server)));
	return 0;
}

static int setup_reviews(struct daemon *d, struct error *err)
{
	const struct token_review_options o = {.audience = d->config->metrics.audience};

	if (!d->kube || !d->config->metrics.secure)
		return 0;
	return token_review_new(&d->reviews, d->kube, &o, err);
}

static int setup_ops(struct daemon *d, struct error *err)
{
	const struct caller_judge judge =
		d->reviews ? token_review_judge(d->reviews) : (struct caller_judge){0};

	return ops_new(&d->ops,
		&(struct ops_options){
			.event = d->event,
			.health = d->health,
			.metrics = d->metrics,
			.health_listen = d->config->health_listen,
			.metrics_listen = d->config->metrics_listen,
			.refresh = refresh,
			.ctx = d,
			.security = &d->config->metrics,
			.judge = d->reviews ? &judge : NULL,
		},
		err);
}

/* The role admission; the profiles come in between. */
static int setup_judgement(struct daemon *d, struct error *err)
{
	int r = 0;

	if (!webhook_config_has_role(d->config, ROLE_ADMISSION))
		return 0;
	r = setup_service(d, err);
	return r < 0 ? r : setup_verdicts(d, err);
}

static int setup_admission(struct daemon *d, struct error *err)
{
	int r;

	if (!webhook_config_has_role(d->config, ROLE_ADMISSION))
		return 0;
	r = setup_certs(d, err);
	return r < 0 ? r : setup_server(d, err);
}

static int setup_verifier(struct daemon *d, struct error *err)
{
	struct verifier_options o = {
		.event = d->event,
		.queue = d->queue,
		.kube = d->kube,
		.events = d->events,
		.metrics = d->metrics,
		.health = d->health,
		.namespace_ = own_namespace(d),
		.identity = d->host,
	};

	if (!webhook_config_has_role(d->config, ROLE_VERIFIER))
		return 0;
	verifier_options_set(&o, d->config);
	return verifier_new(&d->verifier, &o, err);
}

/* Empty alone, where namespaces have no UIDs. */
static const char *namespace_uid(void *ctx, const char *namespace_)
{
	struct daemon *d = ctx;

	return d->profile_watch ? profile_watch_namespace_uid(d->profile_watch, namespace_) : "";
}

static int setup_broker(struct daemon *d, struct error *err)
{
	struct broker_options o = {
		.event = d->event,
		.queue = d->queue,
		.kube = d->kube,
		.events = d->events,
		.metrics = d->metrics,
		.health = d->health,
		.world = &d->world,
		.namespace_ = own_namespace(d),
		.identity = d->host,
	};

	if (!webhook_config_has_role(d->config, ROLE_BROKER))
		return 0;
	d->world.namespace_uid = namespace_uid;
	d->world.ctx = d;
	broker_options_set(&o, d->config);
	return broker_new(&d->broker, &o, err);
}

static int setup(struct daemon *d, struct error *err)
{
	static int (*const steps[])(struct daemon *, struct error *) = {setup_loop,
		setup_observation, setup_api, setup_judgement, setup_profiles, setup_admission, setup_verifier,
		setup_broker, setup_files,
		setup_reviews, setup_ops};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i](d, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Against the order of setup: whoever is called by another goes after it. */
static void teardown(struct daemon *d)
{
	ops_free(d->ops);
	server_stop(d->server);
	verifier_free(d->verifier);
	broker_free(d->broker);
	certs_free(d->certs);
	tls_identity_free(d->identity);
	verdict_watch_free(d->verdict_watch);
	profile_watch_free(d->profile_watch);
	profile_set_unref(d->profiles);
	kube_event_recorder_free(d->events);
	token_review_free(d->reviews);
	kube_client_free(d->kube);
	service_free(d->service);
	loop_queue_free(d->queue);
	health_free(d->health);
	metrics_free(d->metrics);
	webhook_config_unref(d->world_config);
	webhook_config_unref(d->config);
	daemon_loop_free(d->loop);
}

static int run(struct daemon *d, struct error *err)
{
	int r = setup(d, err);

	if (r < 0)
		return r;
	if (!announce(d)) {
		r = sd_event_add_post(d->event, NULL, on_turn, d);
		if (r < 0)
			return error_set(err, r, "event loop: %s", strerror(-r));
	}
	return daemon_loop_run(d->loop, err);
}

static void usage(void)
{
	_cleanup_buf_ struct buf options = BUF_INIT(64 * 1024);

	webhook_config_help(&options, CONFIG_SERVE);
	printf("Usage: casemate-webhook serve [OPTIONS]\n\n"
	       "Runs the admission webhooks (/mutate, /validate), the verifier of evidence, or the\n"
	       "key broker, over HTTPS. Each option is also a setting of the configuration file and an\n"
	       "environment variable: --tls-min-version is tls: {minVersion: ...} and\n"
	       "CASEMATE_TLS_MIN_VERSION. SIGHUP, or a change of the "
	       "file, reloads it; SIGTERM drains and ends.\n\nOptions:\n%s",
		options.p ? options.p : "");
}

int command_serve(int argc, char **argv)
{
	struct daemon d = {.argc = argc, .argv = argv};
	struct error err = {0};
	int r;

	if (argc > 0 && strcmp(argv[0], "--help") == 0) {
		usage();
		return COMMAND_DONE;
	}
	r = webhook_config_load(&d.config, CONFIG_SERVE, argc, argv, NULL, &err);
	if (r < 0) {
		fprintf(stderr, "casemate-webhook serve: %s\n", err.message);
		return r == -EINVAL ? COMMAND_USAGE : COMMAND_REFUSED;
	}
	if (d.config->check_config) {
		puts("the configuration is valid");
		webhook_config_unref(d.config);
		return COMMAND_DONE;
	}
	daemon_log(d.config->log_format, d.config->verbosity);
	secret_protect_process();
	r = run(&d, &err);
	if (r < 0)
		log_error(err.message, "Could not go on");
	else
		log_info(2, "Ended");
	teardown(&d);
	return r < 0 ? COMMAND_REFUSED : COMMAND_DONE;
}
