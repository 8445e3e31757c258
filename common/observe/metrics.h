/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics registry and exposition: Prometheus text 0.0.4 and OpenMetrics 1.0.0. Thread-safe. Label
 * values come from bounded sets, never from a client's own text. */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"

struct metrics;
struct metric; /* a family: one name, one set of label names */

enum {
	METRIC_LABELS_MAX = 6,
	METRIC_BOUNDS_MAX = 32,
	METRIC_VALUE_MAX = 256,    /* bytes of a label value */
	METRIC_SERIES_MAX = 2048,  /* of one family */
	METRIC_COLLECTORS_MAX = 16,
};
/* Series beyond a maximum are dropped, and counted in casemate_metrics_dropped_series_total. */

struct metrics *metrics_new(void); /* NULL: no memory */
void metrics_free(struct metrics *m);
DEFINE_CLEANUP(struct metrics *, metrics_free)

/* Families. name is the full name ("casemate_webhook_reviews_total"; a counter's ends in _total);
 * labels is NULL-terminated, or NULL for none; what the arguments point to outlives the registry.
 * NULL: no memory. Registered once, at start. A counter or histogram without labels is exposed from
 * then on; any other series from its first value on. */
struct metric *metrics_counter(struct metrics *m, const char *name, const char *help,
	const char *const *labels);
struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help,
	const char *const *labels);
/* bounds: ascending upper bounds without +Inf, n of them. */
struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help,
	const char *const *labels, const double *bounds, size_t n);
/* An info family: one sample of value 1 (OpenMetrics type info; name ends in _info). */
struct metric *metrics_info(struct metrics *m, const char *name, const char *help,
	const char *const *labels);

/* values: one a label, in order; NULL for a family without labels. NULL metrics are allowed and do
 * nothing, so that pure tests need no registry. Cheap enough for each review (well below a
 * microsecond). */
void metric_add(struct metric *f, double v, const char *const *values);     /* counter, gauge */
/* gauge, info, and a counter that is kept elsewhere and read at collection */
void metric_set(struct metric *f, double v, const char *const *values);
void metric_observe(struct metric *f, double v, const char *const *values); /* histogram */
void metric_remove(struct metric *f, const char *const *values);            /* a series ends */

/* values for the calls above: METRIC_VALUES("mutate", "CREATE") */
#define METRIC_VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* fn is called at each exposition (one at a time), to refresh what is read from somewhere. 0 or
 * -ENOBUFS. */
int metrics_on_collect(struct metrics *m, void (*fn)(void *ctx), void *ctx);

/* Registers process_cpu_seconds_total, process_resident_memory_bytes,
 * process_virtual_memory_bytes, process_open_fds, process_max_fds, process_start_time_seconds and
 * casemate_build_info{version,compiler}. 0 or -errno. */
int metrics_process(struct metrics *m, const char *version);

enum metrics_format { METRICS_TEXT, METRICS_OPENMETRICS };
/* By an Accept header (NULL allowed): the highest q that we write, text when in doubt. */
enum metrics_format metrics_negotiate(const char *accept);
const char *metrics_content_type(enum metrics_format f);
/* Appends the exposition to out; returns out's err. */
int metrics_expose(struct metrics *m, enum metrics_format f, struct buf *out);
