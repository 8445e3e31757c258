/* SPDX-License-Identifier: Apache-2.0
 *
 * Which key an enclave is given by a protocol that names none: the one that the identity which it
 * matches has as sgx.gramineKey. Pure. */
#pragma once

#include "common/base/arena.h"
#include "common/kbs/key_id.h"
#include "common/tee/reason.h"
#include "webhook/broker/proven.h"
#include "webhook/policy/profile.h"

/* Looks through all valid profiles. 0 with *ret_reason Ok and the key; or why there is none, and a
 * message in a: IdentityNotAllowed (no identity is this enclave, or none with a gramineKey),
 * IdentityAmbiguous (of two different keys none is given). That the key is granted is for
 * grant_decide() to say. -ENOMEM. */
int choice_make(struct key_id *ret, const struct profile_set *profiles, const struct proven *p,
	struct arena *a, enum reason *ret_reason, const char **ret_message);
