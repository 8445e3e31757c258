/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_heirs.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The default one falls through switch labels, which clang warns of. */
#define HASH_FUNCTION HASH_FNV
#include <uthash.h>

enum { OWNER_NAME_MAX = 2 * 256 };

struct keys_heir {
	UT_hash_handle hh;
	int64_t until_sec; /* when the profile was deleted */
	char record[KEY_RECORD_NAME_MAX];
	char name[];
};

void keys_heirs_free(struct keys_heirs *h)
{
	struct keys_heir *e, *next;

	HASH_ITER(hh, h->table, e, next)
	{
		HASH_DEL(h->table, e);
		free(e);
	}
}

static struct keys_heir *find(const struct keys_heirs *h, const char *name)
{
	struct keys_heir *e = NULL;

	HASH_FIND_STR(h->table, name, e);
	return e;
}

static void name_of(char ret[OWNER_NAME_MAX], const struct key_record *rec)
{
	snprintf(ret, OWNER_NAME_MAX, "%s/%s", rec->owner.namespace_, rec->owner.profile);
}

/* One that is not deleted outlives all. */
static int64_t until(const struct key_record *rec)
{
	return rec->deleted_sec ? rec->deleted_sec : INT64_MAX;
}

int keys_heirs_see(struct keys_heirs *h, const struct key_record *rec)
{
	char name[OWNER_NAME_MAX];
	struct keys_heir *e;

	name_of(name, rec);
	e = find(h, name);
	if (!e) {
		e = calloc(1, sizeof(*e) + strlen(name) + 1);
		if (!e)
			return -ENOMEM;
		strcpy(e->name, name);
		HASH_ADD_STR(h->table, name, e);
	}
	if (e->until_sec < until(rec)) {
		e->until_sec = until(rec);
		key_record_name(e->record, &rec->owner);
	}
	return 0;
}

bool keys_heirs_last(const struct keys_heirs *h, const struct key_record *rec)
{
	char name[OWNER_NAME_MAX], record[KEY_RECORD_NAME_MAX];
	struct keys_heir *e;

	name_of(name, rec);
	key_record_name(record, &rec->owner);
	e = find(h, name);
	return e && strcmp(e->record, record) == 0;
}
