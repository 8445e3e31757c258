/* SPDX-License-Identifier: Apache-2.0
 *
 * Records that were read and found sound, so that a release need not read its profile's anew: keys
 * stay wrapped in them. One is given only while its place says that the text is still the same.
 * Bounded: what is large, or falls on the place of another, is read each time. */
#pragma once

#include "webhook/broker/record.h"
#include "webhook/broker/store_private.h"

struct store_cache;

struct store_cache *store_cache_new(void);    /* NULL: no memory */
void store_cache_free(struct store_cache *c); /* NULL allowed */
DEFINE_CLEANUP(struct store_cache *, store_cache_free)

/* The record of that owner as the place has it now; until the next call. NULL: it must be read. */
const struct key_record *store_cache_find(
	struct store_cache *c, const struct store_place *p, const struct key_owner *o);
/* Keeps a copy of what was read after the place gave that stamp for the name. */
void store_cache_put(struct store_cache *c, const char *name, const struct store_stamp *stamp,
	const struct key_record *rec);
/* Other key-encryption keys are known. */
void store_cache_clear(struct store_cache *c);
