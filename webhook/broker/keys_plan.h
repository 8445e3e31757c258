/* SPDX-License-Identifier: Apache-2.0
 *
 * What is to become of a profile's stored keys at a time: which are made, rotated, put aside,
 * dropped. Pure; keys_apply() does it to a record, with randomness. */
#pragma once

#include "webhook/broker/record.h"
#include "webhook/policy/key_spec.h"

enum {
	KEY_STEPS_MAX = 2 * (KEYS_OF_PROFILE_MAX + KEY_RECORD_KEYS_MAX),
};

enum key_step_kind {
	KEY_STEP_MAKE,   /* its first version */
	KEY_STEP_ROTATE, /* another version: time is over, or type or size are others now */
	KEY_STEP_TRIM,   /* only the newest `keep` versions stay */
	KEY_STEP_REVIVE, /* the profile names it again */
	KEY_STEP_ASIDE,  /* the profile names it no more: kept for a time */
	KEY_STEP_DROP,   /* that time is over */
};

struct key_step {
	enum key_step_kind kind;
	char name[KEY_NAME_MAX];
	struct key_spec spec; /* MAKE, ROTATE */
	unsigned keep;        /* TRIM */
};

enum key_state {
	KEY_STATE_READY, /* once the steps are done */
	KEY_STATE_NOT_IMPORTED,
	KEY_STATE_LOST, /* there was one, says the profile's status, and it is not stored */
};

struct keys_plan {
	struct key_step v[KEY_STEPS_MAX];
	size_t n;
	enum key_state state[KEYS_OF_PROFILE_MAX]; /* of each spec */
	int64_t next_sec; /* when the next step is due; INT64_MAX: never by itself */
};

struct keys_wanted {
	const struct key_spec *specs;
	size_t n; /* at most KEYS_OF_PROFILE_MAX */
	/* The version of each that was published; 0: none was. */
	unsigned published[KEYS_OF_PROFILE_MAX];
	int64_t retention_sec;
};

/* rec NULL: nothing is stored. */
void keys_plan_make(struct keys_plan *ret, const struct keys_wanted *w,
	const struct key_record *rec, int64_t now_sec);

/* Does the steps to a record. On failure the record is not to be written. -errno of key_make(),
 * key_record_add_version(); -E2BIG: too many keys. */
int keys_apply(struct key_record *rec, const struct keys_plan *plan, const struct kek_ring *keks,
	int64_t now_sec, struct error *err);

/* A new newest version of one key, made by its spec. */
int keys_rotate(struct key_record *rec, const struct key_spec *spec, const struct kek_ring *keks,
	int64_t now_sec, struct error *err);
