/* SPDX-License-Identifier: Apache-2.0
 *
 * What was written once from the same fields, since signing takes most of the time of synthetic
 * evidence. Kept until the process ends. */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"

/* Appends what was kept under key; false: nothing. */
bool memo_get(struct span key, struct buf *out);
void memo_put(struct span key, struct span value);
