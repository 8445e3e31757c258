/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry: families in a list, the series of a family in an array behind an open-addressing
 * index. One lock a family, held for a lookup and an addition; an exposition takes it anew for each
 * series, so that a scrape of a large family does not hold up a review. Exposition:
 * Prometheus text 0.0.4 and OpenMetrics 1.0.0 (OpenMetrics specification, section "Text format"). */
#include "common/observe/metrics.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/observe/metrics_process.h"

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM, KIND_INFO };

struct series {
	uint64_t hash;
	char *values;       /* the raw label values, a NUL behind each */
	const char *text;   /* a="b",c="d": escaped once, when the series begins */
	double value;       /* a histogram's sum */
	uint64_t buckets[]; /* a histogram's, not cumulative; the last is +Inf */
};

struct metric {
	struct metric *next;
	struct metrics *owner;
	enum kind kind;
	const char *name, *help;
	const char *const *labels;
	size_t n_labels;
	const double *bounds;
	size_t n_bounds;
	pthread_mutex_t lock;
	struct series **slots; /* in order of exposition; NULL where one was removed */
	uint32_t *index;       /* slot + 1, 0 when empty; twice as many as slots */
	size_t used, cap;      /* of slots; cap is a power of two */
};

struct metrics {
	pthread_mutex_t lock;    /* the list and the collectors */
	pthread_mutex_t collect; /* one exposition at a time refreshes */
	struct metric *head, **tail;
	struct metric *dropped;
	struct metrics_process *process;
	struct collector {
		void (*fn)(void *ctx);
		void *ctx;
	} collectors[METRIC_COLLECTORS_MAX];
	size_t n_collectors;
};

struct metrics *metrics_new(void)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->collect, NULL);
	m->tail = &m->head;
	m->dropped = metrics_counter(m, "casemate_metrics_dropped_series_total",
		"Label sets not recorded because their metric has too many.", NULL);
	if (!m->dropped) {
		metrics_free(m);
		return NULL;
	}
	return m;
}

static void series_free(struct series *s)
{
	if (s)
		free(s->values);
	free(s);
}

static void family_free(struct metric *f)
{
	for (size_t i = 0; i < f->used; i++)
		series_free(f->slots[i]);
	free(f->slots);
	free(f->index);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

void metrics_free(struct metrics *m)
{
	struct metric *f, *next;

	if (!m)
		return;
	for (f = m->head; f; f = next) {
		next = f->next;
		family_free(f);
	}
	metrics_process_free(m->process);
	pthread_mutex_destroy(&m->collect);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* FNV-1a over the values and their NULs. */
static uint64_t hash_values(const struct metric *f, const char *const *values)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < f->n_labels; i++) {
		const unsigned char *p = (const unsigned char *)values[i];

		do
			h = (h ^ *p) * 0x100000001b3;
		while (*p++);
	}
	return h;
}

static bool series_is(const struct metric *f, const struct series *s, const char *const *values)
{
	const char *have = s->values;

	for (size_t i = 0; i < f->n_labels; i++) {
		if (strcmp(have, values[i]) != 0)
			return false;
		have += strlen(have) + 1;
	}
	return true;
}

static struct series *family_find(const struct metric *f, uint64_t hash, const char *const *values,
	size_t *ret_slot)
{
	size_t mask = 2 * f->cap - 1;

	if (f->cap == 0)
		return NULL;
	for (size_t i = hash & mask; f->index[i]; i = (i + 1) & mask) {
		struct series *s = f->slots[f->index[i] - 1];

		if (s->hash == hash && series_is(f, s, values)) {
			*ret_slot = f->index[i] - 1;
			return s;
		}
	}
	return NULL;
}

static void index_add(uint32_t *index, size_t cap, uint64_t hash, size_t slot)
{
	size_t mask = 2 * cap - 1, i = hash & mask;

	while (index[i])
		i = (i + 1) & mask;
	index[i] = (uint32_t)slot + 1;
}

static void index_rebuild(const struct metric *f, uint32_t *index, size_t cap)
{
	memset(index, 0, 2 * cap * sizeof(*index));
	for (size_t i = 0; i < f->used; i++)
		if (f->slots[i])
			index_add(index, cap, f->slots[i]->hash, i);
}

