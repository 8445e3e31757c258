/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to claims.c: the members of "claims", by kind of evidence. */
#pragma once

#include "common/base/json_out.h"
#include "common/tee/evidence.h"
#include "common/tee/verify.h"

void claims_members(struct json_out *o, const struct evidence *e, const struct verdict *v);
