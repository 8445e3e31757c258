/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-nodeagent run: builds the daemon's parts, runs the event loop, ends. One thread;
 * whatever it does is woken by somebody else: the kubelet, the API server, the kernel, a scraper.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/base/settings_file.h"
#include "nodeagent/agent.h"
#include "nodeagent/commands.h"
#include "nodeagent/descriptors.h"

enum { CPUID_FILE_MAX = 64 * 1024 };

/* What only a restart changes. */
static bool needs_restart(const struct agent_config *a, const struct agent_config *b)
{
	const struct {
		const char *a, *b;
	} texts[] = {
		{a->node_name, b->node_name},
		{a->kubeconfig, b->kubeconfig},
		{a->sysroot, b->sysroot},
		{a->cpuid_file, b->cpuid_file},
		{a->simulate, b->simulate},
		{a->simulation_dir, b->simulation_dir},
		{a->kubelet_dir, b->kubelet_dir},
		{a->aesm.socket, b->aesm.socket},
		{a->aesm.dir, b->aesm.dir},
		{a->health_listen, b->health_listen},
		{a->metrics_listen, b->metrics_listen},
		{a->page_listen, b->page_listen},
		{a->verifier.url, b->verifier.url},
		{a->verifier.ca, b->verifier.ca},
		{a->verifier.token, b->verifier.token},
		{a->broker.url, b->broker.url},
		{a->broker.ca, b->broker.ca},
		{a->keys.dir, b->keys.dir},
		{a->keys.state_dir, b->keys.state_dir},
		{a->keys.program, b->keys.program},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strcmp(texts[i].a, texts[i].b) != 0)
			return true;
	return a->standalone != b->standalone || a->aesm.enabled != b->aesm.enabled ||
	       a->keys.enabled != b->keys.enabled || a->aesm.timeout_usec != b->aesm.timeout_usec ||
	       a->aesm.max_connections != b->aesm.max_connections ||
	       !ops_security_same(&a->metrics, &b->metrics) ||
	       a->epc.accounting != b->epc.accounting || a->epc.enforce != b->epc.enforce;
}

/* No reason to end: only a node full of pods that all ask AESM at once needs so many. */
static void allow_descriptors(const struct agent *a)
{
	struct error err = {0};

	if (descriptors_allow(descriptors_needed(a->config), &err) < 0)
		log_warn("Too few files can be open", LOG_STR("why", err.message));
}

/* Takes up what can be changed while running: limits, the reserve, logging. What else changed stays
 * as it was, since its parts hold strings of the old configuration. */
static int take_config(void *ctx, const char **ret_file, struct error *err)
{
	struct agent *a = ctx;
	_cleanup_(agent_config_free_p) struct agent_config *next = NULL;
	int r = agent_config_load(&next, a->argc, a->argv, err);

	if (r < 0)
		return r;
	if (needs_restart(a->config, next))
		log_warn("Some changed settings take effect only after a restart (all but "
			 "enclaveLimit, provisionLimit, aesm.limit, keys.limit, epc.publish, "
			 "epc.reserve and logging)");
	a->config->enclave_limit = next->enclave_limit;
	a->config->provision_limit = next->provision_limit;
	a->config->aesm.limit = next->aesm.limit;
	a->config->keys.limit = next->keys.limit;
	a->config->epc.publish = next->epc.publish;
	a->config->epc.reserve = next->epc.reserve;
	a->config->log_format = next->log_format;
	a->config->verbosity = next->verbosity;
	daemon_log(a->config->log_format, a->config->verbosity);
	allow_descriptors(a);
	agent_offer(a);
	*ret_file = a->config->file;
	return 0;
}

static int stop(void *ctx, int signal_number)
{
	struct agent *a = ctx;

	log_info(2, "Stopping", LOG_INT("signal", signal_number));
	return sd_event_exit(a->event, 0);
}

static int setup_loop(struct agent *a, struct error *err)
{
	const struct daemon_options o = {.take_config = take_config, .stop = stop, .ctx = a};
	int r = daemon_loop_new(&a->loop, &o, err);

	if (r == 0)
		a->event = daemon_loop_event(a->loop);
	return r;
}

