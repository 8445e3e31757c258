/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The command: see its --help. */
int command_probe(int argc, char **argv);
