/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/backoff.h"

#include <sys/random.h>

#include "common/base/clock.h"

int64_t backoff_jitter(int64_t usec, uint32_t chance)
{
	return usec + (int64_t)((__int128)usec * chance >> 32);
}

int64_t backoff_delay(struct backoff *b, int64_t now_usec, uint32_t chance)
{
	int64_t delay;

	if (b->next_usec == 0 || (b->quiet_usec && now_usec - b->failed_usec >= b->quiet_usec))
		b->next_usec = b->first_usec;
	delay = b->next_usec;
	b->next_usec = delay > b->max_usec / 2 ? b->max_usec : 2 * delay;
	b->failed_usec = now_usec;
	return backoff_jitter(delay, chance);
}

void backoff_restart(struct backoff *b)
{
	b->next_usec = 0;
}

uint32_t backoff_chance(void)
{
	uint32_t n;

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
		n = (uint32_t)clock_monotonic_usec() * 2654435761u;
	return n;
}