static int family_grow(struct metric *f)
{
	size_t cap = f->cap ? 2 * f->cap : f->n_labels ? 8 : 1;
	struct series **slots = reallocarray(f->slots, cap, sizeof(struct series *));
	uint32_t *index;

	if (!slots)
		return -ENOMEM;
	f->slots = slots;
	index = calloc(2 * cap, sizeof(*index));
	if (!index)
		return -ENOMEM;
	index_rebuild(f, index, cap);
	free(f->index);
	f->index = index;
	f->cap = cap;
	return 0;
}

/* Both formats escape a label value alike. OpenMetrics escapes the quote in HELP as well. */
static void put_escaped(struct buf *b, const char *s, bool quote)
{
	for (; *s; s++)
		if (*s == '\n')
			buf_puts(b, "\\n");
		else if (*s == '\\' || (*s == '"' && quote))
			buf_printf(b, "\\%c", *s);
		else
			buf_putc(b, *s);
}

/* One block holds the raw values and, behind them, the text. */
static struct series *series_new(const struct metric *f, uint64_t hash, const char *const *values)
{
	size_t buckets = f->kind == KIND_HISTOGRAM ? f->n_bounds + 1 : 0;
	_cleanup_buf_ struct buf b = BUF_INIT(16 * 1024);
	struct series *s;
	size_t text;

	for (size_t i = 0; i < f->n_labels; i++)
		buf_add(&b, values[i], strlen(values[i]) + 1);
	text = b.len;
	for (size_t i = 0; i < f->n_labels; i++) {
		buf_printf(&b, "%s%s=\"", i ? "," : "", f->labels[i]);
		put_escaped(&b, values[i], true);
		buf_putc(&b, '"');
	}
	if (buf_putc(&b, '\0') < 0)
		return NULL;
	s = calloc(1, sizeof(*s) + buckets * sizeof(s->buckets[0]));
	if (!s)
		return NULL;
	s->hash = hash;
	s->values = TAKE_PTR(b.p);
	s->text = s->values + text;
	return s;
}

/* A new series takes the lowest free slot: an exposition under way that has passed the slot of a
 * series that is removed and added again then never shows it twice. */
static struct series *family_add(struct metric *f, uint64_t hash, const char *const *values)
{
	struct series *s;
	size_t slot = 0;

	for (size_t i = 0; i < f->n_labels; i++)
		if (strlen(values[i]) > METRIC_VALUE_MAX)
			return NULL;
	while (slot < f->used && f->slots[slot])
		slot++;
	if (slot == METRIC_SERIES_MAX || (slot == f->cap && family_grow(f) < 0))
		return NULL;
	s = series_new(f, hash, values);
	if (!s)
		return NULL;
	f->slots[slot] = s;
	if (slot == f->used)
		f->used++;
	index_add(f->index, f->cap, hash, slot);
	return s;
}

/* The series, made when new; NULL (and counted) when it cannot be kept. With the lock held. */
static struct series *series_get(struct metric *f, const char *const *values)
{
	uint64_t hash = hash_values(f, values);
	size_t slot;
	struct series *s = family_find(f, hash, values, &slot);

	if (!s)
		s = family_add(f, hash, values);
	if (!s)
		metric_add(f->owner->dropped, 1, NULL);
	return s;
}

void metric_add(struct metric *f, double v, const char *const *values)
{
	struct series *s;

	if (!f)
		return;
	assert(f->kind == KIND_COUNTER || f->kind == KIND_GAUGE);
	pthread_mutex_lock(&f->lock);
	s = series_get(f, values);
	if (s)
		s->value += v;
	pthread_mutex_unlock(&f->lock);
}

void metric_set(struct metric *f, double v, const char *const *values)
{
	struct series *s;

	if (!f)
		return;
	assert(f->kind != KIND_HISTOGRAM);
	pthread_mutex_lock(&f->lock);
	s = series_get(f, values);
	if (s)
		s->value = v;
	pthread_mutex_unlock(&f->lock);
}

