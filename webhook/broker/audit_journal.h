/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of the audit log in systemd's journal as well, with fields to search by: CASEMATE_KEY,
 * CASEMATE_VERDICT, CASEMATE_REASON, CASEMATE_NAMESPACE, CASEMATE_POD, CASEMATE_NODE; MESSAGE is
 * the line. A copy: what counts is the log. */
#pragma once

#include "common/base/error.h"
#include "common/base/span.h"
#include "webhook/broker/audit_line.h"

/* -ENOENT: there is no journal here. */
int audit_journal_is_there(struct error *err);
/* e->who is not NULL. -errno when the journal does not take it. */
int audit_journal(struct span line, const struct audit_entry *e, struct error *err);
