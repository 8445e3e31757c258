/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever kubeconfig_parse accepts names a server, trusts a given CA when that speaks TLS, and has
 * nothing twice; whatever it refuses says where. */
#include "common/kube/kubeconfig.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void must_be_pair(const char *pem, const char *file)
{
	must(!pem[0] || !file[0]);
	must(!pem[0] || strstr(pem, "-----BEGIN "));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_kubeconfig_ struct kubeconfig k = {0};
	struct error err = {0};
	int r = kubeconfig_parse(&k, (struct span){(const char *)data, size}, "in", &err);
	bool https;

	if (r < 0) {
		must(!k.server && err.code == r);
		must(strncmp(err.message, "in:", 3) == 0);
		return 0;
	}
	https = strncmp(k.server, "https://", 8) == 0;
	must(https || strncmp(k.server, "http://", 7) == 0);
	must(k.server[strlen(k.server) - 1] != '/');
	must_be_pair(k.ca_pem, k.ca_file);
	must_be_pair(k.cert_pem, k.cert_file);
	must_be_pair(k.key_pem, k.key_file);
	must_be_pair("", k.token_file);
	must(!https || k.ca_pem[0] || k.ca_file[0]);
	must((k.cert_pem[0] || k.cert_file[0]) == (k.key_pem[0] || k.key_file[0]));
	must(!k.token[0] || !k.token_file[0]);
	return 0;
}
