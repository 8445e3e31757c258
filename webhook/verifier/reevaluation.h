/* SPDX-License-Identifier: Apache-2.0
 *
 * status.reevaluation of a NodeAttestation: what new collateral is applied to (common/tee/again.h).
 * Pure. */
#pragma once

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/tee/again.h"

/* Reads the member; what is missing or wrong makes it unknown as a whole. */
void reevaluation_read(struct basis *ret, struct json_val v);
/* Appends the member with a comma before it, or nothing of what is not known. 0 or the buffer's
 * error. */
int reevaluation_write(struct buf *out, const struct basis *b);
