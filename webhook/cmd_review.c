/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook review: the admission policy offline. Manifests in, rewritten manifests out;
 * when one object is refused nothing is printed, so that a pipe into kubectl applies all or
 * nothing. */
#include <errno.h>
#include <stdio.h>

#include "common/base/cleanup.h"
#include "common/base/settings_file.h"
#include "common/base/yaml.h"
#include "webhook/admission/manifest.h"
#include "webhook/admission/review.h"
#include "webhook/commands.h"
#include "webhook/config.h"
#include "webhook/profile_files.h"

enum { REVIEW_MEMORY_MAX = 512 * 1024 * 1024, REVIEW_INPUT_MAX = 16 * 1024 * 1024 };

struct input {
	const char *name;
	struct yaml_stream stream;
	bool json; /* the source is JSON: so is the output */
};

struct session {
	const struct webhook_config *config;
	struct profile_set *profiles;
	struct arena arena;
	struct input *inputs;
	size_t n;
	struct buf out;
	size_t printed;
	bool refused; /* a manifest: nothing is printed */
	bool denied;  /* an AdmissionReview: its answer is */
};

static int read_input(struct session *s, struct input *in, const char *path, struct error *err)
{
	bool standard = strcmp(path, "-") == 0;
	struct span text, rest;
	int r = settings_read_file(
		standard ? "/dev/stdin" : path, REVIEW_INPUT_MAX, &s->arena, &text, err);

	if (r < 0)
		return r;
	in->name = standard ? "stdin" : path;
	rest = text;
	while (rest.len && strchr(" \t\r\n", *rest.p) && *rest.p)
		rest = (struct span){rest.p + 1, rest.len - 1};
	in->json = span_starts(rest, "{") || span_starts(rest, "[");
	return yaml_read(&in->stream, text, in->name, &manifest_limits, err);
}

/* Profiles of the folder and of the manifests themselves. */
static int read_profiles(struct session *s, struct error *err)
{
	struct profile_files *files = arena_new(&s->arena, struct profile_files);
	int r;

	if (!files)
		return error_oom(err);
	if (*s->config->profiles_dir) {
		r = profile_files_read(files, s->config->profiles_dir, &s->arena, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < s->n; i++) {
		r = profile_files_add(
			files, &s->inputs[i].stream, s->inputs[i].name, false, &s->arena, err);
		if (r < 0)
			return r;
	}
	return profile_set_new(
		&s->profiles, files->objects, files->n, NULL, 0, true, &s->config->policy, err);
}

static void print_document(struct session *s, const struct input *in, struct json_val doc)
{
	bool json = s->config->output == 2 || (s->config->output == 0 && in->json);

	if (json) {
		buf_span(&s->out, json_raw(doc));
		buf_putc(&s->out, '\n');
		return;
	}
	buf_puts(&s->out, s->printed++ ? "---\n" : "");
	yaml_write(&s->out, doc);
}

static void say(const struct input *in, const struct yaml_document *d,
	const struct manifest_item *item, const char *what, const char *message, const char *reason)
{
	struct yaml_mark where = yaml_where(d, item->object);

	fprintf(stderr, "%s:%u: %s%.*s %.*s/%.*s: %s%s%s%s\n", in->name, where.line, what,
		SPAN_ARG(item->kind), SPAN_ARG(item->namespace_), SPAN_ARG(item->name), message,
		reason ? " (" : "", reason ? reason : "", reason ? ")" : "");
}

/* For --explain: what happens to an object and why, and each change on a line of its own. */
static void explain(struct session *s, const struct manifest_item *item, const struct patch *patch)
{
	_cleanup_json_ struct json doc = {0};
	_cleanup_buf_ struct buf ops = BUF_INIT(REVIEW_INPUT_MAX);
	enum reason reason = item->result.reason;
	struct json_iter it;

	buf_printf(&s->out, "%.*s %.*s/%.*s: ", SPAN_ARG(item->kind), SPAN_ARG(item->namespace_),
		SPAN_ARG(item->name));
	if (item->result.tee != TEE_NONE)
		buf_printf(&s->out, "tee %s: ", tee_name(item->result.tee));
	if (item->result.verdict == VERDICT_REFUSED)
		buf_puts(&s->out, "refused: ");
	buf_printf(&s->out, "%s (%s)\n", reason_explanation(reason), reason_name(reason));
	if (item->result.verdict == VERDICT_REFUSED)
		buf_printf(&s->out, "  why: %s\n", item->result.message);
	if (reason_remedy(reason)[0])
		buf_printf(&s->out, "  to do: %s\n", reason_remedy(reason));
	if (item->ops.from == item->ops.to)
		return;
	buf_printf(&ops, "[%.*s]", (int)(item->ops.to - item->ops.from),
		patch->ops.p + item->ops.from);
	/* The first operation of a later object begins with the comma that separates them. */
	if (ops.len > 1 && ops.p[1] == ',')
		ops.p[1] = ' ';
	if (json_parse(&doc, buf_view(&ops), &review_limits, NULL) < 0)
		return;
	json_each (it, json_root(&doc)) {
		struct span op = json_str(json_get(it.value, "op"), &s->arena);
		struct span path = json_str(json_get(it.value, "path"), &s->arena);
		struct span value = json_raw(json_get(it.value, "value"));

		buf_printf(&s->out, "  %.*s %.*s %.*s\n", SPAN_ARG(op), SPAN_ARG(path),
			SPAN_ARG(value));
	}
}

static void report(struct session *s, const struct input *in, const struct yaml_document *d,
	const struct manifest *m, const struct patch *patch)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct policy_result *res = &m->items[i].result;

		for (size_t k = 0; k < res->n_warnings; k++)
			say(in, d, &m->items[i], "warning: ", res->warnings[k], NULL);
		if (res->verdict == VERDICT_REFUSED)
			say(in, d, &m->items[i], "", res->message, reason_name(res->reason));
		if (s->config->explain)
			explain(s, &m->items[i], patch);
	}
	s->refused = s->refused || m->refused;
}

