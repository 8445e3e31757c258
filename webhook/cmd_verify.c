/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook verify: evidence and collateral in files, judged offline by the functions that
 * judge nodes; the verdict as JSON. */
#include <errno.h>
#include <stdio.h>

#include "common/tee/claims.h"
#include "webhook/commands.h"
#include "webhook/evidence_file.h"
#include "webhook/propose.h"

/* Flags. */
struct options {
	struct evidence_file_options file;
	bool propose;
};

static const struct setting own_settings[] = {
	{.name = "propose",
		.type = SETTING_BOOL,
		.offset = offsetof(struct options, propose),
		.no_file = true,
		.help = "print the measurements of good evidence, as a policy lists them"},
};

static struct settings_table table_of(void)
{
	struct settings_table t = {0};

	settings_add(&t, evidence_file_settings, n_evidence_file_settings,
		offsetof(struct options, file));
	settings_add(&t, own_settings, ARRAY_SIZE(own_settings), 0);
	return t;
}

static int run(struct evidence_file *f, const struct options *o, struct error *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(CLAIMS_JSON_MAX);
	int r = evidence_file_judge(f, &o->file, o->propose, err);

	if (r < 0)
		return r;
	if (o->propose && verdict_accepted(&f->verdict)) {
		propose(&out, &f->evidence, &f->verdict, &f->used);
	} else {
		verdict_json(&out, &f->verdict, f->opened ? &f->evidence : NULL);
		buf_putc(&out, '\n');
	}
	if (out.err)
		return error_set(err, out.err, "the verdict cannot be written");
	fwrite(out.p, 1, out.len, stdout);
	if (fflush(stdout) != 0)
		return error_set(err, -EIO, "standard output: %m");
	return 0;
}

static void usage(FILE *f)
{
	_cleanup_buf_ struct buf options = BUF_INIT(64 * 1024);
	const struct settings_table table = table_of();

	settings_help(&options, table.v, table.n);
	fprintf(f,
		"Usage: casemate-webhook verify --evidence FILE [--collateral PATH]... "
		"[OPTIONS]\n\n"
		"Judges evidence as the verifier does, offline, and prints the verdict as JSON.\n"
		"Evidence: SGX and TDX quotes, SEV-SNP reports (binary, hexadecimal or base64, "
		"with\n"
		"or without their certificates), the JSON of guest components, simulated "
		"evidence.\n"
		"Collateral: answers of Intel's and AMD's services, certificates, CRLs and "
		"bundles\n"
		"of them. Nothing is fetched.\n"
		"Exit code 0: accepted; 1: refused, or a file cannot be read (then nothing but a\n"
		"message on standard error is printed).\n\n"
		"Options:\n%s",
		options.p ? options.p : "");
}

int command_verify(int argc, char **argv)
{
	struct evidence_file f = EVIDENCE_FILE_INIT;
	const struct settings_table table = table_of();
	const struct settings_input in = {
		.table = table.v, .n = table.n, .argc = argc, .argv = argv};
	struct options o = {0};
	struct error err = {0};
	bool accepted;
	int r;

	if (argc > 0 && strcmp(argv[0], "--help") == 0) {
		usage(stdout);
		return COMMAND_DONE;
	}
	r = settings_read(&in, &o, &f.arena, NULL, &err);
	if (r == 0 && !*o.file.evidence)
		r = error_set(&err, -EINVAL, "--evidence FILE is missing; see --help");
	if (r == 0)
		r = run(&f, &o, &err);
	if (r < 0)
		fprintf(stderr, "casemate-webhook verify: %s\n", err.message);
	accepted = r == 0 && verdict_accepted(&f.verdict);
	evidence_file_free(&f);
	if (r == -EINVAL)
		return COMMAND_USAGE;
	return accepted ? COMMAND_DONE : COMMAND_REFUSED;
}
