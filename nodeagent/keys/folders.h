/* SPDX-License-Identifier: Apache-2.0
 *
 * The folders of allocations: on a tmpfs, each with a random name, and which device id has which of
 * them on a disk, as a link ("key-7" -> "0f…"): after a restart of the agent, or a reboot that empties
 * the tmpfs, the kubelet mounts what it was answered before, and asks nobody. */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/span.h"

#define KEY_ID_PREFIX "key-" /* of device ids */

enum {
	KEY_FOLDER_NAME = 33 /* 32 hex digits and a NUL */,
	KEY_FOLDER_PATH_MAX = 72,
	KEY_OWNER_MAX = 64,
	KEY_HELD_MAX = 32 << 10
};

struct key_folders {
	char dir[KEY_FOLDER_PATH_MAX];   /* "/run/casemate/keys" */
	char state[KEY_FOLDER_PATH_MAX]; /* "/var/lib/casemate/keys" */
	bool memory;                     /* dir is on a tmpfs: nothing of it reaches a disk */
};

/* Makes both where they are missing. Errors name the path, as below. */
int key_folders_init(struct key_folders *f, const char *dir, const char *state, struct error *err);

/* Is it the prefix and a number, as the device plugin writes it? */
bool key_id_valid(const char *id);

/* A new folder for the id; an earlier one goes, with all that is in it. */
int key_folders_renew(const struct key_folders *f, const char *id, char ret_name[KEY_FOLDER_NAME],
	struct error *err);
/* Calls fn with each id and its folder, which is made again when it is gone. Ends with the first
 * failure of fn. */
int key_folders_each(const struct key_folders *f,
	int (*fn)(void *ctx, const char *id, const char *name, struct error *err), void *ctx,
	struct error *err);
/* Removes the folders that nobody knows. */
int key_folders_sweep(const struct key_folders *f, bool (*known)(void *ctx, const char *name),
	void *ctx, struct error *err);
/* The id has no folder any more. */
void key_folders_forget(const struct key_folders *f, const char *id, const char *name);

/* Notes the UID of the pod that the folder belongs to; reads it ("": not known). */
int key_folders_own(
	const struct key_folders *f, const char *name, const char *uid, struct error *err);
void key_folders_owner(const struct key_folders *f, const char *name, char ret_uid[KEY_OWNER_MAX]);

/* Notes of which versions the promised files are (nodeagent/keys/held.h); reads it, as far as
 * KEY_HELD_MAX ("": nothing is noted). */
int key_folders_hold(
	const struct key_folders *f, const char *name, struct span held, struct error *err);
int key_folders_held(const struct key_folders *f, const char *name, struct buf *out);

/* Writes a promised file, which appears as a whole. */
int key_folders_put(const struct key_folders *f, const char *name, const char *file,
	struct span content, struct error *err);
/* Removes all promised files of the folder. */
void key_folders_empty(const struct key_folders *f, const char *name);

/* Puts a copy of the program at from into state, for containers to see (/run is often mounted noexec).
 * ret_path: its place. */
int key_folders_program(const struct key_folders *f, const char *from,
	char ret_path[KEY_FOLDER_PATH_MAX + 32], struct error *err);
