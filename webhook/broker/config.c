/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/config.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct broker_config, member)

/* field: the struct span. What it means is read by common/tee/policy.h. */
static int parse_policy(const struct settings_source *src, struct json_val v, void *field,
	struct arena *a, struct error *err)
{
	struct span *policy = field;

	if (!json_is_object(v))
		return settings_error(src, v, err, "must be a map");
	*policy = arena_dup(a, json_raw(v));
	return policy->p ? 0 : error_oom(err);
}

const struct setting broker_settings[] = {
	{.name = "broker.listen",
		.type = SETTING_STRING,
		.offset = AT(listen),
		.meta = "ADDRESS:PORT",
		.help = "HTTPS of the key broker (0.0.0.0:8445)"},
	{.name = "broker.agentServiceAccount",
		.type = SETTING_STRING,
		.offset = AT(agent),
		.def = "casemate-system:casemate-agent",
		.meta = "NAMESPACE:NAME",
		.help = "whose tokens node agents bring"},
	COLLATERAL_SETTINGS("broker", AT(collateral)),
	{.name = "broker.policy",
		.type = SETTING_CUSTOM,
		.offset = AT(policy),
		.file_only = true,
		.parse = parse_policy},
	{.name = "broker.allowSample",
		.type = SETTING_BOOL,
		.offset = AT(allow_sample),
		.help = "give keys for sample evidence, which proves nothing: for tests"},
	{.name = "broker.rsaOaepSha1",
		.type = SETTING_BOOL,
		.offset = AT(rsa_oaep_sha1),
		.help = "wrap for RSA keys with SHA-1, as clients built on OpenSSL unwrap what "
			"they "
			"call RSA-OAEP-256"},
	{.name = "broker.simulatedRoot",
		.type = SETTING_STRING,
		.offset = AT(simulated_root),
		.meta = "FILE",
		.help = "standalone: root of the simulated TEE (PEM), with allowSimulated"},
	{.name = "broker.keys",
		.type = SETTING_STRING,
		.offset = AT(keys),
		.meta = "DIR",
		.help = "standalone: folder of the wrapped keys"},
	{.name = "broker.kekFile",
		.type = SETTING_STRING,
		.offset = AT(kek_file),
		.meta = "FILE",
		.help = "the key-encryption key that wraps all others"},
	{.name = "broker.insecureKekInSecret",
		.type = SETTING_BOOL,
		.offset = AT(insecure_kek_in_secret),
		.help = "keep the key-encryption key in a Secret beside the keys: protects "
			"nothing"},
	{.name = "broker.tokenKey",
		.type = SETTING_STRING,
		.offset = AT(token_key),
		.meta = "FILE",
		.help = "standalone: P-256 key (PEM) that signs tokens (made anew at each start)"},
	{.name = "broker.retention",
		.type = SETTING_DURATION,
		.offset = AT(retention_usec),
		.def = "720h",
		.help = "how long keys are kept that no profile names any more"},
	{.name = "broker.maxRate",
		.type = SETTING_INT,
		.offset = AT(max_rate),
		.def = "500",
		.min = 1,
		.max = 100000,
		.help = "handshakes and attestations a second, whoever asks; beyond: 429"},
	{.name = "broker.audit.file",
		.type = SETTING_STRING,
		.offset = AT(audit.file),
		.meta = "FILE",
		.help = "the audit log (standard output)"},
	{.name = "broker.audit.rotateSize",
		.type = SETTING_QUANTITY,
		.offset = AT(audit.rotate_bytes),
		.def = "64Mi",
		.min = 65536,
		.help = "a file that would pass this is put aside"},
	{.name = "broker.audit.keep",
		.type = SETTING_INT,
		.offset = AT(audit.keep),
		.def = "10",
		.min = 1,
		.max = 1000,
		.help = "files beside the newest"},
	{.name = "broker.denied.platforms",
		.type = SETTING_STRINGS,
		.offset = AT(denied.platforms),
		.meta = "HEX[,HEX]",
		.help = "platform ids that get no keys"},
	{.name = "broker.denied.measurements",
		.type = SETTING_STRINGS,
		.offset = AT(denied.measurements),
		.meta = "HEX[,HEX]",
		.help = "measurements that get no keys"},
	{.name = "broker.denied.nodes",
		.type = SETTING_STRINGS,
		.offset = AT(denied.nodes),
		.meta = "NAME[,NAME]",
		.help = "nodes whose pods get no keys"},
	{.name = "broker.denied.keys",
		.type = SETTING_STRINGS,
		.offset = AT(denied.keys),
		.meta = "NAMESPACE/PROFILE/KEY[,…]",
		.help = "keys that nobody gets"},
	{.name = "broker.tls.cert",
		.type = SETTING_STRING,
		.offset = AT(tls.cert),
		.meta = "FILE",
		.help = "the broker's certificate chain (PEM); none: self-made"},
	{.name = "broker.tls.key",
		.type = SETTING_STRING,
		.offset = AT(tls.key),
		.meta = "FILE",
		.help = "its private key (PEM)"},
	{.name = "broker.tls.secretName",
		.type = SETTING_STRING,
		.offset = AT(tls.secret_name),
		.def = "casemate-broker-tls",
		.meta = "NAME",
		.help = "Secret of the self-made CA and certificate"},
	{.name = "broker.tls.serviceName",
		.type = SETTING_STRING,
		.offset = AT(tls.service_name),
		.def = "casemate-broker",
		.meta = "NAME",
		.help = "Service that the certificate names"},
	{.name = "broker.tls.caConfigMap",
		.type = SETTING_STRING,
		.offset = AT(tls.ca_config_map),
		.def = "casemate-broker-ca",
		.meta = "NAME",
		.help = "ConfigMap by which agents know whom to trust"},
};
const size_t n_broker_settings = sizeof(broker_settings) / sizeof(broker_settings[0]);

