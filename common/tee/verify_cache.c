/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/verify_private.h"

/* A key has its place in one row of a table; within a row the oldest entry makes room. */
enum { WAYS = 4 };

struct slot {
	unsigned char key[32];
	uint64_t epoch, put; /* put: when, by the cache's own count; 0: the slot is empty */
	void *value;
	void (*free_value)(void *value);
};

struct verify_cache {
	size_t n_rows;
	uint64_t puts;
	struct slot *slots[VERIFY_CACHED_N]; /* n_rows * WAYS; made when first needed */
};

int verify_cache_new(struct verify_cache **ret, size_t max_entries, struct error *err)
{
	struct verify_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return error_oom(err);
	c->n_rows = max_entries / WAYS ? max_entries / WAYS : 1;
	*ret = c;
	return 0;
}

static void clear(struct slot *s)
{
	if (s->put)
		s->free_value(s->value);
	*s = (struct slot){0};
}

void verify_cache_free(struct verify_cache *c)
{
	if (!c)
		return;
	for (size_t k = 0; k < VERIFY_CACHED_N; k++) {
		for (size_t i = 0; c->slots[k] && i < c->n_rows * WAYS; i++)
			clear(&c->slots[k][i]);
		free(c->slots[k]);
	}
	free(c);
}

/* Keys are digests: any of their bytes are as good as random. */
static struct slot *row(
	const struct verify_cache *c, enum verify_cached kind, const unsigned char key[32])
{
	uint64_t n;

	memcpy(&n, key, sizeof(n));
	return c->slots[kind] + n % c->n_rows * WAYS;
}

void *verify_cache_get(struct verify_cache *c, enum verify_cached kind, const unsigned char key[32],
	uint64_t epoch)
{
	struct slot *s;

	if (!c || !c->slots[kind])
		return NULL;
	s = row(c, kind, key);
	for (size_t i = 0; i < WAYS; i++)
		if (s[i].put && s[i].epoch == epoch && memcmp(s[i].key, key, 32) == 0)
			return s[i].value;
	return NULL;
}

void verify_cache_put(struct verify_cache *c, enum verify_cached kind, const unsigned char key[32],
	uint64_t epoch, void *value, void (*free_value)(void *value))
{
	struct slot *s, *into;

	if (c && !c->slots[kind])
		c->slots[kind] = calloc(c->n_rows, WAYS * sizeof(*s));
	if (!c || !c->slots[kind]) {
		free_value(value);
		return;
	}
	s = into = row(c, kind, key);
	for (size_t i = 0; i < WAYS; i++) {
		if (s[i].put && memcmp(s[i].key, key, 32) == 0) {
			into = &s[i];
			break;
		}
		if (s[i].put < into->put)
			into = &s[i];
	}
	clear(into);
	*into = (struct slot){
		.epoch = epoch, .put = ++c->puts, .value = value, .free_value = free_value};
	memcpy(into->key, key, sizeof(into->key));
}
