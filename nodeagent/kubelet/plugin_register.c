/* SPDX-License-Identifier: Apache-2.0
 *
 * A resource's way to the kubelet: Register, and keeping away from who serves it already. */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "nodeagent/kubelet/plugin_private.h"

/* The kubelet dials us for 10 s before it answers. */
#define REGISTER_TIMEOUT_USEC (15 * (int64_t)USEC_PER_SEC)

enum { REQUEST_MAX = 1024 };

static void count(const struct plugin *p, bool ok)
{
	metric_add(
		p->all->m_registrations, 1, METRIC_VALUES(p->resource.name, ok ? "ok" : "failed"));
}

static void register_done(void *ctx, enum grpc_status status, const char *message)
{
	struct plugin *p = ctx;

	grpc_channel_free(p->channel);
	p->channel = NULL;
	count(p, status == GRPC_OK);
	if (status != GRPC_OK)
		plugin_problem(p, "the kubelet does not register %s: %s (%s); trying again",
			p->resource.name, message, grpc_status_name(status));
	plugin_event(p, status == GRPC_OK ? REGISTRATION_OK : REGISTRATION_REFUSED);
}

static int start_register(struct plugin *p, const char *path, struct error *err)
{
	struct grpc_channel_options channel = {.path = path, .max_message = REQUEST_MAX};
	struct grpc_stream_options call = {
		.path = "/v1beta1.Registration/Register",
		.timeout_usec = REGISTER_TIMEOUT_USEC,
		.done = register_done,
		.ctx = p,
	};
	_cleanup_buf_ struct buf request = BUF_INIT(REQUEST_MAX);
	int r = devices_register(&p->devices, p->socket, &request);

	if (r < 0)
		return error_set(err, r, "the request: %s", strerror(-r));
	call.message = buf_view(&request);
	r = grpc_channel_open(&p->channel, p->all->event, &channel, err);
	if (r >= 0)
		r = grpc_start(p->channel, &call, NULL, err);
	return r;
}

int plugin_register(struct plugin *p, struct error *err)
{
	char path[PLUGIN_PATH_MAX];
	int r = plugin_path(p->all, path, PLUGIN_KUBELET_SOCKET, err);

	grpc_channel_free(p->channel);
	p->channel = NULL;
	if (r >= 0)
		r = start_register(p, path, err);
	if (r >= 0)
		return 0;
	count(p, false);
	return error_prefix(err, r, "the kubelet does not answer");
}

/* A connection to who listens there: its descriptor, -EAGAIN when there is somebody who does not
 * accept now, or -errno when there is nobody. */
static int try_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int on_rival_end(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct plugin *p = ctx;

	(void)source;
	(void)fd;
	(void)events;
	plugin_forget_rival(p);
	plugin_event(p, REGISTRATION_RIVAL_CHANGED);
	return 0;
}

/* Is there somebody at this socket? Then we hold a connection to notice the end, without asking
 * again and again: a plugin that is killed leaves its socket behind. */
static bool find(struct plugin *p, const char *file)
{
	char path[PLUGIN_PATH_MAX];
	_cleanup_close_ int fd = -1;

	if (plugin_path(p->all, path, file, NULL) < 0)
		return false;
	fd = try_connect(path);
	if (fd < 0 && fd != -EAGAIN)
		return false;
	plugin_event(p, REGISTRATION_RIVAL);
	if (fd >= 0)
		sd_event_add_io(p->all->event, &p->rival_end, fd, EPOLLRDHUP, on_rival_end, p);
	if (p->rival_end && sd_event_source_set_io_fd_own(p->rival_end, true) >= 0)
		fd = -1;
	else
		plugin_event(p, REGISTRATION_RIVAL_CHANGED);
	return true;
}

void plugin_rival_problem(struct plugin *p, const char *file)
{
	if (file == p->socket)
		plugin_problem(p,
			"another casemate-nodeagent serves %s (%s/%s): a node must run one only; "
			"when "
			"that one ends, this one takes over by itself",
			p->resource.name, p->all->dir, file);
	else
		plugin_problem(p,
			"another device plugin serves %s (%s/%s), and the two would take it from "
			"each "
			"other: uninstall that one, for example Intel's SGX device plugin; then "
			"this "
			"agent takes over by itself",
			p->resource.name, p->all->dir, file);
}

bool plugin_rival(struct plugin *p)
{
	const char *file = NULL;

	plugin_forget_rival(p);
	if (find(p, p->rival))
		file = p->rival;
	else if (!p->server && find(p, p->socket))
		file = p->socket;
	if (file)
		plugin_rival_problem(p, file);
	return file;
}

void plugin_forget_rival(struct plugin *p)
{
	p->rival_end = sd_event_source_disable_unref(p->rival_end);
}
