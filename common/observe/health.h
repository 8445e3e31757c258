/* SPDX-License-Identifier: Apache-2.0
 *
 * Health endpoints with the Kubernetes conventions: /livez, /readyz, /healthz (alias of /livez),
 * ?verbose, ?exclude=NAME, sub-paths (/readyz/NAME). Thread-safe. */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"

struct health;

enum health_kind { HEALTH_LIVE = 1, HEALTH_READY = 2 };
enum { HEALTH_CHECKS_MAX = 32, HEALTH_WHY_MAX = 200 };

struct health *health_new(void); /* NULL: no memory */
void health_free(struct health *h);
DEFINE_CLEANUP(struct health *, health_free)

/* Adds a named check (literal, kebab-case) to one or both kinds. It starts as failed and is set by
 * health_set. 0 or -ENOBUFS. */
int health_add(struct health *h, const char *name, unsigned kinds);

/* Reports a check's state; why (NULL allowed; copied, cut at HEALTH_WHY_MAX) explains a failure in
 * the answer. */
void health_set(struct health *h, const char *name, bool ok, const char *why);

/* Is every check of the kind ok? */
bool health_ok(struct health *h, enum health_kind kind);

/* Answers GET path?query. Returns the HTTP status (200, 500, 404) and fills out with text/plain:
 * "ok", or, when verbose or failed, lines "[+]name ok" and "[-]name failed: WHY" and a last line
 * "readyz check passed" or "failed". */
int health_answer(struct health *h, const char *path, const char *query, struct buf *out);
