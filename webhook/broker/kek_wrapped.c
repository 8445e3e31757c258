/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/kek_wrapped.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "webhook/broker/kek_wrapped_private.h"

#define NAME_SECRET "casemate-wrapped-keks"
#define NAME_FILE   "wrapped"
#define SUFFIX      ".keks"
#define LABEL       "keks"

#define LOOK_USEC (60 * (int64_t)USEC_PER_SEC)

static void plan(struct kek_wrapped *w, int64_t now);

static struct backoff new_backoff(void)
{
	return (struct backoff){.first_usec = USEC_PER_SEC,
		.max_usec = 60 * (int64_t)USEC_PER_SEC,
		.quiet_usec = 300 * (int64_t)USEC_PER_SEC};
}

bool kek_wraps_here(const struct kek_wrapped *w)
{
	return w->wrappers[w->o.settings->use].self;
}

void kek_tell(struct kek_wrapped *w, int r, const struct error *err)
{
	key_store_written done = w->done;

	w->done = NULL;
	w->renew = false;
	w->wanted[0] = '\0';
	if (done)
		done(w->done_ctx, r, err);
}

static void rebuild(struct kek_wrapped *w)
{
	struct kek_ring fresh = {0};

	for (int first = 1; first >= 0; first--)
		for (size_t i = 0; i < w->lines.n; i++)
			if ((w->lines.v[i].kind == (enum kek_kind)w->o.settings->use) == first &&
				kek_ring_join(&fresh, &w->slots[i].open) < 0)
				log_error("out of memory", "Lost a key-encryption key");
	kek_ring_free(&w->ring);
	w->ring = fresh;
	w->o.hooks.changed(w->o.hooks.ctx);
}

static void slot_free(struct slot *s)
{
	kek_ring_free(&s->open);
	*s = (struct slot){.backoff = new_backoff()};
}

/* These lines are stored now. What is open of them stays so. */
static void take_lines(struct kek_wrapped *w, const struct kek_lines *lines)
{
	struct slot old[KEKS_MAX];

	memcpy(old, w->slots, sizeof(old));
	memset(w->slots, 0, sizeof(w->slots));
	for (size_t i = 0; i < KEKS_MAX; i++)
		w->slots[i].backoff = new_backoff();
	for (size_t i = 0; i < lines->n; i++)
		for (size_t j = 0; j < w->lines.n; j++)
			if (strcmp(lines->v[i].id, w->lines.v[j].id) == 0) {
				w->slots[i] = old[j];
				old[j] = (struct slot){0};
			}
	for (size_t j = 0; j < KEKS_MAX; j++)
		kek_ring_free(&old[j].open);
	w->lines = *lines;
	rebuild(w);
}

/*
 * What is stored
 */

const char *kek_stored_name(const struct kek_wrapped *w)
{
	return w->o.kube ? NAME_SECRET : NAME_FILE;
}

static void on_stored(void *ctx, int r, const struct error *err)
{
	struct kek_wrapped *w = ctx;

	int64_t now = clock_monotonic_usec();

	w->busy = IDLE;
	if (r == 0)
		w->retry_usec = 0;
	if (r == 0 && !w->writes_back)
		w->renew = false;
	/* Of a restore, another's change is its end; a new KEK is then made once more. */
	if (r == -EEXIST && w->done && !w->renew && !w->writes_back)
		kek_tell(w, r, err);
	if (r == 0 || r == -EEXIST) { /* ours, or what another made meanwhile, is read now */
		kek_step(w);
		return;
	}
	log_error(err->message, "Cannot store the wrapped key-encryption keys");
	snprintf(w->problem, sizeof(w->problem), "%s", err->message);
	w->retry_usec = now + backoff_delay(&w->backoff, now, backoff_chance());
	kek_tell(w, r, err);
	plan(w, now);
}

