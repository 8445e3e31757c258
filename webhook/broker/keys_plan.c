/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_plan.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "webhook/broker/keys_make.h"

#define YEAR_SEC ((int64_t)365 * 86400)

enum { CERTIFICATE_YEARS = 10 };

static struct key_step *add_step(struct keys_plan *p, enum key_step_kind kind, const char *name)
{
	struct key_step *s = &p->v[p->n++];

	*s = (struct key_step){.kind = kind};
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

static void due_at(struct keys_plan *p, int64_t sec)
{
	if (sec < p->next_sec)
		p->next_sec = sec;
}

/* Is another version due? Imported bytes have the size they have. */
static bool rotation_due(const struct key_spec *spec, const struct key_version *v, int64_t now_sec)
{
	int64_t every = spec->rotate_usec / USEC_PER_SEC;

	if (v->type != spec->type || v->size != spec->size)
		return true;
	return every && v->made_sec <= now_sec - every;
}

static void plan_stored(struct keys_plan *p, const struct key_spec *spec, const struct key_entry *e,
	int64_t now_sec)
{
	size_t versions = e->n;

	if (e->removed_sec)
		add_step(p, KEY_STEP_REVIVE, e->name);
	if (spec->type != KEY_RAW && rotation_due(spec, &e->v[0], now_sec)) {
		add_step(p, KEY_STEP_ROTATE, e->name)->spec = *spec;
		versions++;
		due_at(p, now_sec + spec->rotate_usec / USEC_PER_SEC);
	} else if (spec->rotate_usec)
		due_at(p, e->v[0].made_sec + spec->rotate_usec / USEC_PER_SEC);
	if (versions > spec->keep_versions)
		add_step(p, KEY_STEP_TRIM, e->name)->keep = spec->keep_versions;
}

static enum key_state plan_key(struct keys_plan *p, const struct key_spec *spec, unsigned published,
	const struct key_record *rec, int64_t now_sec)
{
	const struct key_entry *e = rec ? key_record_find(rec, spec->name) : NULL;

	if (e && e->n && spec->type == KEY_RAW && e->v[0].type != KEY_RAW)
		return KEY_STATE_NOT_IMPORTED;
	if (e && e->n) {
		plan_stored(p, spec, e, now_sec);
		return KEY_STATE_READY;
	}
	if (published)
		return KEY_STATE_LOST;
	if (spec->type == KEY_RAW)
		return KEY_STATE_NOT_IMPORTED;
	add_step(p, KEY_STEP_MAKE, spec->name)->spec = *spec;
	if (spec->rotate_usec)
		due_at(p, now_sec + spec->rotate_usec / USEC_PER_SEC);
	return KEY_STATE_READY;
}

static bool is_named(const struct keys_wanted *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->specs[i].name, name) == 0)
			return true;
	return false;
}

/* Keys that the profile does not name. */
static void plan_others(struct keys_plan *p, const struct keys_wanted *w,
	const struct key_record *rec, int64_t now_sec)
{
	for (size_t i = 0; i < rec->n; i++) {
		const struct key_entry *e = &rec->keys[i];

		if (is_named(w, e->name))
			continue;
		if (!e->removed_sec && w->retention_sec > 0) {
			add_step(p, KEY_STEP_ASIDE, e->name);
			due_at(p, now_sec + w->retention_sec);
		} else if (!e->removed_sec || e->removed_sec <= now_sec - w->retention_sec)
			add_step(p, KEY_STEP_DROP, e->name);
		else
			due_at(p, e->removed_sec + w->retention_sec);
	}
}

void keys_plan_make(struct keys_plan *ret, const struct keys_wanted *w,
	const struct key_record *rec, int64_t now_sec)
{
	ret->n = 0;
	ret->next_sec = INT64_MAX;
	for (size_t i = 0; i < w->n; i++)
		ret->state[i] = plan_key(ret, &w->specs[i], w->published[i], rec, now_sec);
	if (rec)
		plan_others(ret, w, rec, now_sec);
}

int keys_rotate(struct key_record *rec, const struct key_spec *spec, const struct kek_ring *keks,
	int64_t now_sec, struct error *err)
{
	int64_t every = spec->rotate_usec / USEC_PER_SEC;
	const struct key_wish wish = {
		.type = spec->type,
		.size = spec->size,
		.owner = &rec->owner,
		.now_sec = now_sec,
		/* As long as any version of it is kept. */
		.not_after_sec = now_sec + (every ? every * ((int64_t)spec->keep_versions + 1)
						  : CERTIFICATE_YEARS * YEAR_SEC),
	};
	struct key_entry *e = key_record_find(rec, spec->name);
	_cleanup_secret_ struct secret key = {0};
	int r = key_make(&key, &wish, err);

	if (r < 0)
		return error_prefix(err, r, "key %s", spec->name);
	if (!e)
		e = key_record_add(rec, spec->name);
	if (!e)
		return error_set(err, -E2BIG,
			"there are %d keys already, those put aside included: key %s has no room",
			KEY_RECORD_KEYS_MAX, spec->name);
	return key_record_add_version(
		rec, e, spec->type, spec->size, now_sec, secret_view(&key), keks, err);
}

int keys_apply(struct key_record *rec, const struct keys_plan *plan, const struct kek_ring *keks,
	int64_t now_sec, struct error *err)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct key_step *s = &plan->v[i];
		struct key_entry *e = key_record_find(rec, s->name);
		int r = 0;

		if (s->kind == KEY_STEP_MAKE || s->kind == KEY_STEP_ROTATE)
			r = keys_rotate(rec, &s->spec, keks, now_sec, err);
		else if (e && s->kind == KEY_STEP_TRIM)
			e->n = e->n > s->keep ? s->keep : e->n;
		else if (e && s->kind == KEY_STEP_REVIVE)
			e->removed_sec = 0;
		else if (e && s->kind == KEY_STEP_ASIDE)
			e->removed_sec = now_sec;
		else if (e && s->kind == KEY_STEP_DROP)
			key_record_drop(rec, e);
		if (r < 0)
			return r;
	}
	return key_record_rewrap(rec, keks, err);
}
