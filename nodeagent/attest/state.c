/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/attest/state.h"

#include <string.h>

const char *attest_state_name(enum attest_state s)
{
	static const char *const names[ATTEST_STATE_N] = {
#define X(name, text) [ATTEST_##name] = text,
		ATTEST_STATES(X)
#undef X
	};

	return names[s];
}

enum attest_state attest_state_of(const char *verdict)
{
	for (enum attest_state s = ATTEST_ATTESTED; s < ATTEST_STATE_N; s++)
		if (strcmp(verdict, attest_state_name(s)) == 0)
			return s;
	return ATTEST_PENDING;
}

const char *attest_phase_name(enum attest_phase p)
{
	static const char *const names[ATTEST_PHASE_N] = {
#define X(name, text) [ATTEST_PHASE_##name] = text,
		ATTEST_PHASES(X)
#undef X
	};

	return names[p];
}
