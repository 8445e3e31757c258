/* SPDX-License-Identifier: Apache-2.0
 *
 * allocate SOCKET ID [CALLS]: how long an Allocate of one device takes at a plugin's socket, one
 * call after the other as the kubelet makes them. Prints "p50 p99 max" in microseconds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-event.h>

#include "common/base/clock.h"
#include "common/net/grpc.h"
#include "nodeagent/kubelet/deviceplugin.pb-c.h"
#include "nodeagent/kubelet/message.h"

enum { CALLS_MAX = 1000000, REQUEST_MAX = 256 };

struct bench {
	sd_event *event;
	struct grpc_channel *channel;
	struct buf request;
	int64_t began;
	int64_t *took; /* n of calls */
	size_t n, calls;
	bool failed;
};

static int call(struct bench *b);

static void done(void *ctx, enum grpc_status status, const char *message)
{
	struct bench *b = ctx;

	b->took[b->n++] = clock_monotonic_usec() - b->began;
	if (status != GRPC_OK) {
		fprintf(stderr, "allocate: %s: %s\n", grpc_status_name(status), message);
		b->failed = true;
	}
	if (b->failed || b->n == b->calls || call(b) < 0)
		sd_event_exit(b->event, 0);
}

static int call(struct bench *b)
{
	const struct grpc_stream_options o = {
		.path = "/v1beta1.DevicePlugin/Allocate",
		.message = buf_view(&b->request),
		.done = done,
		.ctx = b,
	};

	b->began = clock_monotonic_usec();
	return grpc_start(b->channel, &o, NULL, NULL);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int run(struct bench *b, const char *socket, struct error *err)
{
	const struct grpc_channel_options o = {.path = socket};
	int r = sd_event_default(&b->event);

	if (r < 0)
		return error_set(err, r, "no event loop");
	r = grpc_channel_open(&b->channel, b->event, &o, err);
	if (r == 0 && (r = call(b)) == 0)
		r = sd_event_loop(b->event);
	return r < 0 || b->failed ? -EIO : 0;
}

int main(int argc, char **argv)
{
	struct bench b = {.request = BUF_INIT(REQUEST_MAX)};
	V1beta1__ContainerAllocateRequest container = V1BETA1__CONTAINER_ALLOCATE_REQUEST__INIT;
	V1beta1__ContainerAllocateRequest *containers[] = {&container};
	V1beta1__AllocateRequest request = V1BETA1__ALLOCATE_REQUEST__INIT;
	ProtobufCBinaryData id;
	struct error err = {0};
	int r;

	if (argc < 3) {
		fputs("Usage: allocate SOCKET ID [CALLS]\n", stderr);
		return 2;
	}
	b.calls = argc > 3 ? strtoul(argv[3], NULL, 10) : 10000;
	b.took = b.calls > 0 && b.calls <= CALLS_MAX ? calloc(b.calls, sizeof(*b.took)) : NULL;
	if (!b.took)
		return 2;
	id = (ProtobufCBinaryData){.data = (uint8_t *)argv[2], .len = strlen(argv[2])};
	container.n_devices_ids = 1;
	container.devices_ids = &id;
	request.n_container_requests = 1;
	request.container_requests = containers;
	message_pack(&b.request, &request.base);
	r = run(&b, argv[1], &err);
	if (r < 0) {
		fprintf(stderr, "allocate: %s: %s\n", argv[1], err.message);
		return 1;
	}
	qsort(b.took, b.n, sizeof(*b.took), compare);
	printf("%lld %lld %lld\n", (long long)b.took[b.n / 2], (long long)b.took[b.n * 99 / 100],
		(long long)b.took[b.n - 1]);
	grpc_channel_free(b.channel);
	sd_event_unref(b.event);
	buf_free(&b.request);
	free(b.took);
	return 0;
}
