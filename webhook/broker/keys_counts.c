/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_counts.h"

#include <stdlib.h>
#include <string.h>
/* The default one falls through switch labels, which clang warns of. */
#define HASH_FUNCTION HASH_FNV
#include <stdio.h>
#include <uthash.h>

enum { COUNTED_MAX = 10000 }; /* profiles */

struct keys_counts_entry {
	UT_hash_handle hh;
	struct keys_counted counted;
	char name[];
};

struct keys_counted *keys_counts_find(const struct keys_counts *t, const char *name)
{
	struct keys_counts_entry *e = NULL;

	HASH_FIND_STR(t->table, name, e);
	return e ? &e->counted : NULL;
}

static struct keys_counted *need(struct keys_counts *t, const char *name)
{
	struct keys_counted *c = keys_counts_find(t, name);
	struct keys_counts_entry *e;

	if (c || HASH_COUNT(t->table) >= COUNTED_MAX)
		return c;
	e = calloc(1, sizeof(*e) + strlen(name) + 1);
	if (!e)
		return NULL;
	strcpy(e->name, name);
	HASH_ADD_STR(t->table, name, e);
	return &e->counted;
}

void keys_counts_add(struct keys_counts *t, const char *name, const char *key, int64_t now_sec)
{
	struct keys_counted *c = need(t, name);
	size_t i = 0;

	if (!c)
		return;
	while (i < c->n && strcmp(c->keys[i].key, key) != 0)
		i++;
	if (i == KEYS_OF_PROFILE_MAX)
		return;
	if (i == c->n)
		snprintf(c->keys[c->n++].key, KEY_NAME_MAX, "%s", key);
	c->keys[i].n++;
	c->keys[i].last_sec = now_sec;
}

bool keys_counted_news(const struct keys_counted *c)
{
	for (size_t i = 0; c && i < c->n; i++)
		if (c->keys[i].n)
			return true;
	return false;
}

void keys_counts_settle(
	struct keys_counts *t, const char *name, const struct keys_release *sent, size_t n)
{
	struct keys_counted *c = keys_counts_find(t, name);

	for (size_t i = 0; c && i < n; i++)
		for (size_t l = 0; l < c->n; l++)
			if (strcmp(c->keys[l].key, sent[i].key) == 0)
				c->keys[l].n -= sent[i].n < c->keys[l].n ? sent[i].n : c->keys[l].n;
}

static void forget(struct keys_counts *t, struct keys_counts_entry *e)
{
	HASH_DEL(t->table, e);
	free(e);
}

void keys_counts_drop(struct keys_counts *t, int64_t before_usec,
	bool (*is_there)(void *ctx, const char *name), void *ctx)
{
	struct keys_counts_entry *e, *next;

	HASH_ITER(hh, t->table, e, next)
	if ((!keys_counted_news(&e->counted) && e->counted.written_usec < before_usec) ||
		!is_there(ctx, e->name))
		forget(t, e);
}

void keys_counts_free(struct keys_counts *t)
{
	while (t->table)
		forget(t, t->table);
}
