/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by plugin.c (all resources of the agent, and what happens when), plugin_serve.c (a
 * resource's own server) and plugin_register.c (its way to the kubelet). */
#pragma once

#include <sys/stat.h>

#include "common/net/grpc.h"
#include "nodeagent/kubelet/devices.h"
#include "nodeagent/kubelet/dir_watch.h"
#include "nodeagent/kubelet/plugin.h"
#include "nodeagent/kubelet/registration.h"

#define PLUGIN_KUBELET_SOCKET "kubelet.sock"

enum {
	PLUGINS_MAX = 8,
	PLUGIN_WATCHERS_MAX = 4, /* streams of ListAndWatch; the kubelet has one */
	PLUGIN_FILE_MAX = 128,   /* of a socket's name, NUL included */
	PLUGIN_PATH_MAX = 108,   /* of its path (unix(7)), NUL included */
	PLUGIN_PROBLEM_MAX = 480,
};

/* Somebody follows the list. */
struct watcher {
	struct plugin *plugin;
	struct watcher *next;
	struct grpc_call *call;
	unsigned count; /* as sent last */
	bool healthy;
};

struct plugin {
	struct plugins *all;
	struct resource resource;
	struct devices devices;
	struct registration registration;
	char socket[PLUGIN_FILE_MAX]; /* ours: "casemate-sgx.intel.com-enclave.sock" */
	char rival[PLUGIN_FILE_MAX];  /* Intel's: "sgx.intel.com-enclave.sock" */
	struct grpc_server *server;
	struct grpc_channel *channel; /* a Register is under way */
	struct watcher *watchers;
	sd_event_source *rival_end; /* our connection to the rival: its end is the rival's */
	enum plugin_state shown;    /* as of the last changed() */
	char problem[PLUGIN_PROBLEM_MAX];
};

struct kubelet_id { /* of its socket; all 0: there is none */
	dev_t dev;
	ino_t ino;
	struct timespec made;
};

struct plugins {
	sd_event *event;
	char *dir;
	void (*changed)(void *ctx);
	void *ctx;
	sd_event_source *timer; /* plugins_run(): everything is done from there */
	struct dir_watch *watch;
	struct kubelet_id kubelet;
	bool dirty; /* something that people may see has changed */
	struct metric *m_devices, *m_allocations, *m_duration, *m_registrations, *m_connected;
	size_t n;
	struct plugin v[PLUGINS_MAX];
};

/* Something happened; what follows is done soon, from the loop. */
void plugin_event(struct plugin *p, enum registration_event e);
void plugin_problem(struct plugin *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* dir/file; -ENAMETOOLONG. */
int plugin_path(
	const struct plugins *all, char out[PLUGIN_PATH_MAX], const char *file, struct error *err);

/* plugin_serve.c */
int plugin_serve(struct plugin *p, struct error *err);
void plugin_stop(struct plugin *p);      /* the kubelet sees its stream end */
void plugin_send_list(struct plugin *p); /* to who has not got this one yet */

/* plugin_register.c */
/* Starts Register; its end is an event. */
int plugin_register(struct plugin *p, struct error *err);
/* Does another plugin serve our resource? Then its end is an event, and the problem says so. */
bool plugin_rival(struct plugin *p);
void plugin_rival_problem(struct plugin *p, const char *file);
void plugin_forget_rival(struct plugin *p);
