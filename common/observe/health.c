/* SPDX-License-Identifier: Apache-2.0
 *
 * Named checks in a table behind a lock; answers worded as the API server words its own
 * (k8s.io/apiserver/pkg/server/healthz), except that the reason of a failure is not withheld. */
#include "common/observe/health.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"

struct check {
	const char *name;
	unsigned kinds;
	bool ok;
	char why[HEALTH_WHY_MAX + 1];
};

struct health {
	pthread_mutex_t lock;
	struct check checks[HEALTH_CHECKS_MAX];
	size_t n;
};

struct health *health_new(void)
{
	struct health *h = calloc(1, sizeof(*h));

	if (h)
		pthread_mutex_init(&h->lock, NULL);
	return h;
}

void health_free(struct health *h)
{
	if (h)
		pthread_mutex_destroy(&h->lock);
	free(h);
}

static struct check *find(struct health *h, struct span name, unsigned kind)
{
	for (size_t i = 0; i < h->n; i++)
		if ((h->checks[i].kinds & kind) && span_is(name, h->checks[i].name))
			return &h->checks[i];
	return NULL;
}

int health_add(struct health *h, const char *name, unsigned kinds)
{
	int r = -ENOBUFS;

	pthread_mutex_lock(&h->lock);
	if (h->n < HEALTH_CHECKS_MAX) {
		h->checks[h->n++] = (struct check){
			.name = name, .kinds = kinds, .why = "not checked yet"};
		r = 0;
	}
	pthread_mutex_unlock(&h->lock);
	return r;
}

/* Why goes into a line of text. */
static void copy_line(char out[HEALTH_WHY_MAX + 1], const char *why)
{
	size_t n = utf8_cut(span_str(why), HEALTH_WHY_MAX).len;

	for (size_t i = 0; i < n; i++)
		out[i] = why[i] == '\n' || why[i] == '\r' ? ' ' : why[i];
	out[n] = '\0';
}

void health_set(struct health *h, const char *name, bool ok, const char *why)
{
	struct check *c;

	pthread_mutex_lock(&h->lock);
	c = find(h, span_str(name), HEALTH_LIVE | HEALTH_READY);
	assert(c);
	c->ok = ok;
	copy_line(c->why, why ? why : "no reason given");
	pthread_mutex_unlock(&h->lock);
}

bool health_ok(struct health *h, enum health_kind kind)
{
	bool ok = true;

	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->n; i++)
		ok = ok && (!(h->checks[i].kinds & kind) || h->checks[i].ok);
	pthread_mutex_unlock(&h->lock);
	return ok;
}

/* Cuts the next name=value off the front of *query; false at its end. */
static bool next_argument(struct span *query, struct span *name, struct span *value)
{
	const char *end, *eq;

	if (query->len == 0)
		return false;
	end = memchr(query->p, '&', query->len);
	*name = (struct span){query->p, end ? (size_t)(end - query->p) : query->len};
	*query = end ? (struct span){end + 1, query->len - name->len - 1} : SPAN_NONE;
	eq = name->len ? memchr(name->p, '=', name->len) : NULL;
	*value = eq ? (struct span){eq + 1, name->len - (size_t)(eq + 1 - name->p)} : SPAN_NONE;
	if (eq)
		name->len = (size_t)(eq - name->p);
	return true;
}

static bool is_verbose(struct span query)
{
	struct span name, value;

	while (next_argument(&query, &name, &value))
		if (span_is(name, "verbose"))
			return true;
	return false;
}

static bool is_excluded(struct span query, const char *check)
{
	struct span name, value;

	while (next_argument(&query, &name, &value))
		if (span_is(name, "exclude") && span_is(value, check))
			return true;
	return false;
}

/* Excluding what does not exist is most likely a typing error. */
static void warn_unknown(struct health *h, unsigned kind, struct span query, struct buf *out)
{
	struct span name, value;

	while (next_argument(&query, &name, &value))
		if (span_is(name, "exclude") && !find(h, value, kind))
			buf_puts(out, "warn: some health checks cannot be excluded: no matches\n");
}

static int answer_all(struct health *h, unsigned kind, const char *endpoint, struct span query,
	struct buf *out)
{
	bool ok = true;

	for (size_t i = 0; i < h->n; i++) {
		const struct check *c = &h->checks[i];

		if (!(c->kinds & kind))
			continue;
		if (is_excluded(query, c->name)) {
			buf_printf(out, "[+]%s excluded: ok\n", c->name);
		} else if (c->ok) {
			buf_printf(out, "[+]%s ok\n", c->name);
		} else {
			buf_printf(out, "[-]%s failed: %s\n", c->name, c->why);
			ok = false;
		}
	}
	warn_unknown(h, kind, query, out);
	buf_printf(out, "%s check %s\n", endpoint, ok ? "passed" : "failed");
	if (ok && !is_verbose(query)) {
		buf_reset(out);
		buf_puts(out, "ok");
	}
	return ok ? 200 : 500;
}

static int answer_one(struct health *h, unsigned kind, struct span name, struct buf *out)
{
	const struct check *c = find(h, name, kind);

	if (!c) {
		buf_puts(out, "404 page not found\n");
		return 404;
	}
	if (c->ok)
		buf_puts(out, "ok");
	else
		buf_printf(out, "[-]%s failed: %s\n", c->name, c->why);
	return c->ok ? 200 : 500;
}

int health_answer(struct health *h, const char *path, const char *query, struct buf *out)
{
	static const struct {
		const char *path;
		enum health_kind kind;
	} endpoints[] = {
		{"/livez", HEALTH_LIVE},
		{"/readyz", HEALTH_READY},
		{"/healthz", HEALTH_LIVE},
	};
	int status = 0;

	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; status == 0 && i < ARRAY_SIZE(endpoints); i++) {
		const char *at = endpoints[i].path;
		struct span sub = span_after(span_str(path), at);

		if (!sub.p)
			continue;
		if (sub.len == 0 || span_is(sub, "/"))
			status = answer_all(h, endpoints[i].kind, at + 1, span_str(query), out);
		else if (sub.p[0] == '/')
			status = answer_one(h, endpoints[i].kind,
				(struct span){sub.p + 1, sub.len - 1}, out);
	}
	pthread_mutex_unlock(&h->lock);
	if (status == 0) {
		buf_puts(out, "404 page not found\n");
		status = 404;
	}
	return status;
}
