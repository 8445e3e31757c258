/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of a program whose file is itself a setting, and the file's text. */
#pragma once

#include "common/base/settings.h"

enum { SETTINGS_FILE_MAX = 1024 * 1024 /* bytes */ };

struct settings_load {
	const struct setting *table; /* n entries; one of them names the file (no_file) */
	size_t n;
	size_t file;              /* offset of that setting's field in the target */
	const char *default_file; /* read when no other is named and this exists; NULL: none */
	int argc;                 /* flags, without the program and command name */
	char *const *argv;
};

/* Fills target by settings_read() from the file, the environment and the flags. Afterwards the
 * file's field says what was read, "" when nothing was. -EINVAL: flags or variables are wrong; any
 * other error is the file's. */
int settings_load(const struct settings_load *l, void *target, struct arena *a,
	struct strings *ret_rest, struct error *err);
/* -EINVAL is for flags and variables; a file that is wrong is -EBADMSG. */
int settings_blame_file(int r);

/* Reads a whole file of at most max bytes into a (NUL behind it). Errors name it. */
int settings_read_file(const char *path, size_t max, struct arena *a, struct span *ret_text,
	struct error *err);