void metric_observe(struct metric *f, double v, const char *const *values)
{
	struct series *s;
	size_t i = 0;

	if (!f)
		return;
	assert(f->kind == KIND_HISTOGRAM);
	while (i < f->n_bounds && !(v <= f->bounds[i]))
		i++;
	pthread_mutex_lock(&f->lock);
	s = series_get(f, values);
	if (s) {
		s->value += v;
		s->buckets[i]++;
	}
	pthread_mutex_unlock(&f->lock);
}

void metric_remove(struct metric *f, const char *const *values)
{
	size_t slot;

	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	if (family_find(f, hash_values(f, values), values, &slot)) {
		series_free(f->slots[slot]);
		f->slots[slot] = NULL;
		index_rebuild(f, f->index, f->cap);
	}
	pthread_mutex_unlock(&f->lock);
}

static struct metric *family_new(struct metrics *m, enum kind kind, const char *name,
	const char *help, const char *const *labels)
{
	struct metric *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	*f = (struct metric){.owner = m, .kind = kind, .name = name, .help = help,
		.labels = labels};
	while (labels && labels[f->n_labels])
		f->n_labels++;
	assert(f->n_labels <= METRIC_LABELS_MAX);
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

static struct metric *family_register(struct metrics *m, struct metric *f)
{
	static const char *const no_values[] = {NULL};
	size_t n = strlen(f->name);

	assert(f->kind != KIND_COUNTER || (n > 6 && strcmp(f->name + n - 6, "_total") == 0));
	assert(f->kind != KIND_INFO || (n > 5 && strcmp(f->name + n - 5, "_info") == 0));
	if (f->n_labels == 0 && (f->kind == KIND_COUNTER || f->kind == KIND_HISTOGRAM) &&
		!family_add(f, hash_values(f, no_values), no_values)) {
		family_free(f);
		return NULL;
	}
	pthread_mutex_lock(&m->lock);
	*m->tail = f;
	m->tail = &f->next;
	pthread_mutex_unlock(&m->lock);
	return f;
}

static struct metric *family(struct metrics *m, enum kind kind, const char *name, const char *help,
	const char *const *labels)
{
	struct metric *f = family_new(m, kind, name, help, labels);

	return f ? family_register(m, f) : NULL;
}

struct metric *metrics_counter(struct metrics *m, const char *name, const char *help,
	const char *const *labels)
{
	return family(m, KIND_COUNTER, name, help, labels);
}

struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help,
	const char *const *labels)
{
	return family(m, KIND_GAUGE, name, help, labels);
}

struct metric *metrics_info(struct metrics *m, const char *name, const char *help,
	const char *const *labels)
{
	return family(m, KIND_INFO, name, help, labels);
}

struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help,
	const char *const *labels, const double *bounds, size_t n)
{
	struct metric *f = family_new(m, KIND_HISTOGRAM, name, help, labels);

	assert(n <= METRIC_BOUNDS_MAX);
	if (!f)
		return NULL;
	f->bounds = bounds;
	f->n_bounds = n;
	return family_register(m, f);
}

int metrics_on_collect(struct metrics *m, void (*fn)(void *ctx), void *ctx)
{
	int r = -ENOBUFS;

	pthread_mutex_lock(&m->lock);
	if (m->n_collectors < METRIC_COLLECTORS_MAX) {
		m->collectors[m->n_collectors++] = (struct collector){fn, ctx};
		r = 0;
	}
	pthread_mutex_unlock(&m->lock);
	return r;
}

int metrics_process(struct metrics *m, const char *version)
{
	return metrics_process_new(&m->process, m, version);
}

