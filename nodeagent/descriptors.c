/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/descriptors.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

enum {
	/* Three HTTP servers with 64 connections, 64 to the API server, those with the kubelet, and
	 * what is watched. */
	DESCRIPTORS_OTHERS = 400,
	KEYS_CLIENTS = 4, /* of one container */
};

uint64_t descriptors_needed(const struct agent_config *c)
{
	/* An allocation has its socket and the clients connected to it; to AESM there is one
	 * connection in all. */
	uint64_t relay = (uint64_t)c->aesm.limit * ((uint64_t)c->aesm.max_connections + 1) + 1;

	/* And those of keys, with the connections to the broker. */
	uint64_t keys = (uint64_t)c->keys.limit * (KEYS_CLIENTS + 1) + 32;

	return DESCRIPTORS_OTHERS + (c->aesm.enabled && !c->standalone ? relay : 0) +
	       (agent_config_delivers(c) ? keys : 0);
}

int descriptors_allow(uint64_t needed, struct error *err)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_set(err, -errno, "getrlimit: %s", strerror(errno));
	if (limit.rlim_cur >= needed)
		return 0;
	limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_set(err, -errno, "setrlimit: %s", strerror(errno));
	if (limit.rlim_cur < needed)
		return error_set(err, -ERANGE,
			"at most %" PRIu64 " files can be open, %" PRIu64 " may be needed when "
			"every pod uses all its connections to AESM: raise the container runtime's "
			"limit (LimitNOFILE of containerd.service or crio.service), or lower "
			"aesm.limit, aesm.maxConnections or keys.limit",
			(uint64_t)limit.rlim_cur, needed);
	return 0;
}
