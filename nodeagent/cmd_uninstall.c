/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-nodeagent uninstall: takes from the Nodes what `helm uninstall` would leave there. Ends
 * the agents first, or they would publish again what is removed. Run by the chart as a hook before
 * the release's objects are deleted; running it again does no harm. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/settings.h"
#include "common/kube/sync.h"
#include "nodeagent/commands.h"
#include "nodeagent/node/node_view.h"

enum { UNINSTALL_PATH_MAX = 512 };

struct options {
	const char *kubeconfig, *namespace_, *daemonset;
	int64_t timeout_usec;
};

#define AT(field) offsetof(struct options, field)
static const struct setting table[] = {
	{.name = "kubeconfig",
		.type = SETTING_STRING,
		.offset = AT(kubeconfig),
		.meta = "FILE",
		.no_file = true,
		.help = "credentials of the API server (in a cluster: its own)"},
	{.name = "namespace",
		.type = SETTING_STRING,
		.offset = AT(namespace_),
		.meta = "NAME",
		.no_file = true,
		.help = "of the agents' DaemonSet (the credentials')"},
	{.name = "daemonset",
		.type = SETTING_STRING,
		.offset = AT(daemonset),
		.meta = "NAME",
		.def = "casemate-agent",
		.no_file = true,
		.help = "the agents, which are ended first; \"\": there are none"},
	{.name = "timeout",
		.type = SETTING_DURATION,
		.offset = AT(timeout_usec),
		.def = "120s",
		.min = USEC_PER_SEC,
		.no_file = true,
		.help = "for the agents to end"},
};

static int end_agents(struct kube_sync *c, const struct options *o, struct error *err)
{
	const char *namespace_ = *o->namespace_ ? o->namespace_ : kube_client_namespace(c->kube);
	char path[UNINSTALL_PATH_MAX];

	if (!*o->daemonset)
		return 0;
	snprintf(path, sizeof(path), "/apis/apps/v1/namespaces/%s/daemonsets/%s", namespace_,
		o->daemonset);
	return kube_sync_end(c, path, o->timeout_usec, err);
}

/* For kube_sync_each(). */
static int clean_node(void *ctx, struct kube_sync *c, struct json_val node, struct error *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(4096);
	char path[UNINSTALL_PATH_MAX], name[256];
	struct kube_request rq = {.method = "PATCH", .path = path, .patch = KUBE_PATCH_MERGE};
	const char *comma = "";
	struct node_view v;
	int r;

	(void)ctx;
	if (!json_copy(json_find(node, "metadata", "name"), name, sizeof(name)) ||
		node_view_read(&v, node) < 0)
		return 0;
	buf_puts(&body, "{\"status\":{\"capacity\":{");
	for (size_t k = 0; k < CAPACITY_KEY_N; k++) {
		if (!v.capacity[k].ours)
			continue;
		buf_printf(&body, "%s\"%s\":null", comma, capacity_key_name((enum capacity_key)k));
		comma = ",";
	}
	buf_puts(&body, "}}}");
	if (body.err)
		return error_oom(err);
	if (!*comma)
		return 0;
	snprintf(path, sizeof(path), "/api/v1/nodes/%s/status?fieldManager=%s", name,
		NODE_FIELD_MANAGER);
	rq.body = buf_view(&body);
	r = kube_sync_call(c, &rq, err);
	if (r == 200)
		printf("node %s: capacities removed\n", name);
	else if (r >= 0 && r != 404)
		return kube_sync_refused(c, &rq, err);
	return r < 0 ? r : 0;
}

static int uninstall(const struct options *o, struct error *err)
{
	const struct kube_client_options k = {
		.kubeconfig = o->kubeconfig,
		.user_agent = "casemate-nodeagent/" CASEMATE_VERSION,
	};
	_cleanup_kube_sync_ struct kube_sync c = {0};
	int r = kube_sync_open(&c, &k, err);

	if (r == 0)
		r = end_agents(&c, o, err);
	return r < 0 ? r : kube_sync_each(&c, "/api/v1/nodes", clean_node, NULL, err);
}

static void usage(void)
{
	_cleanup_buf_ struct buf options = BUF_INIT(16 * 1024);

	settings_help(&options, table, ARRAY_SIZE(table));
	printf("Usage: casemate-nodeagent uninstall [OPTIONS]\n\n"
	       "Ends the agents and removes from all Nodes the capacities that they published. "
	       "The\n"
	       "chart runs it before `helm uninstall` deletes the rest.\n\nOptions:\n%s",
		options.p ? options.p : "");
}

int command_uninstall(int argc, char **argv)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1024 * 1024);
	const struct settings_input in = {
		.table = table,
		.n = ARRAY_SIZE(table),
		.environment = environ,
		.argc = argc,
		.argv = argv,
	};
	struct options o = {0};
	struct error err = {0};
	int r;

	if (argc > 0 && strcmp(argv[0], "--help") == 0) {
		usage();
		return COMMAND_DONE;
	}
	r = settings_read(&in, &o, &a, NULL, &err);
	if (r < 0) {
		fprintf(stderr, "casemate-nodeagent uninstall: %s\n", err.message);
		return COMMAND_USAGE;
	}
	r = uninstall(&o, &err);
	if (r < 0)
		fprintf(stderr, "casemate-nodeagent uninstall: %s\n", err.message);
	return r < 0 ? COMMAND_REFUSED : COMMAND_DONE;
}
