/* SPDX-License-Identifier: Apache-2.0
 *
 * A table in the order of use. */
#include "webhook/broker/nonces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
/* The default one falls through switch labels, which clang warns of. */
#define HASH_FUNCTION HASH_FNV
#include <uthash.h>

struct used {
	unsigned char nonce[RCAR_NONCE];
	int64_t expires_usec;
	UT_hash_handle hh;
};

struct nonces {
	struct used *table;
};

struct nonces *nonces_new(void)
{
	return calloc(1, sizeof(struct nonces));
}

void nonces_free(struct nonces *n)
{
	struct used *u, *next;

	if (!n)
		return;
	HASH_ITER(hh, n->table, u, next)
	{
		HASH_DEL(n->table, u);
		free(u);
	}
	free(n);
}

/* The table's own order is that of adding, so the oldest is the first. */
static void forget(struct nonces *n, int64_t now_usec)
{
	struct used *u = n->table;

	while (u && (u->expires_usec < now_usec || HASH_COUNT(n->table) >= NONCES_MAX)) {
		HASH_DEL(n->table, u);
		free(u);
		u = n->table;
	}
}

int nonces_use(struct nonces *n, const unsigned char nonce[RCAR_NONCE], int64_t expires_usec,
	int64_t now_usec)
{
	struct used *u;

	forget(n, now_usec);
	HASH_FIND(hh, n->table, nonce, RCAR_NONCE, u);
	if (u)
		return -EEXIST;
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	memcpy(u->nonce, nonce, RCAR_NONCE);
	u->expires_usec = expires_usec;
	HASH_ADD(hh, n->table, nonce, RCAR_NONCE, u);
	return 0;
}
