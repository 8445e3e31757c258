/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/guest_init_data.h"

#include <errno.h>
#include <openssl/evp.h>

bool guest_init_data_configured(const struct policy_config *config)
{
	return config->guests.kbs_url[0] != '\0';
}

int guest_init_data_write(
	struct buf *out, const struct policy_config *config, const struct profile *p)
{
	const char *url = config->guests.kbs_url, *ca = config->guests.kbs_ca;

	buf_printf(out,
		"# Casemate: namespace %s, EnclaveProfile %s\n"
		"version = \"0.1.0\"\n"
		"algorithm = \"sha256\"\n"
		"\n"
		"[data]\n",
		p->namespace_, p->name);
	buf_printf(out,
		"\"aa.toml\" = '''\n"
		"[token_configs]\n"
		"[token_configs.kbs]\n"
		"url = \"%s\"\n"
		"cert = \"\"\"\n"
		"%s\"\"\"\n"
		"'''\n"
		"\n",
		url, ca);
	buf_printf(out,
		"\"cdh.toml\" = '''\n"
		"socket = \"unix:///run/confidential-containers/cdh.sock\"\n"
		"credentials = []\n"
		"skip_sealed_secret_verification = true\n"
		"\n"
		"[kbc]\n"
		"name = \"cc_kbc\"\n"
		"url = \"%s\"\n"
		"kbs_cert = \"\"\"\n"
		"%s\"\"\"\n"
		"'''\n"
		"\n"
		"\"policy.rego\" = '''\n",
		url, ca);
	guest_policy_write(out, p);
	return buf_puts(out, "'''\n");
}

int guest_init_data_digest(unsigned char ret[INIT_DATA_DIGEST], const struct policy_config *config,
	const struct profile *p)
{
	_cleanup_buf_ struct buf text = BUF_INIT(INIT_DATA_MAX);

	if (!guest_init_data_configured(config))
		return -ENOENT;
	if (guest_init_data_write(&text, config, p) < 0)
		return text.err;
	return EVP_Digest(text.p, text.len, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}
