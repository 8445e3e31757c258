/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration file, for both commands: what is refused says why, and where when it is the
 * file's text that is wrong; what is accepted lies within the limits that the rest of the program
 * takes for granted. A file that serves the daemon serves review, too. */
#include "webhook/config.h"

#include <errno.h>
#include <stdlib.h>

#include "common/net/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_listen(const char *listen, bool optional)
{
	char address[64];
	uint16_t port;

	must((optional && strcmp(listen, "none") == 0) ||
		ops_parse_listen(listen, "listen", address, &port, NULL) == 0);
}

static void check_serve(const struct webhook_config *c)
{
	check_listen(c->listen, false);
	check_listen(c->health_listen, true);
	check_listen(c->metrics_listen, true);
	must(c->roles.n == 0 || strcmp(c->roles.v[0], "admission") == 0);
	must(c->threads >= 1 && c->threads <= 16);
	must((!c->standalone && c->tls.mode == TLS_SELF) || (*c->tls.cert && *c->tls.key));
	must(c->limits.body >= 64 << 10 && c->limits.body <= 64 << 20);
	must(c->limits.header >= 4096 && c->limits.header <= 1 << 20);
	must(c->limits.depth >= 20 && c->limits.depth <= 1000);
	must(c->limits.connections > 0 && c->limits.in_flight > 0);
	must(c->limits.request_usec > 0 && c->limits.idle_usec > 0);
	must(c->shutdown.delay_usec >= 0 && c->shutdown.timeout_usec >= 0);
	must(c->tls.leaf_lifetime_usec > 0 && c->tls.ca_lifetime_usec > 0);
}

static void check_policy(const struct policy_config *c)
{
	must(c->epc_max >= 0);
	must(c->aesm_mount == AESM_RESOURCE || c->aesm_mount == AESM_HOST_PATH);
	must(c->vendor_mode == VENDOR_FULL || c->vendor_mode == VENDOR_DEVICES_ONLY);
	must(c->in_process >= IN_PROCESS_NEVER && c->in_process <= IN_PROCESS_ALWAYS);
	for (size_t i = 0; i < c->namespace_limits.n; i++)
		must(c->namespace_limits.v[i].epc_max > 0);
	for (enum tee t = TEE_NONE + 1; t < TEE_N; t++) {
		const struct tee_class *class = policy_class(c, t);

		must(class->name != NULL);
		for (size_t i = 0; i < class->n_node_selector; i++)
			must(*class->node_selector[i].key && class->node_selector[i].value);
	}
}

/* Accepted? */
static bool try(enum config_use use, struct span text)
{
	_cleanup_(webhook_config_unref_p) struct webhook_config *c = NULL;
	struct error err = {0};
	int r = webhook_config_parse(&c, use, "f", text, &err);

	must((r == 0) == (c != NULL) && (r == 0) == (err.message[0] == '\0'));
	must(r == 0 || r == -EINVAL || r == -EBADMSG || r == -E2BIG);
	must(r == 0 || strncmp(err.message, "f:", 2) == 0);
	if (r < 0)
		return false;
	if (use == CONFIG_SERVE)
		check_serve(c);
	check_policy(&c->policy);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};

	if (try(CONFIG_SERVE, text))
		must(try(CONFIG_REVIEW, text));
	else
		try(CONFIG_REVIEW, text);
	return 0;
}
