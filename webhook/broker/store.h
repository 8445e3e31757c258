/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the broker's keys are: one record a profile (webhook/broker/record.h), as a file in a
 * folder or as a Secret in Casemate's namespace, each key wrapped by the key-encryption key (KEK).
 * A record is replaced whole or stays as it was; one that is corrupt is refused and never
 * overwritten. Keys belong to the UIDs of namespace and profile: whoever is made anew under an old
 * name finds nothing. On the loop's thread. */
#pragma once

#include "common/base/secret.h"
#include "common/kube/client.h"
#include "common/observe/metrics.h"
#include "common/tee/reason.h"
#include "webhook/broker/kek_settings.h"
#include "webhook/broker/record.h"

struct key_store;
struct deny;

struct key_store_options {
	struct kube_client *kube;    /* NULL: the folder */
	const char *namespace_;      /* of the Secrets */
	const char *directory;       /* with mode 0700; made when it is not there */
	const char *kek_file;        /* 32 bytes, or lines of base64 (webhook/broker/wrap.h) */
	bool insecure_kek_in_secret; /* without kek_file: the KEK is in a Secret beside the records
				      */
	/* Or Vault, or a token, or which of them all wraps; NULL: none, and that one does.
	 * Finished; copied. */
	const struct kek_settings *kek;
	sd_event *event;         /* with kek; or NULL */
	const char *kek_secret;  /* that Secret's name; NULL: casemate-insecure-kek */
	struct metrics *metrics; /* NULL: none */
};

/* -EINVAL: no KEK, or without kek both of the other two places. Strings are copied. */
int key_store_new(struct key_store **ret_s, const struct key_store_options *o, struct error *err);
void key_store_free(struct key_store *s); /* NULL allowed; before its client */
DEFINE_CLEANUP(struct key_store *, key_store_free)

/* Can it answer? "" or why not. */
const char *key_store_problem(const struct key_store *s);
/* Is there no use in waiting: did what wraps the keys answer, or fail to? */
bool key_store_refused(const struct key_store *s);
/* Keys that these lists deny are KeyRevoked. Borrowed; NULL: none. */
void key_store_deny(struct key_store *s, const struct deny *lists);
/* The KEK's file is read again; the old one stays when the new one cannot be read. What Vault or a
 * token refused is asked for again. */
int key_store_reload(struct key_store *s, struct error *err);

/* The key's bytes (borrowed, valid during the call) and version, with reason Ok; or key NULL and
 * why not (KeyNotFound, KeyRevoked, StoreUnavailable) and err, which says what to change. */
typedef void (*key_store_done)(void *ctx, const struct secret *key, unsigned version,
	enum reason reason, const struct error *err);

/* Runs done exactly once, before this returns 0. version 0: the newest. -EINVAL, -ENOMEM: done does
 * not run. */
int key_store_fetch(struct key_store *s, const struct key_owner *o, const char *key,
	unsigned version, key_store_done done, void *ctx, struct error *err);

/* For those who change records: the controller and the commands. */

/* The record of an owner into ret, which is empty before. -ENOENT: there is none; -EBADMSG,
 * -ENOKEY (its KEK is not known), -EAGAIN (not known yet). */
int key_store_read(
	struct key_store *s, const struct key_owner *o, struct key_record *ret, struct error *err);

/* As what a record would be read now, be it damaged: to write over it knowingly. -ENOENT: there is
 * none. */
int key_store_revision(struct key_store *s, const struct key_owner *o, char ret[KEY_REVISION_MAX],
	struct error *err);

/* Every record's name, until fn returns something else than 0, which is returned. */
int key_store_each(
	struct key_store *s, int (*fn)(void *ctx, const char *name), void *ctx, struct error *err);
/* The record of that name. Errors as key_store_read's. */
int key_store_read_name(
	struct key_store *s, const char *name, struct key_record *ret, struct error *err);

/* r: 0, -EEXIST (another wrote meanwhile: read again), or another error. */
typedef void (*key_store_written)(void *ctx, int r, const struct error *err);

/* Writes a record that was read with key_store_read (or is new: its revision is ""), under the
 * newest KEK. It is stored when written says so, at once for a folder. On an error returned,
 * written does not run. */
int key_store_write(struct key_store *s, const struct key_record *rec, key_store_written written,
	void *ctx, struct error *err);
/* Removes a record that was read. */
int key_store_remove(struct key_store *s, const struct key_record *rec, key_store_written written,
	void *ctx, struct error *err);

/* What wraps and opens its keys; NULL: not known yet. */
const struct kek_ring *key_store_keks(const struct key_store *s);

/* KEKs that Vault or a token wraps (webhook/broker/kek_wrapped.h): a new one; all of them, as they
 * are stored, appended to out; those of such a text added. -EINVAL (-ENOENT): there are none such.
 */
int key_store_renew_kek(struct key_store *s, key_store_written done, void *ctx, struct error *err);
int key_store_wrapped_keks(const struct key_store *s, struct buf *out);
int key_store_adopt_keks(struct key_store *s, struct span text, key_store_written done, void *ctx,
	struct error *err);
/* Called after each change of what is stored, the first sync included; one listener. */
void key_store_listen(struct key_store *s, void (*changed)(void *ctx), void *ctx);
