/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook: picks the command. Exit code 0 done, 1 refused or invalid, 2 usage. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "webhook/commands.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"serve", command_serve, "the daemon: admission webhooks over HTTPS"},
	{"review", command_review, "what the webhook would make of manifests, offline"},
	{"probe", command_probe, "is a health endpoint happy? for images without a shell"},
};

static void usage(FILE *f)
{
	fputs("Usage: casemate-webhook COMMAND [OPTIONS]\n\n"
	      "Makes Kubernetes pods confidential.\n\nCommands:\n",
		f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\n'casemate-webhook COMMAND --help' explains a command.\n", f);
}

/* --help wins over whatever else is said, right or wrong. */
static int run(const struct command *c, int argc, char **argv)
{
	static char help[] = "--help";

	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], help) == 0)
			return c->run(1, (char *[]){help, NULL});
	return c->run(argc, argv);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		usage(stderr);
		return COMMAND_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return COMMAND_DONE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("casemate-webhook " CASEMATE_VERSION);
		return COMMAND_DONE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], argc - 2, argv + 2);
	fprintf(stderr,
		"casemate-webhook: no such command: %s ('casemate-webhook --help' lists them)\n",
		argv[1]);
	return COMMAND_USAGE;
}
