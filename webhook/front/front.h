/* SPDX-License-Identifier: Apache-2.0
 *
 * What the roles verifier and broker have in common towards their clients: the settings of
 * listener, certificate, agents' account and policy, and the HTTPS server with its certificate,
 * which is self-made (its authority published in a ConfigMap) or comes from files. A shell: it
 * logs. On the loop's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/base/settings.h"
#include "common/kube/client.h"
#include "common/net/server.h"
#include "common/net/tls.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"

/*
 * Settings
 */

struct front_config {
	const char *listen; /* "ADDRESS:PORT" */
	const char *agent;  /* "NAMESPACE:NAME" of the agents' ServiceAccount */
	/* A verification policy as JSON (common/tee/policy.h); SPAN_NONE: the default. */
	struct span policy;
	struct {
		const char *cert, *key; /* files; "": self-made, in the Secret */
		const char *secret_name, *service_name, *ca_config_map;
	} tls;
};

/* For settings: field is front_config's policy. */
int front_parse_policy(const struct settings_source *src, struct json_val v, void *field,
	struct arena *a, struct error *err);

#define FRONT_SETTING_(prefix, at, member, key, default_, meta_, help_)                            \
	{                                                                                          \
		.name = prefix "." key, .type = SETTING_STRING,                                    \
		.offset = (at) + offsetof(struct front_config, member), .def = (default_),         \
		.meta = (meta_), .help = help_                                                     \
	}
/* The settings PREFIX.listen, .agentServiceAccount, .policy and .tls.… of a struct front_config at
 * that offset. port: the default one, for help. */
#define FRONT_SETTINGS(prefix, at, port)                                                           \
	FRONT_SETTING_(prefix, at, listen, "listen", NULL, "ADDRESS:PORT",                         \
		"HTTPS of the " prefix " (0.0.0.0:" port ")"),                                     \
		FRONT_SETTING_(prefix, at, agent, "agentServiceAccount",                           \
			"casemate-system:casemate-agent", "NAMESPACE:NAME",                        \
			"whose tokens node agents bring"),                                         \
		{.name = prefix ".policy",                                                         \
			.type = SETTING_CUSTOM,                                                    \
			.offset = (at) + offsetof(struct front_config, policy),                    \
			.file_only = true,                                                         \
			.parse = front_parse_policy},                                              \
		FRONT_SETTING_(prefix, at, tls.cert, "tls.cert", NULL, "FILE",                     \
			"the " prefix "'s certificate chain (PEM); none: self-made"),              \
		FRONT_SETTING_(                                                                    \
			prefix, at, tls.key, "tls.key", NULL, "FILE", "its private key (PEM)"),    \
		FRONT_SETTING_(prefix, at, tls.secret_name, "tls.secretName",                      \
			"casemate-" prefix "-tls", "NAME",                                         \
			"Secret of the self-made CA and certificate"),                             \
		FRONT_SETTING_(prefix, at, tls.service_name, "tls.serviceName",                    \
			"casemate-" prefix, "NAME", "Service that the certificate names"),         \
		FRONT_SETTING_(prefix, at, tls.ca_config_map, "tls.caConfigMap",                   \
			"casemate-" prefix "-ca", "NAME",                                          \
			"ConfigMap by which agents know whom to trust")

/* Checks them against each other; prefix: as above. -EINVAL with what to change. */
int front_config_check(const struct front_config *c, const char *prefix, struct error *err);
/* Is there no change from a to b, which only a restart would take up? */
bool front_config_same(const struct front_config *a, const struct front_config *b);

/*
 * The server
 */

/* What all servers of a process share. */
struct front_serving {
	const char *tls_min, *tls_ciphers;
	int64_t ca_lifetime_usec, leaf_lifetime_usec; /* of self-made certificates */
	unsigned threads;
	struct server_limits limits;
};

struct front_options {
	sd_event *event;
	struct kube_client *kube; /* NULL: standalone; then the files must be good at once */
	struct metrics *metrics;  /* of the certificate; with health; NULL: told elsewhere */
	struct health *health;
	const char *prefix;                /* "verifier" */
	const char *what;                  /* "Serving keys", for the log */
	const struct front_config *config; /* borrowed during front_new() */
	const char *namespace_;            /* of Secret, ConfigMap and Service; outlives it */
	struct front_serving serving;
	bool on_loop; /* the handler runs on the loop's thread, not on threads of the server */
};

struct front;

/* Serves by handler(ctx). Errors of certs_new() and server_start(), with the setting. */
int front_new(struct front **ret_f, const struct front_options *o, http_handler handler, void *ctx,
	struct error *err);
struct server *front_server(const struct front *f);
/* The certificate that is served, kept current; as long as f. */
struct tls_identity *front_identity(const struct front *f);
/* Handlers are called no more; what they use can be freed, and then f. */
void front_stop(struct front *f); /* NULL allowed */
void front_free(struct front *f); /* NULL allowed; stops it */
DEFINE_CLEANUP(struct front *, front_free)
