/* SPDX-License-Identifier: Apache-2.0
 *
 * A backup may hold several records of one profile's name: of the profile that there was, and of
 * those that were deleted before it. Whoever has the name when it is restored has the newest alone.
 */
#pragma once

#include "webhook/broker/record.h"

struct keys_heir;

/* All zero at first. */
struct keys_heirs {
	struct keys_heir *table;
};

void keys_heirs_free(struct keys_heirs *h);

/* Takes note of a record; of all of a backup, before keys_heirs_last is asked. -ENOMEM. */
int keys_heirs_see(struct keys_heirs *h, const struct key_record *rec);

/* Is rec, which a deleted profile left, the newest of its name? Of those that were deleted in the
 * same second one is. */
bool keys_heirs_last(const struct keys_heirs *h, const struct key_record *rec);
