/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of casemate-webhook. Each takes its arguments without the command's name and returns
 * the exit code. */
#pragma once

#define CASEMATE_VERSION "0.1.0"

enum { COMMAND_DONE = 0, COMMAND_REFUSED = 1, COMMAND_USAGE = 2 };

/* See `casemate-webhook COMMAND --help`. */
int command_serve(int argc, char **argv);
int command_review(int argc, char **argv);
int command_probe(int argc, char **argv);
