/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence of the confidential VM that the agent runs in, by the kernel's configfs-tsm
 * (Documentation/ABI/testing/configfs-tsm-report). */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"

#define TSM_ROOT "/sys/kernel/config/tsm/report"

enum { TSM_PROVIDER_MAX = 32, TSM_OUTBLOB_MAX = 64 << 10, TSM_AUXBLOB_MAX = 64 << 10 };

/* Makes a report with that report data: TDX quote or SNP report into outblob, an SNP host's
 * certificate table (or nothing) into auxblob, "tdx_guest" or "sev_guest" into provider. Both are
 * appended to, and only on success. Works in an entry of its own below root (TSM_ROOT), which is
 * removed again. Blocks for as long as the host takes (seconds, for a TDX quote): call it on a
 * thread of its own; any number of threads may. 0; -ENOENT: this kernel offers none; -EAGAIN: it
 * was disturbed, or the host did not answer, and trying again may help; -EBADMSG: what came is not
 * a report for this report data; or another -errno. */
int tsm_report(const char *root, const unsigned char report_data[64], struct buf *outblob,
	struct buf *auxblob, char provider[TSM_PROVIDER_MAX], struct error *err);