/* The shortest decimal that reads back as v. */
static void put_number(struct buf *b, double v)
{
	char text[32];

	if (isnan(v) || isinf(v)) {
		buf_puts(b, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
		return;
	}
	if (v > -1e15 && v < 1e15 && v == (double)(int64_t)v) {
		buf_printf(b, "%lld", (long long)v);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_puts(b, text);
}

/* OpenMetrics wants "1.0" where a bound is whole; used in both formats, so that a series keeps its
 * name whichever was negotiated. */
static void put_bound(struct buf *b, double v)
{
	size_t from = b->len;

	put_number(b, v);
	if (b->err == 0 && !strpbrk(b->p + from, ".eIN"))
		buf_puts(b, ".0");
}

/* NAME[SUFFIX][{LABELS[,le="BOUND"]}] and a space */
static void put_sample(struct buf *b, const struct metric *f, const struct series *s,
	const char *suffix, const double *bound)
{
	buf_printf(b, "%s%s", f->name, suffix);
	if (f->n_labels || bound) {
		buf_printf(b, "{%s", s->text);
		if (bound) {
			buf_printf(b, "%sle=\"", f->n_labels ? "," : "");
			put_bound(b, *bound);
			buf_putc(b, '"');
		}
		buf_putc(b, '}');
	}
	buf_putc(b, ' ');
}

static void put_histogram(struct buf *b, const struct metric *f, const struct series *s)
{
	const double infinity = INFINITY;
	uint64_t count = 0;

	for (size_t i = 0; i <= f->n_bounds; i++) {
		count += s->buckets[i];
		put_sample(b, f, s, "_bucket", i < f->n_bounds ? &f->bounds[i] : &infinity);
		buf_printf(b, "%llu\n", (unsigned long long)count);
	}
	put_sample(b, f, s, "_sum", NULL);
	put_number(b, s->value);
	buf_putc(b, '\n');
	put_sample(b, f, s, "_count", NULL);
	buf_printf(b, "%llu\n", (unsigned long long)count);
}

static void put_series(struct buf *b, const struct metric *f, const struct series *s)
{
	if (f->kind == KIND_HISTOGRAM) {
		put_histogram(b, f, s);
		return;
	}
	put_sample(b, f, s, "", NULL);
	put_number(b, s->value);
	buf_putc(b, '\n');
}

static bool ends_with(const char *s, size_t n, const char *unit)
{
	size_t k = strlen(unit);

	return n > k && s[n - k - 1] == '_' && memcmp(s + n - k, unit, k) == 0;
}

static void put_head(struct buf *b, const struct metric *f, enum metrics_format format)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "info"};
	static const char *const units[] = {"seconds", "bytes", "ratio"};
	bool open = format == METRICS_OPENMETRICS;
	const char *type = f->kind == KIND_INFO && !open ? "gauge" : types[f->kind];
	int n = (int)strlen(f->name);

	/* OpenMetrics names a family without the suffix of its samples. */
	if (open && f->kind == KIND_COUNTER)
		n -= (int)strlen("_total");
	if (open && f->kind == KIND_INFO)
		n -= (int)strlen("_info");
	buf_printf(b, "# HELP %.*s ", n, f->name);
	put_escaped(b, f->help, open);
	buf_printf(b, "\n# TYPE %.*s %s\n", n, f->name, type);
	for (size_t i = 0; open && i < ARRAY_SIZE(units); i++)
		if (ends_with(f->name, (size_t)n, units[i]))
			buf_printf(b, "# UNIT %.*s %s\n", n, f->name, units[i]);
}

static void put_family(struct buf *b, struct metric *f, enum metrics_format format)
{
	bool head = false, more = true;

	for (size_t i = 0; more; i++) {
		pthread_mutex_lock(&f->lock);
		more = i < f->used;
		if (more && f->slots[i]) {
			if (!head)
				put_head(b, f, format);
			head = true;
			put_series(b, f, f->slots[i]);
		}
		pthread_mutex_unlock(&f->lock);
	}
}

int metrics_expose(struct metrics *m, enum metrics_format format, struct buf *out)
{
	struct collector collectors[METRIC_COLLECTORS_MAX];
	struct metric *f;
	size_t n;

	pthread_mutex_lock(&m->lock);
	n = m->n_collectors;
	memcpy(collectors, m->collectors, sizeof(collectors));
	f = m->head;
	pthread_mutex_unlock(&m->lock);
	pthread_mutex_lock(&m->collect);
	metrics_process_collect(m->process);
	for (size_t i = 0; i < n; i++)
		collectors[i].fn(collectors[i].ctx);
	pthread_mutex_unlock(&m->collect);
	while (f) {
		put_family(out, f, format);
		pthread_mutex_lock(&m->lock);
		f = f->next;
		pthread_mutex_unlock(&m->lock);
	}
	if (format == METRICS_OPENMETRICS)
		buf_puts(out, "# EOF\n");
	return out->err;
}
