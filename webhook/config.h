/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that can be set about casemate-webhook: the file /etc/casemate/webhook.yaml, the
 * environment (CASEMATE_…) and the command line, one table. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/settings.h"
#include "common/base/log.h"
#include "common/net/ops.h"
#include "common/net/server.h"
#include "webhook/broker/config.h"
#include "webhook/policy/config.h"
#include "webhook/verifier/config.h"

enum tls_mode { TLS_SELF, TLS_CERT_MANAGER, TLS_FILES };

struct webhook_config {
	atomic_uint refs;
	struct arena arena; /* owns every string below */
	const char *file;   /* it was read from; "" : none */

	struct strings roles;
	bool standalone;
	bool check_config;
	const char *listen, *health_listen, *metrics_listen; /* "ADDRESS:PORT" */
	struct ops_security metrics;
	const char *profiles_dir;
	const char *kubeconfig;
	const char *namespace_; /* of the daemon's Secret and Service; "" : the credentials' own */
	int64_t threads;

	struct {
		int mode;                                /* enum tls_mode */
		const char *cert, *key, *ca, *client_ca; /* files */
		const char *secret_name, *service_name;
		const char *mutating_configuration, *validating_configuration;
		int64_t ca_lifetime_usec, leaf_lifetime_usec;
		int min_version; /* index: 0 "1.2", 1 "1.3" */
		const char *cipher_suites;
	} tls;

	struct {
		int64_t body, header; /* bytes */
		int64_t depth, connections, in_flight;
		int64_t request_usec, idle_usec;
	} limits;

	struct {
		int64_t delay_usec, timeout_usec;
	} shutdown;

	int log_format; /* enum log_format */
	int64_t verbosity;

	/* of `review` */
	bool patch, explain;
	int output;                   /* index: 0 auto, 1 yaml, 2 json */
	const char *object_namespace; /* of objects that name none */

	struct policy_config policy;
	struct verifier_config verifier;
	struct broker_config broker;
};

enum role { ROLE_ADMISSION, ROLE_VERIFIER, ROLE_BROKER, ROLE_N };
bool webhook_config_has_role(const struct webhook_config *c, enum role role);
/* Is there a change from a to b that only a restart takes up? */
bool webhook_config_needs_restart(const struct webhook_config *a, const struct webhook_config *b);
/* Of every HTTPS server. */
struct front_serving webhook_config_serving(const struct webhook_config *c);

enum config_use { CONFIG_SERVE, CONFIG_REVIEW };

/* Reads --config FILE (or CASEMATE_CONFIG; for serve, /etc/casemate/webhook.yaml when it exists),
 * then the rest. argv: without program and command name. Other words land in *ret_rest, which must
 * be NULL where none are taken. One reference. -EINVAL: flags or variables are wrong; any other
 * error is the file's. The message says where. */
int webhook_config_load(struct webhook_config **ret_c, enum config_use use, int argc, char **argv,
	struct strings *ret_rest, struct error *err);
/* From the text of a file alone; file is its name in messages. */
int webhook_config_parse(struct webhook_config **ret_c, enum config_use use, const char *file,
	struct span text, struct error *err);
/* A reload swaps the pointer; whoever works by the old one keeps it alive. Thread-safe. */
struct webhook_config *webhook_config_ref(struct webhook_config *c);
void webhook_config_unref(struct webhook_config *c); /* NULL allowed */
DEFINE_CLEANUP(struct webhook_config *, webhook_config_unref)

/* The options of a command for --help. */
int webhook_config_help(struct buf *out, enum config_use use);
