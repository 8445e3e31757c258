/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/settings_file.h"
#include "common/kbs/delivery.h"
#include "common/net/http.h"

enum {
	CONFIG_ARENA_MAX = 4 * 1024 * 1024,
	LIMIT_MAX = 4096, /* RESOURCE_DEVICES_MAX */
};

#define DEFAULT_FILE "/etc/casemate/agent.yaml"
#define SECONDS(n)   ((int64_t)(n) * 1000000)
#define AT(field)    offsetof(struct agent_config, field)

static const char *const log_formats[] = {"text", "json", NULL};

static const struct setting agent_settings[] = {
	{.name = "config", .type = SETTING_STRING, .offset = AT(file), .meta = "FILE",
		.no_file = true, .help = "configuration (" DEFAULT_FILE " when it exists)"},
	{.name = "checkConfig", .type = SETTING_BOOL, .offset = AT(check_config),
		.help = "check the configuration and exit"},
	{.name = "standalone", .type = SETTING_BOOL, .offset = AT(standalone),
		.help = "without Kubernetes: findings, page and metrics of this machine, listening "
			"on 127.0.0.1"},
	{.name = "nodeName", .type = SETTING_STRING, .offset = AT(node_name), .meta = "NAME",
		.help = "of this agent's Node (the host's name)"},
	{.name = "kubeconfig", .type = SETTING_STRING, .offset = AT(kubeconfig), .meta = "FILE",
		.help = "credentials of the API server (in a cluster: its own)"},
	{.name = "sysroot", .type = SETTING_STRING, .offset = AT(sysroot), .def = "/",
		.meta = "DIR", .help = "where dev, sys, proc and etc of the node are read"},
	{.name = "cpuid", .type = SETTING_STRING, .offset = AT(cpuid_file), .meta = "FILE",
		.help = "a recorded CPUID instead of the processor's"},
	{.name = "simulate", .type = SETTING_STRING, .offset = AT(simulate), .meta = "PLATFORM",
		.help = "for development, protects nothing: sgx:epc=128Mi,numa=2,aesm and/or "
			"tdx-host:slots=16, snp-host, tdx-guest, snp-guest, joined by +"},
	{.name = "simulationDir", .type = SETTING_STRING, .offset = AT(simulation_dir),
		.def = "/var/lib/casemate/simulated", .meta = "DIR",
		.help = "where the simulated device nodes are made"},
	{.name = "kubelet.dir", .type = SETTING_STRING, .offset = AT(kubelet_dir),
		.def = "/var/lib/kubelet", .meta = "DIR", .help = "the kubelet's --root-dir"},
	{.name = "enclaveLimit", .type = SETTING_INT, .offset = AT(enclave_limit), .def = "110",
		.min = 1, .max = LIMIT_MAX, .help = "containers with enclaves at once"},
	{.name = "provisionLimit", .type = SETTING_INT, .offset = AT(provision_limit),
		.def = "110", .min = 0, .max = LIMIT_MAX,
		.help = "containers with the provision device at once; 0: none is offered"},
	{.name = "aesm.enabled", .type = SETTING_BOOL, .offset = AT(aesm.enabled), .def = "true",
		.help = "offer casemate.dev/aesm where AESM runs"},
	{.name = "aesm.socket", .type = SETTING_STRING, .offset = AT(aesm.socket),
		.def = PLATFORM_AESM_SOCKET, .meta = "FILE", .help = "of AESM on the node"},
	{.name = "aesm.dir", .type = SETTING_STRING, .offset = AT(aesm.dir),
		.def = "/var/lib/casemate/aesm", .meta = "DIR",
		.help = "of the sockets that containers get"},
	{.name = "aesm.limit", .type = SETTING_INT, .offset = AT(aesm.limit), .def = "110",
		.min = 1, .max = LIMIT_MAX, .help = "containers that may ask AESM"},
	{.name = "aesm.timeout", .type = SETTING_DURATION, .offset = AT(aesm.timeout_usec),
		.def = "10s", .min = SECONDS(1), .max = SECONDS(300), .help = "of one request to AESM"},
	{.name = "aesm.maxConnections", .type = SETTING_INT, .offset = AT(aesm.max_connections),
		.def = "8", .min = 1, .max = 64, .help = "of one container to AESM"},
	{.name = "epc.publish", .type = SETTING_BOOL, .offset = AT(epc.publish), .def = "true",
		.help = "keep sgx.intel.com/epc on the Node (off: NFD or another does)"},
	{.name = "epc.reserve", .type = SETTING_QUANTITY, .offset = AT(epc.reserve), .def = "0",
		.help = "EPC kept back from pods"},
	{.name = "epc.accounting", .type = SETTING_BOOL, .offset = AT(epc.accounting),
		.def = "true", .help = "watch the node's pods, to show what EPC they requested"},
	{.name = "epc.enforce", .type = SETTING_BOOL, .offset = AT(epc.enforce), .def = "true",
		.help = "limit containers to their EPC by cgroup, where the kernel can"},
	{.name = "sgx.evidence", .type = SETTING_BOOL, .offset = AT(sgx_evidence), .def = "true",
		.help = "prove an SGX host with a quote of the evidence enclave, which the agent "
			"must be able to load (/dev/sgx_enclave)"},
	{.name = "verifier.url", .type = SETTING_STRING, .offset = AT(verifier.url), .meta = "URL",
		.help = "of the cluster's verifier, that this node proves itself to; none: nothing "
			"is proved"},
	{.name = "verifier.ca", .type = SETTING_STRING, .offset = AT(verifier.ca),
		.def = "/etc/casemate/verifier/ca.crt", .meta = "FILE",
		.help = "who signs the verifier's certificate (PEM)"},
	{.name = "verifier.token", .type = SETTING_STRING, .offset = AT(verifier.token),
		.def = "/var/run/secrets/casemate.dev/token", .meta = "FILE",
		.help = "projected token with the audience casemate.dev"},
	{.name = "verifier.startWithin", .type = SETTING_DURATION,
		.offset = AT(verifier.start_usec), .def = "5s", .min = 0, .max = SECONDS(3600),
		.help = "the first round begins at a random moment within this"},
	{.name = "broker.url", .type = SETTING_STRING, .offset = AT(broker.url), .meta = "URL",
		.help = "of the key broker; none: no keys are delivered to containers"},
	{.name = "broker.ca", .type = SETTING_STRING, .offset = AT(broker.ca),
		.def = "/etc/casemate/broker/ca.crt", .meta = "FILE",
		.help = "who signs the broker's certificate (PEM)"},
	{.name = "keys.enabled", .type = SETTING_BOOL, .offset = AT(keys.enabled), .def = "true",
		.help = "offer casemate.dev/keys on a confidential or simulated node"},
	{.name = "keys.dir", .type = SETTING_STRING, .offset = AT(keys.dir),
		.def = DELIVERY_HOST_DIR, .meta = "DIR",
		.help = "of what containers get, sockets and promised files: on a tmpfs"},
	{.name = "keys.stateDir", .type = SETTING_STRING, .offset = AT(keys.state_dir),
		.def = "/var/lib/casemate/keys", .meta = "DIR",
		.help = "which container has which of them; on a disk, and never noexec"},
	{.name = "keys.program", .type = SETTING_STRING, .offset = AT(keys.program),
		.def = "/usr/bin/casemate-exec", .meta = "FILE",
		.help = "casemate-exec, which containers get"},
	{.name = "keys.provider", .type = SETTING_STRING, .offset = AT(keys.provider),
		.def = "/run/casemate/keyprovider/keyprovider.sock", .meta = "FILE",
		.help = "socket of the key provider that containerd's and CRI-O's decoders ask for "
			"the keys of encrypted images; \"\": none"},
	{.name = "keys.limit", .type = SETTING_INT, .offset = AT(keys.limit), .def = "110",
		.min = 1, .max = LIMIT_MAX, .help = "containers with keys at once"},
	{.name = "keys.refreshEvery", .type = SETTING_DURATION, .offset = AT(keys.refresh_usec),
		.def = "5m", .min = 0, .max = SECONDS(86400),
		.help = "how often the broker is asked for newer versions of promised files, for "
			"keys that say rotation.onChange: File; 0: never"},
	{.name = "health.listen", .type = SETTING_STRING, .offset = AT(health_listen),
		.meta = "ADDRESS:PORT", .help = "/livez and /readyz (0.0.0.0:9080); \"none\": off"},
	{.name = "metrics.listen", .type = SETTING_STRING, .offset = AT(metrics_listen),
		.meta = "ADDRESS:PORT",
		.help = "/metrics, page and /api/v1/status (0.0.0.0:9081); \"none\": off"},
	{.name = "page.listen", .type = SETTING_STRING, .offset = AT(page_listen),
		.def = "127.0.0.1:9082", .meta = "ADDRESS:PORT",
		.help = "page and /api/v1/status in plain HTTP, for port-forward and `status`"},
	{.name = "logging.format", .type = SETTING_ENUM, .offset = AT(log_format), .def = "text",
		.choices = log_formats, .help = "text or json"},
	{.name = "logging.verbosity", .type = SETTING_INT, .offset = AT(verbosity), .def = "2",
		.max = 10, .help = "2 is normal, 4 for debugging"},
};

