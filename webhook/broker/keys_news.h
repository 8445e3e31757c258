/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of a profile's keys once they are stored: the log, an Event, and counts, those under
 * Trustee's names among them (kbs_resource_writes_total, kbs_resource_deletes_total). A shell: it
 * logs. */
#pragma once

#include "common/kbs/key_id.h"
#include "common/kube/event.h"
#include "common/observe/metrics.h"
#include "webhook/broker/keys_plan.h"
#include "webhook/policy/profile.h"

/* Of one write. */
struct keys_news {
	struct key_id owner; /* namespace and profile; none: nothing is told */
	char uid[KEY_UID_MAX];
	char made[KEYS_OF_PROFILE_MAX][KEY_NAME_MAX]; /* or rotated */
	size_t n_made;
	char dropped[KEY_RECORD_KEYS_MAX][KEY_NAME_MAX];
	size_t n_dropped;
	char rotated[512]; /* names of those alone, as many as fit; "": none */
};

/* What the plan does to the profile's keys. */
void keys_news_of(struct keys_news *ret, const struct profile *p, const struct keys_plan *plan);

struct keys_counters {
	struct metric *rotations, *writes, *deletes;
};

/* m NULL: nothing is counted. */
int keys_news_register(struct keys_counters *ret, struct metrics *m, struct error *err);
/* It is stored. events NULL: none. */
void keys_news_tell(const struct keys_news *news, const struct keys_counters *counters,
	struct kube_event_recorder *events);
