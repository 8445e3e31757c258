/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys whose rotation should long have happened: what alerts are told of. Pure. */
#pragma once

#include "webhook/broker/record.h"
#include "webhook/policy/key_spec.h"
#include "webhook/policy/profile.h"

/* Rotation is late by this before it counts as overdue: a tenth of its interval, at least ten
 * minutes (a broker that restarts is no news) and at most a day. */
int64_t keys_overdue_margin(const struct key_spec *spec);
/* How many of a profile's keys are overdue; of one that is invalid or goes, none. rec NULL: what is
 * stored cannot be read, and the profile's status says when each was made. */
unsigned keys_overdue_count(const struct profile *p, const struct key_record *rec, int64_t now_sec);
