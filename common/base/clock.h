/* SPDX-License-Identifier: Apache-2.0
 *
 * Time: Unix seconds or microseconds as int64_t, RFC 3339 text. */
#pragma once

#include <stdint.h>

#include "common/base/span.h"

enum {
	CLOCK_RFC3339_MAX = 32, /* "2006-01-02T15:04:05.000000Z" and a NUL */
	USEC_PER_SEC = 1000000,
	USEC_PER_MSEC = 1000,
};

/* Now, for shells; pure code takes time as an argument. */
int64_t clock_unix_usec(void);
int64_t clock_monotonic_usec(void);

/* metav1.Time ("...05Z") and metav1.MicroTime ("...05.000000Z"). A time outside of the years 0000
 * to 9999 becomes their first or last second. */
void clock_format(char out[CLOCK_RFC3339_MAX], int64_t unix_sec);
void clock_format_micro(char out[CLOCK_RFC3339_MAX], int64_t unix_usec);

/* Any RFC 3339 time to Unix microseconds (finer digits are dropped); -EINVAL, also for leap
 * seconds, which Go does not know either. */
int clock_parse(struct span text, int64_t *ret_unix_usec);

/* A Go duration as configuration writes it ("90s", "1h30m", "250ms"), in microseconds. -EINVAL;
 * -ERANGE: beyond Go's 292 years, or below a microsecond but not 0. */
int clock_parse_duration(struct span text, int64_t *ret_usec);
