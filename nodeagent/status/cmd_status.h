/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* `casemate-nodeagent status`, as in struct command. Exit code 0: healthy. */
int command_status(int argc, char **argv);
