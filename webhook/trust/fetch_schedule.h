/* SPDX-License-Identifier: Apache-2.0
 *
 * When the verifier asks for which collateral: each piece once for the whole fleet, what is not
 * there not again for a while, failures ever later, and everything anew long before it ends. Pure:
 * time and chance are arguments. */
#pragma once

#include "common/base/buf.h"
#include "common/net/backoff.h"
#include "webhook/collateral/pull.h"

enum {
	FETCH_PIECES_MAX = 8192,
	FETCH_REFRESH_SEC = 24 * 3600, /* a TCB recovery is known after a day */
	FETCH_ABSENT_SEC = 3600,       /* what the service does not have */
	FETCH_FAILED_SEC = 2,          /* the first time; doubles up to: */
	FETCH_FAILED_MAX_SEC = 3600,
	FETCH_REFUSED_SEC = 30, /* at least, where the service answers and gives nothing */
	FETCH_LEAST_SEC = 30,   /* between two good answers */
	FETCH_STORE_SEC = 60, /* what a folder does not have: somebody may add it */
};

/* A piece, and the last good answer about it. */
struct fetch_piece {
	struct pull_request rq;
	int64_t due;   /* Unix seconds */
	int64_t asked; /* Unix seconds: the last time; 0: never */
	bool hurried;  /* due is nearer than it would be, since what is there may be old */
	bool absent;   /* the service said that it has nothing */
	struct backoff backoff;
	int64_t number, from, until; /* of the answer: see inventory.h */
	char *chain;                 /* as the header had it; NULL: none */
	char *body;                  /* NULL: no answer yet */
	size_t body_len;
};

struct fetch_schedule {
	struct fetch_piece *pieces;
	size_t n;
};

/* Adds the questions of plan that are not there yet (by their URLs), due now. -E2BIG, -ENOMEM. */
int fetch_schedule_add(
	struct fetch_schedule *s, const struct pull_plan *plan, int64_t now, struct error *err);
/* The piece that is due first; NULL: none at all. */
struct fetch_piece *fetch_schedule_next(const struct fetch_schedule *s);

/* Forgets p. Pointers to pieces are void. */
void fetch_schedule_drop(struct fetch_schedule *s, struct fetch_piece *p);

/* What came of asking. chance: random. */
void fetch_piece_good(struct fetch_piece *p, int64_t now, uint32_t chance);
void fetch_piece_absent(struct fetch_piece *p, int64_t now, uint32_t chance);
/* The same of a folder, where no service is asked. */
void fetch_piece_unstored(struct fetch_piece *p, int64_t now);
/* retry_after: what the service said, in seconds, or FETCH_REFUSED_SEC; -1: nothing: it is not there,
 * as when all of a cluster begins at once, and who waits for it waits no longer than it takes. */
void fetch_piece_failed(struct fetch_piece *p, int64_t now, int64_t retry_after, uint32_t chance);

void fetch_schedule_free(struct fetch_schedule *s);
