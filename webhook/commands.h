/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of casemate-webhook. Each takes its arguments without the command's name and returns
 * the exit code. */
#pragma once

#include "common/base/command.h"
#include "common/base/settings.h"

/* See `casemate-webhook COMMAND --help`. */
int command_serve(int argc, char **argv);
int command_review(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_collateral(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_uninstall_verdicts(int argc, char **argv);
int command_uninstall_broker(int argc, char **argv);
int command_key(int argc, char **argv);
int command_key_explain(int argc, char **argv);
struct settings_table key_explain_settings(void);
int command_keyprovider(int argc, char **argv);
int command_seal(int argc, char **argv);
int command_audit(int argc, char **argv);