static int setup_observation(struct agent *a, struct error *err)
{
	static const char *const quote_labels[] = {"source", "result", NULL};

	a->metrics = metrics_new();
	a->health = health_new();
	if (a->metrics)
		a->quotes = metrics_counter(a->metrics, "casemate_agent_quotes_total",
			"Requests for quotes, the agent's own among them, by where they went and "
			"how they ended.",
			quote_labels);
	if (!a->quotes || !a->health || metrics_process(a->metrics, CASEMATE_VERSION) < 0 ||
		health_add(a->health, "kubelet", HEALTH_READY) < 0)
		return error_oom(err);
	daemon_loop_count(a->loop, a->metrics, "casemate_agent_config_reloads_total");
	a->shown = agent_metrics_new(a->metrics);
	if (!a->shown || metrics_on_collect(a->metrics, agent_collect, a) < 0)
		return error_oom(err);
	return 0;
}

static int setup_api(struct agent *a, struct error *err)
{
	static const char *const labels[] = {"method", "code", NULL};
	const struct kube_client_options o = {
		.kubeconfig = a->config->kubeconfig,
		.requests = metrics_counter(a->metrics, "casemate_agent_api_requests_total",
			"Requests to the API server by method and HTTP code.", labels),
		.user_agent = "casemate-nodeagent/" CASEMATE_VERSION,
	};
	const struct token_review_options tokens = {.audience = a->config->metrics.audience};
	int r;

	if (a->config->standalone)
		return 0;
	r = kube_client_new(&a->kube, a->event, &o, err);
	if (r < 0)
		return r;
	r = kube_event_recorder_new(
		&a->events, a->kube, "casemate.dev/nodeagent", a->config->node_name);
	if (r < 0)
		return error_oom(err);
	return a->config->metrics.secure ? token_review_new(&a->tokens, a->kube, &tokens, err) : 0;
}

static int read_cpuid(struct agent *a, struct error *err)
{
	_cleanup_arena_ struct arena m = ARENA_INIT(2 * CPUID_FILE_MAX);
	struct span text;
	int r = settings_read_file(a->config->cpuid_file, CPUID_FILE_MAX, &m, &text, err);

	if (r < 0)
		return r;
	r = cpuid_record_parse(&a->cpuid, text.p, text.len, err);
	return r < 0 ? error_prefix(err, r, "%s", a->config->cpuid_file) : 0;
}

static int setup_platform(struct agent *a, struct error *err)
{
	const struct agent_config *c = a->config;
	int r = 0;

	if (*c->cpuid_file)
		r = read_cpuid(a, err);
	a->source = (struct platform_source){
		.sysroot = c->sysroot,
		.cpuid = a->cpuid ? cpuid_recorded : cpuid_native,
		.cpuid_ctx = a->cpuid,
		.aesm_socket = c->aesm.socket,
	};
	if (r == 0 && *c->simulate) {
		r = simulation_make(&c->simulation, c->simulation_dir, err);
		log_warn("The platform is simulated: nothing protects the pods of this node");
	}
	return r;
}

static void not_limited(void *ctx, const struct error *err)
{
	(void)ctx;
	log_error(err->message, "Could not limit the EPC of a container");
}

static void pods_changed(void *ctx)
{
	struct agent *a = ctx;

	if (a->cgroup && a->pods)
		enforce_epc(a->cgroup, a->pods, not_limited, a);
	agent_deliver_tidy(a);
}

/* What absolute paths of the node are put behind. */
static const char *sysroot(const struct agent_config *c)
{
	return strcmp(c->sysroot, "/") == 0 ? "" : c->sysroot;
}

/* Where the kernel knows nothing of it, EPC is scheduled and not limited. */
static void setup_cgroup(struct agent *a)
{
	_cleanup_free_ char *dir = NULL;
	struct error err = {0};

	if (asprintf(&dir, "%s/sys/fs/cgroup", sysroot(a->config)) < 0 ||
		epc_cgroup_new(&a->cgroup, dir, &err) < 0)
		log_info(2, "EPC is not limited by cgroup", LOG_STR("why", err.message));
}

