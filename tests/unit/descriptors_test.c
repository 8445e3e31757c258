/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/descriptors.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/unit/test.h"

static void test_needed(void)
{
	static const struct {
		const char *name;
		bool enabled, standalone;
		int64_t limit, connections;
		uint64_t relay;
	} rows[] = {
		{"defaults", true, false, 110, 8, 110 * 9 + 1},
		{"least", true, false, 1, 1, 3},
		{"most", true, false, 4096, 64, 4096 * 65 + 1},
		{"without AESM", false, false, 110, 8, 0},
		{"standalone", true, true, 110, 8, 0},
	};
	const uint64_t others = descriptors_needed(&(struct agent_config){.standalone = true});

	CU_ASSERT(others > 64 * 4);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct agent_config c = {.standalone = rows[i].standalone,
			.aesm = {.enabled = rows[i].enabled,
				.limit = rows[i].limit,
				.max_connections = rows[i].connections}};
		uint64_t n = descriptors_needed(&c);

		CHECK_ROW(rows[i].name, n == others + rows[i].relay, "%" PRIu64, n);
	}
}

/* Only root could raise the hard limit again: it is looked at, and left as it is. */
static void test_allow(void)
{
	struct error err = {0};
	struct rlimit was, now;
	uint64_t beyond;
	int r;

	if (!CHECK_ROW("getrlimit", getrlimit(RLIMIT_NOFILE, &was) == 0, "%s", strerror(errno)))
		return;
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, was.rlim_max});
	CU_ASSERT_EQUAL(descriptors_allow(200, &err), 0);
	getrlimit(RLIMIT_NOFILE, &now);
	CHECK_ROW("raised", now.rlim_cur == 200 && now.rlim_max == was.rlim_max, "%" PRIu64,
		(uint64_t)now.rlim_cur);
	CU_ASSERT_EQUAL(descriptors_allow(100, &err), 0);
	getrlimit(RLIMIT_NOFILE, &now);
	CHECK_ROW("not lowered", now.rlim_cur == 200, "%" PRIu64, (uint64_t)now.rlim_cur);
	if (was.rlim_max != RLIM_INFINITY) {
		beyond = (uint64_t)was.rlim_max + 1;
		r = descriptors_allow(beyond, &err);
		getrlimit(RLIMIT_NOFILE, &now);
		CHECK_ROW("too many", r == -ERANGE && strstr(err.message, "LimitNOFILE"), "%d: %s",
			r, err.message);
		CHECK_ROW("too many", now.rlim_cur == was.rlim_max, "%" PRIu64,
			(uint64_t)now.rlim_cur);
	}
	setrlimit(RLIMIT_NOFILE, &was);
}

CU_TestInfo descriptors_tests[] = {
	{"how many are needed", test_needed},
	{"the limit is raised", test_allow},
	CU_TEST_INFO_NULL,
};
