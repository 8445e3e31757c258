/* SPDX-License-Identifier: Apache-2.0
 *
 * How often something may happen: so many at once, and then so many a second. Pure; time is an
 * argument. */
#pragma once

#include <stdint.h>

/* Takes one of what may happen. *until_usec is all there is to remember, 0 in the beginning: when
 * what was taken is paid for. per_sec: 1 to 1,000,000. Returns 0; or in how many microseconds there
 * will be one to take, and nothing is taken. */
int64_t rate_take(int64_t *until_usec, int64_t per_sec, int64_t burst, int64_t now_usec);
