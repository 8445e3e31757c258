/* SPDX-License-Identifier: Apache-2.0
 *
 * The addresses of a daemon's listeners, as settings give them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/ops.h"

int ops_parse_listen(const char *listen, const char *setting, char address[64], uint16_t *ret_port,
	struct error *err)
{
	const char *colon = strrchr(listen, ':');
	size_t n = colon ? (size_t)(colon - listen) : 0;
	unsigned long port;
	char *end;

	if (n >= 2 && listen[0] == '[' && listen[n - 1] == ']') {
		listen++;
		n -= 2;
	}
	if (!colon || n == 0 || n >= 64 || colon[1] < '0' || colon[1] > '9')
		return error_set(err, -EINVAL, "%s: \"%s\" is no ADDRESS:PORT, like 0.0.0.0:8443",
			setting, listen);
	port = strtoul(colon + 1, &end, 10);
	if (*end || port > UINT16_MAX)
		return error_set(err, -EINVAL, "%s: \"%s\" is no port", setting, colon + 1);
	memcpy(address, listen, n);
	address[n] = '\0';
	*ret_port = (uint16_t)port;
	return 0;
}

int ops_listen_finish(const struct ops_listen *listens, size_t n, bool standalone, struct arena *a,
	struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct ops_listen *l = &listens[i];
		char address[64];
		uint16_t port;
		int r;

		if (!**l->listen && l->port)
			*l->listen = arena_printf(
				a, "%s:%d", standalone ? "127.0.0.1" : "0.0.0.0", l->port);
		if (!*l->listen)
			return error_oom(err);
		if (l->optional && strcmp(*l->listen, OPS_LISTEN_NONE) == 0)
			continue;
		r = ops_parse_listen(*l->listen, l->setting, address, &port, err);
		if (r < 0)
			return r;
	}
	return 0;
}
