/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/rates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* The default one falls through switch labels, which clang warns of. */
#define HASH_FUNCTION HASH_FNV
#include <uthash.h>

#include "common/base/rate.h"

struct bucket {
	char name[RATES_NAME_MAX];
	int64_t until_usec; /* what was taken is paid for then */
	UT_hash_handle hh;
};

struct rates {
	struct bucket *table; /* in the order of the last question */
};

struct rates *rates_new(void)
{
	return calloc(1, sizeof(struct rates));
}

static void drop(struct rates *r, struct bucket *b)
{
	HASH_DEL(r->table, b);
	free(b);
}

void rates_free(struct rates *r)
{
	if (!r)
		return;
	while (r->table)
		drop(r, r->table);
	free(r);
}

/* The bucket of that name, last in the order. */
static struct bucket *find(struct rates *r, const char *name)
{
	struct bucket *b;

	HASH_FIND_STR(r->table, name, b);
	if (b) {
		HASH_DEL(r->table, b);
	} else {
		b = calloc(1, sizeof(*b));
		if (!b)
			return NULL;
		snprintf(b->name, sizeof(b->name), "%s", name);
		if (HASH_COUNT(r->table) >= RATES_MAX)
			drop(r, r->table);
	}
	HASH_ADD_STR(r->table, name, b);
	return b;
}

bool rates_take(struct rates *r, enum rate_kind kind, const char *name, int64_t per_sec,
	int64_t burst, int64_t now_usec)
{
	char key[RATES_NAME_MAX];
	int n = snprintf(key, sizeof(key), "%c%s", (char)kind, name);
	struct bucket *b = n > 0 && n < RATES_NAME_MAX ? find(r, key) : NULL;

	return b && rate_take(&b->until_usec, per_sec, burst, now_usec) == 0;
}

bool rates_share(struct rates *r, const char *client, int64_t max_rate, int64_t now_usec)
{
	int64_t burst = max_rate * RATES_SHARE_BURST_SEC;

	return rates_take(r, RATE_CLIENT, client, max_rate - max_rate / 4, burst - burst / 4,
		       now_usec) &&
	       rates_take(r, RATE_ALL, "", max_rate, burst, now_usec);
}
