/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy says about enclaves and TDs whose quotes are genuine. */
#pragma once

#include "common/tee/verify.h"

/* Debug first, then attributes, then all that verdict_judge() looks at. 0 or -EACCES. */
int intel_policy_judge(struct verdict *v, const struct verify_input *in);