static int check_standalone(const struct broker_config *c, struct error *err)
{
	if (!*c->tls.cert)
		return error_set(err, -EINVAL,
			"--standalone needs a certificate: set broker.tls.cert and broker.tls.key");
	if (!*c->keys || !*c->kek_file)
		return error_set(err, -EINVAL,
			"--standalone needs a folder of keys and what wraps them: set broker.keys "
			"and broker.kekFile");
	return 0;
}

int broker_config_finish(struct broker_config *c, bool standalone, struct error *err)
{
	const char *colon = strchr(c->agent, ':');
	int r = collateral_sources_finish(&c->collateral, "broker", err);

	if (r < 0)
		return r;
	if (!colon || colon == c->agent || !colon[1] || strchr(colon + 1, ':'))
		return error_set(err, -EINVAL,
			"broker.agentServiceAccount: \"%.140s\" is not NAMESPACE:NAME", c->agent);
	if (!*c->tls.cert != !*c->tls.key)
		return error_set(err, -EINVAL,
			"broker.tls.cert and broker.tls.key go together: set both or none");
	if (standalone)
		return check_standalone(c, err);
	if (!*c->kek_file == !c->insecure_kek_in_secret)
		return error_set(err, -EINVAL,
			"broker.kekFile or broker.insecureKekInSecret: set one, and not both; keys "
			"are stored wrapped by a key-encryption key");
	return 0;
}

bool broker_config_needs_restart(const struct broker_config *a, const struct broker_config *b)
{
	return strcmp(a->listen, b->listen) != 0 || strcmp(a->agent, b->agent) != 0 ||
	       !span_equal(a->policy, b->policy) || a->allow_sample != b->allow_sample ||
	       a->rsa_oaep_sha1 != b->rsa_oaep_sha1 || a->max_rate != b->max_rate ||
	       strcmp(a->simulated_root, b->simulated_root) != 0 || strcmp(a->keys, b->keys) != 0 ||
	       strcmp(a->kek_file, b->kek_file) != 0 || strcmp(a->token_key, b->token_key) != 0 ||
	       strcmp(a->audit.file, b->audit.file) != 0 || strcmp(a->tls.cert, b->tls.cert) != 0 ||
	       strcmp(a->tls.key, b->tls.key) != 0;
}
