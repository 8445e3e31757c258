/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/backoff.h"

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

static void test_delays(void)
{
	static const struct {
		const char *name;
		int64_t now;
		uint32_t chance;
		int64_t want;
	} rows[] = {
		{"first", 1000, 0, 800},
		{"doubles", 2000, 0, 1600},
		{"jitter stretches", 3000, 1u << 31, 3200 + 1600},
		{"at most by itself", 4000, UINT32_MAX, 6400 + 6399},
		{"bounded", 5000, 0, 10000},
		{"stays", 6000, 0, 10000},
		{"almost quiet", 6000 + 119999, 0, 10000},
		{"quiet", 6000 + 119999 + 120000, 0, 800},
		{"doubles again", 6000 + 119999 + 120001, 0, 1600},
	};
	struct backoff b = {.first_usec = 800, .max_usec = 10000, .quiet_usec = 120000};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t got = backoff_delay(&b, rows[i].now, rows[i].chance);

		CHECK_ROW(rows[i].name, got == rows[i].want, "%lld, want %lld", (long long)got,
			(long long)rows[i].want);
	}
	backoff_restart(&b);
	CU_ASSERT_EQUAL(backoff_delay(&b, 0, 0), 800);
	CU_ASSERT_NOT_EQUAL(backoff_chance(), backoff_chance());
}

CU_TestInfo backoff_tests[] = {
	{"delays", test_delays},
	CU_TEST_INFO_NULL,
};