static int review_manifest(struct session *s, const struct input *in, const struct yaml_document *d,
	struct json_val doc, struct error *err)
{
	const struct manifest_context ctx = {
		.config = &s->config->policy,
		.profiles = s->profiles,
		.namespace_ = s->config->object_namespace,
	};
	_cleanup_patch_ struct patch patch = PATCH_INIT(REVIEW_INPUT_MAX);
	_cleanup_buf_ struct buf ops = BUF_INIT(REVIEW_INPUT_MAX);
	_cleanup_buf_ struct buf text = BUF_INIT(2 * REVIEW_INPUT_MAX);
	_cleanup_json_ struct json patch_doc = {0};
	_cleanup_json_ struct json result = {0};
	const struct json_limits limits = {2 * REVIEW_INPUT_MAX, 4 * 1024 * 1024, 200};
	struct manifest m;
	int r = manifest_review(&ctx, doc, &s->arena, &patch, &m, err);

	if (r < 0)
		return r;
	report(s, in, d, &m, &patch);
	if (m.refused || s->config->explain)
		return 0;
	patch_write(&patch, &ops);
	if (s->config->patch) {
		buf_span(&s->out, buf_view(&ops));
		buf_putc(&s->out, '\n');
		return 0;
	}
	r = json_parse(&patch_doc, buf_view(&ops), &limits, err);
	if (r == 0)
		r = patch_apply(doc, json_root(&patch_doc), &s->arena, &text, err);
	if (r == 0)
		r = json_parse(&result, buf_view(&text), &limits, err);
	if (r == 0)
		print_document(s, in, json_root(&result));
	return r;
}

/* An AdmissionReview in gives an AdmissionReview out, as the mutating webhook would. */
static int review_review(
	struct session *s, const struct input *in, const struct yaml_document *d, struct error *err)
{
	const struct review_context ctx = {
		.config = &s->config->policy,
		.profiles = s->profiles,
		.webhook = REVIEW_MUTATE,
		.limits = review_limits,
		.namespace_enabled = true,
	};
	struct review_scratch scratch;
	struct review_outcome o;
	int r = 0;

