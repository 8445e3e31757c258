/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/rate.h"

#include "common/base/clock.h"

int64_t rate_take(int64_t *until_usec, int64_t per_sec, int64_t burst, int64_t now_usec)
{
	int64_t each = (int64_t)USEC_PER_SEC / per_sec;
	int64_t paid = (*until_usec > now_usec ? *until_usec : now_usec) + each;
	int64_t wait = paid - (now_usec + burst * each);

	if (wait > 0)
		return wait;
	*until_usec = paid;
	return 0;
}
