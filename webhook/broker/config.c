/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/config.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/net/ops.h"

#define AT(member) offsetof(struct broker_config, member)

const struct setting broker_settings[] = {
	FRONT_SETTINGS("broker", AT(front), "8445"),
	COLLATERAL_SETTINGS("broker", AT(collateral)),
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
	KEK_SETTINGS("broker.kek", AT(kek)),
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
	{.name = "broker.restartOwners",
		.type = SETTING_BOOL,
		.offset = AT(restart_owners),
		.help = "roll owners of pods that hold older versions of keys with "
			"rotation.onChange: "
			"Restart"},
	{.name = "broker.maxRate",
		.type = SETTING_INT,
		.offset = AT(max_rate),
		.def = "500",
		.min = 1,
		.max = 100000,
		.help = "handshakes and attestations a second, of one address 3/4 of it; "
			"at once three times that"},
	{.name = "broker.audit.file",
		.type = SETTING_STRING,
		.offset = AT(audit.file),
		.meta = "FILE",
		.help = "the audit log (standard output)"},
	{.name = "broker.audit.journal",
		.type = SETTING_BOOL,
		.offset = AT(audit.journal),
		.help = "copy each line to systemd's journal, for a broker outside a cluster"},
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
	{.name = "broker.provision.listen",
		.type = SETTING_STRING,
		.offset = AT(provision.listen),
		.def = OPS_LISTEN_NONE,
		.meta = "ADDRESS:PORT",
		.help = "TLS of Gramine's secret provisioning, such as 0.0.0.0:4433; none: off"},
	{.name = "broker.tokens.jwks",
		.type = SETTING_STRING,
		.offset = AT(tokens.jwks),
		.meta = "FILE",
		.help = "standalone: keys that sign pods' tokens, as the API server has them at "
			"/openid/v1/jwks"},
	{.name = "broker.tokens.issuer",
		.type = SETTING_STRING,
		.offset = AT(tokens.issuer),
		.meta = "URL",
		.help = "and who they say they are of, as kube-apiserver "
			"--service-account-issuer has it"},
	{.name = "broker.tokens.audience",
		.type = SETTING_STRING,
		.offset = AT(tokens.audience),
		.def = "casemate.dev",
		.meta = "NAME",
		.help = "and for whom they must be"},
};
const size_t n_broker_settings = sizeof(broker_settings) / sizeof(broker_settings[0]);

static int check_tokens(const struct broker_config *c, bool standalone, struct error *err)
{
	if (*c->tokens.jwks && !standalone)
		return error_set(err, -EINVAL,
			"broker.tokens.jwks is for --standalone: in a cluster the API server says "
			"whose tokens are, and which are over");
	if (!*c->tokens.jwks != !*c->tokens.issuer)
		return error_set(err, -EINVAL,
			"broker.tokens.jwks and broker.tokens.issuer go together: set both or "
			"none");
	if (!*c->tokens.audience)
		return error_set(err, -EINVAL,
			"broker.tokens.audience: empty; a token for anybody is no token for this "
			"broker");
	return 0;
}

static int check_standalone(const struct broker_config *c, struct error *err)
{
	if (!*c->front.tls.cert)
		return error_set(err, -EINVAL,
			"--standalone needs a certificate: set broker.tls.cert and broker.tls.key");
	if (!*c->keys || c->insecure_kek_in_secret)
		return error_set(err, -EINVAL,
			"--standalone needs a folder of keys and what wraps them: set broker.keys "
			"and broker.kekFile (or broker.kek.vault, broker.kek.pkcs11), and not "
			"broker.insecureKekInSecret");
	return 0;
}

int broker_config_finish(struct broker_config *c, bool standalone, struct error *err)
{
	int r = front_config_check(&c->front, "broker", err);

	if (r == 0)
		r = collateral_sources_finish(&c->collateral, "broker", err);
	if (r < 0)
		return r;
	r = check_tokens(c, standalone, err);
	if (r == 0 && standalone)
		r = check_standalone(c, err);
	return r < 0 ? r
		     : kek_settings_finish(&c->kek, *c->kek_file, c->insecure_kek_in_secret,
			       "broker.kek", "broker.kekFile", err);
}

bool broker_config_needs_restart(const struct broker_config *a, const struct broker_config *b)
{
	return !front_config_same(&a->front, &b->front) || a->allow_sample != b->allow_sample ||
	       a->rsa_oaep_sha1 != b->rsa_oaep_sha1 || a->restart_owners != b->restart_owners ||
	       a->max_rate != b->max_rate || strcmp(a->simulated_root, b->simulated_root) != 0 ||
	       strcmp(a->keys, b->keys) != 0 || strcmp(a->kek_file, b->kek_file) != 0 ||
	       !kek_settings_same(&a->kek, &b->kek) || strcmp(a->token_key, b->token_key) != 0 ||
	       strcmp(a->audit.file, b->audit.file) != 0 || a->audit.journal != b->audit.journal ||
	       strcmp(a->tokens.jwks, b->tokens.jwks) != 0 ||
	       strcmp(a->tokens.issuer, b->tokens.issuer) != 0 ||
	       strcmp(a->tokens.audience, b->tokens.audience) != 0 ||
	       strcmp(a->provision.listen, b->provision.listen) != 0;
}
