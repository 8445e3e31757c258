/* SPDX-License-Identifier: Apache-2.0
 *
 * The AESM relay: for each allocation of casemate.dev/aesm a folder with a socket, mounted where
 * AESM's clients look, that passes requests on to AESM one at a time: a timeout for each and a cap
 * for each allocation, so that no pod occupies AESM's serial queue and a restarted aesmd leaves no
 * dead mount behind. Framing after AESM's protocol (4 bytes of length, little endian, and a
 * protobuf message); the content is passed on unread. On the loop's thread. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/observe/metrics.h"
#include "nodeagent/kubelet/resource.h"

struct aesm_relay;

struct aesm_relay_options {
	/* Of the folders, as the host names it: "/var/lib/casemate/aesm". On a disk: after a reboot
	 * the kubelet mounts what it was answered before, and asks nobody. Its parent exists. */
	const char *dir;
	const char *socket; /* AESM's own */
	/* Of each step of one request: that it arrives, that its turn comes, that AESM answers,
	 * that the answer is taken. 0: 10 s. */
	int64_t timeout_usec;
	unsigned max_connections; /* of one allocation; 0: 8; beyond: wait to be accepted */
	unsigned max_waiting;     /* requests of one allocation that wait; 0: 4; beyond: closed */
	struct metric *quotes; /* casemate_agent_quotes_total{source="aesm",result}; NULL: none */
};

/* Takes over the folders that an earlier run left in dir, since kubelet and containers still use
 * them: each gets a new socket. Errors name the path. */
int aesm_relay_new(struct aesm_relay **ret_r, sd_event *event, const struct aesm_relay_options *o,
	struct error *err);
void aesm_relay_free(struct aesm_relay *r); /* leaves folders and sockets for the next run */
DEFINE_CLEANUP(struct aesm_relay *, aesm_relay_free)

/* The resource casemate.dev/aesm: its allocate() makes the id's folder, closes what an earlier
 * holder of the id has open, and mounts it at /var/run/aesmd with SGX_AESM_ADDR=1 beside it. */
struct resource aesm_relay_resource(struct aesm_relay *r);
