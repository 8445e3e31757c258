/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/serving.h"

#include <stddef.h>

static const char *const by_kind[] = {"kind", NULL};
static const char *const by_result[] = {"result", NULL};

int serving_init(struct serving *s, struct tls_identity *tls, struct metrics *metrics,
	struct health *health, struct error *err)
{
	*s = (struct serving){.tls = tls, .health = health};
	if (health && health_add(health, "certificate", HEALTH_READY) < 0)
		return error_oom(err);
	if (!metrics)
		return 0;
	s->expiry = metrics_gauge(metrics, "casemate_webhook_certificate_expiry_timestamp_seconds",
		"When a certificate ends.", by_kind);
	s->renewals = metrics_counter(metrics, "casemate_webhook_certificate_renewals_total",
		"Certificates made, loaded, repaired, or failed to be.", by_result);
	s->patches = metrics_counter(metrics, "casemate_webhook_ca_bundle_patches_total",
		"Times that caBundle was set in a webhook configuration.", by_result);
	return s->expiry && s->renewals && s->patches ? 0 : error_oom(err);
}

int serving_use(struct serving *s, struct span chain_pem, struct span key_pem,
	int64_t not_after_sec, int64_t now_sec, struct error *err)
{
	int r = tls_identity_set(s->tls, chain_pem, key_pem, err);

	if (r < 0)
		return r;
	s->not_after_sec = not_after_sec;
	serving_expiry(s, "leaf", not_after_sec);
	serving_check(s, now_sec, NULL);
	return 0;
}

void serving_check(struct serving *s, int64_t now_sec, const char *problem)
{
	bool ok = s->not_after_sec && now_sec <= s->not_after_sec;

	if (!s->health)
		return;
	if (ok)
		problem = "";
	else if (s->not_after_sec)
		problem = "the certificate has expired";
	else if (!problem || !problem[0])
		problem = "there is no certificate yet";
	health_set(s->health, "certificate", ok, problem);
}

void serving_expiry(struct serving *s, const char *kind, int64_t not_after_sec)
{
	metric_set(s->expiry, (double)not_after_sec, METRIC_VALUES(kind));
}

void serving_count(struct serving *s, const char *result)
{
	metric_add(s->renewals, 1, METRIC_VALUES(result));
}