/* The agent's own settings and those of a secure metrics listener. */
static struct settings_table table_of(void)
{
	struct settings_table t = {0};

	settings_add(&t, agent_settings, ARRAY_SIZE(agent_settings), 0);
	settings_add(&t, ops_security_settings, n_ops_security_settings, AT(metrics));
	return t;
}

static int check_paths(const struct agent_config *c, struct error *err)
{
	const struct {
		const char *setting, *path;
	} absolute[] = {
		{"sysroot", c->sysroot},
		{"simulationDir", c->simulation_dir},
		{"kubelet.dir", c->kubelet_dir},
		{"aesm.socket", c->aesm.socket},
		{"aesm.dir", c->aesm.dir},
		{"keys.dir", c->keys.dir},
		{"keys.stateDir", c->keys.state_dir},
		{"keys.program", c->keys.program},
		{"keys.provider", *c->keys.provider ? c->keys.provider : "/"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(absolute); i++)
		if (absolute[i].path[0] != '/')
			return error_set(err, -EINVAL,
				"%s: \"%s\" must be an absolute path, as the node has it",
				absolute[i].setting, absolute[i].path);
	return 0;
}

static int finish_listens(struct agent_config *c, struct error *err)
{
	const struct ops_listen listens[] = {
		{&c->health_listen, "health.listen", 9080, true},
		{&c->metrics_listen, "metrics.listen", 9081, true},
		{&c->page_listen, "page.listen", 0, true},
	};

	return ops_listen_finish(listens, ARRAY_SIZE(listens), c->standalone, &c->arena, err);
}

static int check_broker(const struct agent_config *c, struct error *err)
{
	if (!*c->broker.url || span_starts(span_str(c->broker.url), "https://") ||
		http_is_loopback(c->broker.url))
		return 0;
	return error_set(err, -EINVAL,
		"broker.url: \"%s\" must begin with https://, and name the broker's Service",
		c->broker.url);
}

bool agent_config_delivers(const struct agent_config *c)
{
	return c->keys.enabled && *c->broker.url && !c->standalone;
}

static int finish(struct agent_config *c, struct error *err)
{
	int r = check_paths(c, err);

	if (r < 0)
		return r;
	if (*c->simulate)
		r = simulation_parse(&c->simulation, c->simulate, err);
	if (r < 0)
		return r;
	if (*c->simulate && (strcmp(c->sysroot, "/") != 0 || *c->cpuid_file))
		return error_set(err, -EINVAL,
			"simulate: a simulated platform reads no other; drop sysroot and cpuid");
	r = check_broker(c, err);
	if (r == 0)
		r = ops_security_check(&c->metrics, !c->standalone, err);
	return r < 0 ? r : finish_listens(c, err);
}

/* A Node is named after its host unless the kubelet was told otherwise; in a Pod the downward API
 * tells. */
static int default_node_name(struct agent_config *c, struct error *err)
{
	char host[256] = "";

	if (*c->node_name)
		return 0;
	if (gethostname(host, sizeof(host) - 1) < 0 || !*host)
		return error_set(err, -EINVAL, "nodeName: not given, and the host has no name");
	c->node_name = arena_printf(&c->arena, "%s", host);
	return c->node_name ? 0 : error_oom(err);
}

int agent_config_load(struct agent_config **ret_c, int argc, char **argv, struct error *err)
{
	_cleanup_(agent_config_free_p) struct agent_config *c = calloc(1, sizeof(*c));
	const struct settings_table t = table_of();
	const struct settings_load load = {
		.table = t.v,
		.n = t.n,
		.file = AT(file),
		.default_file = DEFAULT_FILE,
		.argc = argc,
		.argv = argv,
	};
	int r;

	if (!c)
		return error_oom(err);
	c->arena = ARENA_INIT(CONFIG_ARENA_MAX);
	r = settings_load(&load, c, &c->arena, NULL, err);
	if (r < 0)
		return r;
	r = default_node_name(c, err);
	if (r == 0)
		r = finish(c, err);
	if (r < 0)
		return *c->file ? error_prefix(err, settings_blame_file(r), "%s", c->file) : r;
	*ret_c = TAKE_PTR(c);
	return 0;
}

void agent_config_free(struct agent_config *c)
{
	struct arena a;

	if (!c)
		return;
	a = c->arena;
	arena_free(&a);
	free(c);
}

int agent_config_help(struct buf *out)
{
	const struct settings_table t = table_of();

	return settings_help(out, t.v, t.n);
}
