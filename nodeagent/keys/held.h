/* SPDX-License-Identifier: Apache-2.0
 *
 * What an allocation's promised files hold: which key each is, and in which version. Kept beside
 * them, so that a restarted agent knows what it asks for. Pure.
 *	{"namespace": "shop", "files": [{"file": "db.pem", "key": "PROFILE/KEY", "version": 3}, …]}
 */
#pragma once

#include "common/base/buf.h"
#include "nodeagent/keys/promise.h"

struct key_held_file {
	char file[DELIVERY_FILE_MAX + 1];
	char key[DELIVERY_NAME_MAX + 1]; /* "PROFILE/KEY" */
	unsigned version;                /* 0: not known, and never asked for */
	unsigned newest; /* the broker has, as far as it said; greater: it is to be replaced */
};

struct key_held {
	char namespace_[64]; /* of the pod, and so of the keys */
	struct key_held_file v[DELIVERY_KEYS_MAX];
	size_t n;
};

/* What a promise came to. */
void key_held_of(struct key_held *ret, const struct key_promise *what);
int key_held_write(struct buf *out, const struct key_held *h);
/* -EBADMSG: not as it was written; -ENOMEM. */
int key_held_read(struct key_held *ret, struct span text);

/* The broker has this version of the key. Is it to be fetched? */
bool key_held_news(struct key_held *h, const char *key, unsigned version);
/* The keys that are to be fetched. */
void key_held_wanted(const struct key_held *h, struct key_names *ret);
/* The file holds that version now. */
void key_held_replaced(struct key_held *h, const char *file, unsigned version);
/* What is still to be fetched is promised no more: it stays as it is. */
void key_held_settle(struct key_held *h);
