/* SPDX-License-Identifier: Apache-2.0
 *
 * What good evidence runs, as the block that a policy or a profile lists it in. */
#pragma once

#include "common/base/buf.h"
#include "common/tee/evidence.h"
#include "common/tee/verify.h"

/* Appends YAML: `measurements` with one entry for e, and as comments what was judged, what was not,
 * and what else could be listed. v: accepted by policy, which judged no measurements. 0 or the
 * buffer's error. */
int propose(struct buf *out, const struct evidence *e, const struct verdict *v,
	const struct verify_policy *policy);
