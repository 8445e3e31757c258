/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-nodeagent uninstall: takes from the Nodes what `helm uninstall` would leave there. Ends
 * the agents first, or they would publish again what is removed. Run by the chart as a hook before
 * the release's objects are deleted; running it again does no harm. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/settings.h"
#include "common/kube/client.h"
#include "nodeagent/commands.h"
#include "nodeagent/node/node_view.h"

enum {
	UNINSTALL_PATH_MAX = 512,
	POLL_USEC = USEC_PER_SEC / 2,
	PAGE_NODES = 100, /* a page of the list, which names the next */
};

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

/* One call at a time, waited for. */
struct caller {
	sd_event *event;
	struct kube_client *kube;
	bool done;
	int status;
	char message[256];
	struct buf body;
};

static void answered(void *ctx, const struct kube_result *res)
{
	struct caller *c = ctx;

	c->done = true;
	c->status = res->status;
	snprintf(c->message, sizeof(c->message), "%s", res->message);
	buf_reset(&c->body);
	buf_span(&c->body, res->body);
}

/* HTTP status; 404 is an answer like any other. -EIO for what nobody can use. */
static int call(struct caller *c, const struct kube_request *rq, struct error *err)
{
	int r = kube_call(c->kube, rq, answered, c, NULL, err);

	c->done = false;
	while (r >= 0 && !c->done)
		r = sd_event_run(c->event, UINT64_MAX);
	if (r < 0)
		return r;
	if (c->status == 404 || (c->status >= 200 && c->status < 300))
		return c->status;
	return error_set(err, -EIO, "%s %s: %s", rq->method, rq->path, c->message);
}

static int end_agents(struct caller *c, const struct options *o, struct error *err)
{
	static const char policy[] = "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
				     "\"propagationPolicy\":\"Foreground\"}";
	const char *namespace_ = *o->namespace_ ? o->namespace_ : kube_client_namespace(c->kube);
	int64_t until = clock_monotonic_usec() + o->timeout_usec;
	char path[UNINSTALL_PATH_MAX];
	struct kube_request rq = {.method = "DELETE", .path = path, .body = span_str(policy)};
	int r;

	if (!*o->daemonset)
		return 0;
	snprintf(path, sizeof(path), "/apis/apps/v1/namespaces/%s/daemonsets/%s", namespace_,
		o->daemonset);
	r = call(c, &rq, err);
	/* In the foreground: the DaemonSet stays until its last Pod is gone. */
	rq = (struct kube_request){.method = "GET", .path = path};
	while (r > 0 && r != 404) {
		if (clock_monotonic_usec() > until)
			return error_set(err, -ETIMEDOUT,
				"agents of DaemonSet %s/%s still run after %lld s: see its Pods, "
				"and try again",
				namespace_, o->daemonset,
				(long long)(o->timeout_usec / USEC_PER_SEC));
		usleep(POLL_USEC);
		r = call(c, &rq, err);
	}
	return r < 0 ? r : 0;
}

static int clean_node(
	struct caller *c, const char *name, const struct node_view *v, struct error *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(4096);
	char path[UNINSTALL_PATH_MAX];
	struct kube_request rq = {.method = "PATCH", .path = path, .patch = KUBE_PATCH_MERGE};
	const char *comma = "";
	int r;

	buf_puts(&body, "{\"status\":{\"capacity\":{");
	for (size_t k = 0; k < CAPACITY_KEY_N; k++) {
		if (!v->capacity[k].ours)
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
	r = call(c, &rq, err);
	if (r < 0)
		return r;
	printf("node %s: capacities removed\n", name);
	return 0;
}

/* A page of Nodes; *token: where the next begins, "" when this was the last. */
static int clean_page(struct caller *c, char token[UNINSTALL_PATH_MAX], struct error *err)
{
	static const struct json_limits limits = {
		.max_bytes = KUBE_RESPONSE_MAX, .max_nodes = 4 << 20, .max_depth = 64};
	_cleanup_json_ struct json doc = {0};
	_cleanup_arena_ struct arena a = ARENA_INIT(1024 * 1024);
	_cleanup_buf_ struct buf text = BUF_INIT(KUBE_RESPONSE_MAX);
	char path[2 * UNINSTALL_PATH_MAX];
	const struct kube_request rq = {.method = "GET", .path = path};
	struct json_iter it;
	int r;

	snprintf(path, sizeof(path), "/api/v1/nodes?limit=%d%s%s", PAGE_NODES,
		*token ? "&continue=" : "", token);
	r = call(c, &rq, err);
	if (r < 0)
		return r;
	/* The next call overwrites the body. */
	if (buf_span(&text, buf_view(&c->body)) < 0)
		return error_oom(err);
	r = json_parse(&doc, buf_view(&text), &limits, err);
	if (r < 0)
		return error_prefix(err, r, "list of nodes");
	snprintf(token, UNINSTALL_PATH_MAX, SPAN_FMT,
		SPAN_ARG(json_str(json_find(json_root(&doc), "metadata", "continue"), &a)));
	json_each (it, json_get(json_root(&doc), "items")) {
		struct span name = json_str(json_find(it.value, "metadata", "name"), &a);
		char copy[256];
		struct node_view v;

		if (!name.p || name.len >= sizeof(copy) || node_view_read(&v, it.value) < 0)
			continue;
		snprintf(copy, sizeof(copy), SPAN_FMT, SPAN_ARG(name));
		r = clean_node(c, copy, &v, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int uninstall(const struct options *o, struct error *err)
{
	const struct kube_client_options k = {
		.kubeconfig = o->kubeconfig,
		.user_agent = "casemate-nodeagent/" CASEMATE_VERSION,
	};
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(kube_client_free_p) struct kube_client *kube = NULL;
	struct caller c = {.body = BUF_INIT(KUBE_RESPONSE_MAX)};
	char token[UNINSTALL_PATH_MAX] = "";
	int r = sd_event_default(&event);

	if (r < 0)
		return error_set(err, r, "no event loop");
	r = kube_client_new(&kube, event, &k, err);
	if (r < 0)
		return r;
	c.event = event;
	c.kube = kube;
	r = end_agents(&c, o, err);
	while (r == 0) {
		r = clean_page(&c, token, err);
		if (!*token)
			break;
	}
	buf_free(&c.body);
	return r;
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
