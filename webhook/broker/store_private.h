/* SPDX-License-Identifier: Apache-2.0
 *
 * What a store is made of: the front (store.c) and a place for texts under names (store_files.c,
 * store_secrets.c). */
#pragma once

#include "common/base/buf.h"
#include "webhook/broker/store.h"

/* Compared byte by byte. */
struct store_stamp {
	char bytes[KEY_REVISION_MAX];
};

/* A place; self is its own. Texts are replaced whole. revision: what a text was read as; "": there
 * was none. */
struct store_place {
	void *self;
	/* Appends the text. -ENOENT; -EAGAIN with why: not known yet. */
	int (*read)(void *self, const char *name, struct buf *text, char revision[KEY_REVISION_MAX],
		struct error *err);
	/* What changes with each write of the text, without reading it. false: nothing is known of
	 * it, or it changed so lately that the next change might not show. */
	bool (*stamp)(void *self, const char *name, struct store_stamp *ret);
	int (*each)(
		void *self, int (*fn)(void *ctx, const char *name), void *ctx, struct error *err);
	/* text SPAN_NONE: removes. owner: for people; NULL: nobody's. written gets -EEXIST when the
	 * revision is not what is there. */
	int (*write)(void *self, const char *name, const char *revision, struct span text,
		const struct key_owner *owner, key_store_written written, void *ctx,
		struct error *err);
	const char *(*problem)(void *self);
	void (*free)(void *self);
};

/* Texts are of one sort: their files end with suffix, their Secrets have that value of the label
 * casemate.dev/store. changed: called after each change that is seen; a folder sees none. */
int store_files_open(
	struct store_place *ret, const char *directory, const char *suffix, struct error *err);
int store_secrets_open(struct store_place *ret, struct kube_client *kube, const char *namespace_,
	const char *sort, void (*changed)(void *ctx), void *ctx, struct error *err);

/* Who keeps KEKs beside the records asks and tells the store by these. */
struct store_kek_hooks {
	/* Are there records that no known KEK opens? The name of one of them into name. 0: none; 1:
	 * there are; -EAGAIN: not known yet. */
	int (*records)(void *ctx, char name[KEY_RECORD_NAME_MAX]);
	/* Is a record under that KEK? 0, 1, -EAGAIN. */
	int (*used)(void *ctx, const char *id);
	void (*changed)(void *ctx); /* other KEKs are known */
	void *ctx;
};

/* The KEK in a Secret: insecure, for development. It is made when it is not there, wraps (makes),
 * and every record is under a KEK that is known. */
struct store_kek;
int store_kek_new(struct store_kek **ret_k, struct kube_client *kube, const char *namespace_,
	const char *name, bool makes, const struct store_kek_hooks *hooks, struct error *err);
const struct kek_ring *store_kek_ring(const struct store_kek *k); /* NULL: not known yet */
/* "", or why it is not known, or why nothing may be written under what is known of it. */
const char *store_kek_problem(const struct store_kek *k);
void store_kek_look(struct store_kek *k); /* the records are others now */
void store_kek_free(struct store_kek *k); /* NULL allowed */
