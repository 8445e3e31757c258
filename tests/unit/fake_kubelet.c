/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fake_kubelet.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "nodeagent/kubelet/deviceplugin.pb-c.h"
#include "tests/unit/test.h"

static void listed(void *ctx, struct span message)
{
	struct fake_plugin *p = ctx;
	V1beta1__ListAndWatchResponse *m = v1beta1__list_and_watch_response__unpack(
		NULL, message.len, (const uint8_t *)message.p);

	CU_ASSERT_PTR_NOT_NULL(m);
	if (!m)
		return;
	p->lists++;
	p->devices = m->n_devices;
	p->healthy = 0;
	for (size_t i = 0; i < m->n_devices; i++) {
		p->healthy += strcmp(m->devices[i]->health, "Healthy") == 0;
		snprintf(p->last_id, sizeof(p->last_id), "%s", m->devices[i]->id);
	}
	v1beta1__list_and_watch_response__free_unpacked(m, NULL);
}

static void list_ended(void *ctx, enum grpc_status status, const char *message)
{
	struct fake_plugin *p = ctx;

	(void)status;
	(void)message;
	p->list = NULL;
}

static void follow(struct fake_plugin *p)
{
	struct grpc_stream_options o = {
		.path = "/v1beta1.DevicePlugin/ListAndWatch",
		.message_received = listed,
		.done = list_ended,
		.ctx = p,
	};

	CU_ASSERT_EQUAL(grpc_start(p->channel, &o, &p->list, NULL), 0);
}

static void take_options(void *ctx, struct span message)
{
	struct fake_plugin *p = ctx;

	p->pre_start = span_equal(message, SPAN_LIT("\x08\x01"));
}

/* Only now is Register answered, and the list asked for. */
static void have_options(void *ctx, enum grpc_status status, const char *message)
{
	struct fake_plugin *p = ctx;
	struct grpc_call *call = p->registering;

	p->registering = NULL;
	if (!call)
		return;
	if (status != GRPC_OK) {
		grpc_finish(call, GRPC_UNKNOWN, message);
		return;
	}
	grpc_reply(call, SPAN_NONE);
	grpc_finish(call, GRPC_OK, NULL);
	if (!p->kubelet->never_list)
		follow(p);
}

static void gave_up(void *ctx)
{
	struct fake_plugin *p = ctx;

	p->registering = NULL;
}

static void call_back(struct fake_plugin *p, struct grpc_call *call)
{
	char path[FAKE_PATH_MAX];
	struct grpc_channel_options channel = {.path = path};
	struct grpc_stream_options o = {
		.path = "/v1beta1.DevicePlugin/GetDevicePluginOptions",
		.message_received = take_options,
		.done = have_options,
		.ctx = p,
	};
	struct error err = {0};

	grpc_channel_free(p->channel);
	p->channel = NULL;
	p->list = NULL;
	snprintf(path, sizeof(path), "%s/%s", p->kubelet->dir, p->endpoint);
	if (grpc_channel_open(&p->channel, p->kubelet->event, &channel, &err) < 0 ||
		grpc_start(p->channel, &o, NULL, &err) < 0) {
		grpc_finish(call, GRPC_UNKNOWN, err.message);
		return;
	}
	p->registering = call;
	grpc_call_on_closed(call, gave_up, p);
}

struct fake_plugin *fake_kubelet_find(struct fake_kubelet *k, const char *resource)
{
	for (size_t i = 0; i < FAKE_PLUGINS_MAX; i++)
		if (strcmp(k->plugins[i].resource, resource) == 0)
			return &k->plugins[i];
	return NULL;
}

