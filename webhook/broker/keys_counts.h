/* SPDX-License-Identifier: Apache-2.0
 *
 * How often this replica released the keys of profiles since their status was last written. */
#pragma once

#include "webhook/broker/keys_status.h"

/* Of one profile. */
struct keys_counted {
	struct keys_release keys[KEYS_OF_PROFILE_MAX];
	size_t n;
	int64_t written_usec; /* when the status was last written, monotonic; 0: never */
};
struct keys_counts {
	struct keys_counts_entry *table;
};

/* A release of a key of the profile "namespace/profile". What does not fit is not counted. */
void keys_counts_add(struct keys_counts *t, const char *name, const char *key, int64_t now_sec);
/* NULL: nothing was released. Valid until keys_counts_drop(). */
struct keys_counted *keys_counts_find(const struct keys_counts *t, const char *name);
bool keys_counted_news(const struct keys_counted *c); /* is there any? NULL allowed */
/* What was sent is counted by the status now. */
void keys_counts_settle(
	struct keys_counts *t, const char *name, const struct keys_release *sent, size_t n);
/* Forgets what says nothing and was last written before that time, and what is not there. */
void keys_counts_drop(struct keys_counts *t, int64_t before_usec,
	bool (*is_there)(void *ctx, const char *name), void *ctx);
void keys_counts_free(struct keys_counts *t);
