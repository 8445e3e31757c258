/* SPDX-License-Identifier: Apache-2.0
 *
 * What casemate-exec and casemate-exec-sgx have in common: a command line, and becoming the program
 * that it names, with keys in its environment. */
#pragma once

#include "nodeagent/exec/resolve.h"

#define EXEC_TIMEOUT_NAME   "CASEMATE_EXEC_TIMEOUT"
#define EXEC_NAMESPACE_NAME "CASEMATE_NAMESPACE"

/* The rest of what --help says of either. */
#define EXEC_HELP_EXIT                                                                             \
	"Exit code: COMMAND's own; 1 a key was refused or cannot be had, and the message names\n"  \
	"variable, key, reason and what to do; 2 wrong usage; 126 COMMAND cannot be executed;\n"   \
	"127 there is no such COMMAND.\n"
#define EXEC_HELP_TIMEOUT                                                                          \
	"  " EXEC_TIMEOUT_NAME "  how long to ask again while nobody can answer\n"                 \
	"                         (60s; 0s: once)\n"

/* Runs as main() does. Paths and ways are o's; what the environment sets is filled in here. Returns
 * the exit code when there is no COMMAND to become. */
int exec_program(
	const char *name, const char *help, struct exec_resolve_options *o, int argc, char **argv);
