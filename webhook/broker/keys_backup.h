/* SPDX-License-Identifier: Apache-2.0
 *
 * Every record of a store in one file, sealed as they are stored:
 *
 *	casemate-backup/1
 *	keks LENGTH (where Vault or a token wraps key-encryption keys)
 *	their wrapped forms (webhook/broker/kek_lines.h)
 *	LENGTH (of the record's text, decimal)
 *	the record's text
 *	… and so on; at the end
 *	0
 */
#pragma once

#include "webhook/broker/store.h"

/* The file appears whole, with mode 0600, or stays as it was. A record that cannot be read is a
 * failure: a backup that lacks one would be found out too late. */
int keys_backup_write(
	struct key_store *s, const char *path, size_t *ret_records, struct error *err);

/* Appends the wrapped key-encryption keys that it holds, perhaps none. -EBADMSG: it is no backup.
 */
int keys_backup_keks(const char *path, struct buf *out, struct error *err);
/* Calls fn with each record, once the whole file was found good. -EBADMSG: it is not. */
int keys_backup_read(const char *path, const struct kek_ring *keks,
	int (*fn)(void *ctx, struct key_record *rec), void *ctx, struct error *err);

/* Gives rec the revision of what is stored for an owner now, whatever that is, so that writing it
 * replaces that. */
int keys_restore_revision(
	struct key_store *s, const struct key_owner *o, struct key_record *rec, struct error *err);
