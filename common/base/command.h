/* SPDX-License-Identifier: Apache-2.0
 *
 * A program of several commands: picks one, answers --help and --version. */
#pragma once

#include <stddef.h>

/* Exit codes of every command. */
enum { COMMAND_DONE = 0, COMMAND_REFUSED = 1, COMMAND_USAGE = 2 };

#define CASEMATE_VERSION "0.1.0"

struct command {
	const char *name;
	/* What follows the name. "--help" first: explains; behind it is the word that followed the
	 * name, if one did ("key list --help"). */
	int (*run)(int argc, char **argv);
	const char *help; /* one line */
};

/* main() of the program: name is its own, purpose one sentence. Ignores SIGPIPE. Returns the exit
 * code. --help behind a command wins over whatever else is said, right or wrong. */
int command_main(const char *name, const char *purpose, const struct command *commands, size_t n,
	int argc, char **argv);
