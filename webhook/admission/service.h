/* SPDX-License-Identifier: Apache-2.0
 *
 * The admission webhooks as an HTTP handler: /mutate, /validate, and the same below /enabled for
 * the webhook entries whose selector already says that the namespace is ("/hint/…" may follow: words
 * for those who see the URL in an error). Runs on the server's threads; what it judges by is a
 * snapshot that the event loop replaces. */
#pragma once

#include "common/base/error.h"
#include "common/net/server.h"
#include "common/observe/metrics.h"
#include "webhook/admission/review.h"
#include "webhook/config.h"
#include "webhook/policy/profile.h"

struct service;
struct pod_lookup;

/* A refused pod whose owner should hear of it. Strings live during the call. */
struct refusal {
	const char *namespace_, *message;
	struct {
		const char *api_version, *kind, *name, *uid;
	} owner;
};

struct service_hooks {
	/* Finds a live pod (GET), then calls service_lookup_done() from any thread. NULL: there is
	 * no API server, such reviews are refused. A negative return refuses too. */
	int (*lookup)(void *ctx, struct pod_lookup *l, const char *namespace_, const char *name);
	/* A controller's pod was refused. NULL: nobody is told. Called on a server thread. */
	void (*refused)(void *ctx, const struct refusal *r);
	void *ctx;
};

/* metrics may be NULL. */
int service_new(struct service **ret_s, struct metrics *metrics, const struct service_hooks *hooks,
	struct error *err);
void service_free(struct service *s); /* after the server has stopped; NULL allowed */
DEFINE_CLEANUP(struct service *, service_free)

/* Judges by these from now on. config: reference-counted by the service through
 * webhook_config_ref; profiles likewise (NULL: none known);
 * verdicts are copied (NULL: nobody looks at them). */
int service_set(struct service *s, struct webhook_config *config, struct profile_set *profiles,
	const struct verdicts *verdicts, struct error *err);

/* An http_handler; ctx is the service. */
enum http_verdict service_handle(void *ctx, struct http_exchange *x,
	const struct http_request *req, struct http_response *res);

/* The answer to a lookup. pod: JSON, empty with problem when it could not be had. */
void service_lookup_done(struct pod_lookup *l, struct span pod, const char *problem);

/* Requests that the server shed before they came here. */
void service_count_shed(struct service *s, uint64_t n);
