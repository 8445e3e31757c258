/* SPDX-License-Identifier: Apache-2.0
 *
 * What --help says of the commands behind a command's name ("key list"). */
#pragma once

#include <stdio.h>

#include "common/base/settings.h"

struct subcommand_help {
	const char *name, *arguments; /* "list", "[OPTIONS] [NAMESPACE/PROFILE]" */
	const char *text;             /* lines */
	const struct setting *table;
	size_t n;
};

/* Prints how the one of that name is used, and its options; where word is NULL or no name, how each
 * is used. */
void subcommand_usage(FILE *f, const char *command, const struct subcommand_help *help, size_t n,
	const char *word);
