/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/uninstall.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/command.h"
#include "common/base/settings.h"

enum { UNINSTALL_PATH_MAX = 512, N_OPTIONS = 4 };

struct options {
	const char *kubeconfig, *namespace_, *workload;
	int64_t timeout_usec;
};
#define AT(field) offsetof(struct options, field)

/* The options, with what of them depends on the workload; help texts live in a. */
static int options_table(struct setting ret[N_OPTIONS], const struct uninstall *u, struct arena *a,
	struct error *err)
{
	const struct setting table[N_OPTIONS] = {
		{.name = "kubeconfig",
			.type = SETTING_STRING,
			.offset = AT(kubeconfig),
			.meta = "FILE",
			.no_file = true,
			.help = "credentials of the API server (in a cluster: its own)"},
		{.name = "namespace",
			.type = SETTING_STRING,
			.offset = AT(namespace_),
			.meta = "NAME",
			.no_file = true,
			.help = arena_printf(
				a, "of the %s of %s (the credentials')", u->kind, u->who)},
		{.name = u->kind,
			.type = SETTING_STRING,
			.offset = AT(workload),
			.meta = "NAME",
			.def = u->name,
			.no_file = true,
			.help = arena_printf(
				a, "%s, to be ended first; \"\": there is none", u->who)},
		{.name = "timeout",
			.type = SETTING_DURATION,
			.offset = AT(timeout_usec),
			.def = "120s",
			.min = USEC_PER_SEC,
			.no_file = true,
			.help = arena_printf(a, "for %s to end", u->who)},
	};

	for (size_t i = 0; i < N_OPTIONS; i++)
		if (!table[i].help)
			return error_oom(err);
	memcpy(ret, table, sizeof(table));
	return 0;
}

static int end_workload(
	struct kube_sync *c, const struct uninstall *u, const struct options *o, struct error *err)
{
	const char *namespace_ = *o->namespace_ ? o->namespace_ : kube_client_namespace(c->kube);
	char path[UNINSTALL_PATH_MAX];

	if (!*o->workload)
		return 0;
	snprintf(path, sizeof(path), "/apis/apps/v1/namespaces/%s/%ss/%s", namespace_, u->kind,
		o->workload);
	return kube_sync_end(c, path, o->timeout_usec, err);
}

static int run(const struct uninstall *u, const struct options *o, struct error *err)
{
	char user_agent[128];
	const struct kube_client_options k = {
		.kubeconfig = o->kubeconfig,
		.user_agent = user_agent,
	};
	_cleanup_kube_sync_ struct kube_sync c = {0};
	int r;

	snprintf(user_agent, sizeof(user_agent), "%s/" CASEMATE_VERSION, u->program);
	r = kube_sync_open(&c, &k, err);
	if (r == 0)
		r = end_workload(&c, u, o, err);
	return r < 0 ? r : kube_sync_each(&c, u->objects, u->clean, NULL, err);
}

static void usage(const struct uninstall *u, const struct setting *table)
{
	_cleanup_buf_ struct buf options = BUF_INIT(16 * 1024);

	settings_help(&options, table, N_OPTIONS);
	printf("Usage: %s %s [OPTIONS]\n\n%s\nOptions:\n%s", u->program, u->command, u->about,
		options.p ? options.p : "");
}

int uninstall_command(const struct uninstall *u, int argc, char **argv)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1024 * 1024);
	struct setting table[N_OPTIONS];
	const struct settings_input in = {
		.table = table,
		.n = N_OPTIONS,
		.environment = environ,
		.argc = argc,
		.argv = argv,
	};
	struct options o = {0};
	struct error err = {0};
	int code = COMMAND_USAGE;
	int r = options_table(table, u, &a, &err);

	if (r == 0 && argc > 0 && strcmp(argv[0], "--help") == 0) {
		usage(u, table);
		return COMMAND_DONE;
	}
	if (r == 0)
		r = settings_read(&in, &o, &a, NULL, &err);
	if (r == 0) {
		code = COMMAND_REFUSED;
		r = run(u, &o, &err);
	}
	if (r == 0)
		return COMMAND_DONE;
	fprintf(stderr, "%s %s: %s\n", u->program, u->command, err.message);
	return code;
}
