/* SPDX-License-Identifier: Apache-2.0
 *
 * Real evidence and collateral, as data: tests/vectors (see NOTICE there). Tests run from the top
 * of the tree. */
#pragma once

#include "common/base/span.h"

/* The bytes of a file below tests/vectors, kept until the process ends, with a NUL behind them. A
 * file that cannot be read is said and ends the whole run: nothing that needs it can be judged. */
struct span vector(const char *path);
/* The same of a file in hexadecimal, decoded. */
struct span vector_hex(const char *path);
