/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void usage(
	FILE *f, const char *name, const char *purpose, const struct command *commands, size_t n)
{
	int width = 0;

	for (size_t i = 0; i < n; i++)
		if ((int)strlen(commands[i].name) > width)
			width = (int)strlen(commands[i].name);
	fprintf(f, "Usage: %s COMMAND [OPTIONS]\n\n%s\n\nCommands:\n", name, purpose);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "  %-*s  %s\n", width, commands[i].name, commands[i].help);
	fprintf(f, "\n'%s COMMAND --help' explains a command.\n", name);
}

static int run(const struct command *c, int argc, char **argv)
{
	static char help[] = "--help";

	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], help) == 0)
			return c->run(argv[0][0] == '-' ? 1 : 2, (char *[]){help, argv[0], NULL});
	return c->run(argc, argv);
}

int command_main(const char *name, const char *purpose, const struct command *commands, size_t n,
	int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		usage(stderr, name, purpose, commands, n);
		return COMMAND_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout, name, purpose, commands, n);
		return COMMAND_DONE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("%s %s\n", name, CASEMATE_VERSION);
		return COMMAND_DONE;
	}
	for (size_t i = 0; i < n; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], argc - 2, argv + 2);
	fprintf(stderr, "%s: no such command: %s ('%s --help' lists them)\n", name, argv[1], name);
	return COMMAND_USAGE;
}
