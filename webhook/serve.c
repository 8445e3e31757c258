/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook serve: the daemon around its roles (roles.c). Builds what they share, runs the
 * event loop, reloads, drains and ends. Reviews run on the server's threads; everything else on
 * this loop. */
#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/kube/token_review.h"
#include "common/net/daemon.h"
#include "common/net/loop.h"
#include "common/net/ops.h"
#include "webhook/commands.h"
#include "webhook/config.h"
#include "webhook/profile_files.h"
#include "webhook/roles.h"

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
	struct health *health;
	struct ops *ops;
	struct loop_queue *queue;
	struct token_review *reviews; /* of those who ask for metrics; NULL: nobody judges tokens */
	struct roles *roles;
	int64_t drain_until_usec;
	int64_t quiet_since_usec; /* draining: no review has come since */
	uint64_t requests;
};

static int take_config(void *ctx, const char **ret_file, struct error *err)
{
	struct daemon *d = ctx;
	_cleanup_(webhook_config_unref_p) struct webhook_config *next = NULL;
	struct profile_set *set = NULL;
	int r = webhook_config_load(&next, CONFIG_SERVE, d->argc, d->argv, NULL, err);

	if (r == 0 && next->standalone && d->config->standalone)
		r = profile_files_load(next->profiles_dir, &next->policy, &set, err);
	if (r < 0)
		return r;
	if (webhook_config_needs_restart(d->config, next))
		log_warn("Some changed settings take effect only after a restart (addresses, "
			 "metrics, threads, tls, limits, kubeconfig, verifier.policy, "
			 "verifier.taint, most of broker)");
	webhook_config_unref(d->config);
	d->config = TAKE_PTR(next);
	daemon_log(d->config->log_format, d->config->verbosity);
	roles_configure(d->roles, d->config, set);
	profile_set_unref(set);
	*ret_file = d->config->file;
	return 0;
}

/* Ends when no connection is left, or those that are have been idle for a while: closing one just
 * as the API server sends a review on it would lose that review. The loop turns on meanwhile:
 * look-ups of reviews in flight need it. */
static int on_draining(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct daemon *d = ctx;
	struct server_stats stats = roles_stats(d->roles);
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
	cut = roles_drain(d->roles);
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
	roles_quiesce(d->roles);
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
	roles_close_soon(d->roles);
	return sd_event_add_time_relative(
		d->event, NULL, CLOCK_MONOTONIC, (uint64_t)delay, 0, on_drain, d);
}

/* Before health and metrics are answered. */
static void refresh(void *ctx)
{
	struct daemon *d = ctx;

	roles_refresh(d->roles);
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

static int setup_observation(struct daemon *d, struct error *err)
{
	d->metrics = metrics_new();
	d->health = health_new();
	if (!d->metrics || !d->health || metrics_process(d->metrics, CASEMATE_VERSION) < 0 ||
		health_add(d->health, "shutdown", HEALTH_READY) < 0)
		return error_oom(err);
	health_set(d->health, "shutdown", true, "");
	daemon_loop_count(d->loop, d->metrics, "casemate_webhook_config_reloads_total");
	return 0;
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

static int setup_roles(struct daemon *d, struct error *err)
{
	return roles_new(&d->roles,
		&(struct roles_options){
			.event = d->event,
			.queue = d->queue,
			.metrics = d->metrics,
			.health = d->health,
			.config = d->config,
		},
		err);
}

static int setup_reviews(struct daemon *d, struct error *err)
{
	const struct token_review_options o = {.audience = d->config->metrics.audience};
	struct kube_client *kube = roles_kube(d->roles);

	if (!kube || !d->config->metrics.secure)
		return 0;
	return token_review_new(&d->reviews, kube, &o, err);
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

static int setup(struct daemon *d, struct error *err)
{
	static int (*const steps[])(struct daemon *, struct error *) = {
		setup_loop, setup_observation, setup_roles, setup_files, setup_reviews, setup_ops};

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
	token_review_free(d->reviews);
	roles_free(d->roles);
	loop_queue_free(d->queue);
	health_free(d->health);
	metrics_free(d->metrics);
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
	       "Runs the admission webhooks (/mutate, /validate), the verifier of evidence, or "
	       "the\n"
	       "key broker, over HTTPS. Each option is also a setting of the configuration file "
	       "and an\n"
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
	if (secret_protect_process() < 0)
		log_warn("Memory of keys cannot be kept from being swapped: raise RLIMIT_MEMLOCK "
			 "(8 MiB will do)");
	r = run(&d, &err);
	if (r < 0)
		log_error(err.message, "Could not go on");
	else
		log_info(2, "Ended");
	teardown(&d);
	return r < 0 ? COMMAND_REFUSED : COMMAND_DONE;
}
