/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/cleanup.h"
#include "common/base/settings_file.h"
#include "common/net/ops.h"

enum { CONFIG_ARENA_MAX = 16 * 1024 * 1024 };

#define DEFAULT_FILE "/etc/casemate/webhook.yaml"
#define SECONDS(n)   ((int64_t)(n)*1000000)
#define AT(field)    offsetof(struct webhook_config, field)

static const char *const tls_modes[] = {"self", "certManager", "files", NULL};
static const char *const tls_versions[] = {"1.2", "1.3", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const outputs[] = {"auto", "yaml", "json", NULL};

static const struct setting serve_settings[] = {
	{.name = "roles",
		.type = SETTING_STRINGS,
		.offset = AT(roles),
		.def = "admission",
		.meta = "ROLE[,ROLE]",
		.help = "what to serve: admission, verifier, broker"},
	{.name = "standalone",
		.type = SETTING_BOOL,
		.offset = AT(standalone),
		.help = "admission or broker without an API server: everything comes from files, "
			"listening on 127.0.0.1"},
	{.name = "checkConfig",
		.type = SETTING_BOOL,
		.offset = AT(check_config),
		.help = "check the configuration and exit"},
	{.name = "listen",
		.type = SETTING_STRING,
		.offset = AT(listen),
		.meta = "ADDRESS:PORT",
		.help = "HTTPS of the webhooks (0.0.0.0:8443)"},
	{.name = "health.listen",
		.type = SETTING_STRING,
		.offset = AT(health_listen),
		.meta = "ADDRESS:PORT",
		.help = "/livez and /readyz (0.0.0.0:8080); \"none\": off"},
	{.name = "metrics.listen",
		.type = SETTING_STRING,
		.offset = AT(metrics_listen),
		.meta = "ADDRESS:PORT",
		.help = "/metrics (0.0.0.0:8081); \"none\": off"},
	{.name = "kubeconfig",
		.type = SETTING_STRING,
		.offset = AT(kubeconfig),
		.meta = "FILE",
		.help = "credentials of the API server (in a cluster: its own)"},
	{.name = "namespace",
		.type = SETTING_STRING,
		.offset = AT(namespace_),
		.meta = "NAME",
		.help = "where the daemon's own Secret and Service are (the credentials')"},
	{.name = "threads",
		.type = SETTING_INT,
		.offset = AT(threads),
		.def = "2",
		.min = 1,
		.max = 16,
		.help = "that handle reviews"},
	{.name = "tls.mode",
		.type = SETTING_ENUM,
		.offset = AT(tls.mode),
		.def = "self",
		.choices = tls_modes,
		.help = "who makes the certificate; self: kept in a Secret, rotated"},
	{.name = "tls.cert",
		.type = SETTING_STRING,
		.offset = AT(tls.cert),
		.meta = "FILE",
		.help = "certificate chain (PEM); read again when it changes"},
	{.name = "tls.key",
		.type = SETTING_STRING,
		.offset = AT(tls.key),
		.meta = "FILE",
		.help = "its private key (PEM)"},
	{.name = "tls.ca",
		.type = SETTING_STRING,
		.offset = AT(tls.ca),
		.meta = "FILE",
		.help = "mode files: the CAs that signed it (PEM), kept as caBundle in the webhook "
			"configurations"},
	{.name = "tls.clientCa",
		.type = SETTING_STRING,
		.offset = AT(tls.client_ca),
		.meta = "FILE",
		.help = "demand client certificates of these CAs (an API server must be "
			"configured to send one)"},
	{.name = "tls.secretName",
		.type = SETTING_STRING,
		.offset = AT(tls.secret_name),
		.def = "casemate-admission-tls",
		.meta = "NAME",
		.help = "Secret of the self-made CA and certificate"},
	{.name = "tls.serviceName",
		.type = SETTING_STRING,
		.offset = AT(tls.service_name),
		.def = "casemate-admission",
		.meta = "NAME",
		.help = "Service that the certificate names"},
	{.name = "tls.mutatingConfiguration",
		.type = SETTING_STRING,
		.offset = AT(tls.mutating_configuration),
		.def = "casemate-admission",
		.meta = "NAME",
		.help = "MutatingWebhookConfiguration whose caBundle is kept"},
	{.name = "tls.validatingConfiguration",
		.type = SETTING_STRING,
		.offset = AT(tls.validating_configuration),
		.def = "casemate-admission",
		.meta = "NAME",
		.help = "ValidatingWebhookConfiguration whose caBundle is kept"},
	{.name = "tls.caLifetime",
		.type = SETTING_DURATION,
		.offset = AT(tls.ca_lifetime_usec),
		.def = "8760h",
		.min = SECONDS(20),
		.help = "of the self-made CA"},
	{.name = "tls.leafLifetime",
		.type = SETTING_DURATION,
		.offset = AT(tls.leaf_lifetime_usec),
		.def = "168h",
		.min = SECONDS(10),
		.help = "of the self-made certificate; renewed after two thirds"},
	{.name = "tls.minVersion",
		.type = SETTING_ENUM,
		.offset = AT(tls.min_version),
		.def = "1.2",
		.choices = tls_versions,
		.help = "oldest TLS version accepted"},
	{.name = "tls.cipherSuites",
		.type = SETTING_STRING,
		.offset = AT(tls.cipher_suites),
		.meta = "PRIORITIES",
		.help = "GnuTLS priority string instead of the default"},
	{.name = "limits.maxBody",
		.type = SETTING_QUANTITY,
		.offset = AT(limits.body),
		.def = "7Mi",
		.min = 64 * 1024,
		.max = 64 * 1024 * 1024,
		.help = "bytes of a review; beyond: 413"},
	{.name = "limits.maxHeader",
		.type = SETTING_QUANTITY,
		.offset = AT(limits.header),
		.def = "16Ki",
		.min = 4096,
		.max = 1024 * 1024,
		.help = "bytes of a request's headers; beyond: 431"},
	{.name = "limits.maxDepth",
		.type = SETTING_INT,
		.offset = AT(limits.depth),
		.def = "100",
		.min = 20,
		.max = 1000,
		.help = "nesting of a review"},
	{.name = "limits.maxConnections",
		.type = SETTING_INT,
		.offset = AT(limits.connections),
		.def = "1000",
		.min = 10,
		.max = 100000,
		.help = "open at once; then one makes room for the next"},
	{.name = "limits.maxInFlight",
		.type = SETTING_INT,
		.offset = AT(limits.in_flight),
		.def = "200",
		.min = 1,
		.max = 100000,
		.help = "reviews at once; beyond: 429 and the API server tries again"},
	{.name = "limits.requestTimeout",
		.type = SETTING_DURATION,
		.offset = AT(limits.request_usec),
		.def = "10s",
		.min = SECONDS(1),
		.help = "for a request to arrive"},
	{.name = "limits.idleTimeout",
		.type = SETTING_DURATION,
		.offset = AT(limits.idle_usec),
		.def = "180s",
		.min = SECONDS(90),
		.help = "of a kept-alive connection (an API server's own is 90s)"},
	{.name = "shutdown.delay",
		.type = SETTING_DURATION,
		.offset = AT(shutdown.delay_usec),
		.def = "5s",
		.help = "goes on serving this long after SIGTERM, not ready any more"},
	{.name = "shutdown.timeout",
		.type = SETTING_DURATION,
		.offset = AT(shutdown.timeout_usec),
		.def = "15s",
		.help = "for reviews in flight to finish after that"},
	{.name = "logging.format",
		.type = SETTING_ENUM,
		.offset = AT(log_format),
		.def = "text",
		.choices = log_formats,
		.help = "text or json"},
	{.name = "logging.verbosity",
		.type = SETTING_INT,
		.offset = AT(verbosity),
		.def = "2",
		.max = 10,
		.help = "2 is normal, 4 shows each review"},
};

static const struct setting review_settings[] = {
	{.name = "patch",
		.type = SETTING_BOOL,
		.offset = AT(patch),
		.no_file = true,
		.help = "print the JSON Patch of each document instead of the document"},
	{.name = "explain",
		.type = SETTING_BOOL,
		.offset = AT(explain),
		.no_file = true,
		.help = "print what would be changed, and why, instead of the document"},
	{.name = "output",
		.type = SETTING_ENUM,
		.offset = AT(output),
		.def = "auto",
		.choices = outputs,
		.no_file = true,
		.help = "auto: as the input"},
	{.name = "namespace",
		.type = SETTING_STRING,
		.offset = AT(object_namespace),
		.def = "default",
		.meta = "NAME",
		.no_file = true,
		.help = "of objects that name none"},
};

static const struct setting shared_settings[] = {
	{.name = "config",
		.type = SETTING_STRING,
		.offset = AT(file),
		.meta = "FILE",
		.no_file = true,
		.help = "configuration (serve: " DEFAULT_FILE " when it exists)"},
	{.name = "profiles",
		.type = SETTING_STRING,
		.offset = AT(profiles_dir),
		.meta = "DIR",
		.help = "EnclaveProfiles from the files of a folder"},
};

/* A command's table: its own settings, the shared ones and those of policy. */
static struct settings_table table_of(enum config_use use)
{
	struct settings_table t = {0};

	settings_add(&t, serve_settings, ARRAY_SIZE(serve_settings), 0);
	settings_add(&t, ops_security_settings, n_ops_security_settings, AT(metrics));
	settings_add(&t, verifier_settings, n_verifier_settings, AT(verifier));
	settings_add(&t, broker_settings, n_broker_settings, AT(broker));
	if (use == CONFIG_REVIEW) {
		/* The daemon's file serves here too; what is not policy has no effect. */
		for (size_t i = 0; i < t.n; i++) {
			t.v[i].file_only = true;
			t.v[i].help = NULL;
		}
		settings_add(&t, review_settings, ARRAY_SIZE(review_settings), 0);
	}
	settings_add(&t, shared_settings, ARRAY_SIZE(shared_settings), 0);
	settings_add(&t, policy_settings, n_policy_settings, AT(policy));
	return t;
}

static const char *const role_names[ROLE_N] = {"admission", "verifier", "broker"};

bool webhook_config_has_role(const struct webhook_config *c, enum role role)
{
	for (size_t i = 0; i < c->roles.n; i++)
		if (strcmp(c->roles.v[i], role_names[role]) == 0)
			return true;
	return false;
}

static int check_roles(const struct webhook_config *c, struct error *err)
{
	for (size_t i = 0; i < c->roles.n; i++) {
		bool known = false;

		for (size_t k = 0; k < ROLE_N; k++)
			known |= strcmp(c->roles.v[i], role_names[k]) == 0;
		if (!known)
			return error_set(err, -EINVAL,
				"roles: \"%s\" is no role of this version; expected "
				"admission, verifier or broker",
				c->roles.v[i]);
	}
	if (!c->roles.n)
		return error_set(
			err, -EINVAL, "roles: name at least one of admission, verifier and broker");
	if (c->standalone && webhook_config_has_role(c, ROLE_VERIFIER))
		return error_set(err, -EINVAL,
			"roles: the verifier needs an API server, so it does not go with "
			"--standalone");
	return 0;
}

static int check_serve(struct webhook_config *c, struct error *err)
{
	bool files = c->standalone || c->tls.mode != TLS_SELF;
	int r = check_roles(c, err);

	if (r == 0)
		r = verifier_config_finish(&c->verifier, err);
	if (r == 0 && webhook_config_has_role(c, ROLE_BROKER))
		r = broker_config_finish(&c->broker, c->standalone, err);
	if (r < 0)
		return r;
	if (webhook_config_has_role(c, ROLE_ADMISSION) && files && (!*c->tls.cert || !*c->tls.key))
		return error_set(err, -EINVAL,
			"%s needs a certificate: set tls.cert and tls.key (--tls-cert FILE "
			"--tls-key FILE)",
			c->standalone ? "--standalone" : "tls.mode other than self");
	if (!c->standalone && *c->profiles_dir)
		return error_set(err, -EINVAL,
			"profiles: a folder of profiles goes with --standalone; in a cluster "
			"they are EnclaveProfile objects");
	return ops_security_check(&c->metrics, !c->standalone, err);
}

static int finish_listens(struct webhook_config *c, struct error *err)
{
	const struct ops_listen listens[] = {
		{&c->listen, "listen", 8443, false},
		{&c->verifier.front.listen, "verifier.listen", 8444, false},
		{&c->broker.front.listen, "broker.listen", 8445, false},
		{&c->broker.provision.listen, "broker.provision.listen", 0, true},
		{&c->health_listen, "health.listen", 8080, true},
		{&c->metrics_listen, "metrics.listen", 8081, true},
	};

	return ops_listen_finish(listens, ARRAY_SIZE(listens), c->standalone, &c->arena, err);
}

static int finish(struct webhook_config *c, enum config_use use, struct error *err)
{
	int r = policy_config_finish(&c->policy, &c->arena, err);

	if (r == 0 && use == CONFIG_SERVE)
		r = check_serve(c, err);
	if (r == 0 && use == CONFIG_SERVE)
		r = finish_listens(c, err);
	return r;
}

static struct webhook_config *config_new(void)
{
	struct webhook_config *c = calloc(1, sizeof(*c));

	if (c) {
		atomic_init(&c->refs, 1);
		c->arena = ARENA_INIT(CONFIG_ARENA_MAX);
	}
	return c;
}

int webhook_config_parse(struct webhook_config **ret_c, enum config_use use, const char *file,
	struct span text, struct error *err)
{
	_cleanup_(webhook_config_unref_p) struct webhook_config *c = config_new();
	struct settings_table t = table_of(use);
	const struct settings_input in = {.table = t.v, .n = t.n, .file = file, .text = text};
	int r;

	if (!c)
		return error_oom(err);
	r = settings_read(&in, c, &c->arena, NULL, err);
	if (r < 0)
		return r;
	r = finish(c, use, err);
	if (r < 0)
		return error_prefix(err, r, "%s", file);
	*ret_c = TAKE_PTR(c);
	return 0;
}

int webhook_config_load(struct webhook_config **ret_c, enum config_use use, int argc, char **argv,
	struct strings *ret_rest, struct error *err)
{
	_cleanup_(webhook_config_unref_p) struct webhook_config *c = config_new();
	struct settings_table t = table_of(use);
	const struct settings_load load = {
		.table = t.v,
		.n = t.n,
		.file = AT(file),
		.default_file = use == CONFIG_SERVE ? DEFAULT_FILE : NULL,
		.argc = argc,
		.argv = argv,
	};
	int r;

	if (!c)
		return error_oom(err);
	r = settings_load(&load, c, &c->arena, ret_rest, err);
	if (r < 0)
		return r;
	r = finish(c, use, err);
	if (r < 0)
		return *c->file ? error_prefix(err, settings_blame_file(r), "%s", c->file) : r;
	*ret_c = TAKE_PTR(c);
	return 0;
}

struct webhook_config *webhook_config_ref(struct webhook_config *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void webhook_config_unref(struct webhook_config *c)
{
	struct arena a;

	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	a = c->arena;
	arena_free(&a);
	free(c);
}

int webhook_config_help(struct buf *out, enum config_use use)
{
	struct settings_table t = table_of(use);

	return settings_help(out, t.v, t.n);
}

bool webhook_config_needs_restart(const struct webhook_config *a, const struct webhook_config *b)
{
	return strcmp(a->listen, b->listen) != 0 ||
	       strcmp(a->health_listen, b->health_listen) != 0 ||
	       strcmp(a->metrics_listen, b->metrics_listen) != 0 ||
	       !ops_security_same(&a->metrics, &b->metrics) || a->threads != b->threads ||
	       a->standalone != b->standalone || strcmp(a->kubeconfig, b->kubeconfig) != 0 ||
	       a->tls.mode != b->tls.mode || strcmp(a->tls.cert, b->tls.cert) != 0 ||
	       strcmp(a->tls.key, b->tls.key) != 0 || strcmp(a->tls.ca, b->tls.ca) != 0 ||
	       strcmp(a->tls.client_ca, b->tls.client_ca) != 0 ||
	       strcmp(a->tls.secret_name, b->tls.secret_name) != 0 ||
	       a->policy.require_verdicts != b->policy.require_verdicts ||
	       a->tls.min_version != b->tls.min_version ||
	       strcmp(a->tls.cipher_suites, b->tls.cipher_suites) != 0 ||
	       memcmp(&a->limits, &b->limits, sizeof(a->limits)) != 0 ||
	       !front_config_same(&a->verifier.front, &b->verifier.front) ||
	       a->verifier.taint != b->verifier.taint ||
	       broker_config_needs_restart(&a->broker, &b->broker);
}

struct front_serving webhook_config_serving(const struct webhook_config *c)
{
	return (struct front_serving){
		.tls_min = c->tls.min_version ? "1.3" : "1.2",
		.tls_ciphers = c->tls.cipher_suites,
		.ca_lifetime_usec = c->tls.ca_lifetime_usec,
		.leaf_lifetime_usec = c->tls.leaf_lifetime_usec,
		.threads = (unsigned)c->threads,
		.limits =
			{
				.max_body = (size_t)c->limits.body,
				.max_header = (size_t)c->limits.header,
				.max_connections = (unsigned)c->limits.connections,
				.max_in_flight = (unsigned)c->limits.in_flight,
				.request_usec = c->limits.request_usec,
				.idle_usec = c->limits.idle_usec,
			},
	};
}