void kek_store(struct kek_wrapped *w, const struct kek_lines *lines)
{
	_cleanup_buf_ struct buf text = BUF_INIT(KEK_LINES_BYTES_MAX);
	struct error err = {0};
	int r = kek_lines_write(&text, lines);

	w->busy = STORING;
	w->writes_back = lines == &w->lines;
	if (r < 0)
		error_oom(&err);
	else
		r = w->place.write(w->place.self, kek_stored_name(w), w->revision, buf_view(&text),
			NULL, on_stored, w, &err);
	if (r < 0)
		on_stored(w, r, &err);
}

/* -EAGAIN: not known yet. 1: it was gone, and is being written back. */
static int read_lines(struct kek_wrapped *w, struct error *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(KEK_LINES_BYTES_MAX);
	char revision[KEY_REVISION_MAX] = "";
	struct kek_lines lines = {0};
	int r = w->place.read(w->place.self, kek_stored_name(w), &text, revision, err);

	if (r == -ENOENT) {
		w->known = true;
		w->revision[0] = '\0';
		if (!w->lines.n || clock_monotonic_usec() < w->retry_usec)
			return 0;
		log_warn("The wrapped key-encryption keys were deleted; they are written back",
			LOG_STR("name", kek_stored_name(w)));
		kek_store(w, &w->lines);
		return 1;
	}
	if (r == 0)
		r = kek_lines_read(&lines, buf_view(&text), err);
	if (r < 0)
		return error_prefix(
			err, r, "the wrapped key-encryption keys (%s)", kek_stored_name(w));
	w->known = true;
	if (strcmp(revision, w->revision) == 0)
		return 0;
	memcpy(w->revision, revision, sizeof(w->revision));
	take_lines(w, &lines);
	return 0;
}

/*
 * Opening
 */

static struct slot *slot_of(struct kek_wrapped *w, const char *id)
{
	const struct kek_line *line = kek_lines_find(&w->lines, id);

	return line ? &w->slots[line - w->lines.v] : NULL;
}

static void not_opened(struct kek_wrapped *w, struct slot *s, const struct error *err)
{
	int64_t now = clock_monotonic_usec();

	if (strcmp(s->problem, err->message) != 0)
		log_error(err->message, "Cannot open a key-encryption key", LOG_STR("kek", w->at));
	snprintf(s->problem, sizeof(s->problem), "%s", err->message);
	s->retry_usec = now + backoff_delay(&s->backoff, now, backoff_chance());
	if (w->done && strcmp(w->wanted, w->at) == 0)
		kek_tell(w, err->code ? err->code : -EIO, err);
}

static void on_opened(void *ctx, int r, struct span key, const struct error *cause)
{
	struct kek_wrapped *w = ctx;
	struct slot *s = slot_of(w, w->at);
	struct error err = *cause;
	struct kek_ring one = {0};

	w->busy = IDLE;
	if (r == 0)
		r = kek_ring_add(&one, key, &err);
	if (r == 0 && strcmp(one.v[0].id, w->at) != 0)
		r = error_set(&err, -EBADMSG,
			"what was opened for key-encryption key %s is %s: its line was changed",
			w->at, one.v[0].id);
	if (!s || r < 0) {
		kek_ring_free(&one);
		if (s)
			not_opened(w, s, &err);
		kek_step(w);
		return;
	}
	s->opened_usec = clock_monotonic_usec();
	s->problem[0] = '\0';
	backoff_restart(&s->backoff);
	if (s->open.n) {
		kek_ring_free(&one);
	} else {
		s->open = one;
		rebuild(w);
	}
	if (w->done && strcmp(w->wanted, w->at) == 0)
		kek_tell(w, 0, &err);
	kek_step(w);
}

static int64_t due_usec(const struct kek_wrapped *w, const struct slot *s)
{
	int64_t due = s->open.n ? s->opened_usec + w->o.settings->cache_usec / 2 : 0;

	return due > s->retry_usec ? due : s->retry_usec;
}

