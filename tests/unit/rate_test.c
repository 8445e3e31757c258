/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/rate.h"

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "tests/unit/test.h"

enum { NOW = 1000 * USEC_PER_SEC };

static void test_take(void)
{
	static const struct {
		const char *name;
		int64_t per_sec, burst, at_msec, wait_msec;
	} rows[] = {
		{"the first", 2, 3, 0, 0},
		{"the second at once", 2, 3, 0, 0},
		{"the last of the burst", 2, 3, 0, 0},
		{"one more", 2, 3, 0, 500},
		{"and nothing was taken", 2, 3, 0, 500},
		{"a little later", 2, 3, 400, 100},
		{"when it is said", 2, 3, 500, 0},
		{"not two of them", 2, 3, 500, 500},
		{"after a while as in the beginning", 2, 3, 60000, 0},
		{"which is not saved up", 2, 3, 60000, 0},
		{"beyond the burst", 2, 3, 60000, 0},
		{"as before", 2, 3, 60000, 500},
		{"with a burst of one", 2, 1, 120000, 0},
		{"there is no second", 2, 1, 120000, 500},
		{"a clock that goes back", 2, 1, 119000, 1500},
	};
	int64_t until = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t now = NOW + rows[i].at_msec * USEC_PER_MSEC;
		int64_t wait = rate_take(&until, rows[i].per_sec, rows[i].burst, now);

		CHECK_ROW(rows[i].name, wait == rows[i].wait_msec * USEC_PER_MSEC,
			"%lld usec, want %lld ms", (long long)wait, (long long)rows[i].wait_msec);
	}
}

CU_TestInfo rate_tests[] = {
	{"take", test_take},
	CU_TEST_INFO_NULL,
};
