/* SPDX-License-Identifier: Apache-2.0
 *
 * A keeper of keys, what it stands on, and an API server that keeps Secrets and the profile
 * shop/payments. */
#pragma once

#include "tests/unit/keys_api.h"
#include "webhook/broker/keys_keeper.h"

struct keeper_fix {
	struct keys_api api;
	struct key_store *store;
	struct keys_keeper *keeper;
	struct kube_event_recorder *events;
	struct kube_lease *lease;
	struct arena arena;
	struct policy_config config;
	struct profile_set *profiles;
	unsigned seen; /* the version of the profile */
};

extern const struct key_owner keeper_fix_owner; /* of the profile with the UID uid-1 */

/* All but the keeper: what is there before it is. False: failed, and said so; so below. */
bool keeper_fix_begin(struct keeper_fix *f);
bool keeper_fix_start(struct keeper_fix *f, int64_t retention_sec);
/* Both, and between them a key that is so old. */
bool keeper_fix_begin_with(struct keeper_fix *f, int64_t key_age_sec, int64_t retention_sec);
void keeper_fix_stop(struct keeper_fix *f); /* the keeper alone */
void keeper_fix_end(struct keeper_fix *f);

/* Stores a record, and the log is empty. */
void keeper_fix_store(struct keeper_fix *f, const struct key_record *rec);
/* The owner's key a, made so many seconds ago; deleted_ago_sec 0: not put aside. */
void keeper_fix_seed(struct keeper_fix *f, int64_t age_sec, int64_t deleted_ago_sec);

/* Brings the profile as a watch would, if it is another one. */
void keeper_fix_refresh(struct keeper_fix *f);
/* Runs the loop until that holds; did it, in time? */
bool keeper_fix_wait(struct keeper_fix *f, bool (*holds)(struct keeper_fix *f));
void keeper_fix_linger(struct keeper_fix *f); /* for what must not happen */
void keeper_fix_forget_log(struct keeper_fix *f);

/* The newest version of key a (or another) of an owner; 0: there is none. */
unsigned keeper_fix_version(struct keeper_fix *f, const struct key_owner *o, const char *key);
bool keeper_fix_status_has(struct keeper_fix *f, const char *text);
