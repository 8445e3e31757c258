/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook keyprovider: who encrypts images asks it to wrap the keys of layers (ocicrypt's
 * key provider that is a command: one request on standard input, one answer on standard output; or
 * one that is a gRPC service). */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/base/settings.h"
#include "common/kbs/keyprovider.h"
#include "webhook/commands.h"
#include "webhook/layer_service.h"
#include "webhook/layer_wrap.h"

enum { MEMORY_MAX = 1 << 20 };

struct options {
	const char *listen;
	struct key_session_options store;
};

#define AT(member) offsetof(struct options, store.member)

static const struct setting table[] = {
	{"listen", SETTING_STRING, offsetof(struct options, listen), .meta = "unix:PATH",
		.help = "serve gRPC on this socket instead"},
	{"keys", SETTING_STRING, AT(keys), .meta = "DIR",
		.help = "the folder of the wrapped keys (broker.keys)"},
	{"profilesDir", SETTING_STRING, AT(profiles_dir), .meta = "DIR",
		.help = "the folder of profiles beside it"},
	{"kubeconfig", SETTING_STRING, AT(kubeconfig), .meta = "FILE",
		.help = "or a cluster: how to reach it"},
	{"namespace", SETTING_STRING, AT(namespace_), .meta = "NAME",
		.help = "and the namespace that Casemate is in"},
	{"kekFile", SETTING_STRING, AT(kek_file), .meta = "FILE",
		.help = "the key-encryption key (broker.kekFile)"},
	{"insecureKekInSecret", SETTING_BOOL, AT(insecure_kek_in_secret),
		.help = "it is in a Secret (broker.insecureKekInSecret)"},
	KEK_SETTINGS("kek", AT(kek)),
};

/* Standard input, up to its end. */
static int read_input(struct secret *ret, struct error *err)
{
	int r = io_read_secret(STDIN_FILENO, KEYPROVIDER_MAX, ret);

	if (r == -E2BIG)
		return error_set(err, r, "standard input: more than a request of ocicrypt has");
	return r < 0 ? error_set(err, r, "standard input: %s", strerror(-r)) : 0;
}

static int answer_one(struct key_session_options *o, struct error *err)
{
	_cleanup_secret_ struct secret text = {0}, answer = {0};
	enum reason reason = REASON_Ok;
	struct error why = {0};
	int r = read_input(&text, err);

	if (r < 0)
		return r;
	r = layer_wrap(&answer, o, secret_view(&text), &reason, &why);
	if (r == -EINVAL)
		return error_set(err, r, "%s", why.message);
	if (r < 0)
		return error_set(err, r, "%s: %s", reason_name(reason), why.message);
	fwrite(answer.p, 1, answer.len, stdout);
	return fflush(stdout) == 0 ? 0 : error_set(err, -EIO, "standard output: %m");
}

static void usage(FILE *f)
{
	_cleanup_buf_ struct buf options = BUF_INIT(64 * 1024);

	settings_help(&options, table, ARRAY_SIZE(table));
	fprintf(f,
		"Usage: casemate-webhook keyprovider [OPTIONS]\n"
		"Wraps the keys of an image's layers while the image is encrypted: a key provider "
		"of\n"
		"ocicrypt that is a command. Name it in the file OCICRYPT_KEYPROVIDER_CONFIG:\n"
		"  {\"key-providers\": {\"casemate\": {\"cmd\": {\"path\": \"casemate-webhook\", "
		"\"args\": [\"keyprovider\", …]}}}}\n"
		"and encrypt with: ctr images encrypt --recipient "
		"provider:casemate:kbs:///NAMESPACE/PROFILE/KEY …\n"
		"KEY is one of the profile's with use: image. For tools that speak gRPC alone, "
		"run it with\n"
		"--listen unix:///PATH and write {\"grpc\": \"unix:///PATH\"} instead of cmd.\n\n"
		"Options:\n%s",
		options.p ? options.p : "");
}

int command_keyprovider(int argc, char **argv)
{
	_cleanup_arena_ struct arena arena = ARENA_INIT(MEMORY_MAX);
	const struct settings_input in = {
		.table = table, .n = ARRAY_SIZE(table), .argc = argc, .argv = argv};
	struct options o = {0};
	struct error err = {0};
	int r;

	if (argc > 0 && strcmp(argv[argc - 1], "--help") == 0) {
		usage(stdout);
		return COMMAND_DONE;
	}
	(void)secret_protect_process();
	r = settings_read(&in, &o, &arena, NULL, &err);
	if (r == 0)
		r = *o.listen ? layer_service_run(o.listen, &o.store, &err)
			      : answer_one(&o.store, &err);
	if (r < 0)
		fprintf(stderr, "casemate-webhook keyprovider: %s\n", err.message);
	if (r == -EINVAL)
		return COMMAND_USAGE;
	return r < 0 ? COMMAND_REFUSED : COMMAND_DONE;
}
