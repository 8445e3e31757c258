/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of casemate-nodeagent. Each takes its arguments without the command's name and
 * returns the exit code. */
#pragma once

#include "common/base/command.h"

/* See `casemate-nodeagent COMMAND --help`. */
int command_run(int argc, char **argv);
int command_evidence_enclave(int argc, char **argv);
int command_uninstall(int argc, char **argv);
