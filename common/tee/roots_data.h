/* SPDX-License-Identifier: Apache-2.0
 *
 * The roots compiled in, as DER. */
#pragma once

#include "common/tee/roots.h"

extern const struct span roots_data_intel;
extern const struct span roots_data_ark[SNP_PRODUCT_N];