static void do_register(void *ctx, struct grpc_call *call, struct span message)
{
	struct fake_kubelet *k = ctx;
	V1beta1__RegisterRequest *q =
		v1beta1__register_request__unpack(NULL, message.len, (const uint8_t *)message.p);
	struct fake_plugin *p = q ? fake_kubelet_find(k, q->resource_name) : NULL;

	k->registers++;
	if (q && !p)
		p = fake_kubelet_find(k, "");
	CU_ASSERT(q && p && strcmp(q->version, "v1beta1") == 0);
	if (!q || !p)
		return;
	p->kubelet = k;
	k->overlaps += p->list != NULL;
	snprintf(p->resource, sizeof(p->resource), "%s", q->resource_name);
	snprintf(p->endpoint, sizeof(p->endpoint), "%s", q->endpoint);
	v1beta1__register_request__free_unpacked(q, NULL);
	if (k->refuse) {
		k->refuse--;
		grpc_finish(call, GRPC_UNKNOWN, k->refusal);
		return;
	}
	call_back(p, call);
}

static void remove_sockets(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	CU_ASSERT_PTR_NOT_NULL(d);
	/* cppcheck-suppress readdirCalled ; the stream is nobody else's */
	while (d && (e = readdir(d)))
		if (e->d_type == DT_SOCK)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

void fake_kubelet_start(struct fake_kubelet *k)
{
	static const struct grpc_method methods[] = {
		{"/v1beta1.Registration/Register", do_register},
	};
	char path[FAKE_PATH_MAX];
	struct grpc_server_options o = {.path = path, .methods = methods, .n_methods = 1, .ctx = k};
	struct error err = {0};

	remove_sockets(k->dir);
	snprintf(path, sizeof(path), "%s/kubelet.sock", k->dir);
	CU_ASSERT_EQUAL(grpc_server_start(&k->server, k->event, &o, &err), 0);
}

void fake_stale_socket(const char *dir, const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/%.24s", dir, name);
	unlink(a.sun_path);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
}

void fake_kubelet_stop(struct fake_kubelet *k, bool killed)
{
	for (size_t i = 0; i < FAKE_PLUGINS_MAX; i++)
		fake_kubelet_drop(&k->plugins[i], true);
	grpc_server_stop(k->server);
	k->server = NULL;
	if (killed)
		fake_stale_socket(k->dir, "kubelet.sock");
}

void fake_kubelet_drop(struct fake_plugin *p, bool connection)
{
	if (p->list)
		grpc_cancel(p->list);
	p->list = NULL;
	if (!connection)
		return;
	grpc_channel_free(p->channel);
	p->channel = NULL;
}

static void answer_bytes(void *ctx, struct span message)
{
	struct fake_answer *a = ctx;

	buf_span(&a->bytes, message);
}

static void answer_done(void *ctx, enum grpc_status status, const char *message)
{
	struct fake_answer *a = ctx;

	a->done = true;
	a->status = status;
	snprintf(a->message, sizeof(a->message), "%s", message);
}

struct grpc_stream *fake_kubelet_begin(
	struct fake_plugin *p, const char *method, struct span request, struct fake_answer *a)
{
	char path[128];
	struct grpc_stream_options o = {
		.path = path,
		.message = request,
		.timeout_usec = 60 * USEC_PER_SEC,
		.message_received = answer_bytes,
		.done = answer_done,
		.ctx = a,
	};
	struct grpc_stream *stream = NULL;

	*a = (struct fake_answer){.bytes = BUF_INIT(1 << 20)};
	snprintf(path, sizeof(path), "/v1beta1.DevicePlugin/%s", method);
	CU_ASSERT_EQUAL(grpc_start(p->channel, &o, &stream, NULL), 0);
	return stream;
}

void fake_kubelet_call(
	struct fake_plugin *p, const char *method, struct span request, struct fake_answer *a)
{
	fake_kubelet_begin(p, method, request, a);
	CU_ASSERT(FAKE_UNTIL(p->kubelet->event, a->done));
}

void fake_kubelet_wait(sd_event *event, int64_t usec)
{
	int64_t end = clock_monotonic_usec() + usec;

	while (clock_monotonic_usec() < end)
		sd_event_run(event, 5000);
}
