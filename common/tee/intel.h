/* SPDX-License-Identifier: Apache-2.0
 *
 * Verification of Intel's quotes: the order of checks of Intel's DCAP quote verification library,
 * and stricter where that leaves things to its caller. See verify.h. */
#pragma once

#include "common/tee/verify.h"

int intel_verify(const struct verify_input *in, struct verify_cache *cache, struct verdict *v);