/* What was not opened again in time is forgotten. */
static void forget(struct kek_wrapped *w, int64_t now)
{
	bool some = false;

	for (size_t i = 0; i < w->lines.n; i++)
		if (w->slots[i].open.n &&
			now >= w->slots[i].opened_usec + w->o.settings->cache_usec) {
			kek_ring_free(&w->slots[i].open);
			some = true;
		}
	if (some)
		rebuild(w);
}

/* Did it begin to open one? */
static bool open_next(struct kek_wrapped *w, int64_t now)
{
	for (size_t i = 0; i < w->lines.n; i++) {
		const struct kek_line *line = &w->lines.v[i];
		const struct kek_wrapper *wrapper = &w->wrappers[line->kind];
		struct error err = {0};

		if (!wrapper->self || now < due_usec(w, &w->slots[i]))
			continue;
		memcpy(w->at, line->id, sizeof(w->at));
		w->busy = OPENING;
		if (wrapper->open(wrapper->self, line, on_opened, w, &err) == 0)
			return true;
		w->busy = IDLE;
		not_opened(w, &w->slots[i], &err);
	}
	return false;
}

/*
 * The shell
 */

static void plan(struct kek_wrapped *w, int64_t now)
{
	int64_t next = now + LOOK_USEC;

	for (size_t i = 0; i < w->lines.n; i++) {
		const struct slot *s = &w->slots[i];
		int64_t due = due_usec(w, s);

		if (s->open.n && due > s->opened_usec + w->o.settings->cache_usec)
			due = s->opened_usec + w->o.settings->cache_usec;
		if (w->wrappers[w->lines.v[i].kind].self && due < next)
			next = due;
	}
	if (w->retry_usec > now && w->retry_usec < next)
		next = w->retry_usec;
	sd_event_source_set_time_relative(w->timer, next > now ? (uint64_t)(next - now) : 0);
	sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

void kek_step(struct kek_wrapped *w)
{
	int64_t now = clock_monotonic_usec();
	struct error err = {0};
	int r;

	forget(w, now);
	if (w->busy != IDLE)
		return;
	r = read_lines(w, &err);
	if (r < 0 && r != -EAGAIN && strcmp(w->place_problem, err.message) != 0)
		log_error(err.message, "Cannot use the wrapped key-encryption keys");
	snprintf(w->place_problem, sizeof(w->place_problem), "%s", r < 0 ? err.message : "");
	w->damaged = r < 0 && r != -EAGAIN;
	if (r == 0 && w->done && !w->renew && !w->wanted[0])
		kek_tell(w, 0, &err);
	if (r == 0 && !open_next(w, now))
		kek_make_if_needed(w, now);
	plan(w, now);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	kek_step(ctx);
	return 0;
}

/* Soon, but nothing that failed is tried again before its time. */
void kek_wrapped_look(struct kek_wrapped *w)
{
	sd_event_source_set_time_relative(w->timer, 0);
	sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

void kek_wrapped_reload(struct kek_wrapped *w)
{
	w->retry_usec = 0;
	for (size_t i = 0; i < w->lines.n; i++)
		w->slots[i].retry_usec = 0;
	kek_wrapped_look(w);
}

static void on_place(void *ctx)
{
	kek_wrapped_look(ctx);
}

const struct kek_ring *kek_wrapped_ring(const struct kek_wrapped *w)
{
	return &w->ring;
}

/* Those that only open old records do not keep it from anything, once they were tried. */
static const char *problem_of_opening(const struct kek_wrapped *w)
{
	const char *problem = kek_wraps_here(w) ? NULL : "";

	for (size_t i = 0; i < w->lines.n; i++) {
		const struct slot *s = &w->slots[i];

		if (!w->wrappers[w->lines.v[i].kind].self)
			continue;
		if (!s->open.n && !s->problem[0])
			return "the key-encryption keys are being opened";
		if (!problem && w->lines.v[i].kind == (enum kek_kind)w->o.settings->use)
			problem = s->open.n ? "" : s->problem; /* not "": see above */
	}
	return problem;
}

const char *kek_wrapped_problem(const struct kek_wrapped *w)
{
	const char *problem;

	if (!w->known)
		return w->place_problem[0] ? w->place_problem
					   : "the wrapped key-encryption keys are not known yet";
	problem = problem_of_opening(w);
	if (problem)
		return problem;
	return w->problem[0] ? w->problem : "the key-encryption key is being made";
}

bool kek_wrapped_refused(const struct kek_wrapped *w)
{
	const char *problem = w->known ? problem_of_opening(w) : NULL;

	for (size_t i = 0; problem && i < w->lines.n; i++)
		if (problem == w->slots[i].problem)
			return true;
	return w->damaged || clock_monotonic_usec() < w->retry_usec;
}

int kek_wrapped_renew(struct kek_wrapped *w, key_store_written done, void *ctx, struct error *err)
{
	if (!kek_wraps_here(w))
		return error_set(err, -EINVAL, "no Vault and no token wraps the keys");
	w->renew = true;
	w->done = done;
	w->done_ctx = ctx;
	kek_wrapped_reload(w);
	return 0;
}

int kek_wrapped_text(const struct kek_wrapped *w, struct buf *out)
{
	return w->lines.n ? kek_lines_write(out, &w->lines) : -ENOENT;
}

int kek_wrapped_adopt(struct kek_wrapped *w, struct span text, key_store_written done, void *ctx,
	struct error *err)
{
	struct kek_lines more;
	int r = kek_lines_read(&more, text, err);

	if (r < 0)
		return r;
	if (w->busy != IDLE || !w->known)
		return error_set(err, -EBUSY, "key-encryption keys are being changed: try again");
	w->next = w->lines;
	for (size_t i = 0; i < more.n; i++) {
		if (kek_lines_find(&w->next, more.v[i].id))
			continue;
		if (w->next.n == KEKS_MAX)
			return error_set(
				err, -ENOSPC, "there are %d key-encryption keys already", KEKS_MAX);
		w->next.v[w->next.n++] = more.v[i];
	}
	w->done = done;
	w->done_ctx = ctx;
	kek_store(w, &w->next);
	return 0;
}

void kek_wrapped_free(struct kek_wrapped *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < KEK_KINDS; i++)
		if (w->wrappers[i].self)
			w->wrappers[i].free(w->wrappers[i].self);
	if (w->place.free)
		w->place.free(w->place.self);
	for (size_t i = 0; i < KEKS_MAX; i++)
		slot_free(&w->slots[i]);
	kek_ring_free(&w->ring);
	sd_event_source_disable_unref(w->timer);
	free(w);
}

static int setup(struct kek_wrapped *w, struct error *err)
{
	const struct kek_wrapped_options *o = &w->o;
	int r = sd_event_add_time_relative(o->event, &w->timer, CLOCK_MONOTONIC, 0, 0, on_timer, w);

	if (r < 0)
		return error_set(err, r, "a timer of key-encryption keys: %s", strerror(-r));
	if (*o->settings->vault.address)
		r = kek_vault_new(&w->wrappers[KEK_VAULT], o->event, o->settings, err);
	if (r >= 0 && *o->settings->pkcs11.module)
		r = kek_pkcs11_new(&w->wrappers[KEK_PKCS11], o->event, o->settings, err);
	if (r < 0)
		return r;
	return o->kube ? store_secrets_open(
				 &w->place, o->kube, o->namespace_, LABEL, on_place, w, err)
		       : store_files_open(&w->place, o->directory, SUFFIX, err);
}

int kek_wrapped_new(
	struct kek_wrapped **ret_w, const struct kek_wrapped_options *o, struct error *err)
{
	struct kek_wrapped *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_oom(err);
	w->o = *o;
	w->backoff = new_backoff();
	for (size_t i = 0; i < KEKS_MAX; i++)
		w->slots[i].backoff = new_backoff();
	r = setup(w, err);
	if (r < 0) {
		kek_wrapped_free(w);
		return r;
	}
	*ret_w = w;
	return 0;
}
