/* SPDX-License-Identifier: Apache-2.0
 *
 * What a scraper or a prober sends, and what a label may hold: the first NUL ends an Accept header,
 * the second a path, the third a query; the rest is a label's value. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/observe/health.h"
#include "common/observe/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static unsigned count(const struct buf *b, char c)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->p[i] == c;
	return n;
}

/* Whatever the value, a page has the same lines, and each value is inside its quotes. */
static void expose(enum metrics_format format, const char *value)
{
	static const char *const labels[] = {"a", "b", NULL};
	struct metrics *m = metrics_new();
	struct buf out = BUF_INIT(1 << 20);
	struct metric *g = metrics_gauge(m, "x", "X.", labels);

	metric_set(g, 1, METRIC_VALUES(value, "b"));
	metric_add(g, 1, METRIC_VALUES(value, "b"));
	require(metrics_expose(m, format, &out) == 0);
	if (strlen(value) <= METRIC_VALUE_MAX) {
		require(count(&out, '\n') == (format == METRICS_OPENMETRICS ? 7 : 6));
		require(strstr(out.p, "\",b=\"b\"} 2\n"));
	} else {
		require(strstr(out.p, "dropped_series_total 2\n"));
	}
	if (format == METRICS_OPENMETRICS)
		require(out.len > 6 && strcmp(out.p + out.len - 6, "# EOF\n") == 0);
	buf_free(&out);
	metrics_free(m);
}

static void probe(const char *path, const char *query)
{
	struct health *h = health_new();
	struct buf out = BUF_INIT(1 << 20);
	int status;

	health_add(h, "good", HEALTH_LIVE | HEALTH_READY);
	health_set(h, "good", true, NULL);
	health_add(h, "bad", HEALTH_READY);
	status = health_answer(h, path, query, &out);
	require(status == 200 || status == 404 || status == 500);
	require(out.err == 0 && out.len > 0);
	/* Only an exclusion makes the failing check pass. */
	if (status == 200 && strcmp(path, "/readyz") == 0)
		require(strstr(query, "exclude=bad"));
	buf_free(&out);
	health_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 4), *part[4];
	enum metrics_format format;

	if (!text)
		return 0;
	memcpy(text, data, size);
	memset(text + size, 0, 4);
	part[0] = text;
	for (int i = 1; i < 4; i++) {
		part[i] = part[i - 1] + strlen(part[i - 1]);
		if (part[i] < text + size)
			part[i]++;
	}
	format = metrics_negotiate(part[0]);
	require(format == METRICS_TEXT || strcasestr(part[0], "application/openmetrics-text"));
	probe(part[1], part[2]);
	expose(format, part[3]);
	free(text);
	return 0;
}
