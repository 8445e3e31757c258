/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/audit_journal.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/kbs/key_id.h"
#include "webhook/broker/grant.h"

#define JOURNAL "/run/systemd/journal/socket"

/* sd_journal_send() takes it for success that nobody is there. */
int audit_journal_is_there(struct error *err)
{
	if (access(JOURNAL, W_OK) == 0)
		return 0;
	return error_set(
		err, -errno, "broker.audit.journal: there is no journal here (%s: %m)", JOURNAL);
}

int audit_journal(struct span line, const struct audit_entry *e, struct error *err)
{
	_cleanup_buf_ struct buf key = BUF_INIT(sizeof(struct key_id) + 8);
	bool released = e->reason == REASON_Ok;
	int r;

	if (e->key && key_id_write(&key, e->key) < 0)
		return error_oom(err);
	if (line.len && line.p[line.len - 1] == '\n')
		line.len--;
	r = sd_journal_send("MESSAGE=" SPAN_FMT, SPAN_ARG(line), "PRIORITY=%d",
		released ? LOG_INFO : LOG_NOTICE, "SYSLOG_IDENTIFIER=casemate-audit",
		"CASEMATE_KEY=%s", key.p ? key.p : "", "CASEMATE_VERDICT=%s",
		released ? "released" : "refused", "CASEMATE_REASON=%s", reason_name(e->reason),
		"CASEMATE_NAMESPACE=%s", e->who->namespace_, "CASEMATE_POD=%s", e->who->pod,
		"CASEMATE_NODE=%s", e->who->node, NULL);
	return r < 0 ? error_set(err, r, "the journal: %s", strerror(-r)) : 0;
}
