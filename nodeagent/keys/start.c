/* SPDX-License-Identifier: Apache-2.0
 *
 * Before a container starts: the files that it was promised. */
#include <errno.h>
#include <stdio.h>

#include "nodeagent/keys/keys_private.h"

/* A container that is about to start. */
struct key_start {
	struct keys *k;
	struct resource_request *rq;
	char id[DEVICE_ID_MAX + 1];
};

static void end(struct key_start *s, const struct error *err)
{
	resource_pre_start_done(s->rq, err);
	free(s);
}

void key_slot_note(const struct key_slot *slot)
{
	_cleanup_buf_ struct buf text = BUF_INIT(KEY_HELD_MAX);

	/* Without it only a restarted agent does not know what there is to replace. */
	if (!slot->held || key_held_write(&text, slot->held) == 0)
		key_folders_hold(&slot->k->folders, slot->folder, buf_view(&text), NULL);
}

/* Notes what the slot's files are. 0, or -ENOMEM. */
static int hold(struct key_slot *slot, const struct key_promise *what)
{
	bool had = slot->held;

	free(slot->held);
	slot->held = what->keys.n ? malloc(sizeof(*slot->held)) : NULL;
	if (slot->held)
		key_held_of(slot->held, what);
	if (had || slot->held)
		key_slot_note(slot);
	return what->keys.n && !slot->held ? -ENOMEM : 0;
}

static int write_files(struct key_start *s, const struct secret *keys,
	const struct key_promise *what, struct error *err)
{
	struct key_slot *slot = key_slot_find(s->k, s->id);
	int r = 0;

	if (!slot)
		return error_set(err, -EAGAIN, "device %s was given back", s->id);
	/* What an earlier start left may not be promised any more. */
	key_folders_empty(&s->k->folders, slot->folder);
	for (size_t i = 0; r == 0 && i < what->keys.n; i++)
		r = key_folders_put(
			&s->k->folders, slot->folder, what->files[i], secret_view(&keys[i]), err);
	return r == 0 && hold(slot, what) < 0 ? error_oom(err) : r;
}

static void on_keys(void *ctx, const struct secret *keys, const struct key_promise *what,
	const struct key_refusal *why)
{
	struct key_start *s = ctx;
	struct error err = {0};

	if (!why) {
		write_files(s, keys, what, &err);
	} else if (why->key < what->keys.n) {
		error_set(&err, why->again ? -EAGAIN : -EACCES, "file %s (key %s): %s: %s",
			what->files[why->key], what->keys.v[why->key], why->reason, why->message);
	} else {
		error_set(&err, why->again ? -EAGAIN : -EACCES, "promised files: %s: %s",
			why->reason, why->message);
	}
	end(s, err.code ? &err : NULL);
}

void key_pre_start(void *ctx, const char *const *ids, size_t n, struct resource_request *rq)
{
	struct keys *k = ctx;
	struct key_slot *slot = n == 1 ? key_slot_find(k, ids[0]) : NULL;
	struct key_start *s = calloc(1, sizeof(*s));
	const struct key_job_options o = {.files = true, .done = on_keys, .ctx = s};
	struct error err = {0};
	struct key_job *job;

	if (!s) {
		error_oom(&err);
		resource_pre_start_done(rq, &err);
		return;
	}
	s->k = k;
	s->rq = rq;
	if (!slot) {
		error_set(&err, -EAGAIN,
			"casemate.dev/keys: nothing was allocated for this container: delete the "
			"pod, so that it is admitted anew");
		end(s, &err);
		return;
	}
	snprintf(s->id, sizeof(s->id), "%s", slot->id);
	if (key_job_new(&job, slot, &o, &err) < 0)
		end(s, &err);
}