	review_scratch_init(&scratch);
	review(&scratch, &ctx, (struct span){d->json, d->json_len}, &s->out, &o);
	if (o.status != 200)
		r = error_set(err, -EBADMSG, "%s", o.result.message);
	else if (o.result.verdict == VERDICT_REFUSED)
		fprintf(stderr, "%s:%u: %.*s %.*s/%.*s: %s (%s)\n", in->name, d->line,
			SPAN_ARG(o.kind), SPAN_ARG(o.namespace_), SPAN_ARG(o.name),
			o.result.message, reason_name(o.result.reason));
	s->denied = s->denied || o.result.verdict == VERDICT_REFUSED;
	review_scratch_free(&scratch);
	return r;
}

static int review_document(
	struct session *s, const struct input *in, const struct yaml_document *d, struct error *err)
{
	const struct json_limits limits = {REVIEW_INPUT_MAX, 1024 * 1024, 100};
	_cleanup_json_ struct json doc = {0};
	int r = json_parse(&doc, (struct span){d->json, d->json_len}, &limits, err);

	if (r == 0 && json_str_is(json_get(json_root(&doc), "kind"), "AdmissionReview"))
		r = review_review(s, in, d, err);
	else if (r == 0)
		r = review_manifest(s, in, d, json_root(&doc), err);
	return r < 0 ? error_prefix(err, r, "%s:%u", in->name, d->line) : 0;
}

static int review_all(struct session *s, const struct strings *files, struct error *err)
{
	int r;

	s->inputs = arena_array(&s->arena, struct input, files->n);
	if (!s->inputs)
		return error_oom(err);
	for (; s->n < files->n; s->n++) {
		r = read_input(s, &s->inputs[s->n], files->v[s->n], err);
		if (r < 0)
			return r;
	}
	r = read_profiles(s, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < s->inputs[i].stream.n; k++) {
			r = review_document(
				s, &s->inputs[i], &s->inputs[i].stream.documents[k], err);
			if (r < 0)
				return r;
		}
	}
	return s->out.err ? error_set(err, s->out.err, "the output is too large") : 0;
}

static void usage(FILE *f)
{
	_cleanup_buf_ struct buf options = BUF_INIT(64 * 1024);

	webhook_config_help(&options, CONFIG_REVIEW);
	fprintf(f,
		"Usage: casemate-webhook review [OPTIONS] FILE...\n\n"
		"Shows what the webhook would make of manifests (YAML or JSON; - is standard\n"
		"input): pods, workloads of any kind, Lists. Prints the rewritten manifests. An\n"
		"AdmissionReview is answered with an AdmissionReview. EnclaveProfiles are taken\n"
		"from --profiles and from the manifests themselves.\n"
		"Exit code 1: an object is refused, or cannot be read; then nothing is printed "
		"but\n"
		"explanations and the answer to an AdmissionReview.\n\n"
		"Options:\n%s",
		options.p ? options.p : "");
}

int command_review(int argc, char **argv)
{
	_cleanup_(webhook_config_unref_p) struct webhook_config *config = NULL;
	struct session s = {
		.arena = ARENA_INIT(REVIEW_MEMORY_MAX),
		.out = BUF_INIT(4 * REVIEW_INPUT_MAX),
	};
	struct strings files;
	struct error err = {0};
	int r;

	if (argc > 0 && strcmp(argv[0], "--help") == 0) {
		usage(stdout);
		return COMMAND_DONE;
	}
	r = webhook_config_load(&config, CONFIG_REVIEW, argc, argv, &files, &err);
	if (r < 0) {
		fprintf(stderr, "casemate-webhook review: %s\n", err.message);
		return r == -EINVAL ? COMMAND_USAGE : COMMAND_REFUSED;
	}
	if (files.n == 0) {
		usage(stderr);
		return COMMAND_USAGE;
	}
	s.config = config;
	r = review_all(&s, &files, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.message);
	else if ((!s.refused || config->explain) && s.out.len)
		fwrite(s.out.p, 1, s.out.len, stdout);
	for (size_t i = 0; i < s.n; i++)
		yaml_stream_free(&s.inputs[i].stream);
	profile_set_unref(s.profiles);
	buf_free(&s.out);
	arena_free(&s.arena);
	if (r < 0 || s.refused || s.denied || fflush(stdout) != 0)
		return COMMAND_REFUSED;
	return COMMAND_DONE;
}
