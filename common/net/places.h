/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose connection ends when a listener has no place left and somebody waits: one of the address
 * that holds most, so that no address keeps others out, however slowly it handshakes or however
 * often it begins anew; where that leaves nobody better off, only what has been quiet or unfinished
 * for long. Pure; time is an argument. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum { PLACES_WAITING_MAX = 64 };

/* Those of one address. */
struct party {
	char client[INET6_ADDRSTRLEN]; /* tcp_client() */
	unsigned held;                 /* places; the listener counts */
	unsigned waiting;              /* for places; place_queue_*() count */
};

struct party_entry;

struct parties {
	struct party_entry *table;
};

/* The party of that address, until party_unref(). NULL: out of memory. */
struct party *party_ref(struct parties *all, const char *client);
void party_unref(struct parties *all, struct party *p);

enum place_use {
	PLACE_QUIET,      /* between requests */
	PLACE_UNFINISHED, /* the client has yet to send or to take something */
};

struct place {
	unsigned held; /* by its party */
	enum place_use use;
	int64_t since; /* usec */
};

/* Somebody waits. */
struct place_search {
	unsigned held; /* by the waiting one's party */
	int64_t now;
	/* So long a place is safe from those whose party holds as many; always from more. */
	int64_t quiet_usec, unfinished_usec;
};

/* May x lose its place? And if best, which may, is not NULL: rather than that? */
bool place_yields(const struct place_search *s, const struct place *x, const struct place *best);

/* Who waits, in the order in which they came. Parties and those who wait are borrowed. */
struct place_queue {
	struct {
		struct party *party;
		void *who;
	} waiting[PLACES_WAITING_MAX + 1];
	unsigned n;
};

/* NULL; or who must go, since that is one too many: the last to come of the address that has most,
 * places and waiting ones together. It does not wait any more. */
void *place_queue_add(struct place_queue *q, struct party *party, void *who);
/* Whose turn it is: the first to come of the address that holds fewest. NULL: nobody waits. */
const struct party *place_queue_first(const struct place_queue *q);
void *place_queue_take(struct place_queue *q);
