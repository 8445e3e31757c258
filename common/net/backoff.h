/* SPDX-License-Identifier: Apache-2.0
 *
 * How long to wait before trying again: doubling, bounded, jittered, forgotten after a quiet time.
 * Pure: clock and chance are arguments. */
#pragma once

#include <stdint.h>

struct backoff {
	int64_t first_usec, max_usec; /* of the delay, before jitter */
	int64_t quiet_usec; /* no failure for this long: starts over; 0: never */
	int64_t next_usec, failed_usec; /* private, 0 at the start */
};

/* A failure at now: how long to wait. Jitter stretches the delay by up to its own length, as chance
 * (all values equally likely) says. */
int64_t backoff_delay(struct backoff *b, int64_t now_usec, uint32_t chance);

/* What failed before has no bearing on what comes: the next delay is the first again. */
void backoff_restart(struct backoff *b);

/* usec stretched by up to its own length. */
int64_t backoff_jitter(int64_t usec, uint32_t chance);

/* For shells: a random number. Not for cryptography: it falls back on the clock. */
uint32_t backoff_chance(void);
