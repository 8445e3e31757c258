/* SPDX-License-Identifier: Apache-2.0
 *
 * What both ways of getting a certificate do with one: give it to the server, say so in health and
 * metrics. */
#pragma once

#include <stdint.h>

#include "common/base/error.h"
#include "common/base/span.h"
#include "common/net/tls.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"

struct serving {
	struct tls_identity *tls;
	struct health *health; /* NULL: none */
	struct metric *expiry, *renewals, *patches;
	int64_t not_after_sec; /* of what is served; 0: nothing is */
};

/* Registers metrics (NULL: none) and the check "certificate". */
int serving_init(struct serving *s, struct tls_identity *tls, struct metrics *metrics,
	struct health *health, struct error *err);

/* Serves with this pair from now on, or goes on with the one it has: -EBADMSG. */
int serving_use(struct serving *s, struct span chain_pem, struct span key_pem,
	int64_t not_after_sec, int64_t now_sec, struct error *err);

/* Says whether what is served is still good; problem: why there is none yet. */
void serving_check(struct serving *s, int64_t now_sec, const char *problem);

/* kind: "leaf" or "ca". result: see certs.h. */
void serving_expiry(struct serving *s, const char *kind, int64_t not_after_sec);
void serving_count(struct serving *s, const char *result);
