/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/reason.h"

static const struct {
	const char *name, *explanation, *remedy, *advice;
} reasons[REASON_N] = {
#define X(name, explanation, remedy)                                                               \
	{#name, explanation, remedy, sizeof(remedy) > 1 ? explanation "; " remedy : explanation},
	REASONS(X)
#undef X
};

const char *reason_name(enum reason r)
{
	return reasons[r].name;
}

const char *reason_explanation(enum reason r)
{
	return reasons[r].explanation;
}

const char *reason_remedy(enum reason r)
{
	return reasons[r].remedy;
}

const char *reason_advice(enum reason r)
{
	return reasons[r].advice;
}
