/* SPDX-License-Identifier: Apache-2.0
 *
 * The stored record of one profile's keys:
 *
 *	casemate-keys/1 KEK-ID MAC
 *	{"namespace":…,"namespaceUID":…,"profile":…,"profileUID":…,"deleted":0,"keys":[
 *	 {"name":…,"removed":0,"versions":[{"version":…,"type":…,"size":…,"made":…,"nonce":…,
 *	  "wrapped":…}]}]}
 *
 * MAC (hexadecimal) is over the KEK's id, a newline and everything behind the first line, under a
 *key derived from the KEK (webhook/broker/wrap.h): who holds the KEK reads it, and nobody else
 *makes or changes one. Times are Unix seconds; keys are in the order of their making, versions
 *descend. Pure but for nonces. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "webhook/broker/wrap.h"
#include "webhook/policy/key_spec.h"

enum {
	KEY_RECORD_KEYS_MAX = 96, /* those removed from the profile and still kept included */
	KEY_UID_MAX = 64,
	KEY_BYTES_MAX = 64 * 1024,         /* of one key */
	KEY_RECORD_BYTES_MAX = 720 * 1024, /* of the text: a Secret holds it as base64 */
	KEY_RECORD_NAME_MAX = 254,
	KEY_REVISION_MAX = 64,
};

/* Whose keys. In a folder without an API server UIDs may be "". */
struct key_owner {
	const char *namespace_, *namespace_uid, *profile, *profile_uid;
};
/* A record that names no owner is nobody's. */
bool key_owner_same(const struct key_owner *a, const struct key_owner *b);
/* The record's name: a DNS subdomain, readable, and another one for each owner. */
void key_record_name(char ret[KEY_RECORD_NAME_MAX], const struct key_owner *o);

struct key_version {
	unsigned version; /* from 1 */
	enum key_type type;
	unsigned size; /* characters, bytes or bits, as in the profile; of raw: bytes */
	int64_t made_sec;
	unsigned char nonce[WRAP_NONCE];
	struct span wrapped; /* of the record's arena */
};
struct key_entry {
	char name[KEY_NAME_MAX];
	int64_t removed_sec; /* since when the profile does not name it; 0: it does */
	struct key_version v[KEY_VERSIONS_MAX]; /* the newest first */
	size_t n;
};

struct key_record {
	struct arena arena;
	struct key_owner owner;          /* of the arena */
	int64_t deleted_sec;             /* since when the profile is gone; 0: it is not */
	char kek[KEK_ID_MAX];            /* that wraps all its keys */
	char revision[KEY_REVISION_MAX]; /* what the store read it as; "": it is new */
	struct key_entry *keys;          /* KEY_RECORD_KEYS_MAX of them */
	size_t n;
};

/* An empty record. rec holds nothing before. -ENOMEM, -EINVAL (a name is none). */
int key_record_new(struct key_record *rec, const struct key_owner *o, struct error *err);
void key_record_free(struct key_record *rec);
/* A copy to read alone, with room for no more keys than there are, of at most max bytes. ret holds
 * nothing before. -E2BIG, -ENOMEM. */
int key_record_copy(struct key_record *ret, const struct key_record *from, size_t max);
#define _cleanup_record_ _cleanup_(key_record_free)

/* ret is empty before. -EBADMSG: not as it was written; -ENOKEY: under a KEK that is not there (the
 * message names it); -ENOMEM. */
int key_record_read(
	struct key_record *ret, struct span text, const struct kek_ring *keks, struct error *err);
/* The id of the KEK that text says it is under, unverified. -EBADMSG. */
int key_record_kek(char ret[KEK_ID_MAX], struct span text);
/* What is behind the first line, as key_record_read reads it: for fuzzers. */
int key_record_read_body(struct key_record *ret, struct span body, struct error *err);
/* Writes it under the ring's first KEK, which must be the one that wraps its keys: see
 * key_record_rewrap(). -E2BIG with what to change, -EIO, -ENOMEM. */
int key_record_write(struct buf *out, const struct key_record *rec, const struct kek_ring *keks,
	struct error *err);

/* NULL: it is not there. */
struct key_entry *key_record_find(const struct key_record *rec, const char *key);
/* version 0: the newest. NULL: it is not there. */
const struct key_version *key_entry_version(const struct key_entry *e, unsigned version);
/* A key without versions; NULL: there are too many. */
struct key_entry *key_record_add(struct key_record *rec, const char *key);
void key_record_drop(struct key_record *rec, struct key_entry *e);

/* A new newest version of e, wrapped by the ring's first KEK; the oldest goes when there are
 * KEY_VERSIONS_MAX. All keys are wrapped anew first when the record is under another KEK. */
int key_record_add_version(struct key_record *rec, struct key_entry *e, enum key_type type,
	unsigned size, int64_t now_sec, struct span key, const struct kek_ring *keks,
	struct error *err);
/* The bytes. ret is empty before. */
int key_record_open(struct secret *ret, const struct key_record *rec, const struct key_entry *e,
	const struct key_version *v, const struct kek_ring *keks, struct error *err);
/* Wraps every key under the ring's first KEK; nothing to do when they are. */
int key_record_rewrap(struct key_record *rec, const struct kek_ring *keks, struct error *err);
/* Gives a record, with what is wrapped in it, to another owner: restoring. */
int key_record_give(struct key_record *rec, const struct key_owner *to, const struct kek_ring *keks,
	struct error *err);
