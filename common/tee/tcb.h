/* SPDX-License-Identifier: Apache-2.0
 *
 * Intel's TCB statuses and how those of platform, TDX module and quoting enclave become one
 * (Intel's DCAP quote verification library, "Convergence"). */
#pragma once

#include <stdbool.h>

#include "common/base/span.h"
#include "common/tee/reason.h"

#define TCB_STATUSES(X)                                                                            \
	X(UpToDate)                                                                                \
	X(SWHardeningNeeded)                                                                       \
	X(ConfigurationNeeded)                                                                     \
	X(ConfigurationAndSWHardeningNeeded)                                                       \
	X(OutOfDate)                                                                               \
	X(OutOfDateConfigurationNeeded)                                                            \
	X(TDRelaunchAdvised)                                                                       \
	X(TDRelaunchAdvisedConfigurationNeeded)                                                    \
	X(Revoked)                                                                                 \
	X(NotSupported) /* no level matches; never in a document */

enum tcb_status {
#define X(name) TCB_##name,
	TCB_STATUSES(X)
#undef X
		TCB_STATUS_N
};

/* "UpToDate" */
const char *tcb_status_name(enum tcb_status s);
/* false: none that Casemate knows. Of documents (and policies): the first six and Revoked; policies
 * also the two of a relaunch. */
bool tcb_status_parse(struct span text, enum tcb_status *ret);

/* platform joined with a module's or a quoting enclave's UpToDate, OutOfDate, Revoked or
 * NotSupported. */
enum tcb_status tcb_status_merge(enum tcb_status platform, enum tcb_status part);

/* Why a status that the policy does not accept is refused: TCB_OutOfDate is REASON_TcbOutOfDate. */
enum reason tcb_status_reason(enum tcb_status s);
