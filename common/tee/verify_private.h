/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of verify() share: the cache behind struct verify_cache. Its keys are SHA-256 of
 * everything that was verified, so that a hit says no more than the same work would. */
#pragma once

#include "common/tee/verify.h"

enum verify_cached {
	VERIFY_CACHED_PCK_CHAIN,
	VERIFY_CACHED_ATTESTATION_KEY,
	VERIFY_CACHED_SNP_CHAIN,
	VERIFY_CACHED_N,
};

/* What was put under key in this epoch of collateral; NULL: nothing. Borrowed until the next put.
 */
void *verify_cache_get(struct verify_cache *c, enum verify_cached kind, const unsigned char key[32],
	uint64_t epoch);
/* Keeps value and frees it with free_value, whenever that will be: at once when memory is short.
 * What the cache holds under the same key goes; else the oldest of a few neighbours. */
void verify_cache_put(struct verify_cache *c, enum verify_cached kind, const unsigned char key[32],
	uint64_t epoch, void *value, void (*free_value)(void *value));
