/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook key explain: which of the broker's rules hold for a key and who would ask for
 * it, which fail, and what to change. It reads, and releases nothing. */
#include <errno.h>
#include <stdio.h>

#include "webhook/commands.h"
#include "webhook/explain.h"

enum { MEMORY_MAX = 64 << 20, OUTPUT_MAX = 1 << 20 };

#define AT(field) offsetof(struct explain_options, field)
static const struct setting own_settings[] = {
	{"pod", SETTING_STRING, AT(pod), .no_file = true, .meta = "NAMESPACE/NAME",
		.help = "a live pod that asks"},
	{"container", SETTING_STRING, AT(container), .no_file = true, .meta = "NAME",
		.help = "which of its containers (the one that requests casemate.dev/keys)"},
	{"serviceAccount", SETTING_STRING, AT(service_account), .no_file = true, .meta = "NAME",
		.help = "with --evidence: whose token comes along (none)"},
	{"config", SETTING_STRING, AT(config), .no_file = true, .meta = "FILE",
		.help = "the broker's configuration (defaults, the strictest)"},
	{"profilesDir", SETTING_STRING, AT(profiles_dir), .no_file = true, .meta = "DIR",
		.help = "EnclaveProfiles from a folder, without a cluster"},
	{"kubeconfig", SETTING_STRING, AT(kubeconfig), .no_file = true, .meta = "FILE",
		.help = "or how to reach the cluster (in one: its own credentials)"},
	{"namespace", SETTING_STRING, AT(namespace_), .no_file = true, .meta = "NAME",
		.help = "that Casemate is in: for its deny lists"},
	{"json", SETTING_BOOL, AT(json), .no_file = true, .help = "JSON for programs"},
};

struct settings_table key_explain_settings(void)
{
	struct settings_table t = {0};

	settings_add(&t, own_settings, ARRAY_SIZE(own_settings), 0);
	settings_add(&t, evidence_file_settings, n_evidence_file_settings, AT(file));
	return t;
}

static const char *const words[] = {
	[GRANT_HOLDS] = "holds", [GRANT_FAILS] = "fails", [GRANT_UNJUDGED] = "unjudged"};

static void write_text(struct buf *out, const struct explanation *x)
{
	enum reason first = explanation_reason(x);

	for (size_t i = 0; i < x->n; i++) {
		const struct grant_finding *f = &x->v[i];

		buf_printf(out, "%-8s  %s\n", words[f->state], f->rule);
		if (f->state != GRANT_FAILS)
			continue;
		buf_printf(out, "          %s: %s\n", reason_name(f->reason), f->message);
		if (*reason_remedy(f->reason))
			buf_printf(out, "          %s\n", reason_remedy(f->reason));
	}
	if (first == REASON_Ok)
		buf_puts(out, "\nThe key would be released.\n");
	else
		buf_printf(out, "\nThe key would be refused: %s\n", reason_name(first));
}

static void write_json(struct buf *out, const struct explanation *x)
{
	enum reason first = explanation_reason(x);

	buf_puts(out, "{\"key\":\"");
	key_id_write(out, &x->id);
	buf_printf(out, "\",\"released\":%s,\"reason\":\"%s\",\"rules\":[",
		first == REASON_Ok ? "true" : "false", reason_name(first));
	for (size_t i = 0; i < x->n; i++) {
		const struct grant_finding *f = &x->v[i];

		buf_puts(out, i ? ",{\"rule\":" : "{\"rule\":");
		buf_json_string(out, span_str(f->rule));
		buf_printf(out, ",\"state\":\"%s\"", words[f->state]);
		if (f->state == GRANT_FAILS) {
			buf_printf(out, ",\"reason\":\"%s\",\"message\":", reason_name(f->reason));
			buf_json_string(out, span_str(f->message));
			buf_puts(out, ",\"remedy\":");
			buf_json_string(out, span_str(reason_remedy(f->reason)));
		}
		buf_putc(out, '}');
	}
	buf_puts(out, "]}\n");
}

static int print(const struct explanation *x, struct error *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);

	if (x->o->json)
		write_json(&out, x);
	else
		write_text(&out, x);
	if (out.err)
		return error_set(err, out.err, "the explanation cannot be written");
	fwrite(out.p, 1, out.len, stdout);
	return fflush(stdout) == 0 ? 0 : error_set(err, -EIO, "standard output: %m");
}

int command_key_explain(int argc, char **argv)
{
	struct explanation x = {.arena = ARENA_INIT(MEMORY_MAX), .file = EVIDENCE_FILE_INIT};
	const struct settings_table table = key_explain_settings();
	const struct settings_input in = {
		.table = table.v, .n = table.n, .argc = argc, .argv = argv};
	struct explain_options o = {0};
	struct strings rest = {0};
	struct error err = {0};
	enum reason reason = REASON_Internal;
	int r = settings_read(&in, &o, &x.arena, &rest, &err);

	if (r == 0 && rest.n != 1)
		r = error_set(&err, -EINVAL, "needs one NAMESPACE/PROFILE/KEY; see --help");
	if (r == 0)
		r = explain(&x, &o, rest.v[0], &err);
	if (r == 0) {
		reason = explanation_reason(&x);
		r = print(&x, &err);
	}
	if (r < 0)
		fprintf(stderr, "casemate-webhook key explain: %s\n", err.message);
	explanation_free(&x);
	if (r == -EINVAL)
		return COMMAND_USAGE;
	return r == 0 && reason == REASON_Ok ? COMMAND_DONE : COMMAND_REFUSED;
}
