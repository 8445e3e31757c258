/* SPDX-License-Identifier: Apache-2.0
 *
 * What operators meet: the health and metrics endpoints, on plain HTTP listeners of their own. */
#pragma once

#include "common/base/error.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"

struct ops;

/* listen: "ADDRESS:PORT", or "none". */
int ops_new(struct ops **ret_o, struct health *health, const char *health_listen,
	struct metrics *metrics, const char *metrics_listen, struct error *err);
void ops_free(struct ops *o);
DEFINE_CLEANUP(struct ops *, ops_free)

/* The event loop says that it is alive; when it has not for OPS_STALL_SEC, /livez fails. */
enum { OPS_STALL_SEC = 30 };
void ops_heartbeat(struct ops *o);

/* Splits "ADDRESS:PORT" ("[::]:443", "127.0.0.1:0"). address: at least 64 bytes. setting names it
 * in the message. */
int ops_parse_listen(const char *listen, const char *setting, char address[64], uint16_t *ret_port,
	struct error *err);
