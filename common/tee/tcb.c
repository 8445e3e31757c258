/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/tcb.h"

static const struct {
	const char *name;
	/* Joined with a part that is OutOfDate. */
	enum tcb_status with_out_of_date;
	enum reason reason;
} statuses[TCB_STATUS_N] = {
	/* UpToDate is never refused; whoever asks all the same gets no reason that accepts. */
	[TCB_UpToDate] = {"UpToDate", TCB_OutOfDate, REASON_TcbNotSupported},
	[TCB_SWHardeningNeeded] = {"SWHardeningNeeded", TCB_OutOfDate, REASON_TcbSwHardeningNeeded},
	[TCB_ConfigurationNeeded] = {"ConfigurationNeeded", TCB_OutOfDateConfigurationNeeded,
		REASON_TcbConfigurationNeeded},
	[TCB_ConfigurationAndSWHardeningNeeded] = {"ConfigurationAndSWHardeningNeeded",
		TCB_OutOfDateConfigurationNeeded, REASON_TcbConfigurationAndSwHardeningNeeded},
	[TCB_OutOfDate] = {"OutOfDate", TCB_OutOfDate, REASON_TcbOutOfDate},
	[TCB_OutOfDateConfigurationNeeded] = {"OutOfDateConfigurationNeeded",
		TCB_OutOfDateConfigurationNeeded, REASON_TcbOutOfDateConfigurationNeeded},
	[TCB_TDRelaunchAdvised] = {"TDRelaunchAdvised", TCB_OutOfDate, REASON_TcbRelaunchAdvised},
	[TCB_TDRelaunchAdvisedConfigurationNeeded] = {"TDRelaunchAdvisedConfigurationNeeded",
		TCB_OutOfDateConfigurationNeeded, REASON_TcbRelaunchAdvisedConfigurationNeeded},
	[TCB_Revoked] = {"Revoked", TCB_Revoked, REASON_TcbRevoked},
	[TCB_NotSupported] = {"NotSupported", TCB_NotSupported, REASON_TcbNotSupported},
};

const char *tcb_status_name(enum tcb_status s)
{
	return s < TCB_STATUS_N ? statuses[s].name : "unknown";
}

bool tcb_status_parse(struct span text, enum tcb_status *ret)
{
	for (enum tcb_status s = 0; s < TCB_NotSupported; s++) {
		if (span_is(text, statuses[s].name)) {
			*ret = s;
			return true;
		}
	}
	return false;
}

/* NotSupported wins even over Revoked: there is no policy that accepts it. */
enum tcb_status tcb_status_merge(enum tcb_status platform, enum tcb_status part)
{
	if (platform >= TCB_NotSupported)
		return TCB_NotSupported;
	switch (part) {
	case TCB_UpToDate:
		return platform;
	case TCB_OutOfDate:
		return statuses[platform].with_out_of_date;
	case TCB_Revoked:
		return TCB_Revoked;
	default:
		return TCB_NotSupported;
	}
}

enum reason tcb_status_reason(enum tcb_status s)
{
	return s < TCB_STATUS_N ? statuses[s].reason : REASON_TcbNotSupported;
}
