/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/kbs_metrics.h"

#include "common/base/clock.h"

static const double seconds[] = {0.0005, 0.001, 0.005, 0.01, 0.05, 0.5, 1};
static const double bytes[] = {32, 128, 512, 2048, 8192};

static bool register_protocol(struct kbs_metrics *k, struct metrics *m)
{
	static const char *const by_tee[] = {"tee_type", NULL};

	k->auth_requests = metrics_counter(
		m, "kbs_auth_requests_total", "Handshakes that were asked for.", NULL);
	k->auth_successes = metrics_counter(
		m, "kbs_auth_successes_total", "Handshakes that began with a challenge.", NULL);
	k->auth_errors = metrics_counter(
		m, "kbs_auth_errors_total", "Handshakes that were refused one.", NULL);
	k->attest_requests = metrics_counter(
		m, "kbs_attestation_requests_total", "Attestations asked for.", NULL);
	k->attest_successes = metrics_counter(m, "kbs_attestation_successes_total",
		"Attestations that succeeded, by TEE.", by_tee);
	k->attest_failures = metrics_counter(m, "kbs_attestation_failures_total",
		"Attestations whose evidence or tokens were refused, by TEE.", by_tee);
	k->attest_errors = metrics_counter(m, "kbs_attestation_errors_total",
		"Attestations that did not come as far as their evidence: malformed, late, "
		"repeated.",
		NULL);
	return k->auth_requests && k->auth_successes && k->auth_errors && k->attest_requests &&
	       k->attest_successes && k->attest_failures && k->attest_errors;
}

static bool register_policy(struct kbs_metrics *k, struct metrics *m)
{
	static const char *const by_path[] = {"resource_path", NULL};

	k->evaluations =
		metrics_counter(m, "kbs_policy_evaluations_total", "Decisions about keys.", NULL);
	k->approvals =
		metrics_counter(m, "kbs_policy_approvals_total", "Decisions that granted.", NULL);
	k->violations =
		metrics_counter(m, "kbs_policy_violations_total", "Decisions that refused.", NULL);
	k->policy_errors = metrics_counter(
		m, "kbs_policy_errors_total", "Decisions about keys that could not be made.", NULL);
	k->reads =
		metrics_counter(m, "kbs_resource_reads_total", "Keys released, by path.", by_path);
	return k->evaluations && k->approvals && k->violations && k->policy_errors && k->reads;
}

static bool register_http(struct kbs_metrics *k, struct metrics *m)
{
	k->http_requests = metrics_counter(
		m, "kbs_http_requests_total", "Requests of the key broker's protocol.", NULL);
	k->http_seconds = metrics_histogram(m, "kbs_http_request_duration_seconds",
		"From a request that is there as a whole to its answer.", NULL, seconds,
		ARRAY_SIZE(seconds));
	k->request_bytes = metrics_histogram(m, "kbs_http_request_size_bytes",
		"Bodies of requests.", NULL, bytes, ARRAY_SIZE(bytes));
	k->response_bytes = metrics_histogram(m, "kbs_http_response_size_bytes",
		"Bodies of answers.", NULL, bytes, ARRAY_SIZE(bytes));
	return k->http_requests && k->http_seconds && k->request_bytes && k->response_bytes;
}

int kbs_metrics_register(
	struct kbs_metrics *ret, struct metrics *m, const char *version, struct error *err)
{
	static const char *const by_version[] = {"version", NULL};
	struct metric *build;

	*ret = (struct kbs_metrics){0};
	if (!m)
		return 0;
	/* Trustee's has git_hash and build_date too: a build that can be repeated knows neither. */
	build = metrics_gauge(
		m, "kbs_build_info", "The key broker's version; always 1.", by_version);
	if (!build || !register_protocol(ret, m) || !register_policy(ret, m) ||
		!register_http(ret, m))
		return error_oom(err);
	metric_set(build, 1, METRIC_VALUES(version));
	return 0;
}

void kbs_metrics_answered(
	const struct kbs_metrics *k, int64_t usec, size_t request_bytes, size_t response_bytes)
{
	metric_add(k->http_requests, 1, NULL);
	metric_observe(k->http_seconds, (double)usec / USEC_PER_SEC, NULL);
	metric_observe(k->request_bytes, (double)request_bytes, NULL);
	metric_observe(k->response_bytes, (double)response_bytes, NULL);
}
