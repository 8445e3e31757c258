/* SPDX-License-Identifier: Apache-2.0 */
#include "common/observe/metrics.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

enum { PAGE_MAX = 4 << 20 };

static const char dropped_text[] =
	"# HELP casemate_metrics_dropped_series_total Label sets not recorded because their metric "
	"has too many.\n"
	"# TYPE casemate_metrics_dropped_series_total counter\n"
	"casemate_metrics_dropped_series_total 0\n";

static void refresh(void *ctx)
{
	metric_set(ctx, 12.5, NULL);
}

/* One family of each kind, with what needs care in each. */
static struct metrics *sample_registry(void)
{
	static const char *const reviews_labels[] = {"operation", "verdict", NULL};
	static const char *const node_labels[] = {"node", NULL};
	static const double bounds[] = {5e-05, 0.001, 0.25, 1, 10};
	struct metrics *m = metrics_new();
	struct metric *reviews = metrics_counter(m, "casemate_reviews_total",
		"Reviews, by \"verdict\".\nBack\\slash.", reviews_labels);
	struct metric *age = metrics_gauge(m, "casemate_crl_age_seconds", "Age.", NULL);
	struct metric *latency = metrics_histogram(m, "casemate_review_duration_seconds",
		"Time.", NULL, bounds, ARRAY_SIZE(bounds));
	struct metric *sizes = metrics_histogram(m, "casemate_patch_bytes", "Size.", node_labels,
		bounds + 3, 2);
	struct metric *info = metrics_info(m, "casemate_node_info", "Node.", node_labels);
	struct metric *never = metrics_gauge(m, "casemate_never", "Never set.", NULL);

	CU_ASSERT_PTR_NOT_NULL(never);
	CU_ASSERT_EQUAL(metrics_on_collect(m, refresh, age), 0);
	metric_add(reviews, 1, METRIC_VALUES("CREATE", "allowed"));
	metric_add(reviews, 1, METRIC_VALUES("CREATE", "allowed"));
	metric_add(reviews, 1e15, METRIC_VALUES("\"\\\n", ""));
	metric_add(reviews, 1, METRIC_VALUES("CONNECT", "denied"));
	metric_remove(reviews, METRIC_VALUES("CONNECT", "denied"));
	metric_remove(reviews, METRIC_VALUES("CONNECT", "nothing"));
	metric_observe(latency, 5e-05, NULL);
	metric_observe(latency, 0.002, NULL);
	metric_observe(latency, 100, NULL);
	metric_observe(sizes, 1, METRIC_VALUES("a"));
	metric_set(info, 1, METRIC_VALUES("n\xc3\xa9"));
	return m;
}

#define SAMPLES                                                                                    \
	"casemate_reviews_total{operation=\"CREATE\",verdict=\"allowed\"} 2\n"                     \
	"casemate_reviews_total{operation=\"\\\"\\\\\\n\",verdict=\"\"} 1e+15\n"
#define LATENCY                                                                                    \
	"casemate_review_duration_seconds_bucket{le=\"5e-05\"} 1\n"                                \
	"casemate_review_duration_seconds_bucket{le=\"0.001\"} 1\n"                                \
	"casemate_review_duration_seconds_bucket{le=\"0.25\"} 2\n"                                 \
	"casemate_review_duration_seconds_bucket{le=\"1.0\"} 2\n"                                  \
	"casemate_review_duration_seconds_bucket{le=\"10.0\"} 2\n"                                 \
	"casemate_review_duration_seconds_bucket{le=\"+Inf\"} 3\n"                                 \
	"casemate_review_duration_seconds_sum 100.00205\n"                                         \
	"casemate_review_duration_seconds_count 3\n"
#define SIZES                                                                                      \
	"casemate_patch_bytes_bucket{node=\"a\",le=\"1.0\"} 1\n"                                   \
	"casemate_patch_bytes_bucket{node=\"a\",le=\"10.0\"} 1\n"                                  \
	"casemate_patch_bytes_bucket{node=\"a\",le=\"+Inf\"} 1\n"                                  \
	"casemate_patch_bytes_sum{node=\"a\"} 1\n"                                                 \
	"casemate_patch_bytes_count{node=\"a\"} 1\n"

