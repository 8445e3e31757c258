/* SPDX-License-Identifier: Apache-2.0
 *
 * What each decision about a key leaves behind, whichever protocol it was asked by: its line in the
 * audit log and its count in casemate_webhook_key_releases_total{protocol,verdict,reason}; lines
 * that cannot be written are counted in casemate_webhook_audit_failures_total. */
#pragma once

#include "common/observe/metrics.h"
#include "webhook/broker/audit.h"
#include "webhook/broker/grant.h"

struct ledger;

struct ledger_entry {
	const char *protocol, *tee;
	const struct proven *proven;
	const struct requester *who;
	const struct key_id *key;
	unsigned version;   /* 0: none */
	enum reason reason; /* Ok: released */
	const char *message;
};

/* a, m: borrowed. */
int ledger_new(struct ledger **ret_l, struct audit *a, struct metrics *m, struct error *err);
void ledger_free(struct ledger *l); /* NULL allowed */
DEFINE_CLEANUP(struct ledger *, ledger_free)

/* Errors of audit_write(), after which nothing may be released: a refusal counts all the same, a
 * release only with its line. */
int ledger_write(const struct ledger *l, const struct ledger_entry *e, struct error *err);
/* Counts alone: a refusal of who has proved nothing, and so cannot fill the audit log. */
void ledger_count(const struct ledger *l, const char *protocol, enum reason reason);
