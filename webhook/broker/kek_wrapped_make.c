/* SPDX-License-Identifier: Apache-2.0
 *
 * A new wrapped key-encryption key: made, wrapped, stored in front of the others. */
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "webhook/broker/kek_wrapped_private.h"

/* Older ones are kept that backups may be under; of those that no record is under, no more. */
enum { KEPT = 4 };

static void not_made(struct kek_wrapped *w, int r, const struct error *err)
{
	int64_t now = clock_monotonic_usec();

	if (strcmp(w->problem, err->message) != 0)
		log_error(err->message, "Cannot make a key-encryption key");
	snprintf(w->problem, sizeof(w->problem), "%s", err->message);
	w->retry_usec = now + backoff_delay(&w->backoff, now, backoff_chance());
	kek_tell(w, r, err);
}

static bool has_kind(const struct kek_lines *lines, enum kek_kind kind)
{
	for (size_t i = 0; i < lines->n; i++)
		if (lines->v[i].kind == kind)
			return true;
	return false;
}

static void rewrap_next(struct kek_wrapped *w);

static void on_rewrapped(void *ctx, int r, struct span text, const struct error *err)
{
	struct kek_wrapped *w = ctx;
	struct kek_line *line = &w->next.v[w->rewrapped++];

	/* One that cannot be wrapped anew stays as it is. */
	if (r < 0)
		log_warn("Could not wrap a key-encryption key anew", LOG_STR("kek", line->id),
			LOG_STR("message", err->message));
	else
		snprintf(line->wrapped, sizeof(line->wrapped), SPAN_FMT, SPAN_ARG(text));
	rewrap_next(w);
}

/* The older ones under the newest version of Vault's key; then all are stored. */
static void rewrap_next(struct kek_wrapped *w)
{
	struct error err = {0};

	w->busy = REWRAPPING;
	for (; w->renew && w->rewrapped < w->next.n; w->rewrapped++) {
		const struct kek_line *line = &w->next.v[w->rewrapped];
		const struct kek_wrapper *wrapper = &w->wrappers[line->kind];

		if (!wrapper->rewrap)
			continue;
		if (wrapper->rewrap(wrapper->self, line, on_rewrapped, w, &err) == 0)
			return;
		log_warn("Could not wrap a key-encryption key anew", LOG_STR("kek", line->id),
			LOG_STR("message", err.message));
	}
	kek_store(w, &w->next);
}

/* Room in front; of those that nothing is under only the newest are kept. */
static int make_room(struct kek_wrapped *w, struct kek_lines *lines, struct error *err)
{
	for (size_t i = lines->n; i > 0 && lines->n >= KEPT; i--) {
		int used = w->o.hooks.used(w->o.hooks.ctx, lines->v[i - 1].id);

		if (used < 0)
			return error_set(err, used, "it is not known which keys are stored");
		if (used)
			continue;
		memmove(&lines->v[i - 1], &lines->v[i], (lines->n - i) * sizeof(lines->v[0]));
		lines->n--;
	}
	if (lines->n == KEKS_MAX)
		return error_set(err, -ENOSPC,
			"keys are under %d key-encryption keys: wait until they are under the "
			"newest (casemate-webhook key rotate --kek)",
			KEKS_MAX);
	memmove(&lines->v[1], &lines->v[0], lines->n * sizeof(lines->v[0]));
	lines->n++;
	return 0;
}

static void on_sealed(void *ctx, int r, struct span text, const struct error *cause)
{
	struct kek_wrapped *w = ctx;
	struct kek_line *line = &w->next.v[0];
	struct error err = *cause;

	w->busy = IDLE;
	if (r == 0) {
		snprintf(line->wrapped, sizeof(line->wrapped), SPAN_FMT, SPAN_ARG(text));
		if (text.len >= sizeof(line->wrapped) || !kek_line_good(line))
			r = error_set(&err, -EBADMSG, "%s: what it wrapped is no text", line->by);
	}
	if (r < 0) {
		not_made(w, r, &err);
		kek_step(w);
		return;
	}
	log_info(1, "Made a key-encryption key", LOG_STR("kek", line->id), LOG_STR("by", line->by));
	if (w->done)
		memcpy(w->wanted, line->id, sizeof(w->wanted));
	w->rewrapped = 1;
	rewrap_next(w);
}

static int begin_making(struct kek_wrapped *w, struct error *err)
{
	const struct kek_wrapper *wrapper = &w->wrappers[w->o.settings->use];
	_cleanup_secret_ struct secret key = {0};
	_cleanup_keks_ struct kek_ring one = {0};
	struct kek_line *line = &w->next.v[0];
	int r;

	w->next = w->lines;
	r = make_room(w, &w->next, err);
	if (r == 0 && secret_init(&key, KEK_LEN) < 0)
		r = error_oom(err);
	if (r < 0)
		return r;
	if (RAND_bytes((unsigned char *)key.p, KEK_LEN) != 1)
		return error_set(err, -EIO, "no randomness for a key-encryption key");
	key.len = KEK_LEN;
	r = kek_ring_add(&one, secret_view(&key), err);
	if (r < 0)
		return r;
	*line = (struct kek_line){.kind = (enum kek_kind)w->o.settings->use};
	memcpy(line->id, one.v[0].id, sizeof(line->id));
	snprintf(line->by, sizeof(line->by), "%s", wrapper->by);
	w->busy = SEALING;
	r = wrapper->seal(wrapper->self, secret_view(&key), on_sealed, w, err);
	if (r < 0)
		w->busy = IDLE;
	return r;
}

/* Records that no known KEK opens are under one that was lost: it is not hidden by a new one. */
static int may_make(struct kek_wrapped *w, struct error *err)
{
	char record[KEY_RECORD_NAME_MAX];
	int r;

	if (w->lines.n)
		return 0;
	r = w->o.hooks.records(w->o.hooks.ctx, record);
	if (r == -EAGAIN)
		return error_set(err, r, "it is not known yet which keys are stored");
	return r > 0 ? error_set(err, -ENOKEY,
			       "%s with the wrapped key-encryption keys is gone, and there are "
			       "keys under them (%.100s): restore it, or the keys with it, from "
			       "your backup (casemate-webhook key restore). None is made anew "
			       "while they are there",
			       kek_stored_name(w), record)
		     : r;
}

void kek_make_if_needed(struct kek_wrapped *w, int64_t now)
{
	struct error err = {0};
	int r;

	if (!kek_wraps_here(w) || now < w->retry_usec ||
		(!w->renew && has_kind(&w->lines, (enum kek_kind)w->o.settings->use)))
		return;
	r = may_make(w, &err);
	if (r == -EAGAIN) {
		snprintf(w->problem, sizeof(w->problem), "%s", err.message);
		return;
	}
	if (r == 0)
		r = begin_making(w, &err);
	if (r < 0)
		not_made(w, r, &err);
	else
		w->problem[0] = '\0';
}
