/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/evidence_file.h"

#include <errno.h>

#include "common/base/clock.h"
#include "common/base/settings_file.h"

#define AT(field) offsetof(struct evidence_file_options, field)
const struct setting evidence_file_settings[] = {
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
};
const size_t n_evidence_file_settings = ARRAY_SIZE(evidence_file_settings);

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

static int read_policy(struct evidence_file *f, const char *path, struct error *err)
{
	struct span text;
	int r = settings_read_file(path, POLICY_FILE_MAX + 1, &f->arena, &text, err);

	return r < 0 ? r : policy_document_parse(&f->policy, text, path, err);
}

/* Roots first: what the collateral's documents are worth is found out when they are taken up. */
static int read_collateral(
	struct evidence_file *f, const struct evidence_file_options *o, struct error *err)
{
	int r = collateral_new(&f->collateral, err);

	for (size_t i = 0; r == 0 && i < f->policy.n_trusted_roots; i++) {
		r = roots_add(&f->collateral->roots, f->policy.trusted_roots[i], err);
		if (r < 0)
			error_prefix(err, r, "%s: trustedRoots[%zu]", o->policy, i);
	}
	for (size_t i = 0; r == 0 && i < o->collateral.n; i++)
		r = collateral_add_path(f->collateral, o->collateral.v[i], err);
	return r;
}

static int read_evidence(
	struct evidence_file *f, const char *path, struct span *ret_text, struct error *err)
{
	return settings_read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, EVIDENCE_MAX + 1,
		&f->arena, ret_text, err);
}

/* Evidence that cannot be read is a verdict, too. */
static void judge(struct evidence_file *f, struct span text, bool any)
{
	const struct verify_input in = {&f->evidence, f->collateral, &f->used, f->time};
	enum reason reason = REASON_Internal;
	struct error err = {0};

	f->used = f->policy.policy;
	f->verdict = (struct verdict){.tcb = TCB_STATUS_N};
	f->opened = evidence_open(&f->evidence, text, &reason, &err) == 0;
	if (any) {
		f->used.n_accepted = 0;
		f->used.measurements_required = false;
	}
	if (f->opened)
		verify(&in, NULL, &f->verdict);
	else
		verdict_refuse(&f->verdict, reason, "%s", err.message);
}

int evidence_file_judge(
	struct evidence_file *f, const struct evidence_file_options *o, bool any, struct error *err)
{
	struct span text = SPAN_NONE;
	int r;

	f->time = -1;
	r = *o->time ? read_time(o->time, &f->time, err) : 0;
	if (r < 0)
		return r;
	if (*o->policy)
		r = read_policy(f, o->policy, err);
	if (r == 0)
		r = read_collateral(f, o, err);
	if (r == 0)
		r = read_evidence(f, o->evidence, &text, err);
	if (r < 0)
		return settings_blame_file(r);
	if (f->time < 0)
		f->time = f->policy.time;
	if (f->time < 0)
		f->time = clock_unix_usec() / USEC_PER_SEC;
	judge(f, text, any);
	return 0;
}

void evidence_file_free(struct evidence_file *f)
{
	if (f->opened)
		evidence_free(&f->evidence);
	collateral_free(f->collateral);
	policy_document_free(&f->policy);
	arena_free(&f->arena);
}
