/* SPDX-License-Identifier: Apache-2.0
 *
 * The key broker under the names of Trustee's metrics (kbs/docs/prometheus.md there), so that
 * dashboards made for that one show this one. Those of keys that are written and removed are in
 * webhook/broker/keys_news.h. Thread-safe. */
#pragma once

#include "common/base/error.h"
#include "common/observe/metrics.h"

struct kbs_metrics {
	/* POST /auth: asked; given a challenge; refused */
	struct metric *auth_requests, *auth_successes, *auth_errors;
	/* POST /attest: asked; by tee_type what evidence was accepted and refused; what did not
	 * come as far as its evidence */
	struct metric *attest_requests, *attest_successes, *attest_failures, *attest_errors;
	/* about keys: decided; granted; refused; not to be decided */
	struct metric *evaluations, *approvals, *violations, *policy_errors;
	struct metric *reads; /* by resource_path */
	struct metric *http_requests, *http_seconds, *request_bytes, *response_bytes;
};

/* m NULL: nothing is counted. version: of this program. */
int kbs_metrics_register(
	struct kbs_metrics *ret, struct metrics *m, const char *version, struct error *err);
/* A request of the protocol was answered, usec after it was there as a whole. */
void kbs_metrics_answered(
	const struct kbs_metrics *k, int64_t usec, size_t request_bytes, size_t response_bytes);
