/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook collateral: what evidence is judged against, as files: what is in them, all of
 * them as one, and fetching them. */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/settings_file.h"
#include "webhook/collateral/inventory.h"
#include "webhook/collateral/pull.h"
#include "webhook/commands.h"
#include "webhook/subcommand.h"

enum {
	COMMAND_MEMORY_MAX = 128 << 20,
	ROOT_MAX = 64 * 1024, /* bytes of a file with a root */
	OUTPUT_MAX = 64 << 20,
	CA_MAX = 1 << 20,
};

struct collateral_options {
	bool json;
	const char *time, *output, *ca_file;
	struct strings trusted_roots;
	struct pull_options pull;
};

#define AT(member) offsetof(struct collateral_options, member)

static const struct setting show_table[] = {
	{"json", SETTING_BOOL, AT(json), .help = "JSON for programs"},
	{"time", SETTING_STRING, AT(time), .meta = "TIME",
		.help = "judge dates at this time (RFC 3339) instead of now"},
	{"trustedRoot", SETTING_STRINGS, AT(trusted_roots), .meta = "FILE",
		.help = "trust this root besides those of Intel and AMD"},
};

static const struct setting bundle_table[] = {
	{"o", SETTING_STRING, AT(output), .meta = "FILE",
		.help = "write to this file instead of standard output"},
	{"trustedRoot", SETTING_STRINGS, AT(trusted_roots), .meta = "FILE",
		.help = "trust this root besides those of Intel and AMD"},
};

static const struct setting pull_table[] = {
	{"fmspc", SETTING_STRINGS, AT(pull.fmspc), .meta = "LIST",
		.help = "Intel platforms: 12 hexadecimal digits each"},
	{"tee", SETTING_STRINGS, AT(pull.tee), "sgx,tdx", .meta = "LIST",
		.help = "what for, of sgx and tdx"},
	{"ca", SETTING_STRINGS, AT(pull.ca), "processor,platform", .meta = "LIST",
		.help = "revocation lists of these PCK CAs"},
	{"update", SETTING_STRING, AT(pull.update), .meta = "WHEN",
		.help = "early or standard: how soon after a TCB recovery"},
	{"snp", SETTING_STRINGS, AT(pull.snp), .meta = "LIST",
		.help = "AMD products: Milan, Genoa, Turin"},
	{"vcek", SETTING_STRINGS, AT(pull.vcek), .meta = "LIST",
		.help = "AMD chips: PRODUCT:CHIPID:TCB, the last two as a report has them, in hex"},
	{"pcs", SETTING_STRING, AT(pull.pcs), PULL_PCS, .meta = "URL", .help = "Intel's service"},
	{"rootCrl", SETTING_STRING, AT(pull.root_crl), PULL_ROOT_CRL, .meta = "URL",
		.help = "revocation list of Intel's root"},
	{"pccs", SETTING_STRING, AT(pull.pccs), .meta = "URL",
		.help = "a PCCS, in place of the two"},
	{"kds", SETTING_STRING, AT(pull.kds), PULL_KDS, .meta = "URL", .help = "AMD's service"},
	{"time", SETTING_STRING, AT(time), .meta = "TIME",
		.help = "judge dates at this time (RFC 3339) instead of now"},
	{"caFile", SETTING_STRING, AT(ca_file), .meta = "FILE",
		.help = "PEM of who vouches for https (/etc/ssl/certs/ca-certificates.crt)"},
	{"o", SETTING_STRING, AT(output), .meta = "FILE",
		.help = "write to this file instead of standard output"},
	{"trustedRoot", SETTING_STRINGS, AT(trusted_roots), .meta = "FILE",
		.help = "trust this root besides those of Intel and AMD"},
};

/* One run of a subcommand. */
struct session {
	struct collateral_options o;
	struct strings paths;
	struct arena arena;
	struct collateral *c;
};

static int read_roots(struct session *s, struct error *err)
{
	for (size_t i = 0; i < s->o.trusted_roots.n; i++) {
		const char *path = s->o.trusted_roots.v[i];
		struct span text;
		int r = settings_read_file(path, ROOT_MAX, &s->arena, &text, err);

		if (r == 0)
			r = roots_add(&s->c->roots, text, err);
		if (r < 0)
			return error_prefix(err, r, "%s", path);
	}
	return 0;
}

