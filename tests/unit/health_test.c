/* SPDX-License-Identifier: Apache-2.0 */
#include "common/observe/health.h"

#include <errno.h>

#include "tests/unit/test.h"

static void test_answers(void)
{
	static const struct {
		const char *path, *query;
		int status;
		const char *want;
	} rows[] = {
		{"/livez", "", 200, "ok"},
		{"/livez/", "", 200, "ok"},
		{"/healthz", NULL, 200, "ok"},
		{"/healthz", "verbose", 200, "[+]ping ok\n[+]loop ok\nhealthz check passed\n"},
		{"/livez", "a=b&verbose=1", 200, "[+]ping ok\n[+]loop ok\nlivez check passed\n"},
		{"/livez", "verbose&exclude=loop", 200,
			"[+]ping ok\n[+]loop excluded: ok\nlivez check passed\n"},
		{"/livez/ping", "", 200, "ok"},
		{"/readyz", "", 500,
			"[+]ping ok\n[-]sync failed: not checked yet\n"
			"[-]certificate failed: expired yesterday\nreadyz check failed\n"},
		{"/readyz", "exclude=sync", 500,
			"[+]ping ok\n[+]sync excluded: ok\n"
			"[-]certificate failed: expired yesterday\nreadyz check failed\n"},
		{"/readyz", "exclude=sync&exclude=certificate", 200, "ok"},
		{"/readyz", "exclude=sync&exclude=certificate&exclude=syn&verbose", 200,
			"[+]ping ok\n[+]sync excluded: ok\n[+]certificate excluded: ok\n"
			"warn: some health checks cannot be excluded: no matches\n"
			"readyz check passed\n"},
		{"/readyz/sync", "", 500, "[-]sync failed: not checked yet\n"},
		{"/readyz/ping", "verbose", 200, "ok"},
		{"/readyz/loop", "", 404, "404 page not found\n"},
		{"/livez/sync", "", 404, "404 page not found\n"},
		{"/livez/nothing", "", 404, "404 page not found\n"},
		{"/livezz", "", 404, "404 page not found\n"},
		{"/", "", 404, "404 page not found\n"},
		{"", "", 404, "404 page not found\n"},
	};
	_cleanup_(health_free_p) struct health *h = health_new();

	CU_ASSERT_EQUAL(health_add(h, "ping", HEALTH_LIVE | HEALTH_READY), 0);
	CU_ASSERT_EQUAL(health_add(h, "loop", HEALTH_LIVE), 0);
	CU_ASSERT_EQUAL(health_add(h, "sync", HEALTH_READY), 0);
	CU_ASSERT_EQUAL(health_add(h, "certificate", HEALTH_READY), 0);
	CU_ASSERT_FALSE(health_ok(h, HEALTH_LIVE));
	health_set(h, "ping", true, NULL);
	health_set(h, "loop", true, NULL);
	health_set(h, "certificate", false, "expired\nyesterday");
	CU_ASSERT_TRUE(health_ok(h, HEALTH_LIVE));
	CU_ASSERT_FALSE(health_ok(h, HEALTH_READY));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf out = BUF_INIT(4096);
		int status = health_answer(h, rows[i].path, rows[i].query, &out);

		CHECK_ROW(rows[i].path, status == rows[i].status, "got %d want %d", status,
			rows[i].status);
		CHECK_STR(rows[i].path, buf_view(&out), rows[i].want);
	}
}

static void test_bounds(void)
{
	_cleanup_(health_free_p) struct health *h = health_new();
	_cleanup_buf_ struct buf out = BUF_INIT(4096);
	char why[HEALTH_WHY_MAX + 2];

	CU_ASSERT_TRUE(health_ok(h, HEALTH_READY));
	for (int i = 0; i < HEALTH_CHECKS_MAX; i++)
		CU_ASSERT_EQUAL(health_add(h, "x", HEALTH_READY), 0);
	CU_ASSERT_EQUAL(health_add(h, "y", HEALTH_READY), -ENOBUFS);
	/* The cut would fall into a two-byte character. */
	memset(why, 'w', sizeof(why));
	memcpy(why + HEALTH_WHY_MAX - 1, "\xc3\xa9", 3);
	health_set(h, "x", false, why);
	health_answer(h, "/readyz/x", "", &out);
	CU_ASSERT_EQUAL(out.len, strlen("[-]x failed: ") + HEALTH_WHY_MAX - 1 + 1);
}

CU_TestInfo health_tests[] = {
	{"answers", test_answers},
	{"bounds", test_bounds},
	CU_TEST_INFO_NULL,
};