/* EPC, VM slots and the pods that use EPC. */
static int setup_node(struct agent *a, struct error *err)
{
	const struct capacity_options o = {
		.node = a->config->node_name,
		.events = a->events,
		.metrics = a->metrics,
		.asked = agent_prove_asked,
		.ctx = a,
	};
	const struct pods_options pods = {
		.node = a->config->node_name,
		.changed = pods_changed,
		.ctx = a,
	};
	int r;

	if (!a->kube)
		return 0;
	r = capacity_new(&a->capacity, a->kube, &o, err);
	/* Also for whose promised files are to go. */
	if (r < 0 || !(a->config->epc.accounting || agent_config_delivers(a->config)))
		return r;
	if (a->config->epc.accounting && a->config->epc.enforce)
		setup_cgroup(a);
	return pods_new(&a->pods, a->kube, &pods, err);
}

static int setup_relay(struct agent *a, struct error *err)
{
	const struct agent_config *c = a->config;
	const struct aesm_relay_options o = {
		.dir = c->aesm.dir,
		.socket = a->aesm_socket,
		.timeout_usec = c->aesm.timeout_usec,
		.max_connections = (unsigned)c->aesm.max_connections,
		.quotes = a->quotes,
	};
	struct resource resource;
	int n, r;

	/* A simulated platform plays AESM in its own folder. */
	if (*c->simulate)
		n = snprintf(a->aesm_socket, sizeof(a->aesm_socket), "%s" SIMULATION_AESM_SOCKET,
			c->simulation_dir);
	else
		n = snprintf(
			a->aesm_socket, sizeof(a->aesm_socket), "%s%s", sysroot(c), c->aesm.socket);

	if (n < 0 || (size_t)n >= sizeof(a->aesm_socket))
		return error_set(err, -EINVAL, "aesm.socket: the path is too long");
	r = aesm_relay_new(&a->aesm, a->event, &o, err);
	if (r < 0)
		return r;
	resource = aesm_relay_resource(a->aesm);
	return plugins_add(a->plugins, &resource, err);
}

static int setup_kubelet(struct agent *a, struct error *err)
{
	static const char *const prefixes[] = {"sgx.intel.com/", "casemate.dev/", NULL};
	_cleanup_free_ char *dir = NULL, *socket = NULL;
	struct plugins_options o = {
		.metrics = a->metrics,
		.changed = agent_plugins_changed,
		.ctx = a,
	};
	const struct resource enclave = sgx_enclave_resource(&a->platform);
	const struct resource provision = sgx_provision_resource(&a->platform);
	int r;

	if (a->config->standalone)
		return 0;
	if (asprintf(&dir, "%s/device-plugins", a->config->kubelet_dir) < 0 ||
		asprintf(&socket, "%s/pod-resources/kubelet.sock", a->config->kubelet_dir) < 0)
		return error_oom(err);
	o.dir = dir;
	r = plugins_new(&a->plugins, a->event, &o, err);
	if (r == 0)
		r = plugins_add(a->plugins, &enclave, err);
	if (r == 0)
		r = plugins_add(a->plugins, &provision, err);
	if (r == 0 && a->config->aesm.enabled)
		r = setup_relay(a, err);
	if (r == 0)
		r = pod_resources_new(&a->pod_resources, a->event, socket, prefixes, err);
	return r < 0 ? r : agent_deliver(a, err);
}

static void platform_changed(void *ctx)
{
	agent_discover(ctx);
}

/* Watched before it is looked at: no change falls between. */
static int setup_monitor(struct agent *a, struct error *err)
{
	const struct agent_config *c = a->config;
	_cleanup_free_ char *dev = NULL;
	const char *extra[] = {NULL, NULL};

	if (*c->simulate) {
		if (asprintf(&dev, "%s/dev", c->simulation_dir) < 0)
			return error_oom(err);
		extra[0] = dev;
	}
	return platform_monitor_new(
		&a->monitor, a->event, &a->source, extra, platform_changed, a, err);
}