static void test_text(void)
{
	_cleanup_(metrics_free_p) struct metrics *m = sample_registry();
	_cleanup_buf_ struct buf out = BUF_INIT(PAGE_MAX);

	CU_ASSERT_EQUAL(metrics_expose(m, METRICS_TEXT, &out), 0);
	if (!CHECK_ROW("start", span_starts(buf_view(&out), dropped_text), "\n%s", out.p))
		return;
	CHECK_STR("text", span_str(out.p + strlen(dropped_text)),
		"# HELP casemate_reviews_total Reviews, by \"verdict\".\\nBack\\\\slash.\n"
		"# TYPE casemate_reviews_total counter\n" SAMPLES
		"# HELP casemate_crl_age_seconds Age.\n"
		"# TYPE casemate_crl_age_seconds gauge\n"
		"casemate_crl_age_seconds 12.5\n"
		"# HELP casemate_review_duration_seconds Time.\n"
		"# TYPE casemate_review_duration_seconds histogram\n" LATENCY
		"# HELP casemate_patch_bytes Size.\n"
		"# TYPE casemate_patch_bytes histogram\n" SIZES
		"# HELP casemate_node_info Node.\n"
		"# TYPE casemate_node_info gauge\n"
		"casemate_node_info{node=\"n\xc3\xa9\"} 1\n");
}

static void test_openmetrics(void)
{
	_cleanup_(metrics_free_p) struct metrics *m = sample_registry();
	_cleanup_buf_ struct buf out = BUF_INIT(PAGE_MAX);

	CU_ASSERT_EQUAL(metrics_expose(m, METRICS_OPENMETRICS, &out), 0);
	CHECK_STR("OpenMetrics", buf_view(&out),
		"# HELP casemate_metrics_dropped_series Label sets not recorded because their "
		"metric has too many.\n"
		"# TYPE casemate_metrics_dropped_series counter\n"
		"casemate_metrics_dropped_series_total 0\n"
		"# HELP casemate_reviews Reviews, by \\\"verdict\\\".\\nBack\\\\slash.\n"
		"# TYPE casemate_reviews counter\n" SAMPLES
		"# HELP casemate_crl_age_seconds Age.\n"
		"# TYPE casemate_crl_age_seconds gauge\n"
		"# UNIT casemate_crl_age_seconds seconds\n"
		"casemate_crl_age_seconds 12.5\n"
		"# HELP casemate_review_duration_seconds Time.\n"
		"# TYPE casemate_review_duration_seconds histogram\n"
		"# UNIT casemate_review_duration_seconds seconds\n" LATENCY
		"# HELP casemate_patch_bytes Size.\n"
		"# TYPE casemate_patch_bytes histogram\n"
		"# UNIT casemate_patch_bytes bytes\n" SIZES
		"# HELP casemate_node Node.\n"
		"# TYPE casemate_node info\n"
		"casemate_node_info{node=\"n\xc3\xa9\"} 1\n"
		"# EOF\n");
}

