/* SPDX-License-Identifier: Apache-2.0
 *
 * A person who vouches for a node in place of evidence: three annotations of a NodeAttestation,
 *
 *	casemate.dev/waiver-until: RFC 3339
 *	casemate.dev/waiver-by: his user name
 *	casemate.dev/waiver-why: in words
 *
 * which the API server takes from a break-glass group alone, and in nobody else's name. It makes
 * pods run, and is never good for keys. Pure. */
#pragma once

#include "webhook/verifier/record.h"

enum { WAIVER_BY_MAX = 129, WAIVER_WHY_MAX = 225 }; /* bytes with NUL; what is longer is cut */

struct waiver {
	int64_t until_sec; /* Unix; 0: there is none */
	char by[WAIVER_BY_MAX], why[WAIVER_WHY_MAX];
};

/* All three are needed, and none empty. */
void waiver_read(struct waiver *ret, struct json_val object);

static inline bool waiver_holds(const struct waiver *w, int64_t now_sec)
{
	return now_sec <= w->until_sec;
}

/* Is r, which says what evidence does, to give way to w? */
bool waiver_wanted(
	const struct record *r, const struct waiver *w, const char *node_uid, int64_t now_sec);
/* Makes r, of whatever verdict or none, that of a node that w vouches for. */
void waiver_apply(struct record *r, const struct waiver *w, const char *node_uid, int64_t epoch,
	int64_t now_sec);
/* Was r waived by what holds no more? */
bool waiver_over(const struct record *r, const struct waiver *w, int64_t now_sec);
/* Appends the member waiver of the status, with a comma before it. */
int waiver_write(struct buf *out, const struct waiver *w);