static int setup_ops(struct agent *a, struct error *err)
{
	struct ops_route routes[OPS_ROUTES_MAX];
	struct caller_judge judge;
	struct ops_options o = {
		.event = a->event,
		.health = a->health,
		.metrics = a->metrics,
		.health_listen = a->config->health_listen,
		.metrics_listen = a->config->metrics_listen,
		.page_listen = a->config->page_listen,
		.routes = routes,
		.n_routes = (size_t)agent_show_routes(a, routes),
		.refresh = agent_refresh,
		.ctx = a,
		.security = &a->config->metrics,
	};

	if (a->tokens) {
		judge = token_review_judge(a->tokens);
		o.judge = &judge;
	}
	return ops_new(&a->ops, &o, err);
}

static int setup_files(struct agent *a, struct error *err)
{
	const char *paths[] = {*a->config->file ? a->config->file : NULL, NULL};

	return daemon_loop_watch(a->loop, paths, err);
}

static int setup(struct agent *a, struct error *err)
{
	static int (*const steps[])(struct agent *, struct error *) = {setup_loop,
		setup_observation, setup_api, setup_platform, setup_node, setup_kubelet,
		setup_monitor, agent_prove, setup_ops, setup_files};

	a->started_usec = clock_unix_usec();
	allow_descriptors(a);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i](a, err);

		if (r < 0)
			return r;
	}
	agent_discover(a);
	return 0;
}

/* Against the order of setup: whoever is called by another goes after it. */
static void teardown(struct agent *a)
{
	pod_resources_free(a->pod_resources);
	agent_show_stop(a);
	ops_free(a->ops);
	/* while there is still what makes evidence */
	keys_free(a->keys);
	key_provider_free(a->key_provider);
	agent_prove_stop(a);
	platform_monitor_free(a->monitor);
	plugins_free(a->plugins);
	aesm_relay_free(a->aesm);
	pods_free(a->pods);
	epc_cgroup_free(a->cgroup);
	capacity_free(a->capacity);
	cpuid_record_free(a->cpuid);
	token_review_free(a->tokens);
	kube_event_recorder_free(a->events);
	kube_client_free(a->kube);
	agent_metrics_free(a->shown);
	health_free(a->health);
	metrics_free(a->metrics);
	agent_config_free(a->config);
	daemon_loop_free(a->loop);
}

static int run(struct agent *a, struct error *err)
{
	int r = setup(a, err);

	if (r < 0)
		return r;
	log_info(2, "Running", LOG_STR("node", a->config->node_name));
	daemon_ready();
	return daemon_loop_run(a->loop, err);
}

static void usage(void)
{
	_cleanup_buf_ struct buf options = BUF_INIT(64 * 1024);

	agent_config_help(&options);
	printf("Usage: casemate-nodeagent run [OPTIONS]\n\n"
	       "Offers this node's enclave devices to the kubelet, keeps its EPC on its Node and\n"
	       "shows its state. Each option is also a setting of the configuration file and an\n"
	       "environment variable: --epc-reserve is epc: {reserve: ...} and\n"
	       "CASEMATE_EPC_RESERVE. SIGHUP, or a change of the file, reloads it.\n\nOptions:\n%s",
		options.p ? options.p : "");
}

int command_run(int argc, char **argv)
{
	struct agent *a = calloc(1, sizeof(*a));
	struct error err = {0};
	int r;

	if (argc > 0 && strcmp(argv[0], "--help") == 0) {
		free(a);
		usage();
		return COMMAND_DONE;
	}
	r = a ? agent_config_load(&a->config, argc, argv, &err) : error_oom(&err);
	if (r < 0) {
		free(a);
		fprintf(stderr, "casemate-nodeagent run: %s\n", err.message);
		return r == -EINVAL ? COMMAND_USAGE : COMMAND_REFUSED;
	}
	a->argc = argc;
	a->argv = argv;
	if (a->config->check_config) {
		puts("the configuration is valid");
		agent_config_free(a->config);
		free(a);
		return COMMAND_DONE;
	}
	daemon_log(a->config->log_format, a->config->verbosity);
	if (secret_protect_process() < 0)
		log_warn("Memory of keys cannot be kept from being swapped: raise RLIMIT_MEMLOCK "
			 "(8 MiB will do)");
	r = run(a, &err);
	if (r < 0)
		log_error(err.message, "Could not go on");
	else
		log_info(2, "Ended");
	teardown(a);
	free(a);
	return r < 0 ? COMMAND_REFUSED : COMMAND_DONE;
}