static void test_numbers(void)
{
	static const struct {
		double value;
		const char *want;
	} rows[] = {{0, "0"}, {-0.0, "0"}, {1, "1"}, {-3, "-3"}, {0.1, "0.1"}, {1.0 / 3,
		"0.3333333333333333"}, {123456789012345.0, "123456789012345"}, {1e15, "1e+15"},
		{1e300, "1e+300"}, {2.5e-9, "2.5e-09"}, {INFINITY, "+Inf"}, {-INFINITY, "-Inf"},
		{NAN, "NaN"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(metrics_free_p) struct metrics *m = metrics_new();
		struct metric *g = metrics_gauge(m, "x", "X.", NULL);
		_cleanup_buf_ struct buf out = BUF_INIT(PAGE_MAX), want = BUF_INIT(100);

		metric_set(g, rows[i].value, NULL);
		metrics_expose(m, METRICS_TEXT, &out);
		buf_printf(&want, "\nx %s\n", rows[i].want);
		CHECK_ROW(rows[i].want, out.p && strstr(out.p, want.p), "\n%s", out.p);
	}
}

/* A family full to the brim, emptied from the middle, filled again. */
static void test_series_limit(void)
{
	static const char *const labels[] = {"i", NULL};
	_cleanup_(metrics_free_p) struct metrics *m = metrics_new();
	struct metric *g = metrics_gauge(m, "x", "X.", labels);
	_cleanup_buf_ struct buf out = BUF_INIT(PAGE_MAX);
	char name[16], wide[METRIC_VALUE_MAX + 2];
	unsigned lines = 0;

	for (int i = 0; i < METRIC_SERIES_MAX + 3; i++) {
		snprintf(name, sizeof(name), "%d", i);
		metric_set(g, i, METRIC_VALUES(name));
	}
	for (int i = 0; i < METRIC_SERIES_MAX; i += 3) {
		snprintf(name, sizeof(name), "%d", i);
		metric_remove(g, METRIC_VALUES(name));
	}
	for (int i = 0; i < METRIC_SERIES_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		metric_add(g, 1, METRIC_VALUES(name));
	}
	memset(wide, 'w', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	metric_set(g, 1, METRIC_VALUES(wide));
	CU_ASSERT_EQUAL(metrics_expose(m, METRICS_TEXT, &out), 0);
	for (const char *p = out.p; p && (p = strstr(p, "\nx{")); p++)
		lines++;
	CHECK_ROW("lines", lines == METRIC_SERIES_MAX, "%u", lines);
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "dropped_series_total 4\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "x{i=\"3\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "x{i=\"4\"} 5\n"));
}

static void test_small_page(void)
{
	_cleanup_(metrics_free_p) struct metrics *m = sample_registry();
	_cleanup_buf_ struct buf out = BUF_INIT(100);

	CU_ASSERT_EQUAL(metrics_expose(m, METRICS_TEXT, &out), -E2BIG);
	metric_add(NULL, 1, METRIC_VALUES("no registry"));
	metric_set(NULL, 1, NULL);
	metric_observe(NULL, 1, NULL);
	metric_remove(NULL, NULL);
}

static void test_negotiate(void)
{
	static const struct {
		const char *accept;
		enum metrics_format want;
	} rows[] = {
		{NULL, METRICS_TEXT},
		{"", METRICS_TEXT},
		{"*/*", METRICS_TEXT},
		{"application/openmetrics-text", METRICS_OPENMETRICS},
		{"Application/OpenMetrics-Text; version=1.0.0; charset=utf-8", METRICS_OPENMETRICS},
		{"application/openmetrics-text;version=0.0.1", METRICS_TEXT},
		{"application/openmetrics-text;version=1.0.0,"
		 "application/openmetrics-text;version=0.0.1;q=0.75,"
		 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", METRICS_OPENMETRICS}, /* 2.42 */
		{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
		 "application/openmetrics-text;version=0.0.1;q=0.5,"
		 "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
		 "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", METRICS_OPENMETRICS}, /* 3 */
		{"text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.8", METRICS_TEXT},
		{"text/plain , application/openmetrics-text", METRICS_TEXT}, /* a tie */
		{"application/openmetrics-text;q=0", METRICS_TEXT},
		{"application/openmetrics-text ; q = 0.001", METRICS_OPENMETRICS},
		{"application/openmetrics-text;q=0.1234", METRICS_TEXT},
		{"application/openmetrics-text;q=1.001", METRICS_TEXT},
		{"application/openmetrics-text;q=", METRICS_TEXT},
		{"application/openmetrics-text;q=x", METRICS_TEXT},
		{"application/openmetrics-text;q=0,5", METRICS_TEXT},
		{"text/html, application/json;q=0.9", METRICS_TEXT},
		{",;=,;,", METRICS_TEXT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_ROW(rows[i].accept ? rows[i].accept : "NULL",
			metrics_negotiate(rows[i].accept) == rows[i].want, "want %d",
			rows[i].want);
		/* Whatever a truncation means, it reads no further than its end. */
		for (size_t n = rows[i].accept ? strlen(rows[i].accept) : 0; n > 0; n--) {
			_cleanup_free_ char *cut = strndup(rows[i].accept, n - 1);

			(void)metrics_negotiate(cut);
		}
	}
	CU_ASSERT_STRING_EQUAL(metrics_content_type(METRICS_TEXT),
		"text/plain; version=0.0.4; charset=utf-8");
	CU_ASSERT_STRING_EQUAL(metrics_content_type(METRICS_OPENMETRICS),
		"application/openmetrics-text; version=1.0.0; charset=utf-8");
}

static void test_process(void)
{
	static const char *const want[] = {"process_cpu_seconds_total ",
		"process_resident_memory_bytes ", "process_virtual_memory_bytes ",
		"process_open_fds ", "process_max_fds ", "process_start_time_seconds ",
		"casemate_build_info{version=\"1.2.3\",compiler=\""};
	_cleanup_(metrics_free_p) struct metrics *m = metrics_new();
	_cleanup_buf_ struct buf out = BUF_INIT(PAGE_MAX);

	CU_ASSERT_EQUAL(metrics_process(m, "1.2.3"), 0);
	CU_ASSERT_EQUAL(metrics_expose(m, METRICS_TEXT, &out), 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const char *at = out.p ? strstr(out.p, want[i]) : NULL;

		while (at && at != out.p && at[-1] != '\n')
			at = strstr(at + 1, want[i]);
		if (!CHECK_ROW(want[i], at, "\n%s", out.p))
			continue;
		if (!strchr(want[i], '{') && strcmp(want[i], "process_cpu_seconds_total ") != 0)
			CHECK_ROW(want[i], strtod(at + strlen(want[i]), NULL) > 0, "%s", at);
	}
}

struct worker {
	struct metrics *m;
	struct metric *counter, *histogram, *churn;
};

static void *work(void *ctx)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	struct worker *w = ctx;

	for (int i = 0; i < 4000; i++) {
		metric_add(w->counter, 1, METRIC_VALUES(names[i % 4]));
		metric_observe(w->histogram, i % 3, NULL);
		metric_set(w->churn, i, METRIC_VALUES(names[i % 4]));
		metric_remove(w->churn, METRIC_VALUES(names[(i + 1) % 4]));
	}
	return NULL;
}

static void test_threads(void)
{
	static const char *const labels[] = {"i", NULL};
	static const double bounds[] = {0.5, 1.5};
	_cleanup_(metrics_free_p) struct metrics *m = metrics_new();
	struct worker w = {m, metrics_counter(m, "x_total", "X.", labels),
		metrics_histogram(m, "h", "H.", NULL, bounds, 2),
		metrics_gauge(m, "churn", "C.", labels)};
	_cleanup_buf_ struct buf out = BUF_INIT(PAGE_MAX);
	pthread_t threads[3];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, work, &w), 0);
	for (int i = 0; i < 20; i++) {
		buf_reset(&out);
		CU_ASSERT_EQUAL(metrics_expose(m, METRICS_OPENMETRICS, &out), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	buf_reset(&out);
	metrics_expose(m, METRICS_TEXT, &out);
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "x_total{i=\"d\"} 3000\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "h_count 12000\n"));
}

CU_TestInfo metrics_tests[] = {
	{"text format", test_text},
	{"OpenMetrics", test_openmetrics},
	{"numbers", test_numbers},
	{"series limit", test_series_limit},
	{"a page that does not fit", test_small_page},
	{"content negotiation", test_negotiate},
	{"process metrics", test_process},
	{"threads", test_threads},
	CU_TEST_INFO_NULL,
};
