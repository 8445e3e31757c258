/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/subcommand.h"

#include <string.h>

static void print_one(FILE *f, const char *command, const struct subcommand_help *h)
{
	fprintf(f, "Usage: casemate-webhook %s %s %s\n%s", command, h->name, h->arguments, h->text);
}

void subcommand_usage(FILE *f, const char *command, const struct subcommand_help *help, size_t n,
	const char *word)
{
	_cleanup_buf_ struct buf options = BUF_INIT(64 * 1024);

	for (size_t i = 0; word && i < n; i++)
		if (strcmp(help[i].name, word) == 0) {
			settings_help(&options, help[i].table, help[i].n);
			print_one(f, command, &help[i]);
			fprintf(f, "\nOptions:\n%s", options.p ? options.p : "");
			return;
		}
	for (size_t i = 0; i < n; i++) {
		print_one(f, command, &help[i]);
		fputc('\n', f);
	}
	fprintf(f, "'casemate-webhook %s COMMAND --help' lists the options of one.\n", command);
}
