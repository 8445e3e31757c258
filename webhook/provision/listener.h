/* SPDX-License-Identifier: Apache-2.0
 *
 * The TLS server that enclaves ask in Gramine's protocol (webhook/provision/desk.h): one request a
 * connection, within a deadline. A shell: it logs. On the loop's thread, which it never blocks.
 *
 * Metric: casemate_webhook_provision_connections_total{result=released|refused|broken|timeout|shed}
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/observe/metrics.h"

struct tls_identity;   /* common/net/tls.h */
struct provision_desk; /* webhook/provision/desk.h */

enum {
	/* Beyond, the next waits and one of the address that has most is closed for it, or one that
	 * has had a while (common/net/places.h). */
	PROVISION_CONNECTIONS_MAX = 256,
	PROVISION_RECEIVED_MAX = 128 * 1024, /* bytes of a client, its handshake included */
};

struct provision_listener;

struct provision_listener_options {
	sd_event *event;
	const char *address; /* as tcp_listen() */
	uint16_t port;
	struct tls_identity *identity; /* borrowed, as desk and metrics */
	const char *tls_min, *tls_ciphers;
	int64_t connection_usec; /* from accepting a client to having answered it */
	struct provision_desk *desk;
	struct metrics *metrics; /* NULL: none */
};

int provision_listen(struct provision_listener **ret_l, const struct provision_listener_options *o,
	struct error *err);
uint16_t provision_port(const struct provision_listener *l);
/* No new clients from now on. NULL allowed. */
void provision_quiesce(struct provision_listener *l);
unsigned provision_connections(const struct provision_listener *l); /* NULL allowed: 0 */
void provision_listener_free(struct provision_listener *l);         /* NULL allowed */
DEFINE_CLEANUP(struct provision_listener *, provision_listener_free)
