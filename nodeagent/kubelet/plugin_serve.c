/* SPDX-License-Identifier: Apache-2.0
 *
 * A resource's server: the methods that the kubelet calls. */
#include <stdlib.h>

#include "common/base/clock.h"
#include "nodeagent/kubelet/message.h"
#include "nodeagent/kubelet/plugin_private.h"

struct resource_request {
	struct grpc_call *call; /* NULL: the kubelet waits no longer */
};

/* As the kubelet shows it: "rpc error: code = NotFound desc = ...". */
static enum grpc_status status_of(int code)
{
	switch (code) {
	case -ENOENT:
		return GRPC_NOT_FOUND;
	case -EBADMSG:
	case -EINVAL:
		return GRPC_INVALID_ARGUMENT;
	case -EACCES:
	case -EPERM:
		return GRPC_PERMISSION_DENIED;
	case -EAGAIN:
	case -ENODEV:
	case -EADDRNOTAVAIL:
		return GRPC_UNAVAILABLE;
	case -ENOMEM:
	case -ENOSPC:
	case -E2BIG:
		return GRPC_RESOURCE_EXHAUSTED;
	default:
		return GRPC_FAILED_PRECONDITION;
	}
}

/* Answers with what out holds, or with its failure. */
static void answer(struct grpc_call *call, const struct buf *out)
{
	int r = out->err ? out->err : grpc_reply(call, buf_view(out));

	if (r < 0)
		grpc_finish(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
	else
		grpc_finish(call, GRPC_OK, NULL);
}

static void get_options(void *ctx, struct grpc_call *call, struct span message)
{
	struct plugin *p = ctx;
	_cleanup_buf_ struct buf out = BUF_INIT(DEVICES_REPLY_MAX);

	(void)message;
	devices_options(&p->devices, &out);
	answer(call, &out);
}

static void watcher_remove(struct watcher *w)
{
	struct watcher **at = &w->plugin->watchers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

static void watcher_closed(void *ctx)
{
	struct watcher *w = ctx;
	struct plugin *p = w->plugin;

	watcher_remove(w);
	free(w);
	if (!p->watchers)
		plugin_event(p, REGISTRATION_LIST_CLOSED);
}

/* A list that cannot be sent ends the stream: the kubelet must not keep an old one. */
static void send_list(struct watcher *w)
{
	struct plugin *p = w->plugin;
	_cleanup_buf_ struct buf out = BUF_INIT(DEVICES_REPLY_MAX);
	int r = devices_list(&p->devices, &out);

	if (r >= 0)
		r = grpc_reply(w->call, buf_view(&out));
	if (r < 0) {
		grpc_finish(w->call, GRPC_RESOURCE_EXHAUSTED, "the list of devices cannot be sent");
		watcher_closed(w);
		return;
	}
	w->count = p->devices.count;
	w->healthy = p->devices.healthy;
}

void plugin_send_list(struct plugin *p)
{
	struct watcher *next;

	for (struct watcher *w = p->watchers; w; w = next) {
		next = w->next;
		if (w->count != p->devices.count || w->healthy != p->devices.healthy)
			send_list(w);
	}
}

static void list_and_watch(void *ctx, struct grpc_call *call, struct span message)
{
	struct plugin *p = ctx;
	struct watcher *w;
	size_t n = 0;

	(void)message;
	for (w = p->watchers; w; w = w->next)
		n++;
	w = n < PLUGIN_WATCHERS_MAX ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		grpc_finish(call, GRPC_RESOURCE_EXHAUSTED, "too many follow the list of devices");
		return;
	}
	*w = (struct watcher){.plugin = p, .call = call, .next = p->watchers};
	p->watchers = w;
	grpc_call_on_closed(call, watcher_closed, w);
	plugin_event(p, REGISTRATION_LIST_OPENED);
	send_list(w);
}

static void allocate(void *ctx, struct grpc_call *call, struct span message)
{
	struct plugin *p = ctx;
	const char *name = p->resource.name;
	int64_t began = clock_monotonic_usec();
	_cleanup_buf_ struct buf out = BUF_INIT(DEVICES_REPLY_MAX);
	struct error err = {0};
	int r = devices_allocate(&p->devices, message, &out, &err);

	if (r < 0)
		grpc_finish(call, status_of(r), err.message);
	else
		answer(call, &out);
	metric_add(p->all->m_allocations, 1, METRIC_VALUES(name, r < 0 ? "refused" : "ok"));
	metric_observe(p->all->m_duration, (double)(clock_monotonic_usec() - began) / USEC_PER_SEC,
		METRIC_VALUES(name));
}

static void pre_start_closed(void *ctx)
{
	struct resource_request *rq = ctx;

	rq->call = NULL;
}

static void pre_start(void *ctx, struct grpc_call *call, struct span message)
{
	struct plugin *p = ctx;
	_cleanup_arena_ struct arena a = ARENA_INIT(DEVICES_MEMORY_MAX);
	struct resource_request *rq;
	const char *const *ids = NULL;
	struct error err = {0};
	size_t n = 0;
	int r = devices_pre_start(&p->devices, message, &a, &ids, &n, &err);

	if (r < 0) {
		grpc_finish(call, status_of(r), err.message);
		return;
	}
	rq = calloc(1, sizeof(*rq));
	if (!rq) {
		grpc_finish(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	rq->call = call;
	grpc_call_on_closed(call, pre_start_closed, rq);
	if (p->resource.pre_start)
		p->resource.pre_start(p->resource.ctx, ids, n, rq);
	else
		resource_pre_start_done(rq, NULL);
}

void resource_pre_start_done(struct resource_request *rq, const struct error *err)
{
	struct buf empty = BUF_INIT(0);

	if (rq->call && err)
		grpc_finish(rq->call, status_of(err->code), err->message);
	else if (rq->call)
		answer(rq->call, &empty);
	free(rq);
}

static const struct grpc_method methods[] = {
	{"/v1beta1.DevicePlugin/GetDevicePluginOptions", get_options},
	{"/v1beta1.DevicePlugin/ListAndWatch", list_and_watch},
	{"/v1beta1.DevicePlugin/Allocate", allocate},
	{"/v1beta1.DevicePlugin/PreStartContainer", pre_start},
};

int plugin_serve(struct plugin *p, struct error *err)
{
	char path[PLUGIN_PATH_MAX];
	struct grpc_server_options o = {
		.path = path,
		.mode = 0600,
		.methods = methods,
		.n_methods = ARRAY_SIZE(methods),
		.ctx = p,
		.max_message = DEVICES_REQUEST_MAX,
	};
	int r = plugin_path(p->all, path, p->socket, err);

	return r < 0 ? r : grpc_server_start(&p->server, p->all->event, &o, err);
}

void plugin_stop(struct plugin *p)
{
	grpc_server_stop(p->server);
	p->server = NULL;
}
