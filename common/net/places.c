/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* The default one falls through switch labels, which clang warns of. */
#define HASH_FUNCTION HASH_FNV
#include <uthash.h>

struct party_entry {
	struct party party; /* first: party_unref() is given it */
	unsigned refs;
	UT_hash_handle hh;
};

struct party *party_ref(struct parties *all, const char *client)
{
	size_t size = strlen(client);
	struct party_entry *e;

	HASH_FIND(hh, all->table, client, size, e);
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return NULL;
		snprintf(e->party.client, sizeof(e->party.client), "%s", client);
		HASH_ADD_KEYPTR(hh, all->table, e->party.client, size, e);
	}
	e->refs++;
	return &e->party;
}

void party_unref(struct parties *all, struct party *p)
{
	struct party_entry *e = (struct party_entry *)p;

	if (--e->refs)
		return;
	HASH_DEL(all->table, e);
	free(e);
}

/* What its party holds, if that would still be as many as the other's; else 0. */
static unsigned excess(const struct place_search *s, const struct place *x)
{
	return x->held > s->held + 1 ? x->held : 0;
}

static bool is_over(const struct place_search *s, const struct place *x)
{
	return s->now - x->since >= (x->use == PLACE_QUIET ? s->quiet_usec : s->unfinished_usec);
}

/* Whose client has just been answered has done all that it should. */
static int order(const struct place_search *s, const struct place *x)
{
	if (x->use == PLACE_UNFINISHED)
		return 1;
	return is_over(s, x) ? 2 : 0;
}

bool place_yields(const struct place_search *s, const struct place *x, const struct place *best)
{
	unsigned more = excess(s, x);

	/* Who holds more takes nothing from who holds less. */
	if (!more && (x->held < s->held || !is_over(s, x)))
		return false;
	if (!best)
		return true;
	if (more != excess(s, best))
		return more > excess(s, best);
	if (order(s, x) != order(s, best))
		return order(s, x) > order(s, best);
	return x->since < best->since;
}

static void *take(struct place_queue *q, unsigned i)
{
	void *who = q->waiting[i].who;

	q->waiting[i].party->waiting--;
	q->n--;
	for (; i < q->n; i++)
		q->waiting[i] = q->waiting[i + 1];
	return who;
}

static unsigned find_dispensable(const struct place_queue *q)
{
	unsigned found = 0, most = 0;

	for (unsigned i = 0; i < q->n; i++) {
		const struct party *p = q->waiting[i].party;

		if (p->held + p->waiting >= most) {
			most = p->held + p->waiting;
			found = i;
		}
	}
	return found;
}

static unsigned find_first(const struct place_queue *q)
{
	unsigned found = 0;

	for (unsigned i = 1; i < q->n; i++)
		if (q->waiting[i].party->held < q->waiting[found].party->held)
			found = i;
	return found;
}

void *place_queue_add(struct place_queue *q, struct party *party, void *who)
{
	party->waiting++;
	q->waiting[q->n].party = party;
	q->waiting[q->n++].who = who;
	return q->n > PLACES_WAITING_MAX ? take(q, find_dispensable(q)) : NULL;
}

const struct party *place_queue_first(const struct place_queue *q)
{
	return q->n ? q->waiting[find_first(q)].party : NULL;
}

void *place_queue_take(struct place_queue *q)
{
	return q->n ? take(q, find_first(q)) : NULL;
}