static int read_paths(struct session *s, struct error *err)
{
	for (size_t i = 0; i < s->paths.n; i++) {
		const char *path = s->paths.v[i];
		int r = collateral_add_path(
			s->c, strcmp(path, "-") == 0 ? "/dev/stdin" : path, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int print(const struct buf *b, struct error *err)
{
	if (fwrite(b->p, 1, b->len, stdout) != b->len || fflush(stdout) != 0)
		return error_set(err, -EIO, "standard output: %m");
	return 0;
}

static int write_bundle(struct session *s, struct error *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);
	int r = collateral_write(&out, s->c, err);

	if (r < 0)
		return r;
	return s->o.output[0] ? io_replace(s->o.output, 0666, buf_view(&out), err)
			      : print(&out, err);
}

/* --time, or now. */
static int judging_time(const struct session *s, int64_t *ret_sec, struct error *err)
{
	int64_t usec = clock_unix_usec();

	if (s->o.time[0] && clock_parse(span_str(s->o.time), &usec) < 0)
		return error_set(err, -EINVAL,
			"--time: \"%s\" is not a time like \"2026-01-31T12:00:00Z\"", s->o.time);
	*ret_sec = usec / USEC_PER_SEC;
	return 0;
}

/* 0, or -EBADMSG when something is wrong with what was shown. */
static int show(struct session *s, struct error *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);
	_cleanup_inventory_ struct inventory inv = {0};
	int64_t now = 0;
	int r = judging_time(s, &now, err);

	if (r == 0)
		r = read_paths(s, err);
	if (r == 0)
		r = inventory_make(&inv, s->c, now, err);
	if (r < 0)
		return r;
	r = s->o.json ? inventory_json(&out, &inv) : inventory_table(&out, &inv);
	if (r < 0)
		return error_set(err, r, "the output is too large");
	r = print(&out, err);
	if (r == 0 && inv.problems)
		r = error_set(err, -EBADMSG, "%zu of %zu cannot be used", inv.problems, inv.n);
	return r;
}

static int bundle(struct session *s, struct error *err)
{
	int r = read_paths(s, err);

	return r < 0 ? r : write_bundle(s, err);
}

static int pull(struct session *s, struct error *err)
{
	_cleanup_pull_plan_ struct pull_plan plan = {0};
	struct span ca = SPAN_NONE;
	int64_t now = 0;
	int r = judging_time(s, &now, err);

	if (r == 0)
		r = pull_plan_make(&plan, &s->o.pull, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < plan.n && !s->o.ca_file[0]; i++) {
		if (strncmp(plan.requests[i].url, "https:", 6) == 0)
			return error_set(err, -EINVAL,
				"%s is asked over https: name who vouches for it with --ca-file "
				"(/etc/ssl/certs/ca-certificates.crt for the public ones)",
				plan.requests[i].url);
	}
	if (s->o.ca_file[0])
		r = settings_read_file(s->o.ca_file, CA_MAX, &s->arena, &ca, err);
	if (r == 0)
		r = pull_run(s->c, &plan, ca, now, err);
	if (r == 0)
		r = write_bundle(s, err);
	return r;
}

static const struct subcommand {
	struct subcommand_help help;
	bool paths; /* wants them; else takes none */
	int (*run)(struct session *s, struct error *err);
} subcommands[] = {
	{{"show", "[OPTIONS] PATH...",
		 "Says what is there, and what is wrong with it. Exit code 1: something is.\n",
		 show_table, ARRAY_SIZE(show_table)},
		true, show},
	{{"bundle", "[OPTIONS] PATH...",
		 "Writes everything as one JSON document; the same input gives the same bytes.\n",
		 bundle_table, ARRAY_SIZE(bundle_table)},
		true, bundle},
	{{"pull", "[OPTIONS]",
		 "Fetches collateral of the platforms named, checks each answer, and writes a "
		 "bundle.\nNothing is written unless all of it is good.\n",
		 pull_table, ARRAY_SIZE(pull_table)},
		false, pull},
};

static void usage(FILE *f, const char *word)
{
	struct subcommand_help help[ARRAY_SIZE(subcommands)];

	for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++)
		help[i] = subcommands[i].help;
	subcommand_usage(f, "collateral", help, ARRAY_SIZE(help), word);
	fprintf(f, "\nA PATH is a file, - for standard input, or a folder with files: one\n"
		   "JSON as quote verification libraries use, answers of Intel's service, a\n"
		   "bundle, certificates and revocation lists of Intel and AMD as PEM, DER or\n"
		   "hexadecimal digits.\n");
}

static int run(const struct subcommand *sub, int argc, char **argv)
{
	struct session s = {.arena = ARENA_INIT(COMMAND_MEMORY_MAX)};
	const struct settings_input in = {
		.table = sub->help.table,
		.n = sub->help.n,
		.argc = argc,
		.argv = argv,
	};
	struct error err = {0};
	int r = settings_read(&in, &s.o, &s.arena, &s.paths, &err);

	if (r == 0 && sub->paths && s.paths.n == 0)
		r = error_set(&err, -EINVAL, "a PATH is needed");
	if (r == 0 && !sub->paths && s.paths.n)
		r = error_set(&err, -EINVAL, "\"%s\" is no option", s.paths.v[0]);
	if (r == 0)
		r = collateral_new(&s.c, &err);
	if (r == 0)
		r = read_roots(&s, &err);
	if (r == 0)
		r = sub->run(&s, &err);
	if (r < 0)
		fprintf(stderr, "casemate-webhook collateral %s: %s\n", sub->help.name,
			err.message);
	collateral_free(s.c);
	arena_free(&s.arena);
	return r == 0 ? COMMAND_DONE : r == -EINVAL ? COMMAND_USAGE : COMMAND_REFUSED;
}

int command_collateral(int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[0], "--help") == 0) {
		usage(stdout, argc > 1 ? argv[1] : NULL);
		return COMMAND_DONE;
	}
	for (size_t i = 0; argc > 0 && i < ARRAY_SIZE(subcommands); i++) {
		if (strcmp(argv[0], subcommands[i].help.name) == 0)
			return run(&subcommands[i], argc - 1, argv + 1);
	}
	usage(stderr, NULL);
	return COMMAND_USAGE;
}
