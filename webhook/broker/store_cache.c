/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/store_cache.h"

#include <stdlib.h>
#include <string.h>

enum {
	SLOTS = 1024,
	KEPT_MAX = 16 * 1024, /* bytes of one record; of all: 16 MiB */
};

struct slot {
	char name[KEY_RECORD_NAME_MAX];
	struct store_stamp stamp;
	struct key_record rec;
};

struct store_cache {
	struct slot *slots[SLOTS];
};

struct store_cache *store_cache_new(void)
{
	return calloc(1, sizeof(struct store_cache));
}

static void drop(struct slot **at)
{
	if (*at)
		key_record_free(&(*at)->rec);
	free(*at);
	*at = NULL;
}

void store_cache_clear(struct store_cache *c)
{
	for (size_t i = 0; i < SLOTS; i++)
		drop(&c->slots[i]);
}

void store_cache_free(struct store_cache *c)
{
	if (!c)
		return;
	store_cache_clear(c);
	free(c);
}

/* FNV-1a. */
static uint32_t hash(uint32_t h, const char *s)
{
	do
		h = (h ^ (unsigned char)*s) * 16777619;
	while (*s++);
	return h;
}

static struct slot **slot_of(struct store_cache *c, const struct key_owner *o)
{
	uint32_t h = hash(2166136261, o->namespace_);

	h = hash(hash(hash(h, o->namespace_uid), o->profile), o->profile_uid);
	return &c->slots[(h ^ h >> 16) % SLOTS];
}

const struct key_record *store_cache_find(
	struct store_cache *c, const struct store_place *p, const struct key_owner *o)
{
	struct slot **at = slot_of(c, o);
	struct store_stamp now;

	if (!*at || !key_owner_same(&(*at)->rec.owner, o))
		return NULL;
	if (p->stamp(p->self, (*at)->name, &now) && memcmp(&now, &(*at)->stamp, sizeof(now)) == 0)
		return &(*at)->rec;
	drop(at);
	return NULL;
}

void store_cache_put(struct store_cache *c, const char *name, const struct store_stamp *stamp,
	const struct key_record *rec)
{
	struct slot **at = slot_of(c, &rec->owner);
	struct slot *s = calloc(1, sizeof(*s));

	drop(at);
	if (!s || key_record_copy(&s->rec, rec, KEPT_MAX) < 0) {
		free(s);
		return;
	}
	memcpy(s->name, name, strlen(name) + 1);
	s->stamp = *stamp;
	*at = s;
}
