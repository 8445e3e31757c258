/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook verify: evidence and collateral in files, judged offline by the functions that
 * judge nodes; the verdict as JSON. */
#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/settings_file.h"
#include "common/tee/claims.h"
#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/policy.h"
#include "common/tee/verify.h"
#include "webhook/commands.h"
#include "webhook/propose.h"

enum { VERIFY_MEMORY_MAX = 8 * 1024 * 1024 };

/* Flags. */
struct options {
	const char *evidence;
	struct strings collateral;
	const char *time;
	const char *policy;
	bool propose;
};

#define AT(field) offsetof(struct options, field)
static const struct setting table[] = {
	{.name = "evidence",
		.type = SETTING_STRING,
		.offset = AT(evidence),
		.no_file = true,
		.meta = "FILE",
		.help = "the evidence: quote, report or document; - is standard input"},
	{.name = "collateral",
		.type = SETTING_STRINGS,
		.offset = AT(collateral),
		.no_file = true,
		.meta = "PATH",
		.help = "what it is judged against: a file or a folder; may be repeated"},
	{.name = "time",
		.type = SETTING_STRING,
		.offset = AT(time),
		.no_file = true,
		.meta = "TIME",
		.help = "when: Unix seconds or RFC 3339; default: the policy's, or now"},
	{.name = "policy",
		.type = SETTING_STRING,
		.offset = AT(policy),
		.no_file = true,
		.meta = "FILE",
		.help = "what is accepted, as YAML; default: {}, the strictest"},
	{.name = "propose",
		.type = SETTING_BOOL,
		.offset = AT(propose),
		.no_file = true,
		.help = "print the measurements of good evidence, as a policy lists them"},
};

struct session {
	struct options options;
	struct arena arena;
	struct policy_document policy;
	struct collateral *collateral;
	int64_t time;
	struct buf out;
	bool accepted;
};

/* Unix seconds, or any time of RFC 3339. */
static int read_time(const char *text, int64_t *ret, struct error *err)
{
	int64_t t = -1;
	char *end;

	if (clock_parse(span_str(text), &t) == 0) {
		t /= USEC_PER_SEC;
	} else {
		errno = 0;
		t = strtoll(text, &end, 10);
		if (errno || *end || end == text)
			t = -1;
	}
	if (t < 0)
		return error_set(err, -EINVAL,
			"--time: '%.40s' is no time since 1970: Unix seconds, or RFC 3339 "
			"(2025-06-27T04:53:20Z)",
			text);
	*ret = t;
	return 0;
}

static int read_policy(struct session *s, struct error *err)
{
	const char *path = s->options.policy;
	struct span text;
	int r = settings_read_file(path, POLICY_FILE_MAX + 1, &s->arena, &text, err);

	return r < 0 ? r : policy_document_parse(&s->policy, text, path, err);
}

/* Roots first: what the collateral's documents are worth is found out when they are taken up. */
static int read_collateral(struct session *s, struct error *err)
{
	int r = collateral_new(&s->collateral, err);

	for (size_t i = 0; r == 0 && i < s->policy.n_trusted_roots; i++) {
		r = roots_add(&s->collateral->roots, s->policy.trusted_roots[i], err);
		if (r < 0)
			error_prefix(err, r, "%s: trustedRoots[%zu]", s->options.policy, i);
	}
	for (size_t i = 0; r == 0 && i < s->options.collateral.n; i++)
		r = collateral_add_path(s->collateral, s->options.collateral.v[i], err);
	return r;
}

static int read_evidence(struct session *s, struct span *ret_text, struct error *err)
{
	const char *path = s->options.evidence;

	return settings_read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, EVIDENCE_MAX + 1,
		&s->arena, ret_text, err);
}

/* Evidence that cannot be read is a verdict, too. */
static void judge(struct session *s, struct span text)
{
	_cleanup_evidence_ struct evidence e = {0};
	struct verify_policy policy = s->policy.policy;
	const struct verify_input in = {&e, s->collateral, &policy, s->time};
	enum reason reason = REASON_Internal;
	struct verdict v = {.tcb = TCB_STATUS_N};
	struct error err = {0};
	bool opened = evidence_open(&e, text, &reason, &err) == 0;

	if (s->options.propose) {
		policy.n_accepted = 0;
		policy.measurements_required = false;
	}
	if (opened)
		verify(&in, NULL, &v);
	else
		verdict_refuse(&v, reason, "%s", err.message);
	s->accepted = verdict_accepted(&v);
	if (s->options.propose && s->accepted) {
		propose(&s->out, &e, &v, &policy);
	} else {
		verdict_json(&s->out, &v, opened ? &e : NULL);
		buf_putc(&s->out, '\n');
	}
}

static int run(struct session *s, struct error *err)
{
	struct span text = SPAN_NONE;
	int r;

	s->time = -1;
	r = *s->options.time ? read_time(s->options.time, &s->time, err) : 0;
	if (r < 0)
		return r;
	if (*s->options.policy)
		r = read_policy(s, err);
	if (r == 0)
		r = read_collateral(s, err);
	if (r == 0)
		r = read_evidence(s, &text, err);
	if (r < 0)
		return settings_blame_file(r);
	if (s->time < 0)
		s->time = s->policy.time;
	if (s->time < 0)
		s->time = clock_unix_usec() / USEC_PER_SEC;
	judge(s, text);
	if (s->out.err)
		return error_set(err, s->out.err, "the verdict cannot be written");
	fwrite(s->out.p, 1, s->out.len, stdout);
	if (fflush(stdout) != 0)
		return error_set(err, -EIO, "standard output: %m");
	return 0;
}

static void usage(FILE *f)
{
	_cleanup_buf_ struct buf options = BUF_INIT(64 * 1024);

	settings_help(&options, table, ARRAY_SIZE(table));
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
	struct session s = {
		.arena = ARENA_INIT(VERIFY_MEMORY_MAX),
		.policy = POLICY_DOCUMENT_INIT,
		.out = BUF_INIT(CLAIMS_JSON_MAX),
	};
	const struct settings_input in = {
		.table = table, .n = ARRAY_SIZE(table), .argc = argc, .argv = argv};
	struct error err = {0};
	int r;

	if (argc > 0 && strcmp(argv[0], "--help") == 0) {
		usage(stdout);
		return COMMAND_DONE;
	}
	r = settings_read(&in, &s.options, &s.arena, NULL, &err);
	if (r == 0 && !*s.options.evidence)
		r = error_set(&err, -EINVAL, "--evidence FILE is missing; see --help");
	if (r == 0)
		r = run(&s, &err);
	if (r < 0)
		fprintf(stderr, "casemate-webhook verify: %s\n", err.message);
	collateral_free(s.collateral);
	policy_document_free(&s.policy);
	buf_free(&s.out);
	arena_free(&s.arena);
	if (r == -EINVAL)
		return COMMAND_USAGE;
	return r == 0 && s.accepted ? COMMAND_DONE : COMMAND_REFUSED;
}
