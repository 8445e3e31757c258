/* SPDX-License-Identifier: Apache-2.0
 *
 * What operators meet, on listeners of their own: a daemon's health, its metrics and its pages. All
 * answers are made on the loop's thread, so that what they show needs no locks, and so that health
 * says that the loop turns without any timer: a request that the loop does not take up within
 * OPS_STALL_SEC is answered 500 by a thread of the server. Nothing wakes up while nobody asks.
 *
 * Health is plain HTTP, for kubelets. The metrics listener may be secured: HTTPS, and each request
 * needs a token of the audience configured, or a client certificate. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/settings.h"
#include "common/net/caller.h"
#include "common/net/server.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"

struct ops;

enum {
	OPS_STALL_SEC = 5,
	OPS_ROUTES_MAX = 8,
};

/* Answers GET and HEAD of exactly this path, on the loop's thread. HTTP_DEFERRED: http_finish()
 * later, even when the ops are gone by then. Not http_header(): its time is over. */
struct ops_route {
	const char *path;
	http_handler handler;
	void *ctx;
};

/* The settings metrics.secure, .audience, .users, .groups, .tls.cert, .tls.key and .clientCa, for
 * the tables of daemons: offsets are those of this struct. */
struct ops_security {
	bool secure;
	const char *audience;         /* that a token must be for */
	struct strings users, groups; /* who may ask; both empty: any token of the audience */
	const char *tls_cert, *tls_key; /* files; "": a self-signed certificate, made in memory */
	const char *client_ca;        /* file: clients with a certificate of these CAs may ask, by
				       * their common name as user; "": tokens alone */
};
extern const struct setting ops_security_settings[];
extern const size_t n_ops_security_settings;

/* Do they make sense? tokens: there is an API server to judge tokens. -EINVAL with what to
 * change. */
int ops_security_check(const struct ops_security *s, bool tokens, struct error *err);

/* For a reload: only a restart takes up others. */
bool ops_security_same(const struct ops_security *a, const struct ops_security *b);

struct ops_options {
	sd_event *event;
	struct health *health;   /* gets the check "event-loop" */
	struct metrics *metrics; /* collectors run on the loop's thread */
	/* "ADDRESS:PORT" or "none". The metrics listener has /metrics and the routes; the page
	 * listener (NULL: none) the routes alone, in plain HTTP for whoever reaches it: an address
	 * of this machine or pod. */
	const char *health_listen, *metrics_listen, *page_listen;
	const struct ops_route *routes; /* copied, but not its strings */
	size_t n_routes;
	/* On the loop's thread, before health or metrics are answered: to bring them up to date.
	 * NULL: nothing to do. */
	void (*refresh)(void *ctx);
	void *ctx;
	int64_t stall_usec; /* 0: OPS_STALL_SEC */
	const struct ops_security *security; /* copied; its strings outlive the ops. NULL: plain */
	const struct caller_judge *judge;    /* copied; NULL: no tokens */
};

/* On the loop's thread, as everything here. event, health, metrics and what the judge is made of
 * outlive it. -EINVAL, -EADDRINUSE and the like, with the setting's name. */
int ops_new(struct ops **ret_o, const struct ops_options *o, struct error *err);
void ops_free(struct ops *o); /* not from within an answer; NULL allowed */
DEFINE_CLEANUP(struct ops *, ops_free)

enum ops_listener { OPS_HEALTH, OPS_METRICS, OPS_PAGE, OPS_LISTENER_N };
/* The port that a listener got; 0: it is off. */
uint16_t ops_port(const struct ops *o, enum ops_listener l);

/* Splits "ADDRESS:PORT" ("[::]:443", "127.0.0.1:0"). address: at least 64 bytes. setting names it
 * in the message. */
int ops_parse_listen(const char *listen, const char *setting, char address[64], uint16_t *ret_port,
	struct error *err);

#define OPS_LISTEN_NONE "none" /* instead of an address: this listener is off */

/* The setting of one listener. */
struct ops_listen {
	const char **listen; /* "ADDRESS:PORT"; "": nothing was set */
	const char *setting; /* its name, for messages */
	int port;            /* for what was not set; 0: it must be */
	bool optional;       /* may be OPS_LISTEN_NONE */
};

/* For a daemon's configuration: completes what was not set, with all addresses of the machine or
 * pod, standalone with 127.0.0.1 (the text lives in a), and checks what was. -EINVAL, -ENOMEM. */
int ops_listen_finish(const struct ops_listen *listens, size_t n, bool standalone, struct arena *a,
	struct error *err);
