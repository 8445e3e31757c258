/* SPDX-License-Identifier: Apache-2.0
 *
 * The kubelet's side of the device plugin API, for tests, in this process and on its loop: calls
 * GetDevicePluginOptions back while Register waits, then follows the list; removes every socket of
 * its folder when it starts. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/base/buf.h"
#include "common/net/grpc.h"

enum { FAKE_PLUGINS_MAX = 4, FAKE_PATH_MAX = 108 };

struct fake_plugin { /* as the kubelet sees it */
	struct fake_kubelet *kubelet;
	char resource[64], endpoint[64];
	struct grpc_call *registering;
	struct grpc_channel *channel;
	struct grpc_stream *list;
	bool pre_start;
	unsigned lists; /* received, of all streams */
	size_t devices, healthy;
	char last_id[64];
};

struct fake_kubelet {
	sd_event *event;
	const char *dir;
	struct grpc_server *server;
	unsigned refuse; /* so many Registers, with Unknown, as the kubelet does */
	const char *refusal;
	bool never_list;    /* after Register */
	unsigned registers; /* that came */
	unsigned overlaps;  /* of them, while the plugin's list was still followed */
	struct fake_plugin plugins[FAKE_PLUGINS_MAX];
};

void fake_kubelet_start(struct fake_kubelet *k);
/* killed: its socket stays behind. */
void fake_kubelet_stop(struct fake_kubelet *k, bool killed);
struct fake_plugin *fake_kubelet_find(struct fake_kubelet *k, const char *resource);
/* Ends the stream, or the whole connection, of a plugin. */
void fake_kubelet_drop(struct fake_plugin *p, bool connection);

struct fake_answer {
	bool done;
	enum grpc_status status;
	char message[512];
	struct buf bytes;
};
/* Calls a method of the plugin and turns the loop until it has answered. */
void fake_kubelet_call(
	struct fake_plugin *p, const char *method, struct span request, struct fake_answer *a);
/* The same without waiting: a outlives the call. */
struct grpc_stream *fake_kubelet_begin(
	struct fake_plugin *p, const char *method, struct span request, struct fake_answer *a);

/* Turns the loop until cond holds, or 10 s have passed; says whether it does. */
#define FAKE_UNTIL(event, cond)                                                                    \
	({                                                                                         \
		for (int turns_ = 0; turns_ < 2000 && !(cond); turns_++)                           \
			sd_event_run((event), 5000);                                               \
		(bool)(cond);                                                                      \
	})
/* Turns the loop for a while, to see that nothing happens. */
void fake_kubelet_wait(sd_event *event, int64_t usec);

/* A socket file in dir that nobody listens on. */
void fake_stale_socket(const char *dir, const char *name);
