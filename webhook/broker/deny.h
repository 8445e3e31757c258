/* SPDX-License-Identifier: Apache-2.0
 *
 * Deny lists: platforms, measurements, nodes and keys that get nothing, whatever else holds. Pure.
 *
 *	platforms: hexadecimal ids, as NodeAttestation.status.platformID shows them
 *	measurements: hexadecimal values of any register
 *	nodes: names or UIDs of Nodes
 *	keys: NAMESPACE/PROFILE/KEY, …/KEY@VERSION, NAMESPACE/PROFILE/ * (all of them); "kbs:///"
 *may stand before */
#pragma once

#include <stdbool.h>

#include "common/base/error.h"
#include "common/base/settings.h"
#include "common/tee/reason.h"

enum deny_kind { DENY_PLATFORMS, DENY_MEASUREMENTS, DENY_NODES, DENY_KEYS, DENY_KINDS };
enum { DENY_ENTRIES_MAX = 4096, DENY_ENTRY_MAX = 400 };

struct deny;
struct proven;    /* webhook/broker/proven.h */
struct requester; /* webhook/broker/grant.h */

/* Empty lists. */
struct deny *deny_new(void);
void deny_free(struct deny *d); /* NULL allowed */
DEFINE_CLEANUP(struct deny *, deny_free)

const char *deny_kind_name(enum deny_kind kind); /* "platforms", …: as in settings and ConfigMap */

/* Adds one entry. -EINVAL says what it should look like; -E2BIG, -ENOMEM. */
int deny_add(struct deny *d, enum deny_kind kind, struct span entry, struct error *err);
/* The next entry among lines, without the blanks around it; blank lines and those that begin with #
 * are passed over. *text is what is left. */
bool deny_next_line(struct span *text, struct span *ret_line);
int deny_add_list(
	struct deny *d, enum deny_kind kind, const struct strings *entries, struct error *err);

/* d NULL: nothing is denied. */
bool deny_has_key(const struct deny *d, const char *namespace_, const char *profile,
	const char *key, unsigned version);
/* Is anything of what was proved, or who asks, on a list? Ok, or PlatformDenied,
 * MeasurementNotAllowed, NodeDenied. */
enum reason deny_judge(const struct deny *d, const struct proven *p, const struct requester *who);
