/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/ledger.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/codec.h"

struct ledger {
	struct audit *audit;
	struct metric *releases, *lost;
};

/* What dashboards and alerts ask for is there before it happens: a rate needs a beginning. */
static void begin_series(const struct ledger *l)
{
	metric_add(l->lost, 0, NULL);
	metric_add(l->releases, 0, METRIC_VALUES("rcar", "released", reason_name(REASON_Ok)));
	metric_add(l->releases, 0,
		METRIC_VALUES("rcar", "refused", reason_name(REASON_StoreUnavailable)));
}

int ledger_new(struct ledger **ret_l, struct audit *a, struct metrics *m, struct error *err)
{
	static const char *const labels[] = {"protocol", "verdict", "reason", NULL};
	_cleanup_(ledger_free_p) struct ledger *l = calloc(1, sizeof(*l));

	if (!l)
		return error_oom(err);
	l->audit = a;
	if (m) {
		l->releases = metrics_counter(m, "casemate_webhook_key_releases_total",
			"Decisions about keys by protocol, verdict and reason.", labels);
		l->lost = metrics_counter(m, "casemate_webhook_audit_failures_total",
			"Lines that could not be written to the audit log; nothing is released "
			"without its line.",
			NULL);
	}
	if (m && (!l->releases || !l->lost))
		return error_oom(err);
	if (m)
		begin_series(l);
	*ret_l = TAKE_PTR(l);
	return 0;
}

void ledger_free(struct ledger *l)
{
	free(l);
}

/* The register that says what runs. */
static void measurement(struct buf *hex, const struct proven *p)
{
	static const char *const names[] = {"mrenclave", "mrtd", "measurement"};
	const struct measurement *m = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names) && !m; i++)
		m = proven_register(p, names[i]);
	if (m)
		codec_hex(hex, m->value, m->len);
}

void ledger_count(const struct ledger *l, const char *protocol, enum reason reason)
{
	metric_add(l->releases, 1,
		METRIC_VALUES(protocol, reason == REASON_Ok ? "released" : "refused",
			reason_name(reason)));
}

int ledger_write(const struct ledger *l, const struct ledger_entry *e, struct error *err)
{
	const struct proven *p = e->proven;
	_cleanup_buf_ struct buf platform = BUF_INIT(2 * PLATFORM_ID_MAX);
	_cleanup_buf_ struct buf hex = BUF_INIT(2 * sizeof(p->registers[0].value));
	int r;

	measurement(&hex, p);
	codec_hex(&platform, p->platform_id, p->platform_id_len);
	r = audit_write(l->audit,
		&(struct audit_entry){
			.time_usec = clock_unix_usec(),
			.protocol = e->protocol,
			.who = e->who,
			.tee = span_str(e->tee),
			.measurement_hex = buf_view(&hex),
			.platform_hex = platform.p ? platform.p : "",
			.key = e->key,
			.version = e->version,
			.reason = e->reason,
			.message = e->message,
		},
		err);
	if (r < 0)
		metric_add(l->lost, 1, NULL);
	if (r == 0 || e->reason != REASON_Ok)
		ledger_count(l, e->protocol, e->reason);
	return r;
}
