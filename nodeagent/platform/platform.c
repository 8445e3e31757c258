/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/platform/platform.h"

#include "common/base/cleanup.h"

static const char *const state_names[FINDING_STATE_N] = {"Ready", "Missing", "Misconfigured"};

static const char *const check_names[PLATFORM_CHECK_N] = {
#define X(name, text) text,
	PLATFORM_CHECKS(X)
#undef X
};

const char *finding_state_name(enum finding_state s)
{
	return state_names[s];
}

const char *platform_check_name(enum platform_check c)
{
	return check_names[c];
}
