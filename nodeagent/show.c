/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/command.h"
#include "nodeagent/agent.h"

enum {
	WAITERS_MAX = 32, /* requests at once that wait for the kubelet */
	SHOW_ARENA_MAX = 8 * 1024 * 1024,
};

struct waiter {
	struct waiter *next;
	struct http_exchange *exchange;
	const struct http_request *req;
	struct http_response *res;
};

static struct status_connection link_of(bool configured, bool connected, const char *problem)
{
	return (struct status_connection){
		.state = !configured ? STATUS_NOT_CONFIGURED
			 : connected ? STATUS_CONNECTED
				     : STATUS_DISCONNECTED,
		.problem = configured && !connected ? problem : "",
	};
}

static const char *kubelet_problem(const struct agent *a)
{
	for (size_t i = 0; i < plugins_count(a->plugins); i++) {
		const char *problem = plugins_at(a->plugins, i).problem;

		if (*problem)
			return problem;
	}
	return "";
}

static struct status_connection kubelet_link(const struct agent *a)
{
	return link_of(a->plugins, a->plugins && plugins_connected(a->plugins),
		a->plugins ? kubelet_problem(a) : "");
}

static struct status_keys keys_of(const struct agent *a)
{
	struct keys_view v;

	if (!a->keys)
		return STATUS_KEYS_NONE;
	v = keys_view(a->keys);
	return (struct status_keys){
		.broker = a->config->broker.url,
		.folders = v.folders,
		.waiting = v.waiting,
		.delivered = v.delivered,
		.refused = v.refused,
		.failed = v.failed,
		.problem = v.problem,
	};
}

/* Everything but the containers, which the kubelet must be asked for. The arrays are in m. */
static int fill(struct agent *a, struct status *s, struct arena *m)
{
	size_t n = a->plugins ? plugins_count(a->plugins) : 0;
	struct plugin_info *plugins = arena_alloc(m, (n + 1) * sizeof(*plugins));
	struct status_capacity *caps = arena_alloc(m, CAPACITY_KEY_N * sizeof(*caps));

	if (!plugins || !caps)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		plugins[i] = plugins_at(a->plugins, i);
	for (size_t i = 0; i < CAPACITY_KEY_N; i++)
		caps[i] = (struct status_capacity){
			.resource = capacity_key_name((enum capacity_key)i),
			.published = a->offer.capacity[i],
			.allocatable = a->capacity ? capacity_allocatable(
							     a->capacity, (enum capacity_key)i)
						   : -1,
		};
	*s = (struct status){
		.source = STATUS_AGENT,
		.node = a->config->node_name,
		.version = CASEMATE_VERSION,
		.now_usec = clock_unix_usec(),
		.started_usec = a->started_usec,
		.platform = &a->platform,
		.plugins = plugins,
		.n_plugins = n,
		.kubelet = kubelet_link(a),
		.api_server = link_of(a->capacity, a->capacity && capacity_connected(a->capacity),
			a->capacity ? capacity_connection_problem(a->capacity) : ""),
		.node_uid = a->capacity ? capacity_node_uid(a->capacity) : "",
		.capacity_state = a->capacity ? capacity_state(a->capacity) : CAPACITY_UNKNOWN,
		.capacity_problem = a->capacity ? capacity_problem(a->capacity) : "",
		.capacities = caps,
		.n_capacities = CAPACITY_KEY_N,
		.epc =
			{
				.reserved = a->config->epc.reserve,
				.published = a->offer.capacity[CAPACITY_EPC],
				.requested = a->pods ? pods_epc(a->pods) : -1,
			},
		.containers_problem = "",
		.attestation = a->attest ? attest_view(a->attest) : ATTEST_VIEW_NONE,
		.keys = keys_of(a),
	};
	return 0;
}

void agent_refresh(void *ctx)
{
	struct agent *a = ctx;
	const struct status_connection kubelet = kubelet_link(a);

	health_set(a->health, "kubelet", kubelet.state != STATUS_DISCONNECTED, kubelet.problem);
}

void agent_collect(void *ctx)
{
	struct agent *a = ctx;
	_cleanup_arena_ struct arena m = ARENA_INIT(SHOW_ARENA_MAX);
	struct status s;

	if (fill(a, &s, &m) == 0)
		agent_metrics_set(a->shown, &s);
}

static void answer(const struct waiter *w, const struct status *s)
{
	w->res->status = status_answer(s, w->req->path, w->res->body, &w->res->content_type);
}

/* What each container requested of EPC is in its pod, which the kubelet does not show. */
static void add_epc(struct agent *a, struct status_container *v, size_t n)
{
	for (size_t i = 0; a->pods && i < n; i++) {
		v[i].epc_bytes =
			pods_container_epc(a->pods, v[i].namespace_, v[i].pod, v[i].container);
		if (a->cgroup)
			v[i].epc_used_bytes = enforce_used(
				a->cgroup, a->pods, v[i].namespace_, v[i].pod, v[i].container);
	}
}

/* All that wait get the same answer. */
static void answer_all(struct agent *a, const struct holdings *h, const char *problem)
{
	_cleanup_arena_ struct arena m = ARENA_INIT(SHOW_ARENA_MAX);
	struct status_container *containers = NULL;
	struct waiter *w = TAKE_PTR(a->waiters);
	struct status s;
	int r = fill(a, &s, &m);

	if (r == 0 && h) {
		r = status_containers(h, &m, &containers, &s.n_containers);
		if (r == 0)
			add_epc(a, containers, s.n_containers);
		s.containers = containers;
		s.containers_cut = h->cut;
	}
	if (r == 0)
		s.containers_problem = problem;
	while (w) {
		struct waiter *next = w->next;

		if (r == 0)
			answer(w, &s);
		else
			w->res->status = 503;
		http_finish(w->exchange);
		free(w);
		w = next;
	}
}

static void listed(void *ctx, const struct holdings *h, const struct error *err)
{
	struct agent *a = ctx;

	a->listing = false;
	answer_all(a, h, err ? err->message : "");
}

static enum http_verdict show(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	struct agent *a = ctx;
	struct waiter *w;
	struct error err = {0};
	size_t n = 0;

	for (w = a->waiters; w; w = w->next)
		n++;
	w = n < WAITERS_MAX ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		res->status = 503;
		res->retry_after = 1;
		return HTTP_DONE;
	}
	*w = (struct waiter){.next = a->waiters, .exchange = x, .req = req, .res = res};
	a->waiters = w;
	if (a->listing)
		return HTTP_DEFERRED;
	if (a->pod_resources && pod_resources_list(a->pod_resources, listed, a, &err) == 0)
		a->listing = true;
	else
		answer_all(a, NULL, err.message);
	return HTTP_DEFERRED;
}

int agent_show_routes(struct agent *a, struct ops_route routes[OPS_ROUTES_MAX])
{
	static const char *const paths[] = {STATUS_PATH_PAGE, STATUS_PATH_JSON, STATUS_PATH_TEXT};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		routes[i] = (struct ops_route){.path = paths[i], .handler = show, .ctx = a};
	return ARRAY_SIZE(paths);
}

void agent_show_stop(struct agent *a)
{
	a->listing = false;
	answer_all(a, NULL, "the agent is stopping");
}
